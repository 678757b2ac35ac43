"""What screening found, in sentences and table cells."""

from __future__ import annotations

from collections.abc import Sequence

from commongarden.i18n.language import _, ngettext, translate
from commongarden.records import Estimate
from commongarden.records.screening import Screened, Screening, Selection
from commongarden.report.wording import numbers
from commongarden.report.wording.numbers import DASH, hundredths, percent, whole
from commongarden.stats.pareto import Cost
from commongarden.stats.screened import RankedModel, fronts, on_fronts

NAMED = 5  # models that a sentence names
Row = tuple[str, ...]


def answer(models: Sequence[RankedModel]) -> str:
    """The best model and its accuracy."""
    best = models[0]
    named = best.arm if best.screened.weights else f"{best.arm} ({weights(best.screened)})"
    told = {"model": named, "value": percent(best.accuracy.value), "interval": interval(best.accuracy)}
    if len(models) == 1:
        return _("{model}: {value} ({interval}) with a linear probe on frozen features.").format(**told)
    text = _("Best of {n}: {model}, {value} ({interval}) with a linear probe on frozen features.")
    return text.format(n=whole(len(models)), **told)


def interval(estimate: Estimate) -> str:
    """A 95 % confidence interval of a share, in hundredths."""
    low, high = (hundredths(bound) for bound in (estimate.low or 0.0, estimate.high or 0.0))
    return _("95 % CI {low} to {high}").format(low=low, high=high)


def notes(found: Screening, models: Sequence[RankedModel]) -> list[str]:
    """What must be said beside the answer: how sure it is, and what is missing."""
    said = []
    if len(models) > 1:
        said += [_alike(models), _("The score of the first is optimistic, because it was chosen by that score.")]
    best = models[0].accuracy
    if best.low is not None and best.low <= found.majority:
        text = _("No model is significantly better than always predicting the most frequent class ({share}).")
        said.append(text.format(share=percent(found.majority)))
    if late := [one for one in found.left if not one.reason]:
        text = ngettext(
            "{n} model was not reached within {budget}. Repeat the command to continue.",
            "{n} models were not reached within {budget}. Repeat the command to continue.",
            len(late),
        )
        said.append(text.format(n=whole(len(late)), budget=found.budget))
    if failed := [one for one in found.left if one.reason]:
        text = ngettext("{n} model could not be screened.", "{n} models could not be screened.", len(failed))
        said.append(text.format(n=whole(len(failed))))
    if not all(one.screened.converged for one in models):
        said.append(_("The linear probe did not converge for: {models}.").format(models=_unconverged(models)))
    return said


def _unconverged(models: Sequence[RankedModel]) -> str:
    return numbers.listed(one.arm for one in models if not one.screened.converged)


def _alike(models: Sequence[RankedModel]) -> str:
    alike = [one.arm for one in models[1:] if not one.distinguishable]
    if not alike:
        return _("All others are significantly less accurate.")
    if len(alike) > NAMED:
        return _("{n} others are not distinguishable from it.").format(n=whole(len(alike)))
    text = ngettext(
        "{n} other is not distinguishable from it: {models}.",
        "{n} others are not distinguishable from it: {models}.",
        len(alike),
    )
    return text.format(n=len(alike), models=numbers.listed(alike))


def failures(found: Screening) -> list[tuple[str, str]]:
    """The models that could not be screened, each with the reason."""
    return [(one.model, translate(one.why)) for one in found.left if one.reason]


def data(found: Screening) -> str:
    """Which images were used, and which were not."""
    told = {"n": whole(found.n_photos), "classes": whole(len(found.classes)), "n_test": whole(found.n_test_set)}
    if found.n_photos < found.n_available:
        text = _(
            "{n} of the {available} images of the training and validation sets, {classes} classes. The {n_test} test "
            "images were not used."
        )
        return text.format(available=whole(found.n_available), **told)
    text = _(
        "{n} images of the training and validation sets, {classes} classes. The {n_test} test images were not used."
    )
    return text.format(**told)


def methods(found: Screening) -> list[str]:
    """How the scores and their intervals came about."""
    rate = sorted(one.images_per_second for one in found.models)[len(found.models) // 2]
    return [
        _(
            "Features are the input of a network's last layer, averaged over positions, in evaluation mode. No network "
            "is trained."
        ),
        _(
            "Linear probe: logistic regression on standardized features, C = 10 / number of features. Nearest "
            "neighbours: {k}, by cosine similarity."
        ).format(k=found.n_neighbours),
        _(
            "{folds}-fold cross-validation, repeated {repeats} times. Duplicates and groups stay in one fold. "
            "Intervals account for images shared between folds (Nadeau & Bengio 2003)."
        ).format(folds=found.folds, repeats=found.repeats),
        _(
            "Models are compared with the first by paired differences over the same folds, adjusted for all models "
            "(Holm, 5 %)."
        ),
        _(
            "Time: median for one image at a time, on as many threads as the training settings say. Memory: forward "
            "pass with 32 images. Measured on {processor} ({device}). Features: {rate} images per second (median of "
            "the models), threads: {threads}."
        ).format(processor=found.processor, device=found.device, threads=found.threads, rate=numbers.number(rate)),
    ]


def headers() -> Row:
    """The columns of figures: the accuracy of the linear probe with its interval, how far it is behind the first, that
    of nearest neighbours, and the costs."""
    return (
        _("probe, %"),
        _("95 % CI"),
        _("behind, points"),
        _("k-NN, %"),
        _("ms"),
        _("parameters"),
        _("MACs"),
        _("MB"),
    )


def figures(one: RankedModel) -> Row:
    """A model's figures, by `headers`. A star behind a difference says that it is significant."""
    found = one.screened
    return (
        hundredths(one.accuracy.value),
        _span(one.accuracy),
        DASH if one.behind is None else hundredths(one.behind.value) + ("*" if one.distinguishable else ""),
        hundredths(one.neighbours.value),
        numbers.number(found.ms),
        numbers.short(found.n_params),
        numbers.short(found.macs),
        DASH if found.memory_bytes is None else numbers.number(found.memory_bytes / 1e6),
    )


def front(models: Sequence[RankedModel]) -> str:
    """The models that are most accurate for their time, the fastest first; empty where there is one model."""
    found = next((one for one in fronts(models) if one.cost == "inference_ms"), None)
    if found is None:
        return ""
    named = numbers.listed(found.arms[-NAMED:])
    if len(found.arms) > NAMED:
        text = _("Pareto front of accuracy and time, the {k} most accurate of {n}: {models}.")
        return text.format(k=NAMED, n=len(found.arms), models=named)
    return _("Pareto front of accuracy and time: {models}.").format(models=named)


def pareto(models: Sequence[RankedModel]) -> dict[str, str]:
    """For each model the costs for which it is on the Pareto front, in lines."""
    return {name: "\n".join(map(_cost, costs)) for name, costs in on_fronts(models).items()}


def _span(estimate: Estimate) -> str:
    return DASH if estimate.low is None or estimate.high is None else numbers.span(estimate.low, estimate.high)


def weights(found: Screened) -> str:
    """Where the weights are from."""
    return {"": _("random weights"), "published": _("published weights")}.get(found.weights, found.weights)


def _cost(cost: Cost) -> str:
    return {
        "inference_ms": _("time"),
        "n_params": _("parameters"),
        "macs": _("MACs"),
        "peak_memory_mb": _("memory"),
        "seconds": _("time"),
    }[cost]


def chosen(found: Selection, *, same_split: bool) -> list[str]:
    """What a study's models were chosen from, and what follows for its results. same_split: whether the study's test
    set is the one that screening left aside."""
    best = found.candidates[0]
    reached = Estimate(best.accuracy, best.low, best.high, found.folds * found.repeats, "")
    first = ngettext(
        "{k} of {n} model was chosen by a linear probe on frozen features of {photos} training and validation images "
        "(best score: {model}, {value}, {span}).",
        "{k} of {n} models were chosen by a linear probe on frozen features of {photos} training and validation images "
        "(best score: {model}, {value}, {span}).",
        found.n_asked,
    ).format(
        k=len(found.chosen),
        n=whole(found.n_asked),
        photos=whole(found.n_photos),
        model=best.model,
        value=percent(best.accuracy),
        span=interval(reached),
    )
    caveat = _("Their screening scores are optimistic, because the models were chosen by them (winner's curse).")
    if not same_split:
        return [first, caveat, _("The test set of this study is not the one that screening left aside.")]
    return [first, caveat, _("The test images of this study were not used in screening.")]
