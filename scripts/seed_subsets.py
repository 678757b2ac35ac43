"""What a study would have concluded with three of its seeds: every subset, judged by the product.

    python scripts/seed_subsets.py [--seeds 3] STUDY ...

Of the comparisons that are significant with all seeds: in which share of the subsets they are too, and whether any
subset claims the opposite.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import commongarden as cg
from commongarden.stats import learning
from commongarden.stats.contrasts import contrast_results
from commongarden.stats.results import ContrastResult
from commongarden.store import Store

DECIDED = ("better", "worse")
OPPOSITE = {"better": "worse", "worse": "better"}


def outcomes(store: Store, n_seeds: int) -> Iterator[tuple[ContrastResult, ...]]:
    """The comparisons of every subset of so many seeds."""
    study, runs = store.study(), store.runs()
    finished = {(run.arm, run.seed) for run in runs if run.status == "finished"}
    learned = learning.learned(store, runs)
    for seeds in itertools.combinations(study.seeds, n_seeds):
        tested = {
            arm: {seed: store.predictions(arm, seed) for seed in seeds if (arm, seed) in finished} for arm in study.arms
        }
        part = replace(study, seeds=seeds)
        n_classes = len(store.manifest().classes)
        yield contrast_results(part, tested, len(store.split().train), {}, n_classes, learned=learned)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("studies", nargs="+", type=Path)
    given = parser.parse_args()
    n_found = n_subsets = n_opposite = 0
    for folder in given.studies:
        store = cg.open_store(folder)
        (whole,) = outcomes(store, len(store.study().seeds))
        subsets = list(outcomes(store, given.seeds))
        for i, contrast in enumerate(whole):
            said = [found[i].outcome for found in subsets]
            found = said.count(contrast.outcome)
            print(f"{folder.name}: {contrast.arm} - {contrast.against}, {contrast.outcome}: {found} of {len(said)}")
            if contrast.outcome in DECIDED:
                n_found, n_subsets = n_found + found, n_subsets + len(said)
                n_opposite += said.count(OPPOSITE[contrast.outcome])
    print(
        f"significant with all seeds: found with {given.seeds} in {n_found} of {n_subsets} subsets "
        f"({100 * n_found / max(n_subsets, 1):.0f} %), the opposite in {n_opposite}"
    )


if __name__ == "__main__":
    main()
