"""A run's step, captured once and from then on replayed, where that leaves the same."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from commongarden.i18n.coded import NOTHING, Coded
from commongarden.i18n.language import N_
from commongarden.train import state
from commongarden.train.blame import describe_user_error
from commongarden.train.device.lanes import Lane, host_state, is_same_state, put_host_state
from commongarden.train.device.memory import is_out_of_memory
from commongarden.train.device.step import DeviceStep
from commongarden.train.external import ExternalNetwork
from commongarden.train.train_state import TrainState

WARM_UP = 3  # steps before the capture, in which libraries choose their kernels and make their workspaces
UNREPEATABLE = re.compile(r"^(\S+)\sdoes\snot\shave\sa\sdeterministic\simplementation")  # torch's warning
TRIED = 2  # steps that are done both ways
REFUSED = N_("steps are not captured as a CUDA graph ({reason}); each is run operation by operation")
DIFFERS = N_(
    "steps are not captured as a CUDA graph (a replayed step left other results); each is run operation by operation"
)


class CapturedSteps:
    """Does the steps of one run, those as large as the first one by a replay where they can be.

    Behind the warm-up a step is captured, and TRIED steps are done both ways: replayed, taken back, and operation by
    operation. The replay is used from then on only if all that a step changes was equal each time. What cannot be
    captured (code that asks for a value), or does otherwise when it is replayed (code that counts its calls or draws
    numbers from Python), is done operation by operation throughout.

    note: why, where it is so. n_done, replayed: steps by whichever way, and by a replay. unrepeatable: operations that
    torch does not repeat to the bit on this device.
    """

    def __init__(self, train_state: TrainState, step: DeviceStep, lane: Lane) -> None:
        self._train_state, self._step, self._lane = train_state, step, lane
        self._classifier, self._recorder = train_state.classifier, train_state.recorder
        self._by_others = any(isinstance(part, ExternalNetwork) for part in self._classifier.modules())
        self._size = self._warmed = self._n_tried = self.replayed = self.n_done = 0
        self._replay: Callable[[], None] | None = None
        self._gradients: Sequence[Tensor] = ()
        self._learning: list[Tensor] = []  # the parameters that these are of
        self._is_refused = not step.can_capture
        self._differs: list[Tensor] = []
        self.note: Coded = NOTHING
        self.unrepeatable: tuple[str, ...] = ()

    @property
    def is_replaying(self) -> bool:
        """Whether steps are replayed from now on."""
        return self._replay is not None and self._n_tried == TRIED

    def do(self, step: int, size: int, *, watched: bool = False) -> None:
        """One step (from 1) of the epoch, by whichever way."""
        self._size = self._size or size
        self.n_done += 1
        wants_gradient = self._recorder is not None and self._recorder.wants_gradient()
        if watched or size != self._size:
            self._step.do(step, size, watched=watched)
        elif self._is_refused or self._warmed < WARM_UP:
            if self._warmed == 1 and self._step.is_whole:  # by when the optimizer has its state
                self._find_unrepeatable(step, size)
            self._step.do(step, size)
            self._warmed += 1
        elif not self.is_replaying:
            self._try(step, size)
        elif wants_gradient and self._train_state.recipe.clip_grad_norm:  # it is looked at before it is clipped
            self._step.do(step, size)
        else:
            assert self._replay is not None
            self._replay()
            self.replayed += 1
            if wants_gradient and self._recorder is not None:
                for parameter, gradient in zip(self._learning, self._gradients, strict=True):
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
        self.unrepeatable = tuple(sorted({one[1] for one in told if one}))

    def _try(self, step: int, size: int) -> None:
        """This step both ways; its results are those of the step itself."""
        before = self._kept()
        if self._replay is None:
            self._capture(size, before)
        if self._replay is not None:
            self._replay()
            replayed = [tensor.detach().clone() for tensor in self._tensors()]
            self._put(before)
            self._step.do(step, size)
            self._differs += [_differs(one, two) for one, two in zip(replayed, self._tensors(), strict=True)]
            if not is_same_state(
                before["host"], host_state(), self._train_state.device
            ):  # a replay would draw nothing from there
                self._differs.append(torch.ones((), dtype=torch.bool, device=self._train_state.device))
            self._n_tried += 1
        else:
            self._step.do(step, size)
        if self._n_tried == TRIED and bool(torch.stack(self._differs).any()):
            self._is_refused, self._replay, self._gradients, self.note = True, None, (), DIFFERS
        if self._n_tried == TRIED:
            self._differs = []
            self._lane.draws_on_host = self._by_others or self._is_refused  # or the trials have shown that it does not

    def _capture(self, size: int, before: dict[str, Any]) -> None:
        try:
            self._replay, self._gradients = self._lane.capture(lambda: self._step.captured(size))
            self._learning = [one for one in self._train_state.trainable if one.grad is not None]
            self._put(before)
        except Exception as error:  # CUDA, and the code of a network, refuse in many ways
            self._is_refused, self.note = True, REFUSED.format(reason=describe_user_error(error))
            self._lane.wait()  # where the device itself is broken, it is told here
            self._put(before, anew=True)
            if is_out_of_memory(error):
                raise
        for parameter in self._train_state.trainable:
            parameter.grad = None

    def _tensors(self) -> Iterator[Tensor]:
        """All that a step changes on the device."""
        yield from self._classifier.parameters()
        yield from self._classifier.buffers()
        for values in self._train_state.optimizer.state.values():
            yield from (value for value in values.values() if isinstance(value, Tensor))
        yield from (self._step.at, self._step.update, self._step.table)

    def _kept(self) -> dict[str, Any]:
        return {
            "tensors": [tensor.detach().clone() for tensor in self._tensors()],
            "hidden": state.copied(state.hidden(self._classifier)) if self._by_others else {},
            "device": self._lane.random_state(),
            "host": host_state(),
        }

    def _put(self, kept: dict[str, Any], *, anew: bool = False) -> None:
        with torch.no_grad():
            for tensor, value in zip(self._tensors(), kept["tensors"], strict=True):
                tensor.copy_(value)
        if self._by_others:
            state.put_hidden(self._classifier, kept["hidden"])
        self._lane.put_random_state(kept["device"], anew=anew)
        put_host_state(kept["host"])


def _differs(one: Tensor, two: Tensor) -> Tensor:
    """Whether any number does; not a number is equal to itself here."""
    return ((one != two) & ~((one != one) & (two != two))).any()
