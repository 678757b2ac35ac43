"""The section on what the networks look at: evidence side by side, first kernels, the map of the test photos."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from commongarden.i18n.language import _, ngettext
from commongarden.report import charts
from commongarden.report.charts import INK, Chart, colour, finished, inline
from commongarden.report.document import (
    Bitmap,
    Block,
    Gallery,
    Heading,
    Keys,
    Only,
    Paragraph,
    Plot,
    Section,
    SideBySide,
    Styled,
)
from commongarden.report.wording import numbers
from commongarden.report.wording.labels import TEXT
from commongarden.stats import Results, predictions_by_arm
from commongarden.stats.disagreed import Disagreement, disagreements
from commongarden.store import Store, attribution_maps
from commongarden.store.attribution_maps import Attribution, Evidence
from commongarden.study import Study

N_MAPS = 6  # arms whose test photos are mapped


def section(store: Store, results: Results) -> Section | None:
    """What was kept of the arms; None where nothing was."""
    study = store.study()
    told = [arm.arm for arm in results.arms]
    kept = {arm: found for arm in told if (found := attribution_maps.read(store, arm)) is not None}
    if not kept:
        return None
    blocks = _headed("seen_evidence", _all_disputed(store, study, results, kept))
    maps = tuple(
        (Heading(arm, arm, 4), Plot(_spread(found), (_map(f"seen_{i}", found, results.classes),)))
        for i, (arm, found) in enumerate([*kept.items()][:N_MAPS])
        if len(found.points) > 1
    )
    keys = tuple((label, colour(i)) for i, label in enumerate(results.classes))
    coloured = [Keys(keys)] if len(keys) <= charts.N_COLOURS else []
    blocks += _headed("seen_map", [*coloured, SideBySide(maps, "matrices", 300)] if maps else [])
    kernels = tuple(_first_kernels(arm, found) for arm, found in kept.items() if found.filters)
    blocks += _headed("seen_kernels", [SideBySide(kernels, "matrices", 300)] if kernels else [])
    return Section(TEXT["seen"], tuple(blocks), anchor="seen")


def disagreed(store: Store, results: Results) -> Section | None:
    """For paper: the photos on which two arms disagree, with the evidence of both; None where there are none."""
    study = store.study()
    kept = {arm: found for arm in study.arms if (found := attribution_maps.read(store, arm)) is not None}
    disputed = _all_disputed(store, study, results, kept)
    caption = Paragraph(TEXT["seen_evidence_caption"], role="soft")
    return Section(TEXT["seen_evidence"], (caption, *disputed)) if disputed else None


def _all_disputed(store: Store, study: Study, results: Results, kept: dict[str, Attribution]) -> list[Block]:
    tested = predictions_by_arm(store, study, store.runs())
    return [block for item in disagreements(study, tested) for block in _disputed(item, kept, results.classes)]


def _headed(key: str, blocks: Sequence[Block]) -> list[Block]:
    """The blocks below their heading and caption; nothing where there are none."""
    return [Heading(TEXT[key]), Paragraph(TEXT[f"{key}_caption"], role="soft"), *blocks] if blocks else []


def _disputed(found: Disagreement, kept: dict[str, Attribution], classes: Sequence[str]) -> list[Block]:
    """The photos of one contrast; nothing where an arm has no maps, or not of these photos."""
    arms = (found.contrast.arm, found.contrast.against)
    if any(arm not in kept or kept[arm].seed != found.seed for arm in arms):
        return []
    rows = [{item.path: item for item in kept[arm].evidence} for arm in arms]
    photos = [path for path in found.photos if all(path in row for row in rows)]
    if not photos:
        return []
    said = _("{arm} and {against}, the runs with seed {seed}.").format(arm=arms[0], against=arms[1], seed=found.seed)
    groups = []
    for path in photos:
        caption = (Styled(TEXT["is"], "soft"), Styled("", "break"), Styled(classes[rows[0][path].label], "strong"))
        whole = Bitmap(rows[0][path].photo, path, caption)
        sides = (_side(arm, row[path], classes) for arm, row in zip(arms, rows, strict=True))
        groups.append(((whole, *sides), "", False))
    return [Only("page", (Heading(said, level=4),)), Gallery(tuple(groups), "disputed", said)]


def _side(arm: str, found: Evidence, classes: Sequence[str]) -> Bitmap:
    """What one arm says of a photo, with the evidence for that."""
    called = classes[found.called]
    said = _("{label} ({probability})").format(label=called, probability=numbers.percent(found.probability, 0))
    alternative = _("Evidence for {label} in {path}, according to {arm}").format(path=found.path, label=called, arm=arm)
    if found.called == found.label:
        judged: tuple[Styled, ...] = (Styled(said, "strong"),)
    else:
        judged = (Styled(f"{said} "), Styled(TEXT["seen_wrong"], "wrong"))
    caption = (Styled(arm, arm=arm), Styled("", "break"), *judged)
    return Bitmap(found.map, alternative, caption, TEXT["seen_no_map"], is_photo=False)


def _first_kernels(arm: str, found: Attribution) -> tuple[Block, ...]:
    n, (height, width) = found.n_filters, found.kernel
    said = ngettext("{n} kernel of {size}", "{n} kernels of {size}", n).format(n=n, size=f"{height}×{width}")
    picture = Bitmap(found.filters, f"{arm}: {said}", (Styled(said),), is_photo=False)
    return Heading(arm, arm, 4), Gallery((((picture,), "", False),), "kernels")


def _spread(sight: Attribution) -> str:
    wrong = int((sight.labels != sight.called).sum())
    share = numbers.percent(sum(sight.explained), 0)
    counted = ngettext("{n} of {all} images misclassified", "{n} of {all} images misclassified", wrong)
    parts = {"counted": counted.format(n=wrong, all=len(sight.labels)), "share": share, "n": sight.n_features}
    return _("{counted}. The two axes explain {share} of the variance of {n} features.").format(**parts)


def _map(name: str, sight: Attribution, classes: Sequence[str]) -> Chart:
    """The test photos by the features before the head: a dot in its class's colour, a cross where it is called another
    one."""
    rows = [
        {
            "x": float(x),
            "y": float(y),
            "class": classes[label],
            "called": classes[called],
            "hue": colour(label) if len(classes) <= charts.N_COLOURS else INK,
        }
        for (x, y), label, called in zip(sight.points, sight.labels, sight.called, strict=True)
    ]
    right = [row for row in rows if row["class"] == row["called"]]
    wrong = [row for row in rows if row["class"] != row["called"]]
    scale = alt.Scale(nice=False, zero=False, padding=8)
    hidden = alt.Axis(labels=False, ticks=False, grid=False, title=None)
    x, y = alt.X("x:Q", scale=scale, axis=hidden), alt.Y("y:Q", scale=scale, axis=hidden)
    told = [alt.Tooltip("class:N", title=TEXT["is"]), alt.Tooltip("called:N", title=TEXT["called"])]
    hue = alt.Fill("hue:N", scale=None)
    layers = [
        alt.Chart(inline(right)).mark_point(filled=True, size=34, opacity=0.75, strokeWidth=0)
        .encode(x=x, y=y, fill=hue, tooltip=told),
        alt.Chart(inline(wrong)).mark_point(filled=False, shape="cross", size=70, opacity=1, strokeWidth=1)
        .encode(x=x, y=y, fill=hue, stroke=alt.StrokeValue(INK), tooltip=told),
    ]  # fmt: skip
    layers = [layer for layer, shown in zip(layers, (right, wrong), strict=True) if shown]  # vega warns of an empty one
    return finished(name, layers, f"{sight.arm}: {_spread(sight)}", 280)
