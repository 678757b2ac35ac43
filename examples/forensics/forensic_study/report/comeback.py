"""A section of the forensic document: whether the published figures come back with the defects."""

from __future__ import annotations

from collections.abc import Iterator

from commongarden.i18n.language import _
from commongarden.report.document.blocks import Paragraph, Section, Table
from commongarden.report.wording.numbers import hundredths, listed, percent, signed_points
from forensic_study.analysis import LEAST_SEEDS, Comeback
from forensic_study.report import wording
from forensic_study.report.gathered import Gathered, titled

BAR = 0.08  # within which a mean is held to have come back


def section(of: Gathered) -> Section:
    """Each published figure beside the seeds of the same network with its defects."""
    found = of.found.comebacks
    if not found:
        return titled(_("Are the published figures reproduced?"))
    networks = of.found.networks
    seeds = sorted({seed for one in networks for arm in (one.right, one.published) for seed in of.reached[arm]})
    rows = tuple(
        (
            one.arm,
            hundredths(one.published),
            wording.short_mean(one.mean),
            *(hundredths(one.reached[seed]) if seed in one.reached else "" for seed in seeds),
            _inside(one),
            signed_points(one.distance),
        )
        for one in found
    )
    table = Table(
        _(
            "Test accuracy with the defects, in %: the published run, the mean over seeds with its 95 % interval, each "
            "seed."
        ),
        (
            _("network"),
            _("published"),
            _("mean"),
            *(_("seed {seed}").format(seed=seed) for seed in seeds),
            _("published value within the range"),
            _("mean minus published"),
        ),
        rows,
    )
    right = tuple(
        (
            one.right,
            wording.short_mean(mean),
            *(hundredths(of.reached[one.right][seed]) if seed in of.reached[one.right] else "" for seed in seeds),
        )
        for one in of.found.networks
        if (mean := of.mean(one.right)) is not None
    )
    beside = Table(
        _("Test accuracy without the defects, in %."),
        (_("network"), _("mean"), *(_("seed {seed}").format(seed=seed) for seed in seeds)),
        right,
    )
    return titled(
        _("Are the published figures reproduced?"),
        Paragraph(" ".join(_bars(of))),
        table,
        *(Paragraph(text) for text in (" ".join(_line(of)), " ".join(_differs(of))) if text),
        _endings(of),
        beside if right else None,
    )


def _bars(of: Gathered) -> Iterator[str]:
    """Whose means come as near to the published figure as was asked for beforehand."""
    near, far = (
        [one.arm for one in of.found.comebacks if (abs(one.distance) <= BAR) == inside] for inside in (True, False)
    )
    bar = f"{100 * BAR:.0f}"
    if near and not far:
        yield _("Each mean is within {bar} points of the published figure.").format(bar=bar)
    elif near:
        yield _("Means within {bar} points of the published figure: {near}. Farther away: {far}.").format(
            bar=bar, near=listed(near), far=listed(far)
        )
    else:
        yield _("No mean is within {bar} points of the published figure.").format(bar=bar)


def _differs(of: Gathered) -> Iterator[str]:
    """Where a published figure lies outside the seeds' range, and what training alone says of it."""
    for one in of.found.comebacks:
        if one.inside or not one.told:
            continue
        values = list(one.reached.values())
        names = {
            "arm": one.arm,
            "n": len(values),
            "published": percent(one.published),
            "range": wording.span(min(values), max(values)),
        }
        if one.published > max(values):
            said = _("{arm} is not reproduced: all {n} seeds are below the published {published} ({range}).")
        else:
            said = _("{arm} is not reproduced: all {n} seeds are above the published {published} ({range}).")
        yield said.format(**names)
    yield from _trained(of)


def _inside(one: Comeback) -> str:
    if not one.told:
        return "–"
    return _("at the baseline") if one.on_line else wording.yes_or_no(one.inside)


def _trained(of: Gathered) -> Iterator[str]:
    """Whether training, which no running statistic touches, goes as it did there."""
    enough = [one for one in of.found.endings if len(one.accuracies) >= LEAST_SEEDS]
    if not enough:
        return
    each = [
        _("{network} {published}, found {low} to {high}").format(
            network=one.network,
            published=percent(one.accuracy),
            low=hundredths(min(one.accuracies.values())),
            high=hundredths(max(one.accuracies.values())),
        )
        for one in enough
        if not one.inside
    ]
    inside = [one.network for one in enough if one.inside]
    if not each:
        yield _(
            "Training is reproduced: every published training accuracy at the last epoch is within the range "
            "of the seeds. It does not use running statistics."
        )
        return
    if inside:
        said = _("The published training accuracy at the last epoch is within the range of the seeds for {inside}.")
        yield said.format(inside=listed(inside))
    yield _(
        "Training accuracy at the last epoch is outside that range for {outside}. It does not use running "
        "statistics, so where it differs, training itself differed, and the identified defects do not "
        "account for everything."
    ).format(outside="; ".join(each))


def _endings(of: Gathered) -> Table | None:
    if not of.found.endings:
        return None
    return Table(
        _(
            "Training with the defects at the last published epoch: published, and means over seeds with "
            "their range in brackets. Training uses no running statistics."
        ),
        (
            _("network"),
            _("training accuracy (%), published"),
            _("found here"),
            _("cost, published"),
            _("found here"),
        ),
        tuple(
            (
                one.arm,
                hundredths(one.accuracy),
                wording.with_range(list(one.accuracies.values())),
                f"{one.loss:.3f}",
                wording.losses(list(one.losses.values())),
            )
            for one in of.found.endings
        ),
    )


def _line(of: Gathered) -> Iterator[str]:
    """The figure of a run that never left the line is the share of the commonest class in its own test part."""
    for one in of.found.networks:
        rows = [row for row in of.found.departures.get(one.published, ()) if not row.epoch]
        figure = next((some for some in of.found.comebacks if some.network == one.right), None)
        if rows and figure is not None:
            yield _(
                "A run that stays at the majority class ({label}) has the accuracy of that class's share of "
                "the test set: {here} on this split; the published {published} is the same prediction on "
                "another split."
            ).format(
                label=of.results.commonest.label,
                here=percent(of.results.commonest.accuracy),
                published=percent(figure.published),
            )
