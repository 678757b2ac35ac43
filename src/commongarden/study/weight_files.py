"""Files with weights to start from: one by its path, or that of a model in a folder of files."""

from __future__ import annotations

import re
from pathlib import Path

from commongarden.errors import ArchError
from commongarden.i18n.language import _
from commongarden.study import copies, origin

ENDINGS = (".safetensors", ".pth", ".pt", ".bin")
PREFERRED = ("model.safetensors", "pytorch_model.bin")  # as repositories of the Hugging Face hub name them
SHOWN = 8


def find(arch: str, path: str) -> Path:
    """The file that an arm's `weights` names: itself, or in a folder the file of this architecture: model.safetensors,
    else pytorch_model.bin, else the only one that is named for the model, such as resnet50.a1_in1k.safetensors or
    resnet50-11ad3fa6.pth. Raises ArchError."""
    place = copies.find(path) or Path(path)
    if place.is_dir():
        return _in_folder(arch, place)
    if place.suffix.lower() not in ENDINGS:
        text = _("{arch}: weights: found {path!r}, accepted: a folder, or a file that ends in {endings}")
        raise ArchError(text.format(arch=arch, path=path, endings=", ".join(ENDINGS)))
    if not place.is_file():
        raise ArchError(origin.no_file(_("{arch}: weights").format(arch=arch), place))
    return place


def file_hash(arch: str, path: str) -> str:
    """SHA-256 of the file that an arm's `weights` names; "" for none. Raises ArchError."""
    return origin.file_hash(find(arch, path)) if path else ""


def _in_folder(arch: str, folder: Path) -> Path:
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in ENDINGS and file.is_file())
    for name in PREFERRED:
        if folder / name in files:
            return folder / name
    names = _names(arch)
    for name in names:  # the whole name with its tag first
        named = [file for file in files if re.fullmatch(rf"{re.escape(name)}([-_][0-9a-f]{{6,}})?", file.stem)]
        if len(named) == 1:
            return named[0]
        if named:
            text = _(
                "{arch}: weights: {folder} contains several files for this model: {files}; accepted: one of these paths"
            )
            raise ArchError(text.format(arch=arch, folder=folder, files=_listed(named)))
    accepted = ", ".join((*PREFERRED, *(f"{name}.safetensors" for name in names)))
    text = _(
        "{arch}: weights: {folder} contains no file for this model (found {files}); accepted: {accepted}, or the path "
        "of a file"
    )
    told = {"arch": arch, "folder": folder, "files": _listed(files) or _("none"), "accepted": accepted}
    raise ArchError(text.format(**told))


def _names(arch: str) -> list[str]:
    """What a file for the model may be called, without its ending."""
    name = origin.parts(arch)[1].partition("@")[0].rpartition("/")[2]
    base = name.partition(".")[0] if origin.is_of_library(arch) else name
    return list(dict.fromkeys((name, base)))


def _listed(files: list[Path]) -> str:
    more = _(" and {n} more").format(n=len(files) - SHOWN) if len(files) > SHOWN else ""
    return ", ".join(file.name for file in files[:SHOWN]) + more
