"""A Ray cluster on this machine: a head and nodes with folders for temporary files and image caches of their own, which
stand for machines."""

import os
import secrets
import shutil
import socket
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from commongarden.cluster import node

MARK = "COMMONGARDEN_TEST_NODE"
MEMORY = 100_000_000


@dataclass
class Cluster:
    """folder: of a short name, since the names of Ray's sockets must be short."""

    cpus: int = 1  # of the head
    host: str = ""  # the head's address [found]
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="cg-ray-", dir="/tmp")))
    nodes: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.token, self.name = self.folder / "token", secrets.token_hex(4)
        node.make_token(self.token)
        with socket.socket() as probe:
            probe.bind((self.host or "127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"{self.host or node.usual_host()}:{port}"
        self.head = self.start(is_head=True, cpus=self.cpus)

    def start_all(self, n, **room):
        """So many machines at once; their names."""
        with ThreadPoolExecutor(n) as threads:
            return list(threads.map(lambda _: self.start(**room), range(n)))

    def start(self, is_head=False, **room):
        """A machine; its name."""
        name = f"{self.name}-{secrets.token_hex(4)}"
        own = self.folder / name
        (own / "tmp").mkdir(parents=True)
        environment = {MARK: name, "TMPDIR": str(own / "tmp"), "COMMONGARDEN_CACHE": str(own / "cache"),
                       "PYTHONPATH": os.pathsep.join(map(str, _paths()))}  # fmt: skip
        self.nodes.append(name)
        scratch = self.folder / "r"
        node.start(
            node.Node(self.address, self.token, is_head, gpus=0, memory=MEMORY, scratch=scratch, **room), environment
        )
        return name

    def processes(self, name):
        """Those of a machine."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == name and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def kill(self, name):
        """As if its power was cut."""
        for process in self.processes(name):
            try:
                process.kill()
            except psutil.Error:
                continue

    def stop(self):
        """Ends all of it."""
        import ray

        ray.shutdown()
        for name in reversed(self.nodes):
            self.kill(name)
        end = time.monotonic() + 10
        while any(self.processes(name) for name in self.nodes) and time.monotonic() < end:
            time.sleep(0.1)
        shutil.rmtree(self.folder, ignore_errors=True)


def _paths():
    import commongarden

    return [Path(commongarden.__file__).parents[1]]
