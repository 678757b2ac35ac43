"""The built module beside the folds over the tree, and beside independent arithmetic."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from commongarden import arch
from commongarden.arch import add, avg_pool, conv, dense, global_avg_pool, max_pool, named, parallel, repeat, serial
from commongarden.errors import ArchError
from commongarden.train import state
from commongarden.train.build import Rescale, auxiliary_logits, build
from counting import backward, counted, image, shape_of


def agrees(network, shape):
    """The fold's shape, parameters and MACs are the module's; every parameter gets a gradient."""
    module = build(network, shape)
    x = image(shape, n=3)
    output, macs = counted(module, x)
    cost = arch.cost(network, shape)
    expected = arch.output_shape(network, shape)
    assert shape_of(output) == expected
    assert macs == cost.macs
    assert sum(parameter.numel() for parameter in module.parameters()) == cost.n_params
    assert torch.isfinite(output).all()
    if cost.n_params == 0:
        return
    backward(module, output)
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def padding_of_a_pool(padding, kernel):
    """The padding, less than the kernel on every side: a window of nothing but padding has neither mean nor maximum."""
    if isinstance(padding, str):
        return padding
    size = arch.layers.pair("kernel", kernel)
    return tuple(min(pixels, size[side // 2] - 1) for side, pixels in enumerate(arch.layers.sides(padding, size)))


sizes = st.integers(1, 3)
kernels = st.one_of(sizes, st.tuples(sizes, sizes))
paddings = st.one_of(
    st.sampled_from(["same", "valid", "inside"]), st.integers(0, 1), st.tuples(*[st.integers(0, 1)] * 4)
)
orders = st.sampled_from(["L", "LA", "LB", "AL", "BL", "LAB", "LBA", "BAL", "ABL"])
convs = st.builds(
    lambda channels, kernel, stride, padding, order: conv(
        channels, kernel, stride=stride, padding=padding, order=order, activation="tanh"
    ),
    st.sampled_from([2, 4]), kernels, st.integers(1, 2), paddings, orders,
)  # fmt: skip
pools = st.one_of(
    st.builds(
        lambda k, s, p: max_pool(k, stride=s, padding=p),
        kernels, st.integers(1, 3), st.sampled_from(["same", "inside"]),
    ),
    st.builds(
        lambda k, s, p, c: avg_pool(k, stride=s, padding=padding_of_a_pool(p, k), count_padding=c),
        kernels, st.integers(1, 2), paddings, st.booleans(),
    ),
)  # fmt: skip
plain = st.one_of(convs, pools, st.just(arch.batch_norm()), st.just(arch.activation("gelu")), st.just(arch.noise(0.1)))
same_size = st.builds(
    lambda channels, kernel, order: conv(channels, kernel, order=order, activation="tanh"),
    st.sampled_from([2, 4, 8]), kernels, orders,
)  # fmt: skip
joints = st.one_of(
    st.builds(lambda parts: parallel(*parts), st.lists(same_size, min_size=1, max_size=3)),
    st.builds(
        lambda parts, width: add(*(serial(part, conv(width, 1, order="L")) for part in parts), input=False, then="A"),
        st.lists(same_size, min_size=1, max_size=2), st.sampled_from([2, 4]),
    ),
    st.builds(lambda part: add(serial(part, conv(16, 1)), input=True, channels="repeat"), same_size),
    st.builds(lambda part, width: add(part, conv(width, 1), channels="zeros"), same_size, st.integers(1, 5)),
    st.builds(lambda part: arch.auxiliary(part, global_avg_pool(), dense(3)), same_size),
    st.builds(repeat, same_size, st.integers(1, 3)),
)  # fmt: skip
networks = st.builds(
    lambda layers, head: serial(*layers, *head, name="random"),
    st.lists(st.one_of(plain, joints), min_size=1, max_size=5),
    st.sampled_from([(), (global_avg_pool(), dense(3)), (arch.dropout(0.2), dense(4, order="LBA"), dense(2))]),
)


@settings(max_examples=120)
@given(network=networks, height=st.integers(7, 13), width=st.integers(7, 13))
def test_any_network_is_built_as_the_folds_say(network, height, width):
    try:
        arch.trace(network, (height, width, 2))
    except ArchError:  # such as nothing left of the image, or channels that do not divide
        with pytest.raises(ArchError):
            build(network, (height, width, 2))
        return
    agrees(network, (height, width, 2))


@pytest.mark.parametrize(
    "node",
    [
        conv(4, 3, order="L"), conv(4, [1, 3], stride=[2, 1], order="L"), conv(4, 3, groups=2, order="L"),
        conv(4, 3, dilation=2, order="L"), conv(4, 3, padding=[0, 1, 2, 3], order="L"), max_pool(2), avg_pool(3),
        arch.adaptive_avg_pool([3, 2]), global_avg_pool(), dense(6), dense(6, order="LBA"), arch.dropout(0.5),
        arch.noise(0.1), arch.batch_norm(affine=False), *[arch.activation(kind) for kind in arch.nodes.ACTIVATIONS],
        serial(), parallel(conv(2, 1), conv(3, 1)), add(conv(4, 1), input=True),
        add(conv(4, 1), conv(2, 1), channels="repeat"), add(conv(7, 1), conv(2, 1), input=True, channels="zeros"),
        add(serial(global_avg_pool(), dense(9)), serial(global_avg_pool(), dense(4)), channels="zeros"),
        arch.rescale((1.0, 2.0, 3.0, -4.0), (0.0, 0.5, -0.5, 0.1)),
        serial(dense(2), arch.rescale((2.0, 1.0), (1.0, 0.0))),
        serial(arch.auxiliary(dense(3)), conv(2, 1)), arch.batch_norm(first_scale=0.5),
        repeat(conv(4, 3), 2), named("stem", conv(4, 3), max_pool(2)),
    ],
    ids=lambda node: arch.label(node),
)  # fmt: skip
def test_every_node_is_built_as_the_folds_say(node):
    agrees(serial(conv(4, 1), node, name="net"), (9, 8, 3))


@pytest.mark.parametrize(("size", "kernel", "stride"), list(itertools.product([8, 9, 11], [1, 2, 3, 5], [1, 2, 3])))
def test_same_convolution_computes_every_position_then_keeps_one_in_stride(size, kernel, stride):
    """The original framework's rule, done its way: stride 1 with symmetric zeros, then slicing."""
    strided = build(conv(3, kernel, stride=stride, order="L"), (size, size, 2)).double()
    full = build(conv(3, kernel, order="L"), (size, size, 2)).double()
    full.load_state_dict(strided.state_dict())
    x = image((size, size, 2)).double()
    first, n = (stride - 1) // 2, size // stride
    expected = full(x)[:, :, first::stride, first::stride][:, :, :n, :n]
    torch.testing.assert_close(strided(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("size", "kernel", "stride"), list(itertools.product([8, 9, 11], [1, 2, 3, 5], [1, 2, 3, 4])))
def test_inside_convolution_keeps_one_in_stride_of_the_positions_that_need_no_padding(size, kernel, stride):
    strided = build(conv(3, kernel, stride=stride, padding="inside", order="L"), (size, size, 2)).double()
    full = build(conv(3, kernel, padding="valid", order="L"), (size, size, 2)).double()
    full.load_state_dict(strided.state_dict())
    x = image((size, size, 2)).double()
    first, n = (stride - 1) // 2, (size - kernel + 1) // stride
    expected = full(x)[:, :, first::stride, first::stride][:, :, :n, :n]
    torch.testing.assert_close(strided(x), expected, rtol=1e-12, atol=1e-12)


def pooled_by_hand(x, node, reduce):
    """A pool by its definition: windows over (height, width) numpy `x`, with what counts in each."""
    (kh, kw), (sh, sw) = node.kernel, node.stride
    ceil = node.ceil_mode
    top, rows = arch.window(x.shape[0], kh, sh, 1, node.padding, 0, ceil)
    left, columns = arch.window(x.shape[1], kw, sw, 1, node.padding, 1, ceil)
    if isinstance(node.padding, tuple):
        padded_height, padded_width = x.shape[0] + node.padding[1], x.shape[1] + node.padding[3]
    else:
        padded_height, padded_width = math.inf, math.inf
    if node.padding in ("valid", "inside"):
        padded_height, padded_width = x.shape
    output = np.zeros((rows, columns))
    for i, j in itertools.product(range(rows), range(columns)):
        real, n_counted = [], 0
        for a, b in itertools.product(range(i * sh - top, i * sh - top + kh), range(j * sw - left, j * sw - left + kw)):
            if 0 <= a < x.shape[0] and 0 <= b < x.shape[1]:
                real.append(x[a, b])
            n_counted += a < padded_height and b < padded_width
        output[i, j] = reduce(real, n_counted)
    return output


@settings(max_examples=150)
@given(
    height=st.integers(5, 10),
    width=st.integers(5, 10),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.one_of(st.sampled_from(["same", "valid", "inside"]), st.tuples(*[st.integers(0, 2)] * 4)),
    ceil_mode=st.booleans(),
    count_padding=st.booleans(),
)
def test_pools_by_their_definition(height, width, kernel, stride, padding, ceil_mode, count_padding):
    if padding in ("same", "inside"):
        ceil_mode = False
    if padding == "inside":
        stride = tuple(min(step, size - k + 1) for step, size, k in zip(stride, (height, width), kernel, strict=True))
    padding = padding_of_a_pool(padding, kernel)
    x = np.random.default_rng(0).normal(size=(height, width))
    tensor = torch.tensor(x)[None, None]

    average = avg_pool(kernel, stride=stride, padding=padding, ceil_mode=ceil_mode, count_padding=count_padding)
    by_hand = pooled_by_hand(x, average, lambda real, n: sum(real) / (n if count_padding else len(real)))
    found = build(average, (height, width, 1)).double()(tensor)[0, 0].numpy()
    np.testing.assert_allclose(found, by_hand, rtol=1e-12, atol=1e-12)

    greatest = max_pool(kernel, stride=stride, padding=padding, ceil_mode=ceil_mode)
    found = build(greatest, (height, width, 1)).double()(tensor)[0, 0].numpy()
    np.testing.assert_allclose(found, pooled_by_hand(x, greatest, lambda real, n: max(real)))


@pytest.mark.parametrize(("ceil_mode", "count_padding", "padding"), list(itertools.product([0, 1], [0, 1], [0, 1])))
def test_evenly_padded_pools_are_torchs_own(ceil_mode, count_padding, padding):
    x = image((10, 7, 2))
    ours = build(
        avg_pool(3, stride=2, padding=padding, ceil_mode=bool(ceil_mode), count_padding=bool(count_padding)), (10, 7, 2)
    )
    theirs = nn.AvgPool2d(3, 2, padding, bool(ceil_mode), bool(count_padding))
    torch.testing.assert_close(ours(x), theirs(x))


def test_a_sum_repeats_a_narrower_tensor_as_a_whole():
    module = build(add(conv(4, 1, order="L"), input=True, channels="repeat"), (3, 3, 2))
    x = image((3, 3, 2))
    torch.testing.assert_close(module(x), module.body(x) + torch.cat([x, x], dim=1))


def test_a_sum_appends_zeros_to_a_narrower_tensor():
    module = build(add(conv(5, 1, order="L"), input=True, channels="zeros"), (3, 3, 2))
    x = image((3, 3, 2))
    torch.testing.assert_close(module(x), module.body(x) + torch.cat([x, torch.zeros(2, 3, 3, 3)], dim=1))


def test_rescale_is_the_same_numbers_in_every_precision():
    scale, shift = (0.1, 1 / 3), (-1 / 7, 0.2)
    module = build(arch.rescale(scale, shift), (3, 3, 2)).double()
    x = image((3, 3, 2)).double()
    expected = torch.stack([x[:, c] * scale[c] + shift[c] for c in (0, 1)], dim=1)
    torch.testing.assert_close(module(x), expected, rtol=0, atol=0)
    assert module(x.float()).dtype == torch.float32


def test_an_auxiliary_head_speaks_in_training_only_and_once():
    network = serial(conv(4, 1), arch.auxiliary(global_avg_pool(), dense(3), weight=0.5), global_avg_pool(), dense(3))
    module = build(network, (4, 4, 2))
    x = image((4, 4, 2))
    assert module(x).shape == (2, 3)
    ((weight, logits),) = auxiliary_logits(module)
    assert (weight, logits.shape) == (0.5, (2, 3))
    with pytest.raises(AssertionError, match="after a training pass only"):
        auxiliary_logits(module)
    assert counted(module.eval(), x)[1] == 16 * 2 * 4 + 4 * 3


def test_a_normalization_starts_at_its_scale():
    (layer,) = build(serial(arch.batch_norm(first_scale=0.0)), (4, 4, 2)).children()
    assert not layer.weight.any()


def test_average_pools_have_the_true_gradient():
    """The original framework's overlapping average pool did not (FACTS: cosine 0.14 and 0.06)."""
    for stride in (1, 2):
        module = build(avg_pool(3, stride=stride), (7, 7, 2)).double()
        assert torch.autograd.gradcheck(module, image((7, 7, 2)).double().requires_grad_())


def test_batch_norm_carries_its_constants():
    (layer,) = build(serial(arch.batch_norm(epsilon=1e-3, momentum=0.01, affine=False)), (4, 4, 2)).children()
    assert (layer.eps, layer.momentum, layer.affine) == (1e-3, 0.01, False)


def test_dropout_and_noise_rest_in_evaluation():
    module = build(serial(arch.dropout(0.5), arch.noise(1.0)), (8, 8, 4))
    x = image((8, 8, 4))
    assert not torch.equal(module(x), x)
    assert torch.equal(module.eval()(x), x)


def test_parameters_are_named_by_the_path_of_their_layer():
    names = dict(build(arch.network("bottleneck_flower", 5), (64, 64, 3)).named_parameters())
    assert "stage_2.block_1.body.conv_1x1_2.weight" in names


def test_names_that_torch_keeps_for_itself_can_still_be_given():
    network = serial(
        named("train", conv(2, 1)), named("forward", conv(2, 1)), named("a-b", conv(2, 1)), named("꽃", conv(2, 1))
    )
    agrees(network, (4, 4, 3))


def test_parts_that_would_be_one_module_are_refused():
    with pytest.raises(ArchError, match="found two modules named 'a_b'"):
        build(serial(named("a b", conv(2, 1)), named("a-b", conv(2, 1))), (4, 4, 3))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_gradients_of_branches_lie_closely_packed_and_are_those_of_a_concatenation(layout):
    torch.manual_seed(0)
    module = build(parallel(conv(2, 1, order="LA"), conv(3, 1, order="LA"), max_pool(1)), (5, 4, 2))
    x = torch.randn(3, 2, 5, 4).contiguous(memory_format=layout)
    gradient = torch.randn(3, 7, 5, 4).contiguous(memory_format=layout)
    seen, parts = [], []
    for branch in list(module.children())[:2]:
        branch.register_forward_hook(lambda _module, _inputs, part: parts.append(part))
    joined = module.to(memory_format=layout)(x)
    for part in parts:
        part.register_hook(seen.append)
    joined.backward(gradient)
    found = {name: parameter.grad.clone() for name, parameter in module.named_parameters()}
    packed = [one.is_contiguous(memory_format=torch.channels_last) for one in seen]
    assert packed == [layout is torch.channels_last] * 2
    module.zero_grad()
    torch.cat([branch(x) for branch in module.children()], dim=1).backward(gradient)
    for name, parameter in module.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad)


def test_a_rescaling_copies_its_numbers_to_a_device_once_and_keeps_them_out_of_what_is_stored():
    rescaling, photo = Rescale((2.0, 3.0), (1.0, 1.0)), torch.ones(1, 2, 3, 3)
    before = state.hidden(rescaling)
    assert rescaling(photo)[0, :, 0, 0].tolist() == [3.0, 4.0]
    there = photo.to("meta").requires_grad_()
    with torch.inference_mode():
        rescaling(there)
    held = rescaling._numbers(there)
    rescaling(there).sum().backward()
    assert rescaling._numbers(there) is held
    assert state.hidden(rescaling) == before
