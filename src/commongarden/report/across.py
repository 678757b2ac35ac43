"""Several studies side by side: what differs between them, their models in one table and one plot, and what may be
concluded from them together."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from commongarden.i18n import language
from commongarden.i18n.language import _, ngettext
from commongarden.io.terminal import DASH
from commongarden.records import Estimate, Split
from commongarden.report.charts import curves
from commongarden.report.document import (
    Answer,
    Answers,
    Block,
    Bullets,
    Cell,
    Document,
    Legend,
    Paragraph,
    Plot,
    Section,
    Table,
)
from commongarden.report.topics import page_data
from commongarden.report.wording.labels import TEXT
from commongarden.report.wording.numbers import percent, short, signed_points, whole
from commongarden.report.wording.verdicts import is_wide, says_nothing
from commongarden.stats import ArmResult
from commongarden.stats.answers import FEWEST_SEEDS
from commongarden.stats.between_studies import Barred, Compared, Side, compared
from commongarden.store import Store
from commongarden.study.factorial import shown
from commongarden.study.recipe import FIELDS

MOST_MODELS = 12  # with curves


def document(sides: Sequence[Side]) -> Document:
    """The studies as data. Raises StoreError."""
    found, barred = compared(sides)
    sections = [
        Section(_("Conclusions"), tuple(_conclusions(found, barred)), anchor="across-conclusions"),
        Section(_("What differs between the studies"), (differences(sides),), anchor="across-differences"),
        Section(_("Models"), (_models(sides),), anchor="across-models"),
    ]
    if (plot := _curves(sides)) is not None:
        sections.append(Section(TEXT["curves"], (Legend(), plot), anchor="across-curves"))
    return Document(_("Studies compared"), "", language.current(), tuple(sections))


def models(sides: Sequence[Side]) -> list[str]:
    """The models that have curves, as they are called there, in the order of their colours."""
    best = []
    for side in sides:
        order = {standing.arm: i for i, standing in enumerate(side.results.standings)}
        best += sorted(
            (order.get(arm.arm, len(order)), side.name, arm.arm) for arm in side.results.arms if arm.n_finished
        )
    chosen = {(name, arm) for _place, name, arm in sorted(best)[:MOST_MODELS]}
    return [f"{side.name}: {arm.arm}" for side in sides for arm in side.results.arms if (side.name, arm.arm) in chosen]


def _conclusions(found: Sequence[Compared], barred: Sequence[Barred]) -> Iterator[Block]:
    if found:
        yield Answers(tuple(Answer(_said(one), _beside(one)) for one in found))
        text = ngettext(
            "Differences of test accuracy, paired by image; adjusted for {n} comparison (Holm). They include "
            "everything that differs between the studies.",
            "Differences of test accuracy, paired by image; adjusted for {n} comparisons (Holm). They include "
            "everything that differs between the studies.",
            len(found),
        )
        yield Paragraph(text.format(n=len(found)), role="soft")
    if barred:
        yield Bullets(tuple(map(_why_not, barred)))


def _said(one: Compared) -> str:
    values = {"one": _named(one.one), "two": _named(one.two), "difference": signed_points(one.difference.value)}
    if one.outcome in ("better", "worse"):
        first, second = (one.one, one.two) if one.outcome == "better" else (one.two, one.one)
        text = _("{one} is significantly more accurate than {two}.")
        return text.format(one=_named(first), two=_named(second))
    if one.n_seeds < FEWEST_SEEDS:
        return _("Exploratory, with two seeds: {one} compared with {two}.").format(**values)
    return _("No significant difference between {one} and {two}.").format(**values)


def _beside(one: Compared) -> str:
    interval = one.adjusted or one.difference
    values = {"difference": signed_points(one.difference.value), "n": one.n_seeds}
    if interval.low is None or interval.high is None or says_nothing("accuracy", interval):
        return _("{difference} points, {n} shared seeds; too little data for a useful interval").format(**values)
    ends = {"low": signed_points(interval.low), "high": signed_points(interval.high)}
    return _("{difference} points (95 % CI {low} to {high}), {n} shared seeds").format(**values, **ends)


def _named(of: tuple[str, str]) -> str:
    study, arm = of
    return _("{arm} ({study})").format(arm=arm, study=study)


def _why_not(one: Barred) -> str:
    values = {"one": one.one, "two": one.two, "shared": whole(one.n_shared), "most": whole(one.n_most)}
    if one.reason == "classes":
        text = _("{one} and {two} cannot be compared: they have different classes.")
    elif one.reason == "runs":
        text = _("{one} and {two} are not compared: their runs are the same.")
    elif one.reason == "seeds":
        text = _("{one} and {two} cannot be compared: they share {shared} seeds, and 2 are needed.")
    else:
        text = _("{one} and {two} cannot be compared: they share {shared} of {most} test images.")
    return text.format(**values)


def differences(sides: Sequence[Side]) -> Block:
    """The terms that are not the same in all studies."""
    terms = [_terms(side.store) for side in sides]
    names = list(dict.fromkeys(name for one in terms for name in one))
    rows = [(name, *(one.get(name, DASH) for one in terms)) for name in names]
    differing = tuple(row for row in rows if len(set(row[1:])) > 1)
    if not differing:
        return Paragraph(_("Nothing: data, splits and training settings are the same."))
    header = (_("term"), *(side.name for side in sides))
    return Table(_("Terms that differ"), header, differing, n_left=len(header), kind="left")


def _terms(store: Store) -> dict[str, str]:
    study, manifest, splits = store.study(), store.manifest(), store.splits()
    own = {field: sorted({shown(getattr(study.recipe_of(arm), field)) for arm in study.arms}) for field in FIELDS}
    return {
        _("images"): f"{whole(len(manifest.photos))} ({manifest.hash[:8]})",
        _("classes"): f"{len(manifest.classes)}",
        _("split"): _split(splits[study.seeds[0]]),
        _("seeds"): f"{len(study.seeds)}",
        _("varies between seeds"): ", ".join(study.vary) if not study.folds else _("folds"),
        _("models"): ", ".join(study.arms),
        **{field: ", ".join(values) for field, values in own.items()},
    }


def _split(split: Split) -> str:
    return f"{whole(len(split.train))} / {whole(len(split.val))} / {whole(len(split.test))} ({split.hash[:8]})"


def _models(sides: Sequence[Side]) -> Block:
    rows = [(_model(side, arm)) for side in sides for arm in side.results.arms]
    rows.sort(key=lambda row: -row[0])
    header = (_("model"), _("study"), _("runs"), TEXT["accuracies"], _("95 % CI"), _("training, s"), _("parameters"))
    return Table(_("All models"), header, tuple(row[1] for row in rows), n_left=2)


def _model(side: Side, arm: ArmResult) -> tuple[float, tuple[str | Cell, ...]]:
    reached = arm.test_accuracy
    name = f"{side.name}: {arm.arm}"
    cells: tuple[str | Cell, ...] = (
        Cell(arm.arm, arm=name),
        side.name,
        str(arm.n_finished),
        DASH if reached is None else percent(reached.value),
        DASH if reached is None else _interval(reached),
        DASH if arm.seconds is None else f"{arm.seconds.value:,.1f}",
        short(arm.n_params),
    )
    return (-1.0 if reached is None else reached.value), cells


def _interval(found: Estimate) -> str:
    if found.low is None or found.high is None or is_wide(found, (0.0, 1.0)):
        return DASH
    return _("{low} to {high}").format(low=f"{100 * found.low:.1f}", high=f"{100 * found.high:.1f}")


def _curves(sides: Sequence[Side]) -> Plot | None:
    drawn = models(sides)
    histories: dict[str, Any] = {}
    for side in sides:
        runs = side.store.runs()
        by_arm = page_data.histories(side.store, [arm.arm for arm in side.results.arms], runs)
        histories |= {f"{side.name}: {arm}": found for arm, found in by_arm.items()}
    first = sides[0].results.commonest
    guess = {"train": first.accuracy, "val": first.accuracy}
    made = curves.curves({name: histories[name] for name in drawn}, guess, first.loss)
    kept = [chart for chart in made if chart.name in ("val_accuracy", "train_loss")]
    renamed = tuple(dataclasses.replace(chart, name=f"across_{chart.name}") for chart in kept)
    return (
        Plot(_("Means over seeds; thin lines are single seeds."), renamed, lines=True, below=True) if renamed else None
    )
