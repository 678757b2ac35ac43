"""The answer, before its evidence."""

from __future__ import annotations

from collections.abc import Iterator

from commongarden.i18n.language import _, ngettext
from commongarden.report.document.blocks import Block, Bullets, Section
from commongarden.report.wording.numbers import hundredths, listed, percent
from forensic_study.analysis import LEAST_SEEDS, Comeback
from forensic_study.defects import Defective
from forensic_study.report import pictures, time, wording
from forensic_study.report.gathered import Gathered

IN_QUESTION = ("LA", "LAB", "bottleneck")  # the networks of the report; the other two are of the same series


def section(of: Gathered) -> Section:
    said = [
        *_came_back(of),
        *_trained(of),
        *(said for one in of.found.networks if one.right in IN_QUESTION and (said := explained(of, one))),
        *_ranking(of),
        *_plateau(of),
        *time.answer(of),
    ]
    picture = pictures.accuracies(of.found, of.results, of.reached)
    blocks: list[Block | None] = [Bullets(tuple(said)), picture]
    return Section(_("The answer"), tuple(block for block in blocks if block is not None), numbered=False)


def _came_back(of: Gathered) -> Iterator[str]:
    found = [one for one in of.found.comebacks if one.told]
    if not found:
        return
    inside = [_beside(one) for one in found if one.inside]
    outside = [_beside(one) for one in found if not one.inside]
    if not outside:
        yield _(
            "With the defects switched on, the published results are reproduced: each published figure is "
            "within the range of its network's seeds ({inside})."
        ).format(inside="; ".join(inside))
    elif inside:
        yield _(
            "With the defects switched on, the published figure is within the range of the seeds for {n} of "
            "{total} networks ({inside}), and outside it for the others ({outside})."
        ).format(n=len(inside), total=len(found), inside="; ".join(inside), outside="; ".join(outside))
    else:
        yield _(
            "With the defects switched on, no published figure is within the range of its network's seeds ({outside})."
        ).format(outside="; ".join(outside))


def _trained(of: Gathered) -> Iterator[str]:
    away = [one for one in of.found.endings if len(one.accuracies) >= LEAST_SEEDS and not one.inside]
    if away:
        yield _(
            "Not everything is explained: the training accuracy of {networks} differs from the published "
            "one, so the identified defects do not account for all differences."
        ).format(networks=listed([one.network for one in away]))


def _beside(one: Comeback) -> str:
    said = _("{network} {published}, found {low} to {high}")
    if one.on_line:
        said = _("{network} {published}, found {low} to {high}, at the majority-class baseline as published")
    return said.format(
        network=one.network,
        published=percent(one.published),
        low=hundredths(min(one.reached.values())),
        high=hundredths(max(one.reached.values())),
    )


def explained(of: Gathered, one: Defective) -> str | None:
    """What a network's defects cost it, and which of them the most; None where runs are missing."""
    total = of.found.effect(one.right, "all")
    if total is None:
        return None
    if len(one.defects) == 1:
        said = _("{network}: its one defect, the {defect}, costs {points}.")
        if wording.interval_holds_zero(total.mean):
            said = _(
                "{network}: its one defect, the {defect}, is not shown to cost anything at the end of training: "
                "{points}."
            )
        return said.format(
            network=one.right,
            defect=wording.defect(one.defects[0]),
            points=wording.points(total.estimate, signed=False),
        )
    whole = _("{network}: without its {n} defects it gains {points}.").format(
        network=one.right, n=len(one.defects), points=wording.points(total.estimate, signed=False)
    )
    if wording.interval_holds_zero(total.mean):
        whole = _("{network}: removing its {n} defects is not shown to change its accuracy: {points}.").format(
            network=one.right, n=len(one.defects), points=wording.points(total.estimate, signed=False)
        )
    removed = [effect for effect in of.found.effects if (effect.network, effect.kind) == (one.right, "removed")]
    if not removed:
        return whole
    most = max(removed, key=lambda effect: effect.mean.value)
    values = {"defect": wording.defect(most.defect), "points": wording.points(most.estimate)}
    if wording.interval_holds_zero(most.mean):
        rest = _(
            "No single defect is shown to explain it: the largest gain, {points}, comes from removing the {defect}."
        )
    else:
        rest = _("The largest gain comes from removing the {defect} alone: {points}.")
    return f"{whole} {rest.format(**values)}"


def _ranking(of: Gathered) -> Iterator[str]:
    gaps = [gap for gap in of.found.gaps if gap.right is not None and "B" in of.found.network(gap.inception).order]
    if not gaps:
        return
    for inception in dict.fromkeys(gap.inception for gap in gaps):
        mine = [gap for gap in gaps if gap.inception == inception]
        shown = [gap for gap in mine if gap.right is not None and gap.right.established]
        above = [gap.network for gap in shown if gap.right is not None and gap.right.mean.value > 0]
        below = [gap.network for gap in shown if gap.right is not None and gap.right.mean.value < 0]
        names = {
            "inception": inception,
            "above": listed(above) if above else "",
            "below": listed(below) if below else "",
        }
        if above and below:
            said = _("Without the defects, {above} are above {inception} and {below} below it.")
        elif above:
            said = _("Without the defects, {above} are still above {inception}.")
        elif below:
            said = _("Without the defects the ranking is reversed: {below} are below {inception}.")
        else:
            said = _(
                "Without the defects the ranking disappears: no difference between {inception} and {others} "
                "is significant."
            )
        each = [
            _("{network} {points}").format(network=gap.network, points=wording.short(gap.right.estimate))
            if gap.defective is None
            else _("{network} {points}, with the defects {defective}").format(
                network=gap.network,
                points=wording.short(gap.right.estimate),
                defective=wording.short(gap.defective.interval()),
            )
            for gap in mine
            if gap.right is not None
        ]
        against = _("Against {inception}, in points: {each}.").format(inception=inception, each="; ".join(each))
        yield f"{said.format(others=listed([gap.network for gap in mine]), **names)} {against}"


def _plateau(of: Gathered) -> Iterator[str]:
    for one in of.found.networks:
        rows = of.found.departures.get(one.published)
        right = of.found.departures.get(one.right)
        if not rows or not right:
            continue
        stay = [sum(not row.epoch for row in some) for some in (rows, right)]
        yield ngettext(
            "{arm} stays at the majority-class baseline ({label}) for all epochs in {stay} of {n} seed, as "
            "the published run did; without the defect {network} does so in {stay_right} of {n_right}.",
            "{arm} stays at the majority-class baseline ({label}) for all epochs in {stay} of {n} seeds, as "
            "the published run did; without the defect {network} does so in {stay_right} of {n_right}.",
            len(rows),
        ).format(
            arm=one.published,
            network=one.right,
            label=of.results.commonest.label,
            stay=stay[0],
            n=len(rows),
            stay_right=stay[1],
            n_right=len(right),
        )
