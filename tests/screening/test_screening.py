"""Screening: scores beside scikit-learn's own, the test set left aside, nothing computed twice."""

import csv
import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
import timm
import torch
from click.testing import CliRunner
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import commongarden as cg
from commongarden import report, stats
from commongarden import store as stores
from commongarden.cli import execution, main
from commongarden.data.split import split
from commongarden.errors import StudyError
from commongarden.records import Manifest, Photo
from commongarden.records import screening as records
from commongarden.report import screened as files
from commongarden.report.topics import selection
from commongarden.runner import limits
from commongarden.runner.display import PlainDisplay
from commongarden.runner.isolated import Calls
from commongarden.screening import folds as folding
from commongarden.screening import record, scoring
from commongarden.screening.folds import Fold
from commongarden.stats.screened import ranked
from hub_server import served

FLOWERS = Path(__file__).parents[2].parent / "shared" / "flowers"
WEIGHTS = os.environ.get("COMMONGARDEN_LITE0", "")
OWN_CODE = """
import os
from torch import nn

def plain(n):
    return nn.Sequential(nn.Flatten(), nn.Linear(16 * 16 * 3, n))

def crashes(n):
    os._exit(3)
"""


class Quiet:
    """A display that keeps what it is told."""

    def __init__(self):
        self.notes = []

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        return None

    def prepare(self, what, done, total):
        return None

    def note(self, text):
        self.notes.append(text)


def study_of(photos, arms, **values):
    recipe = cg.Recipe(resolution=16, init="own")
    return cg.Study("screened", str(photos), arms, recipe, split=cg.SplitPlan(train=0.6, val=0.2), **values)


def screened(study, out, **asked):
    return cg.screen(study, out, **{"folds": 3, "repeats": 2, "display": Quiet()} | asked)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Two beside other test workers wait for each other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "cores", lambda: 1)
        yield


@pytest.fixture(scope="module")
def found(photos, tmp_path_factory):
    """Three models and one whose code ends the process, screened, with their study and folder."""
    folder = tmp_path_factory.mktemp("screened")
    code = folder / "nets.py"
    code.write_text(OWN_CODE, encoding="utf-8")
    arms = {
        "theirs": cg.Arm("timm:test_resnet"),
        "own": cg.Arm("plain_flower"),
        "pixels": cg.Arm(f"{code}:plain"),
        "broken": cg.Arm(f"{code}:crashes"),
    }
    study = study_of(photos, arms)
    return study, folder, screened(study, folder)


# The scores


def test_scores_are_scikit_learns():
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 40)
    features = (generator.normal(size=(120, 24)) + labels[:, None] * generator.normal(size=24) * 0.3).astype(np.float32)
    of_fold = generator.permutation(np.arange(120) % 4)
    folds = [Fold(np.flatnonzero(of_fold != i), np.flatnonzero(of_fold == i)) for i in range(4)]
    scores = scoring.score(features, labels, folds, 2)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=10 / 24, tol=1e-3, max_iter=1000))
    cv = PredefinedSplit(of_fold)
    np.testing.assert_allclose(scores.probe, cross_val_score(probe, features.astype(float), labels, cv=cv))
    neighbours = KNeighborsClassifier(10, metric="cosine")
    np.testing.assert_allclose(scores.neighbours, cross_val_score(neighbours, features, labels, cv=cv))
    assert scores.converged
    assert scores == scoring.score(features, labels, folds, 1)


def test_photos_that_belong_together_are_in_one_fold():
    photos = tuple(
        Photo(f"{label}/{i}", label, "", f"{label}{i}", f"plant {label} {i // 2}") for label in "ab" for i in range(12)
    )
    manifest = Manifest("nowhere", photos)
    for fold in folding.repeated(manifest, cg.SplitPlan(), 0, (), 3, 2):
        groups = [{photos[i].group for i in part} for part in (fold.train, fold.test)]
        assert not groups[0] & groups[1]
        assert {photos[i].label for i in fold.test} == {"a", "b"}
        assert sorted([*fold.train, *fold.test]) == list(range(24))


def test_a_sample_has_each_class_in_its_share():
    photos = tuple(Photo(f"{i}", "a" if i % 4 else "b", "", f"{i}", "") for i in range(400))
    manifest = Manifest("nowhere", photos)
    parts = split(manifest, cg.SplitPlan(train=0.5, val=0.1), 0)
    used = folding.photos_of(manifest, parts, cg.SplitPlan(), 0, (), 100)
    assert len(used.photos) == 100
    assert sum(photo.label == "b" for photo in used.photos) == 25
    assert not {photo.path for photo in used.photos} & {*parts.test}


# What screening gives


def test_models_are_screened_the_smallest_first_and_one_that_crashes_stops_no_other(found):
    _study, folder, result = found
    assert [one.model for one in result.models] == ["pixels", "own", "theirs"]
    assert [one.n_params for one in result.models] == sorted(one.n_params for one in result.models)
    (broken,) = result.left
    assert broken.model == "broken"
    assert "crashed" in broken.reason
    assert {one.width for one in result.models} > {16 * 16 * 3}
    rows = list(csv.DictReader((folder / files.CSV).read_text(encoding="utf-8").splitlines()))
    assert [row["model"] for row in rows] == [one.screened.model for one in ranked(result)]
    assert records.read(folder) == result
    assert (result.n_photos, result.n_train, result.n_test) == (48, 32, 16)
    page = (folder / files.PAGE).read_text(encoding="utf-8")
    assert f"Best of 3: {ranked(result)[0].arm}" in page


def test_the_photos_have_a_brightest_channel_each_which_every_model_sees(found):
    """The classes differ in colour alone, so that features without training tell them apart."""
    _study, _folder, result = found
    assert ranked(result)[0].accuracy.value > 0.9 > result.majority


def test_what_was_computed_is_not_computed_again(found, tmp_path, monkeypatch):
    study, _folder, result = found
    arms = {name: study.arms[name] for name in ("theirs", "own")}
    kept = dataclasses.replace(study, arms=arms)
    screened(kept, tmp_path)  # its list of sizes is another one

    def refuse(*_arguments):
        raise AssertionError("nothing is left to compute")

    monkeypatch.setattr(Calls, "call", refuse)
    again = screened(kept, tmp_path)
    assert list(again.models) == [one for one in result.models if one.model in arms]


def test_no_model_begins_after_the_budget(found, tmp_path):
    study, _folder, _result = found
    kept = dataclasses.replace(study, arms={name: study.arms[name] for name in ("theirs", "own")})
    result = screened(kept, tmp_path, budget="0.001s")
    assert [one.model for one in result.models] == ["own"]
    assert [(one.model, one.reason) for one in result.left] == [("theirs", "")]
    assert "1 model was not reached within 0.001s" in (tmp_path / files.PAGE).read_text(encoding="utf-8")


def test_the_test_set_is_never_touched(tmp_path):
    """Other test photos, one of them broken: every score stays the same to the last bit."""
    generator = np.random.default_rng(0)
    results, said = [], []
    for name, brightness in (("one", 0), ("two", 135)):
        for part, n in (("train", 12), ("test", 4)):
            draw = np.random.default_rng(1) if part == "train" else generator
            for label in ("a", "b"):
                folder = tmp_path / name / part / label
                folder.mkdir(parents=True)
                for i in range(n):
                    pixels = draw.integers(0, 120, (20, 20, 3), dtype=np.uint8)
                    pixels[..., int(label == "a")] += 60
                    shift = brightness if part == "test" else 0
                    Image.fromarray(pixels + np.uint8(shift // 3)).save(folder / f"{i}.png")
        if name == "two":
            (tmp_path / name / "test" / "a" / "0.png").write_bytes(b"broken")
        study = study_of(tmp_path / name, {"own": cg.Arm("plain_flower")})
        out = tmp_path / f"{name}.out"
        results.append(screened(study, out, keep_going=True, display=PlainDisplay(said.append)))
    one, two = results
    assert one.photos != two.photos
    assert (one.n_test_set, two.n_test_set) == (8, 7)
    assert "1 file is skipped:" in " ".join(said)
    assert one.n_photos == two.n_photos == 24
    for key in ("probe", "neighbours", "width"):
        assert getattr(one.models[0], key) == getattr(two.models[0], key)


def test_a_split_that_varies_leaves_no_test_set_aside(photos, tmp_path):
    study = study_of(photos, {"own": cg.Arm("plain_flower")}, vary=("init", "order", "split"))
    with pytest.raises(StudyError, match="one test set that it leaves aside"):
        screened(study, tmp_path)


# The ranking


def test_differences_from_the_first_are_corrected_for_shared_photos_and_for_their_number(found):
    _study, _folder, result = found
    generator = np.random.default_rng(0)
    base = generator.normal(0.7, 0.02, 15)
    shifts = {"a": 0.0, "b": -0.01, "c": -0.2}
    models = tuple(
        dataclasses.replace(result.models[0], model=name, arch=name,
                            probe=tuple(base + shift + generator.normal(0, 0.01, 15)))
        for name, shift in shifts.items()
    )  # fmt: skip
    made = dataclasses.replace(result, models=models, n_train=400.0, n_test=100.0)
    rows = ranked(made)
    best = rows[0].screened
    raw = []
    for row in rows[1:]:
        difference = [one - two for one, two in zip(best.probe, row.screened.probe, strict=True)]
        wanted = stats.resampled_interval(difference, 400, 100)
        assert row.behind is not None
        assert (row.behind.low, row.behind.high) == (wanted.low, wanted.high)
        raw.append(stats.resampled_mean(difference, 400, 100).p)
    assert [row.p for row in rows[1:]] == pytest.approx(stats.holm_p(raw))
    assert [row.arm for row in rows if row.distinguishable] == ["c"]


# The study that follows


def test_then_declares_a_study_of_the_best_and_keeps_what_they_were_chosen_from(photos, tmp_path, monkeypatch):
    carried = []
    monkeypatch.setattr(execution, "carry_out", lambda *given, **_more: carried.append(given))
    out = tmp_path / "out"
    words = f"screen --data {photos} --models timm:test_res*,plain_flower --untrained --image-size 16 --folds 2"
    done = CliRunner().invoke(
        main, [*words.split(), "--repeats", "1", "--then", "1", "--seeds", "2", "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    ((study, folder, _how),) = carried
    assert folder == out
    chosen = msgspec.json.decode((out / records.SELECTION_FILE).read_bytes(), type=records.Selection)
    assert chosen.chosen == tuple(study.arms) == tuple(one.model for one in chosen.candidates[:1])
    assert chosen.n_asked == len(chosen.candidates) + len(records.read(out).left) == 2
    assert study.recipe.resolution == 16
    assert study.seeds == (0, 1)
    assert "Best of" in done.stdout
    assert "timm:test_res*: " in done.stderr


def test_the_report_says_what_the_models_were_chosen_from(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "small")
    store = stores.open_store(tmp_path / "small")
    candidates = tuple(records.Candidate(name, 0.8, 0.7, 0.9) for name in ("plain", "residual", "other"))
    kept = records.Selection(candidates, ("plain", "residual"), 5, store.split().hash, 48, 5, 3)
    with stores.lock(store.root):
        stores.keep(store.root, records.SELECTION_FILE, records.written(kept))
    path = report.write(store)
    page = path.read_text(encoding="utf-8")
    assert "2 of 5 models were chosen by a linear probe on frozen features of 48 training and" in page
    assert "The test images of this study were not used in screening." in page
    assert not [one for one in stores.verify(store).found if one.path == records.SELECTION_FILE]
    other = dataclasses.replace(kept, split="0" * 64)
    with stores.lock(store.root):
        stores.keep(store.root, records.SELECTION_FILE, records.written(other))
    assert selection.lines(store)[-1] == "The test set of this study is not the one that screening left aside."


def test_a_second_screening_adds_to_what_the_first_chose_from(found, finished, tmp_path):
    shutil.copytree(finished, tmp_path / "small")
    store = stores.open_store(tmp_path / "small")
    first = records.Selection((records.Candidate("plain", 0.9, 0.8, 1.0),), ("plain",), 7, store.split().hash, 48, 5, 3)
    with stores.lock(store.root):
        stores.keep(store.root, records.SELECTION_FILE, records.written(first))
    record(found[2], ["own"], store.root)
    kept = store.selection()
    assert kept.chosen == ("plain", "own")
    assert {one.model for one in kept.candidates} == {"plain", *(one.model for one in found[2].models)}
    assert kept.n_asked == 7
    assert [one.accuracy for one in kept.candidates] == sorted((one.accuracy for one in kept.candidates), reverse=True)


def test_a_study_that_was_begun_without_screening_keeps_no_record_of_one(found, finished, tmp_path):
    shutil.copytree(finished, tmp_path / "small")
    record(found[2], ["own"], tmp_path / "small")
    assert not (tmp_path / "small" / records.SELECTION_FILE).exists()


@pytest.mark.soak
def test_published_weights_are_fetched_once_and_the_best_are_fine_tuned(photos, tmp_path):
    torch.manual_seed(0)
    folder = tmp_path / "repository"
    timm.models.save_for_hf(timm.create_model("test_resnet"), folder, safe_serialization=True)
    repository = {file.name: file.read_bytes() for file in folder.iterdir()}
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hf"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    words = ["screen", "--data", str(photos), "--models", "timm:test_res*,plain_flower", "--image-size", "64"]
    words += ["--folds", "2", "--repeats", "1", "--out", str(tmp_path / "out"), "--device", "cpu", "--no-maps"]

    def command(url, *more):
        return subprocess.run(
            [sys.executable, "-m", "commongarden.cli", *words, *more],
            capture_output=True, text=True, check=False, env={**environment, "HF_ENDPOINT": url},
        )  # fmt: skip

    with served() as hub:
        hub.put("timm/test_resnet.r160_in1k", repository)
        done = command(hub.url)
    assert done.returncode == 0, done.stderr
    digest = hashlib.sha256(repository["model.safetensors"]).hexdigest()
    found = {one.arch: (one.weights, one.weights_hash) for one in records.read(tmp_path / "out").models}
    assert found == {"timm:test_resnet": ("published", digest), "plain_flower": ("", "")}
    again = command("http://127.0.0.1:9", "--then", "2", "--epochs", "2", "--seeds", "1")
    assert again.returncode == 0, again.stderr
    study = stores.open_store(tmp_path / "out").study()
    assert {arm.arch: arm.wants_weights for arm in study.arms.values()} == {
        "timm:test_resnet": True, "plain_flower": False,
    }  # fmt: skip
    assert study.preset == "finetune"
    assert "were chosen by a linear probe" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


@pytest.mark.soak
@pytest.mark.skipif(not FLOWERS.is_dir(), reason="needs the flower photos")
@pytest.mark.skipif(not WEIGHTS, reason="needs COMMONGARDEN_LITE0, the file of weights (docs/results.md)")
def test_published_weights_rank_above_random_ones(tmp_path):
    arms = {
        "lite0": cg.Arm("timm:tf_efficientnet_lite0", {"weights": WEIGHTS}),
        "lite0-random": cg.Arm("timm:tf_efficientnet_lite0"),
        "resnet18-random": cg.Arm("timm:resnet18"),
        "mobilenet-random": cg.Arm("torchvision:mobilenet_v3_small"),
        "convnext-random": cg.Arm("timm:convnext_atto"),
    }
    study = cg.Study("proof", str(FLOWERS), arms, cg.Recipe(resolution=128), split=cg.SplitPlan(val=0.1))
    rows = ranked(cg.screen(study, tmp_path, most_photos=400))
    assert rows[0].arm == "lite0"
    assert all(row.distinguishable for row in rows[1:])
    json.dumps(files.rows(rows))
