"""What the sections of the document are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from commongarden.i18n.language import _
from commongarden.records import Estimate, Run
from commongarden.report.document.blocks import Block, Paragraph, Section
from commongarden.report.topics.page_data import Histories
from commongarden.stats import Results
from commongarden.store import Store
from forensic_study.analysis import Forensics
from forensic_study.published import Timing


@dataclass(frozen=True)
class Gathered:
    """runs: those that finished. reached: test accuracies by arm and seed. timing: None where none was measured."""

    store: Store
    results: Results
    runs: Sequence[Run]
    found: Forensics
    histories: Histories
    reached: Mapping[str, Mapping[int, float]]
    timing: Timing | None

    def mean(self, arm: str) -> Estimate | None:
        """An arm's test accuracy over its seeds, where it has any."""
        return next((one.test_accuracy for one in self.results.arms if one.arm == arm), None)


def titled(title: str, *blocks: Block | None) -> Section:
    """A section of what there is; said where there is nothing yet."""
    kept = tuple(block for block in blocks if block is not None)
    return Section(title, kept or (Paragraph(_("The runs for this are not finished.")),))
