"""What a study tells and asks while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from commongarden.records.findings import Audit
from commongarden.runner.display import Display
from commongarden.runner.forecast import Forecast
from commongarden.stats.raced import Raced


@dataclass(frozen=True)
class Callbacks:
    """What a study tells and asks while it runs.

    Args:
        display: Shows preparation, notes and events.
        confirm: Asked before runs that take more than ten minutes; false declines them. None asks nobody.
        audit_note: The note on an audit with findings of an arm; "" for none.
        interim_note: The note on the interim analysis with this number; "" for none.
    """

    display: Display
    confirm: Callable[[Forecast], bool] | None = None
    audit_note: Callable[[str, Audit], str] = lambda arm, audit: ""
    interim_note: Callable[[Raced, int], str] = lambda raced, number: ""
