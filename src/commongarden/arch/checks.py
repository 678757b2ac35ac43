"""Sizes and paddings that nodes refuse when they are made. All raise ArchError."""

from __future__ import annotations

from typing import Any

from commongarden.errors import ArchError
from commongarden.i18n.language import _


def positive(node: object, what: str, *values: int) -> None:
    for value in values:
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            name = type(node).__name__.lower()
            text = _("{name}: found {value!r} for {what} or another size, accepted: integers of 1 or more")
            raise ArchError(text.format(name=name, value=value, what=what))


def check_padding(node: object, padding: object) -> None:
    fits = padding in ("same", "valid", "inside") or (
        isinstance(padding, tuple)
        and len(padding) == 4
        and all(isinstance(side, int) and side >= 0 for side in padding)
    )
    if not fits:
        text = _(
            '{kind}: found padding {padding!r}, accepted: "same", "valid", "inside", or pixels: '
            "one number, [height, width], or [top, bottom, left, right]"
        )
        raise ArchError(text.format(kind=type(node).__name__.lower(), padding=padding))


def check_pool(pool: Any) -> None:
    positive(pool, "kernel", *pool.kernel, *pool.stride)
    check_padding(pool, pool.padding)
    if isinstance(pool.padding, tuple) and any(pool.padding[side] >= pool.kernel[side // 2] for side in range(4)):
        text = _(
            "pool: found padding {padding} with kernel {kernel}, accepted: less than the kernel size on every side"
        )
        raise ArchError(text.format(padding=pool.padding, kernel=pool.kernel))
    if pool.ceil_mode and pool.padding in ("same", "inside"):
        text = _('pool: found ceil_mode with padding "{padding}", accepted with ceil_mode: padding in pixels')
        raise ArchError(text.format(padding=pool.padding))
