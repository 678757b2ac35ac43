"""Runs that ended before their last epoch by the rule of the recipe: the rule, what chose, how long the runs were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from commongarden.i18n.language import _, ngettext
from commongarden.report.topics.page_data import Histories
from commongarden.report.wording.references import Citations
from commongarden.study.recipe import Recipe


def lengths(epochs: Histories) -> list[int]:
    """How many epochs each finished run took."""
    return [len(history) for by_seed in epochs.values() for history in by_seed.values()]


def sentences(recipe: Recipe, cite: Citations, lengths: Sequence[int]) -> Iterator[str]:
    """For the methods; nothing where the recipe has no early stopping. lengths: epochs of each finished run."""
    if not recipe.early_stopping:
        return
    yield ngettext(
        "A run ended early after {n} epoch without a higher validation accuracy ({works}).",
        "A run ended early after {n} epochs in a row without a higher validation accuracy ({works}).",
        recipe.early_stopping,
    ).format(n=recipe.early_stopping, works=cite("prechelt"))
    if lengths:
        said = _("The runs took {least} to {most} of at most {epochs} epochs.")
        yield said.format(least=min(lengths), most=max(lengths), epochs=recipe.epochs)
    yield _(
        "The validation images chose when a run ended, so validation figures are too optimistic; the test images chose "
        "nothing."
    )
    if recipe.schedule != "constant":
        said = _("The learning-rate schedule was that of all {epochs} epochs and was cut where a run ended early.")
        yield said.format(epochs=recipe.epochs)


def of_curves(epochs: Histories) -> str:
    """Beside the learning curves of runs of different lengths; "" where the runs of each model have one."""
    if all(len({len(history) for history in by_seed.values()}) < 2 for by_seed in epochs.values()):
        return ""
    return _("Runs ended at different epochs: the mean of a model ends with its shortest run.")
