"""The image sizes that libraries document for published weights, asked in a process of its own: this one loads no
torch."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

from commongarden.runner.isolated import Calls, Died, Progress
from commongarden.study.arm import Arm


def own_sizes(arms: Mapping[str, Arm]) -> dict[str, int]:
    """The size in pixels of each arm that starts from published weights and whose library documents one. Raises
    ArchError for a model that its library does not have."""
    wanted = {name: arm.arch for name, arm in arms.items() if arm.wants_published}
    if not wanted:
        return {}
    with closing(Calls()) as made:
        try:
            return made.call(_sizes, wanted)
        except Died:  # the check of the networks will tell
            return {}


def _sizes(wanted: Mapping[str, str], say: Progress) -> dict[str, int]:
    from commongarden.train.preprocessing import own_input_size  # loads torch, in this process only

    say("measuring")
    found = {name: own_input_size(arch) for name, arch in wanted.items()}
    return {name: size for name, size in found.items() if size is not None}
