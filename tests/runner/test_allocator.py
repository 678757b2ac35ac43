"""Memory that workers hold between steps, and give back between runs."""

import subprocess
import sys

import pytest

HELD = """
import resource
import numpy as np
from commongarden.runner import allocator

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(64 * 2**20, np.uint8)  # made, touched, freed
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if {hold}:
    allocator.hold()
before = resident()
faults()
print(faults(), resident() - before)
allocator.release()
print(resident() - before)
"""
PAGES, MIB = 64 * 2**20 // 4096, 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="switches of glibc")
def test_what_is_freed_is_held_until_it_is_released():
    def told(hold: bool) -> list[int]:
        code = HELD.format(hold=hold)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return [int(word) for word in done.stdout.split()]

    faults, held, left = told(True)
    assert faults < 0.01 * PAGES
    assert held > 60 * MIB
    assert left < 4 * MIB
    faults, held, left = told(False)  # what is mended by it
    assert faults > 0.01 * PAGES  # huge pages make few of many
    assert held < 4 * MIB
