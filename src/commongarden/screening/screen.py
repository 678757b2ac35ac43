"""Screening from a declared study to its files: photos, folds, and one model after the other, the smallest first."""

from __future__ import annotations

import dataclasses
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from commongarden import arch
from commongarden.data import cache, result_cache
from commongarden.data.finding import Listed
from commongarden.errors import CommonGardenError, RunnerError, StudyError, reason_of
from commongarden.i18n.coded import Coded
from commongarden.i18n.language import N_, _
from commongarden.records.screening import NotScreened, Screened, Screening
from commongarden.report import screened as report
from commongarden.runner import budget as budgets
from commongarden.runner import limits, main_guard, plan, processes
from commongarden.runner.display import Display, PlainDisplay
from commongarden.runner.isolated import Calls, Died
from commongarden.screening import cached, extraction, scoring
from commongarden.screening.extraction import Extracted, Task
from commongarden.screening.photos import ScreeningPhotos, read
from commongarden.study import Study, choose_arms, origin
from commongarden.study.arm import Arm

MOST_PHOTOS = 5000
FOLDS, REPEATS = 5, 3


def screen(
    study: Study,
    out: str | Path,
    *,
    folds: int = FOLDS,
    repeats: int = REPEATS,
    budget: str = "",
    most_photos: int = MOST_PHOTOS,
    device: str = "auto",
    cache_dir: str | Path | None = None,
    keep_going: bool = False,
    display: Display | None = None,
) -> Screening:
    """Compares a study's models by simple classifiers on their frozen features, without training any of them.

    Only photos of the training and validation sets of the study's split are used. A model that was finished before is
    not repeated. Writes screening.json, screening.csv and screening.html. Worker processes import the calling script:
    keep the call under `if __name__ == "__main__":`.

    Args:
        study: Its data, models and split; its recipe says how images are resized.
        out: The folder of the results, which may become that of a study of the best models.
        folds: Number of folds.
        repeats: How often the photos are divided into folds.
        budget: "30m": no model begins after that time; the smallest begin first. Empty for no limit.
        most_photos: Use at most about this many photos.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        cache_dir: Folder of decoded images and features. None for the default folder of this machine.
        keep_going: Continue even if more than 5 % of the images cannot be read.
        display: Shows how it goes. None prints plain lines.

    Returns:
        What was found, in the order in which the models were taken.

    Raises:
        CommonGardenError: For anything that the user can mend. A model that fails is reported and the others go on.
    """
    main_guard.check()
    found = compare(
        study, folds=folds, repeats=repeats, budget=budget, most_photos=most_photos, device=device,
        cache_dir=cache_dir, keep_going=keep_going, display=display,
    )  # fmt: skip
    report.write(found, Path(out))
    return found


def compare(
    study: Study,
    *,
    folds: int = FOLDS,
    repeats: int = REPEATS,
    budget: str = "",
    most_photos: int = MOST_PHOTOS,
    device: str = "auto",
    cache_dir: str | Path | None = None,
    keep_going: bool = False,
    display: Display | None = None,
    listed: Listed | None = None,
) -> Screening:
    """As `screen`, without its files. listed: the data's files, if they were listed and reported before
    (runner/sources.py)."""
    seconds = _seconds(budget)
    display = display if display is not None else PlainDisplay(print)
    kept = cache.default_folder() if cache_dir is None else Path(cache_dir)
    with display:
        photos = read(study, listed, keep_going, kept, most_photos, folds, repeats, display)
        work = _Work(study, photos, kept, plan.device_name(device), limits.cores(), display)
        models, left = work.done(time.monotonic() + seconds if seconds else None)
    if not models:
        reasons = [f"{one.arch}: {one.reason}" for one in left if one.reason]
        raise RunnerError(reasons[0] if reasons else _("no model could be screened"))
    return photos.screening(study, work.device, work.n_threads, models, left, folds, repeats, budget)


def _seconds(budget: str) -> float | None:
    if not budget:
        return None
    seconds = budgets.parse(budget).seconds
    if seconds is None:
        text = _("--budget: found {text!r}, accepted: a time (90s, 30m, 2h, 1h30m)")
        raise StudyError(text.format(text=budget))
    return seconds


@dataclass(frozen=True, eq=False)
class _Work:
    """The models of a study on these photos."""

    study: Study
    photos: ScreeningPhotos
    cache_folder: Path
    device: str
    n_threads: int
    display: Display

    def done(self, end: float | None) -> tuple[list[Screened], list[NotScreened]]:
        """Each model's result, the smallest first; and the models without. end: after which none begins, but one."""
        processes.prepare()
        models: list[Screened] = []
        left: list[NotScreened] = []
        with closing(Calls()) as calls:
            order = self._smallest_first(calls)
            for number, name in enumerate(order):
                self.display.prepare(_("screening models"), number, len(order))
                if end is not None and models and time.monotonic() > end:
                    left.append(NotScreened(name, self.study.arms[name].arch))
                    continue
                try:
                    start = time.monotonic()
                    models.append(self._one(calls, name))
                    self._tell(models[-1], time.monotonic() - start)
                except (CommonGardenError, Died) as error:
                    reason = _crashed(error) if isinstance(error, Died) else reason_of(error)
                    left.append(NotScreened(name, self.study.arms[name].arch, reason))
                    self.display.note(_("warning: {what}").format(what=f"{name}: {reason}"))
                if not cached.is_kept(self.study.arms[name]):
                    calls.close()  # what the user's code changed for the whole process is not the next network's
            self.display.prepare(_("screening models"), len(order), len(order))
        return models, left

    def _tell(self, found: Screened, seconds: float) -> None:
        share = 100 * float(np.mean(found.probe))
        text = _("{model}: {share:.1f} % with a linear probe ({seconds:.1f} s)")
        self.display.note(text.format(model=found.model, share=share, seconds=seconds))

    def _smallest_first(self, calls: Calls) -> list[str]:
        """The models by number of parameters; those that cannot be made without their weights at the end."""
        n_classes, known = len(self.photos.used.classes), {}
        others: dict[str, Arm] = {}
        for name, arm in self.study.arms.items():
            if arm.origin is None:
                size = self.study.recipe_of(name).resolution
                known[name] = arch.cost(arm.network(n_classes), (size, size, 3)).n_params
            else:
                origin.check_allowed(arm.arch)
                others[name] = arm
        key = result_cache.key("sizes", [f"{name} {arm}" for name, arm in others.items()], cached.MAKERS)
        data = result_cache.recall(self.cache_folder, key) if all(map(cached.is_kept, others.values())) else None
        if data is not None:
            known |= msgspec.json.decode(data, type=dict[str, int])
        elif others:
            known |= self._sizes(calls, others, n_classes)
            result_cache.keep(self.cache_folder, key, msgspec.json.encode(known))
        return sorted(self.study.arms, key=lambda name: known.get(name, 2**62))

    def _sizes(self, calls: Calls, arms: dict[str, Arm], n_classes: int) -> dict[str, int]:
        found: dict[str, int] = {}
        for done, (name, arm) in enumerate(arms.items()):
            self.display.prepare(_("counting parameters"), done, len(arms))
            try:
                found |= calls.call(extraction.sizes, {name: arm}, n_classes)
            except Died:
                continue  # told when its turn comes
            if not cached.is_kept(arm):
                calls.close()
        self.display.prepare(_("counting parameters"), len(arms), len(arms))
        return found

    def _one(self, calls: Calls, name: str) -> Screened:
        """A model's scores and cost. Raises CommonGardenError, Died."""
        arm = self._measured(calls, name)
        alone = dataclasses.replace(choose_arms(self.study, [name]), arms={name: arm})
        recipe, used = alone.recipe_of(name), self.photos.used  # with the preprocessing that its library documents
        if arm.origin is not None and "init" not in arm.overrides:
            recipe = dataclasses.replace(recipe, init="own")  # as the runs of a study begin
        size = recipe.resolution
        is_cached = cache.room(used, size, size, self.cache_folder, None, recipe.framing) is None
        if is_cached:
            what = _("decoding at {n} pixels").format(n=size)

            def decoded(done: int, total: int) -> None:
                self.display.prepare(what, done, total)

            cache.images(used, size, size, self.cache_folder, decoded, framing=recipe.framing)
        task = Task(arm, recipe, used, self.cache_folder, is_cached, self.device, self.n_threads)
        key = cached.features_key(task) if cached.is_kept(arm) else ""
        features = self._features(calls, task, key)
        labels = self.photos.labels
        score_key, scores = cached.scores(key, self.cache_folder, labels.tolist(), self.photos.folds, self.display.note)
        if scores is None:
            scores = scoring.score(features.values, labels, self.photos.folds, self.n_threads)
            if score_key:
                result_cache.keep(self.cache_folder, score_key, msgspec.json.encode(scores))
        return Screened(
            model=name,
            arch=arm.arch,
            weights=_weights(arm),
            weights_hash=arm.origin.weights if arm.origin is not None and arm.wants_weights else "",
            resolution=size,
            width=features.values.shape[1],
            **dataclasses.asdict(scores),
            **dataclasses.asdict(features.cost),
        )

    def _measured(self, calls: Calls, name: str) -> Arm:
        """The arm with its network measured, where it is by others."""
        arm, n_classes = self.study.arms[name], len(self.photos.used.classes)
        size = self.study.recipe_of(name).resolution
        input = (size, size, 3)
        if arm.origin is None or arm.origin.fits(n_classes, input):
            return arm
        found = cached.recalled_origin(arm, n_classes, input, self.cache_folder)
        if found is None:
            found = calls.call(extraction.measured, arm, n_classes, input)
            if cached.is_kept(arm):
                key = cached.origin_key(arm, n_classes, input)
                result_cache.keep(self.cache_folder, key, msgspec.json.encode(found))
        return dataclasses.replace(arm, origin=found)

    def _features(self, calls: Calls, task: Task, key: str) -> Extracted:
        found = cached.recalled_features(key, self.cache_folder, self.display.note)
        if found is not None:
            return found
        data = calls.call(extraction.extract, task)
        if key:
            result_cache.keep(self.cache_folder, key, data)
        return extraction.unpacked(data)


def _weights(arm: Arm) -> str:
    if arm.origin is None or not arm.wants_weights:
        return ""
    return Path(arm.options["weights"]).name if arm.options["weights"] else "published"


def _crashed(died: Died) -> Coded:
    return N_("the process crashed in {phase}: {cause}").format(
        phase=origin.PHASES.get(died.phase, N_("startup")), cause=died.cause
    )
