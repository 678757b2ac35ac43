"""Whole studies through the command line: stopped, killed, extended, refused, broken."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest

from command import workers
from commongarden import store as stores
from commongarden import study as studies
from commongarden.data import batches
from commongarden.runner import plan
from commongarden.runner.events import Job
from commongarden.runner.prepared_data import reopen
from commongarden.runner.training import train_run
from running import numbers, start, wait_for


@pytest.fixture(scope="module")
def longer(tmp_path_factory, study_file):
    """The same study with more epochs, so that it can be caught in the middle."""
    path = tmp_path_factory.mktemp("longer") / "longer.toml"
    path.write_text(study_file.read_text().replace("epochs = 3", "epochs = 16"))
    return path


@pytest.fixture(scope="module")
def undisturbed(commongarden, longer, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    commongarden("run", longer, "--out", out, "--workers", 1, check=0)
    return numbers(out)


def test_everything_is_on_disk(finished):
    names = {path.name for path in finished.iterdir()}
    assert {"study.toml", "manifest.csv", "split.json", "runs", "results.csv", "results.json", "report.html"} <= names
    for arm in ("plain", "residual"):
        for seed in ("0", "1"):
            files = {path.name for path in (finished / "runs" / arm / seed).iterdir()}
            assert files == {
                "run.json", "history.csv", "predictions.npz", "model.safetensors", "signals.npz", "checksums.sha256",
            }  # fmt: skip
    assert not [path for path in finished.rglob("*") if path.name.endswith((".tmp", ".partial"))]
    study = studies.read(finished / "study.toml")
    assert study.recipe.optimizer == "adamw"  # a default, written out


def test_runs_of_one_seed_see_the_same_photos(finished):
    store = stores.open_store(finished)
    runs = store.runs()
    assert len({run.hashes.split for run in runs}) == len({run.hashes.data for run in runs}) == 1
    assert all(run.n_train + run.n_val + run.n_test == 60 for run in runs)
    assert len(numbers(finished)) == 4


def test_a_killed_study_goes_on_to_the_same_numbers(longer, cache_folder, tmp_path, commongarden, undisturbed):
    out = tmp_path / "out"
    process = start(longer, out, cache_folder)
    wait_for(lambda: list(out.rglob("checkpoint.pt")))
    time.sleep(0.3)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    wait_for(lambda: not any(map(alive, children)), 30)
    done = {path: path.stat().st_mtime_ns for path in out.rglob("run.json")}
    again = commongarden("run", longer, "--out", out, check=0)
    assert "resumed after epoch" in again.stderr
    assert numbers(out) == undisturbed
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in done.items()), "a finished run was made again"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to another process")
def test_ctrl_c_ends_cleanly_and_the_same_command_goes_on(longer, cache_folder, tmp_path, commongarden, undisturbed):
    out = tmp_path / "out"
    process = start(longer, out, cache_folder)
    wait_for(lambda: list(out.rglob("checkpoint.pt")))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "Repeat the command to resume" in errors
    assert (out / "report.html").is_file()
    status = json.loads(commongarden("status", out, "--json", check=0).stdout)
    assert "under way" in {run["status"] for run in status["runs"]}
    commongarden("run", longer, "--out", out, check=0)
    assert numbers(out) == undisturbed


def test_more_workers_and_another_order_change_no_bit(commongarden, longer, tmp_path, undisturbed):
    text = longer.read_text()
    plain, residual = text.index("[arms.plain]"), text.index("[arms.residual]")
    swapped = text[:plain] + text[residual : text.index("[[contrasts]]")] + text[plain:residual]
    (tmp_path / "swapped.toml").write_text(swapped + text[text.index("[[contrasts]]") :])
    commongarden("run", tmp_path / "swapped.toml", "--out", tmp_path / "out", "--workers", 3, check=0)
    assert numbers(tmp_path / "out") == undisturbed


def test_a_finished_study_is_extended_in_place(finished, study_file, tmp_path, commongarden):
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    before = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/*/*")}
    text = study_file.read_text() + '\n[arms.bottleneck]\narch = "bottleneck_flower"\n'
    (tmp_path / "more.toml").write_text(text)
    commongarden("run", tmp_path / "more.toml", "--seeds", 3, "--out", out, check=0)
    store = stores.open_store(out)
    assert [(run.arm, run.seed) for run in store.runs()] == [
        (arm, seed) for arm in ("plain", "residual", "bottleneck") for seed in (0, 1, 2)
    ]
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())
    assert {key: value for key, value in numbers(out).items() if key[1] < 2 and key[0] != "bottleneck"} == numbers(
        finished
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "5"], "recipe.epochs: 3 in the folder, 5 requested"),
        (["--seed", "1"], "study.seed: 0 in the folder, 1 requested"),
        (["--set", "optimizer=sgd"], "recipe.optimizer: 'adamw' in the folder, 'sgd' requested"),
    ],
)
def test_a_change_of_the_soil_is_refused(finished, study_file, commongarden, arguments, message):
    before = (finished / "study.toml").read_bytes()
    refused = commongarden("run", study_file, "--out", finished, *arguments, check=2)
    assert message in refused.stderr
    assert "--out" in refused.stderr
    assert (finished / "study.toml").read_bytes() == before


def test_other_photos_are_refused_and_moved_ones_are_not(finished, study_file, photos, tmp_path, commongarden):
    moved = tmp_path / "moved"
    shutil.copytree(photos, moved)
    commongarden("run", study_file, "--data", moved, "--out", finished, check=0)
    (moved / "rose" / "00.png").unlink()
    shutil.copy(photos / "tulip" / "03.png", moved / "tulip" / "new.png")
    refused = commongarden("run", study_file, "--data", moved, "--out", finished, check=2)
    assert "1 removed (rose/00.png); 1 new (tulip/new.png)" in refused.stderr


def test_a_run_that_diverges_is_recorded_and_the_study_goes_on(study_file, tmp_path, commongarden):
    text = study_file.read_text().replace(
        'arch = "plain_flower"', 'arch = "plain_flower"\norder = "LA"\nlr = 1e30\noptimizer = "sgd"'
    )
    (tmp_path / "diverges.toml").write_text(text)
    result = commongarden("run", tmp_path / "diverges.toml", "--out", tmp_path / "out", "--seeds", 1, check=1)
    assert "1 run failed" in result.stderr
    store = stores.open_store(tmp_path / "out")
    run = store.run("plain", 0)
    assert run.status == "failed"
    assert re.fullmatch(r"the training loss became (nan|inf) at epoch 1, step \d", str(run.failure))
    assert (run.failure.epoch, run.failure.step > 0) == (1, True)
    assert store.run("residual", 0).status == "finished"
    again = commongarden("run", tmp_path / "diverges.toml", "--out", tmp_path / "out", "--seeds", 1, check=1)
    assert "at a time" not in again.stderr
    retried = commongarden(
        "run", tmp_path / "diverges.toml", "--out", tmp_path / "out", "--seeds", 1, "--retry", check=1
    )
    assert "1 run, " in retried.stderr


def alive(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill_the_worker(process):
    (worker,) = workers(process.pid)
    os.kill(worker.pid, signal.SIGKILL)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_run_whose_worker_is_killed_goes_on_in_another(longer, cache_folder, tmp_path, undisturbed):
    out = tmp_path / "out"
    process = start(longer, out, cache_folder, "--workers", "1", "--seeds", "1")
    wait_for(lambda: list(out.rglob("checkpoint.pt")))
    kill_the_worker(process)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert "killed by signal 9 (SIGKILL): peak " in errors
    assert numbers(out) == {key: value for key, value in undisturbed.items() if key[1] == 0}


@pytest.mark.soak
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_run_at_which_two_workers_die_is_recorded_as_failed_and_no_other(longer, cache_folder, tmp_path):
    out = tmp_path / "out"
    process = start(longer, out, cache_folder, "--workers", "1", "--seeds", "1")
    for _ in range(2):
        stamps = {path.stat().st_mtime_ns for path in out.rglob("checkpoint.pt")}
        wait_for(lambda: any(p.stat().st_mtime_ns not in stamps for p in out.rglob("plain/*/checkpoint.pt")))  # noqa: B023
        kill_the_worker(process)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1, errors
    store = stores.open_store(out)
    reason = store.run("plain", 0).failure.reason
    assert re.fullmatch(r"2 times: the worker was killed by signal 9 \(SIGKILL\): peak \d+\.\d of \d+\.\d GiB", reason)
    assert store.run("residual", 0).status == "finished"


def test_a_script_without_a_guard_is_told_so_and_leaves_no_failed_run(photos, cache_folder, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        f"""
import commongarden as cg
study = cg.Study("mine", {str(photos)!r}, {{"plain": cg.Arm("plain_flower")}}, cg.Recipe(resolution=16, epochs=1), 1)
cg.run(study, {str(tmp_path / "out")!r}, cache_dir={str(cache_folder)!r})
"""
    )
    result = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    assert result.returncode == 1
    assert 'put this call under `if __name__ == "__main__":`' in result.stderr.splitlines()[-1]
    assert not list((tmp_path / "out").rglob("run.json"))


@pytest.mark.parametrize(
    "content",
    [*(pytest.param(one, marks=pytest.mark.soak) for one in (b"", b"garbage")), b"PK\x03\x04 torn"],
)
def test_a_checkpoint_that_cannot_be_read_is_told_and_the_run_starts_anew(
    finished, study_file, tmp_path, commongarden, content
):
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    shutil.rmtree(out / "runs" / "plain" / "0")
    (out / "runs" / "plain" / "0.partial").mkdir()
    (out / "runs" / "plain" / "0.partial" / "checkpoint.pt").write_bytes(content)
    told = commongarden("run", study_file, "--out", out, check=0)
    assert "plain, seed 0: checkpoint.pt cannot be read" in told.stderr
    assert numbers(out) == numbers(finished)


def test_two_arms_with_one_seed_see_the_same_photos_in_the_same_order(finished, cache_folder, tmp_path, monkeypatch):
    store, shuffled = stores.open_store(finished), batches.shuffled
    study = store.study()
    seen = {}
    for arm in study.arms:
        for seed in study.seeds:
            rows = seen.setdefault((arm, seed), [])

            def recorded(*arguments, rows=rows):
                for pixels, labels in shuffled(*arguments):
                    rows.append(pixels.numpy().tobytes())
                    yield pixels, labels

            with monkeypatch.context() as patched:
                patched.setattr(batches, "shuffled", recorded)
                copy = stores.write_study(tmp_path / f"{arm}{seed}", study)
                prepared = reopen(store, cache_folder)
                planned = plan.run_plan(study, prepared, Job(arm, seed), "cpu")
                list(train_run(copy, prepared, planned, lambda: False))
    assert seen["plain", 0] == seen["residual", 0]
    assert seen["plain", 1] == seen["residual", 1]
    assert seen["plain", 0] != seen["plain", 1]
    assert seen["plain", 0][0] != seen["plain", 0][5]  # another order in the second epoch


def test_a_classic_log_beside_json_leaves_the_output_to_json(study_file, finished, commongarden):
    result = commongarden("run", study_file, "--out", finished, "--log", "classic", "--json", check=0)
    assert json.loads(result.stdout)["study"] == "small"


def test_two_processes_on_one_study_are_kept_apart(finished, study_file, commongarden):
    with stores.lock(finished):
        refused = commongarden("run", study_file, "--out", finished, check=2)
    assert "in use by another commongarden process" in refused.stderr


def test_event_files_hold_the_history(finished, study_file, tmp_path, commongarden):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    commongarden("run", study_file, "--out", tmp_path / "out", "--tensorboard", "--seeds", 1, check=0)
    events = accumulator.EventAccumulator(str(tmp_path / "out" / "tensorboard" / "plain" / "0"))
    events.Reload()
    history = stores.open_store(tmp_path / "out").history("plain", 0)
    assert [event.value for event in events.Scalars("val/accuracy")] == pytest.approx(
        [epoch.val_accuracy for epoch in history]
    )
    assert len(events.Scalars("test/accuracy")) == 1


def test_the_log_form_of_the_original_experiment(study_file, tmp_path, commongarden):
    log = commongarden(
        "run", study_file, "--out", tmp_path / "out", "--log", "classic", "--seeds", 1, "--epochs", 10,
        "--workers", 1, check=0
    ).stdout.splitlines()  # fmt: skip
    begin = log.index("Model plain train started:")
    number = r"\d\.\d{3}"
    for i, epoch in enumerate((2, 4, 6, 8, 10), 1):
        assert re.fullmatch(
            rf"    Epoch {epoch}: cost={number}, accuracy={number}/{number} \(\d+/\d+ secs\)", log[begin + i]
        )
    assert re.fullmatch(r"Model plain train ended in \d+ secs:", log[begin + 6])
    assert re.fullmatch(rf"Model plain test report: accuracy = {number}, \(\d+ secs\)", log[begin + 7])
    history = stores.open_store(tmp_path / "out").history("plain", 0)
    assert (
        f"cost={history[9].train_loss:.3f}, accuracy={history[9].train_accuracy:.3f}/{history[9].val_accuracy:.3f}"
        in log[begin + 5]
    )


def test_jobs_come_seed_by_seed(study_file, tmp_path):
    study = studies.read(study_file)
    jobs = plan.pending(study, stores.Store(tmp_path))
    assert jobs == [Job("plain", 0), Job("residual", 0), Job("plain", 1), Job("residual", 1)]


def test_photos_that_take_no_part_are_told(study_file, photos, tmp_path, commongarden):
    own = tmp_path / "photos"
    shutil.copytree(photos, own)
    (own / "rose" / "broken.jpg").write_bytes(b"\xff\xd8\xff no more")
    shutil.copy(photos / "rose" / "05.png", own / "tulip" / "rose.png")
    result = commongarden(
        "run", study_file, "--data", own, "--out", tmp_path / "out", "--epochs", 1, "--seeds", 1, check=0
    )
    assert "warning: 1 file is skipped:\n  rose/broken.jpg: " in result.stderr
    assert "warning: 2 files are skipped, in none of the sets:\n  rose/05.png: conflicting labels" in result.stderr
    assert (own / "rose" / "broken.jpg").is_file()
