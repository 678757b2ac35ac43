"""`commongarden clean`: weights and checkpoints go, all that is read of a study stays."""

import json
import re
import shutil

import pytest
from click.testing import CliRunner

import commongarden as cg
from commongarden import store as stores
from commongarden.cli import cleaning, main
from commongarden.inference.ensemble import best_arm

WEIGHTS = "model.safetensors"


@pytest.fixture
def study(finished, tmp_path):
    """A finished study, with a stopped run and a file that was moved aside."""
    out = shutil.copytree(finished, tmp_path / "small")
    stopped = out / "runs" / "plain" / "9.partial"
    stopped.mkdir()
    (stopped / "checkpoint.pt").write_bytes(b"c" * 1000)
    (out / "audit.json.set-aside-1").write_bytes(b"a" * 10)
    return out


def said(*arguments, code=0, input=None):
    result = CliRunner().invoke(main, list(map(str, arguments)), input=input, env={"COLUMNS": "400"})
    assert result.exit_code == code, result.output
    return result.output


def reports(study):
    """What people read of it, without how its weights are used."""
    said("report", study, "--format", "md")
    offer = re.compile(r"(Classify images with it|Export it to ONNX):\n.*\n")
    texts = [*(said(command, study) for command in ("compare", "best")), (study / "report.md").read_text()]
    return [offer.sub("", text) for text in texts]


def test_all_that_is_read_of_a_study_stays(study, photos):
    before = reports(study)
    kept = {path for path in study.rglob("*") if path.is_file()}
    gone = {path for path in kept if path.name in (WEIGHTS, "checkpoint.pt", "audit.json.set-aside-1")}
    size = sum(path.stat().st_size for path in gone)
    shown = said("clean", study, "--dry-run")
    assert all(path.is_file() for path in kept)
    assert [line.split(": ")[0].strip() for line in shown.splitlines()[1:]] == [
        "weights of 4 runs",
        "checkpoint of 1 stopped run, which then starts from its first epoch",
        "1 corrupt file or run that was moved aside",
        "kept",
    ]
    result = said("clean", study, "--yes")
    assert result.startswith(shown)
    assert f"Deleted {size / 1e6:,.1f} MB." in result
    left = {path for path in study.rglob("*") if path.is_file()}
    assert kept - left == gone
    assert {path.name for path in left - kept} <= {".lock"}
    assert reports(study) == before
    assert said("verify", study).count("\n") == 1
    assert "nothing to delete" in said("clean", study, "--yes")
    photo = next(photos.rglob("*.png"))
    refused = said("predict", study, photo, code=2)
    assert "were deleted (`commongarden clean`)" in refused
    assert refused.rstrip().endswith("has its weights: none")
    run = study / "runs" / "plain" / "0"
    assert "To train this run again, delete its folder" in said("predict", run, photo, code=2)


def test_the_best_model_is_kept_and_the_study_goes_on(study, photos, study_file, tmp_path, commongarden, finished):
    best = best_arm(stores.Store(study))
    (other,) = {"plain", "residual"} - {best}
    photo = next(photos.rglob("*.png"))
    before = said("predict", study, photo)
    table = json.loads(said("clean", study, "--keep-best", "--yes", "--json"))
    assert table["kept_model"] == best
    weights = [part["path"] for part in table["parts"] if part["kind"] == "weights"]
    assert weights == [f"runs/{other}/{seed}/{WEIGHTS}" for seed in (0, 1)]
    assert table["bytes"] == sum(part["bytes"] for part in table["parts"])
    assert said("predict", study, photo) == before
    assert f"{best}/0, {best}/1" in said("predict", study, "--model", other, photo, code=2)
    more = tmp_path / "more.toml"
    more.write_text(study_file.read_text().replace("seeds = 2", "seeds = 3"))
    commongarden("run", more, "--out", study, check=0)
    assert len(stores.Store(study).runs()) == 6
    assert not stores.verify(stores.Store(study)).found
    (study / "runs" / other / "0" / WEIGHTS).write_bytes(b"of something else")
    assert said("verify", study, code=1).count("corrupt") == 1
    shutil.copy(finished / "runs" / other / "0" / WEIGHTS, study / "runs" / other / "0")  # from a backup
    said("verify", study)


def test_replay_compares_with_the_checksum_of_deleted_weights(study, monkeypatch):
    from commongarden.runner import replay

    again = shutil.copytree(study / "runs" / "plain" / "0", study.parent / "again")
    said("clean", study, "--yes")
    assert replay._compared(study / "runs" / "plain" / "0", again).is_equal
    (again / WEIGHTS).write_bytes(b"others")
    (found,) = replay._compared(study / "runs" / "plain" / "0", again).differences
    assert found.what == "weights"


def test_it_asks_and_deletes_nothing_without_a_yes(study, monkeypatch):
    before = sorted(study.rglob("*"))
    assert "accepted: --yes or --dry-run" in said("clean", study, code=2)
    monkeypatch.setattr(cleaning, "is_terminal", lambda: True)
    assert "Delete " in said("clean", study, input="\n")
    assert sorted({*study.rglob("*")} - {study / ".lock"}) == [path for path in before if path.name != ".lock"]
    assert "Deleted " in said("clean", study, input="y\n")
    assert not list(study.rglob(WEIGHTS))


def test_a_study_that_is_in_use_or_is_none_is_refused(study, tmp_path):
    with stores.lock(study):
        assert "in use by another commongarden process" in said("clean", study, "--yes", code=2)
    assert list(study.rglob(WEIGHTS))
    assert str(tmp_path / "none") in said("clean", tmp_path / "none", "--yes", code=2)
    with pytest.raises(cg.CommonGardenError):
        best_arm(stores.Store(tmp_path))


def test_a_kill_in_the_middle_leaves_a_whole_study(study, monkeypatch):
    """Between the list of checksums and the file, and in the middle of a folder."""

    class Killed(BaseException):
        pass

    def kill(path):
        raise Killed

    for step in ("remove", "remove_tree"):
        with monkeypatch.context() as patch:
            patch.setattr(stores.cleaning.disk, step, kill)
            kind = "checkpoint" if step == "remove_tree" else "weights"
            part = next(part for part in stores.cleaning.parts(stores.Store(study)) if part.kind == kind)
            with pytest.raises(Killed):
                stores.cleaning.delete(part)
        assert not stores.verify(stores.Store(study)).wrong
    assert stores.recover(stores.Store(study)) == []
    assert not list(study.rglob("*.forgotten"))
    said("clean", study, "--yes")
    assert not stores.verify(stores.Store(study)).found
