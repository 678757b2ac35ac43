"""How the models of a study were chosen, where screening chose them."""

from __future__ import annotations

from commongarden.report.wording import screening as wording
from commongarden.store import Store


def lines(store: Store) -> list[str]:
    """What the models were chosen from, and what follows for the results; nothing where screening chose none."""
    found = store.selection()
    if found is None or not found.candidates or not {*found.chosen} & {*store.study().arms}:
        return []
    return wording.chosen(found, same_split=store.split().hash == found.split)
