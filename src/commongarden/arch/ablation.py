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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from commongarden.arch.nodes import (
    Activation,
    Add,
    Auxiliary,
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    MaxPool,
    Node,
    Noise,
    Parallel,
    Repeat,
    Serial,
    children,
    label,
)
from commongarden.errors import ArchError, unknown
from commongarden.i18n.language import _

PART_FACTORS = ("shortcut", "branches", "reductions", "normalization", "pool", "dropout", "auxiliary")
OF_STAGE = "shortcuts of "
Path = tuple[str, ...]
Change = Callable[[Node, Path], "Node | None"]  # what stands in a node's place; None: nothing


@dataclass(frozen=True)
class Part:
    """What can be taken out or swapped. factor: one of PART_FACTORS. name: as a study file spells it. places: the
    paths where it stands, without the network's own name."""

    factor: str
    name: str
    places: tuple[Path, ...]
    change: Change = dataclasses.field(compare=False, repr=False)


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
        *_reductions(nodes),
        *_everywhere(nodes, "normalization", "normalization", BatchNorm, _without_norm),
        *_everywhere(nodes, "pool", "max pool to avg pool", MaxPool, _to_average),
        *_everywhere(nodes, "pool", "avg pool to max pool", AvgPool, _to_max),
        *_everywhere(nodes, "dropout", "dropout", Dropout, _without(Dropout)),
        *_everywhere(nodes, "auxiliary", "auxiliary heads", Auxiliary, _without(Auxiliary)),
    )


def ablated(network: Serial, names: Sequence[str]) -> Serial:
    """The network with these parts taken out or swapped, one after the other. Raises ArchError for a part that it does
    not have."""
    for name in names:
        known = {part.name: part for part in _named(network)}
        if name not in known:
            raise ArchError(unknown("part", name, known, where=label(network)))
        changed = _rewritten(network, (), known[name].change)
        if not isinstance(changed, Serial) or not changed.layers:
            raise ArchError(_("{network}: nothing is left without {part}").format(network=label(network), part=name))
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
        case _:
            pass
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


# Reductions


def _reductions(nodes: list[tuple[Path, Node, bool]]) -> Iterator[Part]:
    narrow = tuple(
        (*path, name)
        for path, node, _inside in nodes
        if isinstance(node, Parallel | Add)
        for name, branch in children(node)
        if isinstance(branch, Serial) and _reduces(branch)
    )
    if narrow:
        yield Part("reductions", "1x1 reductions", narrow, _without_reduction)
    grids = tuple(
        path for path, node, inside in nodes if isinstance(node, Parallel) and not inside and _halves(node) is not None
    )
    if grids:
        yield Part("reductions", "grid reductions", grids, _to_pool)


def _units(layers: Sequence[Node]) -> list[list[Node]]:
    """A row of layers cut into convolutions with the norms and activations that belong to them: those behind each, or
    in a row that begins with such a layer those before it (pre-activation)."""
    before = bool(layers) and isinstance(layers[0], BatchNorm | Activation)
    units: list[list[Node]] = []
    fresh = True
    for layer in layers:
        beside = isinstance(layer, BatchNorm | Activation | Dropout | Noise)
        if before:
            if fresh:
                units.append([])
            units[-1].append(layer)
            fresh = not beside
        elif beside and units:
            units[-1].append(layer)
        else:
            units.append([layer])
    return units


def _linear(unit: Sequence[Node]) -> Conv | None:
    return next((layer for layer in unit if isinstance(layer, Conv)), None)


def _reduces(branch: Serial) -> bool:
    units = [_linear(unit) for unit in _units(branch.layers)]
    first, second = units[0] if units else None, units[1] if len(units) > 1 else None
    return first is not None and first.kernel == (1, 1) and second is not None and second.kernel != (1, 1)


def _without_reduction(node: Node, path: Path) -> Node | None:
    if not isinstance(node, Parallel | Add):
        return node
    return dataclasses.replace(
        node,
        branches=tuple(
            _unreduced(branch) if isinstance(branch, Serial) and _reduces(branch) else branch
            for branch in node.branches
        ),
    )


def _unreduced(branch: Serial) -> Serial:
    """The branch without its first convolution, whose stride the next one takes."""
    first, second, *rest = _units(branch.layers)
    dropped, kept = _linear(first), _linear(second)
    assert dropped is not None
    assert kept is not None
    stride = (dropped.stride[0] * kept.stride[0], dropped.stride[1] * kept.stride[1])
    strided = [dataclasses.replace(kept, stride=stride) if layer is kept else layer for layer in second]
    return dataclasses.replace(branch, layers=tuple(layer for unit in (strided, *rest) for layer in unit))


def _halves(module: Parallel) -> tuple[int, int] | None:
    """The stride of a module whose branches all have the same one above 1."""
    strides = {_stride(branch) for branch in module.branches}
    (stride,) = strides if len(strides) == 1 else ((1, 1),)
    return stride if max(stride) > 1 else None


def _stride(node: Node) -> tuple[int, int]:
    height, width = getattr(node, "stride", (1, 1))
    inner = [_stride(child) for _name, child in children(node)]
    if isinstance(node, Serial):
        for one, two in inner:
            height, width = height * one, width * two
    elif inner:
        height, width = max(inner)
    return height, width


def _to_pool(node: Node, path: Path) -> Node | None:
    stride = _halves(node) if isinstance(node, Parallel) else None
    if stride is None:
        return node
    pool = next((leaf for leaf in _leaves(node) if isinstance(leaf, MaxPool | AvgPool) and leaf.stride == stride), None)
    if pool is not None:
        return MaxPool(pool.kernel, pool.stride, pool.padding, pool.ceil_mode)
    return MaxPool((stride[0] + 1, stride[1] + 1), stride)


def _leaves(node: Node) -> Iterator[Node]:
    below = children(node)
    if not below:
        yield node
    for _name, child in below:
        yield from _leaves(child)


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


def _to_average(node: Node, path: Path) -> Node | None:
    if not isinstance(node, MaxPool):
        return node
    return AvgPool(node.kernel, node.stride, node.padding, node.ceil_mode)


def _to_max(node: Node, path: Path) -> Node | None:
    if not isinstance(node, AvgPool):
        return node
    return MaxPool(node.kernel, node.stride, node.padding, node.ceil_mode)
