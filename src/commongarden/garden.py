"""From a study to its report in one call; what the command line and Python scripts use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from commongarden import report, stats
from commongarden.data import cache
from commongarden.report import audits
from commongarden.runner.conduct import Conducted, conduct
from commongarden.runner.display import Display, PlainDisplay
from commongarden.stats import Results
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
) -> tuple[Results, Conducted]:
    """Makes the study's missing runs in `out`, writes results.csv, results.json and report.html, and gives the results.

    Worker processes import the calling script: keep the call under `if __name__ == "__main__":`. Raises
    CommonGardenError for anything that the user can mend.
    """
    conducted = conduct(
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
    )
    report.write(conducted.store)
    return stats.summarize(conducted.store), conducted
