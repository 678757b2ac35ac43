"""The difference between two networks in Korean."""

from __future__ import annotations

from collections.abc import Sequence

from commongarden.arch import UNKNOWN, BatchNorm, Conv, Dense, Difference, Dropout, Edit, MaxPool, Noise
from commongarden.arch.difference import BESIDE, Part, kind
from commongarden.arch.nodes import Activation, AdaptiveAvgPool, AvgPool
from commongarden.i18n.particles import with_particle
from commongarden.sentences.english import ACTIVATIONS, growth, value
from commongarden.sentences.phrases import Phrase, contents, phrases

NAMES = {
    "convolution": "합성곱 층", "dense layer": "완전 연결 층", "pool": "풀링 층", "batch norm": "배치 정규화",
    "activation": "활성화 함수", "dropout": "드롭아웃", "noise": "잡음 층", "Parallel": "병렬 모듈", "Add": "덧셈",
    "branch": "가지", "shortcut": "스킵 연결",
}  # fmt: skip
FIELDS = {
    "channels": "채널 수", "kernel": "커널 크기", "stride": "스트라이드", "padding": "패딩", "dilation": "팽창률",
    "groups": "그룹 수", "bias": "편향", "ceil_mode": "올림 여부", "count_padding": "패딩 포함 여부",
    "size": "출력 크기", "features": "출력 수", "rate": "비율", "std": "표준편차", "epsilon": "엡실론",
    "momentum": "모멘텀", "affine": "스케일과 시프트", "kind": "종류",
}  # fmt: skip
# each verb as it joins the next phrase, and as it ends the sentence
ADDS, REMOVES, CHANGES = ("추가하고", "추가한다"), ("제거하고", "제거한다"), ("바꾸고", "바꾼다")
MOVES, EDITS = ("옮기고", "옮긴다"), ("고치고", "고친다")


def sentence(found: Difference) -> str:
    """One sentence: the edits, then parameters, MACs, activation memory, and depth where it changes."""
    said, rest = phrases(found)
    parts = [_phrase(phrase) for phrase in said]
    if rest:
        parts.append((f"그 밖에 {rest}곳을", EDITS))
    before, after = found.before, found.after
    costs = [f"파라미터 {after.n_params - before.n_params:+,}개"]
    if UNKNOWN not in (before.macs, after.macs):
        costs.append(f"MAC {after.macs - before.macs:+,}회")
    if before.activation_bytes > 0 and after.activation_bytes != UNKNOWN:
        costs.append(f"활성값 메모리 {growth(before.activation_bytes, after.activation_bytes)} %")
    if after.depth != before.depth:
        costs.append(f"깊이 {before.depth} → {after.depth}")
    return f"{_joined(parts) or '달라지는 것이 없다'}: {', '.join(costs)}"


def _joined(parts: Sequence[tuple[str, tuple[str, str]]]) -> str:
    last = len(parts) - 1
    return ", ".join(f"{what} {verb[i == last]}" for i, (what, verb) in enumerate(parts))


def _phrase(phrase: Phrase) -> tuple[str, tuple[str, str]]:
    match phrase.first.action:
        case "change":
            return _change(phrase)
        case "move":
            return _move(phrase), MOVES
        case "add":
            return _added(phrase, "에"), ADDS
        case _:
            return _added(phrase, "에서"), REMOVES


def _added(phrase: Phrase, at: str) -> str:
    edit, n = phrase.first, phrase.count
    name = kind(edit.part)
    if not phrase.exact:
        if edit.place and phrase.placed and not edit.n_around:
            return f"{_place(phrase, at)} {with_particle(NAMES.get(name, name), '을')}"
        around = name == "Add" and all(edit.n_around for edit in phrase.edits)
        return with_particle(f"{NAMES['shortcut'] if around else NAMES.get(name, name)} {n}개", "를")
    if edit.place and edit.place != "around":
        return f"{_place(phrase, at)} {with_particle(_exactly(edit.part), '을')}"
    what = f"{_details(edit)}{_noun(edit)}"
    if name == "Add" and edit.n_around:
        group = f"합성곱 층 {edit.n_around}개짜리 묶음 {n}개" if edit.n_around > 1 else f"합성곱 층 {n}개"
        return f"{group}{' 각각' if n > 1 else ''}{at} {with_particle(what, '을')}"
    return f"{what} {n}개를"


def _place(phrase: Phrase, at: str) -> str:
    edit, layers = phrase.first, _each(phrase)
    each = " 각각" if phrase.count > 1 else ""
    match edit.place:
        case "between":
            return f"{with_particle(layers + each, '과')} 그 활성화 함수 사이{at}"
        case "before":
            return f"{layers}{each}의 앞{at}"
        case _:
            return f"{layers}{each}의 뒤{at}"


def _each(phrase: Phrase, name: str = "") -> str:
    return f"{name or NAMES.get(phrase.first.anchor, phrase.first.anchor)} {phrase.count}개"


def _move(phrase: Phrase) -> str:
    edit = phrase.first
    what = with_particle(_exactly(edit.part) if phrase.exact else NAMES[kind(edit.part)], "을")
    match (edit.place_before, edit.place):
        case ("after", "between"):
            where = "활성화 함수 뒤에서 앞으로"
        case ("between", "after"):
            where = "활성화 함수 앞에서 뒤로"
        case (_, "before"):
            where = "그 층의 앞으로"
        case _:
            where = "그 층의 뒤로"
    return f"{_each(phrase)}에서 {what} {where}"


def _change(phrase: Phrase) -> tuple[str, tuple[str, str]]:
    edit, name = phrase.first, NAMES.get(kind(phrase.first.part), kind(phrase.first.part))
    fields, layers = phrase.fields, _each(phrase, name)
    if fields == () and phrase.exact and edit.before is not None:
        replaced = with_particle(f"{_words(edit.before)} {phrase.count}개", "를")
        return f"{replaced} {with_particle(_words(edit.part), '으로')}", CHANGES
    if not fields:
        return f"{layers}를", CHANGES
    if fields in (("bias",), ("affine",)) and phrase.exact:
        what = with_particle(FIELDS[fields[0]], "을")
        return (f"{layers}에 {what}", ADDS) if edit.fields[0][2] else (f"{layers}에서 {what}", REMOVES)
    if kind(edit.part) == "Add":
        return f"덧셈 {phrase.count}개에서 채널 수를 맞추는 방식을", CHANGES
    if not phrase.exact:
        return f"{layers}의 {with_particle(', '.join(FIELDS.get(field, field) for field in fields), '을')}", CHANGES
    values = [f"{FIELDS.get(field, field)}({_value(one)} → {_value(two)})" for field, one, two in edit.fields]
    return f"{layers}의 {with_particle(', '.join(values), '을')}", CHANGES


def _value(found: object) -> str:
    return value(found, yes="예", no="아니요")


def _exactly(part: Part) -> str:
    match part:
        case BatchNorm(affine=affine):
            return "배치 정규화" if affine else "스케일과 시프트가 없는 배치 정규화"
        case Activation(kind=name):
            return f"활성화 함수({ACTIVATIONS.get(name, name)})"
        case Dropout(rate=rate):
            return f"드롭아웃(비율 {rate:g})"
        case Noise(std=std):
            return f"잡음 층(표준편차 {std:g})"
        case _:
            return NAMES.get(kind(part), kind(part))


def _words(part: Part) -> str:
    match part:
        case MaxPool(kernel=kernel, stride=stride):
            return f"최대 풀링 층({_value(kernel)}{_stride(stride)})"
        case AvgPool(kernel=kernel, stride=stride):
            return f"평균 풀링 층({_value(kernel)}{_stride(stride)})"
        case AdaptiveAvgPool(size=size):
            return "전역 평균 풀링 층" if size == (1, 1) else f"평균 풀링 층({_value(size)} 출력)"
        case Conv(kernel=kernel, channels=channels, stride=stride):
            return f"합성곱 층({_value(kernel)}, {channels}채널{_stride(stride)})"
        case Dense(features=features):
            return f"완전 연결 층(출력 {features}개)"
        case _:
            return _exactly(part)


def _stride(stride: tuple[int, int]) -> str:
    return "" if stride == (1, 1) else f", 스트라이드 {stride[0] if stride[0] == stride[1] else _value(stride)}"


def _noun(edit: Edit) -> str:
    layers = [part for part in edit.inside if contents((part,))]
    match kind(edit.part):
        case "Add" if not edit.n_around:
            return "잔차 블록"
        case "Add" | "shortcut" if not layers:
            return "항등 스킵 연결"
        case "Add":
            return "스킵 연결"
        case "Parallel" | "branch" | "shortcut" as name:
            return NAMES[name]
        case _:
            return _words(edit.part)


def _details(edit: Edit) -> str:
    """What a block holds, or what stands behind a layer, said in front of it."""
    layers = [part for part in edit.inside if contents((part,))]
    if len(layers) == 1:
        return f"{with_particle(_words(layers[0]), '이')} 있는 "
    held = [f"{NAMES[name]} {n}개" for name, n in contents(edit.inside).items()]
    if held:
        return f"{with_particle(', '.join(held), '가')} 있는 "
    beside = [_exactly(part) for part in edit.inside if kind(part) in BESIDE]
    return f"{with_particle(', '.join(beside), '이')} 딸린 " if beside else ""
