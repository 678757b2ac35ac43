"""A page for what arms' time was found to go into: the roofline picture, and a table of blocks for each arm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from commongarden.explain import noise, profile, roofline, time_sentences
from commongarden.explain.memory import need
from commongarden.explain.profile import Profile, ProfileRow
from commongarden.explain.roofline import Roofs
from commongarden.i18n import language
from commongarden.i18n.language import _, spoken
from commongarden.records.timings import Timing
from commongarden.report.charts import INK, SOFT, Chart, colour, finished, inline
from commongarden.report.charts.curves import faded
from commongarden.report.document import Block, Document, Legend, Paragraph, Plot, Section, Table, html

GAP = 1.6  # a block's place from the picture's edge, as a factor


@spoken(False)
def render(timing: Timing, depth: int = 1, free: int | None = None) -> str:
    """The page as HTML text. depth: levels of blocks; free: bytes to reckon the largest batch with."""
    found, roof = profile.profiles(timing, depth), roofline.roofs(timing)
    caption = _(
        "Each point is a block, forward and backward together; its size shows the time. The lines are the "
        "limits of this machine: the slope is memory bandwidth, the flat line is arithmetic. Blocks without "
        "multiply-adds are in the tables only."
    )
    picture = Plot(caption, (roofline_chart(found, roof),))
    limits = Paragraph(time_sentences.limits(roof, timing.limits.matmul_side), role="soft")
    sections = [Section(", ".join(one.arm for one in found), (Legend(), picture, limits), anchor="roofs")]
    for i, (arm, one) in enumerate(zip(timing.arms, found, strict=True), 1):
        memory = None if arm.memory is None else need(arm.memory, free)
        more = [Paragraph(said, role="soft") for said in time_sentences.more(one, memory, timing.energy_text)]
        blocks: tuple[Block, ...] = (Paragraph(time_sentences.step(one)), *_tables(one), *more)
        sections.append(Section(arm.name, blocks, anchor=f"arm-{i}", arm=arm.name))
    machine = _("{processor}, {made}").format(processor=timing.processor, made=timing.made[:10])
    opening = tuple(Paragraph(said, role="soft") for said in (machine, *noise.told(timing)))
    title = _("Where the time of a training step goes")
    document = Document(title, machine, language.current(), tuple(sections), opening)
    return html.to_html(document, [one.arm for one in found])


def _tables(found: Profile) -> tuple[Table, Table]:
    """The blocks, and the kinds of layers."""
    block, kind = _("block"), language.pgettext("of a layer", "kind")
    return _table(found.arm, block, found.blocks, True), _table(found.arm, kind, found.kinds, False)


def _table(arm: str, first: str, rows: Sequence[ProfileRow], is_block: bool) -> Table:
    cells = tuple(time_sentences.cells(row, is_block) for row in rows)
    return Table(f"{arm}, {first}.", tuple(time_sentences.columns(first)), cells)


def roofline_chart(found: tuple[Profile, ...], roof: Roofs) -> Chart:
    """Blocks by multiply-adds for each byte and multiply-adds a second, below the machine's limits."""
    rows = _points(found)
    ridge = roof.matmul / roof.memory
    least = min([row["intensity"] for row in rows], default=ridge) / GAP
    most = max([row["intensity"] for row in rows], default=ridge) * GAP
    least, most = min(least, roof.matmul / roof.cache / GAP), max(most, ridge * GAP)
    low = min([row["rate"] for row in rows], default=roof.matmul / 10) / GAP
    slopes = [
        (name, bandwidth, max(least, low / bandwidth))
        for name, bandwidth in ((_("from memory"), roof.memory), (_("from a cache"), roof.cache))
    ]
    lines = [
        {"roof": name, "intensity": x, "rate": min(roof.matmul, bandwidth * x)}
        for name, bandwidth, start in slopes
        for x in (start, roof.matmul / bandwidth, most)
    ]
    arms = [one.arm for one in found]
    scale = alt.Scale(domain=arms, range=[colour(i) for i in range(len(arms))])
    axis = alt.Axis(tickCount=5, format="~r", grid=False)
    x = alt.X(
        "intensity:Q", title=_("multiply-adds per byte moved"), axis=axis,
        scale=alt.Scale(type="log", domain=[least, most], nice=False),
    )  # fmt: skip
    y = alt.Y(
        "rate:Q", title=_("billion multiply-adds per second"), axis=axis,
        scale=alt.Scale(type="log", domain=[low, roof.matmul * GAP], nice=False),
    )  # fmt: skip
    data = alt.Chart(inline(lines))
    flat: dict[str, Any] = {"said": _("matrix multiply"), "intensity": most, "rate": roof.matmul}
    labels = [{"said": name, "intensity": start, "rate": bandwidth * start} for name, bandwidth, start in slopes]
    text = alt.Text("said:N")
    layers = [
        data.mark_line(strokeWidth=1.5, stroke=INK, fill=None).encode(x=x, y=y, detail=alt.Detail("roof:N")),
        alt.Chart(inline([flat])).mark_text(align="right", dy=-8, fill=SOFT, fontSize=12).encode(x=x, y=y, text=text),
        alt.Chart(inline(labels)).mark_text(align="left", dx=6, dy=12, fill=SOFT, fontSize=12)
        .encode(x=x, y=y, text=text),
        alt.Chart(inline(rows))
        .mark_point(filled=True, strokeWidth=0)
        .encode(
            x=x,
            y=y,
            fill=alt.Fill("arm:N", scale=scale, legend=None),
            size=alt.Size("ms:Q", legend=None, scale=alt.Scale(domainMin=0, range=[30, 400])),
            opacity=faded(0.8, 0.1),
            tooltip=[
                alt.Tooltip("arm:N", title=" "), alt.Tooltip("block:N", title="  "), alt.Tooltip("said:N", title="   ")
            ],
        ),
    ]  # fmt: skip
    spoken = "; ".join(f"{row['arm']} {row['block']}: {row['rate']:.1f} ({row['said']})" for row in rows)
    return finished("roofline", layers, _("Roofline. {blocks}.").format(blocks=spoken), 380, shown=True)


def _points(found: tuple[Profile, ...]) -> list[dict[str, Any]]:
    """A point for each block that multiplies and adds."""
    return [
        {
            "arm": one.arm,
            "block": row.name,
            "intensity": row.intensity,
            "rate": row.rate,
            "ms": row.both.value,
            "said": _("{ms} ms, {percent} % of the limit").format(
                ms=f"{row.both.value:.2f}", percent=f"{row.percent_of_limit or 0:.0f}"
            ),
        }
        for one in found
        for row in one.blocks
        if row.macs and row.intensity and row.rate
    ]
