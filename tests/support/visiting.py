"""A network that somebody else wrote, taken through everything that a study does with one. scripts/zoo.py does so with
every classification network of torchvision and one of each module of timm, test_zoo.py with a few.

The steps, in this order:

    trial    the preflight check, which a study begins with
    audit    what `commongarden audit` finds
    train    a run on a few drawn photos, to its stored files
    predict  the stored run loaded; its probabilities against those of the test set
    export   an ONNX file, run by onnxruntime and compared; where torch cannot write one, its reason is a note
    resume   the same run, its process killed behind its first epoch, resumed: equal to the last byte
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import commongarden as cg
from commongarden.data import batches, drawn
from commongarden.errors import CommonGardenError, StudyError
from commongarden.runner import plan, processes
from commongarden.runner.events import EpochDone, Job, RunDone, Started
from commongarden.runner.prepared_data import PreparedData, prepare_data, reopen
from commongarden.store import Store, open_store
from commongarden.study import SplitPlan, Study
from commongarden.study.recipe import Recipe

CLASSES, PHOTOS = 3, 5  # of each class: nine to train on, three to validate, three to test
BATCH, TRAINED = 3, 9
LARGE = 150_000_000  # parameters: from here on one step is enough, and no export
STEPS = ("trial", "audit", "train", "predict", "export", "resume")
STEPS_OF_LARGE = ("trial", "train", "predict")
TRAINING_BYTES = 16  # a parameter: weight, gradient, two moments
STORING_BYTES = 36  # a parameter: a checkpoint's weights and two moments, three times on their way to the disk
NEAR = 1e-4  # of probabilities: one photo at a time, batch norm as it is, against a batch with batch norm folded
PASSES, REFUSED, FAILS = "passes", "refused", "fails"


class Fails(Exception):
    """What a step must not end with; the text says what was found."""


@dataclass(frozen=True)
class Step:
    """How one step ended. note: what was refused, what failed, or what is to be known of one that passes."""

    step: str
    outcome: str
    seconds: float
    note: str = ""


@dataclass
class Visit:
    """One network on its way through the steps, with what it leaves for the next ones. size: 0 until it is found.
    n_params: as its library counts them; memory: bytes that it may take, 0 for any."""

    model: str
    size: int
    folder: Path
    photos: Path
    cache: Path
    n_params: int = 0
    memory: int = 0
    epochs: int = 2
    options: dict[str, Any] = field(default_factory=dict)
    arm: cg.Arm | None = None

    @property
    def input(self) -> tuple[int, int, int]:
        return (self.size, self.size, 3)

    @property
    def large(self) -> bool:
        return self.n_params > LARGE

    @property
    def batch_size(self) -> int:
        return TRAINED if self.large else BATCH

    @property
    def recipe(self) -> Recipe:
        epochs = 1 if self.large else self.epochs
        return Recipe(resolution=self.size, epochs=epochs, batch_size=self.batch_size, lr=1e-4)

    def study(self) -> Study:
        assert self.arm is not None
        return Study("zoo", str(self.photos), {"zoo": self.arm}, self.recipe, (0,), split=SplitPlan(0.6, 0.2))

    def prepared(self, name: str) -> tuple[Store, PreparedData]:
        return prepare_data(self.study(), self.folder / name, self.cache)


def draw_photos(folder: Path) -> Path:
    """A few drawn flowers in class folders, made once."""
    if not (folder / "done").exists():
        for index in range(len(drawn.CLASSES) * PHOTOS):
            label = drawn.label(index)
            if label < CLASSES:
                place = folder / "photos" / drawn.CLASSES[label]
                place.mkdir(parents=True, exist_ok=True)
                Image.fromarray(drawn.draw(0, index, 64, 64)).save(place / f"{index:02}.png")
        (folder / "done").touch()
    return folder / "photos"


def go_through(visit: Visit, steps: tuple[str, ...]) -> Iterator[str | Step]:
    """Each step's name before it begins, and how it ended. It stops where there is nothing to do the next step with."""
    for name in steps:
        yield name
        begun = time.monotonic()
        outcome, note = PASSES, ""
        try:
            note = WAYS[name](visit)
        except CommonGardenError as error:
            outcome, note = (REFUSED if name == "trial" else FAILS), one_line(error)
        except Fails as error:
            outcome, note = FAILS, str(error)
        except Exception as error:
            outcome, note = FAILS, f"{type(error).__name__}: {one_line(error)} ({place_of(error)})"
        yield Step(name, outcome, round(time.monotonic() - begun, 2), note)
        if outcome != PASSES and name in ("trial", "train"):
            return


def one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 400 else text[:400] + "..."


def files_of(error: BaseException) -> list[str]:
    """The files that it passed through, each with its line."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{Path(frame.filename).as_posix()}, line {frame.lineno}" for frame in frames]


def place_of(error: BaseException) -> str:
    """Where in our own code it was raised, or passed through last."""
    own = [place.rpartition("/commongarden/")[2] for place in files_of(error) if "/commongarden/" in place]
    return own[-1] if own else "outside of commongarden"


def _trial(visit: Visit) -> str:
    _check_memory(visit, (TRAINING_BYTES + STORING_BYTES) * visit.n_params, "at least ")
    visit.arm = cg.preflight(cg.Arm(visit.model, visit.options), CLASSES, visit.input, visit.recipe)
    origin = visit.arm.origin
    assert origin is not None
    _check_memory(visit, plan.forecast_bytes(visit.study(), "zoo", CLASSES) + STORING_BYTES * origin.n_params)
    return ""


def _check_memory(visit: Visit, needed: int, bound: str = "") -> None:
    if visit.memory and needed > visit.memory:
        given = visit.memory / 1e9
        raise CommonGardenError(f"needs {bound}{needed / 1e9:.1f} GB of memory, of which {given:.1f} GB were given")


def _audit(visit: Visit) -> str:
    from commongarden.train.audit import audit_drawn

    study = visit.study()
    found = audit_drawn(study.arms["zoo"].network(CLASSES), visit.input, CLASSES, study.recipe, 1000).findings
    return ", ".join(sorted({finding.kind for finding in found}))


def _train(visit: Visit) -> str:
    store, prepared = visit.prepared("whole")
    _finished(store, prepared)
    return ""


def _predict(visit: Visit) -> str:
    import torch

    from commongarden.train.evaluate import evaluate

    store = open_store(visit.folder / "whole")
    prepared = reopen(store, visit.cache)
    tested = store.predictions("zoo", 0)
    predictor = cg.load(store.directory("zoo", 0))
    test = batches.in_order(prepared.images(visit.size), prepared.labels, prepared.test, 32)
    again = evaluate(predictor.classifier, test, torch.device("cpu")).probabilities
    found = [
        dict(one.top) for one in cg.predict(predictor, [visit.photos / str(name) for name in tested.photos], top=99)
    ]
    alone = np.array([[one[name] for name in predictor.classes] for one in found])
    gap, gap_alone = (float(np.abs(each - tested.probabilities).max()) for each in (again, alone))
    if not gap <= NEAR or not gap_alone <= NEAR:
        raise Fails(
            f"probabilities of the loaded run differ from the tested ones by {gap:.1e}, predicted by {gap_alone:.1e}"
        )
    return "" if np.array_equal(again, tested.probabilities) else f"not the same bits: {gap:.1e}"


def _export(visit: Visit) -> str:
    from commongarden.inference.exporting import export_run

    try:
        exported = export_run(visit.folder / "whole" / "runs" / "zoo" / "0", visit.folder / "zoo.onnx")
    except StudyError as error:  # torch's exporter, or onnxruntime, takes it not
        return f"no ONNX: {one_line(error).partition(': ')[2]}"
    if not exported.agrees:
        found = exported.compared
        raise Fails(f"onnxruntime differs by {found.max_difference:.1e} (largest logit {found.max_logit:.1e})")
    return ""


def _resume(visit: Visit) -> str:
    visit.prepared("killed")
    first = processes.context().Process(target=_first_life, args=(visit.folder / "killed", visit.cache))
    with processes.quiet_start():
        first.start()
    first.join()
    if first.exitcode != -signal.SIGKILL:
        raise Fails(f"the run to be killed ended before with exit code {first.exitcode}")
    store = open_store(visit.folder / "killed")
    before = _finished(store, reopen(store, visit.cache))
    if before != 1:
        raise Fails(f"resumed behind epoch {before}, killed behind epoch 1")
    whole, resumed = (
        (visit.folder / name / "runs" / "zoo" / "0" / "model.safetensors").read_bytes() for name in ("whole", "killed")
    )
    if whole != resumed:
        raise Fails("the weights of the resumed run are not those of the uninterrupted one")
    return ""


def _first_life(root: Path, cache: Path) -> None:
    from commongarden.runner.training import train_run

    soon_on_tape()
    store = open_store(root)
    prepared = reopen(store, cache)
    planned = plan.run_plan(store.study(), prepared, Job("zoo", 0), "cpu")
    for event in train_run(store, prepared, planned, lambda: False):
        if isinstance(event, EpochDone):
            os.kill(os.getpid(), signal.SIGKILL)


def _finished(store: Store, prepared: PreparedData) -> int:
    """Makes the run; the number of epochs that it found done. Raises Fails."""
    from commongarden.runner.training import train_run

    before = 0
    planned = plan.run_plan(store.study(), prepared, Job("zoo", 0), "cpu")
    for event in train_run(store, prepared, planned, lambda: False):
        if isinstance(event, Started):
            before = len(event.epochs_before)
        if isinstance(event, RunDone):
            if event.run.failure is not None:
                raise Fails(event.run.failure.reason.partition("\n")[0][:400])
            return before
    raise Fails("the run did not end")


WAYS: dict[str, Callable[[Visit], str]] = {
    "trial": _trial,
    "audit": _audit,
    "train": _train,
    "predict": _predict,
    "export": _export,
    "resume": _resume,
}


def in_own_process(visit: Visit, rows: Path, log: Path) -> None:
    """Goes through the steps in a copy of the fork server; what is printed goes to `log`. rows: a line of JSON for each
    step that begins or has ended, so that whoever waits knows how far a process came that did not end."""
    import faulthandler
    from multiprocessing import forkserver, resource_tracker

    from zoo_models import smallest_size

    processes.begin(dict(os.environ), "en")
    # the server that made this process serves what this one starts as well; by itself it would start another one
    forkserver._forkserver.ensure_running = forkserver.ensure_running = resource_tracker.ensure_running
    printed = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    sys.stdout = sys.stderr = open(log, "a", encoding="utf-8", buffering=1)  # noqa: SIM115
    faulthandler.enable()
    with rows.open("w", encoding="utf-8", buffering=1) as file:

        def tell(**row: object) -> None:
            file.write(json.dumps(row) + "\n")

        tell(begins="size")
        begun = time.monotonic()
        visit.size = visit.size or smallest_size(visit.model, CLASSES, BATCH)
        tell(size=visit.size, seconds=round(time.monotonic() - begun, 2))
        soon_on_tape()
        for news in go_through(visit, STEPS_OF_LARGE if visit.large else STEPS):
            tell(begins=news) if isinstance(news, str) else tell(**dataclasses.asdict(news))


def soon_on_tape() -> None:
    """The second step is recorded and those behind it are replayed, as in a longer run from the twentieth."""
    from commongarden.train.replay import recorded_step

    recorded_step.AS_EVER = 1
