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
        (_("defect"), _("effect"), *(one.right for one in networks)),
        rows,
        n_left=2 + len(networks),
    )
    inside = [one.right for one in networks if one.right in of.found.reads_sum]
    without = [one.right for one in networks if one.right not in of.found.reads_sum]
    said = []
    if without and not any("overwritten_sum" in one.defects for one in networks):
        said.append(
            _(
                "The in-place sum affects none of them: in {networks} no ReLU directly precedes a sum. "
                "Before each sum there is a batch norm, whose gradient does not read what the sum "
                "overwrites, so this defect cannot have affected the published figures."
            ).format(networks=listed(without))
        )
    if inside:
        said.append(
            _("In {networks} a ReLU directly precedes a sum, so an in-place sum would have an effect.").format(
                networks=listed(inside)
            )
        )
    first = _(
        "The published figures come from a teaching framework with hand-written gradients (source: "
        "{source}). Compared with automatic differentiation, it has {n} defects. Each defect is a switch of "
        "its layer (examples/forensics/defective_networks.py). A network can be trained with all defects, "
        "without one of them, or with one alone, on the same photos, in the same order, from the same "
        "initial weights."
    ).format(source=text_of(source), n=len(DEFECTS))
    return titled(_("The defects"), Paragraph(first), table, *map(Paragraph, said))


def explained(of: Gathered) -> Section:
    """Points for each defect: removed from among the others, and alone."""
    effects = of.found.effects
    if not effects:
        return titled(_("Effect of each defect"))
    table = Table(
        _(
            "Gain in test accuracy, in points with 95 % intervals, paired by seed and photo. Significant: "
            "the interval adjusted for all of these comparisons (Holm) excludes 0."
        ),
        (_("network"), _("comparison"), _("arms"), _("gain (points)"), _("seeds"), _("significant")),
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
        "Two effects are measured for each defect: the gain from removing it while the others remain, and "
        "the gain from removing it as the only defect. If defects mask or amplify each other, the two "
        "differ, and neither is its share of the whole."
    )
    said = [text for one in of.found.networks if one.right in IN_QUESTION and (text := _in_full(of, one))]
    return titled(
        _("Effect of each defect"),
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
            said.append(_("Removed while the others remain: {each}.").format(each=each))
        else:
            said.append(_("Removed as the only defect: {each}.").format(each=each))
    others = of.found.effect(one.right, "others", POOL)
    if others is not None:
        said.append(
            _("With the correct pool gradient, the batch-norm defects together cost {points}.").format(
                points=wording.points(others.estimate, signed=False)
            )
        )
    together = of.found.together.get(one.right)
    if together is not None:
        # right - pool alone - others alone + all: above 0 where they overlap, since the second then adds less
        if wording.interval_holds_zero(together):
            rest = _(
                "The interaction of the scrambled pool gradient and the batch-norm defects is not "
                "significant: {points} beyond their sum."
            )
        elif together.value > 0:
            rest = _(
                "The scrambled pool gradient and the batch-norm defects mask each other: together they cost "
                "less than their sum, {points}."
            )
        else:
            rest = _(
                "The scrambled pool gradient and the batch-norm defects amplify each other: together they "
                "cost more than their sum, {points}."
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
            "Difference of each network from Inception in test accuracy, in points with 95 % intervals. "
            "Significant: without the defects, adjusted for all of these comparisons (Holm)."
        ),
        (
            _("comparison"),
            _("published"),
            _("with the defects"),
            _("without the defects"),
            _("increase by the defects"),
            _("seeds"),
            _("significant"),
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
        "As in the original, Inception has images of {large} x {large} pixels and the others {small} x "
        "{small}, and it has fewer parameters: this {n} comparison is of the networks as trained, not of the "
        "architectures in general.",
        "As in the original, Inception has images of {large} x {large} pixels and the others {small} x "
        "{small}, and it has fewer parameters: these {n} comparisons are of the networks as trained, not of "
        "the architectures in general.",
        n,
    ).format(large=sizes[0][1], small=sizes[-1][1], n=n)
