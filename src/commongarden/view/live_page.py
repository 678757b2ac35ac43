"""What happens in a study now, as blocks of the report's document."""

from __future__ import annotations

import datetime
import math
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import psutil

from commongarden.i18n.durations import duration
from commongarden.i18n.language import _, ngettext
from commongarden.io.terminal import DASH
from commongarden.records.event_log import EpochEnded, Stepped
from commongarden.report.document import Block, Bullets, Cell, Fold, Paragraph, Styled, StyledLine, Table
from commongarden.report.topics import race
from commongarden.runner.display import left, name_of
from commongarden.stats.raced import Raced
from commongarden.view.gpu_memory import gpu_memory
from commongarden.view.progress import Progress, UnderWay, job_of
from commongarden.view.studies import Counted
from commongarden.view.words import decision, state_name

MOST_RUNS = 100  # rows of runs under way
SILENT = 120.0  # seconds without a line, after which that is said
MEASURE = 60.0  # seconds for which a measurement of memory counts


@dataclass(frozen=True)
class Memory:
    """n_bytes: in use by the processes of a study. gpu: bytes in use, and in all, of its GPUs."""

    n_bytes: int
    gpu: tuple[int, int] | None


_measured: tuple[int, float, Memory | None] = (0, 0.0, None)  # process, when, what


def blocks(progress: Progress, counted: Counted, now: float, raced: Raced | None = None) -> tuple[Block, ...]:
    """The part of the page that changes while runs are made. now: the time, as the lines of the log have it. raced: how
    the race stands that decides on the runs."""
    state = counted.state
    spans = [Styled(f"{state_name(state)}.", "strong"), Styled(f" {_counted(counted.n_made, counted.n_planned)}")]
    if state == "running":
        spans += [Styled(f" {text}") for text in _while_running(progress, now)]
    made: list[Block] = [StyledLine(tuple(spans), "state")]
    if state == "error" and progress.ended is not None:
        made.append(Paragraph(progress.ended.error, role="notice"))
    if state in ("stopped", "killed"):
        made.append(Paragraph(_("Repeat the command of the study to resume it."), role="soft"))
    if state == "running" and (doing := progress.preparing) is not None:
        text = _("{what}: {done} of {total}")
        made.append(Paragraph(text.format(what=doing.what, done=f"{doing.done:,}", total=f"{doing.total:,}")))
    if state == "running" and progress.under_way:
        made.append(_table(progress))
    if state == "running" and raced is not None and raced.race.looks:
        made.append(Paragraph(race.look_told(raced, len(raced.race.looks) - 1)))
    if progress.decided:
        last = progress.decided[-1]
        when = datetime.datetime.fromtimestamp(last.time).strftime("%Y-%m-%d %H:%M")
        made.append(Paragraph(f"{when}: {decision(last.what, last.arm)}", role="soft"))
    if progress.notes:
        summary = ngettext("{n} message", "{n} messages", len(progress.notes)).format(n=len(progress.notes))
        made.append(Fold(summary, (Bullets(tuple(progress.notes)),)))
    return tuple(made)


def _counted(n_made: int, n_planned: int) -> str:
    return ngettext("{n} of {total} run is done.", "{n} of {total} runs are done.", n_planned).format(
        n=f"{n_made:,}", total=f"{n_planned:,}"
    )


def _while_running(progress: Progress, now: float) -> Iterator[str]:
    if progress.under_way:
        yield _("{left}.").format(left=left(progress.seconds_left()).capitalize())
    if progress.n_sessions > 1:
        yield _("Resumed.")
    if progress.n_workers and progress.begun is not None:
        text = ngettext("{n} run at a time on {device}.", "{n} runs at a time on {device}.", progress.n_workers)
        yield text.format(n=progress.n_workers, device=progress.begun.device or DASH)
    if (memory := memory_of(progress)) is not None:
        yield _("{memory:.1f} GB of memory in use.").format(memory=memory.n_bytes / 1e9)
        if memory.gpu is not None:
            text = _("{used:.1f} of {total:.1f} GB of GPU memory in use, by all programs.")
            yield text.format(used=memory.gpu[0] / 1e9, total=memory.gpu[1] / 1e9)
    if now - progress.now > SILENT:
        yield _("The last event was {duration} ago.").format(duration=duration(now - progress.now))


def _table(progress: Progress) -> Table:
    columns = (_("epoch"), _("loss"), _("accuracy"), _("validation accuracy"), _("images/s"))
    shown = list(progress.under_way.values())[:MOST_RUNS]
    return Table(
        _("Runs under way"),
        (_("run"), *columns),
        tuple(_row(progress, one) for one in shown),
    )


def _row(progress: Progress, one: UnderWay) -> tuple[str | Cell, ...]:
    whole, latest = progress.epochs_of.get(one.run, 0), one.latest
    epochs = progress.epochs.get(one.run, [])
    val = f"{100 * epochs[-1].val_accuracy:.1f} %" if epochs else DASH
    resumed = _("resumed after epoch {epoch}").format(epoch=one.n_before) if one.n_before else ""
    note = ", ".join(filter(None, (one.host, resumed)))
    name = Cell(name_of(job_of(one.run)), note, arm=one.run.arm)
    match latest:
        case Stepped(epoch=epoch, step=step, steps=steps, loss=loss):
            done, speed, accuracy = epoch - 1 + step / steps, latest.images_per_second, latest.accuracy
        case EpochEnded(epoch=epoch):
            done, loss, accuracy, speed = epoch.epoch, epoch.train_loss, epoch.train_accuracy, latest.images_per_second
        case _:
            return name, _("starting"), DASH, DASH, val, DASH
    shown = DASH if loss is None or not math.isfinite(loss) else f"{loss:.3f}"
    return name, f"{done:.1f} / {whole}", shown, f"{100 * accuracy:.1f} %", val, f"{speed:,.0f}"


def memory_of(progress: Progress) -> Memory | None:
    """In use by the process that works on the study and its workers, what they share counted once where the system
    tells; None on another machine."""
    global _measured
    if progress.begun is None or progress.begun.host != socket.gethostname():
        return None
    pid, (measured, when, known) = progress.begun.pid, _measured
    if pid == measured and time.monotonic() - when < MEASURE:
        return known
    total = 0
    with suppress(psutil.Error):
        first = psutil.Process(pid)
        for process in (first, *first.children(recursive=True)):
            full = process.memory_full_info()
            total += getattr(full, "pss", 0) or full.rss
    found = Memory(total, gpu_memory(progress.begun.device)) if total else None
    _measured = pid, time.monotonic(), found
    return found
