"""results.csv: one row an arm, then the baselines, the commonest-class line last (docs/results-files.md).

Columns have the names and units of timm's result files where they mean the same (results-imagenet.csv and
benchmark-infer-*.csv in its repository), so that the two can be read side by side.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from commongarden.i18n.language import used
from commongarden.io.csv_cells import FORMULA
from commongarden.records import Estimate
from commongarden.report.topics.tables import COLUMNS, OTHER_METRICS
from commongarden.report.wording import baselines
from commongarden.stats import ArmResult, Results

if TYPE_CHECKING:
    import pandas

# our key -> (its column, what our value is multiplied by to have the column's unit); the first four are timm's
UNITS = {
    "test_accuracy": ("top1", 100.0),  # per cent
    "inference_ms": ("infer_step_time", 1.0),  # ms for one batch
    "n_params": ("param_count", 1e-6),  # millions
    "macs": ("infer_gmacs", 1e-9),  # thousands of millions of multiply-adds for one photo
    "balanced_accuracy": ("balanced_accuracy", 100.0),  # per cent, as top1
    "calibration_error": ("calibration_error", 100.0),
}

Value = str | int | float | None


def to_csv(results: Results) -> str:
    """The file's text."""
    rows = _rows(results)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), restval=None, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _safe(value) for key, value in row.items()} for row in rows)
    return out.getvalue()


def to_pandas(results: Results) -> pandas.DataFrame:
    """The results as a table, one row a model, then the baselines.

    Args:
        results: of a study, from `run` or `summarize`.

    Returns:
        A pandas.DataFrame with the columns of results.csv (docs/results-files.md): accuracies in per cent, times in
        seconds, each with the ends of its 95 % confidence interval in columns of their own.
    """
    import pandas  # takes half a second, which no command needs

    return pandas.DataFrame(_rows(results))


def _rows(results: Results) -> list[dict[str, Value]]:
    with used("en"):  # names in a file for programs are the same in every language
        return [*(_row(arm) for arm in results.arms), *_lines(results)]


def _row(arm: ArmResult) -> dict[str, Value]:
    height, width, _channels = arm.input
    row: dict[str, Value] = {
        "kind": "arm",
        "arm": arm.arm,
        "model": arm.arch,
        "img_size": width if width == height else f"{height}x{width}",
        "n_finished": arm.n_finished,
        "n_failed": arm.n_failed,
        "n_at_commonest": arm.n_at_commonest,
        **_three("learned", arm.learned, 100.0),
    }
    for key, is_estimate in (COLUMNS | dict.fromkeys(OTHER_METRICS, True)).items():
        if key in ("seeds", "published"):  # words, and two columns of their own
            continue
        name, factor = UNITS.get(key, (key, 1.0))
        value = getattr(arm, key)
        row |= _three(name, value, factor) if is_estimate else {name: None if value is None else factor * value}
        if name == "top1":
            row["top1_err"] = None if value is None else 100 - factor * value.value
        if name == "infer_step_time":
            row["infer_batch_size"] = None if value is None else 1
    published = arm.published
    row["published_top1"] = None if published is None else 100 * published.test_accuracy
    row["published_seconds"] = None if published is None else published.seconds
    return row


def _lines(results: Results) -> Iterator[dict[str, Value]]:
    """What a network must beat: the baselines, and always guessing the commonest class."""
    lines = [("baseline", baselines.name(item), item.test_accuracy) for item in results.baselines]
    commonest = results.commonest
    for kind, name, reached in (*lines, ("commonest class", f"always {commonest.label}", commonest.accuracy)):
        yield {"kind": kind, "arm": name, "top1": 100 * reached, "top1_err": 100 - 100 * reached}


def _three(name: str, estimate: Estimate | None, factor: float) -> dict[str, Value]:
    bounds = (None, None, None) if estimate is None else (estimate.value, estimate.low, estimate.high)
    names = (name, f"{name}_low", f"{name}_high")
    return {key: None if bound is None else factor * bound for key, bound in zip(names, bounds, strict=True)}


def _safe(value: Value) -> Value:
    """Text that begins like a formula gets an apostrophe, which spreadsheets take for "this is text"; numbers have
    twelve figures, so that 100 times a share is not 41.99999999999999."""
    if isinstance(value, float):
        return float(f"{value:.12g}")
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
