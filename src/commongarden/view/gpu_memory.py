"""The memory in use on the GPUs of a study, as the driver's own program tells it."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress

PROGRAM = "nvidia-smi"
QUERY = (PROGRAM, "--query-gpu=index,memory.used,memory.total", "--format=csv,noheader,nounits")
WAITS = 5.0  # seconds


def gpu_memory(device: str) -> tuple[int, int] | None:
    """(bytes in use by all programs, bytes in all) of the devices, such as "cuda:0,cuda:2"; None where that is not
    known. The numbers are those of the driver, as long as CUDA_VISIBLE_DEVICES does not change them."""
    if not device.startswith("cuda") or shutil.which(PROGRAM) is None:
        return None
    wanted = {int(name.partition(":")[2] or 0) for name in device.split(",")}
    with suppress(OSError, subprocess.SubprocessError, ValueError):
        said = subprocess.run(QUERY, capture_output=True, text=True, timeout=WAITS, check=True).stdout
        rows = [[int(cell) for cell in line.split(",")] for line in said.splitlines() if line.strip()]
        found = [(used, total) for index, used, total in rows if index in wanted]
        if found:
            used, total = map(sum, zip(*found, strict=True))
            return used * 2**20, total * 2**20
    return None
