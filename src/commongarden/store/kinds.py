"""Every kind of file that a study's folder holds and that is read back: what it is, and how its bytes become a record.
How large each may be stands in io/limits.py; a race's record (stats/raced.py) and the measurements that a user keeps
(records/timings.py, records/benchmark.py) are declared beside their types."""

from __future__ import annotations

from dataclasses import dataclass

from commongarden.i18n.language import N_
from commongarden.io.reader import Kind, json_of
from commongarden.records import SCHEMA, LeftOut, Split, Understood
from commongarden.records import signals as signal_file
from commongarden.store import parsing


@dataclass(frozen=True)
class SplitFile:
    """split.json: where the photos were, what could not be read, and the parts."""

    root: str
    unreadable: tuple[LeftOut, ...]
    split: Split


@dataclass(frozen=True)
class Hashed:
    """What is read back of contract.json."""

    hash: str


@dataclass(frozen=True)
class Holder:
    """The process that works on a study."""

    pid: int
    host: str
    since: str


MADE_AGAIN = N_("no file; repeat the command of the study to write it again")

STUDY = Kind("study.toml", N_("a study"), parsing.study)
MANIFEST = Kind("manifest.csv", N_("a study's photos"), parsing.photos)
SPLIT = Kind("split.json", N_("a split"), json_of(SplitFile))
OWN_SPLIT = Kind("splits/SEED.json", N_("a split"), json_of(Split))
LAYOUT = Kind("layout.json", N_("how the data of a study was read"), json_of(Understood))
AUDITS = Kind("audit.json", N_("a study's audits"), parsing.audits)
CONTRACT = Kind("contract.json", N_("a study's contract"), json_of(Hashed))
COMMAND = Kind("command.json", N_("a study's command"), parsing.command)
HOLDER = Kind(".holder", N_("the process that works on a study"), json_of(Holder))
RUN = Kind(
    "run.json",
    N_("a run's record"),
    parsing.run,
    schema=SCHEMA,
    other_schema=N_("{path}: found schema {schema}; this version of commongarden reads {readable}"),
)
HISTORY = Kind("history.csv", N_("a run's epochs"), parsing.history)
PREDICTIONS = Kind("predictions.npz", N_("a run's predictions"), parsing.predictions)
SIGNALS = Kind("signals.npz", N_("a run's signals"), signal_file.from_file)
WEIGHTS = Kind("model.safetensors", N_("a run's weights"), parsing.weights)
BASELINES = Kind("baselines/KEY.npz", N_("a study's baselines"), parsing.baselines, accepted=MADE_AGAIN)
THUMBNAILS = Kind("thumbnails.npz", N_("a study's thumbnails"), parsing.thumbnails, accepted=MADE_AGAIN)
