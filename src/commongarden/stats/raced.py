"""A raced study as its folder keeps it: racing.json, with the plan, every look, and why no more runs were made."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import msgspec
import numpy as np

from commongarden.i18n.language import N_
from commongarden.io import reader
from commongarden.io.reader import Kind, json_of
from commongarden.stats import racing
from commongarden.stats.clusters import Clusters, clusters
from commongarden.stats.learning import learned
from commongarden.stats.racing import Race, RacePlan
from commongarden.store import Store, keep
from commongarden.store.kinds import MADE_AGAIN
from commongarden.study import Study

SCHEMA = 1
End = Literal["resolved", "most seeds", "budget", "under way"]


@dataclass(frozen=True)
class Raced:
    """What racing.json holds. end: why no more runs are made. budget: as it was given, "" for none; used, left: of it,
    in its unit (seconds or runs). n_runs: finished or failed runs of the race, of n_most that the fixed design has."""

    schema: int
    race: Race
    end: End
    budget: str
    used: float
    left: float | None
    n_runs: int
    n_most: int

    @property
    def n_saved(self) -> int:
        """Runs that were not made because nothing was left for them to decide."""
        return self.n_most - self.n_runs if self.end in ("resolved", "most seeds") else 0


def is_raced(store: Store) -> bool:
    """Whether a race decides which runs the study gets."""
    return (store.root / KIND.name).is_file()


def replay(study: Study, store: Store, plan: RacePlan, seeds: tuple[int, ...]) -> Race:
    """The race as it stands by the finished runs in the store."""

    @cache
    def right(arm: str, seed: int) -> np.ndarray | None:
        if store.run(arm, seed).status != "finished":
            return None
        found = store.predictions(arm, seed)
        return np.asarray(found.probabilities.argmax(axis=1) == found.labels)

    pairs = [(contrast.arm, contrast.against) for contrast in study.planned_contrasts()]
    by_run: dict[tuple[str, int], bool] = {}

    def has_learned(arm: str, seed: int) -> bool:
        if (arm, seed) not in by_run:
            by_run.update(learned(store, [store.run(arm, seed)]))
        return by_run[arm, seed]

    return racing.race(pairs, list(study.arms), seeds, right, store.has, plan, _groups(store), has_learned)


def _groups(store: Store) -> Clusters | None:
    """Of the test photos, in the order in which the runs have them."""
    groups = {photo.path: photo.group for photo in store.manifest().photos if photo.group}
    done = next((run for run in store.runs() if run.status == "finished"), None) if groups else None
    return None if done is None else clusters(store.predictions(done.arm, done.seed).photos, groups)


KIND = Kind("racing.json", N_("the record of a race"), json_of(Raced), accepted=MADE_AGAIN)


def read(store: Store) -> Raced | None:
    """None where the study was not raced. Raises StoreError."""
    path = store.root / "racing.json"
    if not path.is_file():
        return None
    found = reader.read(path, KIND, root=store.root)
    return found if found.schema == SCHEMA else None


def write(store: Store, raced: Raced) -> None:
    """For the process that holds the study."""
    keep(store.root, "racing.json", msgspec.json.format(msgspec.json.encode(raced), indent=1))
