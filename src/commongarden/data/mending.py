"""What keeps a whole picture from being read, taken out of its file's bytes."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, PngImagePlugin

_OF_PIXELS = (b"tRNS", b"sBIT", b"eXIf")  # beside the critical chunks; eXIf holds the orientation
_XMP = b"XML:com.adobe.xmp\0\0"  # not compressed; may hold the orientation
_END = b"\xff\xd9"  # of a JPEG


def mended(data: bytes, kind: str | None) -> bytes | None:
    """Bytes of the same picture that may be read where these could not; None where there are none.

    A PNG loses its text and a profile that is larger than Pillow allows. A JPEG that ends behind its last pixels gets
    the mark that says so; cameras and downloads lose it, and other programs show such a photo.
    """
    if kind == "PNG":
        bare = _without_metadata(data)
        return bare if len(bare) < len(data) else None
    if kind == "JPEG" and _END not in data[-64:] and _reaches_its_end(data):
        return data + _END
    return None


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each chunk of a PNG, whole, by its name; the last one may be cut."""
    place = 8
    while place + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        yield data[place + 4 : place + 8], data[place : place + length + 12]
        place += length + 12


def _without_metadata(data: bytes) -> bytes:
    """A PNG with nothing but what its pixels depend on."""
    kept = [data[:8]]
    for name, chunk in chunks(data):
        is_critical = name[:1].isupper()
        is_profile = name == b"iCCP" and _is_small(chunk[8:-4].partition(b"\0")[2][1:])
        if is_critical or name in _OF_PIXELS or is_profile or (name == b"iTXt" and chunk[8:].startswith(_XMP)):
            kept.append(chunk)
    return b"".join(kept)


def _is_small(compressed: bytes) -> bool:
    try:
        unpacker = zlib.decompressobj()
        unpacker.decompress(compressed, PngImagePlugin.MAX_TEXT_CHUNK)
    except zlib.error:
        return False
    return not unpacker.unconsumed_tail


def _reaches_its_end(data: bytes) -> bool:
    """Whether all blocks of a JPEG are in its data, so that bytes behind them change no pixel. Of a progressive one it
    cannot be known, since every scan goes over all blocks."""
    seen = []
    for filler in (b"\x55", b"\xaa"):
        try:
            with Image.open(io.BytesIO(data + 64 * filler + _END), formats=["JPEG"]) as picture:
                if picture.info.get("progressive"):
                    return False
                seen.append(np.asarray(picture))
        except Exception:  # it is broken in another way as well
            return False
    return np.array_equal(seen[0], seen[1])
