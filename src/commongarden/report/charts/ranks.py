"""Mean ranks over data sets as a critical-difference diagram (Demsar 2006): a row for each model, then a bar for each
group of models whose ranks are not significantly different, then the critical difference itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from commongarden.i18n.language import _
from commongarden.report.charts import HUE, INK, ROW, Chart, across, colour, down, finished, inline, row_labels
from commongarden.stats.data_sets.ranks import Ranks


def chart(found: Ranks, arms: Sequence[str]) -> Chart:
    """arms: in the order of their colours."""
    order = sorted(range(len(arms)), key=lambda place: found.mean[place])
    points = [
        {"row": row, "label": arms[place], "said": f"{found.mean[place]:.2f}", "value": found.mean[place],
         "hue": colour(place)}
        for row, place in enumerate(order)
    ]  # fmt: skip
    bars: list[dict[str, Any]] = []
    for group in found.alike:
        names = ", ".join(arms[place] for place in group)
        ends = {"low": found.mean[group[0]], "high": found.mean[group[-1]]}
        bars.append(
            {"row": len(order) + len(bars), "label": _("not different: {arms}").format(arms=names), "said": "", **ends}
        )
    most = max(float(len(arms)), 1 + found.critical)
    ruler = {"label": _("critical difference"), "said": f"{found.critical:.2f}", "low": 1.0, "high": 1 + found.critical}
    bars.append({"row": len(order) + len(bars), **ruler})
    n_rows = len(order) + len(bars)
    domain = [1 - 0.04 * (most - 1), most + 0.04 * (most - 1)]
    title = _("mean rank (1 is best)")
    y = down(n_rows)
    point = alt.Chart(inline(points)).mark_point(filled=True, size=150, yOffset=10, opacity=1)
    bar = alt.Chart(inline(bars)).mark_rule(strokeWidth=5, strokeCap="butt", yOffset=10, stroke=INK)
    layers = [
        bar.encode(x=across(domain, title, "low"), x2=alt.X2("high:Q"), y=y),
        point.encode(x=across(domain, title, "value"), y=y, fill=alt.Fill("hue:N", scale=None), stroke=HUE),
        *row_labels(inline([*points, *bars]), n_rows),
    ]
    description = "; ".join(f"{row['label']} {row['said']}".strip() for row in (*points, *bars))
    return finished("mean_ranks", layers, f"{description}.", n_rows * ROW)
