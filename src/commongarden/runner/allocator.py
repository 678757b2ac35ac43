"""Memory that a training step frees and the next one asks for again.

glibc gives blocks above 32 MiB back to the system when they are freed. Each step of a large network then pays for
fresh, zeroed pages (docs/performance.md). Held, they are there. No number changes. Other C libraries have no such
switches and are left as they are.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # mallopt(3)
NEVER = 2**31 - 1


def hold() -> None:
    """From here on this process keeps what it frees."""
    with suppress(OSError, AttributeError):
        libc = _libc()
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, NEVER)


def release() -> None:
    """Gives back what is free, so that a small run does not hold what a large one before it needed."""
    with suppress(OSError, AttributeError):
        _libc().malloc_trim(0)


def _libc() -> ctypes.CDLL:
    if sys.platform != "linux":
        raise OSError
    return ctypes.CDLL(None)
