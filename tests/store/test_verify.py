"""Stored files that are torn, foreign or missing: found, named, set aside, never trusted, never deleted."""

import json
import shutil
import subprocess

import pytest
from click.testing import CliRunner

import commongarden as cg
from commongarden import store as stores
from commongarden.cli import main
from commongarden.errors import StoreError
from commongarden.runner import plan
from commongarden.store import checksums
from forged import forged
from running import numbers


@pytest.fixture
def copy(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "s")
    return stores.open_store(tmp_path / "s")


def said(*arguments):
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def turned(data):
    """One bit in the middle is another one."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


FILES = (
    "study.toml", "manifest.csv", "split.json", "contract.json", "audit.json", "thumbnails.npz", "forecast.json",
    "command.json", "runs/plain/0/run.json", "runs/plain/0/history.csv", "runs/plain/0/predictions.npz",
    "runs/plain/0/model.safetensors", "runs/plain/0/checksums.sha256", "checksums.sha256",
)  # fmt: skip


def test_a_whole_study_is_whole(finished):
    result = said("verify", finished)
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"{finished}: 4 runs, ")
    assert result.output.endswith(" MB: OK\n")
    assert result.output.count("\n") == 1
    table = json.loads(said("verify", finished, "--json").output)
    assert (table["is_whole"], table["n_runs"], table["found"]) == (True, 4, [])
    listed = checksums.listed(finished)
    assert {name for name in FILES if "/" not in name} - {"checksums.sha256"} <= listed.keys()


def test_the_list_is_read_by_sha256sum(finished):
    if shutil.which("sha256sum") is None:
        pytest.skip("there is no sha256sum here")
    for folder in (finished, finished / "runs" / "plain" / "0"):
        command = ["sha256sum", "--check", "--strict", "checksums.sha256"]
        told = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert told.returncode == 0, told.stderr


@pytest.mark.parametrize("damage", [turned, lambda data: data[:-1], lambda data: b""], ids=["bit", "short", "empty"])
@pytest.mark.parametrize("name", FILES)
def test_each_file_that_is_not_what_was_written_is_named(copy, name, damage):
    path = copy.root / name
    path.write_bytes(damage(path.read_bytes()))
    result = said("verify", copy.root)
    assert result.exit_code == 1
    assert f"corrupt: {name}: " in result.output
    assert result.output.endswith("problems found\n")
    table = json.loads(said("verify", copy.root, "--json").output)
    assert not table["is_whole"]
    assert ("torn", name) in {(one["kind"], one["path"]) for one in table["found"]}


READERS = {
    "study.toml": lambda store: store.study(),
    "manifest.csv": lambda store: store.manifest(),
    "split.json": lambda store: store.split(),
    "audit.json": lambda store: store.audits(),
    "thumbnails.npz": lambda store: store.thumbnails(),
    "runs/plain/0/run.json": lambda store: store.run("plain", 0),
    "runs/plain/0/history.csv": lambda store: store.history("plain", 0),
    "runs/plain/0/predictions.npz": lambda store: store.predictions("plain", 0),
    "runs/plain/0/model.safetensors": lambda store: cg.load(store.directory("plain", 0)),
}


@pytest.mark.parametrize("name", READERS)
def test_nothing_is_read_of_a_file_that_is_not_what_was_written(copy, name):
    READERS[name](copy)
    path = copy.root / name
    path.write_bytes(turned(path.read_bytes()))
    with pytest.raises(StoreError, match="corrupt: its SHA-256 differs"):
        READERS[name](copy)


def test_a_missing_file_a_foreign_one_and_one_without_checksum_are_told_apart(copy):
    (copy.root / "runs/plain/0/history.csv").unlink()
    (copy.root / "runs/plain/1/notes.txt").write_text("mine")
    (copy.root / "runs/residual/0/checksums.sha256").unlink()
    (copy.root / "elsewhere.csv").write_text("mine")
    result = said("verify", copy.root)
    assert result.exit_code == 1
    for line in (
        "missing: runs/plain/0/history.csv: ", "unknown file: runs/plain/1/notes.txt: ",
        "unknown file: elsewhere.csv: ",
        "not checked: runs/residual/0: written by an earlier version",
    ):  # fmt: skip
        assert line in result.output
    shutil.rmtree(copy.root / "runs/plain/0")
    assert said("verify", copy.root).exit_code == 0  # the others are told, and no number rests on them


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda run: run | {"test_accuracy": 0.999}, "runs/plain/0/predictions.npz: the test accuracy: found "),
        (lambda run: run | {"seed": 7}, "runs/plain/0/run.json: model and seed: found plain, 7, expected plain, 0"),
        (lambda run: run | {"hashes": run["hashes"] | {"data": "f" * 64}}, "run.json: the photos: found ffff"),
        (lambda run: run | {"recipe": run["recipe"] | {"lr": 1.0}}, "run.json: the recipe: found Recipe("),
    ],
)
def test_a_record_that_says_another_thing_than_its_study_contradicts_it(copy, change, line):
    path = copy.root / "runs/plain/0/run.json"
    forged(path, json.dumps(change(json.loads(path.read_text()))))
    result = said("verify", copy.root)
    assert result.exit_code == 1
    assert f"inconsistent: {'' if line.startswith('runs') else 'runs/plain/0/'}{line}" in result.output


def test_the_same_command_sets_aside_what_is_torn_and_makes_it_again(copy, study_file, finished, commongarden):
    torn = {}
    for name in ("runs/plain/0/model.safetensors", "manifest.csv", "split.json", "audit.json", "thumbnails.npz"):
        path = copy.root / name
        path.write_bytes(turned(path.read_bytes()))
        torn[name] = path.read_bytes()
    before = {path: path.stat().st_mtime_ns for path in copy.root.glob("runs/*/*/*") if "plain/0" not in str(path)}
    told = commongarden("run", study_file, "--out", copy.root, check=0)
    assert "warning: runs/plain/0: model.safetensors is corrupt; it is moved to 0.set-aside-1" in told.stderr
    assert "1 run, " in told.stderr
    assert (copy.root / "runs/plain/0.set-aside-1/model.safetensors").read_bytes() == torn.pop(
        "runs/plain/0/model.safetensors"
    )
    for name, data in torn.items():
        assert (copy.root / f"{name}.set-aside-1").read_bytes() == data
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())
    assert numbers(copy.root) == numbers(finished)
    result = said("verify", copy.root)
    assert result.exit_code == 0, result.output
    assert result.output.count("moved aside: ") == 5


def test_a_study_that_was_changed_by_hand_is_refused_and_its_line_can_be_taken_out(copy, study_file):
    path = copy.root / "study.toml"
    path.write_text(path.read_text() + "\n")
    for command in (["compare", copy.root], ["report", copy.root], ["status", copy.root]):
        result = said(*command)
        assert result.exit_code == 2
        assert "study.toml: corrupt" in result.output
    (copy.root / "checksums.sha256").unlink()
    assert said("status", copy.root).exit_code == 0


def test_a_run_is_made_again_and_is_equal(finished, cache_folder):
    result = said("replay", finished / "runs" / "residual" / "1")
    assert result.exit_code == 0, result.output
    assert "residual, seed 1: reproduced bit for bit (weights, history, probabilities, results)" in result.output
    assert said("verify", finished).exit_code == 0


def test_a_replay_says_what_differs_and_what_it_was_made_with(copy, cache_folder):
    directory = copy.directory("plain", 0)
    run = json.loads((directory / "run.json").read_text())
    run["machine"]["packages"]["torch"] = "1.0"
    run["machine"]["instructions"] = "an older set"
    forged(directory / "run.json", json.dumps(run | {"test_loss": 9.5}))
    history = (directory / "history.csv").read_text().splitlines()
    history[2] = history[2].replace(history[2].split(",")[1], "0.5")
    forged(directory / "history.csv", "\n".join(history) + "\n")
    weights = (directory / "model.safetensors").read_bytes()
    forged(directory / "model.safetensors", weights[:-1] + bytes([weights[-1] ^ 1]))
    result = said("replay", directory, "--json")
    table = json.loads(result.stdout)
    assert (result.exit_code, table["is_equal"], table["largest"]) == (1, False, 0.0)
    assert [one["what"] for one in table["differences"]] == ["test_loss", "history", "weights"]
    assert table["differences"][1]["again"] == "differs from epoch 2 on"
    made = {one["what"]: one["stored"] for one in table["circumstances"]}
    assert made["torch"] == "1.0"
    assert made["instructions"] == "an older set"


def test_a_replay_of_other_photos_is_refused(copy, photos, tmp_path):
    shutil.copytree(photos, tmp_path / "photos")
    shutil.copy(photos / "rose" / "01.png", tmp_path / "photos" / "rose" / "00.png")
    path = copy.root / "study.toml"
    forged(path, path.read_text().replace(photos.as_posix(), (tmp_path / "photos").as_posix()))
    result = said("replay", copy.directory("plain", 0))
    assert result.exit_code == 2
    assert "the photos have changed since the run" in result.output


def test_every_record_says_what_it_was_made_with(finished):
    for run in stores.open_store(finished).runs():
        assert {"commongarden", "torch", "numpy", "pillow"} <= run.machine.packages.keys()
        assert run.machine.instructions
        assert run.repeats is True
        assert len({run.hashes.data, run.hashes.split, run.hashes.arch, run.hashes.recipe}) == 4
        assert run.hashes.recipe == plan.recipe_hash(run.recipe)


def test_the_state_of_a_repository_is_told_and_not_touched(tmp_path, monkeypatch):
    if shutil.which("git") is None:
        pytest.skip("there is no git here")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert plan.git_state.__wrapped__() is None
    (tmp_path / "study.toml").write_text("one")
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "one"]):
        subprocess.run(["git", *command], check=True)
    state = plan.git_state.__wrapped__()
    assert len(state.commit) == 40
    assert not state.is_changed
    (tmp_path / "study.toml").write_text("two")
    assert plan.git_state.__wrapped__().is_changed
