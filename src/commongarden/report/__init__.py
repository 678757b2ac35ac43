"""The report: words, charts, tables, one HTML page. It reads the store and nothing else."""

from __future__ import annotations

from commongarden.report.files import to_json, write
from commongarden.report.tables import terminal
from commongarden.report.words import verdict

__all__ = ["terminal", "to_json", "verdict", "write"]
