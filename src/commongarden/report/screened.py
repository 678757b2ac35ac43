"""What screening found, as files: screening.json, screening.csv, and a page."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from altair.utils import schemapi

from commongarden.i18n import language
from commongarden.i18n.language import _, ngettext, spoken
from commongarden.io import csv_cells
from commongarden.records import Estimate
from commongarden.records.screening import FILE, Screening, written
from commongarden.report.charts import PAPER, Chart, beside_zero, colour, costs, in_hundredths
from commongarden.report.document import (
    Block,
    Bullets,
    Cell,
    Commands,
    Document,
    Fold,
    Paragraph,
    Plot,
    Section,
    SideBySide,
    Table,
    html,
)
from commongarden.report.wording import numbers
from commongarden.report.wording import screening as wording
from commongarden.report.wording.labels import TEXT
from commongarden.stats.pareto import EXACT, Front, cost_of
from commongarden.stats.screened import RankedModel, fronts, on_fronts, ranked
from commongarden.store import make_folder, write_atomically

CSV, PAGE = "screening.csv", "screening.html"
SHOWN = 15  # models in the picture and the first table; the others are folded


def write(found: Screening, folder: Path, command: str = "") -> Path:
    """Writes the files into a folder, and returns the path of the page. command: that goes on to a study of the best
    models. Raises StoreError."""
    models = ranked(found)
    make_folder(folder)
    write_atomically(folder / FILE, written(found))
    write_atomically(folder / CSV, to_csv(models).encode())
    write_atomically(folder / PAGE, render(found, models, command).encode())
    return folder / PAGE


def rows(models: Sequence[RankedModel]) -> list[dict[str, Any]]:
    """A row for each model, as screening.csv and `--json` have them: shares, milliseconds, counts, bytes."""
    on_front = on_fronts(models)
    return [
        {
            "rank": place,
            "model": one.screened.model,
            "arch": one.screened.arch,
            "weights": one.screened.weights,
            "image_size": one.screened.resolution,
            "probe": one.accuracy.value,
            "probe_low": one.accuracy.low,
            "probe_high": one.accuracy.high,
            "neighbours": one.neighbours.value,
            "neighbours_low": one.neighbours.low,
            "neighbours_high": one.neighbours.high,
            "behind": None if one.behind is None else one.behind.value,
            "behind_low": None if one.behind is None else one.behind.low,
            "behind_high": None if one.behind is None else one.behind.high,
            "p": one.p,
            "distinguishable": one.distinguishable,
            "inference_ms": one.screened.ms,
            "n_params": one.screened.n_params,
            "macs": one.screened.macs,
            "memory_bytes": one.screened.memory_bytes,
            "images_per_second": one.screened.images_per_second,
            "features": one.screened.width,
            "pareto": list(on_front[one.arm]),
        }
        for place, one in enumerate(models, 1)
    ]


def to_csv(models: Sequence[RankedModel]) -> str:
    """The text of screening.csv."""
    found, out = rows(models), io.StringIO()
    writer = csv.DictWriter(out, list(found[0]), lineterminator="\n")
    writer.writeheader()
    for row in found:
        flat = {key: " ".join(value) if isinstance(value, list) else value for key, value in row.items()}
        writer.writerow(
            {key: csv_cells.safe(value) if isinstance(value, str) else value for key, value in flat.items()}
        )
    return out.getvalue()


@spoken(False)
@schemapi.debug_mode(False)
def render(found: Screening, models: Sequence[RankedModel], command: str = "") -> str:
    """The page as HTML text."""
    notes = [Paragraph(text, role="note") for text in wording.notes(found, models)]
    left: list[Block] = [Paragraph(wording.answer(models), role="headline"), *notes]
    if command:
        left.append(Commands(((_("To train the best ones:"), command),)))
    right = (Paragraph(TEXT["no_script"], role="noscript"), Plot(_caption(models), (_ranking(found, models),)))
    about = [Paragraph(wording.data(found), role="soft")]
    pair = SideBySide((tuple(left), right), "answer")
    sections = [
        Section(TEXT["answer"], (pair, *about), anchor="answer"),
        Section(_("All models"), tuple(_tables(models)), anchor="models"),
        *_costs(found, models),
        *_failures(found),
        Section(TEXT["methods"], (Bullets(tuple(wording.methods(found)), ""),), anchor="methods", folded=True),
    ]
    title = _("Screening of {data}").format(data=Path(found.data).name or found.data)
    n = ngettext("{n} model", "{n} models", len(models)).format(n=numbers.whole(len(models)))
    line = _("{models}, {made}").format(models=n, made=found.made[:10])
    document = Document(title, line, language.current(), tuple(sections))
    return html.to_html(document, [one.arm for one in models], TEXT["footer"])


def _caption(models: Sequence[RankedModel]) -> str:
    text = _(
        "Accuracy of the linear probe with 95 % confidence intervals. Filled: not distinguishable from the first. The "
        "line: always predicting the most frequent class."
    )
    if len(models) <= SHOWN:
        return text
    return f"{text} {_('The {n} best of {total}.').format(n=SHOWN, total=numbers.whole(len(models)))}"


def _ranking(found: Screening, models: Sequence[RankedModel]) -> Chart:
    drawn: list[dict[str, Any]] = [
        {
            "label": one.arm,
            "said": f"{numbers.hundredths(one.accuracy.value)} ({_span(one.accuracy)})",
            "hue": colour(place),
            "fill": PAPER if one.distinguishable else colour(place),
            "verdict": f"{one.arm}: {numbers.percent(one.accuracy.value)} ({wording.interval(one.accuracy)})",
            **in_hundredths(one.accuracy),
        }
        for place, one in enumerate(models[:SHOWN])
    ]
    spoken_rows = "; ".join(row["verdict"] for row in drawn)
    title = _("accuracy of the linear probe, %")
    return beside_zero("screened", drawn, title, f"{spoken_rows}.", zero_at=100 * found.majority)


def _span(estimate: Estimate) -> str:
    return numbers.span(estimate.low or 0.0, estimate.high or 0.0)


def _tables(models: Sequence[RankedModel]) -> list[Block]:
    caption = _("All models. A star marks those that are significantly less accurate than the first.")
    on_front = wording.pareto(models)
    cells = [_row(one, on_front[one.arm]) for one in models]
    first = _table(cells[:SHOWN], caption)
    if len(cells) <= SHOWN:
        return [first]
    rest = ngettext("{n} more model", "{n} more models", len(cells) - SHOWN)
    return [first, Fold(rest.format(n=numbers.whole(len(cells) - SHOWN)), (_table(cells[SHOWN:], _("All others")),))]


def _row(one: RankedModel, on_front: str) -> tuple[str | Cell, ...]:
    accuracy, interval, *others = wording.figures(one)
    model = Cell(one.arm, below=wording.weights(one.screened), arm=one.arm)
    return (model, Cell(accuracy, below=interval), *others, on_front)


def _table(cells: Sequence[tuple[str | Cell, ...]], caption: str) -> Table:
    accuracy, interval, *others = wording.headers()
    header: tuple[str | Cell, ...] = (
        Cell(_("model"), below=_("weights")),
        Cell(accuracy, below=interval),
        *others,
        _("Pareto front"),
    )
    return Table(caption, header, tuple(cells), 1, _("All models"))


def _costs(found: Screening, models: Sequence[RankedModel]) -> list[Section]:
    charts = [_cost_chart(found, models, one) for one in fronts(models)]
    if not charts:
        return []
    caption = _(
        "Accuracy of the linear probe and cost. The thin line joins the models on the Pareto front: no other model is "
        "as accurate and cheaper."
    )
    pictures = SideBySide(tuple((Plot("", (chart,)),) for chart in charts), "matrices", 320)
    return [Section(TEXT["cost"], (pictures, Paragraph(caption, role="soft")), anchor="cost")]


def _cost_chart(found: Screening, models: Sequence[RankedModel], front: Front) -> Chart:
    drawn = []
    no_interval = {"low": None, "high": None} if len(models) > SHOWN else {}  # so many would hide the points
    for one in models:
        spent = cost_of(one, front.cost)
        if spent is not None:
            said = numbers.short(round(spent.value)) if front.cost in EXACT else numbers.number(spent.value)
            accuracy = f"{numbers.percent(one.accuracy.value)} ({wording.interval(one.accuracy)})"
            marks = {"arm": one.arm, "said": accuracy, "cost": spent.value, "least": None, "most": None, "spent": said}
            drawn.append({**marks, **in_hundredths(one.accuracy), **no_interval})
    titles = {
        "inference_ms": _("linear probe, %, by inference time"),
        "n_params": _("linear probe, %, by parameters"),
        "macs": _("linear probe, %, by MACs"),
        "peak_memory_mb": _("linear probe, %, by memory"),
    }
    unit = _("MB, forward pass with 32 images") if front.cost == "peak_memory_mb" else TEXT[f"axis_{front.cost}"]
    return costs.chart(
        f"front_{front.cost}", drawn, [one.arm for one in models], front.arms, unit, 100 * found.majority,
        logarithmic=front.cost != "peak_memory_mb", title=titles[front.cost], measure=_("linear probe"),
    )  # fmt: skip


def _failures(found: Screening) -> list[Section]:
    failed = wording.failures(found)
    if not failed:
        return []
    return [Section(_("Not screened"), (Bullets(tuple(failed), ""),), anchor="failed", folded=True)]
