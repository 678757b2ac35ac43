"""How the arms learned: accuracy and loss by epoch, and by time."""

from __future__ import annotations

from collections.abc import Mapping

from commongarden.records import Manifest, Split
from commongarden.report.charts import curves
from commongarden.report.document import Legend, Plot, Section
from commongarden.report.topics import early_stopping
from commongarden.report.topics.page_data import Histories
from commongarden.report.wording import designs
from commongarden.report.wording.labels import TEXT
from commongarden.stats import Results


def section(results: Results, histories: Histories, manifest: Manifest, split: Split) -> Section | None:
    """The learning curves; None where no epoch was recorded."""
    made = plot(results, histories, manifest, split)
    return None if made is None else Section(TEXT["curves"], (Legend(), made), anchor="curves")


def plot(results: Results, histories: Histories, manifest: Manifest, split: Split) -> Plot | None:
    """The curves beside each other; the page also has accuracy over time."""
    guesses = _guesses(results, manifest, split)
    made = curves.curves(histories, guesses, results.commonest.loss)
    time = curves.over_time(histories, guesses["val"])
    rate = curves.learning_rate(histories)
    caption = designs.labels(TEXT, results.folds)["curves_caption"]
    caption = " ".join(filter(None, (caption, early_stopping.of_curves(histories))))
    return (
        Plot(caption, tuple(made), lines=True, below=True, more=tuple(chart for chart in (time, rate) if chart))
        if made
        else None
    )


def _guesses(results: Results, manifest: Manifest, split: Split) -> Mapping[str, float]:
    """What always guessing the commonest class scores in the training and the validation part."""
    labels = {photo.path: photo.label for photo in manifest.photos}
    parts = {"train": split.train, "val": split.val}
    label = results.commonest.label
    return {part: sum(labels[path] == label for path in paths) / max(len(paths), 1) for part, paths in parts.items()}
