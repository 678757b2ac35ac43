"""One photo: read as people see it, resized, drawn where the data set is built in."""

from __future__ import annotations

import io
import os
import re
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import TypeVar

import numpy as np
from PIL import (  # the plugins are named so that no thread meets a half-registered list of them
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageCms,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from commongarden.errors import DataError, unknown
from commongarden.language import N_, _, told

ACCEPTED = "JPEG, PNG, WebP, BMP, GIF, TIFF"
_PLUGINS = (
    JpegImagePlugin.JpegImageFile,
    PngImagePlugin.PngImageFile,
    WebPImagePlugin.WebPImageFile,
    BmpImagePlugin.BmpImageFile,
    GifImagePlugin.GifImageFile,
    TiffImagePlugin.TiffImageFile,
)
# JPEG opens MPO too, the JPEG with several pictures that phones write
_FORMATS = [plugin.format for plugin in _PLUGINS]
_MAGIC = (
    ("JPEG", re.compile(rb"\xff\xd8\xff")),
    ("PNG", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("WebP", re.compile(rb"RIFF....WEBP", re.DOTALL)),
    ("GIF", re.compile(rb"GIF8[79]a")),
    ("TIFF", re.compile(rb"(II|MM)(\0[*+]|[*+]\0)")),
    ("BMP", re.compile(rb"BM.{4}\0\0\0\0", re.DOTALL)),
)
_FOREIGN = re.compile(rb"....ftyp(heic|heix|hevc|heim|heis|mif1|msf1|avif|avis)", re.DOTALL)
_UPRIGHT = {  # EXIF orientation (tag 274) -> what turns the stored picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
BUILTIN = "builtin:"
BUILTIN_PHOTOS = 1500

Item = TypeVar("Item")
Result = TypeVar("Result")
OnProgress = Callable[[int, int], None]  # how many are done, how many in all


def read(path: Path) -> Image.Image:
    """The photo in RGB: upright, its first frame, in sRGB, on white where it is transparent.

    Grey values of 16 and 32 bits are scaled to 8. Raises DataError saying why a file cannot be read.
    """
    try:
        return decode(read_bytes(path))
    except DataError as error:
        raise DataError(f"{path}: {told(str(error))}") from None


def pixels(root: str, path: str, height: int, width: int) -> np.ndarray:
    """The photo `path` of the data in `root`, resized without keeping its aspect ratio: (height, width, 3) uint8.

    root: a folder, or the name of a built-in data set, whose photos are drawn at this size (resized
        where it is smaller or larger than they can be drawn).

    Raises DataError.
    """
    if root.startswith(BUILTIN):
        return _draw(root, path, height, width)
    return resized(read(Path(root, path)), height, width)


def jpeg(root: str, path: str, size: int) -> bytes:
    """A thumbnail of at most size x size pixels, aspect ratio kept, as JPEG. Raises DataError."""
    if root.startswith(BUILTIN):
        picture = Image.fromarray(_draw(root, path, size, size))
    else:
        picture = read(Path(root, path))
        picture.thumbnail((size, size), Image.Resampling.LANCZOS, reducing_gap=None)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=80)
    return file.getvalue()


def read_bytes(path: Path) -> bytes:
    """The file's bytes, if they begin as an image does. Raises DataError with the reason alone, without the path.

    The reason is English, as records are; `language.told` says it in the language in use.
    Only the first bytes of anything else are read: a folder of photos may hold a film of many gigabytes.
    """
    try:
        with path.open("rb") as file:
            head = file.read(16)
            if not head:
                raise DataError(N_("empty file (0 bytes)"))
            if _FOREIGN.match(head):
                raise DataError(
                    N_("a HEIC or AVIF photo, which is not read; accepted: {accepted}").format(accepted=ACCEPTED)
                )
            if _kind(head) is None:
                raise DataError(N_("not an image file"))
            return head + file.read()
    except OSError as error:
        raise DataError(N_("cannot be read: {reason}").format(reason=error.strerror or error)) from None


def begins_as_photo(path: Path) -> bool:
    """Whether a file's first bytes are those of a kind of image that is read."""
    try:
        with path.open("rb") as file:
            return _kind(file.read(16)) is not None
    except OSError:
        return False


def decode(data: bytes, at_least: int | None = None) -> Image.Image:
    """The photo in a file's bytes, as `read` gives it. Raises DataError as `read_bytes` does.

    at_least: a smaller picture will do, with so many pixels a side; of a JPEG the fine detail is then never decoded.
    """
    with _QUIET:
        try:
            with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                if at_least is not None:
                    picture.draft(None, (at_least, at_least))
                picture.load()
                if picture.format == "PNG":
                    _scale_transparency(picture, depth=data[24])
                return _as_seen(picture)
        except UnidentifiedImageError:
            kind = _kind(data)
            reason = (
                N_("broken, or a kind of {kind} file that is not read").format(kind=kind)
                if kind
                else N_("not an image file")
            )
            raise DataError(reason) from None
        except Image.DecompressionBombError as error:
            found = re.search(r"\((\d+) pixels\)", str(error))
            size = N_("{n:,} pixels").format(n=int(found[1])) if found else N_("far too many pixels")
            limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
            raise DataError(
                N_("{size}, more than the {limit:,} that a photo may have").format(size=size, limit=limit)
            ) from None
        except MemoryError:
            raise DataError(N_("too large for the memory of this machine")) from None
        except Exception as error:  # on broken bytes a decoder raises nearly anything
            if "truncated" in str(error).lower() or isinstance(error, EOFError) or _is_cut_webp(data):
                raise DataError(N_("truncated: the file ends before the picture does")) from None
            raise DataError(N_("broken: {reason}").format(reason=error or type(error).__name__)) from None


def header(data: bytes) -> tuple[str, str, int, int, int]:
    """(format, mode, width, height, frames) as the file has them, for bytes that `decode` could read."""
    with _QUIET, Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
        return str(picture.format), picture.mode, *picture.size, int(getattr(picture, "n_frames", 1))


def resized(picture: Image.Image, height: int, width: int) -> np.ndarray:
    """(height, width, 3) uint8: bilinear over all the pixels that a new one covers, so that nothing aliases."""
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def builtin_photos(root: str) -> int:
    """How many photos the built-in data set `root` has ("builtin:flowers", "builtin:flowers/N"). Raises DataError."""
    name, slash, number = root.removeprefix(BUILTIN).partition("/")
    if name != "flowers":
        raise DataError(unknown("built-in data set", root, [f"{BUILTIN}flowers", f"{BUILTIN}flowers/N"]))
    if not slash:
        return BUILTIN_PHOTOS
    if not re.fullmatch(r"[1-9][0-9]{0,4}", number):
        raise DataError(
            _("{root}: found {number!r} photos, accepted: a whole number from 1 to 99999").format(
                root=root, number=number
            )
        )
    return int(number)


def in_threads(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    on_progress: OnProgress | None = None,
    n_threads: int | None = None,
) -> Iterator[Result]:
    """function(item) for every item, in their order, on every core this process may use (Pillow frees the GIL), or in
    n_threads.

    Only a few results are held at a time, however many items there are.
    """
    cores = n_threads or (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(cores, thread_name_prefix="commongarden-photos")
    try:
        for done in range(len(items)):
            while len(waiting) < 8 * cores and done + len(waiting) < len(items):
                waiting.append(pool.submit(function, items[done + len(waiting)]))
            yield waiting.popleft().result()
            if on_progress is not None:
                on_progress(done + 1, len(items))
    finally:
        pool.shutdown(cancel_futures=True)  # after an error or Ctrl-C: what waits in the queue is not begun


def _draw(root: str, path: str, height: int, width: int) -> np.ndarray:
    from commongarden.data import drawn

    number = PurePosixPath(path).stem
    if not number.isdecimal() or int(number) >= builtin_photos(root):
        raise DataError(_("{root}: found no photo {path!r}").format(root=root, path=path))
    rows, columns = (min(max(size, drawn.SMALLEST), drawn.LARGEST) for size in (height, width))
    picture = drawn.draw(0, int(number), rows, columns)
    return picture if picture.shape == (height, width, 3) else resized(Image.fromarray(picture), height, width)


def _kind(head: bytes) -> str | None:
    return next((kind for kind, magic in _MAGIC if magic.match(head)), None)


def _is_cut_webp(data: bytes) -> bool:
    return _kind(data) == "WebP" and int.from_bytes(data[4:8], "little") + 8 > len(data)


def _scale_transparency(picture: Image.Image, depth: int) -> None:
    """Pillow scales a PNG's pixels to 8 bits, but keeps the colour that is transparent as the file has it."""
    transparent = picture.info.get("transparency")
    if depth in (2, 4) and picture.mode == "L" and isinstance(transparent, int):
        picture.info["transparency"] = transparent * 255 // (2**depth - 1)
    elif depth == 16 and isinstance(transparent, tuple):
        picture.info["transparency"] = tuple(value >> 8 for value in transparent)


def _as_seen(picture: Image.Image) -> Image.Image:
    upright = _UPRIGHT.get(_orientation(picture))
    profile = picture.info.get("icc_profile")
    if picture.mode.startswith(("I", "F")):
        picture = _eight_bits(picture)
    alpha = None
    if picture.has_transparency_data:
        alpha = picture.convert("RGBA").getchannel("A")
    if picture.mode in ("L", "LA"):
        picture = picture.convert("L")
    elif picture.mode != "CMYK":
        # convert("RGB") turns a PNG's transparent colour into another one where it can; RGBA leaves colours alone
        picture = picture.convert("RGB") if alpha is None else picture.convert("RGBA").convert("RGB")
    picture = _in_srgb(picture, profile)
    if alpha is not None:
        picture = Image.composite(picture, Image.new("RGB", picture.size, "white"), alpha)
    return picture if upright is None else picture.transpose(upright)


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(274, 1))
    except Exception:  # EXIF written by a broken program must not cost the photo
        return 1


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits, or floating point, as 8 bits: mode L, or LA where the file names a transparent value."""
    values = np.asarray(picture).astype(np.float64)
    if picture.mode.startswith("I;16") or picture.format == "PNG":
        low, high = 0.0, 65535.0
    else:
        low, high = _range(values, (1.0, 255.0, 65535.0) if picture.mode == "F" else (255.0, 65535.0))
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    scaled = (values - low) * (255 / (high - low or 1))
    grey = Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))
    transparent = picture.info.get("transparency")
    if not isinstance(transparent, int):
        return grey
    alpha = Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8))
    return Image.merge("LA", (grey, alpha))


def _range(values: np.ndarray, limits: tuple[float, ...]) -> tuple[float, float]:
    """Which values are black and white: 0 and the smallest limit that holds them all, else their own extremes."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    return next(((0.0, limit) for limit in limits if low >= 0 and high <= limit), (low, high))


def _in_srgb(picture: Image.Image, profile: object) -> Image.Image:
    transform = _to_srgb(profile, picture.mode) if isinstance(profile, bytes) and profile else None
    if transform is None:
        return picture.convert("RGB")
    return transform.apply(picture)


@lru_cache(maxsize=16)
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From the colours of an ICC profile to sRGB; None where they are sRGB already, or where the profile is broken."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return None
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, ImportError, OSError, TypeError, ValueError):
        return None


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
