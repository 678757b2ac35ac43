"""The benchmark: what it measures is what it says, through the command line with little to train."""

import dataclasses
import json
import mmap
import os
import runpy
import sys
import time
import xml.etree.ElementTree as ET
from functools import partial

import msgspec
import pytest
import torch
from PIL import Image

from commongarden.arch import cost, network
from commongarden.benchmarks import footprint, photos, reference_script, rounds
from commongarden.benchmarks import rates as speed
from commongarden.benchmarks import report as told
from commongarden.benchmarks import study_benchmark as studies
from commongarden.cli import main
from commongarden.errors import DataError, StoreError
from commongarden.profiling import energy
from commongarden.records import Epoch, Machine, benchmark
from commongarden.records.benchmark import Bench, Case, Folder, Held, Trained
from commongarden.runner import run_study
from commongarden.runner.device_workers import DeviceWorkers
from commongarden.runner.events import EpochDone, Job, RunDone, Started, Stepped
from commongarden.store import Store
from stand_in_device import stand_in_lane

FOLDER = Folder("generated", 60, 5, 37_000.0)
CASE = Case("plain_flower", 16, 8, 1, FOLDER, 1000, 2_000_000)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    root = tmp_path_factory.mktemp("drawn")
    return root, photos.generate(root, 60)


@pytest.fixture(scope="module")
def measured(commongarden, tmp_path_factory):
    """One round of everything, as small as it goes: the process that ran, the kept file."""
    folder = tmp_path_factory.mktemp("bench")
    process = commongarden(
        "bench", "plain_flower", "--photos", 100, "--rounds", 1, "--resolution", 16, "--batch-size", 8, "--threads", 1,
        "--workers", 1, "--no-memory", "--keep", folder / "bench.json", "--svg", folder / "bench.svg", "--json",
        check=0, cwd=folder,
    )  # fmt: skip
    return process, folder


def test_a_round_holds_what_was_trained(measured):
    process, folder = measured
    found = json.loads(process.stdout)
    assert (folder / "bench.json").read_text() == process.stdout
    (case,) = found["cases"]
    assert (case["arm"], case["resolution"], case["batch_size"], case["epochs"]) == ("plain_flower", 16, 8, 1)
    assert (case["folder"]["n_photos"], case["folder"]["n_classes"]) == (100, 5)
    assert case["macs"] == cost(network("plain_flower", 5), (16, 16, 3)).macs
    plain, memory, ours = found["trained"]
    assert (plain["way"], memory["way"], ours["way"]) == ("plain", "memory", "ours")
    for one in (plain, memory, ours):
        assert one["images"] == 80 - 8  # ten batches of 8, of which the first is start-up
        assert 0 < one["seconds"] < one["startup"] + one["seconds"] < 240
        assert one["validation"] > 0
        assert (one["runs"], one["workers"], one["threads"], one["number"]) == (1, 1, 1, 1)
    assert plain["validated"] == ours["validated"] == 5
    assert ours["afterwards"] > 0
    assert 0 <= ours["unrecorded"] < 1
    assert 0 <= ours["idle"] < 1
    assert plain["unrecorded"] is plain["idle"] is None
    assert dict(found["scripts"]) == dict(map(reference_script.digest, ("plain", "memory")))
    assert len(found["matmul"]) == 1
    assert found["matmul"][0] > 0
    assert "round 1 of 1, plain_flower at 16 pixels, generated images, plain script" in process.stderr


def test_a_kept_file_is_told_and_drawn_again(measured, commongarden, tmp_path):
    process, folder = measured
    again = commongarden("bench", "--measured", folder / "bench.json", "--svg", tmp_path / "x.svg", check=0).stdout
    bench = benchmark.read(folder / "bench.json")
    assert "plain_flower at 16 pixels, batch 8, generated (100 images" in again
    assert f"{speed.ratio(bench, 0, 'plain').value:.2f}x" in again
    assert "Too few rounds for intervals; use --rounds 6 or more." in again
    assert again.splitlines()[-1] == f"The scripts: {reference_script.folder()}"
    assert (tmp_path / "x.svg").read_bytes() == (folder / "bench.svg").read_bytes()
    ET.fromstring((tmp_path / "x.svg").read_text())
    assert "bench.svg" in process.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(
            ["--device", "cuda"],
            "device: found 'cuda', accepted on this machine: auto, cpu",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is one"),
        ),
        (["--device", "mps"], "bench --device: found mps, accepted: cpu, cuda, cuda:1"),
        (["plain_flowr"], "did you mean 'plain_flower'?"),
        (["torchvision:resnet18"], "found torchvision:resnet18, accepted: an architecture of commongarden's own"),
        (["alexnet", "--resolution", 16], "alexnet / max pool 3x3 (2): the output would be empty for input 1x1x192"),
        (["--data", "nowhere"], "nowhere: found no folder; accepted: a folder of class folders"),
        (["--rounds", 0], "0 is not in the range x>=1"),
        (["--photos", 39], "39 is not in the range x>=40"),
        (["--curve", "run"], "unknown axis 'run'; did you mean 'runs'?"),
        (["--curve", "photos=20,50"], "found '20,50', accepted: integers of 40 or more, such as photos=500,2000,10000"),
        (["--curve", "runs=two"], "found 'two', accepted: integers of 1 or more"),
        (["--curve", "runs", "--busy"], "--curve and --busy: found both"),
        (["resnet18", "resnet34", "--curve", "runs"], "--curve: found 2 models, accepted: one"),
        (["--measured", "nowhere.json"], "nowhere.json: cannot be read as a benchmark"),
    ],
)
def test_what_cannot_be_measured_is_told_before_anything_is(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    with pytest.raises(SystemExit) as ended:
        main(["bench", *map(str, arguments)], prog_name="commongarden")
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert said in told
    assert "images/s" not in told


class Compiled:
    """Stands for torch.compile, which takes half a minute, and calls the network as it is."""

    n = 0

    def __call__(self, network):
        self.n += 1
        return lambda images: network(images)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # timm leaves the files of its photos open
@pytest.mark.parametrize(
    ("name", "arm", "more"),
    [
        ("plain.py", "plain_flower", []),
        ("plain.py", "plain_flower", ["--in-memory"]),
        ("plain.py", "plain_flower", ["--device", "cpu", "--on-device"]),
        ("plain.py", "plain_flower", ["--device", "cpu", "--on-device", "--compile"]),
        ("timm_peer.py", "resnet18", []),
    ],
)
def test_the_scripts_train_what_they_say(name, arm, more, drawn, monkeypatch, capsys):
    root, _ = drawn
    arguments = ["--arm", arm, "--resolution", "16", "--batch", "8", "--epochs", "2"]
    monkeypatch.setattr(sys, "argv", [name, str(root), *arguments, *more])
    monkeypatch.setattr(torch, "compile", compiled := Compiled())
    torch.manual_seed(0)
    runpy.run_path(str(reference_script.folder() / name), run_name="__main__")
    said = msgspec.json.decode(capsys.readouterr().out, type=reference_script.Said)
    assert said.images == 2 * 48 - 8  # all but the first batch
    assert said.validated == 2 * 3
    assert said.seconds > 0
    assert said.threads == torch.get_num_threads()
    assert said.peak_bytes is None
    assert compiled.n == ("--compile" in more)


def test_a_script_stops_when_its_time_is_over(drawn, monkeypatch, capsys):
    root, _ = drawn
    arguments = ["--arm", "plain_flower", "--resolution", "16", "--batch", "8", "--epochs", "9", "--at-most", "0"]
    monkeypatch.setattr(sys, "argv", ["plain.py", str(root), *arguments])
    runpy.run_path(str(reference_script.folder() / "plain.py"), run_name="__main__")
    assert msgspec.json.decode(capsys.readouterr().out, type=reference_script.Said).images == 8


def test_a_script_has_the_threads_of_a_terminal(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("HOME_OF_MINE", "here")
    assert "OMP_NUM_THREADS" not in reference_script.environment(None)
    assert reference_script.environment(None)["HOME_OF_MINE"] == "here"
    assert reference_script.environment(3)["OMP_NUM_THREADS"] == "3"


def test_drawn_photos_are_those_of_their_seed(drawn, tmp_path):
    root, folder = drawn
    files = sorted(root.rglob("*.jpg"))
    assert len(files) == folder.n_photos == 60
    assert {file.parent.name for file in files} == {f"class-{i}" for i in range(5)}
    assert folder.n_bytes == sum(file.stat().st_size for file in files) / 60
    assert 33_000 < folder.n_bytes < 41_000
    for file in files:
        with Image.open(file) as picture:
            assert 320 <= picture.width <= 500
            assert 240 <= picture.height <= 333
    photos.generate(tmp_path / "again", 5)
    photos.generate(tmp_path / "other", 5, seed=1)
    first = "class-0/00000.jpg"
    assert (tmp_path / "again" / first).read_bytes() == (root / first).read_bytes()
    assert (tmp_path / "other" / first).read_bytes() != (root / first).read_bytes()


def test_a_sample_has_every_class_by_its_share(drawn, tmp_path):
    root, _ = drawn
    found = photos.sample(root, tmp_path / "some", 30)
    assert (found.name, found.n_photos, found.n_classes) == (root.name, 30, 5)
    taken = [sorted(path.read_bytes() for path in folder.iterdir()) for folder in sorted((tmp_path / "some").iterdir())]
    assert [len(files) for files in taken] == [6] * 5
    originals = {path.read_bytes() for path in root.rglob("*.jpg")}
    assert all(data in originals for files in taken for data in files)
    assert photos.sample(root, tmp_path / "all", 1000).n_photos == 60


def test_too_small_a_folder_is_refused(photos_of_few, tmp_path):
    with pytest.raises(DataError, match="found 10 images, accepted: 40 or more"):
        photos.sample(photos_of_few, tmp_path / "some", 500)


@pytest.fixture
def photos_of_few(tmp_path):
    photos.generate(tmp_path / "few", 10)
    return tmp_path / "few"


def epoch(number, train, val):
    return Epoch(number, 1.0, 0.5, 1.0, 0.5, 1e-3, train / 4, train / 2, train / 4, val)


class RunOfStudy:
    status = "finished"


def test_a_study_is_timed_between_its_first_step_and_its_last_run(monkeypatch):
    """Two runs of two epochs side by side: a step of 1 s, 10 s of training, 2 s of validation, 1 s of storing."""
    now = [100.0]
    monkeypatch.setattr(studies.time, "perf_counter", lambda: now[0])
    heard = studies.Listener()
    runs = [Job("a", 0), Job("a", 1)]

    for second, made in (
        (105, lambda job: Started(job, ())),
        (106, lambda job: Stepped(job, 1, 1, 5, 1.0, 0.5, 8.0)),
        (112, lambda job: Stepped(job, 1, 4, 5, 1.0, 0.5, 8.0)),
        (117.5, lambda job: EpochDone(job, epoch(1, 10, 2), 4.0)),  # half a second for the checkpoint
        (129.5, lambda job: EpochDone(job, epoch(2, 10, 2), 4.0)),
        (130.5, lambda job: RunDone(job, RunOfStudy)),
    ):
        now[0] = second
        for job in runs:
            heard.show(made(job))
    case = dataclasses.replace(CASE, epochs=2)
    found = studies.timed(heard, case, 0, 3, 2, (40, 5), 100.0)
    assert found.startup == 6
    assert found.images == 2 * 2 * 40 - 2 * 8
    assert found.seconds == 23.5 - 4  # from the first step to the last epoch, less validation, which both did at once
    assert found.idle == 0
    assert (found.validation, found.validated, found.afterwards) == (4, 10, 1)
    assert found.unrecorded == pytest.approx(1 - 24 / 24.5)
    assert (found.runs, found.workers, found.number, found.way) == (2, 2, 3, "ours")


def test_a_study_is_timed_while_all_its_workers_train(monkeypatch):
    """Two workers, three runs of one epoch of 40 photos, the first step of 1 s: the second worker begins 1 s later, and
    makes the third run, before which it takes 1 s to store the first one."""
    now = [0.0]
    monkeypatch.setattr(studies.time, "perf_counter", lambda: now[0])
    heard = studies.Listener()
    one, two, three = (Job("a", seed) for seed in range(3))
    for second, event in (
        (0, Started(one, ())), (1, Started(two, ())),
        (1, Stepped(one, 1, 1, 5, 1.0, 0.5, 8.0)), (2, Stepped(two, 1, 1, 5, 1.0, 0.5, 8.0)),
        (12, EpochDone(two, epoch(1, 9, 1), 4.0)), (13, RunDone(two, RunOfStudy)), (13, Started(three, ())),
        (14, Stepped(three, 1, 1, 5, 1.0, 0.5, 8.0)),
        (21, EpochDone(one, epoch(1, 19, 1), 4.0)), (22, RunDone(one, RunOfStudy)),
        (24, EpochDone(three, epoch(1, 10, 1), 4.0)), (25, RunDone(three, RunOfStudy)),
    ):  # fmt: skip
        now[0] = second
        heard.show(event)
    found = studies.timed(heard, CASE, 0, 1, 2, (40, 5), 0.0)
    assert found.images == 3 * 40 - 2 * 8
    assert found.seconds == (20 + 10 + 11 - 3) / 2  # the third run's first step is training
    assert found.idle == pytest.approx(1 - 41 / 46)
    assert found.afterwards == 1


def bench(rates, *, cases=(CASE,), busy=(), held=(), curves=False, load=0.1):
    """A benchmark with these images a second: {(case, way): [of each round]}."""
    made = [
        Trained(case, way, number, False, 2 if way == "ours" else 1, 2 if way == "ours" else 1, 1, round(10 * rate),
                10.0, 5.0 + number, 0.5, 3)
        for (case, way), row in rates.items()
        for number, rate in enumerate(row, 1)
    ]  # fmt: skip
    made += [Trained(0, way, number, True, 1, 1, 1, round(10 * rate), 10.0, 5.0, 0.5, 3) for way, number, rate in busy]
    machine = Machine("Linux", "some", 2, 8 * 2**30, "3.11", {})
    return Bench(2, tuple(cases), tuple(made), tuple(held), (4.0, 5.0, 4.0), 2, load, machine, {}, "2026", curves)


@pytest.fixture
def on_stand_in(monkeypatch):
    """Studies are trained by the worker of a GPU, with the CPU in its place."""
    monkeypatch.setattr(run_study, "LocalWorkers", partial(DeviceWorkers, lanes=stand_in_lane))


def test_a_study_is_timed_on_a_device(on_stand_in, drawn, tmp_path, monkeypatch):
    """Runs side by side in one process, as many as its pilot finds; energy from the first step to the last epoch."""
    joules = iter(range(100))
    monkeypatch.setattr(energy, "source", lambda device: energy.Source(lambda: 7.0 * next(joules), ""))
    root, folder = drawn
    case = dataclasses.replace(CASE, folder=folder, epochs=2)
    ours = studies.Ours(case, 0, root, tmp_path, workers=2, device="cpu")
    found = ours.train(1, 2)
    assert (found.runs, found.way) == (2, "ours")
    assert found.workers in (1, 2)  # what a short measurement finds, which other work can sway
    assert 0 < found.images < 2 * 2 * 48  # without the steps before the first that was shown
    assert found.seconds > 0
    assert found.joules == 4 * 7.0  # one look at the first step, one after each of four epochs
    (notes,) = {tuple(run.notes) for run in Store(tmp_path / "study").runs()}
    assert not notes


@pytest.mark.soak
def test_a_benchmark_of_a_device(on_stand_in, tmp_path):
    """With torch's compiler, which takes its time."""
    subject = rounds.Wanted("plain_flower", 16, 8)
    how = rounds.How(1, 60, threads=1, workers=1, device="cpu", loaders=0)
    (found,) = rounds.compare([subject], None, how, lambda text: None, lambda *what: None)
    assert [one.way for one in found.trained] == ["plain", "held", "compiled", "ours"]
    assert found.device_name == "cpu"
    assert (found.matmul, found.held) == ((), ())


def test_a_benchmark_of_a_device_is_told(tmp_path):
    rates = {(0, "plain"): [100], (0, "held"): [150], (0, "compiled"): [200], (0, "ours"): [2000]}
    found = bench(rates)
    trained = [
        dataclasses.replace(one, joules=0.5 * one.images, peak_bytes=None if one.way == "ours" else 64_000_000)
        for one in found.trained
    ]
    found = dataclasses.replace(found, trained=tuple(trained), matmul=(), device="cuda:0", device_name="Some GPU")
    path = tmp_path / "bench.json"
    path.write_bytes(benchmark.write(found))
    found = benchmark.read(path)
    rows = told.rows(found, 0)
    assert [row[:2] for row in rows][1:3] == [
        ["images on the device", "150"],
        ["images on the device, torch.compile", "200"],
    ]
    assert [row[2] for row in rows] == ["20.00x", "13.33x", "10.00x", ""]
    assert {row[3] for row in rows} == {""}  # no limit of a device is measured
    text = "\n".join(told.sentences(found))
    assert "Images per second of Some GPU" in text
    assert "Ours trained up to 2 runs at a time." in text
    assert "plain script 64 MB; images on the device 64 MB; images on the device, torch.compile 64 MB." in text
    assert "commongarden 500 mJ." in text
    assert "Memory of runs side by side is not measured." in text
    assert "matrix product" not in text


SIX = {(0, "plain"): [100, 50, 100, 100, 200, 100], (0, "ours"): [300, 150, 290, 310, 600, 280]}


def test_a_ratio_is_that_of_trainings_of_one_round():
    found = speed.ratio(bench(SIX), 0, "plain")
    assert found.value == pytest.approx(3.0)  # rounds in which all was half as quick do not move it
    assert (found.low, found.high, found.n) == (pytest.approx(2.8), pytest.approx(3.1), 6)
    few = speed.ratio(bench({key: row[:5] for key, row in SIX.items()}), 0, "plain")
    assert (few.low, few.high, few.n) == (None, None, 5)
    assert speed.ratio(bench(SIX), 0, "timm") is None


def test_the_limit_is_three_passes_at_the_rate_of_a_product():
    # 100 photos a second of 3 x 2 million multiply-adds, of 4 billion
    assert speed.share_of_limit(bench(SIX), 0, "plain") == pytest.approx(100 * 6e6 / 4e9)


def test_shares_of_validation_and_beside_a_busy_process():
    found = bench(SIX, busy=[("ours", 1, 150), ("ours", 2, 60), ("plain", 1, 5)])
    assert speed.when_busy(found, 0, "ours").value == pytest.approx((0.5 + 0.4) / 2)
    assert speed.when_busy(found, 0, "plain").value == pytest.approx(0.05)
    assert speed.validation_share(found, 0, "ours") == pytest.approx(0.5 / 10.5)
    assert speed.startup(found, 0, "plain") == (6.0, 9.0)
    text = "\n".join(told.sentences(found))
    assert "Throughput kept beside a busy process, plain_flower at 16 pixels" in text
    assert "images of 37.0 KB): plain script 5 %; commongarden 45 %." in text


def test_memory_and_noise_are_told():
    found = bench(SIX, held=[Held(0, 300_000_000, 540_000_000, 900_000_000, 2)], load=3.0)
    text = "\n".join(told.sentences(found))
    assert "300 MB after importing torch, 540 MB at the peak of a run trained alone, 240 MB more." in text
    assert "All processes of a study with 2 runs at a time: 900 MB." in text
    assert "The machine was not quiet: load average 3.0 before the start; the matrix product varied by 25 %." in text
    assert "not quiet" not in "\n".join(told.sentences(dataclasses.replace(bench(SIX), matmul=(4.0, 4.1))))


def test_curves_hold_what_was_measured():
    larger = dataclasses.replace(CASE, resolution=32)
    more = dataclasses.replace(CASE, folder=dataclasses.replace(FOLDER, n_photos=200))
    rates = {(i, way): [rate / (1 + i)] for i in range(3) for way, rate in (("plain", 100), ("ours", 300))}
    found = bench(rates, cases=(CASE, larger, more), curves=True)
    one_run = dataclasses.replace(found.trained[1], runs=1, workers=1, images=1600)
    found = dataclasses.replace(found, trained=(*found.trained, one_run))
    made = {chart.name: chart for chart in told.curves(found)}
    assert list(made) == ["runs", "pixels", "photos"]
    assert made["runs"].description == "Images per second by runs: plain script 1: 100; commongarden 1: 160; " \
        "plain script 2: 100; commongarden 2: 300."  # fmt: skip
    assert "commongarden 16: 300; plain script 32: 50; commongarden 32: 150" in made["pixels"].description
    assert "commongarden 60: 300; plain script 200: 33; commongarden 200: 100" in made["photos"].description
    from commongarden.report.charts import figures

    ET.fromstring(figures.panels(list(made.values())))


def test_a_benchmark_of_another_schema_is_refused(tmp_path):
    path = tmp_path / "bench.json"
    path.write_bytes(benchmark.write(bench(SIX)))
    assert benchmark.read(path) == bench(SIX)
    path.write_bytes(benchmark.write(dataclasses.replace(bench(SIX), schema=9)))
    with pytest.raises(StoreError, match="found schema 9, accepted: 2"):
        benchmark.read(path)


def test_what_a_process_holds_is_seen_to_grow():
    before, end = footprint.pss(os.getpid()), time.monotonic() + 20
    with footprint.Watched(lambda: footprint.pss(os.getpid()), 0.001) as watched:
        block = mmap.mmap(-1, 200_000_000)  # of the system: the allocator may hold as much from the tests before
        for at in range(0, len(block), mmap.PAGESIZE):
            block[at] = 1
        while watched.most < before + 100_000_000 and time.monotonic() < end:
            time.sleep(0.001)
        block.close()
    assert watched.most > before + 100_000_000
    assert footprint.pss(os.getpid()) < watched.most - 100_000_000
    assert footprint.family() >= footprint.pss(os.getpid()) * 0.9
