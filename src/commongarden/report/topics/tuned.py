"""The section on tuning: how far each arm's best lies from its recipe as declared, and whether a verdict changes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import altair as alt

from commongarden.i18n.language import _, ngettext
from commongarden.report.charts import PAPER, Chart, colour, dash, domain_of, finished, inline
from commongarden.report.document import Block, Bullets, Cell, Paragraph, Plot, Section, SideBySide, Table
from commongarden.report.wording import words
from commongarden.report.wording.labels import TEXT
from commongarden.report.wording.numbers import hundredths, listed, percent, whole
from commongarden.stats import Results, Tuned, TunedArm, TunedContrast, TuningRun


def section(results: Results) -> Section | None:
    """Every arm at its own learning rate, and whether its verdicts change; None where nothing was tuned."""
    tuned = results.tuned
    if tuned is None:
        return None
    blocks: list[Block] = [Paragraph(introduction(tuned))]
    if said := kept(results):
        blocks.append(Paragraph(said))
    blocks += _contrasts(results)
    header = (TEXT["arm"], TEXT["lr_declared"], TEXT["lr_best"])
    rows = tuple(_arm_row(arm) for arm in tuned.arms if arm.runs)
    table = Table(TEXT["tuned_caption"], header, rows, name=TEXT["tuned"], kind="left")
    blocks.append(SideBySide(((Plot(key(), chart(results)),), (table,))))
    blocks += [Paragraph(said, role="soft") for said in remarks(tuned)]
    return Section(TEXT["tuned"], tuple(blocks), anchor="tuning")


def rate(run: TuningRun, searched_decay: bool) -> str:
    """What a tuning run was trained with."""
    if not searched_decay:
        return f"{run.lr:g}"
    return _("{lr:g}, weight decay {decay:g}").format(lr=run.lr, decay=run.weight_decay)


def _arm_row(arm: TunedArm) -> tuple[Cell, Cell, Cell]:
    """An arm's declared values and its best ones, with the accuracies below."""
    at = {run.number: run for run in arm.runs}
    decays = len({run.weight_decay for run in arm.runs}) > 1
    first, best = at.get(0), at.get(-1 if arm.best is None else arm.best)
    return (
        Cell(arm.arm, arm=arm.arm),
        Cell("" if first is None else rate(first, decays), _reached(first)),
        Cell(_("none finished") if best is None else rate(best, decays), _reached(best), ratio(arm)),
    )


def _reached(run: TuningRun | None) -> str:
    return "" if run is None or run.val_accuracy is None else percent(run.val_accuracy)


def ratio(arm: TunedArm) -> str:
    """How far the best learning rate lies from the declared one."""
    found = arm.ratio
    if found is None:
        return ""
    if found == 1:
        return _("the same")
    if found > 1:
        return _("{factor} times as large").format(factor=f"{found:.3g}")
    return _("{factor} times smaller").format(factor=f"{1 / found:.3g}")


def introduction(tuned: Tuned) -> str:
    """What was done, with the budget as it is recorded."""
    epochs = sorted({run.epochs for arm in tuned.arms for run in arm.runs})
    names = listed(arm.arm for arm in tuned.arms)
    said = ngettext(
        "First, {arms} had {n} trial each of {epochs} epochs, with learning rates from one range.",
        "First, {arms} had {n} trials each of {epochs} epochs, with learning rates from one range.",
        tuned.budget,
    ).format(arms=names, n=tuned.budget, epochs=", ".join(map(str, epochs)))
    how = _(
        "The first trial uses the declared settings of the model; the other values are the same for all "
        "models. Best: highest validation accuracy ({photos} images), one run each; the test set was not "
        "used. A model that did best with other values was then also trained with those values and the seeds "
        "of the study."
    ).format(photos=whole(tuned.n_val))
    return f"{said} {how}"


def remarks(tuned: Tuned) -> Iterator[str]:
    """What must be said beside the search."""
    yield _(
        "Exploratory: the best of {n} trials per model is chosen from one run each, so conclusions about tuned models "
        "are outside the overall error rate, and other seeds can choose other values."
    ).format(n=tuned.budget)
    if not tuned.equal:
        said = _("The search is not complete: of {n} trials per model there are {counts}.")
        yield said.format(n=tuned.budget, counts=", ".join(f"{arm.arm} {len(arm.runs)}" for arm in tuned.arms))
    for arm in tuned.arms:
        if arm.at_edge:
            said = _(
                "{arm}: the best learning rate is at the end of the range ({lr:g}); a better one may lie outside it."
            )
            yield said.format(arm=arm.arm, lr=next(run.lr for run in arm.runs if run.number == arm.best))
    for arm in tuned.arms:
        if failed := sum(run.val_accuracy is None for run in arm.runs):
            yield ngettext(
                "{n} trial of {arm} failed and counts as the worst.",
                "{n} trials of {arm} failed and count as the worst.",
                failed,
            ).format(n=failed, arm=arm.arm)
    noise = 1.96 * math.sqrt(2 * 0.25 / max(tuned.n_val, 1))
    yield _(
        "With {photos} images, two accuracies can differ by up to about {points} points by the choice of "
        "images alone: other values may be equally good."
    ).format(photos=whole(tuned.n_val), points=hundredths(noise))


def _contrasts(results: Results) -> Iterator[Bullets]:
    """What each contrast says both ways; a contrast of which no arm found better values is left out."""
    found = {(contrast.arm, contrast.against): contrast for contrast in results.contrasts}
    for row in results.tuned.contrasts if results.tuned else ():
        declared = words.verdict(found[row.arm, row.against])
        best = words.verdict(found[row.tuned_arm, row.tuned_against])
        both = (f"{TEXT['tuned_declared']}: {declared}", f"{TEXT['tuned_best']}: {best}")
        yield Bullets(both, "verdicts", closing=changed(row))


def changed(row: TunedContrast) -> str:
    """Whether tuning changes the verdict."""
    if {row.outcome, row.tuned_outcome} & {"two seeds", "one seed", "one photo", "one group", "no pairs"}:
        return _("It is not known yet whether the conclusion changes.")
    if row.changed:
        return _("The conclusion changes: it depends on the training settings.")
    return _("The conclusion does not change.")


def kept(results: Results) -> str:
    """Said where no arm found better values than its own; "" elsewhere."""
    tuned = results.tuned
    if tuned is None or not tuned.arms or any(arm.tuned != arm.arm for arm in tuned.arms):
        return ""
    return _("No model did better than with its declared settings, so no conclusion changes.")


def chart(results: Results) -> tuple[Chart, ...]:
    """Validation accuracy over the learning rate for every tuning run; the declared one hollow, the best one large."""
    tuned = results.tuned
    if tuned is None:
        return ()
    place = {arm.arm: i for i, arm in enumerate(results.arms)}
    data: list[dict[str, Any]] = []
    for arm in tuned.arms:
        for run in sorted(arm.runs, key=lambda run: run.lr):
            if run.val_accuracy is None:
                continue
            kind = "best" if run.number == arm.best else "declared" if run.number == 0 else "other"
            hue = colour(place[arm.arm])
            data.append(
                {"arm": arm.arm, "lr": run.lr, "value": 100 * run.val_accuracy, "hue": hue}
                | {"fill": PAPER if run.number == 0 else hue, "size": 210 if kind == "best" else 60}
                | {"said": _("{lr:g}: {accuracy}").format(lr=run.lr, accuracy=percent(run.val_accuracy))}
            )
    if not data:
        return ()
    arms = [arm.arm for arm in results.arms]
    scale = alt.Scale(domain=arms, range=[colour(i) for i in range(len(arms))])
    dashes = alt.Scale(domain=arms, range=[dash(i) for i in range(len(arms))])
    x = alt.X(
        "lr:Q",
        title=_("learning rate"),
        scale=alt.Scale(type="log", nice=False, padding=14),
        axis=alt.Axis(grid=False, tickCount=4, format="~g", labelOverlap=True),
    )
    domain = domain_of([*(row["value"] for row in data), 100 * results.commonest.accuracy], 0, 100)
    y = alt.Y("value:Q", title=None, scale=alt.Scale(domain=domain, nice=False, zero=False), axis=alt.Axis(tickCount=5))
    base = alt.Chart(inline(data)).encode(x=x, y=y)
    layers: list[alt.Chart] = [
        base.mark_line(strokeWidth=1.5, opacity=0.6).encode(
            stroke=alt.Stroke("arm:N", scale=scale, legend=None),
            strokeDash=alt.StrokeDash("arm:N", scale=dashes, legend=None),
        ),
        base.mark_point(filled=True, opacity=1, strokeWidth=2).encode(
            fill=alt.Fill("fill:N", scale=None),
            stroke=alt.Stroke("hue:N", scale=None),
            size=alt.Size("size:Q", scale=None),
            tooltip=[alt.Tooltip("arm:N", title=" "), alt.Tooltip("said:N", title=_("learning rate"))],
        ),
    ]
    title = _("validation accuracy of the trials, %")
    bests = [(arm.arm, _arm_row(arm)[2]) for arm in tuned.arms if arm.runs]
    spoken = "; ".join(f"{arm}: {best.text} {best.below}" for arm, best in bests)
    return (finished("tuned", layers, f"{title}: {spoken}.", 230, title=title),)


def key() -> str:
    """What the points stand for."""
    return _("Each point is one trial. Hollow: the declared settings. Large: the best.")
