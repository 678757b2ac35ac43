"""The record of one run, as frozen data that JSON can hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from commongarden.i18n.coded import Code, Coded, coded, keep_code, keep_codes
from commongarden.i18n.language import _, translate
from commongarden.study.brightness_range import Range
from commongarden.study.recipe import Recipe

if TYPE_CHECKING:
    import numpy as np

SCHEMA = 1


@dataclass(frozen=True)
class Epoch:
    """One pass over the training part. Accuracies are shares (0..1), losses mean cross-entropies in nats.

    The training figures are gathered while the weights still move; the validation ones at the epoch's end.
    ema_val_loss, ema_val_accuracy: of the moving average of the weights, where the recipe has one.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    lr: float
    seconds_data: float
    seconds_forward_backward: float
    seconds_optimizer: float
    seconds_val: float
    ema_val_loss: float | None = None
    ema_val_accuracy: float | None = None

    @property
    def seconds(self) -> float:
        """The whole epoch, validation included."""
        return self.seconds_data + self.seconds_forward_backward + self.seconds_optimizer + self.seconds_val

    @property
    def seconds_train(self) -> float:
        """The epoch without its validation."""
        return self.seconds_data + self.seconds_forward_backward + self.seconds_optimizer


@dataclass(frozen=True)
class Failure:
    """Why a run has no result. epoch and step count from 1; 0 where that is not known. traceback: of the user's own
    code, where that raised an error. cause: "diverged" where the loss became infinite or no number, "" otherwise.
    code: of the reason; None in records of earlier versions."""

    reason: str
    epoch: int = 0
    step: int = 0
    traceback: str = ""
    cause: Literal["", "diverged"] = ""
    code: Code | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        keep_code(self, "reason", "code")

    @property
    def text(self) -> Coded:
        """The reason, to be shown by `translate`."""
        return Coded(self.reason, self.code)

    def __str__(self) -> str:
        reason = translate(self.text)
        if not self.epoch:
            return reason
        if not self.step:
            return _("{reason} at epoch {epoch}").format(reason=reason, epoch=self.epoch)
        return _("{reason} at epoch {epoch}, step {step}").format(reason=reason, epoch=self.epoch, step=self.step)


@dataclass(frozen=True)
class Machine:
    """Where a run was trained. instructions: the set that torch's kernels use, such as AVX512; bits depend on it. host:
    the machine's name in its network; gpu: the name of its GPU, "" for a run on a processor. Both are "" in records of
    earlier versions."""

    system: str
    processor: str
    physical_cores: int
    memory_bytes: int
    python: str
    packages: dict[str, str]
    instructions: str = ""
    host: str = ""
    gpu: str = ""


@dataclass(frozen=True)
class Hashes:
    """What a run was trained on; equal hashes mean equal conditions. recipe: "" in records of earlier versions."""

    data: str
    split: str
    arch: str
    recipe: str = ""


@dataclass(frozen=True)
class Git:
    """The state of the repository that the command was given in. commit: its hash; is_changed: files that it tracks
    differ from that commit."""

    commit: str
    is_changed: bool


@dataclass(frozen=True)
class Run:
    """One training of one arm with one seed on one split. Bytes are bytes, seconds are seconds.

    arch: the network's text form, which `commongarden.arch.read` turns back into the network.
    pixel_mean, pixel_std: per channel (red, green, blue), in 0..255; what the pixels are shifted and divided by.
    n_test: photos in the test part. test_*: on the test part, touched once, with the weights of `selected_epoch`.
    inference_ms: median milliseconds for one photo through the network in evaluation mode, batch 1.
    peak_memory_bytes: of the training process (CPU) or of the device's allocator (CUDA).
    model_bytes: parameters and buffers as stored.
    stopped_as_hopeless: it was ended before its last epoch, as was asked for, and tested with what it had reached.
    repeats: whether the device promises that it can be repeated bit for bit; None in records of earlier versions.
    git: of the folder where the command was given; None where that is in no repository, or was not looked at.
    notes: in what its training departs from the recipe, or cannot be repeated, as English sentences.
    note_codes: of these texts; () in records of earlier versions.
    range: the values that are black and white in photos with more than 8 bits per channel; None where the study has no
        such photos, and in records of earlier versions.
    """

    schema: int
    arm: str
    seed: int
    status: Literal["finished", "failed"]
    arch: str
    input: tuple[int, int, int]
    classes: tuple[str, ...]
    recipe: Recipe
    hashes: Hashes
    device: str
    machine: Machine
    started: str
    ended: str
    n_params: int
    macs: int
    n_train: int
    n_val: int
    n_test: int
    pixel_mean: tuple[float, float, float]
    pixel_std: tuple[float, float, float]
    failure: Failure | None = None
    selected_epoch: int = 0
    test_accuracy: float | None = None
    test_loss: float | None = None
    seconds_test: float | None = None
    inference_ms: float | None = None
    peak_memory_bytes: int | None = None
    model_bytes: int | None = None
    stopped_as_hopeless: bool = False
    repeats: bool | None = None
    git: Git | None = None
    notes: tuple[str, ...] = ()
    range: Range | None = None
    note_codes: tuple[Code | None, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        keep_codes(self, "notes", "note_codes")

    @property
    def texts(self) -> tuple[Coded, ...]:
        """The notes, to be shown by `translate`."""
        return coded(self.notes, self.note_codes)


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a run said of the test part.

    photos: (n,) paths as in the manifest; labels: (n,) int64 true class; probabilities: (n, classes) float32.
    """

    photos: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray
