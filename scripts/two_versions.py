"""Whether training on the CPU is as fast in this version as in another checkout: the same runs in alternation.

python scripts/two_versions.py ../other/src [--pairs 20] [--model inception_flower:LA] [--pixels 96] [--batch 10]

Both versions train in processes of their own, of which one goes on for a moment while the other one waits, the one
first in every other round. Speed differs by several percent between two processes of one version, by where their memory
lies: so there are many pairs of processes, and the interval is that of the pairs. Prints images a second, the median
ratio of this version to the other one with its 95 % interval, and whether both have the same weights after 30 steps.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

TRAIN = """
import hashlib, sys, time
import numpy as np, torch
from commongarden.data import batches
from commongarden.runner.initial_network import first_weights
from commongarden.study import arm as arms
from commongarden.study.recipe import Recipe
from commongarden.train import loop, measure, state, streams

text, pixels, batch, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
n, warm = 400, 30
recipe = Recipe(resolution=pixels, batch_size=batch, optimizer="adam", epochs=10_000)
measure.settle(recipe.threads)
_, arm = arms.from_text(text)
shape = (pixels, pixels, 3)
classifier = first_weights(arm, arm.network(5), shape, recipe, (127.5,) * 3, (64.0,) * 3, 0, 0)
dice = np.random.default_rng(0)
images, labels = dice.integers(0, 256, (n, *shape), dtype=np.uint8), dice.integers(0, 5, n)

def epoch(number):
    drawn = [streams.generator(0, 0, stream, number) for stream in ("order", "augmentation")]
    return batches.shuffled(images, labels, np.arange(n), batch, *drawn)

news = loop.train(loop.new_train_state(classifier, recipe, torch.device("cpu")), epoch, lambda: batches.in_order(
    images, labels, np.arange(20), 20), batches.n_batches(n, batch), 0, 0)
for _ in range(warm):
    next(news)
weights = hashlib.sha256(state.to_bytes(classifier)).hexdigest()
print(weights, flush=True)
for _ in sys.stdin:
    begun, done = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        done += isinstance(next(news), loop.Step)
    print(done * batch / (time.perf_counter() - begun), flush=True)
"""


def started(source: Path, arguments: list[str]) -> subprocess.Popen:
    """A training by the version whose packages lie there: it prints its weights, then goes on for a moment and prints
    its images a second at every line that it is given."""
    environment = os.environ | {"PYTHONPATH": str(source.resolve()), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", TRAIN, *arguments]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def answer(training: subprocess.Popen) -> str:
    line = training.stdout.readline()
    if not line:
        raise SystemExit("a training ended by an error, see above")
    return line.strip()


def moment(training: subprocess.Popen) -> float:
    training.stdin.write("go\n")
    training.stdin.flush()
    return float(answer(training))


def main() -> None:
    from commongarden.stats.medians import median_interval

    parser = argparse.ArgumentParser()
    parser.add_argument("other", type=Path)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--model", default="inception_flower:LA")
    parser.add_argument("--pixels", type=int, default=96)
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each moment")
    given = parser.parse_args()
    arguments = list(map(str, (given.model, given.pixels, given.batch, given.seconds)))
    versions = {"this": Path(__file__).parent.parent / "src", "other": given.other}
    rates: dict[str, list[float]] = {name: [] for name in versions}
    weights = set()
    for _ in range(given.pairs):
        trainings = {name: started(source, arguments) for name, source in versions.items()}
        weights |= {answer(training) for training in trainings.values()}
        moments: dict[str, list[float]] = {name: [] for name in versions}
        for number in range(given.rounds):
            for name in sorted(versions, reverse=bool(number % 2)):
                moments[name].append(moment(trainings[name]))
        for name, training in trainings.items():
            training.communicate()
            rates[name].append(statistics.median(moments[name]))
    ratio = median_interval([this / other for this, other in zip(rates["this"], rates["other"], strict=True)])
    for name, values in rates.items():
        print(f"{name}: {statistics.median(values):.0f} images/s")
    interval = "" if ratio.low is None else f" ({ratio.low:.3f} to {ratio.high:.3f})"
    print(f"this / other: {ratio.value:.3f}{interval}, n = {given.pairs} pairs of processes")
    print(f"same weights: {len(weights) == 1}")


if __name__ == "__main__":
    main()
