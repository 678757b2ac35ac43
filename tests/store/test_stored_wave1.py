"""The code of today reads, verifies, reports and extends a study folder of wave 1 and predicts with its networks.

How the folder was made: tests/stored/wave1/README.txt.
"""

import csv
import hashlib
import json
import re
import shutil
import struct

import pytest

from commongarden.study.recipe import LEGACY_DEFAULTS
from paths import TESTS

STORED = TESTS / "stored" / "wave1"
ARMS = ("plain", "residual", "own", "raising")
CLASSES = ("daisy", "none", "tulip")
SIDE = 16
N_BYTES = SIDE * SIDE * 3
HEADER = struct.pack(
    "<2sIHHIIiiHHIIiiII", b"BM", 54 + N_BYTES, 0, 0, 54, 40, SIDE, SIDE, 1, 24, 0, N_BYTES, 2835, 2835, 0, 0
)


def draw(folder):
    """The photos of the study, byte for byte on every machine: 16 bitmaps of each class, which has a channel of its own
    under noise.
    """
    for number, label in enumerate(CLASSES):
        (folder / label).mkdir(parents=True)
        for i in range(16):
            noise = hashlib.shake_256(f"{label} {i}".encode()).digest(N_BYTES)
            pixels = bytes(100 + byte // 8 + (16 if k % 3 == number else 0) for k, byte in enumerate(noise))
            (folder / label / f"{i:02}.bmp").write_bytes(HEADER + pixels)


MEASURED = ("seconds", "images_per_second", "inference_ms", "peak_memory_mb")  # how their intervals are made may change
# what follows from the rules of the statistics, which have changed since; the report says so
RULED = re.compile(
    r"\.contrasts\.|\.low$|\.high$|\.n_at_commonest$|\.accuracy_learned\.|\.beats_commonest$|\.probability_best$"
)
PREDICTED = ("photos/daisy/00.bmp", "photos/none/01.bmp", "photos/tulip/02.bmp")


@pytest.fixture(scope="module")
def restored(tmp_path_factory):
    """A folder as its user had it: the study file, their networks, their photos, and the study in `out`."""
    folder = tmp_path_factory.mktemp("wave1") / "work"
    shutil.copytree(STORED, folder)
    draw(folder / "photos")
    return folder


@pytest.fixture(scope="module")
def extended(restored, commongarden):
    """Another such folder, with a third seed made by the code of today."""
    folder = restored.parent / "extended"
    shutil.copytree(STORED, folder)
    draw(folder / "photos")
    result = commongarden("run", "study.toml", "--out", "out", "--seeds", 3, "--yes", cwd=folder)
    return folder, result


def numbers(value, path=""):
    """The numbers in JSON by their place, less what was measured."""
    if isinstance(value, dict):
        return {key: each for name, part in value.items() for key, each in numbers(part, f"{path}.{name}").items()}
    if isinstance(value, list):
        return {key: each for i, part in enumerate(value) for key, each in numbers(part, f"{path}.{i}").items()}
    is_number = isinstance(value, (int, float)) and not any(f".{name}." in path for name in MEASURED)
    return {path: value} if is_number else {}


def record(folder, arm, seed):
    return json.loads((folder / "out" / "runs" / arm / str(seed) / "run.json").read_text(encoding="utf-8"))


def test_it_is_whole(restored, commongarden):
    result = json.loads(commongarden("verify", "out", "--json", check=0, cwd=restored).stdout)
    assert result["n_runs"] == 8


def test_its_results_are_those_of_then(restored, commongarden):
    then = json.loads((STORED / "out" / "results.json").read_text(encoding="utf-8"))
    now = json.loads(commongarden("compare", "out", "--json", check=0, cwd=restored).stdout)
    kept, found = numbers(then), numbers(now)
    kept = {place: value for place, value in kept.items() if not RULED.search(place)}
    assert len(kept) > 150
    assert {place: found.get(place) for place in kept} == pytest.approx(kept, rel=1e-9)
    for old, new in zip(then["contrasts"], now["contrasts"], strict=True):
        over_all = new["all_runs"] or new["difference"]  # a conclusion is about runs that learned
        assert (over_all or {}).get("value") == pytest.approx((old["difference"] or {}).get("value"))
    for old, new in zip(then["arms"], now["arms"], strict=True):
        assert (new["arm"], new["n_finished"], new["n_failed"]) == (old["arm"], old["n_finished"], old["n_failed"])
        for name in MEASURED:
            if old[name] is not None:
                assert old[name]["low"] <= new[name]["value"] <= old[name]["high"]


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_its_table_is_the_one_of_then(restored, commongarden, lang):
    then = (STORED / "printed" / f"compare.{lang}.txt").read_text(encoding="utf-8")
    now = commongarden("compare", "out", "--lang", lang, check=0, cwd=restored).stdout
    for arm in ("plain", "residual", "own"):
        assert figures(now, arm) == figures(then, arm)
    assert "45.8" in now


def figures(printed, arm):
    """Seeds, accuracy, size, parameters and multiply-adds of an arm in a printed table."""
    line = re.search(rf"^{arm} {{2,}}(\d.*)", printed, re.MULTILINE).group(1)
    accuracy = re.search(r" (\d+\.\d)\b", line).group(1)
    return line[0], accuracy, line.split()[-4:]


@pytest.mark.parametrize(("lang", "formats"), [("en", ["html"]), ("ko", ["html", "docx"])])
def test_it_is_reported(restored, commongarden, lang, formats):
    asked = [part for name in formats for part in ("--format", name)]
    commongarden("report", "out", *asked, "--lang", lang, check=0, cwd=restored)
    page = (restored / "out" / "report.html").read_text(encoding="utf-8")
    assert f'<html lang="{lang}"' in page
    assert "Does a shortcut help a network of four channels?" in page
    assert "twelve steps are enough" in page
    assert page.count("data:image/") >= 12  # photos and the maps of what networks attend to
    for arm in ARMS:
        assert arm in page
    if "docx" in formats:
        assert (restored / "out" / "report.docx").stat().st_size > 10_000


def test_its_runs_are_explained(restored, commongarden):
    assert "+12.5 points" in commongarden("explain", "out", "residual", "plain", check=0, cwd=restored).stdout


@pytest.mark.parametrize(("arm", "seed"), [("plain", 0), ("own", 1)])
def test_its_networks_predict_as_then(restored, commongarden, arm, seed):
    then = list(csv.DictReader((STORED / "printed" / f"predict.{arm}.csv").read_text().splitlines()))
    result = commongarden("predict", f"out/runs/{arm}/{seed}", *PREDICTED, check=0, cwd=restored)
    now = list(csv.DictReader(result.stdout.splitlines()))
    assert [(row["photo"], row["class"]) for row in now] == [(row["photo"], row["class"]) for row in then]
    probabilities = [float(row["probability"]) for row in now]
    assert probabilities == pytest.approx([float(row["probability"]) for row in then], abs=1e-4)


def test_it_is_extended_by_a_seed(extended):
    folder, result = extended
    assert result.returncode == 1, result.stderr  # the run that raises has failed once more
    for kept in sorted((STORED / "out" / "runs").rglob("*")):
        if kept.is_file():
            assert (folder / "out" / kept.relative_to(STORED / "out")).read_bytes() == kept.read_bytes()
    for arm in ARMS:
        old, new = record(folder, arm, 0), record(folder, arm, 2)
        assert new["hashes"] == old["hashes"]
        later = {name: value for name, value in new["recipe"].items() if name not in old["recipe"]}
        assert {**old["recipe"], **later} == new["recipe"]
        assert later.items() <= LEGACY_DEFAULTS.items()  # what was so before there was the field
        assert new["arch"] == old["arch"]
        assert new["status"] == ("failed" if arm == "raising" else "finished")
    assert "twelve steps are enough" in record(folder, "raising", 2)["failure"]["reason"]


def test_what_was_extended_is_whole(extended, commongarden):
    folder, _ = extended
    assert json.loads(commongarden("verify", "out", "--json", check=0, cwd=folder).stdout)["n_runs"] == 12
    before, after = (json.loads((root / "out" / "contract.json").read_text()) for root in (STORED, folder))
    for key in ("data", "classes", "split_plan", "recipe", "own", "networks", "differences"):
        assert after[key] == before[key], key
    assert after["splits"][:2] == before["splits"]
