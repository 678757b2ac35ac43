"""What a piece of work computes, as the list of torch's operators that it calls.

Replayed, a tape calls the same operators over the same weights in the same order, without the modules, hooks and the
bookkeeping of gradients around them, which are an eighth of a small network's step on a processor
(docs/performance.md). So the numbers are the same to the bit, as long as the work does the same each time: a tape knows
nothing of conditions, nor of random numbers that are not torch's.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from commongarden.train import torch_private

AS_EVER = 20  # steps of a run before one is recorded, which takes as long as five: a short run would not win them back

Place = tuple[Any, ...]  # where in memory a tensor's numbers lie, and how


@dataclass(frozen=True)
class RecordedStep:
    """constants: the tensors that the work found rather than made (weights, running statistics), which it reads and
    changes where they are."""

    call: Callable[..., list[Tensor]]
    constants: tuple[Tensor, ...]

    def replay(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """The results for inputs shaped as those of the recording. They have no gradients."""
        with torch.no_grad():
            return self.call(*inputs, *self.constants)


def record(work: Callable[[], Sequence[Tensor]], inputs: Sequence[Tensor]) -> RecordedStep | None:
    """Does the work once and writes it down; none where a number of torch's became one of Python's on the way, on which
    the rest may hang, or where this version of torch does not show its operators.

    work: from `inputs` and whatever it holds to tensors, the results of a replay.
    """
    if not torch_private.CAN_RECORD:
        work()
        return None
    writer = _Writer(inputs)
    with writer:
        results = work()
    return writer.tape(results)


class _Writer(torch_private.TorchDispatchMode):
    """A graph's operators as they are called.

    A tensor is known by its place: what autograd keeps for the way back is another tensor in the same place.
    """

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._graph = fx.Graph()
        # held, so that no later one is given the number of one let go
        self._stores: dict[int, torch_private.StorageWeakRef] = {}
        self._nodes: dict[Place, fx.Node] = {}
        self._last_given: fx.Node | None = None
        self._constants: list[Tensor] = []
        self._fit = True
        for tensor in inputs:
            self._nodes[self._place(tensor)] = self._given()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and torch would load its compiler (uncompiled.py) to mark it so

    def __torch_dispatch__(
        self, called: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if called.namespace == "profiler":  # marks, which compute nothing
            return called(*args, **kwargs)
        given = (torch_private.map_aggregate(part, self._read) for part in (args, kwargs))
        written = self._graph.call_function(called, *given)
        results = called(*args, **kwargs)
        parts = results if isinstance(results, tuple | list) else (results,)
        self._fit &= all(part is None or isinstance(part, Tensor) for part in parts)
        for number, part in enumerate(parts):
            if isinstance(part, Tensor) and self._place(part) not in self._nodes:
                read = written if part is results else self._graph.call_function(operator.getitem, (written, number))
                self._nodes[self._place(part)] = read
        return results

    def tape(self, results: Sequence[Tensor]) -> RecordedStep | None:
        """Of what was called so far, as much as the results and what the work changed hang on."""
        if not self._fit:
            return None
        self._graph.output([self._read(result) for result in results])
        self._graph.eliminate_dead_code(_does_more)
        return RecordedStep(_function(self._graph), tuple(self._constants))

    def _read(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        place = self._place(value)
        if place not in self._nodes:
            self._nodes[place] = self._given()
            self._constants.append(value)
        return self._nodes[place]

    def _given(self) -> fx.Node:
        with self._graph.inserting_after(self._last_given):
            self._last_given = self._graph.placeholder(f"given_{len(self._nodes)}")
        return self._last_given

    def _place(self, tensor: Tensor) -> Place:
        store = torch_private.StorageWeakRef(tensor.untyped_storage())
        self._stores.setdefault(store.cdata, store)
        return store.cdata, tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype


def _does_more(node: fx.Node) -> bool:
    """Whether an operator is needed though nobody reads its results: it changes a tensor, or draws random numbers."""
    if node.op != "call_function":
        return True
    if not isinstance(node.target, torch_private.OpOverload):
        return False
    return torch_private.is_mutable(node.target) or torch.Tag.nondeterministic_seeded in node.target.tags


def _function(graph: fx.Graph) -> Callable[..., list[Tensor]]:
    """The graph as a function: a line for each operator, and each result let go behind the last line that reads it. A
    line holds names only; what they stand for is given beside them.

    torch.fx writes such functions too. Its lines look each operator up by its name and call it through a method, which
    is half of what a tape saves.
    """
    bound: dict[str, Any] = {}

    def written(value: Any) -> str:
        if isinstance(value, fx.Node):
            return value.name
        if isinstance(value, list | tuple) and any(isinstance(part, fx.Node) for part in value):
            return f"[{', '.join(map(written, value))}]"
        name = f"bound_{len(bound)}"
        bound[name] = list(value) if isinstance(value, list) else value  # torch is slower with fx's own kind of list
        return name

    last_read = {read: node for node in graph.nodes for read in node.all_input_nodes}
    given, lines = [], []
    for node in graph.nodes:
        if node.op == "placeholder":
            given.append(node.name)
            continue
        arguments = [written(value) for value in node.args]
        arguments += [f"{name}={written(value)}" for name, value in node.kwargs.items()]
        if node.op == "output":
            lines.append(f"return {arguments[0]}")
            continue
        called = torch_private.direct(node.target)
        lines.append(f"{node.name} = {written(called)}({', '.join(arguments)})")
        over = [read.name for read in node.all_input_nodes if last_read[read] is node] + [node.name] * (not node.users)
        if over:
            lines.append(f"del {', '.join(over)}")
    exec(f"def replay({', '.join(given)}):\n    " + "\n    ".join(lines), bound)
    function: Callable[..., list[Tensor]] = bound["replay"]
    return function
