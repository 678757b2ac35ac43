"""The section on what the networks look at: evidence side by side, first kernels, the map of the test photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from commongarden.i18n.language import _, ngettext
from commongarden.report import charts
from commongarden.report.charts import INK, Chart, colour, finished, inline
from commongarden.report.wording import numbers
from commongarden.report.wording.labels import TEXT
from commongarden.stats import Results, predictions_by_arm
from commongarden.stats.disagreed import Disagreement, disagreements
from commongarden.store import Store, attribution_maps
from commongarden.store.attribution_maps import Attribution, Evidence

N_MAPS = 6  # arms whose test photos are mapped


@dataclass(frozen=True)
class Side:
    """What one arm says of a photo. jpeg: the photo with the evidence for that, empty where there is no map."""

    arm: str
    said: str
    is_right: bool
    jpeg: bytes
    alternative: str


@dataclass(frozen=True)
class Shown:
    """A photo on which two arms disagree."""

    path: str
    label: str
    jpeg: bytes
    sides: tuple[Side, Side]


@dataclass(frozen=True)
class Pair:
    """The photos of one contrast."""

    arms: tuple[str, str]
    said: str
    photos: tuple[Shown, ...]


@dataclass(frozen=True)
class Kernels:
    arm: str
    said: str
    png: bytes


@dataclass(frozen=True)
class Seen:
    """classes: with their colours on the maps of test photos, where those have colours enough."""

    pairs: tuple[Pair, ...]
    kernels: tuple[Kernels, ...]
    maps: tuple[tuple[str, Chart, str], ...]
    classes: tuple[tuple[str, str], ...]


def section(store: Store, results: Results) -> Seen | None:
    """What was kept of the arms; None where nothing was."""
    study = store.study()
    sights = {arm: sight for arm in study.arms if (sight := attribution_maps.read(store, arm)) is not None}
    if not sights:
        return None
    tested = predictions_by_arm(store, study, store.runs())
    pairs = [_pair(item, sights, results.classes) for item in disagreements(study, tested)]
    return Seen(
        tuple(pair for pair in pairs if pair is not None),
        tuple(Kernels(arm, _kernels(sight), sight.filters) for arm, sight in sights.items() if sight.filters),
        tuple(
            (arm, _map(f"seen_{i}", sight, results.classes), _spread(sight))
            for i, (arm, sight) in enumerate([*sights.items()][:N_MAPS])
            if len(sight.points) > 1
        ),
        tuple((label, colour(i)) for i, label in enumerate(results.classes[: charts.N_COLOURS])),
    )


def _pair(found: Disagreement, sights: dict[str, Attribution], classes: Sequence[str]) -> Pair | None:
    """None where an arm has not been looked at since, or not with these photos."""
    arms = (found.contrast.arm, found.contrast.against)
    if any(arm not in sights or sights[arm].seed != found.seed for arm in arms):
        return None
    rows = [{item.path: item for item in sights[arm].evidence} for arm in arms]
    photos = [path for path in found.photos if all(path in row for row in rows)]
    if not photos:
        return None
    shown = tuple(
        Shown(
            path,
            classes[rows[0][path].label],
            rows[0][path].photo,
            (_side(arms[0], rows[0][path], classes), _side(arms[1], rows[1][path], classes)),
        )
        for path in photos
    )
    said = _("{arm} and {against}, the runs with seed {seed}.").format(arm=arms[0], against=arms[1], seed=found.seed)
    return Pair(arms, said, shown)


def _side(arm: str, found: Evidence, classes: Sequence[str]) -> Side:
    called = classes[found.called]
    said = _("{label} ({probability})").format(label=called, probability=numbers.percent(found.probability, 0))
    alternative = _("What in {path} speaks for {label} to {arm}").format(path=found.path, label=called, arm=arm)
    return Side(arm, said, found.called == found.label, found.map, alternative)


def _kernels(sight: Attribution) -> str:
    height, width = sight.kernel
    return ngettext("{n} kernel of {size}", "{n} kernels of {size}", sight.n_filters).format(
        n=sight.n_filters, size=f"{height}×{width}"
    )


def _spread(sight: Attribution) -> str:
    wrong = int((sight.labels != sight.called).sum())
    share = numbers.percent(sum(sight.explained), 0)
    counted = ngettext("{n} of {all} photos wrong", "{n} of {all} photos wrong", wrong)
    parts = {"counted": counted.format(n=wrong, all=len(sight.labels)), "share": share, "n": sight.n_features}
    return _("{counted}. The two axes hold {share} of the spread of {n} features.").format(**parts)


def _map(name: str, sight: Attribution, classes: Sequence[str]) -> Chart:
    """The test photos by the features before the head: a dot in its class's colour, a cross where it is called another
    one."""
    rows = [
        {
            "x": float(x),
            "y": float(y),
            "class": classes[label],
            "called": classes[called],
            "hue": colour(label) if len(classes) <= charts.N_COLOURS else INK,
        }
        for (x, y), label, called in zip(sight.points, sight.labels, sight.called, strict=True)
    ]
    right = [row for row in rows if row["class"] == row["called"]]
    wrong = [row for row in rows if row["class"] != row["called"]]
    scale, hidden = (
        alt.Scale(nice=False, zero=False, padding=8),
        alt.Axis(labels=False, ticks=False, grid=False, title=None),
    )
    x, y = alt.X("x:Q", scale=scale, axis=hidden), alt.Y("y:Q", scale=scale, axis=hidden)
    told = [alt.Tooltip("class:N", title=TEXT["is"]), alt.Tooltip("called:N", title=TEXT["called"])]
    hue = alt.Fill("hue:N", scale=None)
    layers = [
        alt.Chart(inline(right)).mark_point(filled=True, size=34, opacity=0.75, strokeWidth=0)
        .encode(x=x, y=y, fill=hue, tooltip=told),
        alt.Chart(inline(wrong)).mark_point(filled=False, shape="cross", size=70, opacity=1, strokeWidth=1)
        .encode(x=x, y=y, fill=hue, stroke=alt.StrokeValue(INK), tooltip=told),
    ]  # fmt: skip
    layers = [layer for layer, shown in zip(layers, (right, wrong), strict=True) if shown]  # vega warns of an empty one
    return finished(name, alt.layer(*layers), f"{sight.arm}: {_spread(sight)}", 280)
