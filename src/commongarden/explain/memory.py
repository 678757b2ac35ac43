"""The largest batch that fits, from the memory that a few batch sizes were seen to need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from commongarden.records.timings import Memory


@dataclass(frozen=True)
class Need:
    """Bytes: fixed, and for each photo of a batch; misfit: the largest share by which a measured size is off that line.

    largest: photos of the largest batch for which the free memory is enough, by that line; None where more photos
    were not seen to need more memory. free: bytes that it is reckoned with.
    """

    fixed: float
    each: float
    misfit: float
    largest: int | None
    free: int


def need(memory: Memory, free: int | None = None) -> Need:
    """The line through what was measured. free: bytes to be had, in place of those that were free when measured."""
    each, fixed = np.polyfit(memory.batches, memory.peaks, 1)
    line = [fixed + each * batch for batch in memory.batches]
    misfit = max(abs(a - b) / b for a, b in zip(line, memory.peaks, strict=True))
    room = (memory.free if free is None else free) - memory.base
    largest = None
    if each > 0:
        largest = max(0, int((room - fixed) // each))
        if largest and fixed + each * largest > room:  # the division was rounded up
            largest -= 1
        elif fixed + each * (largest + 1) <= room:
            largest += 1
    return Need(float(fixed), float(each), float(misfit), largest, memory.free if free is None else free)
