"""The document of the forensic study: what each defect of a teaching framework did to the figures published of it.

All numbers come from a store's records, from what was published, and from a measurement of time; which sentence is said
is chosen by them.
"""

from __future__ import annotations

from commongarden.i18n.language import _, current
from commongarden.report.document.blocks import Document
from commongarden.report.topics import page_data
from commongarden.report.wording import words
from commongarden.stats import summarize
from commongarden.store import Store
from forensic_study.analysis import forensics
from forensic_study.published import Timing
from forensic_study.report import answer, checks, comeback, evidence, learning, time
from forensic_study.report.gathered import Gathered


def gather(store: Store, timing: Timing | None = None) -> Gathered:
    """What the document is made of."""
    results = summarize(store)
    runs = [run for run in store.runs() if run.status == "finished"]
    arms = [arm.arm for arm in results.arms]
    reached: dict[str, dict[int, float]] = {arm: {} for arm in arms}
    for run in runs:
        if run.test_accuracy is not None:
            reached[run.arm][run.seed] = run.test_accuracy
    histories = page_data.histories(store, arms, runs)
    return Gathered(store, results, runs, forensics(store, results), histories, reached, timing)


def document(store: Store, timing: Timing | None = None) -> Document:
    """What the runs that the store holds say of the defects, in the language in use."""
    gathered = gather(store, timing)
    results = gathered.results
    about = _("Written from the records of {runs} of the study {study}: {compared}").format(
        runs=words.n_runs(len(gathered.runs)), study=results.study, compared=words.compared(results)
    )
    return Document(
        _("The published flower experiment, with its defects and without"),
        about,
        current(),
        (
            answer.section(gathered),
            evidence.defects(gathered),
            comeback.section(gathered),
            evidence.explained(gathered),
            learning.validation(gathered),
            learning.plateau(gathered),
            evidence.ranking(gathered),
            time.section(gathered),
            checks.section(gathered),
        ),
    )
