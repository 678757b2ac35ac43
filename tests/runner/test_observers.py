"""Observers and trackers: what they are told, and that none of them stops a run."""

import dataclasses
import json
import subprocess
import sys

import pytest

import commongarden as cg
import tracked
from commongarden import study as studies
from commongarden.runner.display import PlainDisplay
from commongarden.runner.events import EpochDone, RunDone, Started


class Listening(cg.Observer):
    def __init__(self):
        self.heard = []

    def begin_study(self, study, folder):
        self.heard.append(("study", study.name, (folder / "study.toml").is_file()))

    def plan(self, sizes, epochs, n_workers):
        self.heard.append(("plan", len(sizes), set(epochs.values())))

    def take(self, event):
        if isinstance(event, (Started, EpochDone, RunDone)):
            self.heard.append((type(event).__name__, event.job.arm, event.job.seed))

    def close(self, error):
        self.heard.append(("closed", error))

    def end(self, results, report):
        self.heard.append(("end", len(results.arms), report.name))


class Raising(cg.Observer):
    name = "my server"

    def take(self, event):
        raise ConnectionError("no route to host")


@pytest.mark.parametrize("found", [3, [3], Listening])
def test_what_is_no_list_of_observers_is_refused(study_file, tmp_path, found):
    with pytest.raises(cg.CommonGardenError, match=r"observers: found .* accepted: a list of objects"):
        cg.run(studies.read(study_file), tmp_path / "out", observers=found)
    assert not (tmp_path / "out").exists()


def test_observers_hear_of_everything_and_one_that_fails_stops_no_run(study_file, tmp_path):
    study = dataclasses.replace(studies.read(study_file), seeds=(0,))
    lines, listening = [], Listening()
    options = cg.RunOptions(n_workers=1, maps=False, log_to=("tensorboard",))
    results, outcome = cg.run(
        study, tmp_path / "out", options, display=PlainDisplay(lines.append), observers=[Raising(), listening]
    )
    assert outcome.n_finished == 2
    said = [line for line in lines if "my server" in line]
    assert said == ["warning: my server failed and is no longer notified: ConnectionError: no route to host"]
    heard = listening.heard
    assert heard[:2] == [("study", "small", True), ("plan", 2, {3})]
    assert heard[-2:] == [("closed", None), ("end", 2, "report.html")]
    for arm in ("plain", "residual"):
        of_arm = [kind for kind, *what in heard if what[:1] == [arm]]
        assert of_arm == ["Started", "EpochDone", "EpochDone", "EpochDone", "RunDone"]
    _read_back(tmp_path / "out", results)


def _read_back(out, results):
    """TensorBoard's own reader finds the curves, the test accuracy, and the study's results."""
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = reader.EventAccumulator(str(out / "tensorboard" / "plain" / "0"))
    run.Reload()
    history = cg.open_store(out).history("plain", 0)
    assert [one.value for one in run.Scalars("val/loss")] == pytest.approx([one.val_loss for one in history])
    assert run.Scalars("test/accuracy")[0].step == 3
    whole = reader.EventAccumulator(str(out / "tensorboard" / "results"))
    whole.Reload()
    (plain,) = [arm for arm in results.arms if arm.arm == "plain"]
    assert whole.Scalars("test_accuracy/plain")[0].value == pytest.approx(plain.test_accuracy.value)
    (text,) = whole.Tensors("verdicts/text_summary")
    verdict = json.loads((out / "results.json").read_bytes())["contrasts"][0]["verdict"]
    assert text.tensor_proto.string_val[0].decode() == verdict


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of mlflow's own database code
@pytest.mark.parametrize("name", ["mlflow", "trackio", "wandb"])
def test_a_tracker_holds_what_the_store_holds(study_file, tmp_path, name, monkeypatch):
    """Read back by the tracker's own package, in its offline or local mode."""
    monkeypatch.chdir(tmp_path)
    settings = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
        "TRACKIO_DIR": str(tmp_path / "trackio"),
        "WANDB_MODE": "offline",
        "WANDB_DIR": str(tmp_path),
    }
    for variable, value in settings.items():
        monkeypatch.setenv(variable, value)
    pytest.importorskip(name, reason=f"the extra {name!r} is not installed: pip install '.[{name}]'")  # reads them
    line = [
        sys.executable,
        "-m",
        "commongarden.cli",
        "run",
        str(study_file),
        "--out",
        "out",
        "--log-to",
        name,
        "--json",
    ]
    done = subprocess.run(line, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "no longer notified" not in done.stderr
    assert json.loads(done.stdout)["study"] == "small"  # the tracker prints nothing among the results
    found = getattr(tracked, f"from_{name}")(tmp_path if name == "wandb" else "small")
    store = cg.open_store("out")
    assert set(found) == {"plain/0", "plain/1", "residual/0", "residual/1", "results"}
    for run in store.runs():
        kept = found[f"{run.arm}/{run.seed}"]
        assert kept["val/loss"] == [(one.epoch, one.val_loss) for one in store.history(run.arm, run.seed)]
        assert kept["test/accuracy"][0][1] == run.test_accuracy
    (plain,) = [arm for arm in cg.summarize(store).arms if arm.arm == "plain"]
    assert found["results"]["test_accuracy/plain"][0][1] == plain.test_accuracy.value


def test_a_tracker_that_is_not_installed_is_said_before_anything_is_done(study_file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow.entities", None)
    options = cg.RunOptions(log_to=("mlflow",))
    with pytest.raises(cg.CommonGardenError, match=r"pip install 'commongarden\[mlflow\]'"):
        cg.run(studies.read(study_file), tmp_path / "out", options)
    with pytest.raises(cg.CommonGardenError, match="mlflow"):
        cg.run(studies.read(study_file), tmp_path / "out", cg.RunOptions(log_to=("mlfow",)))
    assert not (tmp_path / "out").exists()
