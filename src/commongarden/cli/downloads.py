"""What is asked before many bytes of published weights are downloaded."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from commongarden.errors import StudyError
from commongarden.i18n.language import ngettext

if TYPE_CHECKING:
    from commongarden.study import Arm

ASKED_FROM = 100_000_000  # bytes


def confirm(arms: Iterable[Arm], *, yes: bool, skip_unknown: bool = False) -> None:
    """Asks before more than 100 MB of weights are downloaded for these arms; nobody, where `yes` was given. Ends the
    command where the answer is no. skip_unknown: an arm without published weights is not told here. Raises StudyError
    where nobody can be asked."""
    from commongarden.runner import downloading

    found = () if yes else downloading.downloads(arms, skip_unknown=skip_unknown)
    missing = [each for each in found if not each.cached]
    n_bytes = sum(each.bytes or 0 for each in missing)
    if n_bytes <= ASKED_FROM:
        return
    size, n = f"{n_bytes / 1e6:,.0f} MB", len(missing)
    if not sys.stdin.isatty():
        text = ngettext(
            "{size} of weights would be downloaded for {n} model; accepted: --yes, or fewer models",
            "{size} of weights would be downloaded for {n} models; accepted: --yes, or fewer models",
            n,
        )
        raise StudyError(text.format(size=size, n=n))
    text = ngettext("Download {size} of weights for {n} model?", "Download {size} of weights for {n} models?", n)
    click.confirm(text.format(size=size, n=n), default=True, abort=True, err=True)
