"""From a study to its report in one call; what the command line and Python scripts use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from commongarden import report, stats
from commongarden.data import cache
from commongarden.data.finding import Listed
from commongarden.report import audits, race
from commongarden.runner import budget as budgets
from commongarden.runner.display import Display, PlainDisplay
from commongarden.runner.forecast import Forecast
from commongarden.runner.run_study import StudyOutcome, run_study
from commongarden.stats import Results
from commongarden.store import ReadOnce
from commongarden.study import Study


def run(
    study: Study,
    out: str | Path,
    *,
    cache_dir: str | Path | None = None,
    display: Display | None = None,
    n_workers: int | None = None,
    device: str = "auto",
    keep_going: bool = False,
    retry: bool = False,
    tensorboard: bool = False,
    argv: Sequence[str] = (),
    until: str | None = None,
    budget: str | None = None,
    most_seeds: int | None = None,
    stop_hopeless: bool = False,
    confirm: Callable[[Forecast], bool] | None = None,
    maps: bool = True,
    cache_budget: int | None = None,
    listed: Listed | None = None,
) -> tuple[Results, StudyOutcome]:
    """Makes the study's missing runs in `out`, writes results.csv, results.json and report.html, and gives the results.

    until="resolved" or a budget ("30m", "40runs") races the study: seeds are spent where they decide something, at most
    most_seeds for an arm (20, or the study's own number where that is more). confirm is asked before a study of more
    than ten minutes; without it the study goes on.

    stop_hopeless: a run that in its first half never came above the commonest class is tested as it then is.

    maps: what the networks look at is drawn at the end; it takes seconds and changes no run.

    cache_budget: bytes that all decoded images in cache_dir may take together (by default what the disk has). Photos
    that do not fit are decoded each time, to the same bits; what that costs is told.

    listed: the data's files, where they were listed before and that was reported (runner/sources.py).

    Worker processes import the calling script: keep the call under `if __name__ == "__main__":`. Raises
    CommonGardenError for anything that the user can mend.
    """
    conducted = run_study(
        study,
        Path(out),
        Path(cache_dir) if cache_dir is not None else cache.default_folder(),
        display if display is not None else PlainDisplay(print),
        n_workers=n_workers,
        device=device,
        keep_going=keep_going,
        retry=retry,
        tensorboard=tensorboard,
        argv=argv,
        tell_audit=audits.warning,
        spending=budgets.spending(until, budget, most_seeds or max(budgets.MOST_SEEDS, len(study.seeds))),
        tell_look=race.look_told,
        confirm=confirm,
        stop_hopeless=stop_hopeless,
        maps=maps,
        cache_budget=cache_budget,
        listed=listed,
    )
    store = ReadOnce(conducted.store.root)
    results = stats.summarize(store)
    report.write(store, results)
    return results, conducted
