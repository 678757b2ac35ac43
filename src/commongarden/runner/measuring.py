"""Networks of other people's code are measured and checked before a study knows them: in a process of its own, since
their code may crash and loads torch, which this process does not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeVar

from commongarden.errors import ArchError, CommonGardenError
from commongarden.i18n.coded import Coded
from commongarden.i18n.language import N_, _, translate
from commongarden.runner import limits
from commongarden.runner.isolated import Calls, Died, Progress
from commongarden.study import origin
from commongarden.study.arm import Arm
from commongarden.study.origin import Origin
from commongarden.study.recipe import Recipe, override

Result = TypeVar("Result")
Input = tuple[int, int, int]
PLAIN = "channels-first"  # torch's own memory layout, which every network is written for
CRASHED = N_("trained in the memory layout {layout}: with {wanted}, the process crashed in {phase} ({reason})")


def measure(arm: Arm, n_classes: int, input: Input) -> Arm:
    """Measures the cost of a network of torchvision, timm or a user's file, in a process of its own.

    Args:
        arm: the arm that names it.
        n_classes: number of logits that it is built with.
        input: (height, width, channels) of an image, in pixels.

    Returns:
        The arm with parameters, MACs and activation bytes in `arm.origin`; an arm of commongarden's own architectures
        is returned as it is, since its cost is computed.

    Raises:
        ArchError: the network cannot be built, or crashes its process.
    """
    if arm.origin is None or arm.origin.fits(n_classes, input):
        return arm
    origin.check_allowed(arm.arch)
    with closing(Calls()) as made:
        try:
            return dataclasses.replace(arm, origin=made.call(_measure, arm, n_classes, input))
        except Died as died:
            raise _crashed(arm, died) from None


def preflight(arm: Arm, n_classes: int, input: Input, recipe: Recipe | None = None, device: str = "cpu") -> Arm:
    """Checks that a network of torchvision, timm or a user's file can be trained, before any image is decoded.

    It does what a run by this recipe will do (forward and backward pass, optimizer step, evaluation, storing, loading,
    resuming) on a few images, in a process of its own.

    Args:
        arm: the arm that names the network.
        n_classes: number of logits that it is built with.
        input: (height, width, 3) of an image, in pixels.
        recipe: how it will be trained; None for the default recipe at that image size.
        device: "cpu", "cuda" or another name of torch's.

    Returns:
        The arm with the cost of its network and what the check found (a memory layout to avoid, notes) in `arm.origin`;
        an arm of commongarden's own architectures is returned as it is.

    Raises:
        ArchError: the network cannot be built or trained, or crashes its process.
    """
    check = _Check(arm, n_classes, input, override(recipe or Recipe(), arm.overrides), device)
    if not check.is_needed():
        return arm
    origin.check_allowed(arm.arch)
    with closing(Calls()) as made:
        return check.carried_out(made)


def measured(
    arms: Mapping[str, Arm],
    recipe: Recipe,
    n_classes: int,
    *,
    finished: Collection[str] = (),
    device: str = "cpu",
    on_progress: Callable[[int, int], None] | None = None,
    on_bytes: Callable[[int, int], None] | None = None,
    tell: Callable[[str], None] | None = None,
) -> dict[str, Arm]:
    """The arms with every network of other people's code measured at its arm's image size and checked
    (train/preflight.py).

    recipe: that they share. finished: arms with finished runs; any other one that was measured by an earlier version is
    checked again. on_progress(done, total) is called after each network, on_bytes(done, total) while weights are
    downloaded; tell hears of a check that takes long.
    """
    found, checks, fetched = dict(arms), {}, _Fetched(on_bytes)
    for name, arm in arms.items():
        own = override(recipe, arm.overrides)
        check = _Check(arm, n_classes, (own.resolution, own.resolution, 3), own, device, tell, fetched.hear)
        if check.is_needed(has_runs=name in finished):
            checks[name] = check
    if not checks:
        return found
    for check in checks.values():
        origin.check_allowed(check.arm.arch)
    on_progress = on_progress or (lambda done, total: None)
    with closing(Calls()) as made:
        for done, (name, check) in enumerate(checks.items()):
            on_progress(done, len(checks))
            try:
                found[name] = check.carried_out(made)
            except ArchError as error:
                raise ArchError(f"arms.{name}: {error}") from None
            fetched.end()
            if not origin.is_of_library(check.arm.arch):
                made.close()  # what the user's code changed for the whole process is not the next network's
    on_progress(len(checks), len(checks))
    return found


class _Fetched:
    """Bytes of all weights that are downloaded, in all and so far."""

    def __init__(self, on_bytes: Callable[[int, int], None] | None) -> None:
        self.on_bytes = on_bytes
        self.before, self.now = 0, 0

    def hear(self, n_bytes: int, of: int) -> None:
        self.now = n_bytes
        if self.on_bytes is not None:
            self.on_bytes(self.before + n_bytes, self.before + max(of, n_bytes))

    def end(self) -> None:
        """The next file begins."""
        self.before, self.now = self.before + self.now, 0


@dataclass(frozen=True)
class _Check:
    """The preflight check of an arm. recipe: how it will be trained; tell hears where the check takes long, on_bytes
    how much of its weights has been downloaded."""

    arm: Arm
    n_classes: int
    input: Input
    recipe: Recipe
    device: str
    tell: Callable[[str], None] | None = None
    on_bytes: Callable[[int, int], None] | None = None

    def is_needed(self, *, has_runs: bool = False) -> bool:
        """Not for an arm of our own, nor for one that has passed it."""
        kept = self.arm.origin
        if kept is None:
            return False
        is_known = has_runs or kept.preflight == origin.PREFLIGHT
        return not (is_known and kept.fits(self.n_classes, self.input))

    def carried_out(self, made: Calls) -> Arm:
        """The arm with what the check finds; where the process dies, it is done again in torch's own memory layout."""
        if self.arm.wants_published or origin.is_of_hub(self.arm.arch):
            return dataclasses.replace(self, arm=self._fetched(made))._carried_out(made)
        return self._carried_out(made)

    def _fetched(self, made: Calls) -> Arm:
        """The arm with the commit of its files, which are on this machine then."""
        try:
            kept = made.call(_fetch, self.arm, waits=self._waits, hears=self.on_bytes)
        except Died as died:
            raise _crashed(self.arm, died) from None
        return dataclasses.replace(self.arm, origin=kept)

    def _carried_out(self, made: Calls) -> Arm:
        layouts = tuple(dict.fromkeys((self.recipe.layout, PLAIN)))
        memory = limits.memory() if self.device == "cpu" else 0
        first: Died | None = None
        for tried in filter(None, (layouts, layouts[1:])):
            how = self.arm, self.n_classes, self.input, self.recipe, tried, self.device, memory
            try:
                found = made.call(_preflight, *how, waits=self._waits)
            except Died as died:
                if first is not None or len(layouts) == 1 or not died.phase:
                    raise _crashed(self.arm, died) from None
                first = died
            else:
                kept = found if first is None else _noted(found, first, layouts)
                return dataclasses.replace(self.arm, origin=kept)
        raise AssertionError

    def _waits(self, phase: str, seconds: int) -> None:
        if self.tell is not None:
            text = _("{arch}: {phase} is still running after {seconds} s; press Ctrl-C to stop")
            self.tell(text.format(arch=self.arm.arch, phase=_(origin.PHASES.get(phase, phase)), seconds=seconds))


def _noted(found: Origin, died: Died, layouts: tuple[str, ...]) -> Origin:
    note = CRASHED.format(layout=layouts[1], wanted=layouts[0], phase=_phase(died), reason=died.cause)
    return dataclasses.replace(found, notes=(note, *found.texts))


def _crashed(arm: Arm, died: Died) -> ArchError:
    message = _("{arch}: the preflight check crashed in {phase}: {cause}").format(
        arch=arm.arch, phase=translate(_phase(died)), cause=translate(died.cause)
    )
    if not died.phase:  # not one line of it was run
        message += _(
            '. In a script, put the calls under `if __name__ == "__main__":`, because workers import the script.'
        )
    return ArchError(message)


def _phase(died: Died) -> Coded:
    return origin.PHASES.get(died.phase, N_("startup"))


def _measure(arm: Arm, n_classes: int, input: Input, say: Progress) -> Origin:
    from commongarden.train.measure import network_by_others  # loads torch, in this process only

    say("measuring")
    return described(arm, lambda: network_by_others(arm, n_classes, input))


def _fetch(arm: Arm, say: Progress) -> Origin | None:
    from commongarden.train import hub_model, published  # loads torch, in this process only

    say("fetching")
    arm = hub_model.pinned(arm)
    if arm.origin is None or not arm.wants_published:
        return arm.origin
    found = published.fetch(arm, lambda n_bytes, of: say("fetching", n_bytes, of))
    return dataclasses.replace(arm.origin, revision=found.commit or arm.origin.revision)


def _preflight(arm: Arm, *how: Any) -> Origin:
    from commongarden.train.preflight import preflight  # loads torch, in this process only

    return described(arm, lambda: preflight(arm, *how))


def described(arm: Arm, work: Callable[[], Result]) -> Result:
    """What the work gives; whatever the network's code raises in it, as an error in one sentence."""
    from commongarden.train.blame import describe_user_error
    from commongarden.train.loading import user_file

    try:
        return work()
    except CommonGardenError:
        raise
    except BaseException as error:
        reason = translate(describe_user_error(error, user_file(arm.arch)))
        raise ArchError(_("{source}: cannot be checked: {reason}").format(source=arm.arch, reason=reason)) from None
