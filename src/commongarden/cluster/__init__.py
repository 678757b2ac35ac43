"""Runs of a study on several machines, by an engine that exists: Ray or SLURM.

    from commongarden.cluster import RaySettings, Where, ray_place

    cg.run(study, "out", place=ray_place(Where(RaySettings(address="10.0.0.1:6379"))))

crew.py decides which worker gets which task and what a loss means; it knows no engine. ray_engine.py starts workers and
carries messages by Ray; slurm_engine.py submits jobs, whose messages lie on a shared disk. host.py is a worker. The
process that holds the study alone writes it.
"""

from commongarden.cluster.ray_workers import ray_place as ray_place
from commongarden.cluster.slurm_workers import slurm_place as slurm_place
from commongarden.cluster.where_file import RaySettings as RaySettings
from commongarden.cluster.where_file import SlurmSettings as SlurmSettings
from commongarden.cluster.where_file import Where as Where
