"""Which descriptions are alike: by the cosines of all pairs; of very many, those that an index of FAISS finds.

The index (an inverted file, extra "faiss") divides the descriptions into cells and looks into those nearest to each.
Copies that were re-encoded, resized, brightened or mirrored are in these, and most that were cropped (docs/scale.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

LIKE = 0.42  # cosine from which two descriptions are looked at again
MOST_CANDIDATES = 64  # for one photo, the most alike
MOST_EXACT = 100_000  # descriptions; of more, all pairs take longer than everything else together
COLUMNS = 8192  # of a piece of all pairs
PIECE = 4096  # candidates
PROBED = 64  # cells
PER_CELL = 40  # descriptions that the cells are found by

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Like = Callable[[Ints, Floats], Iterable[tuple[Ints, Ints]]]


def finder(described: Floats) -> Like:
    """A function (rows, sign) -> which of the rows times the sign are like which of all descriptions, each of length 1,
    in pieces (one, two); of a row no more than the best. one: counted from the first of the rows."""
    if len(described) <= MOST_EXACT or find_spec("faiss") is None:
        return partial(_of_all, described)
    return partial(_of_index, _index(described), described)


def _of_all(described: Floats, rows: Ints, sign: Floats) -> Iterable[tuple[Ints, Ints]]:
    turned: Floats = described[rows] * sign
    found = []
    for start in range(0, len(described), COLUMNS):  # in pieces that the processor's cache holds
        likeness = turned @ described[start : start + COLUMNS].T
        one, two = np.divmod(np.flatnonzero(likeness >= LIKE), likeness.shape[1])
        other = two + start != rows[one]
        one, two = one[other], two[other]
        found.append((one, two + start, likeness[one, two]))
    one, two, values = (np.concatenate(part) for part in zip(*found, strict=True))
    kept = values >= _least(one, values, len(rows))[one]
    return _pieces(one[kept], two[kept])


def _least(row: Ints, likeness: Floats, n: int) -> Floats:
    """Of each of n rows, how alike the last is of its MOST_CANDIDATES best."""
    least = np.full(n, LIKE, dtype=np.float32)
    for crowded in np.flatnonzero(np.bincount(row, minlength=n) > MOST_CANDIDATES):
        least[crowded] = np.partition(likeness[row == crowded], -MOST_CANDIDATES)[-MOST_CANDIDATES]
    return least


def _index(described: Floats) -> Any:
    import faiss

    n_cells = int(4 * np.sqrt(len(described)))
    made = faiss.IndexIVFFlat(
        faiss.IndexFlatIP(described.shape[1]), described.shape[1], n_cells, faiss.METRIC_INNER_PRODUCT
    )
    made.cp.seed, made.nprobe = 0, PROBED
    order = np.random.default_rng(0).permutation(len(described))
    made.train(described[np.sort(order[: PER_CELL * n_cells])])
    made.add(described)
    return made


def _of_index(index: Any, described: Floats, rows: Ints, sign: Floats) -> Iterable[tuple[Ints, Ints]]:
    likeness, found = index.search(np.ascontiguousarray(described[rows] * sign), MOST_CANDIDATES + 1)
    kept = (likeness >= LIKE) & (found >= 0) & (found != rows[:, None])
    kept &= np.cumsum(kept, axis=1) <= MOST_CANDIDATES  # one more where the photo itself was not among them
    one, place = np.nonzero(kept)
    return _pieces(one, found[one, place])


def _pieces(one: Ints, two: Ints) -> Iterable[tuple[Ints, Ints]]:
    for start in range(0, len(one), PIECE):
        yield one[start : start + PIECE], two[start : start + PIECE]
