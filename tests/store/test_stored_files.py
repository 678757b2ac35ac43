"""Every kind of stored file, damaged in every way, under every command that reads it: a sentence and an exit code,
never a traceback, and no more memory than the study needs."""

import io
import itertools
import json
import random
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import fuzzing
from commongarden import store as stores
from commongarden.cli import main
from commongarden.io.limits import LIMITS, MB
from commongarden.records import signals
from commongarden.stats import raced, racing
from commongarden.store import attribution_maps
from grown import grown

RUN = "runs/plain/0"
COMMANDS = ("verify", "report html", "report md", "explain", "compare", "status", "predict", "export", "replay", "run")
REPORTS = ("report html", "report md", "run")
READ_BY = {  # every command that may come upon the file
    "study.toml": COMMANDS, "manifest.csv": COMMANDS, "split.json": COMMANDS, "splits/0.json": COMMANDS,
    "checksums.sha256": COMMANDS, f"{RUN}/checksums.sha256": COMMANDS, f"{RUN}/run.json": COMMANDS,
    f"{RUN}/history.csv": ("verify", "replay", "explain", "compare", *REPORTS),
    f"{RUN}/predictions.npz": ("verify", "replay", "explain", "compare", *REPORTS),
    f"{RUN}/signals.npz": ("verify", "explain", *REPORTS),
    f"{RUN}/model.safetensors": ("verify", "predict", "export", "replay"),
    "layout.json": ("verify", *REPORTS), "inspection.json": ("verify", *REPORTS), "contract.json": ("verify", "run"),
    "audit.json": ("verify", "explain", *REPORTS), "command.json": ("verify", "report html"),
    "thumbnails.npz": ("verify", *REPORTS), "baselines/KEY.npz": ("verify", "compare", *REPORTS),
    "seen/plain.npz": ("verify", "report html", "run"), "racing.json": ("verify", "compare", *REPORTS),
    ".holder": ("verify", "run"),
}  # fmt: skip
SPARE = ("layout.json", "inspection.json", "audit.json", "command.json", "thumbnails.npz", "baselines/KEY.npz",
         "seen/plain.npz", f"{RUN}/signals.npz")  # fmt: skip
DAMAGES = ("truncated", "flipped", "empty", "wrong kind", "foreign", "huge")
GRID = [
    (name, damage, command, listed)
    for name, commands in READ_BY.items()
    for damage, command, listed in itertools.product(DAMAGES, commands, (True, False))
]
MEASURED = [
    (kind, damage, command)
    for kind, commands in (("timing", ("profile", "explain")), ("benchmark", ("bench",)))
    for damage, command in itertools.product(DAMAGES, commands)
]
MOST_MEMORY = 400 * MB  # above what the process held before the command


@pytest.fixture(scope="module")
def whole(finished, tmp_path_factory):
    """A study with every kind of file, one of another study with files for each, and the photos' folder of an arm."""
    root = tmp_path_factory.mktemp("stored")
    shutil.copytree(finished, root / "s")
    store = stores.open_store(root / "s")
    for arm in ("plain", "residual"):
        attribution_maps.write(store, fuzzing.some_maps(arm, store.predictions(arm, 0)))
    other = grown(root / "other", {"plain": (0.5, 0.6), "residual": (0.6, 0.7)}, classes=tuple("abcdefg"))
    attribution_maps.write(other, fuzzing.some_maps("plain", other.predictions("plain", 0)))
    (other.directory("plain", 0) / "signals.npz").write_bytes(signals.to_bytes(fuzzing.some_signals()))
    for one in (store, other):
        found = raced.replay(one.study(), one, racing.RacePlan(2, 0.01), (0, 1))
        raced.write(one, raced.Raced(raced.SCHEMA, found, "budget", "", 4.0, None, 4, 4))
    stores.keep(other.root, "baselines/KEY.npz", fuzzing.BASELINES)
    stores.keep(other.root, "layout.json", b'{"layout": "elsewhere", "notes": []}')
    stores.keep(other.root, "audit.json", b'{"elsewhere": {"schema": 1}}')
    stores.keep(other.root, "command.json", b'{"argv": ["elsewhere"]}')
    stores.keep(other.root, "contract.json", b'{"hash": "elsewhere"}')
    stores.keep(other.root, "inspection.json", inspection_of(store))
    shutil.copy(store.directory("residual", 1) / "model.safetensors", other.directory("plain", 0))
    return root


def inspection_of(store):
    kept = json.loads((store.root / "inspection.json").read_text())
    pair = {"one": "x/1.png", "two": "x/2.png", "kind": "copy"}
    return json.dumps({**kept, "data": "f" * 64, "groups": [["x/1.png", "x/2.png"]], "pairs": [pair][:0]}).encode()


@pytest.fixture(scope="module")
def bomb():
    """A file of arrays that unpacks to a gigabyte, in a megabyte, under the names that predictions have."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, shape, descr in (("photos", (2,), "<U4"), ("probabilities", (2**18, 2**10), "<f4")):
            header = io.BytesIO()
            np.lib.format.write_array_header_1_0(header, {"descr": descr, "fortran_order": False, "shape": shape})
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                entry.write(header.getvalue())
                for _ in range(max(1, np.dtype(descr).itemsize * int(np.prod(shape)) // MB)):
                    entry.write(bytes(MB))
    return packed.getvalue()


def path_of(root, name):
    return next((root / "baselines").glob("*.npz")) if name == "baselines/KEY.npz" else root / name


def damaged(root, other, name, damage, listed, bomb):
    """The study with one file of it damaged. listed: the lists of checksums stay; else it is of an earlier version."""
    path = path_of(root, name)
    if name == "splits/0.json":
        path.parent.mkdir(exist_ok=True)
        study = root / "study.toml"
        study.write_text(re.sub(r"vary = \[.*?\]", 'vary = ["init", "split"]', study.read_text(), flags=re.DOTALL))
        for seed in (0, 1):
            (path.parent / f"{seed}.json").write_bytes(json.dumps(json.loads(
                (root / "split.json").read_text())["split"]).encode())  # fmt: skip
    if not listed or name == "splits/0.json":
        for found in root.rglob("checksums.sha256"):
            if name != found.relative_to(root).as_posix():
                found.unlink()
    data = path.read_bytes() if path.is_file() else b'{"pid": 1, "host": "a", "since": "b"}'
    middle = len(data) // 2
    if damage == "foreign":
        theirs = other / (name if name != "splits/0.json" else "split.json")
        path.write_bytes(theirs.read_bytes() if theirs.is_file() else b"{}")
    elif damage == "huge" and path.suffix == ".npz":
        path.write_bytes(bomb)
    elif damage == "huge":
        kind = {"splits/0.json": "splits/SEED.json"}.get(name, path.name)
        with path.open("wb") as file:
            file.truncate(LIMITS[kind].n_bytes + 1)
    else:
        path.write_bytes({
            "truncated": data[:middle],
            "flipped": data[:middle] + bytes(byte ^ 0xFF for byte in data[middle : middle + 40]) + data[middle + 40 :],
            "empty": b"",
            "wrong kind": b'{"a": [1, 2, {"b": null}]}' if path.suffix == ".npz" else b"PK\x03\x04" + bytes(range(256)),
        }[damage])  # fmt: skip


def arguments(command, root, photos, study_file):
    run = root / RUN
    return {
        "verify": ("verify", root), "report html": ("report", root), "explain": ("explain", root),
        "report md": ("report", root, "--format", "md", "--format", "latex"), "compare": ("compare", root),
        "status": ("status", root), "predict": ("predict", run, photos / "rose" / "00.png"),
        "export": ("export", run, "--out", root.parent / "out.onnx"),
        "replay": ("replay", run),
        "run": ("run", study_file, "--out", root, "--workers", "1", "--log", "plain"),
    }[command]  # fmt: skip


def peak():
    """The most memory that the process held since this was last asked."""
    text = Path("/proc/self/status").read_text()
    Path("/proc/self/clear_refs").write_text("5")
    return int(re.search(r"VmHWM:\s+(\d+)", text)[1]) * 1024


def called(*words):
    peak()
    before = peak()
    result = CliRunner().invoke(main, [str(word) for word in words])
    return result, peak() - before


def judged(result, memory, where):
    assert result.exception is None or isinstance(result.exception, SystemExit), (where, result.exc_info)
    assert result.exit_code in (0, 1, 2), where
    assert "Traceback" not in result.output, where
    if result.exit_code:
        assert len(result.output.strip()) > 20, where
        assert len(result.output) < 8000, where
    assert memory < MOST_MEMORY, (where, memory)


def check(whole, folder, bomb, photos, study_file, case):
    name, damage, command, listed = case
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("memory is measured on Linux")
    root = folder / "s"
    shutil.copytree(whole / "s", root)
    damaged(root, whole / "other", name, damage, listed, bomb)
    (root / "report.html").unlink(missing_ok=True)
    result, memory = called(*arguments(command, root, photos, study_file))
    judged(result, memory, case)
    blind = not listed and damage == "flipped" and name.endswith(".safetensors")  # any weights are weights
    if command == "verify" and damage != "foreign" and name != ".holder" and not blind:
        assert result.exit_code == 1 or name == "study.toml", (case, result.output)
    if command == "verify" and result.exit_code == 2:
        assert "study.toml" in result.output
    if command == "report html" and name in SPARE:
        assert (root / "report.html").stat().st_size < 20 * MB, case
        if damage != "foreign":
            assert result.exit_code == 1, (case, result.output)
            assert path_of(root, name).name in result.stderr, case


SAMPLE = random.Random(18).sample([case for case in GRID if case[2] not in ("replay", "run", "export")], 24)


@pytest.mark.parametrize("case", SAMPLE, ids=str)
def test_a_damaged_file_is_a_sentence(whole, tmp_path, bomb, photos, study_file, case):
    check(whole, tmp_path, bomb, photos, study_file, case)


@pytest.mark.soak
@pytest.mark.parametrize("name", READ_BY)
def test_every_damaged_file_under_every_command_is_a_sentence(whole, tmp_path, bomb, photos, study_file, name):
    wrong = []
    for number, case in enumerate(one for one in GRID if one[0] == name):
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            check(whole, folder, bomb, photos, study_file, case)
        except AssertionError as error:
            wrong.append(str(error)[:1500])
        shutil.rmtree(folder)
    assert not wrong, "\n".join([f"{len(wrong)} cases", *wrong])
