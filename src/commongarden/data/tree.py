"""The folders below a place, each listed once, and which of their files look like photos."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterator
from pathlib import Path

from commongarden.data import image
from commongarden.errors import DataError
from commongarden.i18n.language import _

# a file that bears one of these was meant as a photo, so it counts where it cannot be read
EXTENSIONS = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff",
     ".heic", ".heif", ".hif", ".avif", ".avifs", ".apng", ".jxl", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx",
     ".ppm", ".pgm", ".pbm", ".pnm", ".pfm",
     ".tga", ".ico", ".icns", ".dds", ".sgi", ".pcx", ".exr",
     ".hdr", ".psd", ".svg", ".dcm", ".dicom", ".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw",
     ".orf", ".rw2", ".raf", ".pef", ".srw")
)  # fmt: skip
IGNORED = frozenset(
    ("thumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "systemvolumeinformation", "lost+found")
)
MOST_OPENED = 20  # files of a folder whose first bytes are read where no name says that they are photos


class Tree:
    """What lies below `root`, by relative path with forward slashes; "" is the root itself.

    Of what was listed so far, denied: the folders that cannot be read, with the reason; links: those to a folder beside
    them, which are left out, with its name.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._listed: dict[str, tuple[list[str], list[str]]] = {}
        self._holds: dict[str, bool] = {}
        self.denied: dict[str, str] = {}
        self.links: dict[str, str] = {}

    def folders(self, at: str) -> list[str]:
        """Names of the folders in a folder, sorted."""
        return self.listed(at)[0]

    def files(self, at: str) -> list[str]:
        """Names of the files in a folder, sorted."""
        return self.listed(at)[1]

    def listed(self, at: str) -> tuple[list[str], list[str]]:
        """Folders and files, without what systems leave there. Raises DataError where the root cannot be read."""
        if at not in self._listed:
            try:
                self._listed[at] = self._scanned(at)
            except OSError as error:
                if not at:
                    message = _("{folder}: the folder cannot be read: {reason}")
                    raise DataError(message.format(folder=self.root, reason=error.strerror)) from None
                self._listed[at] = [], []
                self.denied[at] = error.strerror or str(error)
        return self._listed[at]

    def _scanned(self, at: str) -> tuple[list[str], list[str]]:
        with os.scandir(self.root / at) as entries:
            visible = [entry for entry in entries if not _ignored(entry.name)]
        folders = [entry for entry in visible if _is_folder(entry)]
        inodes = {entry.inode(): entry.name for entry in folders if not entry.is_symlink()}
        for entry in folders:
            own = inodes.get(entry.stat().st_ino) if entry.is_symlink() else None
            if own is not None and os.path.samefile(entry.path, self.root / at / own):
                self.links[posixpath.join(at, entry.name)] = own
        names = {entry.name for entry in folders}
        linked = {name for name in names if posixpath.join(at, name) in self.links}
        return sorted(names - linked), sorted(entry.name for entry in visible if entry.name not in names)

    def photos(self, at: str) -> list[str]:
        """Names of the files directly in a folder that look like photos."""
        named = [name for name in self.files(at) if is_named_so(name)]
        if named or len(self.files(at)) == 0:
            return named
        opened = self.files(at)[:MOST_OPENED]
        return [name for name in opened if image.begins_as_photo(self.root / at / name)]

    def holds_photos(self, at: str) -> bool:
        """Whether a file at any depth looks like a photo."""
        if at not in self._holds:
            self._holds[at] = any(self.photos(place) for place in self._below(at, {identity(self.root)}))
        return self._holds[at]

    def holding(self, at: str) -> list[str]:
        """Names of the folders in a folder that hold photos at any depth."""
        return [name for name in self.folders(at) if self.holds_photos(posixpath.join(at, name))]

    def inmost(self, at: str, may_enter: Callable[[str, str], bool]) -> str:
        """The folder below a chain of folders that hold one folder and no photos, as far as it may be entered."""
        while True:
            holding = self.holding(at)
            if len(holding) != 1 or self.photos(at) or not may_enter(at, holding[0]):
                return at
            inside = posixpath.join(at, holding[0])
            if not self.holding(inside):
                return at
            at = inside

    def walk(self, at: str, seen: set[tuple[int, int]]) -> Iterator[str]:
        """Files at any depth. Each folder is entered once, so links that lead back end the walk."""
        for place in self._below(at, seen):
            yield from (posixpath.join(place, name) for name in self.files(place))

    def _below(self, at: str, seen: set[tuple[int, int]]) -> Iterator[str]:
        try:
            found = identity(self.root / at)
        except OSError:  # it is gone since it was listed
            return
        if found in seen:
            return
        seen.add(found)
        yield at
        for name in sorted(self.folders(at), key=lambda name: ((self.root / at / name).is_symlink(), name)):
            yield from self._below(posixpath.join(at, name), seen)


def identity(folder: Path) -> tuple[int, int]:
    """What is the same for a folder and for links to it."""
    status = folder.stat()
    return status.st_dev, status.st_ino


def is_named_so(name: str) -> bool:
    """Whether a name ends as those of photos do."""
    return posixpath.splitext(name)[1].lower() in EXTENSIONS


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _ignored(name: str) -> bool:
    return name.startswith(".") or name.lower().replace(" ", "") in IGNORED
