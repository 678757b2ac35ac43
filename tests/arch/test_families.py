"""Named architectures: published counts, options, orders, and what each says to an input it cannot take."""

import json
import runpy

import pytest
from click.testing import CliRunner

from commongarden import arch
from commongarden.arch import BatchNorm
from commongarden.arch.families import inception, resnet
from commongarden.cli import main
from commongarden.errors import ArchError
from paths import ROOT

# parameters at 1000 classes (the flower arms at 5) and MACs at the published size. Sources: torchvision's tables of
# weights ("num_params", "GFLOPS", which are MACs); GoogLeNet as in the paper: Caffe's bvlc_googlenet
PUBLISHED = {
    "inception_flower": (43_885, None),
    "plain_flower": (173_637, None),
    "residual_flower": (173_637, None),
    "bottleneck_flower": (189_925, None),
    "alexnet": (61_100_840, 0.71),
    "vgg11": (132_863_336, 7.61),
    "vgg13": (133_047_848, 11.31),
    "vgg16": (138_357_544, 15.47),
    "vgg19": (143_667_240, 19.63),
    "vgg11_bn": (132_868_840, 7.61),
    "vgg13_bn": (133_053_736, 11.31),
    "vgg16_bn": (138_365_992, 15.47),
    "vgg19_bn": (143_678_248, 19.63),
    "googlenet": (6_624_904, 1.50),
    "googlenet_paper": (6_998_552, None),
    "inception_v3": (23_834_568, 5.71),
    "plain18": (11_515_688, None),
    "plain34": (21_623_848, None),
    "resnet18": (11_689_512, 1.81),
    "resnet34": (21_797_672, 3.66),
    "resnet50": (25_557_032, 4.09),
    "resnet101": (44_549_160, 7.80),
    "resnet152": (60_192_808, 11.51),
}


def kinds(network, shape=(64, 64, 3)):
    return [type(layer.node).__name__ for layer in arch.trace(network, shape)]


def test_every_network_that_was_published_has_its_counts_here():
    assert {name for name in arch.FAMILIES if not name.endswith("_twin")} == PUBLISHED.keys()


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_describe_gives_the_published_counts(name):
    family = arch.FAMILIES[name]
    size, classes = arch.show_shape(family.input), str(family.n_classes)
    result = CliRunner().invoke(main, ["describe", name, "--input", size, "--classes", classes, "--json"])
    table = json.loads(result.output)
    n_params, giga_macs = PUBLISHED[name]
    assert table["n_params"] == n_params
    assert giga_macs is None or round(table["macs"] / 1e9, 2) == giga_macs
    assert table["trunk"][-1]["output"] == [family.n_classes]


@pytest.mark.parametrize(
    ("name", "n_params"), [("googlenet", 13_004_888), ("googlenet_paper", 13_378_280), ("inception_v3", 27_161_264)]
)
def test_auxiliary_heads_have_the_published_counts(name, n_params):
    network = arch.network(name, 1000, aux=True)
    assert arch.cost(network, arch.FAMILIES[name].input).n_params == n_params
    assert {layer.weight for layer in network.layers if isinstance(layer, arch.Auxiliary)} == {0.3}


@pytest.mark.parametrize("name", sorted(arch.FAMILIES))
def test_every_family_has_a_source_an_order_and_its_own_name(name):
    family = arch.FAMILIES[name]
    assert family.source
    assert "order" in family.options
    assert family.make(3).name == name


@pytest.mark.parametrize("name", sorted(arch.FAMILIES))
@pytest.mark.parametrize("order", ["LA", "LAB", "LBA", "BAL"])
def test_the_order_decides_whether_and_where_batch_norm_stands(name, order):
    network = arch.network(name, 3, order=order)
    layers = arch.trace(network, arch.FAMILIES[name].input)
    assert any(isinstance(layer.node, BatchNorm) for layer in layers) is ("B" in order)
    if order != "BAL":
        first = [kind for kind in kinds(network, (96, 96, 3)) if kind in ("Conv", "Activation", "BatchNorm")]
        letters = {"Conv": "L", "Activation": "A", "BatchNorm": "B"}
        assert "".join(letters[kind] for kind in first[: len(order)]) == order


def test_a_residual_network_is_a_plain_one_with_sums():
    """The stated difference between plain and residual: nothing but the sums."""
    for order in ("LA", "LBA", "BAL"):
        plain = kinds(arch.network("plain34", 10, order=order))
        residual = kinds(arch.network("resnet34", 10, order=order, shortcut="zeros"))
        residual = [kind for kind in residual if kind not in ("Add", "AvgPool")]
        assert sorted(residual) == sorted(plain)
        assert order != "LA" or residual == plain


@pytest.mark.parametrize("shortcut", ["zeros", "repeat", "pooled", "projection"])
@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_shortcuts_change_the_shape_as_their_body_does(name, shortcut):
    for size in (64, 65, 75):
        shapes = [arch.trunk(arch.network(name, 10, shortcut=kind), (size, size, 3)) for kind in (shortcut, "none")]
        assert shapes[0] == shapes[1]


def test_only_projections_have_parameters():
    counts = {
        kind: arch.cost(arch.network("resnet50", 1000, shortcut=kind), (64, 64, 3)).n_params
        for kind in resnet.SHORTCUTS
    }
    assert counts["none"] == counts["zeros"] == counts["repeat"]
    assert counts["pooled"] == counts["projection"] == 25_557_032


def test_pre_activation_leaves_the_sums_alone():
    """He et al. 2016: nothing follows a sum but the next block's own normalization, or the one at the end."""
    network = arch.network("resnet18", 10, order="BAL")
    stage = next(layer for layer in network.layers if arch.label(layer) == "stage 2")
    block = stage.layers[-1].body
    assert [type(layer).__name__ for layer in block.layers] == ["Add"]
    assert "".join(kind[0] for kind in kinds(block.layers[0].branches[0], (8, 8, 128))) == "BACBAC"
    assert [type(layer).__name__ for layer in network.layers[-4:]] == [
        "BatchNorm", "Activation", "AdaptiveAvgPool", "Dense",
    ]  # fmt: skip


def test_stride_stands_in_the_1x1_or_the_3x3():
    for place, kernels in (("1x1", {(1, 1)}), ("3x3", {(3, 3)})):
        network = arch.network("resnet50", 10, stride_in=place, shortcut="repeat")
        convs = [layer.node for layer in arch.trace(network, (64, 64, 3)) if isinstance(layer.node, arch.Conv)]
        assert {node.kernel for node in convs[1:] if node.stride == (2, 2)} == kernels


def test_zero_init_silences_each_body_once():
    for order in ("LBA", "LAB"):
        network = arch.network("resnet50", 10, zero_init=True, order=order)
        norms = [layer.node for layer in arch.trace(network, (64, 64, 3)) if isinstance(layer.node, BatchNorm)]
        assert sum(norm.first_scale == 0 for norm in norms) == 16
    assert arch.read(arch.write(network)) == network


def test_a_transformed_input_is_minus_one_to_one():
    rescale = arch.network("inception_v3", 10, transform_input=True).layers[0]
    for pixel in (0.0, 1.0):
        standardized = [(pixel - mean) / std for mean, std in zip(inception.MEAN, inception.STD, strict=True)]
        transformed = [s * x + t for s, x, t in zip(rescale.scale, standardized, rescale.shift, strict=True)]
        assert transformed == pytest.approx([2 * pixel - 1] * 3)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet18", {"order": "ALB"}, "order: found 'ALB', accepted in residual networks"),
        ("resnet18", {"order": "LL"}, "order: found 'LL'"),
        ("resnet18", {"shortcut": "poled"}, "did you mean 'pooled'?"),
        ("resnet50", {"stride_in": "5x5"}, "unknown stride_in '5x5'"),
        ("resnet50", {"zero_init": True, "order": "LA"}, "zero_init: found order 'LA'"),
        ("resnet18", {"zero_init": True, "shortcut": "none"}, "and shortcut 'none'"),
        ("resnet18", {"stride_in": "1x1"}, "Accepted: order, shortcut, zero_init"),
        ("vgg16", {"order": "BB"}, "order: found 'BB'"),
        ("alexnet", {"order": 3}, "alexnet: found 3 for the option order, accepted: text"),
        ("googlenet", {"aux": "no"}, "googlenet: found 'no' for the option aux, accepted: true or false"),
        ("resent50", {}, "did you mean 'resnet50'?"),
    ],
)
def test_options_that_cannot_be_are_told(name, options, message):
    with pytest.raises(ArchError) as error:
        arch.network(name, 5, **options)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("name", "options", "smallest", "where"),
    [
        ("alexnet", {}, 63, "alexnet / max pool 3x3 (3)"),
        ("vgg16", {}, 32, "vgg16 / stage 5 / max pool 2x2"),
        ("googlenet", {}, 15, "googlenet / max pool 3x3 (3)"),
        ("googlenet_paper", {"aux": True}, 79, "googlenet_paper / auxiliary head 1 / avg pool 5x5"),
        ("inception_v3", {}, 75, "inception_v3 / reduction 7a"),
        ("inception_v3", {"aux": True}, 299, "inception_v3 / auxiliary head / conv 5x5"),
    ],
)
def test_an_input_too_small_is_refused_with_the_place(name, options, smallest, where):
    network = arch.network(name, 5, **options)
    assert arch.output_shape(network, (smallest, smallest, 3)) == (5,)
    with pytest.raises(ArchError, match="the output would be empty for input") as error:
        arch.trace(network, (smallest - 1, smallest - 1, 3))
    assert str(error.value).startswith(where)


def test_the_table_in_the_docs_is_up_to_date():
    script = runpy.run_path(str(ROOT / "scripts" / "architectures.py"))
    page = (ROOT / "docs" / "architectures.md").read_text(encoding="utf-8")
    assert script["with_table"](page) == page, "run scripts/architectures.py"
