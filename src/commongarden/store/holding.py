"""One process works on a study at a time, and mends first what a killed one left half done."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

from commongarden.errors import StoreError
from commongarden.language import _
from commongarden.store.files import sweep
from commongarden.store.folder import Store
from commongarden.store.runs import finalize


@contextmanager
def held(root: Path) -> Iterator[None]:
    """Holds the study for this process; leaves no folder behind where none came to be.

    Raises StoreError at once where another process works on it.
    """
    made = [folder for folder in (root, *root.parents) if not folder.exists()]
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            _("{root}: cannot be made: {reason}; accepted: --out with a folder to write in").format(
                root=root, reason=error.strerror
            )
        ) from None
    lock = filelock.FileLock(root / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise StoreError(
            _("{root}: another commongarden process works on this study; wait for it, or choose --out").format(
                root=root
            )
        ) from None
    try:
        yield
    finally:
        lock.release()
        if made and not (root / "study.toml").exists():
            (root / ".lock").unlink(missing_ok=True)
            with suppress(OSError):  # something else has been put there meanwhile
                for folder in made:
                    folder.rmdir()


def mend(store: Store) -> None:
    """Ends what a killed process had begun: the last rename of a whole run, the removal of a failed one, and files
    under temporary names. For the process that holds the study."""
    for forgotten in store.root.glob("runs/*/*.forgotten"):
        shutil.rmtree(forgotten)
    for partial in store.root.glob("runs/*/*.partial"):
        sweep(partial)
        if (partial / "run.json").is_file():  # written last, so the run is whole
            finalize(partial, partial.with_suffix(""))
    sweep(store.root)
    sweep(store.root / "baselines")
    if store.tuning().root.is_dir():
        mend(store.tuning())
    sweep(store.root / "splits")
