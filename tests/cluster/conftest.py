"""A cluster of two nodes with room for one worker each, the head and another one; ended with the tests that use it."""

import importlib.util

import pytest

from ray_cluster import Cluster


@pytest.fixture(scope="module")
def cluster():
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed (the extra [ray])")
    made = Cluster()
    try:
        made.node = made.start(cpus=1)
        yield made
    finally:
        made.stop()
