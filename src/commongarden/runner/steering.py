"""What a person does with a study from outside the process that works on it, by the command line or the page: stop it,
or drop a model. Each is kept in events.jsonl as what a person decided."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path

import psutil

from commongarden.errors import StoreError, StudyError, unknown
from commongarden.i18n.language import _
from commongarden.records.event_log import Decided
from commongarden.runner import plan
from commongarden.stats import raced
from commongarden.store import Store, event_log, holder, is_held, lock, open_store
from commongarden.store.decisions import decide
from commongarden.store.requests import Request, ask


def stop(folder: Path, *, after_epoch: bool = False) -> None:
    """Stops a study with every finished epoch saved, at once or when each run under way has ended its epoch. Raises
    StoreError."""
    who = holder(open_store(folder).root)
    if who is None or not is_held(folder):
        raise StoreError(_("{path}: no process works on the study").format(path=folder))
    if after_epoch:
        ask(folder, Request("stop-after-epoch"))
        note(folder, Decided(time.time(), "stop-after-epoch"))
        return
    if who.host != socket.gethostname():
        text = _("{path}: process {pid} on {host} works on the study; accepted: a process of this machine")
        raise StoreError(text.format(path=folder, pid=who.pid, host=who.host))
    try:
        process = psutil.Process(who.pid)
        if process.create_time() > (folder / ".holder").stat().st_mtime + 1:  # another one has that number by now
            raise psutil.NoSuchProcess(who.pid)
        process.send_signal(signal.SIGTERM)
    except (psutil.Error, OSError) as error:
        text = _("{path}: process {pid} cannot be stopped: {reason}")
        raise StoreError(text.format(path=folder, pid=who.pid, reason=error)) from None
    note(folder, Decided(time.time(), "stop"))


def drop(folder: Path, arm: str, *, undo: bool = False) -> bool:
    """Decides that a model gets no more runs, or gets them again. Its finished runs stay. Returns whether a process
    works on the study, which does so within seconds; otherwise it holds from the next `run` on. Raises StoreError,
    StudyError."""
    store = open_store(folder)
    _check(store, arm, undo=undo)
    is_under_way = is_held(folder)
    if is_under_way:
        ask(folder, Request("restore" if undo else "drop", arm))
    else:
        with lock(folder):
            decide(store, "restore" if undo else "drop", arm)
    note(folder, Decided(time.time(), "restore" if undo else "drop", arm))
    return is_under_way


def droppable(store: Store) -> list[str]:
    """The models that have runs left, where one of them can be dropped. Raises StoreError."""
    if raced.is_raced(store) or len(store.study().arms) - len(store.dropped()) < 2:
        return []
    return list(dict.fromkeys(job.arm for job in plan.pending(store.study(), store)))


def note(folder: Path, decided: Decided) -> None:
    """Keeps in events.jsonl what a person decided. Raises OSError."""
    with event_log.open_to_append(folder) as file:
        event_log.append(file, decided)


def _check(store: Store, arm: str, *, undo: bool) -> None:
    arms, gone = store.study().arms, store.dropped()
    if arm not in arms:
        raise StudyError(unknown("model", arm, list(arms)))
    if undo:
        if arm not in gone:
            raise StudyError(_("{arm} is not dropped").format(arm=arm))
        return
    if raced.is_raced(store):
        text = _("{path}: a race decides by its rule which models get more runs; accepted: a study without --until")
        raise StudyError(text.format(path=store.root))
    if arm in gone:
        raise StudyError(_("{arm} is dropped already").format(arm=arm))
    if all(store.has(arm, seed) for seed in store.study().seeds):
        raise StudyError(_("{arm} has all its runs; no run is left to be dropped").format(arm=arm))
    if len(arms) - len(gone) < 2:
        raise StudyError(_("{arm} is the last model that gets runs; accepted: to stop the study").format(arm=arm))
