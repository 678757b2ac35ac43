"""Every registered architecture and block: a new one is under test by being registered."""

import itertools

import pytest

from commongarden import arch
from commongarden.arch import conv, named, serial
from conformance import N_CLASSES, conforms, smallest, zero_by_the_tree

ORDERS = ("LA", "LAB", "LBA")
NAMES = sorted(arch.FAMILIES)
OPTIONS = [
    ("googlenet", {"aux": True, "transform_input": True}),
    ("googlenet_paper", {"aux": True}),
    ("resnet18", {"zero_init": True}),
    ("resnet18", {"zero_init": True, "order": "LAB"}),
    ("resnet18", {"order": "BAL"}),
    ("resnet50", {"order": "BAL", "shortcut": "pooled"}),
    ("resnet50", {"zero_init": True, "stride_in": "1x1", "shortcut": "repeat"}),
    ("plain18", {"order": "BAL"}),
]


DEEP = ("resnet101", "resnet152", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn")  # more of what shallower ones show


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.soak) if name in DEEP else name for name in NAMES]
)
def test_every_architecture_at_its_smallest_size(name):
    size = smallest(name)
    conforms(arch.network(name, N_CLASSES), (size, size, 3))


@pytest.mark.parametrize("order", [*ORDERS, "BAL"])
@pytest.mark.parametrize("block", arch.BLOCKS)
@pytest.mark.parametrize("size", [(9, 8), (5, 7)], ids=arch.show_shape)
def test_every_block_in_every_order(block, order, size):
    # between convolutions, so that a bias in the block which nothing takes away has something to learn
    body = named("block", arch.BLOCKS[block](order))
    conforms(serial(conv(16, 1, order="LA"), body, conv(4, 1, order="LA"), name="net"), (*size, 16))


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=str)
def test_options(name, options):
    size = smallest(name, **options)
    conforms(arch.network(name, N_CLASSES, **options), (size, size, 3))


@pytest.mark.soak
@pytest.mark.parametrize(("name", "order"), list(itertools.product(NAMES, ORDERS)))
@pytest.mark.parametrize("size", ["smallest", "larger"])
def test_every_architecture_in_every_order_at_two_sizes(name, order, size):
    least = smallest(name, order=order)
    # of the other parity, and not square
    shape = (least, least, 3) if size == "smallest" else (least + 17, least + 32, 3)
    conforms(arch.network(name, N_CLASSES, order=order), shape)


@pytest.mark.soak
@pytest.mark.parametrize("order", ORDERS)
def test_inception_v3_with_its_auxiliary_head(order):
    conforms(arch.network("inception_v3", N_CLASSES, order=order, aux=True), (299, 299, 3))


def test_what_the_tree_implies():
    silenced = arch.add(serial(conv(4, 3, order="LBA"), conv(4, 3, order="L"), arch.batch_norm(first_scale=0.0)))
    network = serial(conv(4, 1, order="LB", bias=True), conv(4, 1, order="LA"), silenced, name="net")
    assert zero_by_the_tree(network) == {
        "conv_1x1.bias",
        "add.body.conv_3x3.weight",
        "add.body.batch_norm.weight",
        "add.body.batch_norm.bias",
        "add.body.conv_3x3_2.weight",
        "add.body.conv_3x3_2.bias",
    }
