"""Seeds that were added to a finished study: the results that were seen before count as looks.

Who adds seeds until a difference is significant finds one in 12 to 15 % of studies without any. The folder of a study
therefore keeps with how many seeds its results had been complete before seeds were added, and each contrast is judged
at the first of these looks that settled it, at levels that spend what is left (`sequential.spent_again`).
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from commongarden.i18n.language import N_
from commongarden.io import reader
from commongarden.io.reader import Kind, json_of
from commongarden.stats import raced, sequential
from commongarden.stats.means import FEWEST_SEEDS
from commongarden.stats.racing import Race, RacePlan
from commongarden.store import Store, keep
from commongarden.store.kinds import MADE_AGAIN
from commongarden.study import Study


@dataclass(frozen=True)
class Looks:
    """What looks.json holds: with how many seeds results were complete before more were added."""

    seeds: tuple[int, ...]


@dataclass(frozen=True)
class AddedPlan(RacePlan):
    """A race that nobody planned. counts: of seeds at each look, rising."""

    counts: tuple[int, ...] = ()

    @property
    def looks(self) -> tuple[int, ...]:
        return self.counts

    @property
    def ends_for_photos(self) -> bool:
        return False

    def levels(self, alpha: float) -> tuple[float, ...]:
        return sequential.levels_again(self.counts, alpha)


KIND = Kind("looks.json", N_("the record of earlier results"), json_of(Looks), accepted=MADE_AGAIN)


def read(store: Store) -> tuple[int, ...]:
    """With how many seeds results were seen before the present ones. Raises StoreError."""
    if not (store.root / "looks.json").is_file():
        return ()
    return reader.read(store.root / "looks.json", KIND, root=store.root).seeds


def keep_look(store: Store, before: Study) -> None:
    """Keeps that this study had its results before seeds were added to it, if it had. For the process that holds the
    study."""
    n, seen = len(before.seeds), read(store)
    complete = all(store.has(arm, seed) for arm in before.arms for seed in before.seeds)
    if not complete or n < FEWEST_SEEDS or n in seen or raced.is_raced(store):
        return
    found = Looks((*(one for one in seen if one < n), n))
    keep(store.root, "looks.json", msgspec.json.format(msgspec.json.encode(found), indent=1))


def can_be_counted(study: Study) -> bool:
    """Whether the looks at a study are counted: accuracy on one test set, by Holm's procedure."""
    return study.metric == "accuracy" and not study.splits_vary and not study.reference


def replay(store: Store, study: Study, seen: tuple[int, ...]) -> Race | None:
    """Every look, from the runs that are there; None where none was before the present one, or they do not count."""
    counts = (*(n for n in seen if n < len(study.seeds)), len(study.seeds))
    if len(counts) < 2 or not can_be_counted(study):
        return None
    plan = AddedPlan(len(study.seeds), study.margin / 100, counts=counts)
    return raced.replay(study, store, plan, study.seeds)
