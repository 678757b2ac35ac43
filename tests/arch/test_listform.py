"""Networks in list form: every type, macros, mistakes by their place, and numbers beside the framework's arithmetic."""

import contextlib
import itertools
import json
import re
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from commongarden import arch
from commongarden.arch import add, avg_pool, conv, dense, dropout, listfile, listform, max_pool, noise, parallel, serial
from commongarden.arch.nodes import BatchNorm, Repeat
from commongarden.errors import ArchError
from commongarden.train.build import build
from paths import ROOT

PLAIN_NORM = BatchNorm(affine=False)


def net(model, macros=None, n_classes=5):
    text = json.dumps({"macros": macros or {}, "model": model})
    return listform.network(text, n_classes, where="nets/net.json")


def body(model, macros=None):
    """The network without its last dense layer."""
    return serial(*net(model, macros).layers[:-1])


def mistake(model, macros=None):
    with pytest.raises(ArchError) as error:
        net(model, macros)
    return str(error.value)


@pytest.mark.parametrize(
    ("config", "node"),
    [
        (["conv", {"ksize": 3, "chn": 6}], conv(6, 3, order="LA")),
        (["conv", {"ksize": [1, 3], "stride": [2, 1], "chn": 6}], conv(6, (1, 3), stride=(2, 1), order="LA")),
        (["conv", {"ksize": 3, "chn": 6, "padding": "VALID"}], conv(6, 3, padding="valid", order="LA")),
        (
            ["conv", {"ksize": 3, "chn": 6, "stride": 2, "padding": "VALID"}],
            conv(6, 3, stride=2, padding="inside", order="LA"),
        ),
        (["conv", {"ksize": 3, "chn": 6, "actions": "LAB"}], conv(6, 3, order="LAB", norm=PLAIN_NORM)),
        (["conv", {"ksize": 3, "chn": 6, "actions": "BAL"}], conv(6, 3, order="BAL", norm=PLAIN_NORM)),
        (["conv", {"ksize": 3, "chn": 6, "actions": "LBA"}], conv(6, 3, order="LBA", norm=PLAIN_NORM, bias=True)),
        (["conv", {"ksize": 3, "chn": 6, "actfunc": "tanh"}], conv(6, 3, order="LA", activation="tanh")),
        (["conv", {"ksize": 3, "chn": 6, "actfunc": "none"}], conv(6, 3, order="L")),
        (["max", {"stride": 2}], max_pool(2)),
        (["max", {"ksize": 3}], max_pool(3, stride=1)),
        (["avg", {"stride": [2, 1], "ksize": [3, 2]}], avg_pool((3, 2), stride=(2, 1))),
        (["avg", {"stride": 2, "ksize": 3, "padding": "VALID"}], avg_pool(3, stride=2, padding="inside")),
        (["full", {"width": 10}], dense(10, order="LA")),
        (10, dense(10, order="LA")),
        (["full", {"width": 10, "actfunc": "sigmoid"}], dense(10, order="LA", activation="sigmoid")),
        (["dropout", {"keep_prob": 0.7}], dropout(0.3)),
        (["dropout", {"keep_prob": 1}], dropout(0.0)),
        (["noise", {"std": 0.5}], noise(0.5)),
        (["batch_normal", {"rescale": False}], PLAIN_NORM),
        (["batch_normal"], BatchNorm()),
        (["serial", ["max", {"stride": 2}], 7], serial(max_pool(2), dense(7, order="LA"))),
        (["serial"], serial()),
        (["parallel", {}, ["noise", {"std": 1}], ["serial"]], parallel(noise(1.0), serial())),
        (["add", ["noise", {"std": 1}]], add(noise(1.0), input=True, channels="repeat")),
        (["add", {"x": False}, ["serial"]], add(serial(), channels="repeat")),
        (
            ["add", {"actions": "BA"}, ["serial"], ["serial"]],
            add(serial(), serial(), input=True, channels="repeat", then="BA"),
        ),
        (
            ["add", {"actions": "A", "actfunc": "tanh"}, ["serial"]],
            serial(add(serial(), input=True, channels="repeat"), arch.activation("tanh")),
        ),
        (["add", {"actions": "A", "actfunc": "none"}, ["serial"]], add(serial(), input=True, channels="repeat")),
        (["loop", {"repeat": 3}, ["noise", {"std": 1}]], Repeat(noise(1.0), 3)),
        (["loop", {"repeat": 2}, ["noise", {"std": 1}], ["serial"]], Repeat(serial(noise(1.0)), 2)),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, list | int) else "",
)
def test_every_type(config, node):
    assert body(config) == serial(node)
    assert body([config, config]) == serial(node, node)


def test_a_dense_layer_to_the_classes_is_added():
    assert net([], n_classes=7) == serial(dense(7), name="net")
    assert arch.output_shape(net([["max", {"stride": 2}], 16], n_classes=7), (8, 8, 3)) == (7,)


def test_batch_normalization_with_scale_and_shift_where_the_framework_has_them():
    """In a convolution it has none, behind a sum it has, by itself it is asked for."""

    def affine(config):
        return [layer.node.affine for layer in arch.trace(net(config), (8, 8, 3)) if isinstance(layer.node, BatchNorm)]

    assert affine(["conv", {"ksize": 3, "chn": 3, "actions": "LAB"}]) == [False]
    assert affine(["add", {"actions": "B"}, ["serial"]]) == [True]
    assert affine([["batch_normal"], ["batch_normal", {"rescale": False}]]) == [True, False]


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "kept"),
    [(8, 3, 1, 6), (8, 3, 2, 3), (7, 3, 2, 2), (9, 3, 3, 2), (10, 1, 4, 2), (5, 5, 1, 1), (6, 5, 2, 1)],
)
def test_valid_keeps_one_position_in_stride_of_those_inside(size, kernel, stride, kept):
    config = {"ksize": kernel, "stride": stride, "padding": "VALID"}
    for layer in (["max", config], ["avg", config], ["conv", {"chn": 2, **config}]):
        assert arch.output_shape(body(layer), (size, size, 3))[:2] == (kept, kept)
    assert (size - kernel + 1) // stride == kept


def test_nothing_left_is_told_by_the_layer():
    network = net(["conv", {"ksize": 5, "stride": 2, "chn": 2, "padding": "VALID"}])
    with pytest.raises(
        ArchError, match="net / conv 5x5: the output would be empty for input 5x5x3, kernel 5x5, stride 2x2"
    ):
        arch.trace(network, (5, 5, 3))


def as_the_framework(image, kernel, stride, padding, reduce):
    """(height, width) by the framework's own steps: every position, then those inside, then one in stride."""
    height, width = image.shape
    (kh, kw), (sh, sw) = kernel, stride
    full = np.empty((height, width))
    for row, column in itertools.product(range(height), range(width)):
        top, left = row - (kh - 1) // 2, column - (kw - 1) // 2
        full[row, column] = reduce(
            {
                (i, j): image[top + i, left + j]
                for i, j in itertools.product(range(kh), range(kw))
                if 0 <= top + i < height and 0 <= left + j < width
            }
        )
    if padding == "VALID":
        bh, bw = (kh - 1) // 2, (kw - 1) // 2
        full = full[bh : bh + height - kh + 1, bw : bw + width - kw + 1]
    rows, columns = full.shape[0] // sh, full.shape[1] // sw
    bh, bw = (sh - 1) // 2, (sw - 1) // 2
    return full[bh : bh + rows * sh : sh, bw : bw + columns * sw : sw]


@settings(max_examples=100)
@given(
    height=st.integers(5, 10),
    width=st.integers(5, 10),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    padding=st.sampled_from(["SAME", "VALID"]),
)
def test_layers_give_the_framework_s_numbers(height, width, kernel, stride, padding):
    image = np.random.default_rng(0).normal(size=(height, width))
    x, shape = torch.tensor(image)[None, None], (height, width, 1)
    options = {"ksize": list(kernel), "stride": list(stride), "padding": padding}
    try:
        convolution = build(body(["conv", {"chn": 1, "actfunc": "none", **options}]), shape).double()
    except ArchError:  # nothing is left
        assert 0 in as_the_framework(image, kernel, stride, padding, lambda window: 0.0).shape
        return
    weight = next(convolution.parameters())
    bias = list(convolution.parameters())[1].item()

    def linear(window):
        return bias + sum(weight[0, 0, i, j].item() * value for (i, j), value in window.items())

    for module, reduce in (
        (convolution, linear),
        (build(body(["max", options]), shape).double(), lambda window: max(window.values())),
        (build(body(["avg", options]), shape).double(), lambda window: sum(window.values()) / len(window)),
    ):
        expected = as_the_framework(image, kernel, stride, padding, reduce)
        np.testing.assert_allclose(module(x)[0, 0].detach().numpy(), expected, rtol=1e-12, atol=1e-12)


CONV = ["conv", {"ksize": "#k", "chn": "#n", "actions": "#act"}]


def test_macros_are_filled_in():
    macros = {
        "c": CONV,
        "pair": ["serial", ["custom", {"name": "c", "args": {"#k": "#k", "#n": 4, "#act": "LA"}}], "#then"],
        "deep": ["serial", ["custom", {"name": "#which", "args": {"#k": [1, 3], "#then": ["max", {"stride": "#s"}]}}]],
    }
    network = body(["custom", {"name": "deep", "args": {"#which": "pair", "#s": 2}}], macros)
    inner = serial(conv(4, (1, 3), order="LA"), name="c")
    assert network == serial(serial(serial(inner, max_pool(2), name="pair"), name="deep"))
    assert arch.trace(network, (8, 8, 3))[0].path == ("serial", "deep", "pair", "c", "conv 1x3")


def test_two_signs_leave_the_gap_to_the_macro_one_level_down():
    macros = {
        "outer": ["custom", {"name": "inner", "args": {"#layer": ["noise", {"std": "##x"}], "#x": "#y"}}],
        "inner": ["serial", "#layer", ["noise", {"std": "#x"}]],
        "two": ["custom", {"name": "outer2", "args": {"#part": ["noise", {"std": "###x"}]}}],
        "outer2": ["custom", {"name": "inner", "args": {"#layer": "#part", "#x": 5}}],
    }
    network = body(["custom", {"name": "outer", "args": {"#y": 3}}], macros)
    assert [layer.node for layer in arch.trace(network, (4,))] == [noise(3.0), noise(3.0)]
    assert [layer.node for layer in arch.trace(body(["custom", {"name": "two"}], macros), (4,))] == [noise(5.0)] * 2


def test_a_macro_may_be_used_within_its_own_argument():
    macros = {"twice": ["serial", "#it", "#it"]}
    use = ["noise", {"std": 1}]
    for _ in range(3):
        use = ["custom", {"name": "twice", "args": {"#it": use}}]
    assert sum(layer.node == noise(1.0) for layer in arch.trace(body(use, macros), (4,))) == 8


@pytest.mark.parametrize(
    ("model", "macros", "message"),
    [
        (
            [3, 3, ["parallel", 3, ["conv", {"kszie": 3}]]],
            {},
            "nets/net.json: model / 3 / branch 2 / conv: unknown key 'kszie'; did you mean 'ksize'? Accepted: ksize, "
            "stride, chn, padding, actions, actfunc",
        ),
        ([["cnov", {}]], {}, "model / 1: unknown type 'cnov'; did you mean 'conv'? Accepted: conv, max, avg, full"),
        (["conv", {"ksize": 3}], {}, "model / conv: 'chn' is missing; accepted: an integer from 1"),
        (["conv", {"ksize": 0, "chn": 1}], {}, "model / conv: ksize: found 0, accepted: an integer from 1"),
        (["conv", {"ksize": [3], "chn": 1}], {}, "ksize: found [3], accepted"),
        (["conv", {"ksize": 3.0, "chn": 1}], {}, "ksize: found 3.0, accepted"),
        (["conv", {"ksize": True, "chn": 1}], {}, "ksize: found true, accepted"),
        (["conv", {"ksize": 3, "chn": 10**9}], {}, "chn: found 1000000000, accepted: an integer from 1 to 1,000"),
        (["conv", {"ksize": 3, "chn": "#n"}], {}, 'found "#n", accepted: an integer from 1 to 1,000,000; a text'),
        (["conv", {"ksize": 3, "chn": 1, "padding": "SAEM"}], {}, "unknown padding 'SAEM'; did you mean 'SAME'?"),
        (["conv", {"ksize": 3, "chn": 1, "actfunc": "rleu"}], {}, "unknown actfunc 'rleu'; did you mean 'relu'?"),
        (["conv", {"ksize": 3, "chn": 1, "actions": "AB"}], {}, 'actions: found "AB", accepted: one L'),
        (["conv", {"ksize": 3, "chn": 1, "actions": "LAA"}], {}, 'actions: found "LAA"'),
        (["add", {"actions": "L"}, 3], {}, 'actions: found "L", accepted: at most one A'),
        (["add", {"x": 1}, 3], {}, "x: found 1, accepted: true or false"),
        (["max"], {}, "model / max: 'stride' or 'ksize' is missing"),
        (
            ["max", {"stride": 2}, 3],
            {},
            "found 3 after the options, accepted: nothing, because this layer has no children",
        ),
        (["parallel"], {}, "model / parallel: found no child, accepted: one or more"),
        (["loop", {"repeat": 2}], {}, "model / loop: found no child"),
        (["loop", ["noise", {"std": 1}]], {}, "model / loop: 'repeat' is missing"),
        (["dropout", {"keep_prob": 0}], {}, "keep_prob: found 0, accepted: a number above 0 and up to 1"),
        (["noise", {"std": -1}], {}, "std: found -1, accepted: a number of 0 or more"),
        (["batch_normal", {"rescale": "yes"}], {}, 'rescale: found "yes", accepted: true or false'),
        ([[]], {}, "model / 1: found [], accepted: [type, {options}, children...]"),
        ([[["conv", {}]]], {}, "model / 1: found"),
        (True, {}, "model: found true, accepted"),
        ({"conv": 3}, {}, 'model: found {"conv": 3}, accepted'),
        (["serial", "#body"], {}, 'model / 1: found "#body", accepted: [type, {options}, children...], or'),
        (0, {}, "model / full: width: found 0"),
        (["custom", {"name": "resdual"}], {"residual": 3}, "unknown macro 'resdual'; did you mean 'residual'?"),
        (["custom", {"args": {}}], {}, "model / custom: 'name' is missing; accepted: a macro's name"),
        (["custom", {"name": 3}], {}, "name: found 3, accepted: a macro's name"),
        (["custom", {"name": "c", "args": 3}], {"c": CONV}, "args: found 3, accepted: values by name"),
        (
            [1, ["custom", {"name": "c", "args": {"#k": 3, "#m": 3}}]],
            {"c": CONV},
            "model / 2 / custom: macro 'c': argument '#n' is missing; found in args: #k, #m",
        ),
        (
            ["custom", {"name": "c", "args": {"k": 3}}],
            {"c": CONV},
            "args: found 'k', accepted: names that start with #",
        ),
        (
            ["custom", {"name": "c", "args": {"#k": 3, "#n": 3, "#act": "LA", "#x": 1}}],
            {"c": CONV},
            "macro 'c': unknown argument '#x'; did you mean '#n'? Accepted: #k, #n, #act",
        ),
        (
            ["custom", {"name": "c", "args": {"#k": 3, "#n": "six", "#act": "LA"}}],
            {"c": CONV},
            'nets/net.json: model / macro c / conv: chn: found "six"',
        ),
        (
            ["custom", {"name": "a"}],
            {"a": ["serial", ["custom", {"name": "a"}]]},
            "model / macro a / 1 / custom: infinite recursion of macros: a > a",
        ),
        (
            ["custom", {"name": "a"}],
            {"a": ["serial", 3, ["custom", {"name": "b"}]], "b": ["loop", {"repeat": 9}, ["custom", {"name": "a"}]]},
            "model / macro a / 2 / macro b / 1 / custom: infinite recursion of macros: a > b > a",
        ),
        (
            ["custom", {"name": "a", "args": {"#x": ["serial", "#x"]}}],
            {"a": ["serial", "#x"]},
            "macro 'a': argument '#x' refers to itself",
        ),
        (["loop", {"repeat": 10**5}, ["serial"]], {}, "more than 10,000 layers after loops are expanded"),
        (
            ["loop", {"repeat": 1000}, ["loop", {"repeat": 1000}, ["loop", {"repeat": 1000}, ["serial"]]]],
            {},
            "model / 1 / 1: more than 10,000 layers",
        ),
    ],
)
def test_mistakes_are_told_by_their_place(model, macros, message):
    assert message in mistake(model, macros)


def test_what_would_not_end_or_not_fit_is_refused_at_once():
    begin = time.monotonic()
    fan = {"m": ["serial", *[["custom", {"name": "m"}]] * 9]}
    assert "infinite recursion of macros: m > m" in mistake(["custom", {"name": "m"}], fan)
    laughs = {f"m{i}": ["parallel", *[["custom", {"name": f"m{i + 1}"}]] * 10] for i in range(12)}
    assert "more than 10,000 layers" in mistake(["custom", {"name": "m0"}], laughs | {"m12": 3})
    args = {f"#{i}": ["serial", *[f"#{i + 1}"] * 10] for i in range(20)} | {"#20": 3}
    assert "expands to more than 1,000,000 values" in mistake(["custom", {"name": "m", "args": args}], {"m": "#0"})
    long = {f"#{i}": [[[[[[[[[f"#{i + 1}"]]]]]]]]] for i in range(200)} | {"#200": 3}
    assert "nested too deeply" in mistake(["custom", {"name": "m", "args": long}], {"m": "#0"})
    grows = {"m": ["custom", {"name": "m", "args": {"#x": ["serial", "#x"]}}], "n": ["serial", "#x"]}
    assert "argument '#x' is missing" in mistake(["custom", {"name": "m"}], grows)
    grows = {"m": ["serial", "#x", ["custom", {"name": "m", "args": {"#x": ["serial", "#x"]}}]]}
    found = mistake(["custom", {"name": "m", "args": {"#x": ["serial"]}}], grows)
    assert "nested too deeply, through the macros m > m > m > m ...; accepted: up to 30 levels of configs" in found
    deep = ["serial"]
    for _ in range(40):
        deep = ["serial", deep]
    assert "nested too deeply; accepted: up to 30 levels of configs" in mistake(deep)
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "net.json: not valid JSON: Expecting value (line 1, column 1)"),
        ('{"model": [3,]}', "not valid JSON"),
        ("[3]", 'net.json: found [3], accepted: {"macros": {NAME: CONFIG}, "model": CONFIG or list of CONFIG}'),
        ("{}", '"model" is missing'),
        ('{"modle": 3}', "unknown key 'modle'; did you mean 'model'? Accepted: macros, model"),
        ('{"macros": [], "model": 3}', "macros: found [], accepted: {NAME: CONFIG}"),
        ('{"model": 3, "model": 4}', "duplicate key 'model' in an object"),
        ('{"model": [3, ["max", {"stride": 2, "stride": 3}]]}', "model / 2: duplicate key 'stride'"),
        ('{"model": ["serial", ["noise", {"std": null}]]}', "model / 1 / std: found null"),
        ('{"model": ["noise", {"std": NaN}]}', "found NaN, accepted: numbers"),
        ('{"model": ["noise", {"std": 1e999}]}', "model / std: number out of range"),
        ('{"macros": {"\\ud800": 3}, "model": 3}', "found a lone surrogate"),
        ('{"model": ' + "9" * 5000 + "}", "not valid JSON"),
        ('{"model": ' + "[" * 100_000, "nested too deeply"),
        ('{"model": ' + "[" * 400 + "]" * 400 + "}", "nested too deeply"),
    ],
    ids=lambda value: value[:30],
)
def test_text_that_is_no_list_form(text, message):
    with pytest.raises(ArchError) as error:
        listform.network(text, 5, where="net.json")
    assert message in str(error.value)
    assert str(error.value).startswith("net.json: ")


KINDS = [
    "conv",
    "max",
    "avg",
    "full",
    "dropout",
    "noise",
    "batch_normal",
    "serial",
    "parallel",
    "add",
    "loop",
    "custom",
]
names = st.sampled_from(["a", "b", "#x", "##x", "#y", *KINDS])
numbers = st.one_of(st.integers(-1, 4), st.sampled_from([10**5, 10**30, 0.5, 2.0, True, None, float("inf")]))
words = st.one_of(names, st.text(max_size=3), st.sampled_from(["LA", "LAB", "SAME", "VALID", "relu"]))
keys = st.sampled_from(
    ["ksize", "stride", "chn", "padding", "actions", "actfunc", "width", "keep_prob", "std", "rescale", "x", "repeat",
     "name", "args", "#x", "#y"]
)  # fmt: skip
sizes = st.integers(1, 3)
sound = st.one_of(
    st.builds(lambda k, s, n: ["conv", {"ksize": k, "stride": s, "chn": n}], sizes, sizes, sizes),
    st.builds(lambda s: ["max", {"stride": s, "padding": "VALID"}], sizes),
    st.builds(lambda n: ["custom", {"name": n, "args": {"#x": 3}}], st.sampled_from("ab")),
    sizes,
)
configs = st.recursive(
    st.one_of(numbers, words, sound),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(keys, words), inner, max_size=3),
        st.builds(
            lambda kind, options, children: [kind, options, *children],
            st.sampled_from(KINDS),
            st.dictionaries(keys, inner, max_size=3),
            st.lists(inner, max_size=3),
        ),
        st.builds(lambda children: ["serial", *children], st.lists(inner, max_size=3)),
        st.builds(lambda times, child: ["loop", {"repeat": times}, child], st.integers(1, 3), inner),
    ),
    max_leaves=12,
)


@settings(max_examples=400, deadline=2000)
@given(model=configs, macros=st.one_of(st.dictionaries(st.sampled_from("ab"), configs, max_size=2), configs))
def test_whatever_is_written_gives_a_network_or_an_error_with_its_place(model, macros):
    try:
        network = listform.network(json.dumps({"macros": macros, "model": model}), 3, where="net.json")
    except ArchError as error:
        message = str(error)
    else:
        message = "net.json: "
        assert arch.read(arch.write(network)) == network
        with contextlib.suppress(ArchError):  # such as nothing left of the image
            arch.trace(network, (9, 8, 3))
    assert message.startswith("net.json: ")


@settings(max_examples=200, deadline=2000)
@given(text=st.one_of(st.text(), st.binary().map(lambda data: data.decode("latin-1"))))
def test_whatever_text_gives_a_network_or_an_error(text):
    with pytest.raises(ArchError, match=r"^net\.json: "):
        listform.network(text, 3, where="net.json")


def test_the_deepest_network_is_written_read_and_built():
    deepest = ["conv", {"ksize": 1, "chn": 3, "actions": "LAB"}]
    for _ in range(listform.MAX_LEVELS - 1):
        deepest = ["add", {"actions": "A"}, deepest]
    network = net(deepest)
    assert arch.read(arch.write(network)) == network
    build(network, (4, 4, 3))(torch.zeros(2, 3, 4, 4))
    assert "nested too deeply" in mistake(["add", {"actions": "A"}, deepest])


@pytest.mark.parametrize("name", ["block", "branch", "block_2", "relu", "train", "a/b", "꽃 2", "###", "conv 3x3"])
def test_a_macro_may_have_any_name(name):
    """Parts that are numbered and macros that are named so are still modules of their own."""
    use = ["custom", {"name": name}]
    two = ["serial", use, use, ["loop", {"repeat": 2}, use], ["custom", {"name": "block 2"}]]
    macros = {name: ["conv", {"ksize": 3, "chn": 3}], "block 2": ["noise", {"std": 1}]}
    build(net(["parallel", two, use, use], macros), (6, 6, 3))
    network = net(two, macros)
    assert arch.read(arch.write(network)) == network


def flower_arms(act):
    """The five arms of the flower experiment as its author would write them."""

    def c(ksize, chn, stride=1):
        return ["conv", {"ksize": ksize, "chn": chn, "actions": act} | ({"stride": stride} if stride > 1 else {})]

    def use(name, **args):
        return ["custom", {"name": name, "args": {f"#{key}": value for key, value in args.items()}}]

    macros = {
        "inception a": ["parallel", c(1, 4), c(3, 6), ["serial", c(3, 6), c(3, 6)],
                        ["serial", ["avg", {"ksize": 3, "stride": 1}], c(1, 4)]],
        "reduction": ["parallel", c(3, 12, 2), ["serial", c(3, 12), c(3, 12, 2)], ["avg", {"ksize": 3, "stride": 2}]],
        "wide": ["parallel", c([1, 3], "#n"), c([3, 1], "#n")],
        "inception b": ["parallel", c(1, 8), ["serial", c(3, 8), use("wide", n=8)],
                        ["serial", c(1, 8), c(3, 8), use("wide", n=8)],
                        ["serial", ["avg", {"ksize": 3, "stride": 1}], c(1, 8)]],
        "pair": ["serial", c(3, "#n"), c(3, "#n")],
        "halving": ["serial", c(3, "#n", 2), c(3, "#n")],
        "residual": ["add", ["custom", {"name": "pair", "args": {"#n": "#n"}}]],
        "bottle": ["serial", c(1, "#n"), c(3, "#n"), c(1, "#n4")],
        "wider": ["add", {"x": False}, "#body", ["avg", {"stride": 2}]],
    }  # fmt: skip
    stem, end = [c(7, 16, 2), ["max", {"stride": 2}]], [["avg", {"stride": 4}]]

    def bottles(repeat, n):
        bottle = use("bottle", n=n, n4=4 * n)
        return ["loop", {"repeat": repeat}, ["add", bottle]]

    def first_bottle(n):
        return use("wider", body=["serial", c(1, n, 2), c(3, n), c(1, 4 * n)])

    models = {
        "inception_flower": [
            c(3, 6, 2), use("inception a"), use("reduction"), use("inception a"), use("reduction"), use("inception b"),
            use("reduction"), use("inception b"), ["avg", {"stride": 6}], ["dropout", {"keep_prob": 0.7}],
        ],
        "plain_flower": [*stem, *[c(3, 16)] * 4, c(3, 32, 2), *[c(3, 32)] * 3, c(3, 64, 2), *[c(3, 64)] * 3, *end],
        "residual_flower": [
            *stem, ["loop", {"repeat": 2}, use("residual", n=16)], use("wider", body=use("halving", n=32)),
            use("residual", n=32), use("wider", body=use("halving", n=64)), use("residual", n=64), *end,
        ],
        "bottleneck_flower": [
            c(7, 16, 2), ["max", {"ksize": 3, "stride": 2}], bottles(1, 16), first_bottle(32), bottles(2, 32),
            first_bottle(64), bottles(1, 64), *end,
        ],
    }  # fmt: skip
    return {name: json.dumps({"macros": macros, "model": model}) for name, model in models.items()}


@pytest.mark.parametrize("act", ["LA", "LAB", "LBA", "BAL"])
@pytest.mark.parametrize(
    ("name", "size", "n_params"),
    [("inception_flower", 96, 43_885), ("plain_flower", 64, 173_637), ("residual_flower", 64, 173_637),
     ("bottleneck_flower", 64, 189_925)],
)  # fmt: skip
def test_the_flower_arms_are_the_native_ones(name, size, n_params, act):
    mine, native = listform.network(flower_arms(act)[name], 5, where="net.json"), arch.network(name, 5, order=act)
    shape = (size, size, 3)
    rows = [
        [(layer.output, layer.n_params, layer.macs, type(layer.node)) for layer in arch.trace(network, shape)]
        for network in (mine, native)
    ]
    assert [row[:3] for row in rows[0]] == [row[:3] for row in rows[1]]
    assert [row[3] for row in rows[0] if row[3] is not arch.AvgPool] == [
        row[3] for row in rows[1] if row[3] not in (arch.AvgPool, arch.AdaptiveAvgPool)
    ]
    assert arch.cost(mine, shape).n_params == n_params
    modules = [build(network, shape).double() for network in (mine, native)]
    for one, two in zip(*(module.parameters() for module in modules), strict=True):
        two.data.copy_(one.data)
    x = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0)).double()
    for module in modules:
        module.eval()
    torch.testing.assert_close(modules[0](x), modules[1](x), rtol=1e-10, atol=1e-12)


def example():
    page = (ROOT / "docs" / "list-form.md").read_text(encoding="utf-8")
    return re.search(r"```json\n(.*?)```", page, re.DOTALL)[1]


def test_the_page_s_example_is_what_the_page_says():
    network = listform.network(example(), 5, where="example.json")
    native = arch.network("residual_flower", 5)
    assert arch.cost(network, (64, 64, 3)) == arch.cost(native, (64, 64, 3))
    assert arch.cost(network, (64, 64, 3)).n_params == 173_637


def test_the_page_names_every_type_and_option():
    page = (ROOT / "docs" / "list-form.md").read_text(encoding="utf-8")
    for kind, type_ in listform._TYPES.items():
        (row,) = [line for line in page.splitlines() if line.startswith("|") and f"`{kind}`" in line.split("|")[1]]
        for option in type_.options:
            assert f"`{option}`" in row


def test_one_spelling_and_what_differs():
    one = listfile.one_spelling('{"model": ["conv", {"chn": 3, "ksize": 3}]}', where="a")
    assert listfile.one_spelling(' {"model":["conv",{"ksize":3,\n"chn":3}]}', where="b") == one
    assert listfile.differences(one, one) == []

    def differences(two):
        return listfile.differences(one, json.dumps(two))

    assert differences({"model": ["conv", {"ksize": 5, "chn": 3}]}) == [("model / ksize", "3", "5")]
    assert differences({"model": ["conv", {"ksize": 3}]}) == [("model / chn", "3", "nothing")]
    assert differences({"model": ["conv", {"ksize": 3, "chn": True}]}) == [("model / chn", "3", "true")]
    assert differences({"model": ["conv", {"ksize": 3, "chn": 3}, 4]}) == [("model / 1", "nothing", "4")]
    assert differences({"model": ["conv", {"ksize": 3, "chn": 3}], "macros": {}}) == [("macros", "nothing", "{}")]
    assert differences({"model": ["max", {"ksize": [3, 1], "chn": 3}]}) == [
        ("model / type", '"conv"', '"max"'),
        ("model / ksize", "3", "[3, 1]"),
    ]
