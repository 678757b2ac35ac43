"""The files of a study, and which part each is in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from commongarden.i18n.coded import Code, Coded, coded, keep_code, keep_codes
from commongarden.study.brightness_range import Range


@dataclass(frozen=True)
class Photo:
    """One photo that could be read. path: relative to the manifest's root, with forward slashes.

    part: the part it was declared for ("train", "val", "test"), "" where the split is still to be made.
    sha256: of the file's bytes; equal for exact duplicates.
    group: what the photo belongs to with others (a patient, a plant, a video), which stay in one part; "" for none.
    stored: where its bytes lie, if not in a file of its own: "SHARD@OFFSET+LENGTH" in a tar, "SHARD@ROW" in a Parquet
        file. It does not say what the photo is, so two photos are equal without it, and no hash holds it.
    """

    path: str
    label: str
    part: str
    sha256: str
    group: str = ""
    stored: str = field(default="", compare=False)


@dataclass(frozen=True)
class LeftOut:
    """A file that takes no part, and why, in English. code: of the reason; None in records of earlier versions."""

    path: str
    reason: str
    code: Code | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        keep_code(self, "reason", "code")

    @property
    def text(self) -> Coded:
        """The reason, to be shown by `translate`."""
        return Coded(self.reason, self.code)


@dataclass(frozen=True)
class Understood:
    """How the data of a study were read: in one sentence, and what else a person should know of them, in English.

    layout_code, note_codes: of these texts; None and () in records of earlier versions.
    """

    layout: str
    notes: tuple[str, ...] = ()
    layout_code: Code | None = field(default=None, compare=False)
    note_codes: tuple[Code | None, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        keep_code(self, "layout", "layout_code")
        keep_codes(self, "notes", "note_codes")

    @property
    def text(self) -> Coded:
        """The layout, to be shown by `translate`."""
        return Coded(self.layout, self.layout_code)

    @property
    def texts(self) -> tuple[Coded, ...]:
        """The notes, to be shown by `translate`."""
        return coded(self.notes, self.note_codes)


@dataclass(frozen=True)
class Deep:
    """What the photos with more than 8 bits per channel hold: how many there are, their smallest and largest value, and
    how many use less than a sixteenth of the range."""

    n_photos: int
    low: float
    high: float
    n_dark: int


@dataclass(frozen=True)
class Manifest:
    """The files found and judged, sorted by path. root: the folder, or the name of a built-in data set.

    range: the values that become 0 and 255 in photos with more than 8 bits per channel; None where there are none, and
        in studies begun by versions that scaled each photo by its file's type.
    deep: what those photos hold, where they were just read.
    """

    root: str
    photos: tuple[Photo, ...]
    left_out: tuple[LeftOut, ...] = ()
    range: Range | None = None
    deep: Deep | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Labels in alphabetical order; a label's place is the number of its logit."""
        return tuple(sorted({photo.label for photo in self.photos}))

    @property
    def hash(self) -> str:
        """SHA-256 over (path, label, declared part, content, group) of every photo, and the range where there is one,
        wherever the folder stands."""
        digest = hashlib.sha256()
        if self.range is not None:
            digest.update("range {:.17g} {:.17g}\n".format(*self.range).encode())
        for photo in self.photos:
            group = f"\0{photo.group}" if photo.group else ""
            digest.update(f"{photo.path}\0{photo.label}\0{photo.part}\0{photo.sha256}{group}\n".encode())
        return digest.hexdigest()


@dataclass(frozen=True)
class Split:
    """Which part each photo is in, as paths of the manifest, in the order in which they are stored.

    left_out: photos of the manifest that are in no part (conflicting labels, copies across declared parts).
    """

    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def hash(self) -> str:
        """SHA-256 over the three parts."""
        digest = hashlib.sha256()
        for name, paths in (("train", self.train), ("val", self.val), ("test", self.test)):
            digest.update("\0".join((name, *paths)).encode() + b"\n")
        return digest.hexdigest()
