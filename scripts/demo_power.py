"""Estimates how often the demo ends with a significant difference.

    for seed in 0 1 2 3 4 5 6 7 8 9; do commongarden run demo --seed $seed --out demo-$seed; done
    python scripts/demo_power.py demo-*

Each study seed has its own split and its own weights. From the results.json of at least ten of them the script takes,
for each contrast, the mean difference, its variance between studies, and the components of variance within a study. It
then draws the mean squares of new studies and tests them as the program does. A study counts if a p value, adjusted for
all its contrasts, is at most 0.02. Contrasts are simulated one by one and the best one counts, so the figure is a lower
bound: a study may also find another difference.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from commongarden.stats.crossed import MeanSquares

P = 0.02  # adjusted; what counts as found
LEAST = 10  # study seeds
STUDIES = 20_000
RESAMPLINGS = 200


def share_found(contrasts: list[dict[str, Any]], n_photos: int, n_studies: int, rng: np.random.Generator) -> float:
    """The share of new studies in which this contrast has an adjusted p of at most P. contrasts: one of each study."""
    n_seeds = contrasts[0]["difference"]["n"]
    seed, photo, rest = (
        float(np.mean([c["components"][name] ** 2 for c in contrasts])) for name in ("seed", "photo", "rest")
    )
    expected = {"rest": rest, "seed": rest + n_photos * seed, "photo": rest + n_seeds * photo}
    equal = float(np.mean([c["components"].get("equal", 1.0) for c in contrasts]))  # 2 if unpaired
    df = {"rest": (n_seeds - 1) * (n_photos - 1), "seed": equal * (n_seeds - 1), "photo": n_photos - 1}
    drawn = {name: expected[name] * rng.chisquare(df[name], n_studies) / df[name] for name in expected}
    means = np.array([c["difference"]["value"] for c in contrasts])
    within = (expected["seed"] + expected["photo"] - rest) / (n_seeds * n_photos)
    variance = max(float(means.var(ddof=1)), within)  # what lies between studies is in the former
    studies = MeanSquares(
        rng.normal(means.mean(), variance**0.5, n_studies),
        drawn["seed"],
        drawn["photo"],
        drawn["rest"],
        n_seeds,
        n_photos,
        seed_df=df["seed"],
    )
    p = 2 * stats.t.sf(abs(studies.mean) / studies.error(), studies.df())
    return float((p * contrasts[0]["family"] <= P).mean())


def main() -> None:
    results = [json.loads((Path(folder) / "results.json").read_text(encoding="utf-8")) for folder in sys.argv[1:]]
    if len(results) < LEAST:
        sys.exit(f"error: found {len(results)} studies; accepted: at least {LEAST}, each with its own --seed")
    for folder, found in zip(sys.argv[1:], results, strict=True):
        print(Path(folder).name, *(line(contrast) for contrast in found["contrasts"]), sep="; ")
    rng, n_photos = np.random.default_rng(0), results[0]["n_test"]
    of_each = list(zip(*(found["contrasts"] for found in results), strict=True))
    best = max(of_each, key=lambda contrasts: share_found(list(contrasts), n_photos, STUDIES, rng))
    share = share_found(list(best), n_photos, STUDIES, rng)
    again = [
        share_found([best[k] for k in rng.integers(len(best), size=len(best))], n_photos, STUDIES // 10, rng)
        for _ in range(RESAMPLINGS)
    ]
    low = float(np.quantile(again, 0.05))
    print(
        f"{best[0]['arm']} - {best[0]['against']}: adjusted p <= {P} in {share:.1%} of {STUDIES:,} simulated studies; "
        f"lower limit from {RESAMPLINGS} resamplings of {len(results)} study seeds: {low:.1%} (one-sided, 95 %)"
    )


def line(contrast: dict[str, Any]) -> str:
    difference = contrast["difference"]
    value, low, high = (100 * difference[key] for key in ("value", "low", "high"))
    return (
        f"{contrast['arm']} - {contrast['against']} {value:+.1f} points (95 % CI {low:.1f} to {high:.1f}), "
        f"adjusted p {contrast['p_holm']:.4f}"
    )


if __name__ == "__main__":
    main()
