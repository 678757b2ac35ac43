"""The architecture language without torch: shapes, counts, names, text, errors."""

import subprocess
import sys

import pytest

from commongarden import arch
from commongarden.arch import add, conv, dense, global_avg_pool, max_pool, named, parallel, repeat, serial
from commongarden.errors import ArchError


@pytest.mark.parametrize(
    ("name", "order", "size", "n_params"),
    [
        ("inception_flower", "LA", 96, 43_885),
        ("inception_flower", "LAB", 96, 43_885),
        ("inception_flower", "LAB", 64, 43_885),
        ("plain_flower", "LAB", 64, 173_637),
        ("residual_flower", "LAB", 64, 173_637),
        ("bottleneck_flower", "LAB", 64, 189_925),
    ],
)
def test_the_flower_arms_have_the_parameters_of_the_original(name, order, size, n_params):
    assert arch.cost(arch.network(name, 5, order=order), (size, size, 3)).n_params == n_params


@pytest.mark.parametrize(
    ("name", "size", "shapes"),
    [
        (
            "inception_flower",
            96,
            "48x48x6 48x48x20 24x24x44 24x24x20 12x12x44 12x12x48 6x6x72 6x6x48 1x1x48 5",
        ),
        ("plain_flower", 64, "32x32x16 16x16x16 8x8x32 4x4x64 1x1x64 5"),
        ("residual_flower", 64, "32x32x16 16x16x16 8x8x32 4x4x64 1x1x64 5"),
        ("bottleneck_flower", 64, "32x32x16 16x16x16 16x16x64 8x8x128 4x4x256 1x1x256 5"),
    ],
)
def test_shapes_along_the_trunk(name, size, shapes):
    trunk = [arch.show_shape(shape) for _, shape in arch.trunk(arch.network(name, 5), (size, size, 3))]
    changes = [shape for i, shape in enumerate(trunk) if i == 0 or shape != trunk[i - 1]]
    assert " ".join(changes) == shapes


def test_macs_count_convolutions_and_dense_layers_only():
    network = serial(conv(8, 3, order="LAB"), max_pool(2), global_avg_pool(), dense(5))
    assert arch.cost(network, (10, 10, 3)).macs == 10 * 10 * 8 * 3 * 9 + 8 * 5


def test_grouped_and_dilated_convolutions():
    network = conv(8, [3, 1], groups=4, dilation=[2, 1], order="L", padding="valid")
    (layer,) = arch.trace(network, (9, 9, 4))
    assert (layer.output, layer.n_params, layer.macs) == ((5, 9, 8), 8 * 1 * 3 + 8, 8 * 3 * 5 * 9)


@pytest.mark.parametrize(
    ("size", "stride", "kept", "first"),
    [(96, 1, 96, 0), (96, 2, 48, 0), (9, 2, 4, 0), (9, 3, 3, 1), (10, 3, 3, 1), (12, 4, 3, 1)],
)
def test_same_padding_keeps_the_positions_of_the_original_framework(size, stride, kept, first):
    for kernel in (1, 2, 3, 5, 7):
        before, positions = arch.window(size, kernel, stride, 1, "same", 0, False)
        assert positions == kept
        # a kernel of k reaches (k - 1) // 2 pixels back from the position it is centred on
        assert -before + (kernel - 1) // 2 == first


@pytest.mark.parametrize(
    ("padding", "shape"),
    [
        ("same", (4, 4)),
        ("valid", (3, 3)),
        ("inside", (3, 3)),
        (1, (4, 4)),
        ([1, 0], (4, 3)),
        ([1, 0, 0, 1], (4, 4)),
        ([2, 2, 0, 0], (5, 3)),
    ],
)
def test_padding_as_written(padding, shape):
    assert arch.output_shape(conv(2, 3, stride=2, padding=padding, order="L"), (8, 8, 3))[:2] == shape


def test_ceil_mode_keeps_a_window_that_begins_inside():
    assert arch.output_shape(max_pool(3, stride=2, padding="valid", ceil_mode=True), (8, 8, 1)) == (4, 4, 1)
    assert arch.output_shape(max_pool(3, stride=2, padding="valid"), (8, 8, 1)) == (3, 3, 1)


@pytest.mark.parametrize("order", ["L", "LA", "LB", "AL", "BL", "LAB", "LBA", "ALB", "BLA", "ABL", "BAL"])
def test_order_spells_the_layers(order):
    kinds = {"Conv": "L", "Activation": "A", "BatchNorm": "B"}
    assert (
        "".join(kinds[type(layer.node).__name__] for layer in arch.trace(conv(4, 3, order=order), (8, 8, 3))) == order
    )


@pytest.mark.parametrize(("order", "bias"), [("LBA", False), ("LB", False), ("LAB", True), ("LA", True), ("BAL", True)])
def test_a_bias_is_dropped_where_normalization_would_take_it_away(order, bias):
    linear = next(layer.node for layer in arch.trace(conv(4, 3, order=order), (8, 8, 3)) if layer.macs)
    assert linear.bias is bias


def test_paths_tell_every_layer_apart_and_read_like_the_field():
    network = arch.network("residual_flower", 5)
    paths = [" / ".join(layer.path) for layer in arch.trace(network, (64, 64, 3))]
    assert len(set(paths)) == len(paths)
    assert "residual_flower / stage 2 / block 1 / body / conv 3x3 (2)" in paths
    assert "residual_flower / stage 2 / block 1 / shortcut / avg pool 2x2" in paths
    assert "residual_flower / stage 1 / block 2 / body / conv 3x3" in paths


def test_a_repeat_counts_like_its_copies_written_out():
    block = add(conv(8, 3, order="LBA"), input=True)
    written, repeated = serial(block, block, block), serial(repeat(block, 3))
    assert arch.cost(written, (8, 8, 8)) == arch.cost(repeated, (8, 8, 8))


def test_a_repeat_counts_on_from_blocks_of_its_name():
    block = conv(4, 1, order="L")
    labels = [name for name, _ in arch.children(serial(named("block 1", block), repeat(block, 2), repeat(block, 1)))]
    assert labels == ["block 1", "block 2", "block 3", "block 4"]


def test_half_padding_is_half_the_kernel():
    assert arch.output_shape(conv(2, [5, 3], stride=2, padding="half", order="L"), (9, 9, 3)) == (5, 5, 2)
    assert max_pool(3, stride=2, padding="half").padding == (1, 1, 1, 1)


def test_an_auxiliary_head_costs_and_lets_its_input_pass():
    side = arch.auxiliary(global_avg_pool(), dense(5))
    network = serial(conv(8, 1, order="L"), side, conv(2, 1, order="L"))
    assert arch.output_shape(network, (4, 4, 3)) == (4, 4, 2)
    assert arch.cost(network, (4, 4, 3)).n_params == (3 * 8 + 8) + (8 * 5 + 5) + (8 * 2 + 2)
    assert arch.cost(network, (4, 4, 3)).macs == 16 * 3 * 8 + 8 * 5 + 16 * 8 * 2


def test_parallel_concatenates_and_add_repeats_channels():
    assert arch.output_shape(parallel(conv(3, 1), conv(5, 1)), (4, 4, 2)) == (4, 4, 8)
    assert arch.output_shape(add(conv(8, 1), input=True, channels="repeat"), (4, 4, 2)) == (4, 4, 8)
    assert arch.output_shape(add(conv(2, 1), input=True, channels="repeat"), (4, 4, 8)) == (4, 4, 8)
    assert arch.output_shape(add(conv(7, 1), input=True, channels="zeros"), (4, 4, 2)) == (4, 4, 7)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            serial(
                named("stage 2", repeat(add(serial(conv(8, 1), conv(17, 3, order="L")), input=True), 1)), name="wrong"
            ),
            "wrong / stage 2 / block 1 / body / conv 3x3: found 17 channels added to 32",
        ),
        (
            serial(add(conv(17, 3), input=True, channels="repeat"), name="net"),
            "net / add / body / conv 3x3: found 17 channels added to 32",
        ),
        (serial(add(conv(32, 3, stride=2), input=True), name="net"), "8x8x32 added to 16x16x32"),
        (
            serial(parallel(conv(4, 1), max_pool(2), name="mix"), name="net"),
            "net / mix: branches of different sizes cannot be concatenated: 16x16x4, 8x8x32",
        ),
        (
            serial(conv(4, 99, padding="valid"), name="net"),
            "net / conv 99x99: the output would be empty for input 16x16x32",
        ),
        (serial(global_avg_pool(), dense(5), conv(4, 1), name="net"), "net / conv 1x1: found 5 features"),
        (serial(dense(5), max_pool(2), name="net"), "net / max pool 2x2: found 5 features"),
        (serial(conv(4, 3, groups=3), name="net"), "net / conv 3x3: found 32 input and 4 output channels in 3 groups"),
        (serial(arch.rescale((1, 1), (0, 0)), name="net"), "net / rescale: found 32 channels, accepted: 2"),
        (
            serial(arch.auxiliary(conv(4, 1)), name="net"),
            "net / auxiliary head: the network ends in a feature map of 16x16x4, accepted: logits",
        ),
        (
            serial(arch.auxiliary(conv(4, 99, padding="valid")), conv(4, 1), name="net"),
            "net / auxiliary head / conv 99x99: the output would be empty for input 16x16x32",
        ),
    ],
)
def test_errors_name_the_layer_by_its_path(network, message):
    with pytest.raises(ArchError) as error:
        arch.trace(network, (16, 16, 32))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: conv(4, 3, order="LL"), "order: found 'LL', accepted: one L"),
        (lambda: conv(4, 3, order="lab"), "order: found 'lab'"),
        (lambda: conv(4, 3, order=""), "order: found ''"),
        (lambda: conv(0, 3), "found 0 for channels"),
        (lambda: conv(4, [3, 3, 3]), "kernel: found [3, 3, 3]"),
        (lambda: conv(4, 3, padding="smae"), "found padding 'smae'"),
        (lambda: conv(4, 3, padding=[1, 2, 3]), "padding: found [1, 2, 3]"),
        (lambda: conv(4, 3, activation="rleu"), "did you mean 'relu'?"),
        (lambda: max_pool(3, ceil_mode=True), "ceil_mode"),
        (lambda: arch.avg_pool(1, padding=1), "less than the kernel size on every side"),
        (lambda: max_pool((3, 2), padding=2), "less than the kernel size on every side"),
        (lambda: max_pool(3, padding="inside", ceil_mode=True), 'padding "inside"'),
        (lambda: arch.dropout(1.0), "found rate 1.0"),
        (lambda: arch.noise(-1.0), "found std -1.0"),
        (lambda: arch.batch_norm(affine=False, first_scale=0.0), "found first_scale 0.0 without a learned scale"),
        (lambda: arch.rescale((1.0, 2.0), (0.0,)), "found 2 scales and 1 shifts"),
        (lambda: arch.auxiliary(weight=0.3), "auxiliary head: found 0 layers and weight 0.3"),
        (lambda: arch.auxiliary(dense(5), weight=0.0, name="side"), "side: found 1 layers and weight 0.0"),
        (lambda: arch.batch_norm(momentum=0.0), "momentum 0.0"),
        (lambda: add(conv(4, 1), then="X"), "then='X'"),
        (lambda: add(conv(4, 1), channels="repaet"), "did you mean 'repeat'?"),
        (lambda: parallel(), "found no branch"),
        (lambda: arch.network("residual_flwoer", 5), "did you mean 'residual_flower'?"),
        (lambda: arch.network("residual_flower", 5, oder="LA"), "did you mean 'order'?"),
    ],
)
def test_mistakes_are_told_with_what_would_be_accepted(make, message):
    with pytest.raises(ArchError) as error:
        make()
    assert message in str(error.value)


@pytest.mark.parametrize("name", sorted(arch.FAMILIES))
def test_the_text_form_gives_the_network_back(name):
    network = arch.network(name, 7)
    assert arch.read(arch.write(network)) == network
    assert arch.hash(arch.read(arch.write(network))) == arch.hash(network)
    assert arch.hash(network) != arch.hash(arch.network(name, 8))


def test_the_text_form_is_stable():
    """A stored run is only readable as long as this text is: change it together with records.SCHEMA."""
    text = arch.write(conv(4, 3, stride=2, order="LB"))
    assert text == (
        "Serial(layers=(\n"
        " Conv(channels=4, kernel=(3, 3), stride=(2, 2), padding='same', dilation=(1, 1), groups=1, bias=False),\n"
        " BatchNorm(epsilon=1e-05, momentum=0.1, affine=True, first_scale=1.0),\n"
        "), name='')"
    )


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "Conv(channels=open('x'))",
        "1 + 1",
        "Noise(std=-'1')",
        "Conv(",
        "Serial(layers=(3,), nam='x')",
        "Cnov()",
    ],
)
def test_reading_executes_nothing_and_refuses_what_is_no_network(text):
    with pytest.raises(ArchError):
        arch.read(text)


def test_describing_a_native_arm_loads_no_torch():
    code = (
        "import sys; from click.testing import CliRunner; from commongarden.cli import main;"
        "result = CliRunner().invoke(main, ['describe', 'inception_flower', '--input', '96x96x3', '--json']);"
        "assert '\"n_params\": 43885' in result.output, result.output;"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
