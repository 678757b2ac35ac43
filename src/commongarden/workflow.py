"""From a study to its report, and from its best model to a file for other programs, each in one call; what the command
line and Python scripts use."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from commongarden import report, stats
from commongarden import store as stores
from commongarden.data.finding import Listed
from commongarden.errors import StudyError
from commongarden.i18n.language import _
from commongarden.report.topics import race
from commongarden.report.wording import audits
from commongarden.runner import main_guard, trackers
from commongarden.runner.callbacks import Callbacks
from commongarden.runner.display import Display, PlainDisplay
from commongarden.runner.executor import Place
from commongarden.runner.forecast import Forecast
from commongarden.runner.observers import Guard, Observer
from commongarden.runner.options import RunOptions
from commongarden.runner.run_study import StudyOutcome, run_study
from commongarden.stats import Results
from commongarden.stats.between_studies import Side
from commongarden.store import ReadOnce
from commongarden.store import data_sets as data_set_files
from commongarden.study import Study

if TYPE_CHECKING:
    from commongarden.inference.exported import Exported
    from commongarden.stats.data_sets import Combined


class RunKeywords(TypedDict, total=False):
    """The values of RunOptions as keywords of `run`, as earlier versions took them. stop_hopeless is RunOptions'
    stop_at_futility."""

    cache_dir: str | Path | None
    n_workers: int | None
    device: str
    keep_going: bool
    retry: bool
    tensorboard: bool
    argv: Sequence[str]
    until: str | None
    budget: str | None
    most_seeds: int | None
    stop_hopeless: bool
    stop_at_futility: bool
    maps: bool
    cache_budget: int | None


def run(
    study: Study,
    out: str | Path,
    options: RunOptions | None = None,
    *,
    display: Display | None = None,
    confirm: Callable[[Forecast], bool] | None = None,
    listed: Listed | None = None,
    observers: Sequence[Observer] = (),
    place: Place | None = None,
    **keywords: Unpack[RunKeywords],
) -> tuple[Results, StudyOutcome]:
    """Makes the study's missing runs in `out`, and writes results.csv, results.json and report.html.

    Worker processes import the calling script: keep the call under `if __name__ == "__main__":`.

    Args:
        study: What is compared.
        out: The study's folder. A folder that holds this study is continued.
        options: How the runs are made.
        display: Shows how it goes. None prints plain lines.
        confirm: Asked before runs that take more than ten minutes. None asks nobody.
        listed: The data's files, if they were listed and reported before (runner/sources.py).
        observers: Notified of the study while it runs, such as trackers of your own. One that fails stops no run.
        place: Where the runs are made, such as `commongarden.cluster.ray_place(...)`. None for this machine.
        **keywords: Values of RunOptions by name, which take the place of those in `options`. Deprecated: pass
            `options=RunOptions(...)`.

    Returns:
        The results, and how the study stands.

    Raises:
        CommonGardenError: For anything that the user can mend.
    """
    main_guard.check()
    display = display if display is not None else PlainDisplay(print)
    values: dict[str, Any] = dict(keywords)
    if "stop_hopeless" in values:
        values["stop_at_futility"] = values.pop("stop_hopeless")
    if "argv" in values:
        values["argv"] = tuple(values["argv"])
    options = dataclasses.replace(options or RunOptions(), **values)
    log_to = ("tensorboard", *options.log_to) if options.tensorboard else options.log_to
    _check_observers(observers)
    guards = [Guard(observer, display.note) for observer in (*trackers.chosen(log_to, Path(out)), *observers)]
    callbacks = Callbacks(display, confirm, audits.warning, race.look_told, tuple(guards))
    outcome = run_study(study, Path(out), options, callbacks, listed, place)
    display.note(_("writing the report"))
    store = ReadOnce(outcome.store.root)
    results = stats.summarize(store)
    path = report.write(store, results)
    for guard in guards:
        guard.tell("end", results, path)
    for warning in report.unread(store):
        display.note(warning)
    return results, outcome


def combine(folders: Sequence[str | Path], out: str | Path, *, margin: float | None = None) -> tuple[Combined, Path]:
    """Combines studies of the same models on different data sets, and writes combined.json and combined.html.

    Args:
        folders: Of the studies; that of a study on several data sets stands for its studies.
        out: The folder of the two files.
        margin: The equivalence margin in points. None for that of the studies.

    Returns:
        What the studies say together, and the path of the page.

    Raises:
        StudyError: The studies may not be combined.
        StoreError: Files are damaged or cannot be written.
    """
    from commongarden.report import combined as page
    from commongarden.stats import data_sets

    alone = [path for folder in folders for path in _studies_of(Path(folder))]
    stored = [ReadOnce(stores.open_store(folder).root) for folder in alone]
    names = _names([store.study().name for store in stored], alone)
    sides = [Side(name, store, stats.summarize(store)) for name, store in zip(names, stored, strict=True)]
    found = data_sets.combine(data_sets.joined(sides, margin))
    return found, page.write(found, sides, Path(out))


def _studies_of(folder: Path) -> Sequence[Path]:
    found = data_set_files.members(folder)
    return [folder] if found is None else found.folders


def _names(names: Sequence[str], folders: Sequence[Path]) -> Sequence[str]:
    """What the studies are called: by their own names if these differ, else by their folders."""
    for found in (names, [folder.resolve().name for folder in folders]):
        if len(set(found)) == len(found):
            return found
    return [folder.as_posix() for folder in folders]


def _check_observers(observers: object) -> None:
    """Raises StudyError for what is no sequence of observers."""
    if isinstance(observers, Sequence) and all(isinstance(one, Observer) for one in observers):
        return
    text = _("observers: found {found!r}, accepted: a list of objects whose class derives from commongarden.Observer")
    raise StudyError(text.format(found=observers))


def export(
    folder: str | Path,
    out: str | Path | None = None,
    *,
    format: Literal["onnx", "torch-export", "safetensors"] = "onnx",
    preprocessing: Literal["inside", "outside"] | None = None,
    model: str | None = None,
    seed: int | None = None,
) -> Exported:
    """Writes a trained network for other programs, loads it there and compares it with PyTorch.

    Args:
        folder: The folder of a study, or of one finished run (DIR/runs/ARM/SEED).
        out: The file or folder to write. None for one in the current folder, named after the model and the seed.
        format: "onnx", "torch-export" (.pt2), or "safetensors": a folder of weights, configuration and model card.
        preprocessing: Whether a graph takes uint8 images ("inside", the default) or normalized ones.
        model: Which model (arm) of the study. None for the best one.
        seed: One run of that model. None for the one with the highest validation accuracy.

    Returns:
        What was written, how to load it, and how it compares.

    Raises:
        StoreError: The folder holds no finished run, or its files are damaged.
        StudyError: The network cannot be written in this format.
    """
    from commongarden.inference import chosen, exporting

    run, why = Path(folder), ""
    if (run / "study.toml").is_file():
        found = chosen.chosen_run(run, model, seed)
        run, why = found.folder, found.why
    elif model is not None or seed is not None:
        text = _("--model, --seed: {folder} is one run; accepted: the folder of a study")
        raise StudyError(text.format(folder=run))
    written = exporting.export_run(run, None if out is None else Path(out), format, preprocessing)
    exported = dataclasses.replace(written, of=why)
    return exported if exported.use is None else _with_card(run, exported)


def _with_card(run: Path, exported: Exported) -> Exported:
    """Writes the model card beside the weights, where the run lies in its study."""
    from commongarden.inference.use import example
    from commongarden.report.model_card import Weights, model_card

    assert exported.use is not None, "a folder of weights has code that loads it"
    study, record = run.absolute().parent.parent.parent, stores.read_run(run)
    if not (study / "study.toml").is_file():
        note = _("{run}: not in the folder of its study, so no model card is written").format(run=run)
        return dataclasses.replace(exported, notes=(*exported.notes, note))
    weights = Weights(record, exported.of, exported.use.library, example(exported.use, record), exported.notes)
    stores.write_atomically(exported.path / "README.md", model_card(ReadOnce(study), weights).encode())
    return exported
