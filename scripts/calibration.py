"""How often the conclusions are wrong, by simulated studies through the product's own functions.

    python scripts/calibration.py [--quick] [--only TABLE ...] [--studies N]

writes Markdown tables to the standard output: false differences, coverage of the 95 % intervals, false equivalence,
races and added seeds, folds, advice, probabilities, Dunnett's procedure, several data sets. Random numbers are the same
each time; all tables take an hour on two cores. A cell misses its bar where its own 99 % Monte Carlo interval excludes
it; such cells are marked with *. --quick: few studies, for the tests. --studies: at most so many a cell (4,000); some
tables take a part of them.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator

from simulations.advice import advice_table
from simulations.best import best_table
from simulations.data_sets import data_sets_table
from simulations.fixed import coverage_table, differences_table, equivalence_table, learned_table
from simulations.folds import folds_table
from simulations.races import races_table
from simulations.reference import reference_table

TABLES: dict[str, Callable[..., Iterator[str]]] = {
    "differences": differences_table,
    "coverage": coverage_table,
    "learned": learned_table,
    "equivalence": equivalence_table,
    "races": races_table,
    "folds": folds_table,
    "advice": advice_table,
    "best": best_table,
    "reference": reference_table,
    "data-sets": data_sets_table,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few studies")
    parser.add_argument("--only", nargs="*", choices=list(TABLES), help="these tables alone")
    parser.add_argument("--studies", type=int, help="at most so many a cell")
    given = parser.parse_args()
    n, *sizes = (400, (225,), (3, 5), (1, 3)) if given.quick else (4_000, (225, 650, 5_000), (3, 5, 10), (1, 3, 10))
    for name, make in TABLES.items():
        if not given.only or name in given.only:
            begun = time.monotonic()
            for line in make(given.studies or n, *sizes):
                print(line, flush=True)
            print(f"{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
