"""The question about time: does batch norm make a step slower or faster, and what could a single run have told?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from commongarden.errors import StoreError
from commongarden.explain.kinds import BATCH_NORM
from commongarden.i18n.language import _
from commongarden.records import Estimate
from commongarden.report.document.blocks import Paragraph, Section, Table
from commongarden.report.wording.numbers import percent, whole
from forensic_study.analysis import Seconds
from forensic_study.published import Timing
from forensic_study.report import pictures, wording
from forensic_study.report.gathered import Gathered, titled


class _Ratio(msgspec.Struct):
    value: float
    low: float
    high: float
    n: int


class _File(msgspec.Struct):
    ratio: _Ratio
    after: _Ratio | None = None
    kinds: dict[str, _Ratio] = {}
    share_of_batch_norm: _Ratio | None = None
    machine: Any = ""
    processor: str = ""


def read_timing(path: Path) -> Timing:
    """A measurement of two arms' steps in turn, LAB over LA, as `commongarden explain LA LAB --study flowers --json`
    gives it, or with `ratio`, `share_of_batch_norm` (each value, low, high, n) and `machine`.

    In the former the share is the difference that batch norm makes over a step of LAB: LA has none.
    Raises StoreError for a file that holds no such thing.
    """
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise StoreError(_("{path}: cannot be read: {reason}").format(path=path, reason=error.strerror)) from None
    except msgspec.DecodeError as error:
        raise StoreError(
            _("{path}: not a measurement of time: {reason}; accepted: ratio with value, low, high and n").format(
                path=path, reason=error
            )
        ) from None
    share = kept.share_of_batch_norm
    if share is None and kept.after is not None and (norms := kept.kinds.get(BATCH_NORM)) is not None:
        step = kept.after.value
        share = _Ratio(norms.value / step, norms.low / step, norms.high / step, norms.n)
    machine = _machine(kept.machine) or kept.processor
    return Timing(_estimate(kept.ratio), None if share is None else _estimate(share), machine)


def _estimate(kept: _Ratio) -> Estimate:
    return Estimate(kept.value, kept.low, kept.high, kept.n, "interleaved")


def _machine(kept: Any) -> str:
    if isinstance(kept, dict):
        return ", ".join(str(value) for value in kept.values() if isinstance(value, str | int | float))
    return str(kept or "")


def answer(of: Gathered) -> Iterator[str]:
    """In one sentence, for those who read no further."""
    then = of.found.logs.interleaved
    if of.timing is None:
        yield _(
            "Time: the published ratio of {published} between {arm} and {against} comes from one run each. "
            "Timed in alternation in the original framework, {arm} takes {then} times as long as {against}."
        ).format(published=f"{of.found.logs.ratio:.2f}", arm=then.arm, against=then.against, then=_then(of))
        return
    ratio = of.timing.ratio
    assert ratio.low is not None
    assert ratio.high is not None
    values = {"arm": then.arm, "against": then.against, "ratio": wording.ratio(ratio)}
    if ratio.low > 1:
        yield _("Time: batch norm makes a step slower. {arm} takes {ratio} times as long as {against}.").format(
            **values
        )
    elif ratio.high < 1:
        yield _("Time: with batch norm a step is faster here. {arm} takes {ratio} times as long as {against}.").format(
            **values
        )
    else:
        yield _("Time: no significant difference. {arm} takes {ratio} times as long as {against}.").format(**values)


def section(of: Gathered) -> Section:
    """Timed in turn; the share of batch norm; what single runs can show."""
    then = of.found.logs.interleaved
    said = [_asked(of)]
    if of.timing is None:
        said.append(
            _(
                "This document has no step-by-step measurement of {arm} and {against}, so the ratio on this "
                "machine and the share of batch norm in a step are missing."
            ).format(arm=then.arm, against=then.against)
        )
    else:
        said += _measured(of, of.timing)
    singles = of.found.seconds
    table = None
    if singles:
        table = Table(
            _("Seconds of whole runs, not in alternation, and their ratio, by seed."),
            (_("runs"), _("seed"), _("seconds"), _("seconds"), _("ratio")),
            tuple(
                (
                    f"{one.arm} / {one.against}",
                    str(seed),
                    f"{one.seconds[one.arm][seed]:.0f}",
                    f"{one.seconds[one.against][seed]:.0f}",
                    f"{ratio:.2f}",
                )
                for one in singles
                for seed, ratio in one.ratios.items()
            ),
            n_left=2,
        )
    return titled(
        _("Why did the network with batch norm take less time?"),
        Paragraph(" ".join(said)),
        pictures.times(of.found, None if of.timing is None else of.timing.ratio),
        *(Paragraph(" ".join(_single(of, one))) for one in singles),
        Paragraph(" ".join(_drift(of))),
        table,
    )


def _then(of: Gathered) -> str:
    then = of.found.logs.interleaved
    return wording.ratio(Estimate(then.value, then.low, then.high, then.n, "interleaved"))


def _asked(of: Gathered) -> str:
    then = of.found.logs.interleaved
    return _(
        "The original report could not explain why {arm} took {published} times as long as {against}, with "
        "one run each. Timed step by step in alternation in the original framework ({n} pairs on one quiet "
        "machine), {arm} takes {ratio} times as long as {against}: batch norm makes a step slower, and the "
        "published ratio has another cause."
    ).format(
        arm=then.arm,
        against=then.against,
        published=f"{of.found.logs.ratio:.2f}",
        n=whole(then.n),
        ratio=_then(of),
    )


def _measured(of: Gathered, timing: Timing) -> Iterator[str]:
    then = of.found.logs.interleaved
    yield _("Here, with {arm} and {against} timed in alternation: {ratio} over {n} pairs of steps.").format(
        arm=then.arm, against=then.against, ratio=wording.ratio(timing.ratio), n=whole(timing.ratio.n)
    )
    if timing.share_of_batch_norm is not None:
        share = timing.share_of_batch_norm
        assert share.low is not None
        assert share.high is not None
        yield _("Batch norm takes {share} of a step of {arm} (95 % interval {low} to {high}).").format(
            share=percent(share.value), arm=then.arm, low=percent(share.low), high=percent(share.high)
        )
    if timing.machine:
        yield _("Measured on {machine}.").format(machine=timing.machine)


def _single(of: Gathered, one: Seconds) -> Iterator[str]:
    values = {
        "arm": one.arm,
        "against": one.against,
        "n": len(one.ratios),
        "least": f"{one.least:.2f}",
        "most": f"{one.most:.2f}",
        "ratio": wording.ratio(one.mean),
    }
    yield _(
        "Whole runs of this study, not in alternation, {arm} over {against}: {ratio} over {n} seeds. One run "
        "of each would have given a ratio from {least} to {most}."
    ).format(**values)
    if one.least > 1:
        yield _("Here a single pair has the right sign, but its size is off by up to {off}.").format(
            off=percent(max(one.most / one.mean.value - 1, 1 - one.least / one.mean.value), 0)
        )
    elif one.most < 1:
        yield _("Here every single pair shows that batch norm makes a run faster.")
    else:
        yield _("Here a single pair can have either sign.")
    measured = None if of.timing is None else of.timing.ratio
    if measured is not None and measured.low is not None and measured.high is not None:
        if not measured.low <= one.mean.value <= measured.high:
            yield _(
                "Their mean is outside the interval of {interval} of the steps timed in alternation: seeds "
                "average out chance, but not what differed while the two networks were trained."
            ).format(interval=_("{low} to {high}").format(low=f"{measured.low:.2f}", high=f"{measured.high:.2f}"))
        else:
            yield _("Their mean is within the interval of the steps timed in alternation.")


def _drift(of: Gathered) -> Iterator[str]:
    """How far the time of an epoch moves within one run: as published, and here."""
    published = of.found.logs.ratio
    if of.found.seconds and not any(one.least <= published <= one.most for one in of.found.seconds):
        yield _(
            "No two runs here have the published ratio of {published}: it has another cause, most likely "
            "other load on that machine."
        ).format(published=f"{published:.2f}")
    log = of.found.logs.logs.get(of.found.logs.interleaved.against)
    if log is not None:
        yield _(
            "Within the published run of {against}, the time of two epochs changed from {first} to {last} "
            "seconds ({change}), for the same work."
        ).format(
            against=of.found.logs.interleaved.against,
            first=whole(round(log.seconds[0])),
            last=whole(round(log.seconds[-1])),
            change=_change(log.seconds[-1] / log.seconds[0] - 1),
        )
    spreads = [
        float(np.std(seconds, ddof=1) / np.mean(seconds))
        for by_seed in of.histories.values()
        for history in by_seed.values()
        if len(seconds := [epoch.seconds for epoch in history]) > 2
    ]
    if spreads:
        yield _(
            "In the runs of this study, the time of an epoch varies within a run by {median} (median "
            "standard deviation of {n} runs; at most {worst})."
        ).format(median=percent(float(np.median(spreads))), n=len(spreads), worst=percent(max(spreads)))
    yield _(
        "A single run can show that a network takes minutes rather than hours. It cannot show a difference "
        "of some per cent, because other load of the machine affects only one of the two runs; when timed in "
        "alternation, it affects both."
    )


def _change(share: float) -> str:
    text = percent(abs(share), 0)
    return f"+{text}" if share > 0 else f"−{text}" if not math.isclose(share, 0) else text
