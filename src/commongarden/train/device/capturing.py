"""The steps of a run, each kind captured once and from then on replayed, where that leaves the same."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from commongarden.i18n.coded import NOTHING, Coded
from commongarden.i18n.language import N_
from commongarden.train import state
from commongarden.train.blame import describe_user_error
from commongarden.train.device.lanes import Lane, host_state, is_same_state, put_host_state
from commongarden.train.device.memory import is_out_of_memory
from commongarden.train.device.step import DeviceStep, StepKind
from commongarden.train.external import ExternalNetwork
from commongarden.train.train_state import TrainState

WARM_UP = 3  # steps before the capture, in which libraries choose their kernels and make their workspaces
UNREPEATABLE = re.compile(r"^(\S+)\sdoes\snot\shave\sa\sdeterministic\simplementation")  # torch's warning
TRIED = 2  # steps of a kind that are done both ways
REFUSED = N_("steps are not captured as a CUDA graph ({reason}); each is run operation by operation")
BY_NUMBER = N_(
    "steps are not captured as a CUDA graph (the optimizer {optimizer} reads its learning rate as a number); each is "
    "run operation by operation"
)
DIFFERS = N_(
    "steps are not captured as a CUDA graph (a replayed step left other results); each is run operation by operation"
)


@dataclass
class _Captured:
    """The steps of one kind: how many were done before the capture, and both ways; what replays them. learning: the
    parameters that the gradients are of."""

    n_warm_up: int = 0
    n_tried: int = 0
    replay: Callable[[], None] | None = None
    gradients: Sequence[Tensor] = ()
    learning: list[Tensor] = field(default_factory=list)
    differs: list[Tensor] = field(default_factory=list)

    @property
    def is_replaying(self) -> bool:
        return self.replay is not None and self.n_tried == TRIED


class CapturedSteps:
    """Does the steps of one run, those as large as the first one by a replay where they can be.

    Steps that do not do the same work are of different kinds: those that begin, continue or end an accumulation of
    gradients, and those in which the head learns alone. Behind the warm-up a step of each kind is captured, and TRIED
    steps are done both ways: replayed, taken back, and operation by operation. The replay is used from then on only if
    all that a step changes was equal each time. What cannot be captured (code that asks for a value), or does otherwise
    when it is replayed (code that counts its calls or draws numbers from Python), is done operation by operation
    throughout.

    note: why, where it is so. n_done, replayed: steps by whichever way, and by a replay. unrepeatable: operations that
    torch does not repeat to the bit on this device.
    """

    def __init__(self, train_state: TrainState, step: DeviceStep, lane: Lane) -> None:
        self._train_state, self._step, self._lane = train_state, step, lane
        self._classifier, self._recorder = train_state.classifier, train_state.recorder
        self._by_others = any(isinstance(part, ExternalNetwork) for part in self._classifier.modules())
        self._size = self.replayed = self.n_done = 0
        self._kinds: dict[StepKind, _Captured] = {}
        self._is_refused = not step.can_capture
        self.note: Coded = NOTHING
        if self._is_refused and lane.can_capture:
            self.note = BY_NUMBER.format(optimizer=train_state.recipe.optimizer)
        self.unrepeatable: tuple[str, ...] = ()

    @property
    def is_replaying(self) -> bool:
        """Whether steps are replayed from now on."""
        return bool(self._kinds) and all(kind.is_replaying for kind in self._kinds.values())

    def do(self, step: int, size: int, *, watched: bool = False) -> None:
        """One step (from 1) of the epoch, by whichever way."""
        self._size = self._size or size
        self.n_done += 1
        kind = self._step.kind(step)
        if watched or size != self._size or kind is None:
            self._step.do(step, size, watched=watched)
            return
        captured = self._kinds.setdefault(kind, _Captured())
        if self._is_refused or captured.n_warm_up < WARM_UP:
            if captured.n_warm_up == 1 and kind.is_last and self._step.makes_state:  # the optimizer has its state
                self._find_unrepeatable(step, size)
            self._step.do(step, size)
            captured.n_warm_up += 1
        elif not captured.is_replaying:
            self._try(captured, step, size)
        else:
            self._replayed(captured, kind, step, size)

    def _replayed(self, captured: _Captured, kind: StepKind, step: int, size: int) -> None:
        wants_gradient = kind.is_last and self._recorder is not None and self._recorder.wants_gradient()
        if wants_gradient and self._train_state.recipe.clip_grad_norm:  # it is looked at before it is clipped
            self._step.do(step, size)
            return
        assert captured.replay is not None
        captured.replay()
        self.replayed += 1
        if wants_gradient and self._recorder is not None:
            for parameter, gradient in zip(captured.learning, captured.gradients, strict=True):
                parameter.grad = gradient
            self._recorder.learned()

    def _find_unrepeatable(self, step: int, size: int) -> None:
        """Does this step as far as torch can repeat it to the bit, to learn what of it torch cannot; takes it back."""
        before, was = self._kept(), torch.get_deterministic_debug_mode()
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            torch.set_deterministic_debug_mode("warn")  # use_deterministic_algorithms would load torch's compiler
            try:
                self._step.do(step, size, records=False)
            finally:
                torch.set_deterministic_debug_mode(was)
        self._put(before)
        told = [UNREPEATABLE.match(str(one.message)) for one in found]
        self.unrepeatable = tuple(sorted({*self.unrepeatable, *(one[1] for one in told if one)}))

    def _try(self, captured: _Captured, step: int, size: int) -> None:
        """This step both ways; its results are those of the step itself."""
        before = self._kept()
        if captured.replay is None:
            self._capture(captured, step, size, before)
        if captured.replay is not None:
            captured.replay()
            replayed = [tensor.detach().clone() for tensor in self._tensors()]
            self._put(before)
            self._step.do(step, size)
            captured.differs += [_differs(one, two) for one, two in zip(replayed, self._tensors(), strict=True)]
            if not is_same_state(
                before["host"], host_state(), self._train_state.device
            ):  # a replay would draw nothing from there
                captured.differs.append(torch.ones((), dtype=torch.bool, device=self._train_state.device))
            captured.n_tried += 1
        else:
            self._step.do(step, size)
        if captured.n_tried == TRIED:
            if bool(torch.stack(captured.differs).any()):
                self._refuse(DIFFERS)
            captured.differs = []
            self._lane.draws_on_host = self._by_others or self._is_refused  # or the trials have shown that it does not

    def _refuse(self, note: Coded) -> None:
        """From now on, each step operation by operation."""
        self._is_refused, self.note = True, note
        self._kinds.clear()

    def _capture(self, captured: _Captured, step: int, size: int, before: dict[str, Any]) -> None:
        try:
            captured.replay, captured.gradients = self._lane.capture(lambda: self._step.captured(step, size))
            captured.learning = [one for one in self._train_state.trainable if one.grad is not None]
            self._put(before)
        except Exception as error:  # CUDA, and the code of a network, refuse in many ways
            self._refuse(REFUSED.format(reason=describe_user_error(error)))
            self._lane.wait()  # where the device itself is broken, it is told here
            self._put(before, anew=True)
            if is_out_of_memory(error):
                raise
        for parameter in self._train_state.trainable:
            parameter.grad = None

    def _tensors(self) -> Iterator[Tensor]:
        """All tensors that a step changes."""
        yield from self._classifier.parameters()
        yield from self._classifier.buffers()
        for held in self._held():
            yield from (value for value in held.values() if isinstance(value, Tensor))
        yield from self._step.tensors()

    def _held(self) -> list[dict[str, Any]]:
        """What the optimizer holds; timm's optimizers count steps in their groups, by numbers of the host."""
        return [*self._train_state.optimizer.param_groups, *self._train_state.optimizer.state.values()]

    def _kept(self) -> dict[str, Any]:
        return {
            "tensors": [tensor.detach().clone() for tensor in self._tensors()],
            "hidden": state.copied(state.hidden(self._classifier)) if self._by_others else {},
            "numbers": [dict(_numbers(held)) for held in self._held()],
            "device": self._lane.random_state(),
            "host": host_state(),
        }

    def _put(self, kept: dict[str, Any], *, anew: bool = False) -> None:
        with torch.no_grad():
            for tensor, value in zip(self._tensors(), kept["tensors"], strict=True):
                tensor.copy_(value)
        for held, numbers in zip(self._held(), kept["numbers"], strict=True):
            held.update(numbers)
        if self._by_others:
            state.put_hidden(self._classifier, kept["hidden"])
        self._lane.put_random_state(kept["device"], anew=anew)
        put_host_state(kept["host"])


def _numbers(held: dict[str, Any]) -> Iterator[tuple[str, int | float]]:
    yield from ((name, value) for name, value in held.items() if isinstance(value, int | float))


def _differs(one: Tensor, two: Tensor) -> Tensor:
    """Whether any number does; not a number is equal to itself here."""
    return ((one != two) & ~((one != one) & (two != two))).any()
