"""Where the time of a training step goes, layer by layer: time stamps around every module's work, forward and backward.

A step's time is laid out without gaps. In the forward pass a module's own time is that of its call without the calls
inside. In the backward pass the autograd engine works off the graph in the reverse order of its making, one node at a
time, so a stamp where the node behind a module's output begins also ends what came before it: gradients of the weights
are written in between and belong to the module. What making a stamp takes is left out where it can be.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from commongarden.train.activations import tensors
from commongarden.train.torch_private import at_end_of_backward

Now = Callable[[], int]  # nanoseconds


def clock(device: torch.device, threads: int) -> tuple[Now, bool]:
    """What time is read from, and whether it is the processor time of this thread.

    Where one thread does all the work, its processor time is what the work takes, without the turns of other programs.
    """
    if device.type == "cuda":
        return lambda: _waited(lambda: torch.cuda.synchronize(device)), False
    if device.type == "mps":
        return lambda: _waited(torch.mps.synchronize), False
    if threads == 1 and hasattr(time, "thread_time_ns"):
        return time.thread_time_ns, True
    return time.perf_counter_ns, False


def _waited(synchronize: Callable[[], object]) -> int:
    synchronize()
    return time.perf_counter_ns()


class Stopwatch:
    """Takes the time of one network's training steps.

    phases: nanoseconds of the last step by phase. forward, backward: nanoseconds of the last watched step by place in
    `names`, the modules' dotted names; the last place is what no module did.
    """

    def __init__(self, classifier: nn.Module, optimizer: torch.optim.Optimizer, now: Now) -> None:
        self.now = now
        self.classifier = classifier
        self.modules = [(name, module) for name, module in classifier.named_modules() if name]
        self.names = [name for name, _ in self.modules]
        self.phases: dict[str, int] = {}
        self.forward = [0] * (len(self.names) + 1)
        self.backward = [0] * (len(self.names) + 1)
        self._marks: dict[str, int] = {}
        self._events: list[tuple[int, int, int]] = []  # begun, ended, module entered or ~module left
        self._steps_back: list[tuple[int, int]] = []
        self._seen: set[Any] = set()
        self._open: list[int] = []
        self._watching = False
        self._is_forward = False
        # with what an object has in place of its class's forward pass, such as its author's own
        self._wrapped = {
            module: (self._timed(place, module.forward), module.__dict__.get("forward"))
            for place, (_, module) in enumerate(self.modules)
            if not isinstance(module, torch.jit.ScriptModule)  # TorchScript cannot be looked into
        }
        self._forward = classifier.forward
        classifier.__dict__["forward"] = self._whole
        optimizer.register_step_pre_hook(lambda *_: self.mark("optimizer_begins"))
        optimizer.register_step_post_hook(lambda *_: self.mark("optimizer_ends"))

    def mark(self, name: str) -> None:
        self._marks[name] = self.now()

    @contextmanager
    def step(self, *, watched: bool) -> Iterator[None]:
        """Around one step. watched: with a stamp at every module."""
        self._watching = watched
        self._events, self._steps_back, self._seen, self._open = [], [], set(), [len(self.names)]
        if watched:
            for module, (timed, _before) in self._wrapped.items():
                module.__dict__["forward"] = timed
        try:
            self.mark("begins")
            yield
            self.mark("ends")
        finally:
            if watched:
                for module, (_timed, before) in self._wrapped.items():
                    if before is None:
                        del module.__dict__["forward"]
                    else:
                        module.__dict__["forward"] = before
        self._seen = set()
        self._account()

    def _whole(self, *args: Any, **kwargs: Any) -> Any:
        self.mark("forward_begins")
        self._is_forward = True
        try:
            result = self._forward(*args, **kwargs)
        finally:
            self._is_forward = False
        self.mark("forward_ends")
        logits = tensors(result)[0]
        if logits.requires_grad:
            logits.register_hook(self._backward_begins)  # type: ignore[no-untyped-call]
        return result

    def _backward_begins(self, gradient: Tensor) -> None:
        at_end_of_backward(lambda: self.mark("backward_ends"))
        self.mark("backward_begins")

    def _timed(self, place: int, forward: Callable[..., Any]) -> Callable[..., Any]:
        now = self.now

        @functools.wraps(forward)
        def timed(*args: Any, **kwargs: Any) -> Any:
            if not self._is_forward:  # a repetition in the backward pass, whose time is the backward pass's
                return forward(*args, **kwargs)
            begun = now()
            for given in (*args, *kwargs.values()):
                if isinstance(given, Tensor):
                    self._mark_node(given.grad_fn, self._open[-1])
            self._open.append(place)
            self._events.append((begun, now(), place))
            result = forward(*args, **kwargs)
            begun = now()
            self._open.pop()
            found = (result,) if isinstance(result, Tensor) else tensors(result)
            for tensor in found:
                self._mark_node(tensor.grad_fn, place)
            self._events.append((begun, now(), ~place))
            return result

        return timed

    def _mark_node(self, node: Any, place: int) -> None:
        """A stamp where the node begins its work in the backward pass. A node that a module inside has made is its."""
        if node is not None and node not in self._seen:
            self._seen.add(node)
            steps, now = self._steps_back, self.now
            node.register_prehook(lambda _: steps.append((now(), place)))

    def _account(self) -> None:
        at = self._marks
        begins, ends = at["begins"], at["ends"]
        back = at.get("backward_begins", at["forward_ends"])
        back_ends = at.get("backward_ends", back)
        self.phases = {
            "data": at["forward_begins"] - begins,
            "forward": at["forward_ends"] - at["forward_begins"],
            "loss": back - at["forward_ends"],
            "backward": back_ends - back,
            "optimizer": at["optimizer_ends"] - at["optimizer_begins"],
        }
        self.phases["other"] = ends - begins - sum(self.phases.values())
        if self._watching:
            self._account_forward(at["forward_begins"], at["forward_ends"])
            self._account_backward(back, back_ends)

    def _account_forward(self, begins: int, ends: int) -> None:
        own = [0] * (len(self.names) + 1)
        stack, last = [len(self.names)], begins
        for begun, ended, place in self._events:
            own[stack[-1]] += begun - last
            last = ended
            if place >= 0:
                stack.append(place)
            else:
                stack.pop()
        own[stack[-1]] += ends - last
        self.forward = own

    def _account_backward(self, begins: int, ends: int) -> None:
        own = [0] * (len(self.names) + 1)
        steps = [(begins, len(self.names)), *(step for step in self._steps_back if step[0] >= begins), (ends, -1)]
        for (begun, place), (until, _) in itertools.pairwise(steps):
            own[place] += until - begun
        self.backward = own
