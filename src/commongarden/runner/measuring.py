"""Networks by others are measured before a study knows them: in a process of its own, since it runs their code and
loads torch, which this one does not.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from commongarden import origin
from commongarden.arm import Arm
from commongarden.errors import RunnerError
from commongarden.language import _, current
from commongarden.origin import Origin
from commongarden.runner import processes
from commongarden.study import Study

Input = tuple[int, int, int]


def measure(arm: Arm, n_classes: int, input: Input) -> Arm:
    """The arm with the cost of its network for so many classes and images of (height, width, channels).

    One of commongarden's own is returned as it is. Raises ArchError where the network cannot be made, RunnerError
    where making it takes the process down.
    """
    return _measured({"": (arm, input)}, n_classes)[""]


def measured(study: Study, n_classes: int) -> Study:
    """The study with every network by others measured at its arm's resolution; see `measure`."""
    wanted = {}
    for name, arm in study.arms.items():
        resolution = study.recipe_of(name).resolution
        wanted[name] = (arm, (resolution, resolution, 3))
    return dataclasses.replace(study, arms=_measured(wanted, n_classes))


def _measured(wanted: Mapping[str, tuple[Arm, Input]], n_classes: int) -> dict[str, Arm]:
    arms = {name: arm for name, (arm, _) in wanted.items()}
    lacking = {
        name: (arm, input)
        for name, (arm, input) in wanted.items()
        if arm.origin is not None and not arm.origin.fits(n_classes, input)
    }
    if not lacking:
        return arms
    for arm, _input in lacking.values():
        origin.check_allowed(arm.arch)
    begun = (dict(os.environ), current())
    with ProcessPoolExecutor(1, processes.context(), processes.begin, begun) as pool:
        for name, (arm, input) in lacking.items():
            with processes.quiet_start():  # the first one starts the process
                found = pool.submit(_measure, arm, n_classes, input)
            try:
                kept = found.result()
            except BrokenProcessPool:
                raise RunnerError(
                    _(
                        "{arch}: the process that was to measure it ended; what it printed says why. A script must be "
                        'a file, with its calls under `if __name__ == "__main__":`, because such processes import it.'
                    ).format(arch=arm.arch)
                ) from None
            arms[name] = dataclasses.replace(arm, origin=kept)
    return arms


def _measure(arm: Arm, n_classes: int, input: Input) -> Origin:
    from commongarden.train.measure import network_by_others  # loads torch, in this process only

    return network_by_others(arm, n_classes, input)
