"""Receptive fields beside the gradient's own reach, and what describe says of them."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from commongarden import arch
from commongarden.arch import add, avg_pool, conv, dense, global_avg_pool, parallel, serial
from commongarden.train.build import build

kernels = st.one_of(st.integers(1, 4), st.tuples(st.integers(1, 3), st.integers(1, 3)))
layers = st.one_of(
    st.builds(
        lambda kernel, stride, dilation: conv(2, kernel, stride=stride, dilation=dilation, order="L"),
        kernels, st.integers(1, 2), st.integers(1, 2),
    ),
    st.builds(lambda kernel, stride: avg_pool(kernel, stride=stride), kernels, st.integers(1, 2)),
    st.builds(lambda kernel: parallel(conv(1, kernel, order="L"), conv(1, 1, order="L")), kernels),
    st.builds(lambda kernel: add(serial(conv(2, kernel, order="L"), conv(2, kernel, order="L")), input=True), kernels),
)  # fmt: skip


def reach(network, size=192):
    """How many pixels along height and width change the middle position's output: their gradient is not 0."""
    module = build(network, (size, size, 2)).double()
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 1.0)  # nothing cancels
    x = torch.ones(1, 2, size, size, dtype=torch.float64, requires_grad=True)
    output = module(x)
    output[0, :, output.shape[2] // 2, output.shape[3] // 2].sum().backward()
    seen = x.grad[0].sum(0) != 0
    return tuple(int((places := seen.any(axis).nonzero()).max() - places.min()) + 1 for axis in (1, 0))


@settings(max_examples=40, deadline=None)
@given(st.lists(layers, min_size=1, max_size=4))
def test_the_field_is_what_the_gradient_reaches(row):
    network = serial(*row)
    fields = arch.receptive_fields(network, (192, 192, 2))
    last = arch.trace(network, (192, 192, 2))[-1].path
    assert fields[last] == reach(network)


def test_fields_that_are_known_by_heart():
    vgg = serial(conv(8, 3), conv(8, 3), avg_pool(2), conv(8, 3), conv(8, 3), global_avg_pool(), dense(5))
    fields = [fields for path, fields in arch.receptive_fields(vgg, (8, 8, 3)).items() if "conv" in path[-1]]
    assert fields == [(3, 3), (5, 5), (10, 10), (14, 14)]
    assert arch.receptive_fields(vgg, (8, 8, 3))["serial", "dense"] == (20, 20)
    two, five = serial(conv(1, 3), conv(1, 3)), conv(1, 5)
    assert (
        list(arch.receptive_fields(two, (9, 9, 1)).values())[-1]
        == list(arch.receptive_fields(five, (9, 9, 1)).values())[-1]
    )


@pytest.mark.parametrize("name", sorted(arch.FAMILIES))
def test_every_layer_has_a_field(name):
    network = arch.network(name, 5)
    assert set(arch.receptive_fields(network, (96, 96, 3))) == {
        layer.path for layer in arch.trace(network, (96, 96, 3))
    }


def test_describe_says_fields_and_shares(commongarden):
    arguments = ("describe", "inception_flower:LA", "--input", "96x96x3")
    table = json.loads(commongarden(*arguments, "--json", check=0).stdout)
    assert table["layers"][0]["receptive_field"] == [3, 3]
    assert sum(layer["share_of_macs"] for layer in table["layers"]) == pytest.approx(1)
    assert sum(layer["share_of_params"] for layer in table["layers"]) == pytest.approx(1)
    assert table["depth"] == 18
    text = commongarden(*arguments, check=0).stdout
    assert "259x259" in text
    assert "43,885 parameters" in text
