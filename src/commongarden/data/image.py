"""One photo: read as people see it, resized, drawn where the data set is built in."""

from __future__ import annotations

import io
import math
import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import TypeVar

import numpy as np
from PIL import Image

from commongarden.data import colours, greys, kinds, opening
from commongarden.data.framing import framed
from commongarden.data.greys import Span
from commongarden.data.stored import File, file_of, opened
from commongarden.errors import DataError, unknown
from commongarden.i18n.language import N_, _, translate
from commongarden.records import Range
from commongarden.study.framing import SQUASHED, Framing

BUILTIN = "builtin:"
BUILTIN_PHOTOS = 1500

Item = TypeVar("Item")
Result = TypeVar("Result")
OnProgress = Callable[[int, int], None]  # how many are done, how many in all


def read(path: File, range: Range | None = None) -> Image.Image:
    """The photo in RGB: upright, its first frame, in sRGB, on white where it is transparent.

    range: of values of more than 8 bits, those that become 0 and 255 (greys.py). Raises DataError saying why a file
    cannot be read.
    """
    try:
        return decode(read_bytes(path), range=range)
    except DataError as error:
        raise DataError(f"{path}: {translate(error.reason)}") from None


def pixels(
    root: str,
    path: str,
    height: int,
    width: int,
    range: Range | None = None,
    framing: Framing = SQUASHED,
    *,
    stored: str = "",
) -> np.ndarray:
    """The photo `path` of the data in `root` at a size: (height, width, 3) uint8.

    root: a folder, or the name of a built-in data set, whose photos are drawn at this size (resized
        where it is smaller or larger than they can be drawn).
    framing: how a photo of another shape is resized.
    stored: where its bytes lie, if not in a file of its own.

    Raises DataError.
    """
    if root.startswith(BUILTIN):
        return _draw(root, path, height, width, framing)
    return framed(read(file_of(root, path, stored), range), height, width, framing)


def jpeg(root: str, path: str, size: int, range: Range | None = None, *, stored: str = "") -> bytes:
    """A thumbnail of at most size x size pixels, aspect ratio kept, as JPEG. Raises DataError."""
    if root.startswith(BUILTIN):
        picture = Image.fromarray(_draw(root, path, size, size))
    else:
        picture = read(file_of(root, path, stored), range)
        picture.thumbnail((size, size), Image.Resampling.LANCZOS, reducing_gap=None)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=80)
    return file.getvalue()


def read_bytes(path: File) -> bytes:
    """The file's bytes, if they begin as an image does. Raises DataError with the reason alone, without the path.

    The reason is English, as records are; `language.translate` shows it in the language in use.
    Only the first bytes of anything else are read: a folder of photos may hold a film of many gigabytes.
    """
    try:
        with opened(path) as file:
            head = file.read(kinds.HEAD)
            if not head:
                raise DataError(N_("empty file (0 bytes)"))
            if reason := kinds.not_read(head):
                raise DataError(reason)
            return head + file.read()
    except OSError as error:
        raise DataError(N_("cannot be read: {reason}").format(reason=error.strerror or error)) from None
    except MemoryError:
        raise DataError(N_("too large for the memory of this machine")) from None


def begins_as_photo(path: File) -> bool:
    """Whether a file's first bytes are those of a kind of image that is known."""
    return kinds.kind(head(path)) is not None


def head(path: File) -> bytes:
    """The first bytes of a file, which tell its kind; none of one that cannot be read."""
    try:
        with opened(path) as file:
            return file.read(kinds.HEAD)
    except OSError:
        return b""


def decode(data: bytes, at_least: int | None = None, range: Range | None = None) -> Image.Image:
    """The photo in a file's bytes, as `read` gives it. Raises DataError as `read_bytes` does.

    at_least: a smaller picture will do, with so many pixels a side; of a JPEG the fine detail is then never decoded.
    """

    def seen(picture: Image.Image, data: bytes) -> Image.Image:
        deep = range is not None and greys.has_deep_colours(picture)
        if at_least is not None and picture.format in ("JPEG", "MPO"):
            picture.draft(None, (at_least, at_least))
        picture.load()
        if picture.format == "PNG":
            colours.scale_transparency(picture, depth=data[24])
        return colours.as_seen(picture, greys.values(picture, opening.again(data)) if deep else None, range)

    return opening.look(data, seen)


def header(data: bytes) -> tuple[str, str, int, int, int]:
    """(format, mode, width, height, frames) as the file has them; 0 frames where all behind the first are broken.
    Raises DataError as `decode` does."""

    def seen(picture: Image.Image, data: bytes) -> tuple[str, str, int, int, int]:
        try:
            n_frames = int(getattr(picture, "n_frames", 1))
        except Exception:  # the first page is whole, or `decode` says so; the directory of a next one is not
            n_frames = 0
        return str(picture.format), picture.mode, *picture.size, n_frames

    return opening.look(data, seen)


def span(data: bytes) -> Span | None:
    """The values of a photo with more than 8 bits per channel; None for others. Raises DataError as `decode` does."""

    if kinds.kind(data[: kinds.HEAD]) in kinds.EIGHT_BITS:
        return None

    def seen(picture: Image.Image, data: bytes) -> Span | None:
        deep = greys.has_deep_colours(picture)
        if not deep and not picture.mode.startswith(("I", "F")):
            return None
        picture.load()
        found = greys.values(picture, opening.again(data) if deep else None)
        return None if found is None else greys.span(picture, data, found)

    return opening.look(data, seen)


def builtin_photos(root: str) -> int:
    """How many photos the built-in data set `root` has ("builtin:flowers", "builtin:flowers/N"). Raises DataError."""
    from commongarden.data.drawn_tasks import TASKS

    name, slash, number = root.removeprefix(BUILTIN).partition("/")
    if name not in TASKS:
        accepted = [*(f"{BUILTIN}{task}" for task in TASKS), f"{BUILTIN}flowers/N"]
        raise DataError(unknown("built-in data set", root, accepted))
    if not slash:
        return BUILTIN_PHOTOS
    if not re.fullmatch(r"[1-9][0-9]{0,4}", number):
        message = _("{root}: found {number!r} photos, accepted: an integer from 1 to 99999")
        raise DataError(message.format(root=root, number=number))
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


def _draw(root: str, path: str, height: int, width: int, framing: Framing = SQUASHED) -> np.ndarray:
    from commongarden.data import drawn
    from commongarden.data.drawn_tasks import task

    number = PurePosixPath(path).stem
    if not number.isdecimal() or int(number) >= builtin_photos(root):
        raise DataError(_("{root}: found no photo {path!r}").format(root=root, path=path))
    wanted = (math.floor(size / framing.crop_share) for size in (height, width))
    rows, columns = (min(max(size, drawn.SMALLEST), drawn.LARGEST) for size in wanted)
    picture = task(root).draw(0, int(number), rows, columns)
    if picture.shape == (height, width, 3):
        return picture
    return framed(Image.fromarray(picture), height, width, framing)
