"""Is this network worth training? A pass in training and one in evaluation at the first weights, and what they show."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from commongarden import arch
from commongarden.arch import External, Node, Shape
from commongarden.errors import ArchError, CommonGardenError
from commongarden.i18n.language import _, translate
from commongarden.records.findings import AUDIT_SCHEMA, Audit, Finding, Scale
from commongarden.study.recipe import Recipe
from commongarden.train import measure, streams
from commongarden.train.activations import ActivationCapture, fresh_statistics, linear_calls, tensors, watched
from commongarden.train.blame import describe_user_error
from commongarden.train.build import auxiliary_logits, build, module_name
from commongarden.train.external import AUXILIARY_WEIGHT, ExternalNetwork
from commongarden.train.initialize import initialize
from commongarden.train.loading import user_file
from commongarden.train.recording import path_of
from commongarden.train.symptoms import Passes, Plan, symptoms

MOST_PHOTOS, FEWEST_PHOTOS = 16, 3
MACS = 8e9  # of one forward pass: a few seconds on one core for all passes


def audit(
    network: nn.Module, x: Tensor, labels: Tensor, plan: Plan, *, paths: Mapping[str, str] | None = None, key: str = ""
) -> Audit:
    """Findings about any network at the weights it has, in the order in which its layers work.

    x: (n, channels, height, width) as the network takes them, n two or more, of different photos; labels: (n,) int64.
    paths: what a module's dotted name is to be told as; without it the names themselves. key: what the audit is kept
    under. The network's weights, running statistics and mode are left as they were; gradients are cleared.
    """

    by_others = {name for name, part in network.named_modules() if isinstance(part, ExternalNetwork)}

    def path(name: str) -> str:
        if not paths:
            return name or type(network).__name__
        known = name
        while known not in paths:  # a part of a layer's module, of which the tree knows nothing
            known = known.rpartition(".")[0]
        return path_of(name, paths) if known in by_others else paths[known]  # its author knows it by its dotted name

    with fresh_statistics(network), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        watch, logits, loss = _training_pass(network, x, labels)
        network.eval()
        with torch.no_grad():
            calm = tensors(network(x))[0].float()
    found = symptoms(Passes(network, watch, logits, calm, loss), plan)
    network.zero_grad(set_to_none=True)

    def told(finding: Finding) -> Finding:
        more = {name: _finite(value) for name, value in finding.more.items()}
        return dataclasses.replace(finding, path=path(finding.path), value=_finite(finding.value), more=more)

    scales = []
    for call in linear_calls(watch):
        gradient = None if call.gradient is None else _finite(call.gradient)
        scales.append(Scale(path(call.name), call.depth, _finite(call.output_rms), gradient, _finite(call.gain)))
    return Audit(AUDIT_SCHEMA, key, len(x), tuple(map(told, found)), tuple(scales))


def _finite(value: float) -> float:
    """JSON knows neither infinity nor what is no number: the largest number stands for both."""
    return value if math.isfinite(value) else math.copysign(sys.float_info.max, value)


def _training_pass(network: nn.Module, x: Tensor, labels: Tensor) -> tuple[ActivationCapture, Tensor, float]:
    """Leaves the gradients of the loss, auxiliary ones included, in the parameters."""
    network.train()
    network.zero_grad(set_to_none=True)
    with torch.enable_grad(), watched(network) as watch:
        logits, *others = tensors(network(x))
        loss = F.cross_entropy(logits.float(), labels)
        heads = auxiliary_logits(network)
        heads += [(AUXILIARY_WEIGHT, other) for other in others if other.shape == logits.shape]
        whole = sum((weight * F.cross_entropy(other.float(), labels) for weight, other in heads), start=loss)
        if whole.requires_grad:
            whole.backward()  # type: ignore[no-untyped-call]
    return watch, logits.detach().float(), loss.detach().item()


def audit_arm(
    network: Node, input: Shape, n_classes: int, recipe: Recipe, n_train: int, pixels: Tensor, labels: Tensor
) -> Audit:
    """The audit of a tree of nodes as the recipe would first have it, with run seed 0.

    pixels: (n, channels, height, width), 0..255; labels: (n,) int64. n_train: photos in the training part.
    """
    module, x = begun(network, input, recipe, pixels.float())
    if recipe.layout == "channels-last" and not source_of(network):  # which others' code need not be able to take
        module.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    return audit_built(module, network, recipe, n_classes, n_train, x, labels)


def begun(network: Node, input: Shape, recipe: Recipe, x: Tensor) -> tuple[nn.Module, Tensor]:
    """The network at its first weights, and the pixels as the recipe gives them to it."""
    with blaming(network):
        module = build(network, input)
        initialize(module, recipe, streams.generator(0, 0, "initialization"))
    if recipe.pixels == "standardized":
        x = (x - x.mean((0, 2, 3), keepdim=True)) / x.std((0, 2, 3), keepdim=True).clamp_min(1e-6)
    return module, x


def audit_built(
    module: nn.Module, network: Node, recipe: Recipe, n_classes: int, n_train: int, x: Tensor, labels: Tensor
) -> Audit:
    """The audit of a module that was built of `network`, at the weights it has. x: (n, channels, height, width), as
    the recipe gives them to the network."""
    plan = Plan(recipe.batch_size, -(-n_train // recipe.batch_size), recipe.epochs, n_classes, recipe.freeze_backbone)
    with blaming(network):
        return audit(module, x, labels, plan, paths=tree_paths(network), key=arch.hash(network))


def source_of(network: Node) -> str:
    """The name of the network by others in a tree; "" where all of it is ours."""
    return next((node.source for _label, node in arch.children(network) if isinstance(node, External)), "")


@contextmanager
def blaming(network: Node) -> Iterator[None]:
    """What others' code raises is an error that names their file and line. Raises ArchError."""
    try:
        yield
    except CommonGardenError:
        raise
    except Exception as error:
        if not (source := source_of(network)):
            raise
        reason = translate(describe_user_error(error, user_file(source)))
        raise ArchError(_("{source}: cannot be audited: {reason}").format(source=source, reason=reason)) from error


def audit_drawn(network: Node, input: Shape, n_classes: int, recipe: Recipe, n_train: int) -> Audit:
    """`audit_arm` where there are no photos: drawn pixels stand for them, and classes in turn for their labels."""
    measure.settle(recipe.threads, recipe.precision)
    n = n_photos(network, input)
    labels = torch.arange(n) % n_classes
    return audit_arm(network, input, n_classes, recipe, n_train, drawn_pixels(input, n), labels)


def tree_paths(network: Node) -> dict[str, str]:
    """Each module's dotted name, as `build` gives it, and its layer's path, as `arch.trace` tells it."""
    found: dict[str, str] = {}

    def walk(node: Node, names: Sequence[str], labels: Sequence[str]) -> None:
        found[".".join(names)] = " / ".join(labels)
        for label, child in arch.children(node):
            walk(child, [*names, module_name(label)], [*labels, label])

    walk(network, [], [arch.label(network)])
    return found


def n_photos(network: Node, input: Shape, n_available: int = MOST_PHOTOS) -> int:
    """How many photos an audit looks at: fewer where a network is costly, so that it takes seconds."""
    affordable = int(MACS / max(arch.cost(network, input).macs, 1))
    return min(n_available, max(FEWEST_PHOTOS, min(MOST_PHOTOS, affordable)))


def drawn_pixels(input: Shape, n: int) -> Tensor:
    """(n, channels, height, width) in 0..255, in place of photos: noise at every scale, the coarse ones strongest, as
    in photos, whose power falls with the square of the frequency (Field 1987)."""
    generator = torch.Generator().manual_seed(0)
    height, width, channels = input
    x = torch.zeros(n, channels, height, width)
    side = 1
    while side <= max(height, width):
        grey = torch.randn(n, 1, min(side, height), min(side, width), generator=generator)
        colour = torch.randn(n, channels, min(side, height), min(side, width), generator=generator)
        coarse = 0.8 * grey + 0.4 * colour
        x += F.interpolate(coarse, (height, width), mode="bilinear", align_corners=False)
        side *= 4
    return (115 + 40 * x).clamp(0, 255).round()
