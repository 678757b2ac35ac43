"""Options of commands that make runs, for where the runs are made: on this machine or on a cluster."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commongarden.cli.group import option
from commongarden.cli.options import chain
from commongarden.errors import StudyError
from commongarden.i18n.language import _

if TYPE_CHECKING:
    from commongarden.cluster import Where
    from commongarden.runner.executor import Place
    from commongarden.runner.options import RunOptions

place_options = chain(
    option(
        "--on",
        "engine",
        type=click.Choice(["local", "ray", "slurm"]),
        default="local",
        show_default=True,
        help="Make the runs on this machine, on a Ray cluster that it has joined (see commongarden cluster), or in "
        "jobs that are submitted to SLURM.",
    ),
    option(
        "--where",
        type=click.Path(dir_okay=False, path_type=Path),
        help="TOML file that describes the cluster: sections [ray], [slurm], [files].",
    ),
    option(
        "--gpus-per-worker",
        type=click.IntRange(min=1),
        help="GPUs of each worker of a cluster, which holds several runs [as in --where, else none].",
    ),
)


@dataclass(frozen=True)
class Cluster:
    """A cluster that makes the runs of a study. engine: "ray" or "slurm"."""

    engine: str
    where: Where

    def place(self, how: RunOptions, tell: Callable[[str], None]) -> Place:
        """The cluster as the place of runs. Raises RunnerError where it cannot be used."""
        from commongarden.cluster import ray_place, slurm_place

        made = ray_place if self.engine == "ray" else slurm_place
        return made(self.where, how.device, how.n_workers, tell)


def chosen(asked: dict[str, Any]) -> Cluster | None:
    """The cluster that the options name, which are taken out of them; None for this machine."""
    engine, where, gpus = (asked.pop(name) for name in ("engine", "where", "gpus_per_worker"))
    if engine == "local":
        for name, value in (("--where", where), ("--gpus-per-worker", gpus)):
            if value is not None:
                raise StudyError(_("{option}: accepted with --on ray or --on slurm only").format(option=name))
        return None
    if engine == "ray":
        from commongarden.cluster import connection

        connection.check_installed()
    else:
        from commongarden.cluster import slurm_queue

        slurm_queue.check_installed()
    from commongarden.cluster import where_file

    found = where_file.read(where)
    if gpus is not None:
        ray = dataclasses.replace(found.ray, gpus_per_worker=gpus)
        slurm = dataclasses.replace(found.slurm, gres=f"gpu:{gpus}")
        found = dataclasses.replace(found, ray=ray, slurm=slurm)
    return Cluster(engine, found)
