"""The one self-contained page: opens offline, asks nobody for anything, reads the store and nothing else."""

from __future__ import annotations

import base64
import functools
import json
import re
from collections.abc import Sequence
from importlib import resources
from typing import Any

import jinja2
from altair.utils import schemapi
from markupsafe import Markup

from commongarden.i18n import language
from commongarden.records import Predictions, Run
from commongarden.report import charts
from commongarden.report.charts import Chart, curves
from commongarden.report.document import scripts
from commongarden.report.topics import (
    ablation,
    attribution,
    budgets,
    duplicates,
    evidence,
    factors,
    methods,
    page_data,
    pareto,
    race,
    tables,
    terms,
    tuned,
    why,
)
from commongarden.report.wording import baselines, designs, numbers, words
from commongarden.report.wording.labels import TEXT
from commongarden.stats import ContrastResult, Results
from commongarden.store import Store
from commongarden.study import Study
from commongarden.study.built_in import text_of


@schemapi.debug_mode(False)
def render(store: Store, results: Results) -> str:
    """The page as HTML text."""
    study, runs, manifest, split = store.study(), store.runs(), store.manifest(), store.split()
    arms, raced = [arm.arm for arm in results.arms], race.section(store)
    histories = page_data.histories(store, arms, runs)
    predictions = page_data.all_predictions(store, runs)
    contrasts = words.verdicts(results)
    label = results.commonest.label
    guesses = {part: page_data.share_of(manifest, getattr(split, part), label) for part in ("train", "val")}
    confusions = _confusions(results, predictions)

    answer = [charts.differences(results, contrasts), charts.accuracies(results, page_data.accuracies(arms, runs))]
    over = curves.curves(histories, guesses, results.commonest.loss)
    time = curves.over_time(histories, guesses["val"])
    fronts = pareto.fronts(results)
    budgets_chart, tuned_chart = budgets.chart(results), tuned.chart(results)
    factorial, worths = factors.section(results), ablation.section(results)
    looked, reasons = attribution.section(store, results), why.section(store, results)
    drawn = [
        budgets_chart,
        tuned_chart,
        *answer,
        factorial and factorial.chart,
        worths and worths.chart,
        *over,
        time,
        *(chart for chart, _ in fronts),
        *(chart for chart, _ in confusions),
        *(chart for _arm, chart, _said in (looked.maps if looked else ())),
        *(reasons.charts if reasons else []),
    ]
    return (
        environment()
        .get_template("page.html")
        .render(
            text=designs.labels(TEXT, study.folds),
            lang=language.current(),
            translate=language.translate,
            text_of=text_of,
            words=words,
            designs=designs,
            effects=factorial,
            worth=worths,
            worth_units=ablation.units(results),
            terms=terms.terms(study, manifest, store.splits(), runs),
            numbers=numbers,
            study=study,
            results=results,
            question=text_of(study.description) or words.question(arms, page_data.data_name(study)),
            progress=_progress(results, study) if raced is None else None,
            race=raced,
            hopeless=race.hopeless(runs),
            headline=words.headline(results),
            verdicts=[_verdict(contrast, arms) for contrast in contrasts],
            alone=words.one_arm(results.arms[0], study.folds)
            if len(arms) == 1 and results.arms[0].n_finished
            else None,
            notes=words.notes(results),
            evidence=evidence.section(results),
            why=reasons,
            why_title=why.title,
            without_reason=why.without_reason,
            colours={arm: charts.colour(i) for i, arm in enumerate(arms)},
            dashed=[arm for i, arm in enumerate(arms) if charts.dash(i) != [1, 0]],
            has_intervals=any(arm.n_finished > 1 for arm in results.arms),
            answer=[chart for chart in answer if chart],
            baselines_caption=baselines.caption(results.baselines, results.n_train),
            budgets=budgets,
            budgets_chart=budgets_chart,
            tuned=tuned,
            tuned_chart=tuned_chart,
            differences_caption=words.differences_caption(results),
            curves=over,
            time=time,
            fronts=fronts,
            confusions=confusions,
            columns=tables.columns(results),
            rows=[
                (row, {key: tables.cell(key, row.values[key]) for key in tables.COLUMNS})
                for row in tables.rows(results)
            ],
            published_seconds=tables.published_seconds(results),
            n_runs=len(predictions),
            missed=page_data.missed_photos(store, predictions, results.classes),
            seen=looked,
            audits=page_data.audit_rows(store, arms),
            duplicates=duplicates.section(store, study, manifest, split),
            data_name=page_data.data_name(study),
            understood=store.understood(),
            counts=page_data.class_counts(manifest, split),
            left_out=page_data.left_out(manifest, split),
            recipe=page_data.recipe_rows(study),
            arms=page_data.arm_rows(study),
            runs=page_data.run_rows(runs, histories),
            failures=[
                (words.failure(run), run.failure.traceback if run.failure else "")
                for run in runs
                if run.status == "failed"
            ],
            machines=page_data.machine_lines(runs),
            versions=page_data.versions(runs),
            fingerprints=page_data.fingerprints(runs),
            command=page_data.command(store),
            methods=methods.methods(study, results, runs, raced=raced is not None),
            limits=words.limits(results, {study.recipe_of(arm).select for arm in arms}),
            css=Markup(source("page.css")),
            bundle=Markup(scripts.bundle()) if any(drawn) else "",
            specs=Markup(in_script({chart.name: chart.spec for chart in drawn if chart})),
        )
    )


def in_script(value: object) -> str:
    """JSON that can stand inside a script element whatever text is in it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    escapes: dict[str, str | int | None] = {
        "<": "\\u003c",
        ">": "\\u003e",
        "&": "\\u0026",
        "\u2028": "\\u2028",
        "\u2029": "\\u2029",
    }
    return text.translate(str.maketrans(escapes))


def _verdict(contrast: ContrastResult, arms: Sequence[str]) -> dict[str, Any]:
    established = contrast.outcome in ("better", "worse")
    winner = contrast.arm if contrast.outcome == "better" else contrast.against
    return {
        "contrast": contrast,
        "sentence": words.verdict(contrast),
        "beside": [said for said in (words.remedy(contrast), words.signflip(contrast)) if said],
        "differs": words.differs(contrast),
        "colour": charts.colour(arms.index(winner)) if established else None,
    }


def _progress(results: Results, study: Study) -> str | None:
    finished = sum(arm.n_finished for arm in results.arms)
    failed = sum(arm.n_failed for arm in results.arms)
    return words.progress(finished, failed, len(study.arms) * len(study.seeds))


def _confusions(results: Results, predictions: Sequence[tuple[Run, Predictions]]) -> list[tuple[Chart, dict[str, str]]]:
    """A chart for every arm with a run, with the arm's name and the sentence below it."""
    found = []
    for i, arm in enumerate(results.arms):
        shares = page_data.confusion_shares(predictions, arm.arm, len(results.classes))
        if shares is None:
            continue
        places = charts.worst_classes(shares.tolist())
        classes = [results.classes[place] for place in places]
        said = words.mistaken(results.classes, shares.tolist())
        if len(places) < len(results.classes):
            said += f" {words.kept_classes(len(places), len(results.classes))}"
        chart = charts.confusion(f"confusion_{i}", arm.arm, classes, page_data.plain(shares, places))
        found.append((chart, {"arm": arm.arm, "said": said}))
    return found


@functools.cache
def environment() -> jinja2.Environment:
    """The templates of the pages."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(source),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_unbroken,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = _data_uri
    return environment


def _unbroken(value: object) -> object:
    """Text in which no line ends between a number and its sign of percent."""
    return re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", value) if type(value) is str else value


def _data_uri(picture: bytes, kind: str = "image/jpeg") -> str:
    return f"data:{kind};base64,{base64.b64encode(picture).decode()}"


def source(name: str) -> str:
    """The text of a file of this package."""
    return (resources.files("commongarden.report.document") / name).read_text(encoding="utf-8")
