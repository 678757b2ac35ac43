"""What the runs of an arm differ in, in words: seeds or folds, and what chance lies between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from commongarden.i18n.language import _, ngettext
from commongarden.report.wording.numbers import listed
from commongarden.study.design import SOURCES


def repeats(n: int, folds: int) -> str:
    """How many runs of an arm there are, by what they are.

    >>> repeats(3, 0), repeats(1, 0), repeats(5, 5)
    ('3 seeds', '1 seed', '5 folds')
    """
    if folds:
        return ngettext("{n} fold", "{n} folds", n).format(n=n)
    return ngettext("{n} seed", "{n} seeds", n).format(n=n)


def _source(name: str) -> str:
    return {
        "init": _("initial weights"),
        "order": _("image order with augmentation and dropout"),
        "split": _("the split"),
    }[name]


def between(vary: Sequence[str], folds: int) -> Iterator[str]:
    """What the spread between runs of one arm comprises, and whether it can be told from that between test photos."""
    fixed = [_source(name) for name in SOURCES if name not in vary and not (folds and name == "split")]
    if folds:
        yield _("The images are divided into {n} folds; each fold is the test set of one run of every model.").format(
            n=folds
        )
        if vary:
            yield _("Folds also differ in {sources}.").format(sources=varied(vary))
    else:
        yield _("What differs from seed to seed: {sources}.").format(sources=varied(vary))
    if fixed:
        yield _("The same in all runs of a model: {sources}.").format(sources=listed(fixed))
    if folds:
        yield _(
            "Each run has its own test images, so seed variation and test-set variation cannot be separated. "
            "The training sets of folds overlap, and the intervals are widened accordingly (Bengio & Grandvalet 2004)."
        )
    elif "split" in vary:
        yield _(
            "Each run has its own test images, so seed variation and test-set variation cannot be separated. "
            "Training sets overlap, and the intervals are widened accordingly (Nadeau & Bengio 2003)."
        )
    else:
        yield _(
            "All runs are tested on the same images, so seed variation and test-set variation are estimated separately."
        )


def varied(vary: Sequence[str]) -> str:
    """What differs from seed to seed, as a list."""
    return listed(_source(name) for name in SOURCES if name in vary)


def folds(n: int, seed: int) -> str:
    """The folds in words, where the seeds would stand."""
    return _(
        "{n} folds of one shuffle, study seed {seed}. In the same fold, all models see the same images in "
        "the same order."
    ).format(n=n, seed=seed)


def value(row: tuple[str, str, str]) -> str:
    """One declared difference.

    >>> value(("resolution", "96", "64"))
    'resolution 96 against 64'
    """
    field, one, two = row
    return _("{field} {one} against {two}").format(field=field, one=written(one), two=written(two))


def written(value: str) -> str:
    """A value of the study file as it is written there, but for one that is empty or that an architecture has not."""
    return _("none") if value == "none" else value


def words_together(rows: Sequence[tuple[str, str, str]]) -> str:
    """What stands behind a verdict on two networks that were trained differently; "" where they were not.

    >>> words_together([("resolution", "96", "64")])
    '(together with resolution 96 against 64)'
    """
    return _("(together with {values})").format(values=listed(map(value, rows))) if rows else ""


def labels(text: Mapping[str, str], folds: int) -> dict[str, str]:
    """The page's labels; where folds take the place of seeds, those under "KEY_folds" stand for KEY."""
    chosen = dict(text)
    if folds:
        chosen |= {key.removesuffix("_folds"): value for key, value in text.items() if key.endswith("_folds")}
    return chosen


def counts_of_first(folds: int) -> str:
    """Said beside numbers of photos that are those of one split among several."""
    if folds:
        return _("The counts are those of the first fold; each fold is the test set of one run of every model.")
    return _("The counts are those of the first seed; each seed has its own split, shared by all models.")
