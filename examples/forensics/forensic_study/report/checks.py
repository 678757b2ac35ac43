"""How the forensic study was checked, and how to repeat it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from commongarden.i18n.language import _, ngettext
from commongarden.report.document.blocks import Log, Paragraph, Section, Table
from commongarden.report.topics import page_data
from commongarden.report.wording.numbers import whole
from commongarden.report.wording.verdicts import counted_photos
from forensic_study.defects import DEFECTS, MAKER
from forensic_study.report import wording
from forensic_study.report.gathered import Gathered, titled

# what an audit of the first weights calls each defect
KINDS = {
    "scrambled_pool": "wrong gradient",
    "constant_statistics": "wrong gradient",
    "slow_statistics": "lagging statistics",
    "all_positions": "dropped positions",
    "overwritten_sum": "wrong gradient",
}


def section(of: Gathered) -> Section:
    """The soil, the audits, the tests, the machine, the command."""
    said = " ".join(_soil(of))
    audited = _audited(of)
    command = page_data.command(of.store)
    made = [
        _("{machine}; {versions}.").format(
            machine="; ".join(page_data.machine_lines(of.runs)),
            versions=", ".join(f"{name} {version}" for name, version in page_data.versions(of.runs)),
        )
        if of.runs
        else "",
        _(
            "Intervals are 95 % confidence intervals. They account for the variation of seeds (initial "
            "weights, order of the photos and dropout) and of these {photos}, crossed with each other; "
            "differences are paired by seed and photo."
        ).format(photos=counted_photos(of.results.n_test)),
    ]
    return titled(
        _("How it was checked"),
        Paragraph(said),
        Paragraph(
            _(
                "tests/examples/test_forensics.py compares each switch with the correct layer: the outputs "
                "are equal to rounding (except where dropped positions are normalized), the gradient equals "
                "that of an example computed by hand, and the gradient of the scrambled pool has nothing in "
                "common with the true one for random gradients."
            )
        ),
        audited,
        *(Paragraph(text) for text in made if text),
        None if command is None else Log((public(command),)),
    )


def _soil(of: Gathered) -> Iterator[str]:
    hashes = {(run.hashes.data, run.hashes.split) for run in of.runs}
    n = len(of.runs)
    planned = len(of.results.arms) * len(of.results.seeds)
    failed = sum(arm.n_failed for arm in of.results.arms)
    if len(hashes) == 1:
        yield _("{n} of {planned} planned runs are finished, all on the same photos with the same split.").format(
            n=whole(n), planned=whole(planned)
        )
    if failed:
        yield ngettext("{n} run failed and is not included.", "{n} runs failed and are not included.", failed).format(
            n=whole(failed)
        )
    counts = {len(reached) for reached in of.reached.values()}
    if counts and min(counts) < len(of.results.seeds):
        yield _(
            "Networks have {least} to {most} seeds so far. Each comparison uses the seeds that its networks "
            "share and states their number."
        ).format(least=min(counts), most=max(counts))


def _audited(of: Gathered) -> Table | None:
    """Which defects the audit of the first weights told of, before any training."""
    study, audits = of.store.study(), of.store.audits()
    if not audits:
        return None
    rows = []
    for defect in DEFECTS:
        kind = KINDS[defect]
        mine = [arm for arm in audits if study.arms[arm].options.get(defect) and study.arms[arm].arch == MAKER]
        flagged = [arm for arm in mine if any(finding.kind == kind for finding in audits[arm].findings)]
        right = [one.right for one in of.found.networks if one.right in audits]
        wrongly = [arm for arm in right if any(finding.kind == kind for finding in audits[arm].findings)]
        if mine:
            rows.append(
                (
                    wording.defect(defect),
                    _SAID[kind](),
                    f"{len(flagged)} / {len(mine)}",
                    f"{len(wrongly)} / {len(right)}",
                )
            )
    return Table(
        _("Findings of the audit at initialization, for networks with each defect and for networks without defects."),
        (
            _("defect"),
            _("finding"),
            _("flagged, of the networks with it"),
            _("flagged, of the networks without defects"),
        ),
        tuple(rows),
        n_left=2,
    )


_SAID = {
    "wrong gradient": lambda: _("wrong gradient"),
    "lagging statistics": lambda: _("lagging running statistics"),
    "dropped positions": lambda: _("dropped positions"),
}


def public(command: str) -> str:
    """The command without the folders of the machine that it was typed on.

    >>> public("commongarden run forensics --data /home/me/flowers --out /tmp/x")
    'commongarden run forensics --data flowers'
    """
    command = re.sub(r" --(out|log|cache-dir) \S+", "", command)
    command = re.sub(r" \S*?([^/\s]+)\.toml(?= |$)", r" \1", command)
    return re.sub(r"--data \S*?([^/\s]+)/?(?= |$)", r"--data \1", command)
