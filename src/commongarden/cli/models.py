"""Commands on what a study trained: best, evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commongarden.cli import options
from commongarden.cli.group import main
from commongarden.cli.options import as_json, no_code, print_json
from commongarden.i18n.language import _, ngettext
from commongarden.io import terminal

if TYPE_CHECKING:
    from commongarden.inference.evaluation import ClassScore, Evaluation


@main.command()
@click.argument("study", type=click.Path(path_type=Path))
@as_json
def best(study: Path, as_json: bool) -> None:
    """Show the best model of a study, how sure that is, and what to do next."""
    from commongarden import stats
    from commongarden.errors import StoreError
    from commongarden.report.wording import answers as wording
    from commongarden.store import open_store

    results = stats.summarize(open_store(study))
    found, said = stats.answer(results), wording.said(results, wording.typed(study))
    if found is None or said is None:
        raise StoreError(_("{folder}: no run has finished yet").format(folder=study))
    if as_json:
        reached = found.reached
        print_json({
            "model": found.best.arm,
            "metric": results.metric,
            "value": found.best.reached,
            "low": None if reached is None else reached.low,
            "high": None if reached is None else reached.high,
            "probability_best": found.best.probability_best,
            "significantly_better_than": list(found.beaten),
            "seeds_to_settle": found.seeds,
            "runs": [str(study / "runs" / found.best.arm / str(seed)) for seed in results.seeds],
        })  # fmt: skip
        return
    for line in wording.lines(said):
        click.echo(line)


@main.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.argument("source", metavar="DATA")
@options.model
@options.one_seed
@options.reading_options
@no_code
@as_json
def evaluate(
    study: Path,
    source: str,
    model: str | None,
    seed: int | None,
    layout: str | None,
    group_by: str | None,
    merge_classes: bool,
    as_json: bool,
) -> None:
    """Measure a trained model on new labelled images.

    STUDY is the folder of a study, DATA a folder of class folders or a CSV of path,label. By default the best model
    is used, with all its runs together; --model and --seed choose another.
    """
    from commongarden.cli.photos import progress
    from commongarden.inference.evaluation import evaluate as measure
    from commongarden.study import DataOptions

    with progress() as display:
        found = measure(
            study,
            source,
            model=model,
            seed=seed,
            options=DataOptions(layout or "", group_by or "", merge_classes),
            on_progress=lambda done, total: display.prepare(_("evaluating"), done, total),
        )
    if as_json:
        print_json(_table(found))
        return
    _print(found)


def _table(found: Evaluation) -> dict[str, Any]:
    import dataclasses

    table = dataclasses.asdict(found)
    return {**table, "confusion": found.confusion.tolist()}


def _print(found: Evaluation) -> None:
    from rich import box
    from rich.table import Table

    from commongarden.io.fitted import Fitted
    from commongarden.report.wording import numbers
    from commongarden.report.wording.numbers import DASH

    click.echo(_accuracy(found))
    if found.single is not None and found.single.low is not None and found.single.high is not None:
        text = _("A single run: {value} on average (95 % CI {low} to {high}, over runs and images).")
        low, high = (numbers.hundredths(bound) for bound in (found.single.low, found.single.high))
        click.echo(text.format(value=numbers.percent(found.single.value), low=low, high=high))
    columns = (_("class"), _("images"), _("precision"), _("recall"), "F1", _("most often confused with"))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for i, name in enumerate(columns):
        table.add_column(name, justify="left" if i in (0, 5) else "right")
    for i, score in enumerate(found.classes):
        shares = (
            DASH if share is None else numbers.percent(share) for share in (score.precision, score.recall, score.f1)
        )
        table.add_row(
            score.label, numbers.whole(score.n) if score.n else _("no images"), *shares, _mistaken(found, i, score)
        )
    terminal.console().print(Fitted(table))
    if found.known:
        text = ngettext(
            "warning: {n} image was in the study's training or validation set; the results are too optimistic",
            "warning: {n} images were in the study's training or validation set; the results are too optimistic",
            found.known,
        )
        click.echo(text.format(n=numbers.whole(found.known)), err=True)
    for path, reason in found.left_out:
        click.echo(_("left out: {reason}").format(reason=f"{path}: {reason}"), err=True)


def _accuracy(found: Evaluation) -> str:
    from commongarden.report.wording import numbers

    n_runs = len(found.seeds)
    runs = ngettext("{n} run", "{n} runs together", n_runs).format(n=n_runs)
    images = ngettext("{n} image", "{n} images", found.n).format(n=numbers.whole(found.n))
    low, high = (numbers.hundredths(bound or 0.0) for bound in (found.accuracy.low, found.accuracy.high))
    return _("{model} ({runs}): accuracy {value} on {images} (95 % CI {low} to {high}).").format(
        model=found.model, runs=runs, value=numbers.percent(found.accuracy.value), images=images, low=low, high=high
    )


def _mistaken(found: Evaluation, i: int, score: ClassScore) -> str:
    row = found.confusion[i].copy()
    row[i] = 0
    if not row.any():
        return ""
    other = int(row.argmax())
    return f"{found.classes[other].label} ({row[other]})"
