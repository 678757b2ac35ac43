"""The report: words, charts, tables, one HTML page. It reads the store and nothing else."""

from __future__ import annotations

from commongarden.report.document import Cover
from commongarden.report.files import FORMATS, to_json, unread, write, write_as
from commongarden.report.results_csv import to_pandas
from commongarden.report.topics.tables import terminal
from commongarden.report.wording.words import verdict

__all__ = ["FORMATS", "Cover", "terminal", "to_json", "to_pandas", "unread", "verdict", "write", "write_as"]
