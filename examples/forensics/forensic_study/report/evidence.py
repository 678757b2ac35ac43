"""Sections of the forensic document: which defects there are, what each explains, who ranks where."""

from __future__ import annotations

from collections.abc import Iterator

from commongarden.i18n.language import _, ngettext
from commongarden.report.document.blocks import Paragraph, Section, Table
from commongarden.report.wording.numbers import listed, percent, signed_points
from commongarden.study.built_in import text_of
from forensic_study.defects import DEFECTS, POOL, Defective
from forensic_study.report import pictures, wording
from forensic_study.report.answer import IN_QUESTION
from forensic_study.report.gathered import Gathered, titled


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
    ).format(source=text_of(source), n=len(DEFECTS))
    return titled(_("What was wrong"), Paragraph(first), table, *map(Paragraph, said))


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
    right = {one.right: mean.value for one in of.found.networks if (mean := of.mean(one.right)) is not None}
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
