"""The photos of a study as screening takes them: read and divided as the study would, its test set left aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from commongarden.data import folder, inspecting, losses
from commongarden.data.finding import Listed
from commongarden.data.looks import Looks
from commongarden.data.split import of_run_seed
from commongarden.errors import StudyError
from commongarden.i18n.language import _
from commongarden.records import Manifest
from commongarden.records.screening import NotScreened, Screened, Screening
from commongarden.runner import plan, sources
from commongarden.runner.display import Display
from commongarden.runner.prepare import left_out
from commongarden.screening import scoring
from commongarden.screening.folds import Fold, photos_of, repeated
from commongarden.study import Study


@dataclass(frozen=True, eq=False)
class ScreeningPhotos:
    """Those that are used, their labels as numbers and their folds; what is known of the others."""

    used: Manifest
    labels: np.ndarray
    folds: list[Fold]
    n_available: int
    n_test_set: int
    manifest: str
    split: str

    def screening(
        self,
        study: Study,
        device: str,
        threads: int,
        models: Sequence[Screened],
        left: Sequence[NotScreened],
        folds: int,
        repeats: int,
        budget: str,
    ) -> Screening:
        """The record of these results."""
        majority = max(Counter(self.labels.tolist()).values()) / len(self.labels)
        return Screening(
            data=study.data,
            classes=self.used.classes,
            n_photos=len(self.labels),
            n_available=self.n_available,
            n_test_set=self.n_test_set,
            majority=majority,
            photos=self.manifest,
            split=self.split,
            folds=folds,
            repeats=repeats,
            n_train=float(np.mean([len(fold.train) for fold in self.folds])),
            n_test=float(np.mean([len(fold.test) for fold in self.folds])),
            device=device,
            threads=threads,
            processor=plan.machine().processor,
            made=plan.now(),
            models=tuple(models),
            left=tuple(left),
            budget=budget,
            n_neighbours=scoring.NEIGHBOURS,
        )


def read(
    study: Study,
    listed: Listed | None,
    keep_going: bool,
    kept: Path,
    most: int,
    folds: int,
    repeats: int,
    display: Display,
) -> ScreeningPhotos:
    """Reads the photos and divides them as the study would; the test set is left aside.

    Raises DataError, StudyError.
    """
    if study.splits_vary:
        text = _(
            "screening needs one test set that it leaves aside, but the study's split varies between its runs; "
            'accepted: a study without folds and without "split" in vary'
        )
        raise StudyError(text)
    wanted = study.data_plan
    if listed is None:
        listed = sources.listed(wanted, Path(), keep_going=keep_going)
        for said in sources.said(listed):
            display.note(said)
    seen = Looks()
    manifest = folder.scan(
        study.data,
        study.reading,
        listed=listed,
        keep_going=keep_going,
        on_progress=lambda done, total: display.prepare(_("reading photos"), done, total),
        cache_folder=kept,
        tell=display.note,
        range=study.range,
        looks=seen,
    )
    if manifest.left_out:
        display.note(left_out(manifest.left_out, losses.lines(folder.lost(listed, manifest))))
    inspection = inspecting.inspect(manifest, kept, display.prepare, display.note, seen)
    alike = () if inspection is None else inspection.groups
    split = of_run_seed(manifest, wanted, study.seeds[0], alike)
    used = photos_of(manifest, split, wanted.split, wanted.seed, alike, most)
    number = {label: i for i, label in enumerate(used.classes)}
    labels = np.array([number[photo.label] for photo in used.photos], dtype=np.int64)
    divided = repeated(used, wanted.split, wanted.seed, alike, folds, repeats)
    n_available = len(split.train) + len(split.val)
    return ScreeningPhotos(used, labels, divided, n_available, len(split.test), manifest.hash, split.hash)
