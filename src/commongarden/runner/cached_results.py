"""Audits and pilots of other studies with the same arm on the same photos: told again, not made again.

The parent looks before it hands a task to a worker, and keeps what comes back. Networks by others are always looked at
anew: what their code does hangs on files that nobody here knows of.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from commongarden import arch
from commongarden.data import result_cache
from commongarden.i18n.language import ngettext
from commongarden.records.findings import Audit
from commongarden.runner import limits, plan
from commongarden.runner.events import Audited, AuditTask, Event, Pilot, Piloted, Seen, Task
from commongarden.runner.prepared_data import PreparedData
from commongarden.study import Study

LIBRARIES = ("pillow", "torch")


@dataclass(frozen=True)
class _Timed:
    """What a pilot found, with the day on which it was made, as YYYY-MM-DD."""

    seconds: float
    memory_bytes: int
    disk_bytes: int
    day: str
    side_by_side: int = 0
    faster: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class CachedResults:
    """Of one study's arms. n_workers: how many pilots, and later runs, go on at a time. tell: hears what is not timed
    again, and what was torn. is_here: whether this machine carries out the tasks; what others find is not kept."""

    study: Study
    prepared: PreparedData
    device: str
    n_workers: int
    tell: result_cache.Tell
    is_here: bool = True

    def recalled(self, tasks: Sequence[Task]) -> tuple[list[Audited | Piloted], list[Task]]:
        """What is known of the tasks from other studies, and the tasks that are left."""
        found: list[Audited | Piloted] = []
        left: list[Task] = []
        days: list[str] = []
        for task in tasks:
            key = self._key(task)
            data = result_cache.recall(self.prepared.cache_folder, key, self.tell) if key else None
            if data is None:
                left.append(task)
            elif isinstance(task, AuditTask):
                found.append(Audited(task.arm, msgspec.json.decode(data, type=Audit)))
            else:
                timed = msgspec.json.decode(data, type=_Timed)
                found.append(
                    Piloted(
                        task.arm,
                        timed.seconds,
                        timed.memory_bytes,
                        timed.disk_bytes,
                        side_by_side=timed.side_by_side,
                        faster=timed.faster,
                    )
                )
                days.append(timed.day)
        if days:
            text = ngettext(
                "the timing of {n} model is reused from another study on this machine ({day})",
                "the timings of {n} models are reused from other studies on this machine (since {day})",
                len(days),
            )
            self.tell(text.format(n=len(days), day=min(days)))
        return found, left

    def keep(self, event: Event | Seen) -> None:
        """Keeps what a worker found of an arm, for the next study."""
        if isinstance(event, Audited) and event.audit is not None and (key := self._key(AuditTask(event.arm))):
            result_cache.keep(self.prepared.cache_folder, key, msgspec.json.encode(event.audit))
        if isinstance(event, Piloted) and event.seconds is not None and (key := self._key(Pilot(event.arm))):
            timed = _Timed(
                event.seconds, event.memory_bytes, event.disk_bytes, plan.now()[:10], event.side_by_side, event.faster
            )
            result_cache.keep(self.prepared.cache_folder, key, msgspec.json.encode(timed))

    def _key(self, task: Task) -> str:
        """ "" where a task's outcome hangs on more than is known."""
        arm, study = self.study.arms[task.arm], self.study
        if not self.is_here or arm.origin is not None or not isinstance(task, AuditTask | Pilot):
            return ""
        seed = study.seeds[0]
        prepared, recipe = self.prepared.of(seed), study.recipe_of(task.arm)
        # the photos with their labels, which are in the training part, the network, its training, its chance
        network = arch.write(arm.network(len(prepared.manifest.classes)))
        chance = (study.seed, study.stream_seed(seed, "init"), study.stream_seed(seed, "order"))
        photos = (prepared.manifest.hash, prepared.split.hash)
        made_from = [*photos, network, plan.recipe_hash(recipe), *map(str, chance)]
        machine = plan.machine().processor
        if isinstance(task, AuditTask):
            return result_cache.key("audit", made_from, LIBRARIES, machine=machine)
        busy = [self.device, str(self.n_workers), str(limits.cores()), self._how_decoded(recipe.resolution)]
        return result_cache.key("pilot", [*made_from, *busy], LIBRARIES, machine=f"{machine} {platform.node()}")

    def _how_decoded(self, resolution: int) -> str:
        n_threads = plan.n_decoding(self.study, self.n_workers)
        return f"direct:{n_threads}" if resolution in self.prepared.direct else "once"
