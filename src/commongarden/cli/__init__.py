"""The command line: thin commands that parse, call and print. Nothing slow is imported before a command needs it.

Results go to standard output, progress and errors to standard error. Exit codes: 0 done; 1 done, but some runs failed
or files could not be read; 2 a mistake in what was asked, told in one message; 130 interrupted, to be continued by the
same command.
"""

from __future__ import annotations

from commongarden.cli import (  # each adds its commands to the group
    ablation,
    bench,
    cleaning,
    clusters,
    combining,
    exporting,
    getting,
    models,
    networks,
    photos,
    reasons,
    screening,
    steering,
    studies,
    trust,
    viewing,
)
from commongarden.cli.group import main

__all__ = [
    "ablation",
    "bench",
    "cleaning",
    "clusters",
    "combining",
    "exporting",
    "getting",
    "main",
    "models",
    "networks",
    "photos",
    "reasons",
    "screening",
    "steering",
    "studies",
    "trust",
    "viewing",
]
