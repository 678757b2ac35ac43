"""Every training choice that is not architecture. One recipe is shared by all arms of a study."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Hashable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from commongarden.errors import StudyError
from commongarden.i18n.language import _
from commongarden.io.fields import convert
from commongarden.study.augmentation import Augment, Augmentation
from commongarden.study.framing import Framing, Interpolation, Resize

RewriteName = Literal["pool-behind"]
OptimizerName = Literal[
    "adam",
    "adamw",
    "sgd",
    "adafactor",
    "adan",
    "adopt",
    "lamb",
    "lars",
    "lion",
    "madgrad",
    "muon",
    "nadamw",
    "radam",
    "rmsprop",
]
OF_TORCH = ("adam", "adamw", "sgd")  # the other optimizers are timm's


@dataclass(frozen=True)
class Recipe:
    """How every arm is trained. An arm may override a field; the difference is then declared and reported.

    resolution: images are resized to resolution x resolution pixels.
    resize: "squash" changes the aspect ratio, "crop" resizes the shorter side and cuts out the centre, "pad" resizes
        the longer side and pads with grey. interpolation: of the resizing. crop_share: the side of the centre that is
        cut out, as a share of the resized image (timm's crop_pct).
    optimizer: "adam", "adamw" and "sgd" are torch's, the others timm's by the same name, with timm's defaults.
    schedule: of the learning rate over the steps.
    decay_bias_and_norm: whether weight decay takes biases and normalizations too, as in torch; timm leaves them out.
    layer_decay: the learning rate of each layer group, as a share of the next one's towards the head (Clark et al.
        2020); 1 for one learning rate. Groups are those of timm's networks; else of 12 parameters each.
    clip_grad_norm: gradients are scaled down to this norm where theirs is larger; 0 for no clipping.
    grad_accum_steps: batches whose gradients are averaged for one optimizer step.
    ema_decay: decay of an exponential moving average of the weights, which is validated beside them; 0 for none.
        It warms up as in timm: min(ema_decay, 1 - (1 + step) ** (-2 / 3)).
    class_weight: "balanced" weights the training loss of each class by n_images / (n_classes * n_images_of_class), as
        scikit-learn does.
    sampling: "shuffled" shows every training image once an epoch; "balanced" draws as many, with replacement, each
        class equally often.
    warmup_epochs: epochs of linear warm-up before the schedule.
    init: "fan-in" draws weights from N(0, sqrt(2 / fan-in)) (He et al. 2015), "fixed" from N(0, init_std);
        biases start at 0; "own" keeps the initialization of the network's own code (PyTorch's for built-in ones).
    head_epochs: number of first epochs in which only the last layer learns and batch norm keeps its statistics.
    body_lr: the learning rate of all other layers, as a share of the last one's.
    freeze_backbone: whether only the last layer learns and the others stay in evaluation mode: a linear probe. Without
        augmentation, their features are computed once for all epochs.
    pixels: "standardized" subtracts the training set's mean per channel and divides by its standard
        deviation; "raw" keeps 0..255; "own" applies the normalization of the network's library, and is
        the default of an arm that starts from given weights.
    augment: random changes of the training images, in this order: "flip" (left to right), "crop" (a window of the
        same size, moved by up to an eighth), "colour" (brightness, contrast, saturation, by up to colour_strength), and
        torchvision's "trivial-augment" and "rand-augment" (of rand_augment_magnitude). "random-resized-crop" shows, in
        place of the resized image, torchvision's random crop of the photo itself, of at least crop_scale of its area.
    random_erasing: probability of torchvision's RandomErasing, which fills with the mean colour.
    mixup, cutmix: alpha of torchvision's MixUp and CutMix, which mix pairs of a batch and their labels; with both, one
        of them by chance; 0 for none.
    select: which weights are tested: those of the last epoch, those of the epoch with the best validation accuracy,
        or "ema", the average at the end.
    threads, layout: CPU threads and memory layout; they change the last bits of results and so belong to the recipe.
    rewrites: rewrites of the network that compute the same function with less work, with other last bits
        (`arch.rewrites`); empty for none.
    precision: of multiplications: "float32", "tf32" (CUDA), or by PyTorch's autocast "bfloat16" or "float16" (CUDA,
        with a scaled loss).
    early_stopping: a run ends once so many epochs in a row have brought no higher validation accuracy (of the average
        with select "ema"); 0 for no early stopping. The schedule is that of all epochs.
    """

    resolution: int = 64
    epochs: int = 10
    batch_size: int = 32
    optimizer: OptimizerName = "adamw"
    lr: float = 1e-3
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    schedule: Literal["constant", "cosine", "one-cycle"] = "constant"
    warmup_epochs: float = 0.0
    label_smoothing: float = 0.0
    head_epochs: int = 0
    body_lr: float = 1.0
    init: Literal["fan-in", "fixed", "own"] = "fan-in"
    init_std: float = 0.03
    pixels: Literal["standardized", "raw", "own"] = "standardized"
    augment: tuple[Augmentation, ...] = ()
    select: Literal["last", "best-val", "ema"] = "last"
    threads: int = 1
    layout: Literal["channels-last", "channels-first"] = "channels-last"
    rewrites: tuple[RewriteName, ...] = ("pool-behind",)
    precision: Literal["float32", "tf32", "bfloat16", "float16"] = "float32"
    decay_bias_and_norm: bool = True
    layer_decay: float = 1.0
    clip_grad_norm: float = 0.0
    grad_accum_steps: int = 1
    ema_decay: float = 0.0
    class_weight: Literal["none", "balanced"] = "none"
    sampling: Literal["shuffled", "balanced"] = "shuffled"
    resize: Resize = Framing.resize
    interpolation: Interpolation = Framing.interpolation
    crop_share: float = Framing.crop_share
    crop_scale: float = Augment.crop_scale
    colour_strength: float = Augment.colour_strength
    rand_augment_magnitude: int = Augment.rand_augment_magnitude
    random_erasing: float = Augment.random_erasing
    mixup: float = Augment.mixup
    cutmix: float = Augment.cutmix
    freeze_backbone: bool = False
    early_stopping: int = 0

    @property
    def framing(self) -> Framing:
        """How images are resized."""
        return Framing(self.resize, self.interpolation, self.crop_share)

    @property
    def augmentation(self) -> Augment:
        """What is changed in the training images at random."""
        _kinds, *strengths = dataclasses.fields(Augment)
        return Augment(self.augment, *(getattr(self, field.name) for field in strengths))

    def __post_init__(self) -> None:
        try:
            _check(self)
        except TypeError:  # a list in place of a tuple, which no cache can keep
            _check.__wrapped__(self)


@lru_cache(maxsize=1024)
def _check(recipe: Recipe) -> None:
    """Raises StudyError for a value out of bounds. A study of many runs holds as many recipes, nearly all equal."""
    for name, ok, accepted in _bounds(recipe):
        if not ok:
            text = _("recipe.{name}: found {found!r}, accepted: {accepted}")
            raise StudyError(text.format(name=name, found=getattr(recipe, name), accepted=accepted))


def _bounds(recipe: Recipe) -> Iterator[tuple[str, bool, str]]:
    """Each field that is bounded, whether its value is within, and what is accepted."""

    def positive(value: float) -> bool:
        return math.isfinite(value) and value > 0

    yield "resolution", 1 <= recipe.resolution <= 4096, _("1 to 4096 pixels")
    yield "epochs", recipe.epochs >= 1, _("an integer of 1 or more")
    yield "batch_size", recipe.batch_size >= 1, _("an integer of 1 or more")
    yield "lr", positive(recipe.lr), _("a positive number")
    yield "momentum", 0 <= recipe.momentum < 1, _("0 or more and less than 1")
    yield "nesterov", not recipe.nesterov or recipe.momentum > 0, _("false if momentum is 0")
    yield "weight_decay", math.isfinite(recipe.weight_decay) and recipe.weight_decay >= 0, _("0 or more")
    some_epochs = _("0 to epochs ({epochs})").format(epochs=recipe.epochs)
    yield "warmup_epochs", 0 <= recipe.warmup_epochs <= recipe.epochs, some_epochs
    warms_up_once = recipe.schedule != "one-cycle" or recipe.warmup_epochs == 0
    yield "warmup_epochs", warms_up_once, _("0 with one-cycle, which has its own warm-up")
    yield "head_epochs", 0 <= recipe.head_epochs <= recipe.epochs, some_epochs
    frozen = recipe.freeze_backbone
    yield "head_epochs", not (frozen and recipe.head_epochs), _("0 with freeze_backbone")
    for name in ("body_lr", "layer_decay"):
        yield name, not frozen or getattr(recipe, name) == 1, _("1 with freeze_backbone")
    yield "body_lr", 0 < recipe.body_lr <= 1, _("above 0, up to 1")
    yield "layer_decay", 0 < recipe.layer_decay <= 1, _("above 0, up to 1")
    not_negative = math.isfinite(recipe.clip_grad_norm) and recipe.clip_grad_norm >= 0
    yield "clip_grad_norm", not_negative, _("0 or more")
    yield "grad_accum_steps", recipe.grad_accum_steps >= 1, _("an integer of 1 or more")
    yield "early_stopping", recipe.early_stopping >= 0, _("0 or more")
    yield "ema_decay", 0 <= recipe.ema_decay < 1, _("0 or more and less than 1")
    yield "select", recipe.select != "ema" or recipe.ema_decay > 0, _("last or best-val if ema_decay is 0")
    yield "label_smoothing", 0 <= recipe.label_smoothing < 1, _("0 or more and less than 1")
    yield "init_std", positive(recipe.init_std), _("a positive number")
    yield "crop_share", 0 < recipe.crop_share <= 1, _("above 0, up to 1")
    yield "crop_scale", 0 < recipe.crop_scale <= 1, _("above 0, up to 1")
    yield "colour_strength", 0 <= recipe.colour_strength <= 1, _("0 to 1")
    yield "rand_augment_magnitude", 0 <= recipe.rand_augment_magnitude <= 30, _("an integer from 0 to 30")
    yield "random_erasing", 0 <= recipe.random_erasing <= 1, _("0 to 1")
    for name in ("mixup", "cutmix"):
        yield name, math.isfinite(getattr(recipe, name)) and getattr(recipe, name) >= 0, _("0 or more")
    whole = "random-resized-crop" not in recipe.augment or "crop" not in recipe.augment
    yield "augment", whole, _('one of "crop" and "random-resized-crop"')
    yield "augment", len(set(recipe.augment)) == len(recipe.augment), _("each augmentation once")
    yield "threads", recipe.threads >= 1, _("an integer of 1 or more")
    yield "rewrites", len(set(recipe.rewrites)) == len(recipe.rewrites), _("each rewrite once")


FIELDS = tuple(field.name for field in dataclasses.fields(Recipe))
# What runs were made by before there was such a field. Records and effective study files name every field, so that one
# without it is of an earlier version; a recipe with this value is hashed as it was then.
LEGACY_DEFAULTS: dict[str, Any] = {
    "rewrites": (),
    "precision": "float32",
    "decay_bias_and_norm": True,
    "layer_decay": 1.0,
    "clip_grad_norm": 0.0,
    "grad_accum_steps": 1,
    "ema_decay": 0.0,
    "class_weight": "none",
    "sampling": "shuffled",
    "resize": "squash",
    "interpolation": "bilinear",
    "crop_share": 1.0,
    "crop_scale": 0.08,
    "colour_strength": 0.2,
    "rand_augment_magnitude": 9,
    "random_erasing": 0.0,
    "mixup": 0.0,
    "cutmix": 0.0,
    "freeze_backbone": False,
    "early_stopping": 0,
}


def with_legacy_defaults(recipe: Recipe, named: Collection[str]) -> Recipe:
    """`recipe` as read from a record or an effective study file that names these fields; there were no others yet."""
    return dataclasses.replace(recipe, **{name: value for name, value in LEGACY_DEFAULTS.items() if name not in named})


def hashed(recipe: Recipe) -> dict[str, Any]:
    """What a recipe's hash is over: every field, but none that says what was so before there was the field."""
    return {
        name: getattr(recipe, name) for name in FIELDS if (name, getattr(recipe, name)) not in LEGACY_DEFAULTS.items()
    }


def override(recipe: Recipe, values: Mapping[str, Any], *, where: str = "recipe") -> Recipe:
    """`recipe` with some fields replaced, each checked for its name, type and bounds.

    Raises StudyError naming the key, what was found and what would be accepted.
    """
    try:
        return _converted(recipe, values, where)
    except StudyError as error:
        text = str(error)
        if where == "recipe" or not text.startswith("recipe."):
            raise
        raise StudyError(f"{where}.{text.removeprefix('recipe.')}") from None


def _converted(recipe: Recipe, values: Mapping[str, Any], where: str) -> Recipe:
    if all(isinstance(value, Hashable) for value in values.values()):
        with suppress(StudyError):  # told below, with its place
            return _kept(recipe, tuple(values.items()), repr(values))
    return convert(Recipe, {**dataclasses.asdict(recipe), **values}, where=where)


@lru_cache(maxsize=4096)
def _kept(recipe: Recipe, values: tuple[tuple[str, Any], ...], spelled: str) -> Recipe:
    """A study asks for its arms' recipes at every turn. spelled: tells apart what Python calls equal, 1 and true."""
    return convert(Recipe, {**dataclasses.asdict(recipe), **dict(values)}, where="recipe")
