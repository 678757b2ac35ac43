"""A folder with a study for each of several data sets: datasets.toml names them in their order."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from commongarden.errors import StoreError
from commongarden.i18n.language import _
from commongarden.store.files import make_folder, write_atomically

FILE = "datasets.toml"
LARGEST = 2**20  # bytes


@dataclass(frozen=True)
class Members:
    """name: of the whole. folders: of the studies, one a data set, named after it; those that were begun. absent: the
    data sets that were not."""

    name: str
    folders: tuple[Path, ...]
    absent: tuple[str, ...] = ()


def write(folder: Path, name: str, names: Sequence[str]) -> None:
    """Names the data sets of a folder. Raises StoreError."""
    make_folder(folder)
    write_atomically(folder / FILE, tomli_w.dumps({"name": name, "datasets": list(names)}).encode())


def members(folder: Path) -> Members | None:
    """The studies of a folder with several data sets; None for any other folder. Raises StoreError."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        table = tomllib.loads(path.read_bytes()[:LARGEST].decode())
        name, names = table["name"], table["datasets"]
        if not isinstance(name, str) or not all(isinstance(one, str) and Path(one).name == one for one in names):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError):
        text = _(
            "{path}: corrupt; accepted: the file as it was written. Repeat the command of the study to write it again"
        )
        raise StoreError(text.format(path=path)) from None
    begun = [one for one in names if (folder / one / "study.toml").is_file()]
    return Members(name, tuple(folder / one for one in begun), tuple(one for one in names if one not in begun))
