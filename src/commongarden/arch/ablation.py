"""One change at a time: the parts of a network that can be taken out, or swapped, by the names a study file gives them.

    branch 3 of inception a     that branch of every module of this form
    shortcuts                   all of them; "shortcuts of stage 2": those in the part of that name
    1x1 reductions              1x1 convolutions that lead a branch or a body, before a larger kernel
    grid reductions             each module that halves the image becomes a max pool that does
    normalization               every batch norm; convolutions that had no bias because of it get one
    max pool to avg pool        every one, with its window; "avg pool to max pool" likewise
    dropout, auxiliary heads    every one

A part that is taken out leaves nothing behind: what follows has fewer input channels, so its cost falls too. Of several
parts each is taken out of what the ones before it have left.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Sequence

from commongarden.arch.nodes import (
    Add,
    Auxiliary,
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    MaxPool,
    Node,
    Parallel,
    Repeat,
    Serial,
    children,
    label,
)
from commongarden.arch.part import Change, Part, Path
from commongarden.arch.reductions import reductions
from commongarden.errors import ArchError, check_known
from commongarden.i18n.language import _

PART_FACTORS = ("shortcut", "branches", "reductions", "normalization", "pool", "dropout", "auxiliary")
OF_STAGE = "shortcuts of "


def parts(network: Serial) -> tuple[Part, ...]:
    """All parts, by factor. Whether the network still fits together without one is for `trace` to say."""
    found = _named(network)
    only_stage = sum(part.name.startswith(OF_STAGE) for part in found) == 1
    return tuple(part for part in found if not (only_stage and part.name.startswith(OF_STAGE)))


def _named(network: Serial) -> tuple[Part, ...]:
    """All that has a name; the shortcuts of a single stage, which are all there are, too."""
    nodes = list(_walk(network, ()))
    return (
        *_shortcuts(nodes),
        *_branches(nodes),
        *reductions(nodes),
        *_everywhere(nodes, "normalization", "normalization", BatchNorm, _without_norm),
        *_everywhere(nodes, "pool", "max pool to avg pool", MaxPool, _repooled(AvgPool)),
        *_everywhere(nodes, "pool", "avg pool to max pool", AvgPool, _repooled(MaxPool)),
        *_everywhere(nodes, "dropout", "dropout", Dropout, _without(Dropout)),
        *_everywhere(nodes, "auxiliary", "auxiliary heads", Auxiliary, _without(Auxiliary)),
    )


def ablated(network: Serial, names: Sequence[str]) -> Serial:
    """The network with these parts taken out or swapped, one after the other. Raises ArchError for a part that it does
    not have."""
    for name in names:
        known = {part.name: part for part in _named(network)}
        check_known("part", [name], known, ArchError, where=label(network))
        changed = _rewritten(network, (), known[name].change)
        if not isinstance(changed, Serial) or not changed.layers:
            raise ArchError(_("{network}: no layers are left without {part}").format(network=label(network), part=name))
        network = changed
    return network


def _walk(node: Node, path: Path, inside: bool = False) -> Iterator[tuple[Path, Node, bool]]:
    """Every node with its path, and whether it lies in a branch of a module."""
    yield path, node, inside
    for name, child in children(node):
        yield from _walk(child, (*path, name), inside or isinstance(node, Parallel))


def _rewritten(node: Node, path: Path, change: Change) -> Node | None:
    """The tree with every node given to `change`, the inner ones first. A serial or body of which nothing is left goes
    too, a branch of which nothing is left passes its input on."""
    match node:
        case Serial() | Auxiliary():
            rows = [_rewritten(child, (*path, name), change) for name, child in _row(node)]
            layers = tuple(_flat(row for row in rows if row is not None))
            if not layers and node.layers:
                return None
            node = dataclasses.replace(node, layers=layers)
        case Parallel() | Add():
            branches = tuple(
                new if (new := _rewritten(child, (*path, name), change)) is not None else Serial(())
                for name, child in children(node)
            )
            node = dataclasses.replace(node, branches=branches)
        case Repeat():
            body = _rewritten(node.body, (*path, children(node)[0][0]), change)
            if body is None:
                return None
            node = dataclasses.replace(node, body=body)
    return change(node, path)


def _row(node: Serial | Auxiliary) -> Iterator[tuple[str, Node]]:
    """The layers with their labels in paths; a repeat, whose copies have labels of their own, passes the path on by its
    first copy."""
    labels = [name for name, _child in children(node)]
    place = 0
    for layer in node.layers:
        yield labels[place], layer
        place += layer.times if isinstance(layer, Repeat) else 1


def _flat(layers: Iterator[Node]) -> Iterator[Node]:
    for layer in layers:
        if isinstance(layer, Serial) and not layer.name:
            yield from layer.layers
        else:
            yield layer


# Shortcuts


def _shortcuts(nodes: list[tuple[Path, Node, bool]]) -> Iterator[Part]:
    sums = tuple(path for path, node, _ in nodes if isinstance(node, Add) and (node.input or len(node.branches) > 1))
    if not sums:
        return
    yield Part("shortcut", "shortcuts", sums, _without_shortcut(None))
    for stage in dict.fromkeys(path[0] for path in sums if path):
        inside = tuple(path for path in sums if path[:1] == (stage,))
        yield Part("shortcut", f"{OF_STAGE}{stage}", inside, _without_shortcut(stage))


def _without_shortcut(stage: str | None) -> Change:
    def change(node: Node, path: Path) -> Node | None:
        if not isinstance(node, Add) or (stage is not None and path[:1] != (stage,)):
            return node
        body = node.branches[0]  # a sum's first branch is its body, the others are its shortcuts
        layers = body.layers if isinstance(body, Serial) else (body,)
        return Serial(layers, node.name)

    return change


# Modules of branches


def _modules(nodes: list[tuple[Path, Node, bool]]) -> dict[str, list[tuple[Path, Parallel]]]:
    """Modules that lie in no other one, those of one form together, by what they are called."""
    forms: dict[object, list[tuple[Path, Parallel]]] = {}
    for path, node, inside in nodes:
        if isinstance(node, Parallel) and not inside and len(node.branches) > 1:
            forms.setdefault(_form(node), []).append((path, node))
    named: dict[str, list[tuple[Path, Parallel]]] = {}
    for group in forms.values():
        name = _called([path[-1] if path else label(node) for path, node in group])
        if name in named:  # two forms under one name, told apart by where the second one begins
            name = " / ".join(group[0][0])
        named[name] = group
    return named


def _form(node: Node) -> object:
    """What modules of one form share: kinds, kernels and strides, but no widths."""
    stride = getattr(node, "stride", None)
    return (
        label(node) if not children(node) else type(node).__name__,
        stride,
        tuple(_form(child) for _name, child in children(node)),
    )


def _called(names: Sequence[str]) -> str:
    """
    >>> _called(["inception a1", "inception a2"]), _called(["module 3a", "module 3b"]), _called(["reduction 6a"])
    ('inception a', 'module 3', 'reduction 6a')
    """
    if len(set(names)) == 1:
        return names[0] if len(names) == 1 else re.sub(r" \d+$", "", names[0])
    alike = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in alike).strip(" -_/") or names[0]


def _branches(nodes: list[tuple[Path, Node, bool]]) -> Iterator[Part]:
    for called, group in _modules(nodes).items():
        places = tuple(path for path, _node in group)
        for i, (branch, _child) in enumerate(children(group[0][1])):
            yield Part("branches", f"{branch} of {called}", places, _without_branch(frozenset(places), i))


def _without_branch(places: frozenset[Path], i: int) -> Change:
    def change(node: Node, path: Path) -> Node | None:
        if not isinstance(node, Parallel) or path not in places:
            return node
        left = (*node.branches[:i], *node.branches[i + 1 :])
        if len(left) > 1:
            return dataclasses.replace(node, branches=left)
        return Serial(left[0].layers if isinstance(left[0], Serial) else left, node.name)

    return change


# What is changed wherever it stands


def _everywhere(
    nodes: list[tuple[Path, Node, bool]], factor: str, name: str, kind: type[Node], change: Change
) -> Iterator[Part]:
    places = tuple(path for path, node, _inside in nodes if isinstance(node, kind))
    if places:
        yield Part(factor, name, places, change)


def _without(kind: type[Node]) -> Change:
    return lambda node, path: None if isinstance(node, kind) else node


def _without_norm(node: Node, path: Path) -> Node | None:
    if isinstance(node, BatchNorm):
        return None
    return dataclasses.replace(node, bias=True) if isinstance(node, Conv | Dense) and not node.bias else node


def _repooled(kind: type[MaxPool | AvgPool]) -> Change:
    """Every pool becomes one of this kind, with its window."""

    def change(node: Node, path: Path) -> Node | None:
        if not isinstance(node, MaxPool | AvgPool) or isinstance(node, kind):
            return node
        return kind(node.kernel, node.stride, node.padding, node.ceil_mode)

    return change
