"""Every kind of node against numerical differentiation, in float64: with respect to its input and its weights."""

import pytest
import torch

from commongarden import arch
from commongarden.arch import add, avg_pool, conv, dense, global_avg_pool, max_pool, parallel, repeat, serial
from commongarden.arch.nodes import ACTIVATIONS, NODES
from commongarden.train.build import auxiliary_logits, build
from counting import image

CASES = [
    conv(3, 3, order="L"), conv(3, [1, 3], stride=[2, 1], padding="half", order="L"),
    conv(4, 3, stride=2, padding=[0, 1, 2, 0], dilation=2, groups=2, order="L"), conv(3, 5, stride=2, order="L"),
    max_pool(2), max_pool(3, stride=2), max_pool(3, stride=2, padding="valid", ceil_mode=True),
    max_pool(3, stride=1, padding=1), avg_pool(2), arch.adaptive_avg_pool(3), arch.adaptive_avg_pool(7),
    # overlapping average pools, border included, in all their ways to count
    *[avg_pool(3, stride=stride) for stride in (1, 2)],
    *[avg_pool(3, stride=stride, padding=1, count_padding=counted) for stride in (1, 2) for counted in (False, True)],
    *[avg_pool(3, stride=2, padding=1, ceil_mode=True, count_padding=counted) for counted in (False, True)],
    avg_pool([4, 3], stride=[1, 2], padding=[1, 2, 0, 1], count_padding=True),
    global_avg_pool(), dense(3), arch.dropout(0.3), arch.noise(0.5), arch.rescale((2.0, -0.5), (0.1, 0.2)),
    arch.batch_norm(), arch.batch_norm(affine=False, epsilon=0.1), serial(dense(4), arch.batch_norm()),
    *[arch.activation(kind) for kind in ACTIVATIONS],
    serial(), serial(conv(3, 3, order="LAB"), conv(2, 1, order="LBA")), parallel(conv(2, 1), conv(3, 3, order="BAL")),
    add(conv(2, 3, order="L"), conv(2, 1, order="L"), input=True),
    add(conv(3, 1, order="L"), input=True, channels="zeros"),
    add(conv(4, 1, order="L"), input=True, channels="repeat", then="A"),
    repeat(conv(2, 3, order="LB"), 2),
    serial(conv(2, 1, order="L"), arch.auxiliary(global_avg_pool(), dense(3)), conv(2, 1, order="L")),
]  # fmt: skip


def kinds(node):
    return {type(node).__name__}.union(*(kinds(child) for _, child in arch.children(node)))


def test_no_kind_of_node_is_left_out():
    others = {"Repeat", "External"}  # a repeat is laid flat; others' code is theirs
    assert set().union(*map(kinds, CASES)) | others == set(NODES)
    assert any(isinstance(case, arch.Repeat) for case in CASES)


@pytest.mark.parametrize("node", CASES, ids=lambda node: arch.label(node).replace(" ", "-"))
def test_the_gradient_is_the_numerical_one(node):
    shape = (6, 5, 2)
    module = build(node, shape).double()
    names = [name for name, _ in module.named_parameters()]
    generator = torch.Generator().manual_seed(3)
    weights = [
        torch.randn(parameter.shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for parameter in module.parameters()
    ]
    x = image(shape).double().requires_grad_()

    def outputs(x, *weights):
        torch.manual_seed(0)  # dropout and noise draw the same at every call
        buffers = {name: buffer.clone() for name, buffer in module.named_buffers()}
        y = torch.func.functional_call(module, (dict(zip(names, weights, strict=True)), buffers), (x,))
        return (y, *(logits for _, logits in auxiliary_logits(module)))

    assert torch.autograd.gradcheck(outputs, (x, *weights))
