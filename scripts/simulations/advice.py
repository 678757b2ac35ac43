"""The number of seeds that a study advises."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from commongarden.stats.answers import MOST_ADVISED
from commongarden.stats.crossed import MeanSquares, mean_of
from commongarden.stats.holm import ALPHA
from commongarden.stats.means import Components
from commongarden.stats.power import POWER, expected, power, remedy
from simulations.tables import table


def advised(seed: float, photo: float, difference: float, seeds: int, photos: int, n: int) -> tuple[float, float, int]:
    """Of n pilots with so many seeds: the share whose middle, and whose most, seeds truly have 80 % power for the
    difference; and how many pilots advise a number. Mean squares are drawn as chi-squared."""
    generator = np.random.default_rng(zlib.crc32(f"advice {seed} {photo} {seeds} {photos}".encode()))
    truth = Components(seed, photo, 0.3, equal=2.0)
    rest = 0.3**2
    df = 2 * (seeds - 1)
    enough: list[tuple[bool, bool]] = []
    for _ in range(n):
        found = MeanSquares(
            0.0,
            (rest + photos * seed**2) * generator.chisquare(df) / df,
            (rest + seeds * photo**2) * generator.chisquare(photos - 1) / (photos - 1),
            rest,
            seeds,
            photos,
            seed_df=df,
        )
        advice = remedy(mean_of(found), difference, ALPHA, photos, None)
        if advice is None or advice.likely is None or advice.likely[1].seeds > MOST_ADVISED:
            continue
        middle, most = (advice.settle or advice.likely[1]).seeds, advice.likely[1].seeds
        powers = [power(difference, *expected(truth, k, photos), ALPHA) for k in (middle, most)]
        enough.append((powers[0] >= POWER, powers[1] >= POWER))
    if not enough:
        return 0.0, 0.0, 0
    return float(np.mean([one for one, _ in enough])), float(np.mean([two for _, two in enough])), len(enough)


def advice_table(n: int, photos: Sequence[int], seeds: Sequence[int], m: Sequence[int]) -> Iterator[str]:
    """The number of seeds that is advised. m: unused."""

    def rows() -> Iterator[Sequence[str]]:
        for n_photos in photos:
            for n_seeds in seeds:
                for difference in (0.03, 0.05, 0.08):
                    middle, most, k = advised(0.03, 0.2, difference, n_seeds, n_photos, min(n, 300))
                    shares = [f"{100 * share:.0f}" if k else "" for share in (middle, most, k / min(n, 300))]
                    yield f"{n_photos:,}", str(n_seeds), f"{100 * difference:.0f}", *shares

    title = "Advice from pilots: in how many of 100 the advised seeds have 80 % power (3 points between seeds)"
    header = ("images", "seeds of the pilot", "points", "middle of the range", "its upper end", "pilots with a number")
    yield from table(title, header, rows())
