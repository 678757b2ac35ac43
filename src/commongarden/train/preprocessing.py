"""The preprocessing of images that a library documents for its published weights: what `pixels = "own"` takes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from commongarden.errors import ArchError
from commongarden.i18n.language import _
from commongarden.study import origin
from commongarden.train import hub_model, libraries

RESIZE = {"center": "crop", "squash": "squash", "border": "pad"}  # timm's crop modes
INTERPOLATIONS = ("bilinear", "bicubic", "lanczos")


@dataclass(frozen=True)
class Preprocessing:
    """mean, std: per channel, in 0..255. resize, interpolation, crop_share: as in Recipe; "" and 0 where the library
    documents none that there is. input_size: image size in pixels."""

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    resize: str = ""
    interpolation: str = ""
    crop_share: float = 0.0
    input_size: int = 0


def own_input_size(arch: str) -> int | None:
    """The image size, in pixels, that a model of torchvision, timm or the hub documents for its published weights;
    None where it documents none, and for any other model.

    It loads the library; for "hf-hub:ORG/NAME" it reads the repository's config.json. Raises ArchError for a name that
    the library does not have.

    >>> own_input_size("timm:test_resnet"), own_input_size("plain_flower")
    (160, None)
    """
    if not origin.is_external(arch) or not origin.is_of_library(arch):
        return None
    if not origin.is_of_hub(arch):
        libraries.check(arch)
    return documented(arch).input_size or None


def documented(arch: str, settings: Mapping[str, Any] | None = None, config: str = "") -> Preprocessing:
    """The preprocessing for the published weights that an architecture names; that of the library's default weights
    where it names none. settings: those of timm's network, if it is built. config: of a network of the hub."""
    place, name = origin.parts(arch)
    if place == "torchvision":
        weights = libraries.torchvision_weights(name)
        return Preprocessing() if weights is None else _of_torchvision(vars(weights.transforms()))
    if place not in origin.LIBRARIES:
        return Preprocessing()
    if settings is None and place == origin.HUB:
        settings = hub_model.settings_of(config) if config else hub_model.settings(arch)
    return _of_timm(arch, libraries.timm_config(name) if settings is None else settings)


def _of_torchvision(found: Mapping[str, Any]) -> Preprocessing:
    """resize_size is the shorter side before the centre of crop_size is cut out."""
    (resized,), (size,) = found["resize_size"], found["crop_size"]
    share = size / resized
    while math.floor(size / share) < resized:  # the last bit decides
        share = math.nextafter(share, 0)
    return _checked(found, "crop", str(found["interpolation"].value), share, int(size))


def _of_timm(arch: str, settings: Mapping[str, Any]) -> Preprocessing:
    if not settings:
        return Preprocessing()
    found = libraries.library("timm").data.resolve_data_config({}, pretrained_cfg=dict(settings))
    try:
        size = int(found["input_size"][-1])
        return _checked(settings, RESIZE.get(found["crop_mode"], ""), found["interpolation"], found["crop_pct"], size)
    except (TypeError, ValueError, IndexError) as error:  # settings that somebody wrote
        message = _("{source}: its pretrained_cfg is not as timm writes it ({reason})")
        raise ArchError(message.format(source=arch, reason=f"{type(error).__name__}: {error}")) from None


def _checked(found: Mapping[str, Any], resize: str, interpolation: str, share: float, size: int) -> Preprocessing:
    mean, std = (tuple(255.0 * value for value in found.get(key) or ()) for key in ("mean", "std"))
    mean, std = (mean, std) if mean and std else ((), ())
    if not resize or interpolation not in INTERPOLATIONS or not 0 < share <= 1:
        return Preprocessing(mean, std, input_size=size)
    return Preprocessing(mean, std, resize, interpolation, float(share), size)
