"""What was found in the networks before they were trained."""

from __future__ import annotations

from collections.abc import Sequence

from commongarden.report.document import Block, Bullets, Fold, Paragraph, Section
from commongarden.report.wording import audits
from commongarden.report.wording.labels import TEXT
from commongarden.store import Store

N_OPEN = 5  # findings of an arm that are shown without being asked for


def section(store: Store, arms: Sequence[str]) -> Section | None:
    """The arms that were looked at before their runs, those with findings first; None where none was."""
    kept = {arm: audit for arm, audit in store.audits().items() if arm in arms}
    if not kept:
        return None
    blocks: list[Block] = [Paragraph(TEXT["audit_caption"], role="soft")]
    for arm in sorted(kept, key=lambda arm: (not kept[arm].findings, arms.index(arm))):
        said = audits.summary(arm, kept[arm])
        found = tuple((one.path, audits.says(one)) for one in kept[arm].findings)
        if found:
            blocks.append(Fold(said, (Bullets(found, ""),), arm, open=len(found) <= N_OPEN))
        else:
            blocks.append(Paragraph(said, arm=arm))
    return Section(TEXT["audit"], tuple(blocks), anchor="audit")
