"""The section for reviewers: what the conclusions assume, and what other analyses of the same runs say."""

from __future__ import annotations

from collections.abc import Iterator

from commongarden.i18n.language import _, ngettext
from commongarden.report.document import Block, Bullets, Cell, Section, Table
from commongarden.report.wording.labels import TEXT
from commongarden.report.wording.sizes import amount, figure, plus, span
from commongarden.report.wording.verdicts import probability
from commongarden.stats import METRICS, Results, Sensitivity
from commongarden.stats.sensitivity import Assumptions, counted, of_study
from commongarden.store import Store


def section(store: Store, results: Results) -> Section | None:
    """None where no comparison has an interval for its conclusion."""
    assumed, found = of_study(store, results)
    if not found:
        return None
    blocks: list[Block] = [Bullets(tuple(_assumptions(results, assumed))), _table(results, found)]
    return Section(TEXT["sensitivity"], tuple(blocks), anchor="sensitivity")


def _assumptions(results: Results, assumed: Assumptions) -> Iterator[str]:
    yield _(
        "Estimand: the difference of two models' mean {metric} over new seeds and new test images of the same kind, "
        "with this training set and recipe."
    ).format(metric=TEXT["test_accuracy"] if results.metric == "accuracy" else TEXT[results.metric])
    if assumed.seeds_p is not None:
        p = probability(assumed.seeds_p)
        if results.pair_seeds:
            yield _("Pairing: an F test of the seeds over all models has p = {p}; runs are paired by seed.").format(p=p)
        else:
            yield _(
                "Pairing: an F test of the seeds over all models has p = {p}; runs are not paired by seed (this takes "
                "p < 0.2 and at least 6 degrees of freedom)."
            ).format(p=p)
    if len(assumed.spreads) > 1:
        least, most = (choose(assumed.spreads, key=lambda arm: assumed.spreads[arm]) for choose in (min, max))
        yield _(
            "Standard deviation between seeds: from {least} ({one}) to {most} ({two}). They are not assumed to be "
            "equal."
        ).format(
            least=amount(results.metric, assumed.spreads[least]), one=least,
            most=amount(results.metric, assumed.spreads[most]), two=most,
        )  # fmt: skip
    n_failed, n = (sum(getattr(arm, name) for arm in results.arms) for name in ("n_failed", "n_finished"))
    n_not = sum(arm.n_at_commonest for arm in results.arms)
    yield _("Runs: {n} finished, {failed} failed, {unlearned} did not learn.").format(
        n=n, failed=n_failed, unlearned=n_not
    )


def _table(results: Results, found: tuple[Sensitivity, ...]) -> Table:
    metric = results.metric
    differences = {(one.arm, one.against): one.difference for one in results.contrasts}
    rows = []
    for one in found:
        overall = differences[one.arm, one.against]
        rows.append(
            (
                Cell(f"{one.arm} − {one.against}", arm=one.arm),
                "" if overall is None else plus(metric, overall.value),
                span(metric, overall),
                "" if one.left_out is None else _range(metric, one.left_out),
                "" if one.left_out is None else _("{k} of {n}").format(k=one.n_same, n=one.n),
                span(metric, one.other),
                _range(metric, one.bootstrap),
            )
        )
    other = TEXT["if_not_paired" if results.pair_seeds else "if_paired"]
    header = (TEXT["contrast"], TEXT["difference"], TEXT["interval_95"], TEXT["seed_left_out"], TEXT["same_conclusion"],
              other, TEXT["bootstrap"])  # fmt: skip
    return Table(" ".join(_caption(results, found)), header, tuple(rows), name=TEXT["sensitivity"])


def _caption(results: Results, found: tuple[Sensitivity, ...]) -> Iterator[str]:
    same, n = counted(found)
    if n:
        said = ngettext(
            "{same} of {n} comparison keeps its conclusion whichever seed is left out.",
            "{same} of {n} comparisons keep their conclusion whichever seed is left out.",
            n,
        )
        yield said.format(same=same, n=n)
    unit = _("In percentage points.") if METRICS[results.metric].unit == "points" else _("In nats.")
    yield _(
        "{unit} One seed left out: the smallest and the largest difference; in how many of these analyses the "
        "conclusion at the level of the comparison is the same (fewer seeds have less power). Then 95 % intervals of "
        "the same runs by the other kind of pairing, and by a bootstrap over seeds and images (Owen 2007; 1,000 draws, "
        "too narrow with few seeds). None of these decides."
    ).format(unit=unit)


def _range(metric: str, ends: tuple[float, float]) -> str:
    return _("{low} to {high}").format(low=figure(metric, ends[0]), high=figure(metric, ends[1]))
