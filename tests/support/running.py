"""Studies started as processes, and their numbers."""

import dataclasses
import subprocess
import sys
import time

from command import environment
from commongarden import store as stores


def numbers(out):
    """All that must not depend on interruptions, workers or order: weights, histories, predictions."""
    store = stores.open_store(out)
    found = {}
    for run in store.runs():
        directory = store.directory(run.arm, run.seed)
        history = [
            dataclasses.replace(epoch, seconds_data=0, seconds_forward_backward=0, seconds_optimizer=0, seconds_val=0)
            for epoch in store.history(run.arm, run.seed)
        ]
        predictions = store.predictions(run.arm, run.seed)
        found[run.arm, run.seed] = (
            (directory / "model.safetensors").read_bytes(),
            history,
            predictions.probabilities.tobytes(),
            run.test_accuracy,
            run.test_loss,
        )
    return found


def start(study_file, out, cache_folder, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "commongarden.cli", "run", str(study_file), "--out", str(out), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(cache_folder),
    )


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
