"""Training photos as a network sees them, kept among a study's thumbnails: what they are called there."""

from __future__ import annotations

from collections.abc import Mapping

ORIGINAL = 0  # the version that is not augmented
SIGN = "\n"  # no photo's path ends with a line end and a digit


def name(photo: str, version: int) -> str:
    """What a version of this photo is called.

    >>> name("rose/1.png", 2)
    'rose/1.png\\n2'
    """
    return f"{photo}{SIGN}{version}"


def versions(thumbnails: Mapping[str, bytes]) -> dict[str, tuple[bytes, ...]]:
    """The versions of each photo, the original first."""
    found: dict[str, dict[int, bytes]] = {}
    for key, jpeg in thumbnails.items():
        photo, sign, version = key.rpartition(SIGN)
        if sign and version.isdecimal():
            found.setdefault(photo, {})[int(version)] = jpeg
    return {photo: tuple(kept[version] for version in sorted(kept)) for photo, kept in found.items()}
