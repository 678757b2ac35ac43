"""The difference between two networks: that the edits are the fewest, and what is said of them."""

import itertools
import json
import time
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commongarden import arch, sentences
from commongarden.arch import (
    activation,
    add,
    avg_pool,
    batch_norm,
    conv,
    dense,
    dropout,
    global_avg_pool,
    max_pool,
    named,
    parallel,
    repeat,
    serial,
)
from commongarden.arch.edits import Comparison, Tree

labels = st.sampled_from(["a", "b", "B"])  # "b" and "B" are of a kind: 1 to change; "a" and "b" are not: 2
trees = st.recursive(
    st.builds(Tree, labels),
    lambda below: st.builds(Tree, labels, st.lists(below, max_size=3).map(tuple)),
    max_leaves=5,
)


def change(one, two):
    return 1 if one.lower() == two.lower() else 2


def brute_force(one, two):
    """The definition itself: the last tree of either forest loses its root, or the two last roots are matched."""

    @cache
    def distance(left, right):
        if not left or not right:
            return sum(map(count, left or right))
        a, b = left[-1], right[-1]
        return min(
            distance((*left[:-1], *a.children), right) + 1,
            distance(left, (*right[:-1], *b.children)) + 1,
            distance(left[:-1], right[:-1])
            + distance(a.children, b.children)
            + (0 if a.label == b.label else change(a.label, b.label)),
        )

    return distance((one,), (two,))


def count(tree):
    return 1 + sum(map(count, tree.children))


def walk(tree, above=()):
    """Every node's identity with those above it, in preorder."""
    yield id(tree), above
    for child in tree.children:
        yield from walk(child, (*above, id(tree)))


def apart(tree):
    """The same tree with every node an object of its own."""
    return Tree(tree.label, tuple(map(apart, tree.children)))


@settings(max_examples=300, deadline=None)
@given(trees, trees)
def test_the_distance_is_that_of_brute_force_and_the_script_is_worth_it(one, two):
    one, two = apart(one), apart(two)
    comparison = Comparison(one, two, change, moves=lambda label: label == "a")
    assert comparison.distance == brute_force(one, two)
    script = comparison.script()
    kept = [(before, after) for before, after in script if before is not None and after is not None]
    costs = [0 if before.label == after.label else change(before.label, after.label) for before, after in kept]
    assert len(script) - len(kept) + sum(costs) == comparison.distance
    for side, tree in ((0, one), (1, two)):
        assert sorted(id(pair[side]) for pair in script if pair[side] is not None) == sorted(i for i, _ in walk(tree))
    order = [list(dict(walk(tree))) for tree in (one, two)]
    above = [dict(walk(tree)) for tree in (one, two)]
    for (a, x), (b, y) in itertools.combinations(kept, 2):  # what is kept keeps its order and what it lies in
        assert (order[0].index(id(a)) < order[0].index(id(b))) == (order[1].index(id(x)) < order[1].index(id(y)))
        assert (id(a) in above[0][id(b)]) == (id(x) in above[1][id(y)])
        assert (id(b) in above[0][id(a)]) == (id(y) in above[1][id(x)])


def said(one, two, lang="en", shape=(96, 96, 3)):
    """The sentence without its costs."""
    return sentences.difference(arch.difference(one, two, shape), lang).rsplit(": ", 1)[0]


def flower(name, order="LAB"):
    return arch.network(name, 5, order=order)


@pytest.mark.parametrize(
    ("one", "two", "n_edits", "english", "korean"),
    [
        (
            flower("inception_flower", "LA"), flower("inception_flower", "LAB"), 38,
            "adds batch norm without scale and shift after each of 38 convolutions",
            "합성곱 층 38개 각각의 뒤에 스케일과 시프트가 없는 배치 정규화를 추가한다",
        ),
        (
            flower("inception_flower", "LAB"), flower("inception_flower", "LA"), 38,
            "removes batch norm without scale and shift after each of 38 convolutions",
            "합성곱 층 38개 각각의 뒤에서 스케일과 시프트가 없는 배치 정규화를 제거한다",
        ),
        (
            flower("inception_flower", "LA"), flower("inception_flower", "LBA"), 38,
            "adds batch norm without scale and shift between each of 38 convolutions and its activation",
            "합성곱 층 38개 각각과 그 활성화 함수 사이에 스케일과 시프트가 없는 배치 정규화를 추가한다",
        ),
        (
            flower("residual_flower", "LAB"), flower("residual_flower", "LBA"), 26,
            "moves batch norm without scale and shift from behind the activation to before it at each of 13 "
            "convolutions",
            "합성곱 층 13개에서 스케일과 시프트가 없는 배치 정규화를 활성화 함수 뒤에서 앞으로 옮긴다",
        ),
        (
            flower("plain_flower"), flower("residual_flower"), 14,
            "adds an identity shortcut around each of 4 pairs of convolutions and adds a shortcut with an average pool "
            "(2×2, stride 2) around each of 2 pairs of convolutions",
            "합성곱 층 2개짜리 묶음 4개 각각에 항등 스킵 연결을 추가하고, 합성곱 층 2개짜리 묶음 2개 각각에 "
            "평균 풀링 층(2×2, 스트라이드 2)이 있는 스킵 연결을 추가한다",
        ),
        (flower("plain_flower"), flower("plain_flower"), 0, "changes nothing", "달라지는 것이 없다"),
        (
            serial(conv(8, 3, order="LA"), conv(8, 3, order="LA")), serial(conv(8, 3), conv(8, 3)), 4,
            "drops the bias of each of 2 convolutions and adds batch norm between each of 2 convolutions and "
            "its activation",
            "합성곱 층 2개에서 편향을 제거하고, 합성곱 층 2개 각각과 그 활성화 함수 사이에 배치 정규화를 추가한다",
        ),
        (
            serial(conv(8, 5), conv(8, 5), dense(5)), serial(conv(8, 3), conv(8, 3), dense(5)), 2,
            "changes the kernel (5×5 to 3×3) of each of 2 convolutions",
            "합성곱 층 2개의 커널 크기(5×5 → 3×3)를 바꾼다",
        ),
        (
            serial(conv(8, 3), max_pool(2), dense(5)), serial(conv(8, 3), avg_pool(2), dropout(0.5), dense(5)), 2,
            "replaces a max pool (2×2, stride 2) by an average pool (2×2, stride 2) and adds dropout of 0.5 after a "
            "pool",
            "최대 풀링 층(2×2, 스트라이드 2) 1개를 평균 풀링 층(2×2, 스트라이드 2)으로 바꾸고, 풀링 층 1개의 뒤에 "
            "드롭아웃(비율 0.5)을 추가한다",
        ),
        (
            serial(parallel(conv(4, 1), conv(4, 5)), dense(5)),
            serial(parallel(conv(4, 1), serial(conv(4, 3), conv(4, 3))), dense(5)), 4,
            "adds a convolution (3×3, 4 channels) with batch norm and ReLU and changes the kernel (5×5 to 3×3) of a "
            "convolution",
            "배치 정규화, 활성화 함수(ReLU)가 딸린 합성곱 층(3×3, 4채널) 1개를 추가하고, 합성곱 층 1개의 "
            "커널 크기(5×5 → 3×3)를 바꾼다",
        ),
    ],
)  # fmt: skip
def test_the_sentence_in_two_languages(one, two, n_edits, english, korean):
    assert arch.difference(one, two, (96, 96, 3)).n_edits == n_edits
    assert said(one, two) == english
    assert said(one, two, "ko") == korean


def test_the_costs_at_the_sentence_s_end():
    found = arch.difference(flower("inception_flower", "LA"), flower("inception_flower"), (96, 96, 3))
    assert sentences.difference(found).endswith(": +0 parameters, +0 MACs, +32.3 % activation bytes")
    assert sentences.difference(found, "ko").endswith(": 파라미터 +0개, MAC +0회, 활성값 메모리 +32.3 %")
    deeper = arch.difference(flower("plain_flower"), flower("bottleneck_flower"), (64, 64, 3))
    assert sentences.difference(deeper).endswith("depth 14 to 20")
    assert sentences.difference(deeper, "ko").endswith("깊이 14 → 20")
    assert sentences.difference(found, "fr") == sentences.difference(found, "en")


NAMES = sorted(arch.FAMILIES)
PAIRS = [
    # of each architecture, those with the two behind it in the list; all others are soak
    pytest.param(NAMES[i], NAMES[j], marks=() if j - i <= 2 else pytest.mark.soak)
    for i, j in itertools.combinations(range(len(NAMES)), 2)
]


@pytest.mark.parametrize(("one", "two"), PAIRS)
def test_a_sentence_stays_one_that_is_read(one, two):
    """However much differs, equal edits are said once and the rest is counted."""
    there, back = (
        arch.difference(*(arch.network(name, 5) for name in pair), (96, 96, 3)) for pair in ((one, two), (two, one))
    )
    for found, lang in itertools.product((there, back), sentences.LANGUAGES):
        sentence = sentences.difference(found, lang)
        assert "\n" not in sentence
        assert len(sentence) < 500, sentence
    assert (back.n_edits, back.before, back.after) == (there.n_edits, there.after, there.before)


def test_names_and_repeats_make_no_difference():
    block = add(conv(8, 3), input=True)
    one = serial(named("stage", block, block, block), dense(5), name="written out")
    two = serial(repeat(block, 3, name="part"), dense(5), name="repeated")
    assert arch.difference(one, two, (8, 8, 8)).n_edits == 0


def test_an_identity_shortcut_becomes_a_projection_by_one_edit():
    identity = serial(add(serial(conv(8, 3), conv(8, 3)), input=True), dense(5))
    projected = serial(add(serial(conv(8, 3), conv(8, 3)), conv(8, 1, order="L")), dense(5))
    found = arch.difference(identity, projected, (8, 8, 8))
    assert found.n_edits == 1
    assert found.edits[0].paths == (("serial", "add", "branch 2"),)


def test_where_the_edits_stand():
    found = arch.difference(flower("residual_flower", "LA"), flower("residual_flower"), (64, 64, 3))
    (edit,) = found.edits
    assert (edit.action, edit.count, edit.place, edit.anchor) == ("add", 13, "after", "convolution")
    assert ("residual_flower", "stage 2", "block 1", "body", "batch norm (2)") in edit.paths
    linear = conv(8, 3, order="L")
    led_in = arch.difference(serial(linear), serial(batch_norm(), activation(), linear), (8, 8, 3))
    assert {edit.place for edit in led_in.edits} == {"before"}


def test_sizes_and_depth():
    network = serial(conv(8, 3, order="LA"), repeat(add(serial(conv(8, 3), conv(8, 3)), conv(8, 1), input=True), 2),
                     parallel(conv(4, 1), serial(conv(4, 1), conv(4, 3))), global_avg_pool(), dense(5))  # fmt: skip
    assert arch.depth(network) == 1 + 2 * 2 + 2 + 1
    size = arch.difference(network, network, (8, 8, 3)).before
    cost = arch.cost(network, (8, 8, 3))
    assert (size.n_params, size.macs, size.activation_bytes) == (cost.n_params, cost.macs, cost.activation_bytes)


def test_a_network_of_150_layers_is_compared_within_seconds():
    def network(order):
        def block(width):
            convs = conv(width, 1, order=order), conv(width, 3, order=order), conv(4 * width, 1, order=order)
            return add(serial(*convs), input=True, channels="repeat")

        return serial(*(repeat(block(width), n) for width, n in ((64, 3), (128, 8), (256, 36), (512, 3))), dense(5))

    begin = time.process_time()
    found = arch.difference(network("LA"), network("LBA"), (32, 32, 64))
    assert time.process_time() - begin < 5
    assert found.n_edits == 300
    assert {edit.count for edit in found.edits if edit.action == "add"} == {150}


def test_diff_on_the_command_line(commongarden):
    arguments = ("diff", "inception_flower:LA", "inception_flower:LAB", "--input", "96x96x3")
    sentence = "adds batch norm without scale and shift after each of 38 convolutions: +0 parameters, +0 MACs"
    text = commongarden(*arguments, check=0).stdout
    assert sentence in text.splitlines()[-1]
    assert "38 ×  add" in text
    assert "38개 각각의 뒤에" in commongarden(*arguments, "--lang", "ko", check=0).stdout.splitlines()[-1]
    table = json.loads(commongarden(*arguments, "--json", check=0).stdout)
    assert (table["from"], table["to"], table["n_edits"]) == ("inception_flower:LA", "inception_flower:LAB", 38)
    assert len(table["edits"][0]["paths"]) == table["edits"][0]["count"] == 38
    assert table["edits"][0]["after"] == "BatchNorm(affine=False)"
    assert table["after"]["activation_bytes"] > table["before"]["activation_bytes"]
    assert table["sentence"]["en"].startswith(sentence)
    assert table["sentence"]["ko"].startswith("합성곱 층 38개")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plain_flower", "residual_flwoer"], "did you mean 'residual_flower'?"),
        (["plain_flower", "residual_flower:LLA"], "order: found 'LLA'"),
        (["plain_flower", "residual_flower", "--lang", "fr"], "'fr' is not one of"),
        (["plain_flower"], "Missing argument 'TWO'"),
    ],
)
def test_mistakes_in_diff_end_with_two(commongarden, arguments, message):
    result = commongarden("diff", *arguments, check=2)
    assert message in " ".join(result.stderr.split())
