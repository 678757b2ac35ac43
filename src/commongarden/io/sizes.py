"""Sizes in bytes as people type them."""

from __future__ import annotations

import re

UNITS = {"b": 1} | {
    f"{prefix}{unit}": base**power
    for power, prefix in enumerate("kmgt", 1)
    for unit, base in (("b", 1000), ("ib", 1024))
}  # in lower case


def size_in_bytes(text: str) -> int | None:
    """The bytes of a size such as 500MB or 8GiB; None for what is none, or has no unit.

    >>> size_in_bytes("2kB"), size_in_bytes("1.5 GiB"), size_in_bytes("20")
    (2000, 1610612736, None)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]+)", text.strip().lower())
    if found is None or found[2] not in UNITS:
        return None
    return int(float(found[1]) * UNITS[found[2]])
