"""From a study to its report in one call; what the command line and Python scripts use."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

from commongarden import report, stats
from commongarden.data.finding import Listed
from commongarden.i18n.language import _
from commongarden.report.topics import race
from commongarden.report.wording import audits
from commongarden.runner import main_guard
from commongarden.runner.callbacks import Callbacks
from commongarden.runner.display import Display, PlainDisplay
from commongarden.runner.forecast import Forecast
from commongarden.runner.options import RunOptions
from commongarden.runner.run_study import StudyOutcome, run_study
from commongarden.stats import Results
from commongarden.store import ReadOnce
from commongarden.study import Study


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
    callbacks = Callbacks(display, confirm, audits.warning, race.look_told)
    outcome = run_study(study, Path(out), options, callbacks, listed)
    display.note(_("writing the report"))
    store = ReadOnce(outcome.store.root)
    results = stats.summarize(store)
    report.write(store, results)
    for warning in report.unread(store):
        display.note(warning)
    return results, outcome
