"""Other people's networks, as far as they can be known without running them: how they are named, where their code lies,
and what is kept of them in a study. No torch and none of their code is loaded here.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import sys
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from commongarden.errors import ArchError, nearest, unknown
from commongarden.i18n.coded import Code, Coded, coded, keep_code, keep_codes
from commongarden.i18n.language import N_, _
from commongarden.study import copies, moved

HUB = "hf-hub"  # of Hugging Face, whose models timm builds
LIBRARIES = ("torchvision", "timm", HUB)
REPOSITORY = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")
PREFLIGHT = 1  # version of the preflight check (train/preflight.py)
PHASES = {
    "fetching": N_("downloading its weights"),
    "measuring": N_("measuring its cost"),
    "building": N_("building it"),
    "forward": N_("the forward pass"),
    "backward": N_("the backward pass"),
    "optimizer": N_("the optimizer step"),
    "evaluation": N_("evaluation"),
    "storing": N_("storing and loading"),
    "resuming": N_("resuming from a checkpoint"),
}
NO_CODE = "COMMONGARDEN_NO_CODE"  # set where no code of the user's may be run; worker processes inherit it
SPELLINGS = '"torchvision:NAME", "timm:NAME", "hf-hub:ORG/NAME", "path/to/FILE.py:FACTORY", "package.module:FACTORY"'


@dataclass(frozen=True)
class Origin:
    """What a study stores about an external network.

    code: SHA-256 of the user's file, weights: of the file that the first weights come from; "" where there is none.
    revision: commit of the repository of the hub that these weights, or the network's settings, are from. config: these
    settings, for a network of the hub, as JSON.
    The rest was measured on the network itself: for how many classes (0: not measured yet), at which input (height,
    width, channels), its cost as the folds would tell it, and the pixels' normalization (per channel, in 0..255) that
    its published weights were made with, where it names one. resize, interpolation, crop_share: the framing that its
    library documents for them, as in Recipe; "" and 0 where there is none, and in studies of earlier versions, which
    did not take it. input_size: the image size that it documents, in pixels, as information.

    preflight: version of the preflight check that it passed; 0 in studies of earlier versions. layout: the memory
    layout that it is trained in where the recipe's does not work with it, else "". repeats: whether two identical steps
    gave the same bits. init: "own" where it keeps the first weights that its code draws or sets, else "". notes: what
    the check found, as English sentences. note_codes, unknown_code: of these texts; () and None in studies of earlier
    versions.
    """

    code: str = ""
    weights: str = ""
    classes: int = 0
    input: tuple[int, int, int] = (0, 0, 0)
    n_params: int = 0
    macs: int = 0
    activation_bytes: int = 0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    resize: str = ""
    interpolation: str = ""
    crop_share: float = 0.0
    input_size: int = 0
    preflight: int = 0
    layout: str = ""
    init: str = ""
    repeats: bool = True
    notes: tuple[str, ...] = ()
    revision: str = ""
    config: str = ""
    unknown: str = ""  # why macs and activation_bytes are arch.UNKNOWN, where they are
    note_codes: tuple[Code | None, ...] = field(default=(), compare=False)
    unknown_code: Code | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        keep_codes(self, "notes", "note_codes")
        keep_code(self, "unknown", "unknown_code")

    @property
    def texts(self) -> tuple[Coded, ...]:
        """The notes, to be shown by `translate`."""
        return coded(self.notes, self.note_codes)

    @property
    def why_unknown(self) -> Coded:
        """Why its cost is not known, to be shown by `translate`."""
        return Coded(self.unknown, self.unknown_code)

    @property
    def framing(self) -> dict[str, Any]:
        """The values of the recipe that `pixels = "own"` brings besides the normalization; {} where it brings none."""
        names = ("resize", "interpolation", "crop_share")
        return {name: getattr(self, name) for name in names} if self.resize else {}

    def fits(self, n_classes: int, input: tuple[int, int, int]) -> bool:
        """Whether it was measured for this many classes and this input."""
        return (self.classes, self.input) == (n_classes, tuple(input))


def is_external(arch: str) -> bool:
    """Whether an architecture's name is that of somebody else's network. Raises ArchError for half a name."""
    place, colon, name = arch.rpartition(":")
    if not colon:
        if arch.endswith(".py"):
            text = _("{arch}: found no factory, accepted: {arch}:FACTORY, a function or class in that file")
            raise ArchError(text.format(arch=arch))
        return False
    if place in LIBRARIES or place.endswith(".py"):
        return True
    if "." in place and all(part.isidentifier() for part in place.split(".")):
        return True
    if set(name) - set("LAB") and nearest(place, LIBRARIES):
        raise ArchError(unknown("library", place, LIBRARIES, where=arch))
    return False


def parts(arch: str) -> tuple[str, str]:
    """Library, file or module, and the name in it."""
    place, _colon, name = arch.rpartition(":")
    if not name:
        text = _("{arch}: found no name after the colon, accepted: {accepted}")
        raise ArchError(text.format(arch=arch, accepted=SPELLINGS))
    return place, name


def is_of_library(arch: str) -> bool:
    """Whether it is a published library's, and not the user's own code."""
    return parts(arch)[0] in LIBRARIES


def is_of_hub(arch: str) -> bool:
    """Whether a repository of the Hugging Face hub defines it."""
    return parts(arch)[0] == HUB


def repository(arch: str) -> tuple[str, str]:
    """The repository of a network of the hub, and the branch, tag or commit asked for, "" for none. Raises
    ArchError."""
    found = REPOSITORY.fullmatch(parts(arch)[1])
    if found is None:
        text = _("{arch}: found no repository, accepted: {hub}:ORG/NAME or {hub}:ORG/NAME@REVISION, such as {example}")
        raise ArchError(text.format(arch=arch, hub=HUB, example=f"{HUB}:timm/resnet50.a1_in1k"))
    return found[1], found[2] or ""


def check_allowed(arch: str) -> None:
    """Refuses a network that is made by a file or module of the user's, where no code may be run. Raises ArchError."""
    if os.environ.get(NO_CODE) and is_external(arch) and not is_of_library(arch):
        text = _(
            "{arch}: needs to run its code, which --no-code forbids; accepted: a named architecture, a "
            "file in list form, torchvision:NAME, timm:NAME, or the command without --no-code"
        )
        raise ArchError(text.format(arch=arch))


def code_file(arch: str) -> Path:
    """The file of the user's factory; a module is searched as `import` would, and in the current folder, but not run.

    Raises ArchError where there is none.
    """
    place, _name = parts(arch)
    if place.endswith(".py"):
        file = copies.find(place) or Path(place)
        if not file.is_file():
            raise ArchError(no_file(arch, file))
        return file
    if place in moved.MODULES:
        example = moved.find(moved.MODULES[place])
        if example is None:
            raise ArchError(moved.missing(arch, moved.MODULES[place]))
        return example
    found = _module_file(place)
    if found is None:
        text = _(
            "{arch}: no module {place!r} on the Python path or in the current folder ({folder}); accepted: {accepted}"
        )
        raise ArchError(text.format(arch=arch, place=place, folder=Path.cwd(), accepted=SPELLINGS))
    return found


def is_moved(arch: str) -> bool:
    """Whether it was a module of this package: its file's hash changed with its place, and tests hold what it does."""
    return parts(arch)[0] in moved.MODULES


def code_hash(arch: str) -> str:
    """SHA-256 of the user's file; "" for a library's network. Raises ArchError where there is no such file."""
    return "" if is_of_library(arch) else file_hash(code_file(arch))


def file_hash(file: Path) -> str:
    """SHA-256 of a file's bytes. Raises ArchError where it cannot be read."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        text = _("{file}: cannot be read: {reason}")
        raise ArchError(text.format(file=file, reason=error.strerror or error)) from None


def _module_file(name: str) -> Path | None:
    top, *rest = name.split(".")
    spec = importlib.util.find_spec(top) if top in sys.modules else PathFinder.find_spec(top)
    spec = spec or PathFinder.find_spec(top, [str(Path.cwd())])
    for end in range(len(rest)):
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(".".join([top, *rest[: end + 1]]), spec.submodule_search_locations)
    file = Path(spec.origin) if spec is not None and spec.origin else None
    return file if file is not None and file.is_file() else None


def no_file(where: str, file: Path) -> str:
    """The message for a file that is not there, with the nearest name in its folder."""
    names = sorted(entry.name for entry in file.parent.glob(f"*{file.suffix}"))
    near = nearest(file.name, names)
    hint = _("; did you mean {near!r}?").format(near=str(file.parent / near[0])) if near else ""
    text = _("{where}: no such file {file!r}; a relative path starts at the current folder ({folder}){hint}")
    return text.format(where=where, file=str(file), folder=Path.cwd(), hint=hint)
