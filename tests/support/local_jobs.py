"""Jobs that are processes of this machine, started by submitit as those of SLURM are."""

import time
from dataclasses import dataclass

import submitit

from commongarden.cluster.slurm_queue import SlurmQueue


@dataclass
class LocalJobs(SlurmQueue):
    seconds_between_looks = 0.5
    seconds_to_appear = 0.0

    def _executor(self, n_tasks):
        executor = submitit.LocalExecutor(self.folder)
        executor.update_parameters(tasks_per_node=n_tasks, timeout_min=600)
        return executor

    def look(self):
        now = time.monotonic()
        self.states = {
            number: ("COMPLETED" if job.done() else "RUNNING", "") for number, (job, _) in list(self.jobs.items())
        }
        self.looked = now

    def cancel(self, numbers):
        for number in numbers:
            if number in self.jobs:
                self.jobs[number][0].cancel()

    def close(self):
        for job, _since in self.jobs.values():
            job._process.wait(30)
