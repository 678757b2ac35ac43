"""Our networks beside torchvision's: the same weights give the same numbers, to the last digits.

torchvision's code was written by others from the same papers. What must agree: logits in evaluation, every gradient
and every batch-norm buffer after one training step. That the comparison sees small slips is shown with planted ones.
"""

import dataclasses
from functools import partial

import pytest
import torch
from torchvision import models

from commongarden import arch
from parity import Pair

N_CLASSES = 10
WITHOUT_INIT = {"googlenet": {"init_weights": False}, "inception_v3": {"init_weights": False}}  # else it warns
THEIRS = (
    "alexnet", "vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn", "googlenet",
    "inception_v3", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152",
)  # fmt: skip
# odd sizes, so that an uneven pool or padding shows
SIZES = {"alexnet": 79, "googlenet": 75, "inception_v3": 107}


def theirs(name, aux=False, transform_input=False, n_classes=N_CLASSES):
    options = {"aux_logits": aux, "transform_input": transform_input} if name in WITHOUT_INIT else {}
    return getattr(models, name)(weights=None, num_classes=n_classes, **options, **WITHOUT_INIT.get(name, {}))


def pair(name, *, size=None, n=3, change=None, **options):
    network = arch.network(name, N_CLASSES, **options)
    if change is not None:
        network = change(network)
    return Pair(partial(theirs, name, **options), network, size or SIZES.get(name, 33), n)


@pytest.mark.parametrize("name", THEIRS)
def test_parameters_are_equal_to_the_unit(name):
    with torch.device("meta"):
        module = theirs(name, n_classes=1000)
    counted = sum(parameter.numel() for parameter in module.parameters())
    assert counted == arch.cost(arch.network(name, 1000), arch.FAMILIES[name].input).n_params


LARGE = (
    "vgg11",
    "vgg11_bn",
    "inception_v3",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "resnet101",
    "resnet152",
)  # more of what smaller ones show


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.soak) if name in LARGE else name
        for name in THEIRS
        if not name.startswith("vgg13")
    ],
)
def test_the_same_weights_give_the_same_numbers(name):
    pair(name).compare()


@pytest.mark.parametrize("transform_input", [False, True])
def test_googlenet_with_auxiliary_heads(transform_input):
    pair("googlenet", aux=True, transform_input=transform_input).compare()


@pytest.mark.soak
def test_inception_v3_with_its_input_transformed():
    pair("inception_v3", transform_input=True).compare()


def test_inception_v3_with_its_auxiliary_head():
    """At 299 pixels, for the head takes no less; a batch of 2, for time."""
    pair("inception_v3", aux=True, size=299, n=2).compare_training_step()


@pytest.mark.soak
@pytest.mark.parametrize("transform_input", [False, True])
@pytest.mark.parametrize("aux", [False, True])
@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_every_form_at_its_published_size(name, aux, transform_input):
    pair(name, size=arch.FAMILIES[name].input[0], aux=aux, transform_input=transform_input).compare()


@pytest.mark.soak
@pytest.mark.parametrize("name", [name for name in THEIRS if name not in WITHOUT_INIT])
def test_every_network_at_its_published_size(name):
    pair(name, size=224).compare()


def first(kind, change, **wanted):
    """A change of the first node of a kind that has the wanted values; everything else stays."""

    def changed(node, done):
        if not done and isinstance(node, kind) and all(getattr(node, key) == value for key, value in wanted.items()):
            done.append(node)
            return dataclasses.replace(node, **change)
        for field in ("layers", "branches"):
            if hasattr(node, field):
                parts = tuple(changed(part, done) for part in getattr(node, field))
                return dataclasses.replace(node, **{field: parts})
        return node

    def apply(network):
        done = []
        network = changed(network, done)
        assert done, "nothing was changed"
        return network

    return apply


CHANGES = {
    "one kernel of a pool": (
        "googlenet", first(arch.MaxPool, {"kernel": (5, 5), "padding": (2, 2, 2, 2)}, stride=(1, 1)), "logits",
    ),
    "one kernel turned": (
        "inception_v3", first(arch.Conv, {"kernel": (7, 1), "padding": (3, 3, 0, 0)}, kernel=(1, 7)), "layer ",
    ),
    "one epsilon": ("inception_v3", first(arch.BatchNorm, {"epsilon": 1e-5}), "logits"),
    "one momentum": ("googlenet", first(arch.BatchNorm, {"momentum": 0.01}), "buffer .*running_mean"),
    "one ceil mode": ("googlenet", first(arch.MaxPool, {"ceil_mode": False}, ceil_mode=True), "logits"),
    "padding not counted": ("inception_v3", first(arch.AvgPool, {"count_padding": False}), "logits"),
    "one bias": ("resnet18", first(arch.Conv, {"bias": True}), "layer conv1"),
    "padding shifted": ("alexnet", first(arch.Conv, {"padding": (1, 3, 2, 2)}, kernel=(11, 11)), "logits"),
    "one stride": ("resnet18", first(arch.MaxPool, {"stride": (1, 1)}), "logits"),
    "one activation": ("resnet18", first(arch.Activation, {"kind": "leaky_relu"}), "logits"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "change", "seen_in"), CHANGES.values(), ids=CHANGES)
def test_one_change_is_seen(name, change, seen_in):
    with pytest.raises(AssertionError, match=f"^{seen_in}"):
        pair(name, change=change).compare()


def test_another_weight_of_the_auxiliary_loss_is_seen():
    with pytest.raises(AssertionError, match=r"^gradient of"):
        pair("googlenet", aux=True, change=first(arch.Auxiliary, {"weight": 0.4})).compare()


def test_a_stride_in_the_other_convolution_is_seen():
    """resnet50 with its stride in the 1x1 has the same weights and the same shapes."""
    other = arch.network("resnet50", N_CLASSES, stride_in="1x1")
    with pytest.raises(AssertionError, match=r"^logits are off"):
        Pair(partial(theirs, "resnet50"), other, 33).compare()
