"""Sections of the forensic document: validation that lags and jumps, and the plateau without batch norm."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from commongarden.i18n.language import _, ngettext
from commongarden.records import Estimate
from commongarden.report.document.blocks import Block, Paragraph, Section, Table
from commongarden.report.wording.numbers import hundredths, listed, percent
from forensic_study.analysis import Behaviour
from forensic_study.published import Departure, Shape
from forensic_study.report import pictures, wording
from forensic_study.report.gathered import Gathered, titled

COST_BAR = 0.03  # nats within which the cost of the first two epochs is held to have come back


def validation(of: Gathered) -> Section:
    """Whether validation lags behind training and jumps, as it did in the published logs."""
    title = _("Lag and jumps of validation accuracy")
    found = of.found.behaviours
    if not found:
        return titled(title)
    table = Table(
        _(
            "Lag: training minus validation accuracy, mean over the published epochs. Jump: mean absolute "
            "change of validation accuracy between successive published epochs. In points; means over seeds, "
            "with their range in brackets."
        ),
        (
            _("network"),
            _("measure"),
            _("published"),
            _("with the defects"),
            _("without slow running statistics"),
            _("without defects"),
        ),
        tuple(row for one in found for row in (_row(one, "lag", _("lag")), _row(one, "jump", _("jump")))),
        n_left=2,
    )
    said = [*_lags(found), *_chance(of)]
    return titled(
        title,
        Paragraph(" ".join(said)),
        pictures.learning(of.found, of.histories),
        table,
    )


def _row(one: Behaviour, name: str, shown: str) -> tuple[str, ...]:
    return (
        one.network,
        shown,
        hundredths(getattr(one.published, name)),
        *(_over_seeds(shapes, name) for shapes in (one.defective, one.without_lag, one.right)),
    )


def _over_seeds(shapes: Mapping[int, Shape], name: str) -> str:
    return wording.with_range([getattr(shape, name) for shape in shapes.values()]) if shapes else ""


def _lags(found: Sequence[Behaviour]) -> Iterator[str]:
    for name in ("lag", "jump"):
        more: dict[str, Estimate | None] = {one.network: getattr(one, f"more_{name}") for one in found}
        shown = [
            key for key, value in more.items() if value and value.value > 0 and not wording.interval_holds_zero(value)
        ]
        each = listed(
            [
                _("{network} {points}").format(network=key, points=wording.short(value))
                for key, value in more.items()
                if value is not None
            ]
            or ["–"]
        )
        if name == "lag":
            if len(shown) == len(found):
                said = _(
                    "The lag of validation is reproduced: the defects increase it in every network ({each} points)."
                )
            elif shown:
                said = _("The defects increase the lag in {shown} ({each} points).")
            else:
                said = _("No increase of the lag by the defects is shown ({each} points).")
        elif len(shown) == len(found):
            said = _("Jumps are reproduced as well: the defects make them larger in every network ({each} points).")
        elif shown:
            said = _("They increase the jumps in {shown} ({each} points).")
        else:
            said = _("No increase of the jumps is shown ({each} points).")
        yield said.format(each=each, shown=listed(shown) if shown else "")
    for name, said in (
        ("lag", _("The published lag is within the range of the seeds in {networks}.")),
        ("jump", _("The published jump is within the range of the seeds in {networks}.")),
    ):
        inside = [one.network for one in found if _inside(one, name)]
        if inside:
            yield said.format(networks=listed(inside))


def _inside(one: Behaviour, name: str) -> bool:
    values = [float(getattr(shape, name)) for shape in one.defective.values()]
    return min(values) <= float(getattr(one.published, name)) <= max(values)


def _chance(of: Gathered) -> Iterator[str]:
    """What the few photos of a published validation accuracy make of its jumps."""
    logs = of.found.logs
    n = logs.validation_photos
    values = [value for one in of.found.behaviours for value in logs.logs[one.network].val_accuracy]
    if values:
        mean = math.fsum(values) / len(values)
        # the mean size of the difference of two shares of n photos each, drawn anew (normal approximation)
        jump = math.sqrt(2 / math.pi) * math.sqrt(2 * mean * (1 - mean) / n)
        yield _(
            "Part of the published jumps is chance: two accuracies measured on different samples of {n} "
            "photos differ by {jump} points on average."
        ).format(n=n, jump=hundredths(jump))


def plateau(of: Gathered) -> Section:
    """The network without batch norm: its cost in the first epochs, and which seeds leave the plateau."""
    title = _("The plateau without batch norm")
    pairs = [
        (one, of.found.departures[one.published], of.found.departures.get(one.right, ()))
        for one in of.found.networks
        if one.published in of.found.departures
    ]
    if not pairs:
        return titled(title)
    blocks: list[Block] = []
    for one, bad, right in pairs:
        log = of.found.logs.logs.get(one.right)
        said = [] if log is None else [_cost(one.published, log.train_loss[0], bad)]
        said += [
            f"{wording.departures(arm, rows)}." for arm, rows in ((one.published, bad), (one.right, right)) if rows
        ]
        blocks.append(Paragraph(" ".join(said)))
        blocks.append(Paragraph(" ".join(_tells(one.right, bad, right))))
        by_seed = {row.seed: row for row in right}
        blocks.append(
            Table(
                _(
                    "Each seed with and without the defect: the first epoch with a training accuracy three "
                    "standard errors above the majority-class baseline, mean training loss of the first two "
                    "epochs, test accuracy, and the standard deviation of the final probabilities between "
                    "test photos (largest among classes)."
                ),
                (
                    _("seed"),
                    _("leaves in epoch"),
                    _("without the defect"),
                    _("loss, epochs 1 and 2"),
                    _("without the defect"),
                    _("test accuracy (%)"),
                    _("without the defect"),
                    _("spread"),
                    _("without the defect"),
                ),
                tuple(_seed_row(row, by_seed.get(row.seed)) for row in bad),
            )
        )
    return titled(title, *blocks[:1], pictures.plateau(of.found, of.histories, of.results.commonest), *blocks[1:])


def _seed_row(bad: Departure, right: Departure | None) -> tuple[str, ...]:
    cells = [
        [
            "" if row is None else (str(row.epoch) if row.epoch else _("never leaves")),
            "" if row is None else f"{row.first_loss:.3f}",
            "" if row is None else hundredths(row.test_accuracy),
            "" if row is None else f"{row.spread:.2g}",
        ]
        for row in (bad, right)
    ]
    return (str(bad.seed), *(cell for pair in zip(*cells, strict=True) for cell in pair))


def _cost(arm: str, published: float, rows: Sequence[Departure]) -> str:
    values = [row.first_loss for row in rows]
    mean = math.fsum(values) / len(values)
    inside = sum(abs(value - published) <= COST_BAR for value in values)
    said = ngettext(
        "The published cost of the first two epochs is {published}; {arm} has {mean} on average over {n} "
        "seed ({each}). {inside} of {n} is within the tolerance of {bar}.",
        "The published cost of the first two epochs is {published}; {arm} has {mean} on average over {n} "
        "seeds ({each}). {inside} of {n} are within the tolerance of {bar}.",
        len(values),
    )
    return said.format(
        published=f"{published:.3f}",
        arm=arm,
        mean=f"{mean:.3f}",
        n=len(values),
        each=", ".join(f"{value:.3f}" for value in values),
        inside=inside,
        bar=COST_BAR,
    )


def _tells(network: str, bad: Sequence[Departure], right: Sequence[Departure]) -> Iterator[str]:
    """What tells the seeds that leave from those that stay."""
    stay, leave = ([row for row in bad if bool(row.epoch) == left] for left in (False, True))
    other = {row.seed: row for row in right}
    if stay and leave:
        if max(row.first_loss for row in leave) < min(row.first_loss for row in stay):
            yield _(
                "The loss of the first two epochs separates them: it is below {below} for every seed that "
                "leaves, and at or above it for every seed that stays."
            ).format(below=f"{min(row.first_loss for row in stay):.3f}")
        else:
            yield _(
                "The loss of the first two epochs does not separate them: {low} to {high} for seeds that "
                "leave, {low_stay} to {high_stay} for those that stay."
            ).format(
                low=f"{min(row.first_loss for row in leave):.3f}",
                high=f"{max(row.first_loss for row in leave):.3f}",
                low_stay=f"{min(row.first_loss for row in stay):.3f}",
                high_stay=f"{max(row.first_loss for row in stay):.3f}",
            )
    elif stay:
        yield _("No seed leaves it.")
    else:
        yield _("No seed stays at it, as the published run did.")
    both = [(row, other[row.seed]) for row in bad if row.seed in other]
    later = [(row, same) for row, same in both if same.epoch and (not row.epoch or row.epoch > same.epoch)]
    gone = [(row, same) for row, same in both if same.epoch]
    if gone:
        yield ngettext(
            "Of the {n} seed that leaves it without the defect, {later} leaves later with it, or never "
            "({never}), with the same initial weights and order of photos.",
            "Of the {n} seeds that leave it without the defect, {later} leave later with it, or never "
            "({never}), with the same initial weights and order of photos.",
            len(gone),
        ).format(n=len(gone), later=len(later), never=sum(not row.epoch for row, _same in gone))
    never = [row for row, same in both if not same.epoch]
    if never:
        yield ngettext(
            "{n} seed stays at it without the defect, and {stay} with it: there, initialization alone is enough.",
            "{n} seeds stay at it without the defect, and {stay} of them with it: there, initialization "
            "alone is enough.",
            len(never),
        ).format(n=len(never), stay=sum(not row.epoch for row in never))
    if stay:
        yield _(
            "A network that stays at the baseline predicts the same for every photo: its probabilities "
            "differ between test photos by at most {spread} (standard deviation)."
        ).format(spread=f"{max(row.spread for row in stay):.2g}")
    if leave:
        yield _("Seeds that leave end at {reached}; {network} reaches {right} with the same seeds.").format(
            reached=listed([percent(row.test_accuracy) for row in leave]),
            network=network,
            right=listed([percent(other[row.seed].test_accuracy) for row in leave if row.seed in other] or ["–"]),
        )
