"""Sections of the forensic document: which defects there are, what came back, what each explains, who ranks where."""

from __future__ import annotations

from collections.abc import Iterator

from commongarden.language import _, ngettext, told
from commongarden.records import Estimate
from commongarden.report.document import Paragraph, Section, Table
from commongarden.report.forensic import pictures, wording
from commongarden.report.forensic.answer import IN_QUESTION
from commongarden.report.forensic.gathered import Gathered, titled
from commongarden.report.numbers import hundredths, listed, percent, signed_points
from commongarden.stats.defects import DEFECTS, POOL, Defective
from commongarden.stats.forensic import LEAST_SEEDS, Comeback

BAR = 0.08  # within which a mean is held to have come back


def defects(of: Gathered) -> Section:
    """What was wrong, and where it acts."""
    networks = of.found.networks
    rows = tuple(
        (
            wording.defect(name),
            _(wording.WHAT[name]),
            *("●" if name in one.defects else "" for one in networks),
        )
        for name in DEFECTS
    )
    source = of.store.study().published_source
    table = Table(
        _("The defects, and the networks that have them (●)."),
        (_("defect"), _("what it does"), *(one.right for one in networks)),
        rows,
        n_left=2 + len(networks),
    )
    inside = [one.right for one in networks if one.right in of.found.reads_sum]
    without = [one.right for one in networks if one.right not in of.found.reads_sum]
    said = []
    if without and not any("overwritten_sum" in one.defects for one in networks):
        said.append(
            _(
                "The sum formed in place is in none of them: in {networks} no rectifier stands right before a sum. "
                "Where there is a sum, a batch norm stands between the two, and its gradient does not read what the "
                "sum overwrites; so this defect cannot have acted on the published figures."
            ).format(networks=listed(without))
        )
    if inside:
        said.append(
            _("In {networks} a rectifier stands right before a sum, so that a sum formed in place would act.").format(
                networks=listed(inside)
            )
        )
    first = _(
        "The published figures come from a teaching framework with hand-written gradients (source: {source}). Compared "
        "with automatic differentiation, it has {n} defects. Each is a switch of the layer that had it "
        "(commongarden.forensics), so that a network can be trained with all of its defects, without one of them, or "
        "with one alone, on the same photos, in the same order, from the same first weights."
    ).format(source=told(source), n=len(DEFECTS))
    return titled(_("What was wrong"), Paragraph(first), table, *map(Paragraph, said))


def came_back(of: Gathered) -> Section:
    """Each published figure beside the seeds of the same network with its defects."""
    found = of.found.comebacks
    if not found:
        return titled(_("Do the published figures come back?"))
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
            _("published inside the range"),
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
        if (mean := _mean(of, one.right)) is not None
    )
    beside = Table(
        _("Test accuracy without the defects, in %."),
        (_("network"), _("mean"), *(_("seed {seed}").format(seed=seed) for seed in seeds)),
        right,
    )
    return titled(
        _("Do the published figures come back?"),
        Paragraph(" ".join(_bars(of))),
        table,
        *(Paragraph(text) for text in (" ".join(_line(of)), " ".join(_differs(of))) if text),
        _endings(of),
        beside if right else None,
    )


def _mean(of: Gathered, arm: str) -> Estimate | None:
    return next((one.test_accuracy for one in of.results.arms if one.arm == arm), None)


def _bars(of: Gathered) -> Iterator[str]:
    """Whose means come as near to the published figure as was asked for beforehand."""
    near, far = (
        [one.arm for one in of.found.comebacks if (abs(one.distance) <= BAR) == inside] for inside in (True, False)
    )
    bar = f"{100 * BAR:.0f}"
    if near and not far:
        yield _("Each mean lies within {bar} points of the published figure.").format(bar=bar)
    elif near:
        yield _("Means within {bar} points of the published figure: {near}. Farther away: {far}.").format(
            bar=bar, near=listed(near), far=listed(far)
        )
    else:
        yield _("No mean lies within {bar} points of the published figure.").format(bar=bar)


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
            said = _("{arm} does not come back: all {n} seeds lie below the published {published} ({range}).")
        else:
            said = _("{arm} does not come back: all {n} seeds lie above the published {published} ({range}).")
        yield said.format(**names)
    yield from _trained(of)


def _inside(one: Comeback) -> str:
    if not one.told:
        return "–"
    return _("on the line") if one.on_line else wording.yes_or_no(one.inside)


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
            "Training goes as it did there: every published training accuracy at the last epoch lies inside the range "
            "of the seeds. It is gathered without running statistics, so that these cannot blur it."
        )
        return
    if inside:
        said = _("The published training accuracy at the last epoch lies inside the range of the seeds for {inside}.")
        yield said.format(inside=listed(inside))
    yield _(
        "Training accuracy at the last epoch lies outside of that range for {outside}. It is gathered without running "
        "statistics; where it differs, training itself goes otherwise than it did there, and the defects that are "
        "known do not account for all of it."
    ).format(outside="; ".join(each))


def _endings(of: Gathered) -> Table | None:
    if not of.found.endings:
        return None
    return Table(
        _(
            "Training with the defects at the last published epoch: published, and means over seeds with their range "
            "in brackets. Training uses no running statistic."
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
                "A run that stays at always guessing {label} scores that class's share of the test part: {here} on "
                "this split; the published {published} is the same answer on another split."
            ).format(
                label=of.results.commonest.label,
                here=percent(of.results.commonest.accuracy),
                published=percent(figure.published),
            )


def explained(of: Gathered) -> Section:
    """Points for each defect: removed from among the others, and alone."""
    effects = of.found.effects
    if not effects:
        return titled(_("How much each defect explains"))
    table = Table(
        _(
            "What is gained in test accuracy, in points with 95 % intervals, paired by seed and photo. Established: 0 "
            "lies outside the interval adjusted for all of these comparisons together (Holm)."
        ),
        (_("network"), _("comparison"), _("arms"), _("gained (points)"), _("seeds"), _("established")),
        tuple(
            (
                effect.network,
                wording.effect_name(effect),
                f"{effect.arm} − {effect.against}",
                wording.short(effect.estimate),
                str(len(effect.seeds)),
                wording.established(effect),
            )
            for effect in effects
        ),
        n_left=3,
    )
    how = _(
        "Two questions are asked of each defect: what is gained when it alone is removed and the others stay, and what "
        "is gained when it is the only one there and is removed. Where the defects hide or strengthen each other the "
        "two answers differ, and neither is its share of the whole."
    )
    said = [text for one in of.found.networks if one.right in IN_QUESTION and (text := _in_full(of, one))]
    return titled(
        _("How much each defect explains"),
        Paragraph(how),
        *map(Paragraph, said),
        pictures.effects(of.found, IN_QUESTION),
        table,
    )


def _in_full(of: Gathered, one: Defective) -> str:
    """One network's published figure, taken apart."""
    figure = next((some for some in of.found.comebacks if some.network == one.right), None)
    total = of.found.effect(one.right, "all")
    if figure is None or total is None:
        return ""
    said = [
        _("{network} (published {published}): all defects together cost {points}.").format(
            network=one.right, published=percent(figure.published), points=wording.points(total.estimate, signed=False)
        )
    ]
    for kind in ("removed", "alone"):
        some = [effect for effect in of.found.effects if (effect.network, effect.kind) == (one.right, kind)]
        if not some:
            continue
        some.sort(key=lambda effect: -effect.mean.value)
        each = listed(
            [
                _("{defect} {points}").format(
                    defect=wording.defect(effect.defect), points=wording.short(effect.estimate)
                )
                for effect in some
            ]
        )
        if kind == "removed":
            said.append(_("Removed while the others stay: {each}.").format(each=each))
        else:
            said.append(_("Removed where it is the only one: {each}.").format(each=each))
    others = of.found.effect(one.right, "others", POOL)
    if others is not None:
        said.append(
            _("With the pool gradient right, the batch-norm defects together cost {points}.").format(
                points=wording.points(others.estimate, signed=False)
            )
        )
    together = of.found.together.get(one.right)
    if together is not None:
        # right - pool alone - others alone + all: above 0 where they overlap, since the second then adds less
        if wording.interval_holds_zero(together):
            rest = _(
                "Whether the scrambled pool and the batch-norm defects strengthen or hide each other is not "
                "established: {points} beyond their sum."
            )
        elif together.value > 0:
            rest = _(
                "The scrambled pool and the batch-norm defects hide each other: together they cost less than their "
                "sum, {points}."
            )
        else:
            rest = _(
                "The scrambled pool and the batch-norm defects strengthen each other: together they cost more than "
                "their sum, {points}."
            )
        said.append(rest.format(points=wording.points(together.interval())))
    return " ".join(said)


def ranking(of: Gathered) -> Section:
    """The residual and plain networks above the Inception networks, with the defects and without."""
    gaps = [gap for gap in of.found.gaps if gap.right is not None]
    if not gaps:
        return titled(_("Inception against ResNet, without the defects"))
    table = Table(
        _(
            "How far each network lies above Inception, in points of test accuracy with 95 % intervals. Established: "
            "without the defects, among all of these comparisons together (Holm)."
        ),
        (
            _("comparison"),
            _("published"),
            _("with the defects"),
            _("without the defects"),
            _("widened by the defects"),
            _("seeds"),
            _("established"),
        ),
        tuple(
            (
                f"{gap.network} − {gap.inception}",
                "" if gap.published is None else signed_points(gap.published),
                "" if gap.defective is None else wording.short(gap.defective.interval()),
                wording.short(gap.right.estimate),
                "" if gap.widened is None else wording.short(gap.widened.interval()),
                str(len(gap.right.seeds)) if gap.widened is None else f"{len(gap.right.seeds)}, {gap.widened.n}",
                wording.established(gap.right),
            )
            for gap in gaps
            if gap.right is not None
        ),
    )
    return titled(
        _("Inception against ResNet, without the defects"),
        Paragraph(" ".join(_orders(of))),
        table,
        Paragraph(_caveat(of)),
    )


def _orders(of: Gathered) -> Iterator[str]:
    """All networks from best to worst: published, with the defects, without."""
    figures = {one.network: one.published for one in of.found.comebacks}
    bad = {one.network: one.mean.value for one in of.found.comebacks}
    right = {one.right: mean.value for one in of.found.networks if (mean := _mean(of, one.right)) is not None}
    for values, said in (
        (figures, _("Published, from best to worst: {order}.")),
        (bad, _("Found with the defects: {order}.")),
        (right, _("Found without them: {order}.")),
    ):
        if values:
            order = sorted(values, key=lambda name: -values[name])
            yield said.format(order=", ".join(f"{name} {percent(values[name])}" for name in order))


def _caveat(of: Gathered) -> str:
    sizes = sorted({(one.family == "inception_flower", one.resolution) for one in of.found.networks}, reverse=True)
    n = len(of.found.gaps)
    return ngettext(
        "As in the original, Inception sees {large} x {large} pixels and the others {small} x {small}, and has fewer "
        "parameters: this is {n} comparison of networks as they were trained, not of principles.",
        "As in the original, Inception sees {large} x {large} pixels and the others {small} x {small}, and has fewer "
        "parameters: these are {n} comparisons of networks as they were trained, not of principles.",
        n,
    ).format(large=sizes[0][1], small=sizes[-1][1], n=n)
