"""What this process may use of the machine: cores and memory, by its affinity and its cgroups, whichever is least."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

import psutil

CGROUPS = Path("/sys/fs/cgroup")
PROCESSORS = Path("/sys/devices/system/cpu")
MEMBERSHIP = Path("/proc/self/cgroup")


def cores() -> int:
    """Physical cores: the machine's, those that its affinity leaves, its cgroups', whichever is least."""
    logical, physical = psutil.cpu_count() or 1, psutil.cpu_count(logical=False) or 1
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(logical))
    left = _distinct(allowed) or len(allowed) * physical // logical
    return max(1, min([physical, left, *map(int, _cpu_quotas())]))


def _distinct(logical: set[int]) -> int | None:
    """How many physical cores these logical ones are on; None where the system does not say."""
    try:
        return len(
            {(PROCESSORS / f"cpu{number}/topology/thread_siblings_list").read_text().strip() for number in logical}
        )
    except OSError:
        return None


def free_memory() -> int:
    """Bytes that new processes may take without swapping."""
    return max(0, min([int(psutil.virtual_memory().available), *_memory_rooms()]))


def memory() -> int:
    """Bytes that this process and its workers may hold together: the machine's, or its cgroups', whichever is least."""
    limits = [int(psutil.virtual_memory().total)]
    for folder in _folders("memory"):
        for name in ("max", "high", "limit_in_bytes"):
            with suppress(OSError, ValueError):  # no such file, or "max"
                limits.append(int((folder / f"memory.{name}").read_text()))
    return min(limits)


def n_killed_for_memory() -> int:
    """How many processes of the cgroups around this one the kernel has killed for want of memory; 0 where it keeps no
    count."""
    counts = [0]
    for folder in _folders("memory"):
        for name in ("events", "oom_control"):
            with suppress(OSError, ValueError, KeyError):
                rows = dict(line.split() for line in (folder / f"memory.{name}").read_text().splitlines())
                counts.append(int(rows["oom_kill"]))
    return max(counts)


def _cpu_quotas() -> Iterator[float]:
    """Cores' worth of time that each cgroup around this process grants."""
    for folder in _folders("cpu"):
        with suppress(OSError, ValueError):  # no such file, or "max"
            quota, period = (folder / "cpu.max").read_text().split()
            yield int(quota) / int(period)
        with suppress(OSError, ValueError):
            quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
            if int(quota) > 0:
                yield int(quota) / int(period)


def _memory_rooms() -> Iterator[int]:
    """Bytes that are left in each cgroup around this process. Pages of files count as used there, but the kernel gives
    them back before it swaps (its own MemAvailable is reckoned so): decoded images would else look like want of memory.
    """
    for folder in _folders("memory"):
        for limits, used in ((("max", "high"), "current"), (("limit_in_bytes",), "usage_in_bytes")):
            for limit in limits:
                with suppress(OSError, ValueError):
                    held = int((folder / f"memory.{used}").read_text()) - _given_back(folder)
                    yield int((folder / f"memory.{limit}").read_text()) - held


def _given_back(folder: Path) -> int:
    with suppress(OSError, ValueError, KeyError):
        rows = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        total = "total_" if "total_inactive_file" in rows else ""  # version 1, with the groups inside
        return int(rows[f"{total}inactive_file"]) + int(rows[f"{total}active_file"])
    return 0


def _folders(controller: str) -> Iterator[Path]:
    """Of this process's group and every group around it: version 2's tree, and version 1's of the controller.

    In a container the tree begins at the container's own group, so the path seen from outside may lead nowhere; its
    root always counts.
    """
    try:
        lines = MEMBERSHIP.read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = CGROUPS / controller if controllers else CGROUPS
        inside = PurePosixPath(path).relative_to("/")
        for group in (inside, *inside.parents):
            yield root / group
