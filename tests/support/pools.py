"""Random networks in which average pools meet 1x1 convolutions, in every combination of border, bias and stride."""

import torch
from hypothesis import strategies as st

from commongarden import arch
from commongarden.arch import add, avg_pool, conv, dense, global_avg_pool, max_pool, parallel, repeat, serial
from commongarden.errors import ArchError

SHAPES = st.tuples(st.integers(5, 9), st.integers(5, 9), st.just(4))
sizes = st.integers(1, 3)
ANY, ONE = st.integers(1, 2), st.just(1)


@st.composite
def average_pools(draw, strides=ANY):
    kernel = draw(st.tuples(sizes, sizes))
    padding = draw(st.sampled_from(["same", "inside", "valid", "pixels"]))
    if padding == "pixels":
        padding = tuple(draw(st.integers(0, kernel[side // 2] - 1)) for side in range(4))
    ceil = not isinstance(padding, str) and draw(st.booleans())
    return avg_pool(
        kernel, stride=draw(st.tuples(strides, strides)), padding=padding, ceil_mode=ceil,
        count_padding=draw(st.booleans()),
    )  # fmt: skip


one_by_one = st.builds(
    lambda channels, order, bias, groups, padding: conv(
        channels, 1, order=order, bias=bias, groups=groups, padding=padding, activation="tanh"
    ),
    st.sampled_from([2, 4]), st.sampled_from(["L", "LA", "LB", "LBA", "LAB", "BL"]), st.sampled_from([True, False]),
    st.sampled_from([1, 2]), st.sampled_from(["same", "valid", (0, 0, 0, 0), (0, 1, 0, 0)]),
)  # fmt: skip
wide = st.builds(lambda channels, order: conv(channels, 3, order=order), st.sampled_from([4, 8]),
                 st.sampled_from(["L", "LA", "LBA"]))  # fmt: skip
rows = st.lists(st.one_of(average_pools(), one_by_one, wide), min_size=1, max_size=5)
even_rows = st.lists(st.one_of(average_pools(ONE).filter(lambda pool: pool.padding == "same"),
                               one_by_one.filter(lambda part: "(0, 1, 0, 0)" not in str(part)), wide),
                     min_size=1, max_size=4)  # fmt: skip
parts = st.one_of(
    rows.map(lambda layers: serial(*layers)),
    st.lists(even_rows, min_size=1, max_size=3).map(lambda found: parallel(*(serial(*row) for row in found))),
    even_rows.map(lambda row: add(serial(*row, conv(4, 1, order="L")), conv(4, 1, order="LB"))),
    st.builds(lambda row, times: repeat(serial(*row, conv(4, 1)), times), even_rows, st.integers(1, 3)),
    rows.map(lambda row: arch.auxiliary(*row, global_avg_pool(), dense(3, order="LB"))),
    st.just(max_pool(2, stride=1)),
)
networks = st.builds(
    lambda found, head: serial(*found, *head, name="random"),
    st.lists(parts, min_size=1, max_size=3),
    st.sampled_from([(), (global_avg_pool(), dense(3)), (dense(4, order="LBA"), dense(2))]),
)


def fits(network, shape):
    try:
        arch.trace(network, shape)
    except ArchError:
        return False
    return True


def settled(module, seed=0):
    """The module in float64, every parameter and running statistic drawn, so that no bias, scale or mean is 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    module.double()
    with torch.no_grad():
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2.0, generator=generator)
            elif name.endswith(("weight", "bias", "running_mean")):
                tensor.normal_(0.0, 0.5, generator=generator)
    return module
