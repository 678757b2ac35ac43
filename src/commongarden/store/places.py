"""The folder of a study or a run as somebody typed it: what is wrong with it, in one message."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from commongarden.errors import StoreError, nearest
from commongarden.i18n.language import _

USUAL = "garden"  # where studies are made unless --out says otherwise


def check_study(path: Path) -> None:
    """Raises StoreError where there is no study in the folder."""
    if not (path / "study.toml").is_file():
        accepted = _("the folder of a study, made by `commongarden run`")
        if (path / "datasets.toml").is_file():
            accepted = _("the folder of one study in it, one for each data set")
        raise StoreError(_not_there(path, _("no study.toml"), accepted))


def check_run(path: Path) -> None:
    """Raises StoreError where there is no run in the folder."""
    if not (path / "run.json").is_file():
        accepted = _("the folder of a finished run (STUDY/runs/MODEL/SEED)")
        raise StoreError(_not_there(path, _("no run.json"), accepted))


def check_study_or_run(path: Path, then: Sequence[Path] = ()) -> None:
    """Raises StoreError where there is neither. then: the paths typed behind it, one of which may have been meant."""
    if _is_study_or_run(path):
        return
    accepted = _("the folder of a study, or of a finished run (STUDY/runs/MODEL/SEED)")
    said = _not_there(path, _("no study.toml and no run.json"), accepted)
    if swapped := next(filter(_is_study_or_run, then), None):
        said += _("; the study comes first: {study} {other}").format(study=swapped, other=path)
    raise StoreError(said)


def _is_study_or_run(path: Path) -> bool:
    return (path / "study.toml").is_file() or (path / "run.json").is_file()


def _not_there(path: Path, missing: str, accepted: str) -> str:
    found = missing if path.exists() else _("no such folder")
    if near := "" if path.exists() else _near(path):
        text = _("{path}: {found}; did you mean {near!r}? Accepted: {accepted}")
        return text.format(path=path, found=found, near=near, accepted=accepted)
    return _("{path}: {found}; accepted: {accepted}").format(path=path, found=found, accepted=accepted)


def _near(path: Path) -> str:
    """The folder that may have been meant: one of a near name beside it, or of its name where studies usually are."""
    usual = Path(USUAL) / path
    if not path.is_absolute() and usual.is_dir():
        return usual.as_posix()
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_dir()]
    except OSError:
        return ""
    found = nearest(path.name, names)
    return (path.parent / found[0]).as_posix() if found else ""
