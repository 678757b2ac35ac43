"""SLURM on this machine: Debian's slurmctld and two slurmd, which stand for two machines, with files of their own."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

NODES = ("cg1", "cg2")
NEEDED = ("slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")
CONF = """
ClusterName=cg
SlurmctldHost={host}({address})
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdSpoolDir={folder}/spool-%n
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
SlurmctldTimeout=10
SlurmdTimeout=10
KillWait=10
InactiveLimit=0
MinJobAge=60
SchedulerType=sched/builtin
SchedulerParameters=sched_min_interval=200000,batch_sched_delay=0
OverTimeLimit=0
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
JobRequeue=0
NodeName=cg1 NodeHostname={host} NodeAddr={address} Port={ports[1]} CPUs=2 State=UNKNOWN
NodeName=cg2 NodeHostname={host} NodeAddr={address} Port={ports[2]} CPUs=2 State=UNKNOWN
PartitionName=low Nodes=ALL Default=YES MaxTime=60 State=UP PriorityTier=1 PreemptMode=CANCEL GraceTime=20
PartitionName=high Nodes=ALL Default=NO MaxTime=60 State=UP PriorityTier=10 PreemptMode=OFF
"""


def missing():
    """Why there is no SLURM here; "" if there is one."""
    absent = [name for name in NEEDED if shutil.which(name, path=_path()) is None]
    if absent:
        return f"{absent[0]} is not installed (Debian: slurmctld, slurmd, slurm-client)"
    return "" if os.getuid() == 0 else "slurmd needs root"


def _path():
    return os.environ["PATH"] + os.pathsep + "/usr/sbin"


@dataclass
class Slurm:
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="cg-slurm-", dir="/tmp")))
    daemons: dict = field(default_factory=dict)

    def __post_init__(self):
        (self.folder / "state").mkdir()
        (self.folder / "etc").mkdir()
        for name in NODES:
            (self.folder / f"spool-{name}").mkdir()
        with ExitStack() as stack:
            probes = [stack.enter_context(socket.socket()) for _ in range(3)]
            for probe in probes:
                probe.bind(("127.0.0.1", 0))
            ports = [probe.getsockname()[1] for probe in probes]
        text = CONF.format(host=socket.gethostname(), address="127.0.0.1", ports=ports, folder=self.folder,
                           user=pwd.getpwuid(os.getuid()).pw_name)  # fmt: skip
        self.conf = self.folder / "etc" / "slurm.conf"
        self.conf.write_text(text)
        (self.folder / "etc" / "cgroup.conf").write_text("CgroupPlugin=autodetect\n")
        self.environment = {"SLURM_CONF": str(self.conf), "PATH": _path()}
        self._start("slurmctld", "-D")
        for name in NODES:
            self.start(name)
        self._until(lambda: self.ask("sinfo", "-h", "-o", "%T %D").split() == ["idle", "2"])

    def _start(self, name, *arguments):
        log = (self.folder / f"{name}{'-'.join(arguments)}.out").open("ab")
        environment = {**os.environ, **self.environment}
        self.daemons[name, *arguments] = subprocess.Popen(
            [shutil.which(name, path=_path()), *arguments], stdout=log, stderr=log, env=environment
        )
        log.close()

    def start(self, node):
        """A machine."""
        self._start("slurmd", "-D", "-N", node)

    def ask(self, *command):
        """What a command of SLURM prints."""
        environment = {**os.environ, **self.environment}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False).stdout

    def _until(self, holds, seconds=60):
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                logs = [path.read_text()[-1500:] for path in sorted(self.folder.glob("*.log"))]
                raise TimeoutError(f"{self.ask('sinfo')} {self.ask('squeue')}\n" + "\n".join(logs))
            time.sleep(0.2)

    def until_empty(self):
        """Until no job is left."""
        self._until(lambda: not self.ask("squeue", "-h").strip())

    def stop(self):
        """Ends all of it."""
        self.ask("scancel", "--me")
        try:
            self.until_empty()
        finally:
            for daemon in self.daemons.values():
                daemon.terminate()
            for daemon in self.daemons.values():
                try:
                    daemon.wait(10)
                except subprocess.TimeoutExpired:
                    daemon.kill()
                    daemon.wait()
            shutil.rmtree(self.folder, ignore_errors=True)
