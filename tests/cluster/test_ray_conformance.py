"""The executor of a Ray cluster beside the contract, on two nodes: with a shared disk, and with nothing shared."""

import pytest

from commongarden.cluster.ray_workers import RayWorkers
from commongarden.cluster.where_file import RaySettings, Where
from executor_conformance import ExecutorConformance, planted  # noqa: F401 (a fixture)

pytestmark = pytest.mark.soak


class OnRay(ExecutorConformance):
    n = 2
    shared = None

    @pytest.fixture(autouse=True)
    def _joined(self, cluster):
        where = Where(RaySettings(cluster.address, str(cluster.token)), self.shared)
        self.executors = lambda context, n, known: RayWorkers(context, n, known, where)


class TestRayWithASharedDisk(OnRay):
    pass


class TestRayWithNothingShared(OnRay):
    shared = False
