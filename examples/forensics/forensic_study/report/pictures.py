"""The pictures of the forensic study: what came back, what each defect takes, how validation went, the plateau."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from commongarden.i18n.language import _
from commongarden.records import Epoch, Estimate
from commongarden.report import charts
from commongarden.report.charts import INK, PAPER, SOFT, colour, figures, finished, inline
from commongarden.report.document.blocks import Figure
from commongarden.report.wording import numbers
from commongarden.stats import MajorityClass, Results
from forensic_study.analysis import Forensics, Histories
from forensic_study.published import PublishedLog
from forensic_study.report import wording

WITH, WITHOUT = colour(1), colour(0)
LEGEND: dict[str, Any] = {
    "orient": "bottom", "title": None, "columns": 3, "labelFontSize": 12, "labelLimit": 320, "symbolSize": 120,
    "symbolOpacity": 1,
}  # fmt: skip
EVERY = list(range(1, 11))


def accuracies(found: Forensics, results: Results, reached: Mapping[str, Mapping[int, float]]) -> Figure | None:
    """Each network with its defects and without: the seeds, their mean with its interval, the published figure."""
    means = {arm.arm: arm.test_accuracy for arm in results.arms}
    published = {one.arm: one.published for one in found.comebacks}
    states = {"with": _("with its defects"), "without": _("without them")}
    bars: list[dict[str, Any]] = []
    dots: list[dict[str, Any]] = []
    diamonds: list[dict[str, Any]] = []
    spoken = []
    for one in found.networks:
        for state, arm in ((states["with"], one.published), (states["without"], one.right)):
            mean = means[arm]
            if mean is None:
                continue
            place = {"network": one.right, "state": state}
            bars.append({**place, **charts.in_hundredths(mean)})
            dots += [{**place, "value": 100 * value} for value in reached[arm].values()]
            spoken.append(f"{one.right} {state}: {wording.mean(mean)}")
            if arm in published:
                diamonds.append({**place, "value": 100 * published[arm], "said": _("published")})
    if not bars:
        return None
    ends = [row[key] for row in bars for key in ("value", "low", "high") if row[key] is not None]
    domain = charts.domain_of([*ends, *(row["value"] for row in (*dots, *diamonds))], 0, 100)
    order = list(states.values())
    x = alt.X(
        "value:Q",
        title=_("test accuracy (%)"),
        scale=alt.Scale(domain=domain, nice=False, zero=False),
        axis=alt.Axis(grid=True, domain=False, ticks=False, tickCount=8),
    )
    y = alt.Y("network:N", title=None, sort=[one.right for one in found.networks], axis=alt.Axis(labelFontSize=13))
    offset = alt.YOffset("state:N", sort=order, scale=alt.Scale(domain=order, paddingInner=0.2, paddingOuter=0.35))
    hues = alt.Scale(domain=[*order, _("published")], range=[WITH, WITHOUT, INK])
    hue = alt.Color("state:N", scale=hues, legend=alt.Legend(**LEGEND, symbolType="circle"))
    base = alt.Chart(inline(bars)).encode(y=y, yOffset=offset)
    line = alt.Chart(inline([{"value": 100 * results.commonest.accuracy}])).mark_rule(stroke=SOFT, strokeDash=[4, 3])
    layers: list[alt.Chart] = [
        line.encode(x=x),
        base.mark_rule(strokeWidth=7, strokeCap="round", opacity=0.3).encode(
            x=alt.X("low:Q", title=_("test accuracy (%)")), x2=alt.X2("high:Q"), color=hue
        ),
        base.mark_point(filled=True, size=150, opacity=1, stroke=PAPER, strokeWidth=1).encode(x=x, color=hue),
        alt.Chart(inline(dots))
        .mark_point(filled=True, size=34, opacity=1, stroke=PAPER, strokeWidth=1)
        .encode(x=x, y=y, yOffset=offset, color=hue),
        alt.Chart(inline(diamonds))
        .mark_point(filled=False, shape="diamond", size=140, strokeWidth=1.8, opacity=1)
        .encode(x=x, y=y, yOffset=offset, color=alt.Color("said:N", scale=hues)),
    ]
    description = "; ".join(spoken)
    chart = finished("forensic_accuracies", layers, description, 64 * len(found.networks))
    caption = _(
        "Test accuracy with and without the defects. Small points: seeds; large points: means with 95 % "
        "intervals; diamonds: published figures; dashed line: majority-class baseline ({label})."
    ).format(label=results.commonest.label)
    return Figure(caption, figures.chart(chart), description)


def effects(found: Forensics, networks: Sequence[str]) -> Figure | None:
    """What each defect takes away, with its interval, one row each."""
    rows: list[dict[str, Any]] = []
    for effect in found.effects:
        if effect.network not in networks:
            continue
        hue = colour(networks.index(effect.network))
        estimate = effect.estimate
        rows.append(
            {
                "row": len(rows),
                "label": wording.effect_label(effect),
                "said": wording.short(estimate),
                "hue": hue,
                "fill": hue if effect.established else PAPER,
                "verdict": wording.effect_label(effect),
                **charts.in_hundredths(estimate),
            }
        )
    if not rows:
        return None
    description = "; ".join(f"{row['label']}: {row['said']}" for row in rows)
    chart = charts.beside_zero("forensic_effects", rows, _("points of test accuracy gained"), description)
    caption = _(
        "Gain from removing defects, in points of test accuracy with 95 % intervals. Filled points: "
        "significant, adjusted for all {n} comparisons (Holm)."
    ).format(n=sum(effect.level is not None for effect in found.effects))
    return Figure(caption, figures.chart(chart), description)


def learning(found: Forensics, histories: Histories) -> Figure | None:
    """Training and validation accuracy by epoch, as published and as found, one panel a network."""
    names = {
        "train": _("training, published"),
        "val": _("validation, published"),
        "train_found": _("training, with the defects"),
        "val_found": _("validation, with the defects"),
        "right": _("validation, without the defects"),
    }
    hues = alt.Scale(domain=list(names.values()), range=[SOFT, INK, colour(4), WITH, WITHOUT])
    dashes = alt.Scale(domain=list(names.values()), range=[[2, 3], [5, 3], [1, 0], [1, 0], [1, 0]])
    panels = []
    for one in found.networks:
        log = found.logs.logs.get(one.right)
        if log is None or not histories.get(one.published):
            continue
        rows = _published(log, names)
        for series, field, arm in (
            ("train_found", "train_accuracy", one.published),
            ("val_found", "val_accuracy", one.published),
            ("right", "val_accuracy", one.right),
        ):
            rows += _tracks(histories.get(arm, {}), field, names[series], single=series == "val_found")
        panels.append(_panel(one.right, rows, hues, dashes))
    if not panels:
        return None
    caption = _(
        "Accuracy by epoch, published and found. Thin lines: validation accuracy of each seed with the "
        "defects; heavy lines: means over seeds. Published validation accuracies are on {n} photos, those "
        "found on the whole validation set."
    ).format(n=found.logs.validation_photos)
    description = _("Accuracy by epoch for {networks}.").format(
        networks=numbers.listed([one.right for one in found.networks])
    )
    return Figure(caption, figures.panels(panels), description)


def _published(log: PublishedLog, names: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {"epoch": epoch, "value": 100 * value, "series": names[key], "seed": ""}
        for key, values in (("train", log.train_accuracy), ("val", log.val_accuracy))
        for epoch, value in zip(log.epochs, values, strict=True)
    ]


def _tracks(
    by_seed: Mapping[int, Sequence[Epoch]], field: str, series: str, *, single: bool, factor: float = 100.0
) -> list[dict[str, Any]]:
    rows = []
    if single:
        rows = [
            {"epoch": epoch.epoch, "value": factor * getattr(epoch, field), "series": series, "seed": str(seed)}
            for seed, history in by_seed.items()
            for epoch in history
        ]
    for epochs in zip(*by_seed.values(), strict=False):
        value = factor * math.fsum(getattr(epoch, field) for epoch in epochs) / len(epochs)
        rows.append({"epoch": epochs[0].epoch, "value": value, "series": series, "seed": ""})
    return [row for row in rows if math.isfinite(row["value"])]


def _panel(title: str, rows: Sequence[Mapping[str, Any]], hues: alt.Scale, dashes: alt.Scale) -> charts.Chart:
    values = [row["value"] for row in rows]
    domain = charts.domain_of(values, 0, 100)
    longest = max(row["epoch"] for row in rows)
    x = alt.X(
        "epoch:Q",
        title=_("epoch"),
        scale=alt.Scale(domain=[0.8, longest + 0.2], nice=False, zero=False),
        axis=alt.Axis(grid=False, format="d", values=[epoch for epoch in EVERY if epoch <= longest]),
    )
    y = alt.Y("value:Q", title=None, scale=alt.Scale(domain=domain, nice=False, zero=False), axis=alt.Axis(tickCount=5))
    legend = alt.Legend(**LEGEND, symbolType="stroke", symbolStrokeWidth=2.4)
    stroke = alt.Stroke("series:N", scale=hues, legend=legend)
    base = alt.Chart(inline(rows)).encode(x=x, y=y, stroke=stroke)
    single = (
        base.transform_filter("datum.seed !== ''")
        .mark_line(strokeWidth=1, strokeOpacity=0.4)
        .encode(detail=alt.Detail("seed:N"))
    )
    heavy = (
        base.transform_filter("datum.seed === ''")
        .mark_line(strokeWidth=2.4)
        .encode(strokeDash=alt.StrokeDash("series:N", scale=dashes, legend=legend))
    )
    return finished(title, [single, heavy], title, 190, title=title)


def plateau(found: Forensics, histories: Histories, commonest: MajorityClass) -> Figure | None:
    """Training loss by epoch, each seed a line, one panel for the network with its defects and one without."""
    panels: list[tuple[str, list[dict[str, Any]], alt.Scale]] = []
    for arm in found.departures:
        by_seed = histories[arm]
        seeds = [str(seed) for seed in sorted(by_seed)]
        rows: list[dict[str, Any]] = [
            {"epoch": epoch.epoch, "value": epoch.train_loss, "series": _("seed {seed}").format(seed=seed), "seed": ""}
            for seed in sorted(by_seed)
            for epoch in by_seed[seed]
        ]
        names = [_("seed {seed}").format(seed=seed) for seed in seeds]
        hues = alt.Scale(domain=names, range=[colour(i) for i in range(len(names))])
        panels.append((arm, rows, hues))
    if not panels:
        return None
    values = [row["value"] for _arm, rows, _hues in panels for row in rows]
    domain = charts.domain_of([*values, commonest.loss], 0, 10)
    made = [_losses(arm, rows, hues, domain, commonest.loss) for arm, rows, hues in panels]
    caption = _(
        "Training loss by epoch, one line per seed. The dashed line is the loss of guessing by class "
        "frequency, {loss} nats."
    ).format(loss=f"{commonest.loss:.3f}")
    description = "; ".join(wording.departures(arm, rows) for arm, rows in found.departures.items())
    return Figure(caption, figures.panels(made), description)


def _losses(
    title: str, rows: Sequence[Mapping[str, Any]], hues: alt.Scale, domain: list[float], line: float
) -> charts.Chart:
    longest = max(row["epoch"] for row in rows)
    x = alt.X(
        "epoch:Q",
        title=_("epoch"),
        scale=alt.Scale(domain=[0.8, longest + 0.2], nice=False, zero=False),
        axis=alt.Axis(grid=False, format="d", values=[epoch for epoch in EVERY if epoch <= longest]),
    )
    y = alt.Y("value:Q", title=None, scale=alt.Scale(domain=domain, nice=False, zero=False), axis=alt.Axis(tickCount=5))
    legend = alt.Legend(**{**LEGEND, "columns": 5}, symbolType="stroke", symbolStrokeWidth=2.4)
    seeds = (
        alt.Chart(inline(rows))
        .mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=22))
        .encode(x=x, y=y, color=alt.Color("series:N", scale=hues, legend=legend))
    )
    rule = alt.Chart(inline([{"value": line}])).mark_rule(stroke=SOFT, strokeDash=[4, 3]).encode(y=y)
    return finished(title, [rule, seeds], title, 190, title=title)


def times(found: Forensics, ratio: Estimate | None) -> Figure:
    """The ratios of times: as published, measured in turn, and of single runs."""
    rows: list[dict[str, Any]] = []

    def row(label: str, hue: str, value: float, low: float | None, high: float | None, said: str) -> None:
        rows.append(
            {"row": len(rows), "label": label, "said": said, "hue": hue, "fill": hue, "verdict": label}
            | {"value": value, "low": low, "high": high}
        )

    then = found.logs.interleaved
    row(_("published, one run each"), INK, found.logs.ratio, None, None, f"{found.logs.ratio:.2f}")
    for one in found.seconds:
        span = _("{low} to {high}").format(low=f"{one.least:.2f}", high=f"{one.most:.2f}")
        label = _("single runs here, {arm} / {against}").format(arm=one.arm, against=one.against)
        row(label, SOFT, one.mean.value, one.least, one.most, f"{one.mean.value:.2f} ({span})")
    span = _("{low} to {high}").format(low=f"{then.low:.2f}", high=f"{then.high:.2f}")
    row(
        _("in alternation, original framework"),
        colour(2),
        then.value,
        then.low,
        then.high,
        f"{then.value:.2f} ({span})",
    )
    if ratio is not None and ratio.low is not None and ratio.high is not None:
        span = _("{low} to {high}").format(low=f"{ratio.low:.2f}", high=f"{ratio.high:.2f}")
        row(_("in alternation, here"), colour(0), ratio.value, ratio.low, ratio.high, f"{ratio.value:.2f} ({span})")
    description = "; ".join(f"{item['label']}: {item['said']}" for item in rows)
    chart = charts.beside_zero(
        "forensic_times", rows, _("time with batch norm / time without"), description, zero_at=1.0
    )
    caption = _(
        "Time of {arm} divided by time of {against}. Bars of single runs show the range of the ratios of any "
        "two runs; other bars are 95 % intervals. Left of 1 the network with batch norm is faster."
    ).format(arm=then.arm, against=then.against)
    return Figure(caption, figures.chart(chart), description)
