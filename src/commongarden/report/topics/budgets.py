"""The section on equal budgets: the same histories read off at equal epochs, equal time and equal multiply-adds."""

from __future__ import annotations

from typing import Any

import altair as alt

from commongarden.i18n.language import _, ngettext
from commongarden.report import charts
from commongarden.report.charts import INK, PAPER, SOFT, Chart, at, domain_of, finished, in_hundredths, inline
from commongarden.report.document import Cell, Paragraph, Plot, Section, Table
from commongarden.report.wording import numbers
from commongarden.report.wording.labels import TEXT
from commongarden.report.wording.numbers import hundredths, number, short, signed_points, span, whole
from commongarden.stats import Budget, BudgetView, BudgetViews, Results

SHAPES = {"epochs": "circle", "seconds": "square", "macs": "diamond"}
OFFSETS = {"epochs": -2, "seconds": 12, "macs": 26}
ROW = 76  # pixels for a contrast: a line of text and three intervals


def section(results: Results) -> Section | None:
    """Every contrast with a pair of runs at the three budgets; None where there is none."""
    if not results.budgets:
        return None
    header = ("", *(heading(view.budget) for view in results.budgets[0].views))
    return Section(
        TEXT["budgets"],
        (
            *map(Paragraph, summary(results)),
            Plot(key(), chart(results)),
            Table(caption(results), header, rows(results), n_left=len(header), name=TEXT["budgets"]),
        ),
        anchor="equal_budgets",
    )


def heading(budget: Budget) -> str:
    """The name of a budget above its column."""
    return {"epochs": _("equal epochs"), "seconds": _("equal time"), "macs": _("equal multiply-adds")}[budget]


def amount(view: BudgetView) -> str:
    """How much had been spent."""
    if view.budget == "epochs":
        n = round(view.at)
        return ngettext("{n} epoch", "{n} epochs", n).format(n=n)
    if view.budget == "seconds":
        return _("{seconds} s").format(seconds=number(view.at))
    return _("{n} MACs").format(n=short(int(view.at)))


def rows(results: Results) -> tuple[tuple[str | Cell, ...], ...]:
    """A contrast at the three budgets: what may be said in a word or two, the difference, where it was read off."""
    return tuple(
        (f"{item.arm} − {item.against}", *(_cell(item, view) for view in item.views)) for item in results.budgets
    )


def _cell(item: BudgetViews, view: BudgetView) -> Cell:
    ended = _("{arm_epochs} against {against_epochs} epochs").format(
        arm_epochs=_epochs(view.arm_epochs), against_epochs=_epochs(view.against_epochs)
    )
    where = amount(view) if view.budget == "epochs" else f"{amount(view)}: {ended}"
    found = view.difference
    if view.outcome == "not counted":
        return Cell(numbers.DASH)
    if found is None:
        return Cell(_("no epoch finished"), where)
    below = "" if found.low is None or found.high is None else span(found.low, found.high)
    return Cell(signed_points(found.value), (below, where))


def _epochs(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def verdict(item: BudgetViews, view: BudgetView) -> str:
    """What one budget allows one to say."""
    names = {"arm": item.arm, "against": item.against, "budget": heading(view.budget), "amount": amount(view)}
    found = view.difference
    if view.outcome == "not counted":
        return _("The multiply-adds of {arm} or {against} could not be counted.").format(**names)
    if found is None:
        return _(
            "At {budget} ({amount}) {arm} and {against} cannot be compared: one of their runs had not "
            "finished an epoch."
        ).format(**names)
    names |= {"value": signed_points(found.value), "size": hundredths(abs(found.value))}
    if found.low is None or found.high is None:
        said = _("At {budget} ({amount}) {arm} differs from {against} by {value} points in one run of each.")
        return said.format(**names)
    low, high = (-found.high, -found.low) if view.outcome == "worse" else (found.low, found.high)
    if view.outcome == "not resolved":
        said = _(
            "At {budget} ({amount}) {arm} and {against} differ by {value} points (95 % CI {low} to {high}), "
            "which includes 0."
        )
    elif view.outcome == "better":
        said = _("At {budget} ({amount}) {arm} is ahead of {against} by {size} points (95 % CI {low} to {high}).")
    else:
        said = _("At {budget} ({amount}) {arm} is behind {against} by {size} points (95 % CI {low} to {high}).")
    return said.format(**names, low=hundredths(low), high=hundredths(high))


def summary(results: Results) -> list[str]:
    """Where the verdict hangs on the budget, and in a sentence that it does nowhere else."""
    compared = [item for item in results.budgets if any(view.outcome != "one seed" for view in item.views)]
    differing = [item for item in compared if not item.agree]
    said = [exploratory(" ".join(verdict(item, view) for view in item.views)) for item in differing]
    rest = len(compared) - len(differing)
    if rest and not differing:
        return [_("All comparisons have the same result at all three budgets.")]
    if rest:
        others = ngettext(
            "The other comparison has the same result at all three budgets.",
            "The other {n} comparisons have the same result at all three budgets.",
            rest,
        )
        said.append(others.format(n=rest))
    return said


def exploratory(said: str) -> str:
    """What intervals that nobody adjusted say, marked as such."""
    return _("Exploratory, not adjusted for multiple comparisons: {said}").format(said=said)


def caption(results: Results) -> str:
    """What was read off, and how far it can be trusted."""
    return _(
        "Exploratory: intervals are not adjusted for multiple comparisons, and no conclusion is drawn from "
        "them. Differences in validation accuracy on {photos} images, in points, at the largest budget "
        "that every run of both models reached, each run at the end of its last complete epoch; with a "
        "learning rate schedule, an earlier epoch is not the end of the schedule. The 95 % intervals "
        "account for seed and image variation, the latter estimated on the test set. Times are those of "
        "this machine, training and validation; multiply-adds are those of forward passes on the training "
        "images."
    ).format(photos=whole(results.n_val))


def chart(results: Results) -> tuple[Chart, ...]:
    """Each contrast's difference at the three budgets, with its intervals."""
    data: list[dict[str, Any]] = []
    labels: list[dict[str, Any]] = []
    for item in results.budgets:
        shown = [(view, view.difference) for view in item.views if view.difference is not None]
        if not shown:
            continue
        row = len(labels)
        labels.append({"row": row, "label": f"{item.arm} − {item.against}"})
        for view, found in shown:
            looks = {"hue": SOFT, "fill": PAPER}  # no colour: the views are not adjusted for how many they are
            said = {"verdict": verdict(item, view), **in_hundredths(found)}
            data.append({"row": row, "budget": view.budget, **looks, **said})
    if not data:
        return ()
    reach = [entry[key] for entry in data for key in ("value", "low", "high") if entry[key] is not None]
    domain = domain_of([*reach, 0.0], -100, 100)
    title, y = _("points of validation accuracy"), charts.down(len(labels))
    x, low = charts.across(domain, title, "value"), charts.across(domain, title, "low")
    layers = [alt.Chart(inline([{"value": 0}])).mark_rule(stroke=INK, strokeWidth=1).encode(x=x)]
    for budget, offset in OFFSETS.items():
        base = alt.Chart(inline([entry for entry in data if entry["budget"] == budget])).encode(y=y)
        interval = base.mark_rule(strokeWidth=3, strokeCap="round", yOffset=offset, clip=True)
        point = base.mark_point(filled=True, shape=SHAPES[budget], size=85, yOffset=offset, opacity=1, strokeWidth=2)
        layers += [
            interval.encode(x=low, x2=alt.X2("high:Q"), stroke=charts.HUE),
            point.encode(x=x, fill=alt.Fill("fill:N", scale=None), stroke=charts.HUE, tooltip=charts.VERDICT),
        ]
    for halo in (True, False):  # the grid must not run through the words
        edge: dict[str, Any] = {"stroke": PAPER, "strokeWidth": 5, "strokeJoin": "round"} if halo else {}
        name = alt.Chart(inline(labels)).mark_text(
            align="left", dy=-22, fontSize=13, fill=INK, limit=alt.expr("width"), **edge
        )
        layers.append(name.encode(x=at(0), y=y, text=alt.Text("label:N")))
    description = exploratory(" ".join(verdict(item, view) for item in results.budgets for view in item.views))
    return (finished("budgets", layers, description, ROW * len(labels)),)


def key() -> str:
    """What the shapes stand for."""
    return _(
        "Circle: equal epochs; square: equal time; diamond: equal multiply-adds. Right of 0 the first "
        "model is better. Exploratory, not adjusted for multiple comparisons."
    )
