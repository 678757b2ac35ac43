"""The one door to Pillow: a file's bytes are looked at behind it, and whatever goes wrong is a DataError.

On broken bytes Pillow raises nearly anything (struct.error, KeyError, TypeError, zlib.error, ...), when a file is
opened, when its pixels are decoded, and when its pages are counted.
"""

from __future__ import annotations

import io
import logging
import re
import threading
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from commongarden.data import kinds
from commongarden.data.mending import mended
from commongarden.errors import DataError
from commongarden.i18n.coded import Coded
from commongarden.i18n.language import N_

_CUT = re.compile(r"truncated|unexpected\send\sof", re.IGNORECASE)
Seen = TypeVar("Seen")
logging.getLogger("PIL").addHandler(logging.NullHandler())  # its complaints are in the reasons
_MOST_PIXELS = {"raw": 8, "zip": 8 * 1032, "jpeg": 8 * 1032}  # in a byte: 8 of 1 bit; deflate makes 1,032 of each


def look(data: bytes, at: Callable[[Image.Image, bytes], Seen]) -> Seen:
    """What `at` makes of the opened picture, which it may load, and of the bytes that it was opened from. Raises
    DataError with the reason alone, in English.

    Where that fails and the picture may still be whole (mending.py), it is looked at once more.
    """
    try:
        return _look(data, at)
    except DataError:
        with _QUIET:
            better = mended(data, kinds.kind(data[: kinds.HEAD]))
        if better is None:
            raise
    return _look(better, at)


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
            message = N_("{size}, more than the limit of {limit:,}")
            raise DataError(message.format(size=size, limit=limit)) from None
        except MemoryError:
            raise DataError(N_("too large for the memory of this machine")) from None
        except Exception as error:
            if _CUT.search(str(error)) or isinstance(error, EOFError) or _is_cut_webp(data):
                raise DataError(N_("truncated image file")) from None
            line = " ".join(str(error).split())[:300] or type(error).__name__
            raise DataError(N_("corrupt: {reason}").format(reason=line)) from None


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


def _unidentified(data: bytes) -> Coded:
    kind = kinds.kind(data[: kinds.HEAD])
    if kind == "TIFF" and (layout := _tiff_layout(data)) is not None:
        n, bits, form = layout
        if form == 3 and bits != 32:
            return N_(
                "a TIFF with {bits}-bit floating-point values, which is not supported; accepted: 32-bit "
                "floating point, or 8- or 16-bit integers"
            ).format(bits=bits)
        if n not in (1, 3, 4) or bits not in (1, 2, 4, 8, 16):
            return N_(
                "a TIFF with {n} x {bits} bits per pixel, which is not supported; accepted: 1, 3 or 4 "
                "channels of 8 or 16 bits"
            ).format(n=n, bits=bits)
    return N_("corrupt, or an unsupported kind of {kind} file").format(kind=kind)


def _tiff_layout(data: bytes) -> tuple[int, int, int] | None:
    """Channels, bits of each, and kind of numbers (3: floating point) of a TIFF's first page; None where that is
    broken."""
    try:
        file = io.BytesIO(data)
        tags = TiffImagePlugin.ImageFileDirectory_v2(data[: 16 if data[2] == 43 or data[3] == 43 else 8])
        file.seek(tags.next)
        tags.load(file)
        return int(tags.get(277, 1)), int(tags.get(258, (1,))[0]), int(tags.get(339, (1,))[0])
    except Exception:  # as above
        return None


def _is_cut_webp(data: bytes) -> bool:
    return kinds.kind(data[: kinds.HEAD]) == "WebP" and int.from_bytes(data[4:8], "little") + 8 > len(data)


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
