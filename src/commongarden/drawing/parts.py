"""What a drawing of a network shows: boxes, rows, forks, sums and frames, folded from the tree of nodes.

A convolution with its batch norm and activation is one box that says their order. Equal blocks in a row are one frame
with their count. Below the depth asked for, a block is one box.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from commongarden import arch
from commongarden.arch import Node, Shape, children, label, leaves, output_shape

Style = Literal["conv", "pool", "dense", "small", "group", "end"]
Named = tuple[str, Node]
ACTIVATIONS = {"relu": "ReLU", "leaky_relu": "leaky ReLU", "elu": "ELU", "gelu": "GELU", "silu": "SiLU"}
COUNTED: dict[type[Node], str] = {
    arch.Conv: "conv", arch.Dense: "dense", arch.MaxPool: "pool", arch.AvgPool: "pool", arch.AdaptiveAvgPool: "pool",
}  # fmt: skip


@dataclass(frozen=True)
class Box:
    """One layer, or one block that is not looked into: a line of text, and a small one below where there is one."""

    text: str
    small: str
    style: Style
    input: Shape
    output: Shape


@dataclass(frozen=True)
class Row:
    """Parts one below the other; without parts, a line that passes its input on."""

    parts: tuple[Part, ...]
    input: Shape
    output: Shape


@dataclass(frozen=True)
class Fork:
    """Branches side by side, concatenated."""

    branches: tuple[Row, ...]
    input: Shape
    output: Shape


@dataclass(frozen=True)
class Sum:
    """A body and the shortcuts around it, added; a shortcut without parts is the input itself."""

    body: Row
    shortcuts: tuple[Row, ...]
    input: Shape
    output: Shape


@dataclass(frozen=True)
class Frame:
    """A named part of the network around what it holds, drawn once for `times` equal ones in a row."""

    title: str
    times: int
    body: Row
    input: Shape
    output: Shape


Part = Box | Fork | Sum | Frame


def parts_of(network: Node, input: Shape, depth: int | None = None) -> Row:
    """What is drawn of a network. depth: how many levels of blocks are looked into; None for all."""
    if isinstance(network, arch.Serial):
        network = dataclasses.replace(network, name="")
    elif isinstance(network, arch.Repeat):
        network = arch.Serial((network,))
    level = 1000 if depth is None else depth
    if isinstance(network, arch.Serial):
        return _row(network, input, level)
    (part,) = _inside(network, input, level)
    return Row((part,), input, part.output)


def _row(node: Node, shape: Shape, level: int) -> Row:
    start, parts = shape, []
    for unit in _units(_flat(node)):
        made = _leaf_box(unit, shape) if not children(unit[0][1]) else _block(*unit[0], shape, level)
        if made is not None:
            parts.append(made)
        for _, layer in unit:
            shape = output_shape(layer, shape)
    return Row(tuple(_once(parts)), start, shape)


def _flat(node: Node) -> list[Named]:
    """The layers and blocks in a row: unnamed serials laid flat, repeats written out."""
    if not isinstance(node, arch.Serial | arch.Repeat):
        return [("", node)]
    layers = node.layers if isinstance(node, arch.Serial) else (node,)
    copied = [isinstance(layer, arch.Repeat) for layer in layers for _ in range(getattr(layer, "times", 1))]
    row: list[Named] = []
    for (name, child), is_copy in zip(children(node), copied, strict=True):
        if is_copy:  # also one layer by itself is a block, so that it is drawn once with its count
            row.append((name, child if children(child) else arch.Serial((child,))))
        else:
            row += _flat(child) if isinstance(child, arch.Serial) and not child.name else [(name, child)]
    return row


def _units(row: list[Named]) -> list[list[Named]]:
    """Each linear layer with the batch norm and activation that belong to it, in their order.

    Behind it, unless the row begins with one of those: then it is pre-activation, and they belong to the layer that
    follows (He et al. 2016).
    """
    first = next((i for i, (_, node) in enumerate(row) if isinstance(node, arch.Conv | arch.Dense)), None)
    before = (
        first is not None and first > 0 and all(isinstance(n, arch.BatchNorm | arch.Activation) for _, n in row[:first])
    )
    units: list[list[Named]] = []
    waiting: list[Named] = []
    for named in row:
        node = named[1]
        if isinstance(node, arch.BatchNorm | arch.Activation):
            if before:
                waiting.append(named)
            elif units and _linear(units[-1]) and not any(isinstance(n, type(node)) for _, n in units[-1]):
                units[-1].append(named)
            else:
                units.append([named])
            continue
        if isinstance(node, arch.Conv | arch.Dense) and len({type(n) for _, n in waiting}) == len(waiting):
            units.append([*waiting, named])
        else:
            units += [[one] for one in waiting] + [[named]]
        waiting = []
    return units + [[one] for one in waiting]


def _linear(unit: list[Named]) -> bool:
    return any(isinstance(node, arch.Conv | arch.Dense) for _, node in unit)


def _once(parts: Sequence[Part]) -> list[Part]:
    """Equal blocks in a row as one frame or box with their count."""
    drawn: list[Part] = []
    for _, equal in itertools.groupby(parts, _without_name):
        run = list(equal)
        first = run[0]
        if len(run) == 1 or (isinstance(first, Box) and first.style != "group"):
            drawn += run
        elif isinstance(first, Frame):
            title = _together([part.title for part in run if isinstance(part, Frame)])
            drawn.append(dataclasses.replace(first, title=title, times=len(run)))
        elif isinstance(first, Box):
            title = _together([part.text for part in run if isinstance(part, Box)])
            drawn.append(dataclasses.replace(first, text=f"{title} ×{len(run)}".strip()))
        else:
            row = Row((first,), first.input, first.output)
            drawn.append(Frame("", len(run), row, first.input, first.output))
    return drawn


def _without_name(part: Part) -> Part:
    if isinstance(part, Frame):
        return dataclasses.replace(part, title="")
    return dataclasses.replace(part, text="") if isinstance(part, Box) and part.style == "group" else part


def _together(titles: list[str]) -> str:
    """
    >>> _together(["block 1", "block 2"]), _together(["block 2", "block 3"]), _together(["left", "right"])
    ('block', 'blocks 2–3', 'left – right')
    """
    first, last = titles[0], titles[-1]
    numbered = [re.fullmatch(r"(.*\D)(\d+)", title) for title in (first, last)]
    if numbered[0] and numbered[1] and numbered[0][1] == numbered[1][1]:
        name = numbered[0][1].rstrip()
        return name if numbered[0][2] == "1" else f"{name}s {numbered[0][2]}–{numbered[1][2]}"
    return first if first == last else f"{first} – {last}"


def _block(name: str, node: Node, shape: Shape, level: int) -> Part:
    title = getattr(node, "name", "") or (name if re.search(r" \d+$", name) else "")
    output = output_shape(node, shape)
    if not isinstance(
        node, arch.Serial | arch.Repeat | arch.Parallel | arch.Add
    ):  # a kind that drawings do not know is one box
        return Box(label(node), _contents(node), "group", shape, output)
    if level <= 0:
        return Box(
            title or ("sum" if isinstance(node, arch.Add) else "module"), _contents(node), "group", shape, output
        )
    inside = _inside(node, shape, level - 1)
    if not title:
        if len(inside) == 1:
            return inside[0]
    elif len(inside) == 1 and isinstance(inside[0], Frame) and not inside[0].title:
        return dataclasses.replace(inside[0], title=title)
    return Frame(title, 1, Row(tuple(inside), shape, output), shape, output)


def _inside(node: Node, shape: Shape, level: int) -> list[Part]:
    output = output_shape(node, shape)
    match node:
        case arch.Parallel(branches=branches):
            return [Fork(tuple(_row(branch, shape, level) for branch in map(_bare, branches)), shape, output)]
        case arch.Add(branches=(body, *others), input=with_input):
            shortcuts = [_row(_bare(other), shape, level) for other in others]
            if with_input:
                shortcuts.append(Row((), shape, shape))
            return [Sum(_row(_bare(body), shape, level), tuple(shortcuts), shape, output)]
        case _:
            blocks = [child for _, child in _flat(node) if children(child)]
            # a block that holds one sum or fork, and at most layers beside it, is one level, not two
            alone = len(blocks) == 1 and isinstance(blocks[0], arch.Add | arch.Parallel) and not blocks[0].name
            return list(_row(node, shape, level + alone).parts)


def _bare(branch: Node) -> Node:
    """A branch without its name: where it stands says what it is."""
    return dataclasses.replace(branch, name="") if isinstance(branch, arch.Serial) else branch


def _contents(node: Node) -> str:
    counts = Counter(COUNTED[type(leaf)] for leaf in leaves(node) if type(leaf) in COUNTED)
    return ", ".join(f"{n} {kind}{'s' if n > 1 and kind != 'dense' else ''}" for kind, n in counts.items())


def _leaf_box(unit: list[Named], shape: Shape) -> Box | None:
    nodes = [node for _, node in unit]
    linear = next((node for node in nodes if isinstance(node, arch.Conv | arch.Dense)), nodes[0])
    if isinstance(linear, arch.Serial):  # an empty one passes its input on
        return None
    text, style = _text(linear, shape)
    small = " → ".join(_letter(node) for node in nodes) if len(nodes) > 1 else ""
    return Box(text, small, style, shape, output_shape(arch.Serial(tuple(nodes)), shape))


def _letter(node: Node) -> str:
    if isinstance(node, arch.Activation):
        return ACTIVATIONS.get(node.kind, node.kind)
    return "BN" if isinstance(node, arch.BatchNorm) else COUNTED.get(type(node), type(node).__name__)


def _text(node: Node, shape: Shape) -> tuple[str, Style]:
    match node:
        case arch.Conv(kernel=kernel, channels=channels):
            notes = [f"{kernel[0]}×{kernel[1]} conv", f"{channels}"]
            notes += _stride(node.stride)
            if node.groups > 1:
                notes.append("depthwise" if node.groups == shape[-1] else f"{node.groups} groups")
            if node.dilation != (1, 1):
                notes.append(f"dilation {_pair(node.dilation)}")
            if node.padding == "valid" and kernel != (1, 1):
                notes.append("valid")
            return ", ".join(notes), "conv"
        case arch.Dense(features=features):
            return f"dense, {features:,}", "dense"
        case arch.MaxPool(kernel=kernel, stride=stride):
            return ", ".join([f"{kernel[0]}×{kernel[1]} max pool", *_stride(stride)]), "pool"
        case arch.AvgPool(kernel=kernel, stride=stride):
            return ", ".join([f"{kernel[0]}×{kernel[1]} avg pool", *_stride(stride)]), "pool"
        case arch.AdaptiveAvgPool(size=size):
            return ("global avg pool" if size == (1, 1) else f"avg pool to {size[0]}×{size[1]}"), "pool"
        case arch.BatchNorm():
            return "batch norm", "small"
        case arch.Activation(kind=kind):
            return ACTIVATIONS.get(kind, kind), "small"
        case arch.Dropout(rate=rate):
            return f"dropout {rate:g}", "small"
        case arch.Noise(std=std):
            return f"noise {std:g}", "small"
        case _:
            return type(node).__name__, "small"


def _stride(stride: tuple[int, int]) -> list[str]:
    return [] if stride == (1, 1) else [f"/{_pair(stride)}"]


def _pair(size: tuple[int, int]) -> str:
    return str(size[0]) if size[0] == size[1] else f"{size[0]}×{size[1]}"
