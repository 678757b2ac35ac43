"""predictions.csv: one row for each test photo of each finished run, for analyses elsewhere (R, pandas)."""

from __future__ import annotations

import csv
import io

from commongarden.io.csv_cells import safe
from commongarden.store import Store

COLUMNS = ("model", "seed", "image", "group", "class", "predicted", "correct", "probability")


def to_csv(store: Store) -> str:
    """The file's text. probability: of the predicted class."""
    manifest, arms = store.manifest(), store.study().arms
    classes, groups = manifest.classes, {photo.path: photo.group for photo in manifest.photos}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for run in store.runs():
        if run.status != "finished" or run.arm not in arms:
            continue
        said = store.predictions(run.arm, run.seed)
        guesses, reached = said.probabilities.argmax(axis=1), said.probabilities.max(axis=1)
        for path, label, guess, probability in zip(said.photos, said.labels, guesses, reached, strict=True):
            path = str(path)
            words = (safe(path), safe(groups.get(path, "")), safe(classes[label]), safe(classes[guess]))
            writer.writerow((safe(run.arm), run.seed, *words, int(label == guess), f"{probability:.6g}"))
    return out.getvalue()
