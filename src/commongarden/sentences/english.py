"""The difference between two networks in English."""

from __future__ import annotations

import re
from collections.abc import Sequence

from commongarden.arch import UNKNOWN, BatchNorm, Conv, Dense, Difference, Dropout, Edit, MaxPool, Noise
from commongarden.arch.difference import BESIDE, Joint, Part, kind
from commongarden.arch.nodes import Activation, AdaptiveAvgPool, AvgPool
from commongarden.sentences.phrases import Phrase, contents, phrases

NAMES = {
    "convolution": "convolution", "dense layer": "dense layer", "pool": "pool", "batch norm": "batch norm",
    "activation": "activation", "dropout": "dropout", "noise": "noise layer", "Parallel": "module", "Add": "sum",
    "branch": "branch", "shortcut": "shortcut",
}  # fmt: skip
FIELDS = {
    "affine": "scale and shift", "ceil_mode": "rounding up", "count_padding": "counting of padding", "kind": "function",
    "std": "standard deviation", "channels": "number of channels", "features": "number of outputs",
    "groups": "number of groups",
}  # fmt: skip
ACTIVATIONS = {
    "relu": "ReLU", "leaky_relu": "leaky ReLU", "elu": "ELU", "gelu": "GELU", "silu": "SiLU", "tanh": "tanh",
    "sigmoid": "sigmoid",
}  # fmt: skip


def sentence(found: Difference) -> str:
    """One sentence: the edits, then parameters, MACs, activation bytes, and depth where it changes."""
    said, rest = phrases(found)
    parts = [_phrase(phrase) for phrase in said]
    if rest:
        parts.append(f"makes {rest} other edit{'s' if rest > 1 else ''}")
    before, after = found.before, found.after
    costs = [f"{after.n_params - before.n_params:+,} parameters"]
    if UNKNOWN not in (before.macs, after.macs):
        costs.append(f"{after.macs - before.macs:+,} MACs")
    if before.activation_bytes > 0 and after.activation_bytes != UNKNOWN:
        costs.append(f"{growth(before.activation_bytes, after.activation_bytes)} % activation bytes")
    if after.depth != before.depth:
        costs.append(f"depth {before.depth} to {after.depth}")
    return f"{listed(parts) or 'changes nothing'}: {', '.join(costs)}"


def growth(before: int, after: int) -> str:
    """
    >>> growth(100, 133), growth(2, 1), growth(5, 5)
    ('+33.0', '-50.0', '+0.0')
    """
    return f"{100 * (after - before) / before:+.1f}".replace("-0.0", "+0.0")


def listed(parts: Sequence[str]) -> str:
    """
    >>> listed(["adds a", "drops b", "moves c"])
    'adds a, drops b and moves c'
    """
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _phrase(phrase: Phrase) -> str:
    match phrase.first.action:
        case "change":
            return _change(phrase)
        case "move":
            return _move(phrase)
        case action:
            return f"{action}s {_added(phrase)}"


def _move(phrase: Phrase) -> str:
    edit, layer = phrase.first, NAMES.get(phrase.first.anchor, phrase.first.anchor)
    what = _exactly(edit.part) if phrase.exact else NAMES[kind(edit.part)]
    match (edit.place_before, edit.place):
        case ("after", "between"):
            where = "from behind the activation to before it"
        case ("between", "after"):
            where = "from before the activation to behind it"
        case (_, "before"):
            where = f"to before the {layer}"
        case _:
            where = f"to behind the {layer}"
    return f"moves {what} {where} at {_each(phrase)}"


def _added(phrase: Phrase) -> str:
    edit, n = phrase.first, phrase.count
    name = kind(edit.part)
    if not phrase.exact:
        if edit.place and phrase.placed and not edit.n_around:
            return f"{NAMES.get(name, name)}{_place(phrase)}"
        around = name == "Add" and all(edit.n_around for edit in phrase.edits)
        return counted(n, "shortcut" if around else NAMES.get(name, name))
    if edit.place and edit.place != "around":
        return f"{_exactly(edit.part)}{_place(phrase)}"
    if name == "Add" and edit.n_around:
        return counted(1, _noun(edit), _details(edit)) + _around(edit, n)
    details = _details(edit)
    return counted(n, _noun(edit), f"{details} each" if details and n > 1 else details)


def _around(edit: Edit, n: int) -> str:
    group = {1: "convolution", 2: "pair of convolutions"}.get(edit.n_around, f"group of {edit.n_around} convolutions")
    return f" around {f'each of {counted(n, group)}' if n > 1 else f'a {group}'}"


def _place(phrase: Phrase) -> str:
    edit = phrase.first
    if edit.place == "between":
        return f" between {_each(phrase)} and its activation"
    return f" {edit.place} {_each(phrase)}"


def _each(phrase: Phrase, name: str = "") -> str:
    name = name or NAMES.get(phrase.first.anchor, phrase.first.anchor)
    return f"each of {counted(phrase.count, name)}" if phrase.count > 1 else f"{_article(name)} {name}"


def _change(phrase: Phrase) -> str:
    edit, name = phrase.first, NAMES.get(kind(phrase.first.part), kind(phrase.first.part))
    fields = phrase.fields
    if fields == () and phrase.exact and edit.before is not None:
        return f"replaces {_each(phrase, _words(edit.before))} by {_article(_words(edit.part))} {_words(edit.part)}"
    if not fields:
        return f"changes {counted(phrase.count, name)}"
    if fields in (("bias",), ("affine",)) and phrase.exact:
        what = FIELDS.get(fields[0], fields[0])
        given = bool(edit.fields[0][2])
        a = "a " if fields == ("bias",) else ""
        return f"gives {_each(phrase, name)} {a}{what}" if given else f"drops the {what} of {_each(phrase, name)}"
    if isinstance(edit.part, Joint) and edit.part.kind == "Add":
        return f"changes how {_each(phrase, name)} joins unequal channels"
    if not phrase.exact:
        return f"changes the {listed([FIELDS.get(field, field) for field in fields])} of {counted(phrase.count, name)}"
    values = [f"{FIELDS.get(field, field)} ({value(one)} to {value(two)})" for field, one, two in edit.fields]
    return f"changes the {listed(values)} of {_each(phrase, name)}"


def counted(n: int, name: str, details: str = "") -> str:
    """
    >>> counted(1, "identity shortcut"), counted(3, "branch"), counted(2, "pair of convolutions")
    ('an identity shortcut', '3 branches', '2 pairs of convolutions')
    """
    if n == 1:
        return f"{_article(name)} {name}{details}"
    head = re.split(r" (?:of|with) | \(", name)[0]
    plural = head + ("es" if head.endswith(("ch", "s", "x")) else "s")
    return f"{n} {plural}{name.removeprefix(head)}{details}"


def value(found: object, *, yes: str = "yes", no: str = "no") -> str:
    """A field's value as people write it."""
    if isinstance(found, tuple):
        return "×".join(map(str, found)) if len(found) == 2 else "/".join(map(str, found))
    if isinstance(found, bool):
        return yes if found else no
    return ACTIVATIONS.get(str(found), str(found))


def _article(name: str) -> str:
    return "an" if name[:1] in "aeiou" else "a"


def _exactly(part: Part) -> str:
    """A batch norm, activation, dropout or noise with what is worth saying of it."""
    match part:
        case BatchNorm(affine=affine):
            return "batch norm" if affine else "batch norm without scale and shift"
        case Activation(kind=name):
            return ACTIVATIONS.get(name, name)
        case Dropout(rate=rate):
            return f"dropout of {rate:g}"
        case Noise(std=std):
            return f"noise of {std:g}"
        case _:
            return NAMES.get(kind(part), kind(part))


def _words(part: Part) -> str:
    """A pool, convolution or dense layer in a few words."""
    match part:
        case MaxPool(kernel=kernel, stride=stride):
            return f"max pool ({value(kernel)}{_stride(stride)})"
        case AvgPool(kernel=kernel, stride=stride):
            return f"average pool ({value(kernel)}{_stride(stride)})"
        case AdaptiveAvgPool(size=size):
            return "global average pool" if size == (1, 1) else f"average pool (to {value(size)})"
        case Conv(kernel=kernel, channels=channels, stride=stride):
            return f"convolution ({value(kernel)}, {channels} channels{_stride(stride)})"
        case Dense(features=features):
            return f"dense layer ({features} outputs)"
        case _:
            return _exactly(part)


def _stride(stride: tuple[int, int]) -> str:
    return "" if stride == (1, 1) else f", stride {stride[0] if stride[0] == stride[1] else value(stride)}"


def _noun(edit: Edit) -> str:
    layers = [part for part in edit.inside if contents((part,))]
    match kind(edit.part):
        case "Add" if not edit.n_around:
            return "residual block"
        case "Add" | "shortcut" if not layers:
            return "identity shortcut"
        case "Add":
            return "shortcut"
        case "Parallel":
            return "module of branches"
        case "branch" | "shortcut" as name:
            return name
        case _:
            return _words(edit.part)


def _details(edit: Edit) -> str:
    """What a block holds, or what stands behind a layer."""
    held = [counted(n, NAMES[name]) for name, n in contents(edit.inside).items()]
    layers = [part for part in edit.inside if contents((part,))]
    if len(layers) == 1:
        return f" with {_article(_words(layers[0]))} {_words(layers[0])}"
    if held:
        return f" with {listed(held)}"
    beside = [_exactly(part) for part in edit.inside if kind(part) in BESIDE]
    return f" with {listed(beside)}" if beside else ""
