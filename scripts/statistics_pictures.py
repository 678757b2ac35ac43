"""Draws the pictures of docs/statistics.md, in English and Korean, from a stored study and the package's own functions:

commongarden run demo
.venv/bin/python scripts/statistics_pictures.py garden/demo [FOLDER]
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import vl_convert

import commongarden as cg
from commongarden.records import Estimate
from commongarden.stats.contrasts import is_within, outcome
from commongarden.stats.crossed import crossed_mean
from commongarden.stats.holm import holm_levels
from commongarden.stats.means import Components
from commongarden.stats.power import POWER, expected, least, power

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "drawings" / "statistics"
TEAL, ORANGE, GREY, INK, RULE = "#00796b", "#d9730d", "#9aa3a0", "#24302d", "#dfe5e3"
N_SIMULATED = 4_000

# what the pictures say: English, Korean
WORDS = {
    "accuracy": ("test accuracy (%)", "테스트 정확도 (%)"),
    "model": ("model", "모델"),
    "seed": ("seed", "시드"),
    "photo": ("test images, hardest first", "테스트 이미지 (어려운 것부터)"),
    "right": ("correct", "정답"),
    "wrong": ("wrong", "오답"),
    "difference": ("difference in accuracy (points)", "정확도 차이 (%p)"),
    "better": ("better", "우세"),
    "equivalent": ("equivalent", "동등"),
    "not resolved": ("not resolved", "판정 보류"),
    "worse": ("worse", "열세"),
    "comparisons": ("comparisons in one study", "한 실험의 비교 수"),
    "false": ("studies with a false claim (%)", "잘못된 주장이 나온 실험 (%)"),
    "each": ("each at 5 %", "비교마다 5 %"),
    "holm": ("with Holm's correction", "Holm 보정"),
    "seeds": ("seeds for each model", "모델당 시드 수"),
    "half": ("half width of the 95 % interval (points)", "95 % 신뢰구간의 반폭 (%p)"),
    "photos": ("test images", "테스트 이미지 수"),
    "true": ("true difference (points)", "실제 차이 (%p)"),
    "needed": ("seeds for 80 % power", "검정력 80 %에 필요한 시드 수"),
}
Words = Mapping[str, str]
Rows = Sequence[Mapping[str, Any]]


def data(rows: Rows) -> alt.InlineData:
    return alt.InlineData(values=list(rows))


def correctness(store: cg.Store, arm: str) -> np.ndarray:
    """The table (seeds, photos) of an arm: 1 where the photo is classified correctly."""
    runs = [store.predictions(arm, seed) for seed in store.study().seeds]
    return np.stack([(run.probabilities.argmax(axis=1) == run.labels).astype(float) for run in runs])


def seeds(store: cg.Store, say: Words) -> alt.LayerChart:
    """Every run as a dot, and the mean with its interval."""
    dots, means = [], []
    for arm in store.study().arms:
        table = 100 * correctness(store, arm)
        dots += [{"arm": arm, "x": float(value)} for value in table.mean(axis=1)]
        found = crossed_mean(table).interval()
        means.append({"arm": arm, "x": found.value, "low": found.low, "high": found.high})
    y = alt.Y("arm:N", title=None, sort=None)
    scale = alt.Scale(zero=False, nice=True)
    return alt.layer(
        alt.Chart(data(means)).mark_rule(size=9, color=TEAL, opacity=0.25).encode(x="low:Q", x2="high:Q", y=y),
        alt.Chart(data(means)).mark_tick(size=22, thickness=3, color=TEAL).encode(x="x:Q", y=y),
        alt.Chart(data(dots)).mark_point(filled=True, size=45, color=INK, opacity=0.85).encode(
            x=alt.X("x:Q", title=say["accuracy"], scale=scale), y=y
        ),
    ).properties(width=520, height=120)  # fmt: skip


def photos(store: cg.Store, say: Words) -> alt.Chart:
    """One model's answers: a row for each seed, a column for each of some test photos."""
    table = correctness(store, "plain")
    order = np.argsort(table.mean(axis=0), kind="stable")
    shown = order[np.linspace(0, len(order) - 1, 90).astype(int)]
    rows = [
        {"seed": int(seed), "photo": place, "said": say["right" if table[i, photo] else "wrong"]}
        for i, seed in enumerate(store.study().seeds)
        for place, photo in enumerate(shown)
    ]
    colours = alt.Scale(domain=[say["right"], say["wrong"]], range=["#b9dcd6", ORANGE])
    return alt.Chart(data(rows)).mark_rect(stroke="white", strokeWidth=0.6).encode(
        x=alt.X("photo:O", title=say["photo"], axis=alt.Axis(labels=False, ticks=False)),
        y=alt.Y("seed:O", title=say["seed"]),
        color=alt.Color("said:N", title=None, scale=colours, legend=alt.Legend(orient="top")),
    ).properties(width=560, height=110)  # fmt: skip


def verdicts(_: cg.Store, say: Words) -> alt.LayerChart:
    """Four differences, with the verdict that each interval allows at a margin of 1 point."""
    rows = []
    for value, half in ((4.2, 2.1), (0.2, 0.6), (1.6, 3.4), (-3.1, 1.9)):
        interval = Estimate(value / 100, (value - half) / 100, (value + half) / 100, 5, "")
        narrower = Estimate(value / 100, (value - 0.84 * half) / 100, (value + 0.84 * half) / 100, 5, "")
        verdict = outcome(interval, interval, is_within(narrower, 0.01))
        rows.append({"verdict": say[verdict], "x": value, "low": value - half, "high": value + half})
    y = alt.Y("verdict:N", title=None, sort=None)
    band = alt.Chart(data([{"low": -1, "high": 1}])).mark_rect(color=GREY, opacity=0.25).encode(x="low:Q", x2="high:Q")
    zero = alt.Chart(data([{"x": 0}])).mark_rule(color=INK).encode(x="x:Q")
    lines = alt.Chart(data(rows)).mark_rule(size=4, color=TEAL).encode(x="low:Q", x2="high:Q", y=y)
    points = alt.Chart(data(rows)).mark_point(filled=True, size=90, color=TEAL, opacity=1).encode(
        x=alt.X("x:Q", title=say["difference"], scale=alt.Scale(domain=[-6, 7])), y=y
    )  # fmt: skip
    return alt.layer(band, zero, lines, points).properties(width=520, height=150)


def comparisons(_: cg.Store, say: Words) -> alt.Chart:
    """How often a study of equal models claims a difference, by the number of comparisons, simulated."""
    draw, rows = np.random.default_rng(0), []
    for n in (1, 2, 3, 5, 7, 10, 15, 20):
        p = draw.uniform(size=(N_SIMULATED, n))
        corrected = [any(one < level for one, level in zip(row, holm_levels(row), strict=True)) for row in p.tolist()]
        rows += [
            {"n": n, "share": 100 * float((p < 0.05).any(axis=1).mean()), "way": say["each"]},
            {"n": n, "share": 100 * float(np.mean(corrected)), "way": say["holm"]},
        ]
    return lines(rows, "n", "share", "way", (say["comparisons"], say["false"], ""), [ORANGE, TEAL])


@functools.cache
def parts(store: cg.Store) -> Components:
    """The sources of variation of the difference between residual and plain, in points."""
    (found,) = (one for one in cg.summarize(store).contrasts if (one.arm, one.against) == ("residual", "plain"))
    assert found.components is not None
    seed, photo, rest = (100 * one for one in (found.components.seed, found.components.photo, found.components.rest))
    return replace(found.components, seed=seed, photo=photo, rest=rest)


def widths(store: cg.Store, say: Words) -> alt.Chart:
    """The width of an interval, by seeds and test photos."""
    from scipy.stats import t

    rows = []
    for n_photos in (100, 300, 1_000, 10_000):
        for n_seeds in range(3, 21):
            error, df = expected(parts(store), n_seeds, n_photos)
            rows.append({"n": n_seeds, "half": float(t.ppf(0.975, df)) * error, "photos": f"{n_photos:,}"})
    colours = [ORANGE, "#b58900", TEAL, "#2f5d9b"]
    return lines(rows, "n", "half", "photos", (say["seeds"], say["half"], say["photos"]), colours)


def needed(store: cg.Store, say: Words) -> alt.Chart:
    """The seeds with which a difference is found in four studies of five."""
    found, n_photos, rows = parts(store), len(store.predictions("plain", store.study().seeds[0]).labels), []
    for difference in np.arange(2.0, 10.1, 0.5):

        def is_enough(n: int, difference: float = float(difference)) -> bool:
            return power(difference, *expected(found, n, n_photos), 0.05) >= POWER

        if (n := least(is_enough, 3, 60)) is not None:
            rows.append({"x": float(difference), "n": n, "way": ""})
    chart = lines(rows, "x", "n", "way", (say["true"], say["needed"], ""), [TEAL])
    return chart.encode(color=alt.value(TEAL))


def lines(rows: Rows, x: str, y: str, by: str, titles: tuple[str, str, str], colours: list[str]) -> alt.Chart:
    groups = list(dict.fromkeys(row[by] for row in rows))
    scale = alt.Scale(domain=groups, range=colours)
    legend = alt.Legend(orient="top", labelLimit=300, symbolStrokeWidth=3)
    return alt.Chart(data(rows)).mark_line(point=True, strokeWidth=2.5).encode(
        x=alt.X(f"{x}:Q", title=titles[0], scale=alt.Scale(nice=False)),
        y=alt.Y(f"{y}:Q", title=titles[1], scale=alt.Scale(domainMin=0)),
        color=alt.Color(f"{by}:N", title=titles[2] or None, scale=scale, legend=legend),
    ).properties(width=480, height=230)  # fmt: skip


PICTURES: dict[str, Callable[[cg.Store, Words], alt.TopLevelMixin]] = {
    "seeds": seeds, "photos": photos, "verdicts": verdicts, "comparisons": comparisons, "widths": widths,
    "needed": needed,
}  # fmt: skip


def svg(chart: alt.TopLevelMixin) -> str:
    """The picture, with fonts that any system has."""
    axis = {"labelColor": INK, "titleColor": INK, "gridColor": RULE, "domainColor": RULE, "tickColor": RULE,
            "titleFontWeight": "normal", "titlePadding": 10, "labelFontSize": 12, "titleFontSize": 13,
            "labelLimit": 240}  # fmt: skip
    config = {"background": "white", "font": "system-ui, sans-serif", "axis": axis, "view": {"stroke": None},
              "padding": 10, "legend": {"labelFontSize": 12, "titleFontSize": 12, "labelColor": INK}}  # fmt: skip
    made: str = vl_convert.vegalite_to_svg(chart.to_dict(validate=False), config=config)
    return made


def draw(study: Path, folder: Path = FOLDER) -> None:
    store = cg.open_store(study)
    folder.mkdir(parents=True, exist_ok=True)
    for place, ending in enumerate((".svg", ".ko.svg")):
        say = {key: texts[place] for key, texts in WORDS.items()}
        for name, picture in PICTURES.items():
            (folder / f"{name}{ending}").write_text(svg(picture(store, say)) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    draw(Path(sys.argv[1]), *map(Path, sys.argv[2:3]))
