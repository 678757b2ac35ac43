"""What the published weights of a study would take to download, asked in a process of its own: this one loads no
torch."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

from commongarden.errors import CommonGardenError
from commongarden.runner.isolated import Calls, Died, Progress
from commongarden.store import open_store
from commongarden.study import Arm, Study
from commongarden.train.hub import SECONDS_TO_REACH
from commongarden.train.published import Download


def downloads(
    arms: Iterable[Arm], seconds: float = SECONDS_TO_REACH, *, skip_unknown: bool = False
) -> tuple[Download, ...]:
    """As `train.published.downloads`. Raises ArchError for a model or tag that its library does not have."""
    wanted = tuple(arm for arm in arms if arm.wants_published)
    if not wanted:
        return ()
    with closing(Calls()) as made:
        try:
            return made.call(_downloads, wanted, seconds, skip_unknown)
        except Died:  # the check of the networks will tell
            return ()


def unknown_weights(study: Study, root: Path) -> list[Arm]:
    """The arms that start from published weights which the study's folder does not know yet."""
    known: dict[str, Arm] = {}
    if (root / "study.toml").is_file():
        with suppress(CommonGardenError):  # told when the study is opened
            known = open_store(root).study().arms
    return [
        arm
        for name, arm in study.arms.items()
        if arm.wants_published and not (name in known and (kept := known[name].origin) is not None and kept.weights)
    ]


def _downloads(arms: tuple[Arm, ...], seconds: float, skip_unknown: bool, say: Progress) -> tuple[Download, ...]:
    from commongarden.train.published import downloads

    return downloads(arms, seconds, skip_unknown=skip_unknown)
