"""Charts of classes and of confidence: photos of each class, and how far a stated probability can be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np

from commongarden.i18n.language import _
from commongarden.records import Predictions
from commongarden.report.charts import PAPER, SOFT, Chart, Rows, colour, dash, finished, inline
from commongarden.report.charts.curves import faded
from commongarden.report.wording import numbers
from commongarden.report.wording.labels import TEXT

N_BINS = 10
MOST_CLASSES = 40


def counts(parts: Mapping[str, Mapping[str, int]]) -> Chart | None:
    """Photos of each class, a bar in three parts: parts[part][class]; None with more classes than there is room for."""
    classes = list(dict.fromkeys(name for found in parts.values() for name in found))
    if not 1 < len(classes) <= MOST_CLASSES:
        return None
    rows = [
        {"class": name, "part": TEXT[part], "n": found.get(name, 0), "order": i}
        for i, (part, found) in enumerate(parts.items())
        for name in classes
    ]
    names = [TEXT[part] for part in parts]
    scale = alt.Scale(domain=names, range=["var(--heat)", "var(--soft)", "var(--line)"])  # no model's colour
    legend = alt.Legend(orient="top", title=None, labelColor="var(--ink)", labelFontSize=12, symbolType="square")
    y = alt.Y("class:N", title=None, sort=classes, axis=alt.Axis(ticks=False, domain=False, labelLimit=140))
    x = alt.X("n:Q", title=TEXT["n_photos"], axis=alt.Axis(tickCount=5, tickMinStep=1, format="~s"), stack="zero")
    told = [
        alt.Tooltip("class:N", title=" "),
        alt.Tooltip("part:N", title=" "),
        alt.Tooltip("n:Q", title=TEXT["n_photos"]),
    ]
    bars = alt.Chart(inline(rows)).mark_bar(stroke=PAPER, strokeWidth=1)
    bars = bars.encode(x=x, y=y, order="order:Q", tooltip=told, fill=alt.Fill("part:N", scale=scale, legend=legend))
    sums = [(name, sum(found.get(name, 0) for found in parts.values())) for name in classes]
    said = "; ".join(f"{name} {numbers.whole(n)}" for name, n in sums)
    return finished("class_counts", [bars], f"{TEXT['n_photos']}: {said}", 22 * len(classes))


def reliability(predictions: Mapping[str, Sequence[Predictions]]) -> Chart | None:
    """For each arm the share of right answers by their stated probability, all its runs together; None without runs."""
    arms = list(predictions)
    rows: Rows = [{"arm": arm, **row} for arm, runs in predictions.items() if runs for row in _bins(runs)]
    if not rows:
        return None
    scale = alt.Scale(domain=arms, range=[colour(i) for i in range(len(arms))])
    dashes = alt.Scale(domain=arms, range=[dash(i) for i in range(len(arms))])
    ends = alt.Scale(domain=[0, 100], nice=False)
    x = alt.X("stated:Q", title=TEXT["reliability_x"], scale=ends, axis=alt.Axis(grid=False, tickCount=5))
    y = alt.Y("value:Q", title=TEXT["reliability_y"], scale=ends, axis=alt.Axis(tickCount=5))
    told = [
        alt.Tooltip("arm:N", title=" "),
        alt.Tooltip("stated:Q", title=TEXT["reliability_x"], format=".1f"),
        alt.Tooltip("value:Q", title=TEXT["reliability_y"], format=".1f"),
        alt.Tooltip("n:Q", title=TEXT["reliability_n"], format=","),
    ]
    perfect = alt.Chart(inline([{"stated": 0, "value": 0}, {"stated": 100, "value": 100}]))
    base = alt.Chart(inline(rows)).encode(x=x, y=y, opacity=faded(1, 0.12))
    stroke = alt.Stroke("arm:N", scale=scale, legend=None)
    layers = [
        perfect.mark_line(stroke=SOFT, strokeWidth=1, strokeDash=[4, 3]).encode(x=x, y=y),
        base.mark_line(strokeWidth=2).encode(
            stroke=stroke, strokeDash=alt.StrokeDash("arm:N", scale=dashes, legend=None)
        ),
        base.mark_point(filled=True, size=50).encode(fill=alt.Fill("arm:N", scale=scale, legend=None), tooltip=told),
    ]
    said = "; ".join(
        _("{arm}: accuracy {right} at a predicted probability of {stated}").format(
            arm=row["arm"], right=numbers.percent(row["value"] / 100), stated=numbers.percent(row["stated"] / 100)
        )
        for row in {row["arm"]: row for row in rows}.values()
    )
    return finished("reliability", layers, f"{TEXT['reliability']}. {said}.", 300, shown=True)


def _bins(runs: Sequence[Predictions]) -> list[dict[str, float]]:
    confidence = np.concatenate([run.probabilities.max(axis=1).astype(float) for run in runs])
    right = np.concatenate([run.probabilities.argmax(axis=1) == run.labels for run in runs])
    place = np.clip(np.ceil(confidence * N_BINS).astype(int) - 1, 0, N_BINS - 1)
    return [
        {
            "stated": 100 * float(confidence[place == i].mean()),
            "value": 100 * float(right[place == i].mean()),
            "n": int((place == i).sum()),
        }
        for i in range(N_BINS)
        if (place == i).any()
    ]
