"""Why arms differ: what their runs show, reasons of established differences, and maps of what passed through their
layers. Reads the store."""

from __future__ import annotations

import itertools
import json
import math
import statistics
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np

from commongarden.explain import Observation, Reason, observations, said, study_reasons
from commongarden.i18n.language import _, translate
from commongarden.records import Estimate, Run
from commongarden.records.signals import Signal, Signals
from commongarden.report.charts import Chart, finished, inline
from commongarden.report.document import Block, Bullets, Fold, Heading, Paragraph, Plot, Section, SideBySide
from commongarden.report.wording import numbers
from commongarden.report.wording.labels import TEXT
from commongarden.stats import ContrastResult, Results, geometric_mean_interval
from commongarden.store import Store

MAPS: tuple[Signal, ...] = ("activation", "gradient", "update", "dead", "distance")
ON_LOGARITHMS = ("activation", "gradient", "update")
DECADES = 6.0  # below the largest value everything is the faintest
WORTH_A_MAP = {"dead": 0.05, "distance": 0.0}  # the largest value must be above
MOST_ROWS, MOST_COLUMNS, MOST_ARMS = 40, 12, 8
HEIGHT = 190
LONGEST_NAME, N_STEPS = 24, 40  # signs of a layer's name; steps of the bar that is the maps' scale


def section(store: Store, results: Results) -> Section | None:
    """Reasons of established differences, what the runs of each arm show, maps of what passed through their layers, and
    what the seconds of the runs can say. None where no run has finished."""
    arms = [arm.arm for arm in results.arms if arm.n_finished]
    if not arms:
        return None
    blocks: list[Block] = [Paragraph(TEXT["why_caption"], role="soft")]
    decided = [contrast for contrast in results.contrasts if contrast.outcome in ("better", "worse")]
    for contrast in decided:
        blocks += _reasons(store, results, contrast)
    if not decided:
        blocks.append(Paragraph(TEXT["why_no_difference"]))
    blocks.append(Heading(TEXT["why_runs"]))
    shown = {arm.arm: observations(store, arm.arm) for arm in results.arms}
    for arm, found in shown.items():
        if found:
            blocks += [Paragraph(arm, arm=arm), Bullets(tuple((one.path, said(one)) for one in found))]
    if quiet := [arm for arm in arms if not shown[arm]]:
        blocks.append(Paragraph(_quiet(quiet)))
    signals = {arm: _signals(store, arm) for arm in arms[:MOST_ARMS]}
    if maps := [block for signal in MAPS for block in _heat(signal, signals)]:
        left_out = _("Only the first {n} models are shown.").format(n=MOST_ARMS) if len(arms) > MOST_ARMS else ""
        folded = (*maps, Paragraph(f"{TEXT['maps_caption']} {left_out}".strip(), role="soft"))
        blocks.append(Fold(TEXT["why_maps"], folded))
    if time := tuple(_time(store, [run for run in store.runs() if run.status == "finished"], arms)):
        blocks += [Heading(TEXT["why_time"]), Bullets(time)]
    return Section(TEXT["why"], tuple(blocks), anchor="why")


def _reasons(store: Store, results: Results, contrast: ContrastResult) -> tuple[Block, Block]:
    worse, better = contrast.against, contrast.arm
    if contrast.outcome == "worse":
        worse, better = better, worse
    reasons = study_reasons(store, worse, better, results.contrasts)
    heading = Heading(_("Why {worse} is worse than {better}").format(worse=worse, better=better), worse)
    if not reasons:
        return heading, Paragraph(without_reason(worse, better))
    return heading, Bullets(tuple(translate(reason.text) for reason in reasons), "plain reasons")


def without_reason(worse: str, better: str) -> str:
    """Said where an established difference has no reason."""
    return _("The records show no problem in {worse} that {better} does not have.").format(worse=worse, better=better)


def lines(
    shown: Mapping[str, Sequence[Observation]],
    differences: Mapping[tuple[str, str], Estimate | None],
    reasons: Mapping[tuple[str, str], Sequence[Reason]],
    together: Collection[tuple[str, str]] = (),
    unplanned: Collection[tuple[str, str]] = (),
) -> list[str]:
    """What a terminal is told of a study. together: the pairs whose intervals are at the level of several contrasts.
    unplanned: those that no contrast of the study compares."""
    out = []
    for arm, found in shown.items():
        out += [f"{arm}: {one.path}: {said(one)}" if one.path else f"{arm}: {said(one)}" for one in found]
    quiet = [arm for arm, found in shown.items() if not found]
    if quiet:
        out.append(_quiet(quiet))
    for (one, two), found_reasons in reasons.items():
        value = differences[one, two]
        out += ["", _pair(one, two, value, _level((one, two), together, unplanned))]
        if value is not None and _is_established(value):
            worse, better = (one, two) if value.value < 0 else (two, one)
            told = [f"  {i}. {translate(reason.text)}" for i, reason in enumerate(found_reasons, 1)]
            out += told or [f"  {without_reason(worse, better)}"]
    return out


def probed(arms: tuple[str, str], found: Sequence[Reason]) -> list[str]:
    """What a terminal is told of two networks that were looked at for a few steps."""
    if not found:
        said = _("{one} and {two}: no problem found at initialization or in a few training steps.")
        return [said.format(one=arms[0], two=arms[1])]
    return [f"{i}. {translate(reason.text)}" for i, reason in enumerate(found, 1)]


def _quiet(arms: Sequence[str]) -> str:
    return _("No problems observed in the runs of {arms}.").format(arms=numbers.listed(arms))


def _is_established(value: Estimate) -> bool:
    return value.low is not None and value.high is not None and not value.low <= 0 <= value.high


def _level(pair: tuple[str, str], together: Collection[tuple[str, str]], unplanned: Collection[tuple[str, str]]) -> str:
    """What the interval of this pair is."""
    if pair in together:
        return _("95 % CI {span}, adjusted for all comparisons of the study")
    if pair in unplanned:
        return _("95 % CI {span}, exploratory: not adjusted for multiple comparisons")
    return _("95 % CI {span}")


def _pair(one: str, two: str, value: Estimate | None, level: str) -> str:
    names = {"one": one, "two": two}
    if value is None:
        return _("{one} and {two}: no finished seed in common.").format(**names)
    if value.low is None or value.high is None:
        return _(
            "{one} minus {two}: {difference} points of test accuracy between one run of each; no reasons are given."
        ).format(difference=numbers.signed_points(value.value), **names)
    interval = level.format(span=numbers.span(value.low, value.high))
    filled = {"difference": numbers.signed_points(value.value), "interval": interval, **names}
    if not _is_established(value):
        return _(
            "{one} minus {two}: {difference} points of test accuracy ({interval}), not significant; no "
            "reasons are given."
        ).format(**filled)
    return _("{one} minus {two}: {difference} points of test accuracy ({interval}).").format(**filled)


def _signals(store: Store, arm: str) -> list[Signals]:
    found = [store.signals(run.arm, run.seed) for run in store.runs() if run.arm == arm and run.status == "finished"]
    return [one for one in found if one is not None and len(one.epochs)]


def _table(signals: Sequence[Signals], signal: Signal) -> tuple[list[int], list[str], np.ndarray] | None:
    """Epochs, paths and the mean over the runs that have the same of both."""
    if not signals:
        return None
    layers, first = signals[0].of(signal)
    alike = [
        values for one in signals for kept, values in [one.of(signal)] if kept == layers and values.shape == first.shape
    ]
    if not layers:
        return None
    values = np.mean(np.stack(alike).astype(float), axis=0)
    rows, columns = _thinned(len(layers), MOST_ROWS), _thinned(len(first), MOST_COLUMNS)
    epochs = [int(signals[0].epochs[i]) for i in columns]
    return epochs, [layers[i].path for i in rows], values[np.ix_(columns, rows)]


def _thinned(n: int, most: int) -> list[int]:
    return sorted({round(i * (n - 1) / max(min(n, most) - 1, 1)) for i in range(min(n, most))})


def _heat(signal: Signal, signals: Mapping[str, Sequence[Signals]]) -> list[Block]:
    """One signal's maps, all arms on one scale, and what faint and strong are."""
    tables = {arm: table for arm, runs in signals.items() if (table := _table(runs, signal)) is not None}
    there = [values[np.isfinite(values)] for _epochs, _paths, values in tables.values()]
    every = np.concatenate(there) if there else np.array([])
    if not len(every) or every.max() <= WORTH_A_MAP.get(signal, 0.0):
        return []
    if signal in ON_LOGARITHMS:
        high = float(every.max())
        low = max(float(every[every > 0].min()), high * 10**-DECADES)
        caption = _("Faint: {low} or less; strong: {high}; logarithmic scale, the same for all models.")
    else:
        low, high = 0.0, float(every.max())
        caption = _("Faint: {low}; strong: {high}; the same for all models.")
    caption = caption.format(low=numbers.two_figures(low), high=numbers.two_figures(high))
    maps = tuple(
        (Paragraph(arm, arm=arm), Plot("", (_chart(f"map_{signal}_{i}", arm, signal, table, (low, high)),)))
        for i, (arm, table) in enumerate(tables.items())
    )
    key = f"map_{signal}"
    told = Paragraph(f"{TEXT[f'{key}_caption']} {caption}", role="soft")
    bar = [SideBySide(((Plot("", (_scale(signal, low, high),)),),), "matrices scale", 300)] if high > low else []
    return [Heading(TEXT[key]), told, *bar, SideBySide(maps, "matrices maps")]


def _chart(
    name: str, arm: str, signal: Signal, table: tuple[list[int], list[str], np.ndarray], ends: tuple[float, float]
) -> Chart:
    epochs, paths, values = table
    low, high = ends
    rows: list[dict[str, Any]] = []
    for i, epoch in enumerate(epochs):
        for j, path in enumerate(paths):
            value = float(values[i, j])
            if math.isfinite(value):
                heat = _heat_of(value, low, high, signal)
                rows.append({"epoch": epoch, "place": j, "layer": path, "value": value, "heat": heat})
    label: dict[str, Any] = {"domain": False, "ticks": False, "labelFontSize": 11}
    what = TEXT[f"map_{signal}"]
    x = alt.X("epoch:O", title=TEXT["epoch"], axis=alt.Axis(labelAngle=0, labelOverlap=True, **label))
    names = f"{json.dumps([_short(path) for path in paths])}[datum.value]"
    axis = alt.Axis(grid=False, labelExpr=names, labelOverlap=True, labelLimit=130, **{**label, "labelFontSize": 9})
    y = alt.Y("place:O", title=TEXT["map_layers"], axis=axis)
    told_of = [
        alt.Tooltip("layer:N", title=" "),
        alt.Tooltip("epoch:O", title=TEXT["epoch"]),
        alt.Tooltip("value:Q", title=what, format=".3~g"),
    ]
    strength = alt.FillOpacity("heat:Q", scale=alt.Scale(domain=[0, 1], range=[0.06, 1]), legend=None)
    cells = alt.Chart(inline(rows)).mark_rect(fill="var(--heat)")
    cells = cells.encode(x=x, y=y, fillOpacity=strength, tooltip=told_of)
    first, last = (numbers.two_figures(float(values[-1, layer])) for layer in (0, -1))
    said = _("{what} of {arm} in the last epoch: {first} in the first layer, {last} in the last.")
    return finished(name, [cells], said.format(what=what, arm=arm, first=first, last=last), HEIGHT)


def _short(path: str) -> str:
    """A layer's path within its network, or the end of that; hovering shows the whole."""
    path = "/".join(part.strip() for part in path.split("/")[1:]) or path
    path = path.replace("stage ", "s").replace("block ", "b")
    return path if len(path) <= LONGEST_NAME else f"…{path[1 - LONGEST_NAME :]}"


def _scale(signal: Signal, low: float, high: float) -> Chart:
    """What the strengths of the maps stand for, as a bar with an axis."""
    is_log = signal in ON_LOGARITHMS and high > low > 0
    steps = [i / N_STEPS for i in range(N_STEPS + 1)]
    values = [low * (high / low) ** step if is_log else low + (high - low) * step for step in steps]
    rows = [
        {
            "from": one,
            "to": two,
            "heat": _heat_of(math.sqrt(one * two) if is_log else (one + two) / 2, low, high, signal),
        }
        for one, two in itertools.pairwise(values)
    ]
    kind: Any = "log" if is_log else "linear"
    scale = alt.Scale(type=kind, domain=[low, high], nice=False)
    x = alt.X(
        "from:Q", title=None, scale=scale, axis=alt.Axis(grid=False, tickCount=4, format=".2~g", labelOverlap=True)
    )
    strength = alt.FillOpacity("heat:Q", scale=alt.Scale(domain=[0, 1], range=[0.06, 1]), legend=None)
    bar = alt.Chart(inline(rows)).mark_rect(fill="var(--heat)").encode(x=x, x2=alt.X2("to:Q"), fillOpacity=strength)
    said = f"{TEXT[f'map_{signal}']}: {numbers.two_figures(low)} – {numbers.two_figures(high)}"
    return finished(f"scale_{signal}", [bar], said, 12)


def _heat_of(value: float, low: float, high: float, signal: Signal) -> float:
    if signal in ON_LOGARITHMS:
        if value <= low or high <= low:
            return 0.0
        return math.log(value / low) / math.log(high / low)
    return value / high


# Time


def _time(store: Store, runs: Sequence[Run], arms: Sequence[str]) -> Iterator[str]:
    """Seconds an epoch, and how far one run's own epochs lie apart, which is what no difference of arms can be."""
    seconds: dict[str, list[float]] = {arm: [] for arm in arms}
    apart = []
    for run in runs:
        track = [epoch.seconds_train for epoch in store.history(run.arm, run.seed)]
        if run.arm in seconds and track and min(track) > 0:
            seconds[run.arm].append(statistics.fmean(track))
            apart.append(max(track) / min(track) - 1)
    known = {arm: geometric_mean_interval(values) for arm, values in seconds.items() if values}
    if not known:
        return
    for arm, value in known.items():
        took = numbers.number(value.value)
        if value.low is not None and value.high is not None:
            low, high = numbers.number(value.low), numbers.number(value.high)
            said = _("{arm}: {seconds} s per training epoch ({low} to {high}).")
            yield said.format(arm=arm, seconds=took, low=low, high=high)
        else:
            yield _("{arm}: {seconds} s per training epoch.").format(arm=arm, seconds=took)
    widest = max(apart)
    if widest > 1:
        said = _(
            "The runs were not timed in alternation, so these times include other load on the machine. Within "
            "one run the slowest epoch took up to {times} times as long as the fastest one."
        )
        yield said.format(times=numbers.number(1 + widest))
    else:
        said = _(
            "The runs were not timed in alternation, so these times include other load on the machine. Within "
            "one run the slowest epoch took up to {apart} % longer than the fastest one."
        )
        yield said.format(apart=numbers.hundredths(widest, 0))
    pairs = [sorted((one.value, two.value)) for one, two in itertools.combinations(known.values(), 2)]
    if close := sum(more / less - 1 <= widest for less, more in pairs):
        yield _(
            "Differences in time smaller than this are not reliable: they concern {n} of {of} pairs of "
            "models. To time two models in alternation: commongarden explain ARM ARM."
        ).format(n=close, of=len(pairs))
