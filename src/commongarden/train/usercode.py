"""The user's own module that makes a network, executed for each network that is made.

Executed each time, so that what it draws at random while it is loaded is drawn from the run's own stream, whatever ran
in this process before; and alone, so that a neighbour of the same name that belongs to another network's file (two
folders with a `layers.py` each) is not taken for its own.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

from commongarden.train.blame import INSTALLED

LOADED_ONCE = {"torch", "torchvision", "numpy", "__main__"}  # their compiled parts cannot be loaded again
_folders: list[str] = []  # of the modules executed so far
_added: list[str] = []  # those that were put on sys.path for them
_before: set[str] = set()  # names of modules that were loaded before the first of them


def load(place: str, file: Path, digest: str) -> ModuleType:
    """The module that `place` ("FILE.py" or "package.module") names, with its neighbours within reach of its imports,
    as when Python runs it. digest: SHA-256 of the file. Raises whatever its code raises."""
    is_file = place.endswith(".py")
    folder = str(file.parent.resolve()) if is_file else str(Path.cwd())
    _forget()
    with _first(folder):
        if not is_file:
            return importlib.import_module(place)
        name = f"{file.stem}_{digest[:12]}"
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None  # a file that ends in .py has one, and a loader
        assert spec.loader is not None
        made = importlib.util.module_from_spec(spec)
        sys.modules[name] = made
        try:
            spec.loader.exec_module(made)
        except BaseException:
            sys.modules.pop(name, None)
            raise
        return made


def _forget() -> None:
    """Takes modules out of Python's list that came with a user's code; networks made of them keep theirs."""
    if not _before:
        _before.update(sys.modules)
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] not in _before and _is_users(module):
            del sys.modules[name]
    importlib.invalidate_caches()


def _is_users(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return False
    path = Path(file)
    inside = any(path.is_relative_to(folder) for folder in _folders)
    return inside and not any(part in INSTALLED for part in path.parts)


def _neighbours(folder: str) -> set[str]:
    """Modules in the folder that have the name of another one, which is loaded already: the folder's is meant."""
    names = {path.stem for path in Path(folder).glob("*.py")}
    names |= {path.parent.name for path in Path(folder).glob("*/__init__.py")}
    return names - LOADED_ONCE - {__name__.partition(".")[0]}


@contextmanager
def _first(folder: str) -> Iterator[None]:
    """The folder is searched first while its module is executed, and last from then on, so that a file in it is not
    taken for a module of the standard library that something else imports later. Folders of other files are not."""
    for other in _added:
        with suppress(ValueError):
            sys.path.remove(other)
    _added.clear()
    if folder not in _folders:
        _folders.append(folder)
    added = folder not in sys.path
    sys.path.insert(0, folder)
    near = _neighbours(folder)
    hidden = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in near}
    for name in hidden:
        del sys.modules[name]
    try:
        yield
    finally:
        sys.modules.update(hidden)
        sys.path.remove(folder)
        if added:
            sys.path.append(folder)
            _added.append(folder)
