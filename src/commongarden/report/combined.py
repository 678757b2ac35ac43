"""Several data sets as one report: combined.json and the page combined.html."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from altair.utils import schemapi

from commongarden.i18n import language
from commongarden.i18n.language import _, ngettext, spoken
from commongarden.io.terminal import DASH
from commongarden.records import Estimate
from commongarden.report import across
from commongarden.report.charts import Chart, beside_zero, colour, difference_axis, difference_row, ranks
from commongarden.report.document import (
    Answer,
    Answers,
    Block,
    Bullets,
    Cell,
    Document,
    Fold,
    Paragraph,
    Plot,
    Section,
    SideBySide,
    Table,
    html,
)
from commongarden.report.wording import combined as wording
from commongarden.report.wording import numbers, sizes
from commongarden.report.wording.labels import TEXT
from commongarden.report.wording.verdicts import is_wide
from commongarden.stats import METRICS
from commongarden.stats.between_studies import Side
from commongarden.stats.data_sets import AcrossContrast, Combined
from commongarden.store import make_folder, write_atomically

JSON, PAGE = "combined.json", "combined.html"
SHOWN = 4  # comparisons with a picture; the others are folded


def write(found: Combined, sides: Sequence[Side], folder: Path) -> Path:
    """Writes both files into a folder; returns the path of the page. Raises StoreError."""
    make_folder(folder)
    write_atomically(folder / JSON, to_json(found).encode())
    write_atomically(folder / PAGE, render(found, sides).encode())
    return folder / PAGE


def to_json(found: Combined) -> str:
    """The results with the sentences that they allow."""
    table: dict[str, Any] = msgspec.to_builtins(found)
    for one, row in zip(found.contrasts, table["contrasts"], strict=True):
        row |= {"sentence": wording.comparison(one, found), "beside": wording.beside(one, found)}
    table = {"answer": wording.headline(found), "cautions": list(wording.cautions(found)), **table}
    return msgspec.json.format(msgspec.json.encode(table), indent=1).decode()


@spoken(False)
@schemapi.debug_mode(False)
def render(found: Combined, sides: Sequence[Side]) -> str:
    """The page as HTML text."""
    return html.to_html(document(found, sides), found.arms, TEXT["footer"])


def document(found: Combined, sides: Sequence[Side]) -> Document:
    """What the page says, as data."""
    n = len(found.data_sets)
    sections = [
        Section(TEXT["answer"], (_answer(found),), anchor="answer"),
        Section(_("Results by data set"), (_by_data_set(found),), anchor="by-data-set"),
        Section(_("Differences by data set"), tuple(_forests(found)), anchor="differences"),
        Section(_("Ranks"), _ranks(found), anchor="ranks"),
        Section(_("How robust is it?"), tuple(_robustness(found)), anchor="robustness"),
        Section(_("What differs between the studies"), (across.differences(sides),), anchor="contracts"),
        Section(TEXT["methods"], (Bullets(tuple(wording.methods(found)), ""),), anchor="methods", folded=True),
    ]
    names = numbers.listed(one.name for one in found.data_sets)
    about = ngettext("{n} data set: {names}", "{n} data sets: {names}", n).format(n=n, names=names)
    title = _("Models compared on several data sets")
    return Document(title, about, language.current(), tuple(sections), (Paragraph(about, role="soft"),))


def by_data_set(found: Combined) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and rows: each model's mean on each data set, over all of them, its mean rank, its probability to be the
    best on a new one; the best model first."""
    header = (_("model"), *(one.name for one in found.data_sets), _("mean"), _("mean rank"), _("best on a new one"))
    rows = []
    for place in found.order:
        reached = [sizes.figure(found.metric, one.reached[place]) for one in found.data_sets]
        mean = sizes.figure(found.metric, found.means[place])
        chance = DASH if found.best_on_new is None else wording.likely(found.best_on_new[place])
        rows.append((found.arms[place], *reached, mean, f"{found.ranks.mean[place]:.2f}", chance))
    return header, rows


def _answer(found: Combined) -> Block:
    items = [
        Answer(wording.comparison(one, found), wording.beside(one, found), _winner(one)) for one in found.contrasts
    ]
    left: list[Block] = [Paragraph(wording.headline(found), role="headline"), Answers(tuple(items[:SHOWN]))]
    if items[SHOWN:]:
        more = ngettext("{n} more comparison", "{n} more comparisons", len(items) - SHOWN)
        left.append(Fold(more.format(n=len(items) - SHOWN), (Answers(tuple(items[SHOWN:])),)))
    left += [Paragraph(text, role="note") for text in wording.cautions(found)]
    right: list[Block] = [Paragraph(TEXT["no_script"], role="noscript"), _means(found)]
    return SideBySide((tuple(left), tuple(right)), "answer")


def _winner(one: AcrossContrast) -> str:
    return {"better": one.arm, "worse": one.against}.get(one.outcome, "")


def _means(found: Combined) -> Plot:
    """The mean difference of each comparison over data sets."""
    rows = [
        _row(
            found,
            f"{one.arm} − {one.against}",
            one.adjusted or one.difference,
            wording.comparison(one, found),
            _hue(one, found),
        )
        for one in found.contrasts
    ]
    spoken_rows = " ".join(row["verdict"] for row in rows)
    drawn = beside_zero("across_means", rows, difference_axis(found.metric), spoken_rows)
    caption = _("Mean difference over data sets with its adjusted 95 % confidence interval. Filled: significant.")
    return Plot(caption, (drawn,))


def _row(found: Combined, label: str, value: Estimate, verdict: str, hue: str | None) -> dict[str, Any]:
    bounds = METRICS[found.metric].spread_bounds
    shown = Estimate(value.value, None, None, value.n, value.method) if is_wide(value, bounds) else value
    said = sizes.plus(found.metric, value.value)
    if span := sizes.span(found.metric, shown):
        said = f"{said} ({span})"
    return difference_row(found.metric, label, shown, said, verdict, hue)


def _hue(one: AcrossContrast, found: Combined) -> str | None:
    winner = _winner(one)
    return colour(found.arms.index(winner)) if winner else None


def _by_data_set(found: Combined) -> Block:
    header, rows = by_data_set(found)
    units = {
        1 + i: ngettext("{n} class", "{n} classes", one.n_classes).format(n=one.n_classes)
        for i, one in enumerate(found.data_sets)
    }
    cells: list[tuple[str | Cell, ...]] = [(Cell(row[0], arm=row[0]), *row[1:]) for row in rows]
    shown = tuple(Cell(text, below=units[i]) if i in units else text for i, text in enumerate(header))
    seeds = {one.n_seeds for one in found.data_sets}
    n = min(seeds)
    caption = ngettext(
        "Mean of each model on each data set, in %, over at least {n} run.",
        "Mean of each model on each data set, in %, over at least {n} runs.",
        n,
    ).format(n=n)
    if METRICS[found.metric].unit != "points":
        caption = _("Mean of each model on each data set, in nats.")
    return Table(caption, shown, tuple(cells))


def _forests(found: Combined) -> list[Block]:
    caption = _(
        "Each row: the difference on one data set with its own 95 % confidence interval, then the mean over data "
        "sets, then "
        "the 95 % prediction interval for a new data set."
    )
    plots = [(Plot("", (_forest(one, found, place),)),) for place, one in enumerate(found.contrasts)]
    blocks: list[Block] = [SideBySide(tuple(plots[:SHOWN]), "matrices", 320), Paragraph(caption, role="soft")]
    if plots[SHOWN:]:
        more = ngettext("{n} more comparison", "{n} more comparisons", len(plots) - SHOWN)
        blocks.append(Fold(more.format(n=len(plots) - SHOWN), (SideBySide(tuple(plots[SHOWN:]), "matrices", 320),)))
    return blocks


def _forest(one: AcrossContrast, found: Combined, place: int) -> Chart:
    rows = []
    for data_set, value in zip(found.data_sets, one.by_data_set, strict=True):
        significant = data_set.name in (*one.better_on, *one.worse_on)
        winner = one.arm if data_set.name in one.better_on else one.against
        hue = colour(found.arms.index(winner)) if significant else None
        rows.append(_row(found, data_set.name, value, data_set.name, hue))
    rows.append(
        _row(
            found,
            _("mean over data sets"),
            one.difference,
            wording.comparison(one, found),
            _hue(one, found),
        )
    )
    if one.prediction is not None:
        rows.append(_row(found, _("a new data set"), one.prediction, _("95 % prediction interval"), None))
    spoken_rows = "; ".join(f"{row['label']} {row['said']}" for row in rows)
    drawn = beside_zero(
        f"forest_{place}", rows, difference_axis(found.metric), f"{one.arm} − {one.against}: {spoken_rows}."
    )
    return Chart(drawn.name, drawn.spec | {"title": f"{one.arm} − {one.against}"}, drawn.description)


def _ranks(found: Combined) -> tuple[Block, ...]:
    said = Paragraph(wording.ranked(found))
    return (said,) if found.ranks.p is None else (said, Plot("", (ranks.chart(found.ranks, found.arms),)))


def _robustness(found: Combined) -> list[Block]:
    text = wording.robustness(found)
    few = _("Leaving one data set out would leave two, which allow no conclusion.")
    blocks: list[Block] = [Paragraph(text or few)]
    if text:
        names = [one.name for one in found.data_sets]
        rows: list[tuple[str | Cell, ...]] = [
            (
                f"{one.arm} − {one.against}",
                _value(found, one.difference),
                *(_value(found, each.difference) for each in one.without),
            )
            for one in found.contrasts
        ]
        names_over: tuple[str | Cell, ...] = (
            _("comparison"),
            _("all data sets"),
            *(_("without {data_set}").format(data_set=name) for name in names),
        )
        blocks.append(
            Table(_("Mean difference, with each data set left out (95 % CI by itself)"), names_over, tuple(rows))
        )
    header = (
        _("comparison"), Cell(_("scatter between data sets"), below=_("standard deviation")), "I²", _("p, Holm"),
        _("worse"), _("equivalent"), _("better"),
    )  # fmt: skip
    tests = [
        (
            f"{one.arm} − {one.against}",
            sizes.figure(found.metric, one.tau),
            numbers.percent(one.i2, 0),
            DASH if one.p_holm is None else numbers.two_figures(one.p_holm),
            *(
                numbers.percent(share, 0)
                for share in (one.signed_rank.worse, one.signed_rank.equivalent, one.signed_rank.better)
            ),
        )
        for one in found.contrasts
    ]
    caption = _(
        "Scatter and signed-rank test. The last three columns: probabilities of the Bayesian signed-rank test that the "
        "typical difference on data sets like these makes the first model worse, equivalent within {margin}, or "
        "better. The test takes the difference on each data set as exact, so with few data sets it claims more than "
        "the intervals above."
    )
    name = _("Scatter and signed-rank test")
    caption = caption.format(margin=sizes.margin(found.metric, found.margin))
    blocks.append(Table(caption, header, tuple(tests), name=name))
    return blocks


def _value(found: Combined, value: Estimate) -> Cell:
    return Cell(
        sizes.plus(found.metric, value.value),
        below="" if is_wide(value, METRICS[found.metric].spread_bounds) else sizes.span(found.metric, value),
    )
