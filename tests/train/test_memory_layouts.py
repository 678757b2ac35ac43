"""Gradients in the memory layout channels-last, in which runs train by default, against torch's own layout."""

import pytest
import torch
import torch.nn.functional as F

from commongarden import arch
from commongarden.runner import processes
from commongarden.study.recipe import Recipe
from commongarden.train import streams
from commongarden.train.build import auxiliary_logits, build
from commongarden.train.initialize import initialize

# of each gradient's norm: in a max pooling the last bits of a sum may decide; a wrong one is off by 0.3 or more
TOLERANCE = 0.05
EXACT_BELOW = 1e9  # MACs of one image, up to which the reference is in float64: oneDNN has no part in that


def gradients(network, shape, n_classes, layout, dtype):
    """The gradient of every parameter after one training step on two images."""
    torch.manual_seed(0)
    module = build(network, shape)
    initialize(module, Recipe(), streams.generator(0, 0, "initialization"))
    module.to(dtype=dtype, memory_format=layout).train()
    for name, part in list(module.named_modules()):
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
        if isinstance(part, torch.nn.ReLU):  # at 0 the last bits of a sum decide about a whole gradient
            module.set_submodule(name, torch.nn.GELU())
    height, width, channels = shape
    x = torch.randn(2, channels, height, width, generator=torch.Generator().manual_seed(1)).to(
        dtype, memory_format=layout
    )
    labels = torch.arange(2) % n_classes
    heads = [(1.0, module(x)), *auxiliary_logits(module)]
    sum(weight * F.cross_entropy(logits, labels) for weight, logits in heads).backward()
    return {name: parameter.grad.double() for name, parameter in module.named_parameters()}


def differing(name):
    """The parameters whose gradients differ, with the share of their norm."""
    torch.set_num_threads(1)
    family = arch.FAMILIES[name]
    network = family.make(family.n_classes)
    exact = family.cost().macs < EXACT_BELOW
    found = gradients(network, family.input, family.n_classes, torch.channels_last, torch.float32)
    wanted = gradients(
        network, family.input, family.n_classes, torch.contiguous_format, torch.float64 if exact else torch.float32
    )
    gaps = {key: ((found[key] - value).norm() / value.norm().clamp_min(1e-6)).item() for key, value in wanted.items()}
    return {key: gap for key, gap in gaps.items() if not gap <= TOLERANCE}


@pytest.mark.soak
@pytest.mark.parametrize("name", arch.FAMILIES)
def test_gradients_of_every_architecture_are_those_of_torchs_own_layout(name, tmp_path):
    """In a process of its own: a wrong memory layout may end it (SIGSEGV)."""
    process = processes.context().Process(target=_differing, args=(name, tmp_path / "found"))
    with processes.quiet_start():
        process.start()
    process.join()
    assert process.exitcode == 0
    assert (tmp_path / "found").read_text() == "{}"


def _differing(name, path):
    path.write_text(str(differing(name)))
