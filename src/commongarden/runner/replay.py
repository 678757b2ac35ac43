"""A stored run made again from its record, and held against what was stored."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from commongarden import arch
from commongarden import store as store_files
from commongarden.data import folder
from commongarden.errors import StoreError
from commongarden.i18n.coded import NOTHING, Coded, verbatim
from commongarden.i18n.language import N_, _
from commongarden.records import Epoch, Machine, Run
from commongarden.runner import plan, sources
from commongarden.runner.device_workers import DeviceWorkers
from commongarden.runner.events import EpochDone, Job, Trial
from commongarden.runner.prepared_data import reopen
from commongarden.runner.workers import LocalWorkers
from commongarden.store import Store, cleaning
from commongarden.study import Study

RESULTS = ("status", "selected_epoch", "test_accuracy", "test_loss", "failure", "pixel_mean", "pixel_std")


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it was stored. stored, again: as text. All are English, with their codes."""

    what: Coded
    stored: Coded
    again: Coded


@dataclass(frozen=True)
class Replayed:
    """A run beside the same run made again. differences: in what came out; circumstances: in what it was made with,
    which may be why, or may be harmless. largest: difference of a probability; None where none were kept."""

    arm: str
    seed: int
    differences: tuple[Difference, ...]
    circumstances: tuple[Difference, ...]
    largest: float | None

    @property
    def is_equal(self) -> bool:
        """Bit for bit: weights, history, probabilities, results."""
        return not self.differences


def replay(
    directory: Path, cache_folder: Path, device: str | None = None, tell: Callable[[str], None] = print
) -> Replayed:
    """Makes the run in `directory` (DIR/runs/ARM/SEED) again, elsewhere, and compares. tell(text): after each epoch.

    Raises StoreError where the study around it does not have the run, or its photos are others now.
    """
    store_files.check_run(directory)
    directory = directory.absolute()
    stored, store, job = _found(directory)
    study = store.study()
    _check_same_ground(store, study, stored)
    prepared = reopen(store, cache_folder)
    with tempfile.TemporaryDirectory(prefix="commongarden-replay-") as place:
        again = store_files.write_study(Path(place), study)
        store_files.write_split(again, store.manifest(), store.split())
        if study.splits_vary:
            for seed, split in store.splits().items():
                store_files.write_own_split(again, seed, split)
        context = plan.task_context(again, prepared, device or stored.device, 1, stored.stopped_as_hopeless)
        executor = LocalWorkers(context, 1) if context.device == "cpu" else DeviceWorkers(context, 1)
        for event in executor.execute([job], lambda: False):
            _tell(event, stored, tell)
        kept, number = plan.kept_in(again, job)
        return _compared(directory, kept.directory(job.arm, number))


def _tell(event: object, stored: Run, tell: Callable[[str], None]) -> None:
    if isinstance(event, EpochDone):
        tell(_("epoch {n} of {epochs}").format(n=event.epoch.epoch, epochs=stored.recipe.epochs))


def _found(directory: Path) -> tuple[Run, Store, Job]:
    """The record, the study around it, and the job that makes it again."""
    stored = store_files.read_run(directory)
    root = directory.parent.parent.parent
    is_trial = root.name == "tuning" and not (root / "study.toml").is_file()
    store = store_files.open_store(root.parent if is_trial else root)
    study = store.study()
    if stored.arm not in study.arms or (not is_trial and stored.seed not in study.seeds):
        text = _("{directory}: found no run {arm}, seed {seed} in the study {root}; accepted: a run of this study")
        raise StoreError(text.format(directory=directory, root=store.root, arm=stored.arm, seed=stored.seed))
    if is_trial and study.tuning is not None:
        return stored, store, Trial(stored.arm, study.tuning.run_seed, stored.seed)
    return stored, store, Job(stored.arm, stored.seed)


def _check_same_ground(store: Store, study: Study, stored: Run) -> None:
    """The photos are looked at again, since the decoded ones may be there without them."""
    listed = sources.listed(study.data_plan, store.root, keep_going=True)
    manifest = folder.scan(study.data, study.reading, keep_going=True, listed=listed)
    if manifest.hash != stored.hashes.data:
        text = _("{data}: the photos have changed since the run (SHA-256 now {found}..., then {wanted}...)")
        raise StoreError(text.format(data=study.data, found=manifest.hash[:12], wanted=stored.hashes.data[:12]))
    network = arch.hash(study.arms[stored.arm].network(len(manifest.classes)))
    if network != stored.hashes.arch:
        raise StoreError(
            _(
                "{root}: {arm} is a different network now than in the run; accepted: commongarden "
                "{version}, which made the run"
            ).format(root=store.root, arm=stored.arm, version=stored.machine.packages.get("commongarden", "?"))
        )


def _compared(before: Path, after: Path) -> Replayed:
    stored, again = store_files.read_run(before), store_files.read_run(after)
    found = [
        Difference(verbatim(name), _shown(one), _shown(two))
        for name in RESULTS
        if (one := getattr(stored, name)) != (two := getattr(again, name))
    ]
    one, two = (_history(path) for path in (before, after))
    if one != two:
        same = [mine == theirs for mine, theirs in zip(one, two, strict=False)]
        first = (same.index(False) if False in same else len(same)) + 1
        found.append(Difference(N_("history"), NOTHING, N_("differs from epoch {n} on").format(n=first)))
    weights = [cleaning.weights_digest(path) for path in (before, after)]
    if weights[0] != weights[1]:
        shown = (verbatim(f"SHA-256 {one[:12]}...") if one else N_("not kept") for one in weights)
        found.append(Difference(N_("weights"), *shown))
    name = "predictions.npz"
    if (before / name).is_file() != (after / name).is_file():
        found.append(Difference(N_("probabilities"), _there(before / name), _there(after / name)))
    largest = None
    if (before / "predictions.npz").is_file() and (after / "predictions.npz").is_file():
        here, there = (store_files.read_predictions(path).probabilities for path in (before, after))
        largest = float(np.abs(here - there).max(initial=0.0)) if here.shape == there.shape else float("inf")
        if here.tobytes() != there.tobytes():
            by = N_("differ by up to {largest:.2g}").format(largest=largest)
            found.append(Difference(N_("probabilities"), NOTHING, by))
    return Replayed(stored.arm, stored.seed, tuple(found), tuple(_circumstances(stored, again)), largest)


def _history(directory: Path) -> list[Epoch]:
    """Without its seconds, which no one promises."""
    return [
        dataclasses.replace(epoch, seconds_data=0, seconds_forward_backward=0, seconds_optimizer=0, seconds_val=0)
        for epoch in store_files.read_history(directory)
    ]


def _circumstances(stored: Run, again: Run) -> list[Difference]:
    """In what the two were made with: versions, machine, threads, code under version control."""
    pairs = _flat(stored.machine), _flat(again.machine)
    for run, pair in zip((stored, again), pairs, strict=True):
        pair |= {"device": run.device, "threads": str(run.recipe.threads), "recipe": run.hashes.recipe[:12]}
        if run.git is not None:
            pair["git"] = run.git.commit[:12] + (" *" if run.git.is_changed else "")
    return [
        Difference(*(verbatim(text) for text in (name, pairs[0].get(name, ""), pairs[1].get(name, ""))))
        for name in sorted(pairs[0] | pairs[1])
        if pairs[0].get(name, "") != pairs[1].get(name, "")
    ]


def _flat(machine: Machine) -> dict[str, str]:
    found = {name: str(getattr(machine, name)) for name in ("system", "processor", "instructions", "python")}
    return {**found, "cores": str(machine.physical_cores), **machine.packages}


def _there(path: Path) -> Coded:
    return N_("kept") if path.is_file() else N_("not kept")


def _shown(value: object) -> Coded:
    return NOTHING if value is None else verbatim(str(value))
