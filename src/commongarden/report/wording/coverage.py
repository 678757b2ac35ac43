"""What the intervals of a report cover, what its runs leave possible, and where classes differ much in size."""

from __future__ import annotations

from collections.abc import Iterator

from commongarden.i18n.language import _
from commongarden.report.wording import designs, grouped
from commongarden.report.wording.numbers import listed, whole
from commongarden.report.wording.verdicts import counted_photos, probability
from commongarden.stats import (
    METRICS,
    Imbalance,
    Results,
    least_p,
    least_permutation_p,
    not_excluded,
    pairs_needed,
    runs_needed,
)

NEGLIGIBLE = 0.05  # of runs that fail to learn


def intervals(results: Results) -> str:
    """What the intervals cover, and what they do not."""
    most = max((arm.n_finished for arm in results.arms), default=0)
    if most == 0:
        return _("No run is finished.")
    if most == 1:
        return _(
            "With one seed there is no confidence interval; a second seed shows how much of a difference is "
            "seed variation."
        )
    pairs = max((contrast.difference.n for contrast in results.contrasts if contrast.difference), default=0)
    limit = None if results.folds else (signflip_limit if results.pair_seeds else permutation_limit)(pairs)
    more = (seeds_added(results), failures_possible(results), earlier_rules(results))
    return " ".join(filter(None, (*_carried(results), limit, *more)))


def seeds_added(results: Results) -> str | None:
    """That results had been seen before seeds were added, and what that does to the error rate."""
    earlier = [n for n in results.looks if n < len(results.seeds)]
    if not earlier:
        return None
    counts = listed([str(n) for n in earlier])
    if results.metric != "accuracy" or results.design == "resampled" or results.reference:
        return _(
            "Seeds were added after results with {counts} seeds. The error rate does not account for that, so new "
            "conclusions are exploratory."
        ).format(counts=counts)
    return _(
        "Seeds were added after results with {counts} seeds. Each comparison is judged at the first results that "
        "settled it, later ones at stricter levels: the overall type I error rate is at most 6 %."
    ).format(counts=counts)


def failures_possible(results: Results) -> str | None:
    """That conclusions are about runs that learn, and what a study without failures cannot exclude."""
    finished = [arm.n_finished for arm in results.arms if arm.n_finished]
    if not results.contrasts or not finished:
        return None
    if any(arm.n_at_commonest for arm in results.arms):
        return _(
            "Conclusions on accuracy are about runs that learned: those whose validation accuracy is above the share "
            "of the largest class by more than chance (with fewer than 50 validation images, training accuracy)."
        )
    share = not_excluded(min(finished))
    if share < NEGLIGIBLE:
        return None
    return _(
        "All runs learned. With {seeds} of a model, failures to learn in up to {n} of 100 runs cannot be excluded."
    ).format(seeds=designs.repeats(min(finished), results.folds), n=round(100 * share))


def earlier_rules(results: Results) -> str | None:
    """Said of a study with runs from before the present rules, of which there may be a report by the earlier ones."""
    if not results.has_earlier_rules:
        return None
    folds = " " + _("Intervals over folds were wider.") if results.folds else ""
    said = _(
        "This study has runs from before December 2026. A report written then can have other conclusions: seeds "
        "were always paired, two seeds could give a conclusion, and equivalence was not adjusted for several "
        "comparisons."
    )
    return said + folds


def _carried(results: Results) -> Iterator[str]:
    if results.folds:
        yield _(
            "95 % confidence intervals. Each fold has its own test images, so the intervals account for seed "
            "and test-set variation together (widened for the overlap of training sets, Bengio & Grandvalet "
            "2004); differences are paired by fold."
        )
    elif results.design == "resampled":
        yield _(
            "95 % confidence intervals. Each seed has its own test images, so the intervals account for seed "
            "and test-set variation together (corrected for the overlap of splits, Nadeau & Bengio 2003); "
            "differences are paired by seed."
        )
    elif results.n_test_groups:
        yield grouped.intervals(results)
    elif len(results.arms) == 1:
        yield _(
            "95 % confidence intervals. They account for seed variation ({sources}) and test-set variation ({photos})."
        ).format(sources=designs.varied(results.vary), photos=counted_photos(results.n_test))
    else:
        yield _(
            "95 % confidence intervals. They account for seed variation ({sources}) and test-set variation "
            "({photos}); {pairing}."
        ).format(pairing=_pairing(results), sources=designs.varied(results.vary), photos=counted_photos(results.n_test))
    if results.n_groups and results.design == "resampled":
        yield grouped.splits()
    if METRICS[results.metric].by_photo is None and results.design == "crossed":
        yield _("Intervals of the calibration error account for seed variation only.")
    n = sum(contrast.level is not None for contrast in results.contrasts)
    if n > 1 and results.reference:
        yield _(
            "Conclusions use intervals adjusted for all {n} comparisons with {reference} (Dunnett), which controls the "
            "overall type I error rate at 5 %, for differences and for equivalence each."
        ).format(n=n, reference=results.reference)
    elif n > 1:
        yield _(
            "Conclusions use intervals adjusted for all {n} comparisons (Holm), which controls the overall "
            "type I error rate at 5 %, for differences and for equivalence each."
        ).format(n=n)


def _pairing(results: Results) -> str:
    """A clause on what is paired in the differences of a study whose seeds share their test images."""
    if results.pair_seeds:
        return _("differences are paired by seed and image")
    return _(
        "differences are paired by image; runs with the same seed are not paired, because no effect of the seed common "
        "to all models was found"
    )


def signflip_limit(n_pairs: int) -> str | None:
    """Said where the pairs are too few for a sign-flip test to go under 0.05."""
    if n_pairs < 2 or least_p(n_pairs) < 0.05:
        return None
    return _(
        "With {n} pairs a two-sided sign-flip test cannot reach p < {least}; from {needed} seeds on it can "
        "reach p < 0.05."
    ).format(n=n_pairs, least=probability(least_p(n_pairs)), needed=pairs_needed())


def permutation_limit(n_runs: int) -> str | None:
    """Said where the runs are too few for a permutation test to go under 0.05."""
    if n_runs < 2 or least_permutation_p(n_runs) < 0.05:
        return None
    return _(
        "With {n} runs of each model a two-sided permutation test cannot reach p < {least}; from {needed} seeds on it "
        "can reach p < 0.05."
    ).format(n=n_runs, least=probability(least_permutation_p(n_runs)), needed=runs_needed())


def imbalance(found: Imbalance | None, metric: str) -> str | None:
    """Said where classes differ so much in size that accuracy is mostly that of the commonest."""
    if found is None:
        return None
    sizes = vars(found) | {"n_commonest": whole(found.n_commonest), "n_rarest": whole(found.n_rarest)}
    if metric == "balanced_accuracy":
        return _(
            "Classes are imbalanced ({commonest} {n_commonest} test images, {rarest} {n_rarest}): models are "
            "compared by balanced accuracy, which weighs all classes equally; accuracy is dominated by the "
            "large classes."
        ).format(**sizes)
    return _(
        "Classes are imbalanced ({commonest} {n_commonest} test images, {rarest} {n_rarest}), so accuracy "
        "is dominated by the large classes: see balanced accuracy and the recall of each class (metric = "
        '"balanced_accuracy" in [study] compares the models by it).'
    ).format(**sizes)
