"""Which studies may be combined: the same models on different data sets, judged by the same metric."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from commongarden.errors import StudyError
from commongarden.i18n.language import _
from commongarden.stats.between_studies import Side
from commongarden.study import Arm, Study
from commongarden.study.factorial import shown

SHARED = 0.05  # of the images of the smaller data set that may be in the other one too


@dataclass(frozen=True)
class Joined:
    """Studies that may be combined. arms: the models that all of them have, in the order of the first. left_out: those
    that some lack. margin: as a share."""

    sides: tuple[Side, ...]
    arms: tuple[str, ...]
    left_out: tuple[str, ...]
    metric: str
    margin: float


def joined(sides: Sequence[Side], margin: float | None = None) -> Joined:
    """The studies together. margin: in points, in place of the studies' own.

    Raises StudyError where they may not be combined: fewer than two, one data set twice, different metrics or margins,
    fewer than two models in common, or a model that is another network in another study.
    """
    if len(sides) < 2:
        raise StudyError(_("combine: found one study; accepted: two or more, each on a data set of its own"))
    for one, two in itertools.combinations(sides, 2):
        _check_data(one, two)
    first = sides[0]
    for side in sides[1:]:
        if side.results.metric != first.results.metric:
            text = _(
                "{one} and {two}: found the metrics {metric} and {other}; accepted: the same metric in all studies"
            )
            metrics = {"metric": first.results.metric, "other": side.results.metric}
            raise StudyError(text.format(one=first.name, two=side.name, **metrics))
        if margin is None and side.results.margin != first.results.margin:
            text = _(
                "{one} and {two}: found the margins {margin:g} and {other:g}; accepted: the same margin in all "
                "studies, "
                "or --margin POINTS"
            )
            margins = {"margin": 100 * first.results.margin, "other": 100 * side.results.margin}
            raise StudyError(text.format(one=first.name, two=side.name, **margins))
    studies = {side.name: side.store.study() for side in sides}
    arms = [arm for arm in studies[first.name].arms if all(arm in study.arms for study in studies.values())]
    every = dict.fromkeys(arm for study in studies.values() for arm in study.arms)
    if len(arms) < 2:
        listed = "; ".join(f"{name}: {', '.join(study.arms)}" for name, study in studies.items())
        text = _("combine: the studies have {n} models of the same name; accepted: at least 2 ({models})")
        raise StudyError(text.format(n=len(arms), models=listed))
    for side in sides[1:]:
        for arm in arms:
            _check_arm(arm, first.name, studies[first.name], side.name, studies[side.name])
    share = first.results.margin if margin is None else margin / 100
    left_out = tuple(arm for arm in every if arm not in arms)
    return Joined(tuple(sides), tuple(arms), left_out, first.results.metric, share)


def _check_data(one: Side, two: Side) -> None:
    """Refuses studies on the same images: these are one data set, and count once."""
    mine, other = ({photo.sha256 for photo in side.store.manifest().photos} for side in (one, two))
    n_shared, smaller = len(mine & other), min(len(mine), len(other))
    if n_shared > SHARED * smaller:
        text = _(
            "{one} and {two}: found {n:,} images in both, of {smaller:,} in the smaller data set; accepted: studies on "
            "different data sets"
        )
        raise StudyError(text.format(one=one.name, two=two.name, n=n_shared, smaller=smaller))


def _check_arm(arm: str, name: str, study: Study, other_name: str, other: Study) -> None:
    """Refuses a model that differs between the studies in more than what the data set decides."""
    one, two = study.arms[arm], other.arms[arm]
    differs = _difference(one, two)
    if differs is None and (arm in study.tuned_from()) != (arm in other.tuned_from()):
        differs = _("tuning"), shown(arm in study.tuned_from()), shown(arm in other.tuned_from())
    if differs is None and arm not in study.tuned_from():  # a tuned model has the values that its data set asks for
        values, others = (each.recipe_of(arm) for each in (study, other))
        own = (key for key in sorted({*one.overrides, *two.overrides}) if getattr(values, key) != getattr(others, key))
        differs = next(((key, shown(getattr(values, key)), shown(getattr(others, key))) for key in own), None)
    if differs is not None:
        what, mine, theirs = differs
        text = _(
            "model {arm}: {what} is {mine} in {one} and {theirs} in {two}; accepted: the same model in all studies, or "
            "another name for one of them"
        )
        raise StudyError(text.format(arm=arm, what=what, mine=mine, theirs=theirs, one=name, two=other_name))


def _difference(one: Arm, two: Arm) -> tuple[str, str, str] | None:
    """(what, value, other value) of the first thing in which two networks differ; None where they are the same."""
    if one.arch != two.arch:
        return _("the architecture"), one.arch, two.arch
    for key in sorted({*one.options, *two.options}):
        mine, theirs = one.options.get(key), two.options.get(key)
        if mine != theirs:
            return key, shown(mine), shown(theirs)
    return None
