"""Learning curves, and accuracy against time: lines and points of all arms, as charts.py draws them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from commongarden.i18n.language import _
from commongarden.records import Epoch
from commongarden.report.charts import SOFT, Chart, colour, dash, domain_of, finished, inline
from commongarden.report.wording import numbers, words
from commongarden.report.wording.labels import TEXT

SHOWN = "shown == '' || datum.arm == shown"  # `shown` is set by the page's legend


def faded(forward: float, back: float) -> alt.OpacityValue:
    """Opacity of an arm that is brought forward, or none is; and of the others then.

    As a value of its own kind: `alt.condition` is looked up in the whole schema, which takes a hundred times as long.
    """
    return alt.OpacityValue(back, condition={"test": SHOWN, "value": forward})


def _over(
    name: str,
    rows: Sequence[Mapping[str, Any]],
    arms: Sequence[str],
    x: alt.X,
    title: str,
    *,
    line: float | None,
    domain: list[float],
    description: str,
) -> Chart:
    """Lines of `value` for every arm: heavy where `seed` is "" (the mean), thin for single seeds."""
    scale = alt.Scale(domain=list(arms), range=[colour(i) for i in range(len(arms))])
    dashes = alt.Scale(domain=list(arms), range=[dash(i) for i in range(len(arms))])
    y = alt.Y("value:Q", title=None, scale=alt.Scale(domain=domain, nice=False, zero=False), axis=alt.Axis(tickCount=5))
    base = alt.Chart().encode(x=x, y=y, stroke=alt.Stroke("arm:N", scale=scale, legend=None))
    single = (
        base.transform_filter("datum.seed !== ''")
        .mark_line(strokeWidth=1, clip=True)
        .encode(detail=alt.Detail("seed:N"), opacity=faded(0.35, 0.04))
    )
    heavy = base.transform_filter("datum.seed === ''").encode(opacity=faded(1, 0.12))
    told = [alt.Tooltip("arm:N", title=" "), alt.Tooltip("epoch:Q", title=TEXT["epoch"])]
    told.append(alt.Tooltip("value:Q", title=title, format=".3~r"))
    lines = heavy.mark_line(strokeWidth=2.4, clip=True).encode(
        strokeDash=alt.StrokeDash("arm:N", scale=dashes, legend=None)
    )
    fill = alt.Fill("arm:N", scale=scale, legend=None)
    points = heavy.mark_point(filled=True, size=22, clip=True).encode(fill=fill, tooltip=told)
    layers = [single, lines, points] if any(row["seed"] != "" for row in rows) else [lines, points]
    if line is not None and domain[0] <= line <= domain[1]:
        rule = alt.Chart(inline([{"value": line}])).mark_rule(stroke=SOFT, strokeDash=[4, 3]).encode(y=y)
        layers.insert(0, rule)
    # the rows are given to all layers at once: every step of altair's copies those that a chart has
    return finished(name, layers, description, 230, title=title, rows=rows, shown=True)


def curves(
    histories: Mapping[str, Mapping[int, Sequence[Epoch]]], guesses: Mapping[str, float], entropy: float
) -> list[Chart]:
    """Training and validation accuracy and loss by epoch: histories[arm][seed].

    guesses: what always guessing the commonest class scores in the train and val parts; entropy: its loss.
    """
    charts = []
    for field in ("train_accuracy", "val_accuracy", "train_loss", "val_loss"):
        loss, title = field.endswith("loss"), TEXT[field]
        rows = _lines(histories, field, 1.0 if loss else 100.0)
        if not rows:
            continue
        values = [row["value"] for row in rows]
        line = entropy if loss else 100 * guesses[field.removesuffix("_accuracy")]
        top = max(3 * entropy, 1.05 * min(values)) if loss else 100.0  # a first epoch can lie far outside
        if loss and max(values) > top:
            title = words.cut(title, top)
        longest = max(row["epoch"] for row in rows)
        room = 0.02 * (longest - 1) or 0.5
        whole = list(range(1, longest + 1)) if longest <= 10 else alt.Undefined
        x = alt.X(
            "epoch:Q",
            title=TEXT["epoch"],
            scale=alt.Scale(domain=[1 - room, longest + room], nice=False, zero=False),
            axis=alt.Axis(grid=False, format="d", tickCount=10, values=whole),
        )
        domain = domain_of([*values, line], 0, top)
        description = f"{title}: {_ends(rows, loss=loss)}"
        arms = list(histories)
        charts.append(_over(field, rows, arms, x, title, line=line, domain=domain, description=description))
    return charts


def under_way(arms: Sequence[str], epochs: int, guess: float | None = None) -> list[Chart]:
    """Validation accuracy and training loss by epoch, a line a run, for rows that come while runs are made: of the data
    named "rows", with arm, seed, epoch, val_accuracy in percent and train_loss.

    epochs: of the longest run. guess: what always guessing the commonest class scores, in percent.
    """
    room = 0.02 * (epochs - 1) or 0.5
    x = alt.X(
        "epoch:Q",
        title=TEXT["epoch"],
        scale=alt.Scale(domain=[1 - room, epochs + room], nice=False, zero=False),
        axis=alt.Axis(grid=False, format="d", tickCount=min(epochs, 10)),
    )
    scale = alt.Scale(domain=list(arms), range=[colour(i) for i in range(len(arms))])
    stroke, fill = (kind("arm:N", scale=scale, legend=None) for kind in (alt.Stroke, alt.Fill))
    made = []
    for field in ("val_accuracy", "train_loss"):
        domain = alt.Scale(domain=[0, 100]) if field == "val_accuracy" else alt.Scale(zero=False)
        y = alt.Y(f"{field}:Q", title=None, scale=domain, axis=alt.Axis(tickCount=5))
        told = [
            alt.Tooltip("arm:N", title=" "),
            alt.Tooltip("run:N", title=" "),
            alt.Tooltip("epoch:Q", title=TEXT["epoch"]),
        ]
        told.append(alt.Tooltip(f"{field}:Q", title=TEXT[field], format=".3~r"))
        base = alt.Chart(alt.NamedData("rows")).encode(x=x, y=y)
        lines = base.mark_line(strokeWidth=1.8, clip=True).encode(stroke=stroke, detail=alt.Detail("run:N"))
        points = base.mark_point(filled=True, size=22, clip=True).encode(fill=fill, tooltip=told)
        layers = [lines, points]
        if guess is not None and field == "val_accuracy":
            rule = alt.Chart(inline([{"value": guess}])).mark_rule(stroke=SOFT, strokeDash=[4, 3])
            layers.insert(0, rule.encode(y=alt.Y("value:Q")))
        made.append(finished(f"live_{field}", layers, TEXT[field], 200, title=TEXT[field]))
    return made


def over_time(histories: Mapping[str, Mapping[int, Sequence[Epoch]]], guess: float) -> Chart | None:
    """Mean validation accuracy over the mean time that training and validation had taken by then."""
    rows = [row for row in _lines(histories, "val_accuracy", 100.0) if row["seed"] == ""]
    if not rows:
        return None
    unit, size = numbers.time_unit(max(row["seconds"] for row in rows))
    timed = [{**row, "seconds": row["seconds"] / size} for row in rows]
    x = alt.X("seconds:Q", title=f"{unit} {TEXT['time_axis']}", axis=alt.Axis(grid=False, tickCount=6))
    domain = domain_of([*(row["value"] for row in rows), 100 * guess], 0, 100)
    title, arms = TEXT["over_time"], list(histories)
    description = f"{title}: {_ends(rows)}"
    return _over("over_time", timed, arms, x, title, line=100 * guess, domain=domain, description=description)


def learning_rate(histories: Mapping[str, Mapping[int, Sequence[Epoch]]]) -> Chart | None:
    """The learning rate at the end of each epoch, of each arm's first run; None where it never changes."""
    firsts = {arm: dict(list(by_seed.items())[:1]) for arm, by_seed in histories.items()}
    rows = _lines(firsts, "lr", 1.0)
    if len({row["value"] for row in rows}) < 2:
        return None
    longest, top = max(row["epoch"] for row in rows), max(row["value"] for row in rows)
    axis = alt.Axis(grid=False, format="d", tickCount=min(longest, 10))
    x = alt.X("epoch:Q", title=TEXT["epoch"], scale=alt.Scale(nice=False, zero=False), axis=axis)
    title = TEXT["lr_curve"]
    said = f"{title}: " + "; ".join(
        _("{arm} ends at {value}").format(arm=row["arm"], value=f"{row['value']:.3g}")
        for row in {row["arm"]: row for row in rows}.values()
    )
    return _over("lr_curve", rows, list(histories), x, title, line=None, domain=[0, 1.04 * top], description=said)


def _lines(histories: Mapping[str, Mapping[int, Sequence[Epoch]]], field: str, factor: float) -> list[dict[str, Any]]:
    """One row an epoch for every seed, and for their mean (seed ""), as far as all seeds of the arm have come."""
    rows: list[dict[str, Any]] = []
    for arm, by_seed in histories.items():
        tracks = {str(seed): _track(history, field, factor) for seed, history in by_seed.items() if history}
        for seed, track in tracks.items():
            if len(tracks) > 1:
                rows += [{"arm": arm, "seed": seed, **point} for point in track]
        for points in zip(*tracks.values(), strict=False):
            mean = {key: math.fsum(point[key] for point in points) / len(points) for key in ("value", "seconds")}
            rows.append({"arm": arm, "seed": "", "epoch": points[0]["epoch"], **mean})
    return [row for row in rows if math.isfinite(row["value"])]


def _track(history: Sequence[Epoch], field: str, factor: float) -> list[dict[str, Any]]:
    taken, track = 0.0, []
    for epoch in history:
        taken += epoch.seconds
        track.append({"epoch": epoch.epoch, "value": factor * getattr(epoch, field), "seconds": taken})
    return track


def _ends(rows: Sequence[Mapping[str, Any]], *, loss: bool = False) -> str:
    last = {row["arm"]: row for row in rows if row["seed"] == ""}
    return "; ".join(
        _("{arm} ends at {value}").format(
            arm=arm, value=numbers.number(row["value"]) if loss else numbers.percent(row["value"] / 100)
        )
        for arm, row in last.items()
    )
