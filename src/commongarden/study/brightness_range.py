"""The range of grey values of a study: the key `range` of a study file, and --range."""

from __future__ import annotations

import math
import re

from commongarden.errors import StudyError
from commongarden.i18n.language import _

Range = tuple[float, float]  # the values that become black and white, of photos with more than 8 bits per channel
_NUMBER = r"([+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)"


def grey_range(value: object) -> Range | None:
    """Two numbers, lower and higher, from a list or from text such as "0-4095"; None for none. Raises StudyError."""
    if value is None:
        return None
    found: object = value
    if isinstance(value, str):
        parts = re.fullmatch(rf"\s*{_NUMBER}\s*[-:,]\s*{_NUMBER}\s*", value, re.IGNORECASE)
        found = [float(part) for part in parts.groups()] if parts else None
    if isinstance(found, list | tuple) and len(found) == 2 and all(_is_number(part) for part in found):
        low, high = float(found[0]), float(found[1])
        if low < high:
            return low, high
    text = _("range: found {value!r}, accepted: the values for black and white, such as 0-4095")
    raise StudyError(text.format(value=value))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
