"""The one door to Pillow: a file's bytes are looked at behind it, and whatever goes wrong is a DataError.

On broken bytes Pillow raises nearly anything (struct.error, KeyError, TypeError, zlib.error, ...), when a file is
opened, when its pixels are decoded, and when its pages are counted.
"""

from __future__ import annotations

import io
import logging
import re
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TypeVar

from PIL import Image, PngImagePlugin, TiffImagePlugin, UnidentifiedImageError

from commongarden.data import kinds
from commongarden.errors import DataError
from commongarden.language import N_

_CUT = re.compile(r"truncated|unexpected\send\sof", re.IGNORECASE)
Seen = TypeVar("Seen")
logging.getLogger("PIL").addHandler(logging.NullHandler())  # its complaints are in the reasons
_OF_PIXELS = (b"tRNS", b"sBIT", b"eXIf")  # beside the critical chunks; eXIf holds the orientation
_MOST_PIXELS = {"raw": 8, "zip": 8 * 1032, "jpeg": 8 * 1032}  # in a byte: 8 of 1 bit; deflate makes 1,032 of each
_XMP = b"XML:com.adobe.xmp\0\0"  # not compressed; may hold the orientation


def look(data: bytes, at: Callable[[Image.Image, bytes], Seen]) -> Seen:
    """What `at` makes of the opened picture, which it may load, and of the bytes that it was opened from. Raises
    DataError with the reason alone, in English.

    A PNG that fails is looked at once more without its metadata, which may be larger than Pillow allows.
    """
    try:
        return _look(data, at)
    except DataError:
        bare = _without_metadata(data) if kinds.kind(data[: kinds.HEAD]) == "PNG" else data
        if len(bare) == len(data):
            raise
    return _look(bare, at)


def _look(data: bytes, at: Callable[[Image.Image, bytes], Seen]) -> Seen:
    head = data[: kinds.HEAD]
    if reason := kinds.not_read(head):
        raise DataError(reason)
    with _QUIET:
        try:
            with again(data) as picture:
                if not _can_hold(data, picture):
                    raise EOFError
                return at(picture, data)
        except UnidentifiedImageError:
            raise DataError(_unidentified(data)) from None
        except Image.DecompressionBombError as error:
            found = re.search(r"\((\d+) pixels\)", str(error))
            size = N_("{n:,} pixels").format(n=int(found[1])) if found else N_("far too many pixels")
            limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
            raise DataError(
                N_("{size}, more than the {limit:,} that a photo may have").format(size=size, limit=limit)
            ) from None
        except MemoryError:
            raise DataError(N_("too large for the memory of this machine")) from None
        except Exception as error:
            if _CUT.search(str(error)) or isinstance(error, EOFError) or _is_cut_webp(data):
                raise DataError(N_("truncated: the file ends before the picture does")) from None
            raise DataError(N_("broken: {reason}").format(reason=_in_one_line(error))) from None


def again(data: bytes) -> Image.Image:
    """The picture opened once more, by an `at` that needs it twice."""
    return Image.open(io.BytesIO(data), formats=kinds.formats(data[: kinds.HEAD]))


def _can_hold(data: bytes, picture: Image.Image) -> bool:
    """Whether a file has as many bytes and rows as its picture needs at the least, before memory is taken for it."""
    tiles = getattr(picture, "tile", [])
    codecs = {tile.codec_name for tile in tiles}
    most = max((_MOST_PIXELS.get(codec, 0) for codec in codecs), default=0)
    if len(codecs) == 1 and most and picture.width * picture.height > most * len(data):
        return False
    return picture.format != "TIFF" or not tiles or max(tile.extents[3] for tile in tiles) >= picture.height


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each chunk of a PNG, whole, by its name; the last one may be cut."""
    place = 8
    while place + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        yield data[place + 4 : place + 8], data[place : place + length + 12]
        place += length + 12


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _unidentified(data: bytes) -> str:
    kind = kinds.kind(data[: kinds.HEAD])
    if kind == "TIFF" and (layout := _tiff_layout(data)) is not None:
        n, bits = layout
        if n > 4 or bits not in (1, 2, 4, 8, 16):
            return N_(
                "a TIFF with {n} channels of {bits} bits, which is not read; accepted: 1, 3 or 4 channels of 8 or "
                "16 bits"
            ).format(n=n, bits=bits)
    return N_("broken, or a kind of {kind} file that is not read").format(kind=kind)


def _tiff_layout(data: bytes) -> tuple[int, int] | None:
    """Channels and bits of each of a TIFF's first page; None where its directory is broken."""
    try:
        file = io.BytesIO(data)
        tags = TiffImagePlugin.ImageFileDirectory_v2(data[: 16 if data[2] == 43 or data[3] == 43 else 8])
        file.seek(tags.next)
        tags.load(file)
        return int(tags.get(277, 1)), int(tags.get(258, (1,))[0])
    except Exception:  # as above
        return None


def _is_cut_webp(data: bytes) -> bool:
    return kinds.kind(data[: kinds.HEAD]) == "WebP" and int.from_bytes(data[4:8], "little") + 8 > len(data)


def _without_metadata(data: bytes) -> bytes:
    """A PNG with nothing but what its pixels depend on; a profile that Pillow would refuse is left out too."""
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


class _Quiet:
    """Silences warnings while any thread is in it. `warnings.catch_warnings` alone is not safe with threads: the one
    that leaves last would put back the filters of another one."""

    def __init__(self) -> None:
        self.lock, self.depth = threading.Lock(), 0

    def __enter__(self) -> None:
        with self.lock:
            self.depth += 1
            if self.depth == 1:
                self.saved = warnings.catch_warnings()
                self.saved.__enter__()
                warnings.simplefilter("ignore")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.lock:
            self.depth -= 1
            if self.depth == 0:
                self.saved.__exit__(None, None, None)


_QUIET = _Quiet()
