"""The forward and backward pass of one step of training: operation by operation, or replayed from a tape. On a device
the whole step is captured (device/capturing.py)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from commongarden.study.recipe import Recipe
from commongarden.train.build import auxiliary_logits
from commongarden.train.external import ExternalNetwork
from commongarden.train.replay import recorded_step
from commongarden.train.scaling import Scaler


class StepResult(NamedTuple):
    """logits: (n, classes). loss: the network's own. whole: what the gradients are of, auxiliary heads included."""

    logits: Tensor
    loss: Tensor
    whole: Tensor


class ForwardBackward(Protocol):
    """One step's passes over photos and labels; the gradients are then with the parameters. watched: something looks
    at what happens in between, which must therefore happen now."""

    def __call__(self, pixels: Tensor, labels: Tensor, *, watched: bool = False) -> StepResult: ...


def forward_backward_of(
    classifier: nn.Module,
    optimizer: torch.optim.Optimizer,
    recipe: Recipe,
    device: torch.device,
    class_weights: Sequence[float] | None = None,
    scaler: Scaler | None = None,
) -> ForwardBackward:
    """How a step of this network learns on this device. class_weights: of the loss, one a class. scaler: of the loss
    in float16, which differs from step to step."""
    weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32, device=device)
    learn = eager(classifier, optimizer, recipe, weights, scaler)
    if scaler is not None or not repeats(classifier, recipe):
        return learn
    return ReplayedStep(learn, classifier) if device.type == "cpu" else learn


def repeats(classifier: nn.Module, recipe: Recipe) -> bool:
    """Whether every step does the same: what learns does not change, and no code by others runs."""
    by_others = any(isinstance(part, ExternalNetwork) for part in classifier.modules())
    return not recipe.head_epochs and not recipe.freeze_backbone and not by_others


def eager(
    classifier: nn.Module,
    optimizer: torch.optim.Optimizer,
    recipe: Recipe,
    class_weights: Tensor | None = None,
    scaler: Scaler | None = None,
) -> ForwardBackward:
    """Operation by operation."""

    def loss_of(logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits, labels, class_weights, label_smoothing=recipe.label_smoothing)

    def learn(pixels: Tensor, labels: Tensor, *, watched: bool = False) -> StepResult:
        logits = classifier(pixels)
        loss = loss_of(logits, labels)
        optimizer.zero_grad(set_to_none=True)
        whole = loss
        for weight, head in auxiliary_logits(classifier):
            whole = whole + weight * loss_of(head.float(), labels)
        scaled = whole if scaler is None else scaler.scale(whole)
        scaled.backward()  # type: ignore[no-untyped-call]
        return StepResult(logits, loss, whole)

    return learn


class ReplayedStep:
    """A step that is recorded once, at the size of the first batches, and then replayed; a batch of another size, and
    one that is watched, is done operation by operation.

    Recorded is a step on the side, and what it did is taken back: under a recording, autograd adds gradients in another
    memory layout. Only a tape that then leaves the same bits of another batch as the step itself is used. replayed: so
    many steps were.
    """

    def __init__(self, learn: ForwardBackward, classifier: nn.Module) -> None:
        self._learn, self._classifier = learn, classifier
        self._parameters = [parameter for parameter in classifier.parameters() if parameter.requires_grad]
        self._learning: list[nn.Parameter] = []  # that have gradients on the tape
        self._size: torch.Size | None = None
        self._steps = 0
        self._tape: recorded_step.RecordedStep | None = None
        self.replayed = 0

    def __call__(self, pixels: Tensor, labels: Tensor, *, watched: bool = False) -> StepResult:
        self._size = self._size or pixels.shape
        if watched or pixels.shape != self._size:
            return self._learn(pixels, labels, watched=watched)
        self._steps += 1
        if self._steps == recorded_step.AS_EVER + 1:
            return self._recorded(pixels, labels)
        if self._tape is None:
            return self._learn(pixels, labels)
        self.replayed += 1
        return self._replay(self._tape, pixels, labels)

    def _recorded(self, pixels: Tensor, labels: Tensor) -> StepResult:
        """This step as ever, and a tape, if there is one that would have left the same."""
        chance, buffers = torch.get_rng_state(), [buffer.clone() for buffer in self._classifier.buffers()]

        def take_back() -> None:
            torch.set_rng_state(chance)
            for buffer, value in zip(self._classifier.buffers(), buffers, strict=True):
                buffer.copy_(value)

        recorded, replayed = self._record(pixels.flip(0), labels.flip(0)), ""
        take_back()
        if recorded is not None:
            replayed = self._bits(self._replay(recorded, pixels, labels))
            take_back()
        learned = self._learn(pixels, labels)
        self._tape = recorded if self._bits(learned) == replayed else None
        return learned

    def _record(self, pixels: Tensor, labels: Tensor) -> recorded_step.RecordedStep | None:
        def work() -> list[Tensor]:
            learned = self._learn(pixels, labels)
            self._learning = [parameter for parameter in self._parameters if parameter.grad is not None]
            return [*learned, *self._gradients()]

        return recorded_step.record(work, (pixels, labels))

    def _replay(self, recorded: recorded_step.RecordedStep, pixels: Tensor, labels: Tensor) -> StepResult:
        results = recorded.replay((pixels, labels))
        n = len(StepResult._fields)
        for parameter in self._parameters:
            parameter.grad = None
        for parameter, gradient in zip(self._learning, results[n:], strict=True):
            parameter.grad = gradient
        return StepResult(*results[:n])

    def _gradients(self) -> list[Tensor]:
        return [parameter.grad for parameter in self._learning if parameter.grad is not None]

    def _bits(self, learned: StepResult) -> str:
        """Of all that a step leaves behind; their sum, as a large network's gradients would be held twice."""
        left = hashlib.sha256(torch.get_rng_state().numpy().data)
        for tensor in (*learned, *self._gradients(), *self._classifier.buffers()):
            left.update(tensor.detach().contiguous().flatten().view(torch.uint8).numpy().data)
        return left.hexdigest()
