"""A benchmark in a table, in sentences and as pictures."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

import altair as alt

from commongarden.benchmarks import rates
from commongarden.explain import noise
from commongarden.i18n.language import _, ngettext
from commongarden.records import Estimate
from commongarden.records.benchmark import OURS, PLAIN, WAYS, Bench, Case, Held
from commongarden.report import charts
from commongarden.report.charts import SOFT, Chart, colour, finished, inline
from commongarden.report.wording import numbers

MB = 1e6
Point = tuple[int, int, int | None]  # of a curve: x, a case's place, the number of runs (None: those made at a time)


def named(case: Case) -> str:
    """A case as it is told."""
    return _("{arm} at {pixels} pixels, batch {batch}, {folder}").format(
        arm=case.arm, pixels=case.resolution, batch=case.batch_size, folder=_folder(case)
    )


def _folder(case: Case) -> str:
    folder = case.folder
    return _("{name} ({n:,} images of {kb} KB)").format(
        name=folder.told, n=folder.n_photos, kb=numbers.number(folder.n_bytes / 1000)
    )


def columns() -> list[str]:
    """The header of `rows`."""
    return [
        _("way"), _("images/s"), _("ours is"), _("% limit"), _("start s"), _("again s"), _("val %"),
    ]  # fmt: skip


def rows(bench: Bench, case: int) -> list[list[str]]:
    """One row for each way of a case: images a second, how many times as quick ours is, percent of the machine's
    matrix product, seconds to the first step (the first time, later), share of a run that is validation."""
    found = []
    for way, name in WAYS.items():
        rate, start = rates.rate(bench, case, way), rates.startup(bench, case, way)
        limit, validation = rates.share_of_limit(bench, case, way), rates.validation_share(bench, case, way)
        if rate is None or start is None or validation is None:
            continue
        ratio = None if way == OURS else rates.ratio(bench, case, way)
        found.append(
            [
                _(name),
                numbers.number(rate.value),
                "" if ratio is None else times(ratio),
                "" if limit is None else numbers.number(100 * limit),
                numbers.number(start[0]),
                "" if start[1] is None else numbers.number(start[1]),
                numbers.number(100 * validation),
            ]
        )
    return found


def times(found: Estimate) -> str:
    """A ratio with its interval, where it has one."""
    if found.low is None or found.high is None:
        return f"{found.value:.2f}x"
    return _("{value}x ({low} to {high})").format(
        value=f"{found.value:.2f}", low=f"{found.low:.2f}", high=f"{found.high:.2f}"
    )


def sentences(bench: Bench) -> Iterator[str]:
    """How it was measured, and what else was found."""
    n = max((one.number for one in bench.trained), default=0)
    yield ngettext(
        "Timed in alternation in {n} round; medians.",
        "Timed in alternation in {n} rounds; medians, each ratio from two trainings of one round.",
        n,
    ).format(n=n)
    if n < rates.FEWEST_ROUNDS:
        said = _("Too few rounds for intervals; use --rounds {n} or more.")
        yield said.format(n=rates.FEWEST_ROUNDS)
    if bench.matmul:
        yield _(
            "Images per second: the whole machine during training, including data loading, excluding start-up, "
            "validation and test. Limit: this machine's float32 matrix product, {rate} billion multiply-adds per "
            "second, divided by three forward passes per image."
        ).format(rate=numbers.number(statistics.median(bench.matmul)))
    else:
        yield from _of_device(bench)
    yield _(
        "Start: seconds to the end of the first step, in the first round and again in later rounds. Val: "
        "validation as a share of a run's training and validation time."
    )
    idle = rates.idle(bench)
    if idle is not None:
        yield _(
            "Our rates are measured while all workers train. In studies this short, workers spend {share} of "
            "their time storing runs and waiting for the last one."
        ).format(share=numbers.percent(idle, 0))
    yield from _noise(bench)
    for case in range(len(bench.cases)):
        yield from when_busy(bench, case)
    for one in bench.held:
        yield held(bench, one)


def _of_device(bench: Bench) -> Iterator[str]:
    """What a device's figures are, and its memory and energy."""
    yield _(
        "Images per second of {device}, including data loading, excluding start-up and test; those of the scripts also "
        "exclude validation."
    ).format(device=bench.device_name)
    n_runs = max((one.workers for one in bench.trained if one.way == OURS), default=0)
    yield ngettext("Ours trained {n} run at a time.", "Ours trained up to {n} runs at a time.", n_runs).format(n=n_runs)
    for place, case in enumerate(bench.cases):
        peaks = [(way, rates.peak_bytes(bench, place, way)) for way in WAYS]
        told = [f"{_(WAYS[way])} {_mb(peak)} MB" for way, peak in peaks if peak is not None]
        if told:
            said = _("Most memory that PyTorch allocated on the device, {case}: {shares}.")
            yield said.format(case=named(case), shares="; ".join(told))
        energy = [(way, rates.joules(bench, place, way)) for way in WAYS]
        told = [f"{_(WAYS[way])} {numbers.number(1000 * used)} mJ" for way, used in energy if used is not None]
        if told:
            said = _("Energy of the device per image, validation included, {case}: {shares}.")
            yield said.format(case=named(case), shares="; ".join(told))
    if n_runs > 1:
        yield _("Memory of runs side by side is not measured.")
    if bench.no_energy:
        yield _(bench.no_energy)


def _noise(bench: Bench) -> Iterator[str]:
    causes = []
    if bench.load > noise.LOAD:
        causes.append(_("load average {load:.1f} before the start").format(load=bench.load))
    spread = max(bench.matmul) / min(bench.matmul) - 1 if bench.matmul else 0.0
    if spread > noise.SPREAD:
        causes.append(_("the matrix product varied by {spread} %").format(spread=f"{100 * spread:.0f}"))
    if causes:
        yield _("The machine was not quiet: {causes}.").format(causes="; ".join(causes))


def when_busy(bench: Bench, case: int) -> Iterator[str]:
    """What share of its images a second each way keeps beside a busy process; no sentence where that was not asked."""
    kept = [(way, rates.when_busy(bench, case, way)) for way in WAYS]
    told = [
        _("{way} {share}").format(way=_(WAYS[way]), share=_share(found)) for way, found in kept if found is not None
    ]
    if told:
        said = _("Throughput kept beside a busy process, {case}: {shares}.")
        yield said.format(case=named(bench.cases[case]), shares="; ".join(told))


def _share(found: Estimate) -> str:
    value = numbers.percent(found.value, 0)
    if found.low is None or found.high is None:
        return value
    return _("{value} ({low} to {high})").format(
        value=value, low=numbers.percent(found.low, 0), high=numbers.percent(found.high, 0)
    )


def held(bench: Bench, one: Held) -> str:
    """What was held in memory."""
    said = _(
        "Memory of {case}: {torch} MB after importing torch, {run} MB at the peak of a run trained alone, "
        "{added} MB more."
    ).format(case=named(bench.cases[one.case]), torch=_mb(one.torch), run=_mb(one.run), added=_mb(one.added))
    if not one.workers:
        return said
    study = ngettext(
        "All processes of a study with {n} run at a time: {study} MB.",
        "All processes of a study with {n} runs at a time: {study} MB.",
        one.workers,
    ).format(n=one.workers, study=_mb(one.study))
    return f"{said} {study}"


def _mb(n_bytes: int) -> str:
    return f"{n_bytes / MB:,.0f}"


def ratios(bench: Bench) -> Chart:
    """How many times as quick ours is, beside 1, for every case and script."""
    rows_: list[dict[str, Any]] = []
    for place, case in enumerate(bench.cases):
        for way, name in WAYS.items():
            found = None if way == OURS else rates.ratio(bench, place, way)
            if found is None:
                continue
            label = _("{arm}, {pixels} pixels, {folder}: {way}").format(
                arm=case.arm, pixels=case.resolution, folder=case.folder.told, way=_(name)
            )
            low, high = (found.value if end is None else end for end in (found.low, found.high))
            rows_.append(
                {
                    "row": len(rows_), "label": label, "said": times(found), "value": found.value, "low": low,
                    "high": high, "hue": colour(place), "fill": colour(place), "verdict": f"{label} {times(found)}",
                }
            )  # fmt: skip
    description = "; ".join(row["verdict"] for row in rows_)
    return charts.beside_zero("ratios", rows_, _("times the images per second of"), description, zero_at=1.0)


def curves(bench: Bench) -> list[Chart]:
    """Images a second of ours and of the plain script by what grew: runs, pixels, photos."""
    base = bench.cases[0]
    axes: dict[str, tuple[str, list[Point]]] = {
        "runs": (_("runs"), [(one.runs, 0, one.runs) for one in bench.of(0, OURS)]),
        "pixels": (
            _("pixels"),
            [(one.resolution, i, None) for i, one in enumerate(bench.cases) if one.folder == base.folder],
        ),
        "photos": (
            _("photos"),
            [(one.folder.n_photos, i, None) for i, one in enumerate(bench.cases) if one.resolution == base.resolution],
        ),
    }
    made = []
    for name, (title, points) in axes.items():
        found = sorted(set(points), key=lambda point: point[0])
        if len({x for x, *_rest in found}) > 1:
            made.append(_curve(name, title, bench, found))
    return made


def at_once(bench: Bench, case: int) -> int | None:
    """The number of runs of ours that a point of a curve is told of where runs are not what grows: as many as there
    are at a time."""
    found = [one.runs for one in bench.of(case, OURS) if one.runs == one.workers]
    return max(found, default=None)


def points(bench: Bench, found: Sequence[Point]) -> list[tuple[int, str, Estimate]]:
    """Of each point of a curve, (x, case, runs), the rate by each way."""
    made = []
    for x, case, runs in found:
        for way in (PLAIN, OURS):
            number = None if way == PLAIN else at_once(bench, case) if runs is None else runs
            rate = rates.rate(bench, case, way, runs=number)
            if rate is not None:
                made.append((x, way, rate))
    return made


def _curve(name: str, title: str, bench: Bench, found: Sequence[Point]) -> Chart:
    rows_: list[dict[str, Any]] = [
        {"x": x, "way": _(WAYS[way]), "value": rate.value, "low": rate.low, "high": rate.high}
        for x, way, rate in points(bench, found)
    ]
    names = [_(WAYS[way]) for way in (PLAIN, OURS)]
    scale = alt.Scale(domain=names, range=[SOFT, colour(0)])
    legend = alt.Legend(title=None, orient="bottom")
    axis = alt.Axis(grid=False, format="~s", values=sorted({x for x, *_rest in found}))
    x = alt.X("x:Q", title=title, axis=axis, scale=alt.Scale(type="log", nice=False, padding=12))
    rates = alt.Axis(values=[digit * 10**power for power in range(-1, 6) for digit in (1, 2, 5)], format="~s")
    y = alt.Y("value:Q", title=_("images/s"), axis=rates, scale=alt.Scale(type="log"))
    base = alt.Chart(inline(rows_)).encode(x=x, y=y, stroke=alt.Stroke("way:N", scale=scale, legend=legend))
    spans = [row for row in rows_ if row["low"] is not None]
    bars = alt.Chart(inline(spans)).mark_rule(strokeWidth=3, opacity=0.4).encode(
        x=x, y=alt.Y("low:Q", scale=alt.Scale(type="log"), axis=rates, title=_("images/s")), y2=alt.Y2("high:Q"),
        stroke=alt.Stroke("way:N", scale=scale, legend=legend),
    )  # fmt: skip
    dots = base.mark_point(filled=True, size=40, opacity=1).encode(fill=alt.Fill("way:N", scale=scale, legend=legend))
    layers = [base.mark_line(strokeWidth=2.2), dots]
    spoken = "; ".join(f"{row['way']} {row['x']:,}: {row['value']:.0f}" for row in rows_)
    drawn = [*([bars] if spans else []), *layers]
    return finished(name, drawn, _("Images per second by {axis}: {points}.").format(axis=title, points=spoken), 230)
