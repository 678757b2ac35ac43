"""Whether the machine was quiet while arms were timed, and what it means for the figures."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from commongarden.i18n.language import _, ngettext
from commongarden.records.timings import Timing

LOAD = 0.5  # beside our own
TAKEN = 0.02  # of the time on the wall
SPREAD = 0.10  # of the piece of work that is always the same, from its 10th to its 90th percentile
DRIFT = 0.03  # between the first and the last third of it
CLOCK = 0.05  # by which the clock changed


@dataclass(frozen=True)
class MachineNoise:
    """What was seen. load: other programs' share of the load average, None where the machine tells none.

    taken: share of the wall's time in which others had the core, None where the wall's clock is all there is.
    spread, drift: of the reference. clock: by how much it changed, None where the machine does not tell.
    """

    load: float | None
    taken: float | None
    spread: float
    drift: float
    clock: float | None

    @property
    def is_noisy(self) -> bool:
        """Whether any of these is more than a quiet machine shows."""
        return any(_causes(self))


def noise(timing: Timing) -> MachineNoise:
    """What the timing holds of it."""
    quiet = timing.quiet
    loads = [value for value in quiet.load if value is not None]
    mhz = [value for value in quiet.mhz if value]
    taken = None
    if timing.processor_time:
        shares = [1 - step / wall for arm in timing.arms for step, wall in zip(arm.steps, arm.walls, strict=True)]
        taken = max(0.0, statistics.median(shares))
    middle = statistics.median(quiet.reference)
    deciles = statistics.quantiles(quiet.reference, n=10) if len(quiet.reference) > 1 else [middle, middle]
    third = max(1, len(quiet.reference) // 3)
    first, last = (statistics.median(part) for part in (quiet.reference[:third], quiet.reference[-third:]))
    return MachineNoise(
        load=max(0.0, loads[0]) if loads else None,  # the first one: the last one holds our own work
        taken=taken,
        spread=(deciles[-1] - deciles[0]) / middle,
        drift=last / first - 1,
        clock=max(mhz) / min(mhz) - 1 if len(mhz) == 2 else None,
    )


def _timed(timing: Timing) -> Iterator[str]:
    pinned = (
        _("pinned to core {cores}").format(cores=", ".join(map(str, timing.pinned)))
        if timing.pinned
        else _("not pinned to a core (this system does not support it)")
    )
    yield _(
        "Timed step by step in alternation: {n} steps of each model in {repeats}, {threads}, {pinned}. "
        "Figures are medians with 95 % intervals."
    ).format(
        n=timing.repeats * timing.rounds,
        repeats=ngettext("{n} repeat", "{n} repeats", timing.repeats).format(n=timing.repeats),
        threads=ngettext("{n} thread", "{n} threads", timing.threads).format(n=timing.threads),
        pinned=pinned,
    )
    if timing.processor_time:
        yield _("Times are CPU time of the training thread; other programs are not included.")


def told(timing: Timing) -> list[str]:
    """Sentences: how the arms were timed, and what disturbed it."""
    found = noise(timing)
    if found.is_noisy:
        return [*_timed(timing), _disturbed(found)]
    said = _("The machine was quiet: repeated identical work varied by {spread} % (10th to 90th percentile).")
    return [*_timed(timing), said.format(spread=_percent(found.spread))]


def _causes(found: MachineNoise) -> Iterator[str]:
    if found.load is not None and found.load > LOAD:
        yield _("load average {load:.1f} before the start").format(load=found.load)
    if found.taken is not None and found.taken > TAKEN:
        yield _("other programs used the core for {share} % of the time").format(share=_percent(found.taken))
    if found.spread > SPREAD:
        said = _("repeated identical work varied by {spread} % (10th to 90th percentile)")
        yield said.format(spread=_percent(found.spread))
    if abs(found.drift) > DRIFT:
        yield _("the same work took {ratio:.2f} times as long at the end as at the start").format(ratio=1 + found.drift)
    if found.clock is not None and found.clock > CLOCK:
        yield _("the processor's clock changed by {share} %").format(share=_percent(found.clock))


def _disturbed(found: MachineNoise) -> str:
    return _(
        "The machine was not quiet: {causes}. This affects ratios between models less than milliseconds, "
        "because the models were timed in alternation."
    ).format(causes="; ".join(_causes(found)))


def _percent(share: float) -> str:
    return f"{100 * share:.1f}" if share < 0.1 else f"{100 * share:.0f}"
