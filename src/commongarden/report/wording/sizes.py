"""Figures and differences of a metric, with their units: points, or nats of log loss."""

from __future__ import annotations

from commongarden.i18n.language import _
from commongarden.records import Estimate
from commongarden.report.wording.numbers import hundredths
from commongarden.stats import METRICS


def figure(metric: str, value: float, decimals: int = 1) -> str:
    """A figure of this metric without its unit: hundredths of a share, or nats."""
    if METRICS[metric].unit == "points":
        return hundredths(value, decimals)
    text = f"{value:.{decimals + 2}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def amount(metric: str, value: float, decimals: int = 1) -> str:
    """A figure with its unit: a difference between two arms.

    >>> amount("accuracy", 0.0312), amount("log_loss", 0.0312)
    ('3.1 points', '0.031 nats of log loss')
    """
    return _with_unit(metric, figure(metric, value, decimals))


def signed(metric: str, value: float) -> str:
    """
    >>> signed("accuracy", 0.012), signed("calibration_error", -0.012)
    ('+1.2 points', '-1.2 points of calibration error')
    """
    return _with_unit(metric, plus(metric, value))


def plus(metric: str, value: float) -> str:
    """A difference without its unit.

    >>> plus("accuracy", 0.012), plus("accuracy", -0.012), plus("accuracy", 0.0)
    ('+1.2', '-1.2', '0.0')
    """
    text = figure(metric, value)
    return f"+{text}" if value > 0 and float(text) != 0 else text


def margin(metric: str, value: float) -> str:
    """
    >>> margin("accuracy", 0.01), margin("accuracy", 0.005), margin("log_loss", 0.01)
    ('1 point', '0.5 points', '0.01 nats of log loss')
    """
    if METRICS[metric].unit == "nats":
        return _with_unit(metric, f"{value:g}")
    text = f"{100 * value:g}"
    return _("1 point") if text == "1" and metric == "accuracy" else _with_unit(metric, text)


def _with_unit(metric: str, size: str) -> str:
    patterns = {
        "accuracy": _("{size} points"),
        "balanced_accuracy": _("{size} points of balanced accuracy"),
        "log_loss": _("{size} nats of log loss"),
        "calibration_error": _("{size} points of calibration error"),
    }
    return patterns[metric].format(size=size)


def span(metric: str, estimate: Estimate | None) -> str:
    """The ends of an interval; "" where there are none."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    return _("{low} to {high}").format(low=figure(metric, estimate.low), high=figure(metric, estimate.high))
