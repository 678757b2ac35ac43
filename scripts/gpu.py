"""The measurements of scripts/gpu.sh, each kept as JSON as soon as it is made.

python scripts/gpu.py table --photos PHOTOS --out OUT
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from commongarden.data import batches as feeding
from commongarden.data.device_images import on_device
from commongarden.study import arm as arms
from commongarden.study.recipe import Recipe
from commongarden.train import loop, measure, state, streams
from commongarden.train.build import auxiliary_logits
from commongarden.train.classifier import Classifier
from commongarden.train.device.lanes import lane_of
from commongarden.train.initialize import initialize
from commongarden.train.progress import Turn
from commongarden.train.recording import Recorder

# model, pixels, batch size, precision, numbers of runs side by side
CASES = (
    ("bottleneck_flower", 64, 10, "float32", (1, 4, 16)),
    ("inception_flower:LA", 96, 10, "float32", (1, 4, 16)),
    ("resnet18", 64, 32, "float32", (1, 4, 16)),
    ("resnet50", 224, 64, "bfloat16", (1, 2)),
    ("resnet18", 224, 64, "tf32", (1, 2)),
)
N_PHOTOS = 2048
SECONDS = 2.0  # of each measurement
LIMIT = 215.0  # seconds of a part, after which nothing more is begun
N_FOR_BITS = 500  # photos


class Results:
    """What was measured so far, in a file."""

    def __init__(self, path: Path, limit: float = 0.0) -> None:
        self.path, self.limit, self.found = path, limit, {"began": time.time()}

    def keep(self, name: str, value: object) -> None:
        self.found[name] = value
        self.path.write_text(json.dumps(self.found, indent=1, default=str))
        print(name, json.dumps(value, default=str), flush=True)

    def attempt(self, name: str, work) -> None:
        """What the work gives; or, where it fails, how, and the rest goes on."""
        begun = time.perf_counter()
        if self.limit and time.time() - self.found["began"] > self.limit:
            self.keep(name, {"left_out": "no time"})
            return
        try:
            value = work()
        except Exception:
            value = {"failed": traceback.format_exc()}
        self.keep(name, {"seconds_of_measurement": round(time.perf_counter() - begun, 2), **value})


@dataclasses.dataclass(frozen=True)
class Place:
    """Where it is measured. seconds: of each measurement."""

    device: torch.device
    seconds: float
    n_photos: int

    def lane(self):
        if self.device.type != "cpu":
            return lane_of(self.device)
        from stand_in_device import StandInLane

        return StandInLane()

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def photos(folder: Path, pixels: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Some photos of each class, n in all, and their labels."""
    from PIL import Image

    classes = sorted(path for path in folder.iterdir() if path.is_dir())
    found = [(path, label) for label, each in enumerate(classes) for path in sorted(each.glob("*.jpg"))]
    chosen = found[:: max(1, len(found) // n)][:n]
    images = [np.asarray(Image.open(path).convert("RGB").resize((pixels, pixels))) for path, _ in chosen]
    return np.stack(images), np.array([label for _, label in chosen], np.int64)


def classifier_of(name: str, recipe: Recipe, n_classes: int, seed: int = 0) -> Classifier:
    """The network at its first weights."""
    measure.settle(1, recipe.precision)
    torch.manual_seed(seed)
    _name, wanted = arms.from_text(name)
    shape = (recipe.resolution, recipe.resolution, 3)
    made = Classifier(wanted.network(n_classes), shape, recipe, (120.0,) * 3, (60.0,) * 3)
    initialize(made, recipe, streams.generator(0, seed, "initialization"))
    return made


def ordinary(name: str, recipe: Recipe, images, labels, place: Place) -> dict:
    """An ordinary loop with the photos on the device: torch's Adam, one .item() a step."""
    network = classifier_of(name, recipe, int(labels.max()) + 1).to(place.device)
    optimizer = torch.optim.Adam(network.parameters(), lr=recipe.lr)
    answers = torch.from_numpy(labels).to(place.device)
    network.train()
    done, begun, first = 0, 0.0, 5
    while done < first or time.perf_counter() - begun < place.seconds:
        if done == first:
            place.wait()
            begun = time.perf_counter()
        chosen = torch.randint(len(labels), (recipe.batch_size,), device=place.device)
        optimizer.zero_grad()
        logits = network(images[chosen].permute(0, 3, 1, 2))
        loss = F.cross_entropy(logits, answers[chosen])
        for weight, head in auxiliary_logits(network):
            loss = loss + weight * F.cross_entropy(head.float(), answers[chosen])
        loss.backward()
        optimizer.step()
        loss.item()
        done += 1
        if done <= first:
            begun = time.perf_counter()
    place.wait()
    return {"images_per_second": (done - first) * recipe.batch_size / (time.perf_counter() - begun)}


class Run:
    """A run in a lane of its own, as a study trains it."""

    def __init__(self, name: str, recipe: Recipe, images, labels, place: Place, seed: int, records: bool) -> None:
        self.lane, self.over = place.lane(), False
        steps = feeding.n_batches(len(labels), recipe.batch_size)
        with self.lane.in_place():
            made = classifier_of(name, recipe, int(labels.max()) + 1, seed)
            self.state = loop.new_train_state(made, recipe, place.device, lane=self.lane)
            if records:
                self.state.recorder = Recorder(made.body, {}, steps)

        def drawn(epoch: int):
            dice = [streams.generator(0, seed, stream, epoch) for stream in ("order", "augmentation")]
            return feeding.drawn_epoch(images, labels, np.arange(len(labels)), recipe.batch_size, *dice)

        few = np.arange(min(64, len(labels)))
        self.news = loop.train(self.state, drawn, lambda: feeding.in_order(images, labels, few, 64), steps, 0, seed)

    def advance(self) -> bool:
        """One turn; whether the device was fed."""
        with self.lane.in_place():
            one = next(self.news, None)
        self.over = one is None
        return one is not Turn.WAITING

    @property
    def n_done(self) -> int:
        return 0 if self.state.on_device is None else self.state.on_device.n_done


def advance_all(runs: list[Run]) -> None:
    """A turn of each."""
    fed = [run.advance() for run in runs if not run.over]
    if not any(fed):
        time.sleep(0.0002)


def side_by_side(name: str, recipe: Recipe, images, labels, place: Place, n: int, records: bool) -> dict:
    """Images a second of n runs together. records: with the signals of a study."""
    begun = time.perf_counter()
    if place.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    runs = [Run(name, recipe, images, labels, place, seed, records) for seed in range(n)]
    while min(run.n_done for run in runs) < 12:
        advance_all(runs)
    place.wait()
    start, before = time.perf_counter(), sum(run.n_done for run in runs)
    while time.perf_counter() - start < place.seconds:
        advance_all(runs)
    place.wait()
    rate = (sum(run.n_done for run in runs) - before) * recipe.batch_size / (time.perf_counter() - start)
    found = {
        "images_per_second": rate,
        "startup": start - begun,
        "captured": all(run.state.on_device.is_replaying for run in runs),
        "notes": sorted({str(note) for run in runs for note in run.state.notes}),
    }
    if place.device.type == "cuda":
        found["peak_bytes"] = torch.cuda.max_memory_allocated()
    return found


def bits(name: str, recipe: Recipe, images, labels, place: Place, n: int) -> dict:
    """Whether runs side by side are to the bit what each is alone, and what it is when repeated."""

    def ended(runs: list[Run]) -> list[str]:
        while not all(run.over for run in runs):
            advance_all(runs)
        place.wait()
        found = []
        for run in runs:
            losses = [(epoch.train_loss, epoch.val_loss) for epoch in run.state.history]
            found.append(hashlib.sha256(state.to_bytes(run.state.classifier) + repr(losses).encode()).hexdigest())
        return found

    def made(seed: int) -> Run:
        return Run(name, recipe, images, labels, place, seed, records=True)

    alone = [ended([made(seed)])[0] for seed in range(min(n, 4))]
    again = ended([made(0)])
    together = ended([made(seed) for seed in range(n)])
    return {"same_alone_and_together": together[: len(alone)] == alone, "same_again": again == alone[:1]}


def table(results: Results, place: Place, folder: Path, cases=CASES) -> None:
    """The table of docs/performance.md."""
    for name, pixels, batch, precision, numbers in cases:
        recipe = Recipe(resolution=pixels, batch_size=batch, precision=precision, optimizer="adam", epochs=1000)
        pictures, labels = photos(folder, pixels, place.n_photos)
        images = on_device(pictures, place.device)
        how = (name, recipe, images, labels, place)
        title = f"{name} {pixels} px, batch {batch}, {precision}"
        results.attempt(f"{title}: ordinary", lambda how=how: ordinary(*how))
        for n in numbers:
            results.attempt(f"{title}: {n} runs", lambda how=how, n=n: side_by_side(*how, n, records=False))
        n = numbers[-1]
        results.attempt(f"{title}: {n} runs with signals", lambda how=how, n=n: side_by_side(*how, n, records=True))
        if pixels < 224:
            short = dataclasses.replace(recipe, epochs=2)
            results.attempt(f"{title}: bits", lambda how=how, short=short, n=n: bits(how[0], short, *few(how), n))


def few(how: tuple) -> tuple:
    """The first photos, their labels, and the place."""
    return how[2][:N_FOR_BITS], how[3][:N_FOR_BITS], how[4]


class Counted(torch.utils._python_dispatch.TorchDispatchMode):
    """Counts what the host asks of torch, and the values that it waits for."""

    def __init__(self) -> None:
        super().__init__()
        self.operators = self.waits = 0

    def __torch_dispatch__(self, called, types, args=(), kwargs=None):
        self.operators += 1
        self.waits += called is torch.ops.aten._local_scalar_dense.default
        return called(*args, **(kwargs or {}))


def counts(results: Results, folder: Path, cases=CASES) -> None:
    """What a step asks of a device, by the stand-in: operators of a step done one by one, and launches of a step that
    is replayed; values that the host waits for in an epoch."""
    place = Place(torch.device("cpu"), 0.0, 60)
    for name, pixels, batch, _precision, _numbers in cases:
        recipe = Recipe(resolution=pixels, batch_size=2, optimizer="adam", epochs=1000)
        pictures, labels = photos(folder, pixels, 40)
        run = Run(name, recipe, on_device(pictures, place.device), labels, place, 0, records=False)
        while run.n_done < 2:
            run.advance()
        with Counted() as eager, run.lane.in_place():
            run.state.on_device.step.feed.next()
            run.state.on_device.step.do(3, 2)
        while not run.state.history:
            run.advance()
        fetched, done, waits = run.lane.fetched, run.n_done, Counted()
        with waits:
            while run.n_done < done + 9:  # before the end of the epoch, at which what was shown is waited for
                run.advance()
        found = {"operators_a_step": eager.operators, "launches_a_replayed_step": 1, "steps": run.n_done - done}
        found |= {
            "waits": waits.waits,
            "fetched": run.lane.fetched - fetched,
            "replayed": run.state.on_device.is_replaying,
        }
        results.keep(f"{name} {pixels} px, batch {batch}", found)


def command(*arguments: object) -> list[str]:
    """A command of commongarden by this Python; in a rehearsal, with the CPU in the place of a GPU."""
    stand_in = Path(__file__).parent.parent / "tests/support/stand_in_command.py"
    called = [str(stand_in)] if "cpu" in arguments else ["-m", "commongarden.cli"]
    return [sys.executable, *called, *map(str, arguments)]


def study(results: Results, folder: Path, out: Path, device: str, more: tuple[str, ...] = ()) -> None:
    """`run flowers --seeds 5`: the time of the whole, of the start, and what was forecast."""
    root = out / "flowers"

    def run() -> dict:
        begun, lines, first = time.perf_counter(), [], None
        asked = command("run", "flowers", "--data", folder, "--out", root, "--device", device, "--yes", *more)
        with subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            for line in process.stdout:
                lines.append(f"{time.perf_counter() - begun:.1f} {line.rstrip()}")
                if first is None and "epoch" in line:
                    first = time.perf_counter() - begun
        forecast = root / "forecast.json"
        return {
            "seconds": time.perf_counter() - begun,
            "seconds_to_first_epoch": first,
            "exit_code": process.returncode,
            "forecast": json.loads(forecast.read_text()) if forecast.exists() else None,
            "said": lines[-60:],
        }

    results.attempt("study", run)
    results.attempt("notes", lambda: {"runs": notes_of(root)})


def notes_of(root: Path) -> dict[str, list[str]]:
    """The notes of each run's record."""
    records = sorted(root.glob("runs/*/*/run.json"))
    found = {str(path.parent.relative_to(root)): json.loads(path.read_text()) for path in records}
    return {name: [record["status"], *record.get("notes", [])] for name, record in found.items()}


def weights_of(root: Path) -> dict[str, str]:
    """The checksum of each run's weights."""
    files = sorted(root.glob("runs/*/*/model.safetensors"))
    return {str(path.parent.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def trouble(results: Results, folder: Path, out: Path, device: str, more: tuple[str, ...] = ()) -> None:
    """Workers that are killed, a study that is stopped and resumed, and a batch that does not fit."""
    asked = ["run", "--data", folder, "--models", "plain_flower,bottleneck_flower", "--seeds", "2", "--epochs", "4",
             "--batch-size", "10", "--device", device, "--no-maps", "--yes", *more]  # fmt: skip

    def run(name: str, kill: str = "", after: float = 0.0) -> dict:
        begun = time.perf_counter()
        root = out / name
        with subprocess.Popen(
            command(*asked, "--out", root), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            if kill:
                threading.Thread(target=disturb, args=(process, root, kill, after), daemon=True).start()
            said = process.stdout.read()
        return {"seconds": time.perf_counter() - begun, "exit_code": process.returncode, "said": said[-1500:]}

    results.attempt("undisturbed", lambda: run("whole"))
    results.attempt("worker killed", lambda: run("killed", kill="worker"))
    results.attempt("study killed", lambda: run("resumed", kill="study"))
    results.attempt("study resumed", lambda: run("resumed"))
    whole = weights_of(out / "whole")
    for name in ("killed", "resumed"):
        same = weights_of(out / name) == whole
        results.keep(f"{name}: same bits", {"runs": len(whole), "same": bool(whole) and same})
    if device != "cpu":
        results.attempt("too large", lambda: too_large(folder, out, device))


def disturb(process: subprocess.Popen, root: Path, what: str, after: float) -> None:
    """Kills a worker, or the whole, once a checkpoint is there."""
    import psutil

    while process.poll() is None and not list(root.glob("runs/*/*partial*/checkpoint.pt")):
        time.sleep(0.02)
    time.sleep(after)
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    if what == "study":
        process.send_signal(signal.SIGKILL)
    workers = [child for child in children if child.name().startswith("python") and not child.children()]
    for child in workers if what == "study" else sorted(workers, key=lambda one: -one.memory_info().rss)[:1]:
        child.kill()


def too_large(folder: Path, out: Path, device: str) -> dict:
    """A batch that cannot fit: the failure names one that does."""
    size = ["--image-size", 224, "--batch-size", 4096, "--seeds", 1, "--epochs", 1]
    asked = command(
        "run", "--data", folder, "--models", "resnet50", *size, "--device", device, "--no-maps", "--yes",
        "--out", out / "large",
    )  # fmt: skip
    done = subprocess.run(asked, capture_output=True, text=True, timeout=120)
    records = [json.loads(path.read_text()) for path in (out / "large").glob("runs/*/*/run.json")]
    failures = [(record.get("failure") or {}).get("reason") for record in records]
    return {"exit_code": done.returncode, "failures": failures, "said": (done.stdout + done.stderr)[-1500:]}


def machine() -> dict:
    """What it was measured on."""
    found = {"torch": torch.__version__, "cuda": torch.version.cuda, "python": sys.version.split()[0]}
    found["cores"] = os.cpu_count()
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    return found


def rehearsal(out: Path, folder: Path) -> None:
    """All parts in small on the CPU."""
    results, place = Results(out / "rehearsal.json"), Place(torch.device("cpu"), 0.3, 60)
    results.keep("machine", machine())
    table(results, place, folder, [(name, 32, 6, "float32", (1, 2)) for name, *_ in CASES[:2]])
    few = out / "few"
    for each in sorted(path for path in folder.iterdir() if path.is_dir()):
        (few / each.name).mkdir(parents=True, exist_ok=True)
        for path in sorted(each.glob("*.jpg"))[:20]:
            (few / each.name / path.name).write_bytes(path.read_bytes())
    small = ("--seeds", "1", "--epochs", "2", "--image-size", "24")
    study(results, few, out, "cpu", small)
    trouble(results, few, out, "cpu", ("--image-size", "24"))
    failed = [name for name, value in results.found.items() if isinstance(value, dict) and "failed" in value]
    bad = [name for name, value in results.found.items() if isinstance(value, dict) and value.get("same") is False]
    if failed or bad:
        sys.exit(f"failed: {failed + bad}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=("table", "study", "trouble", "counts", "rehearsal"))
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.part == "rehearsal":
        rehearsal(args.out, args.photos)
        return
    results = Results(args.out / f"{args.part}.json", LIMIT)
    results.keep("machine", machine())
    if args.part == "counts":
        counts(results, args.photos)
    elif args.part == "table":
        table(results, Place(torch.device("cuda"), SECONDS, N_PHOTOS), args.photos)
    elif args.part == "study":
        study(results, args.photos, args.out, "cuda", ("--seeds", "5"))
    else:
        trouble(results, args.photos, args.out, "cuda")


if __name__ == "__main__":
    main()
