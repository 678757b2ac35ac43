"""What makes runs of one arm differ: sources of chance that vary with the seed, or folds in place of seeds."""

from __future__ import annotations

from typing import Any, Literal, get_args

from commongarden.errors import StudyError, check_known
from commongarden.i18n.language import _

Source = Literal["init", "order", "split"]
SOURCES: tuple[Source, ...] = get_args(Source)
DEFAULT_SEEDS = (0, 1, 2)
MOST_FOLDS = 10_000


def sources(value: object, folds: int) -> tuple[Source, ...]:
    """The sources that vary, in their fixed order. Raises StudyError."""
    found = tuple(value) if isinstance(value, list | tuple) else (value,)
    check_known("source", found, SOURCES, StudyError, where="study.vary")
    if folds and "split" in found:
        text = _("study.vary: found 'split' with folds, which vary the split already; accepted: init, order")
        raise StudyError(text)
    if not found and not folds:
        text = _("study.vary: found nothing, so all runs of a model would be identical; accepted: some of {sources}")
        raise StudyError(text.format(sources=", ".join(SOURCES)))
    if len(set(found)) < len(found):
        raise StudyError(_("study.vary: found {value}, accepted: each source once").format(value=list(found)))
    return tuple(source for source in SOURCES if source in found)


def n_folds(value: object) -> int:
    """The number of folds, 0 for none. Raises StudyError."""
    if value is None:
        return 0
    if isinstance(value, int) and not isinstance(value, bool) and (value == 0 or 2 <= value <= MOST_FOLDS):
        return value
    text = _("study.folds: found {value!r}, accepted: an integer from 2 to {most:,}")
    raise StudyError(text.format(value=value, most=MOST_FOLDS))


def fold_seeds(seeds: tuple[int, ...], folds: int) -> tuple[int, ...]:
    """The run seeds: with folds their numbers. Raises StudyError where seeds are asked for beside folds."""
    if not folds:
        return seeds
    if seeds not in (DEFAULT_SEEDS, tuple(range(folds))):
        raise StudyError(both(list(seeds), folds))
    return tuple(range(folds))


def both(seeds: Any, folds: Any) -> str:
    """The message where seeds and folds are both asked for."""
    return _(
        "study: found seeds ({seeds}) and folds ({folds}); accepted: one of them, because folds replace seeds"
    ).format(seeds=seeds, folds=folds)
