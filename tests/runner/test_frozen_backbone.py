"""A frozen backbone: its features are computed once, and training is the same as on the photos themselves."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import load_file

from commongarden import arch
from commongarden.errors import StudyError
from commongarden.runner import frozen_features, training
from commongarden.runner.events import Job
from commongarden.runner.plan import run_plan
from commongarden.runner.prepared_data import prepare_data
from commongarden.runner.run_setup import set_up
from commongarden.runner.training import train_run
from commongarden.study import Arm
from commongarden.study.recipe import Recipe
from commongarden.train.audit import audit_drawn
from commongarden.train.features import features
from resumed import study_of

CPU = torch.device("cpu")
ARMS = {"theirs": Arm("timm:test_resnet"), "pooled": Arm("torchvision:squeezenet1_0")}


@pytest.fixture(scope="module")
def prepared_study(photos, cache_folder, tmp_path_factory):
    study = study_of(photos, ARMS, resolution=32, freeze_backbone=True)
    store, prepared = prepare_data(study, tmp_path_factory.mktemp("frozen") / "out", cache_folder)
    return store, prepared, store.study()


def trained(prepared_study, arm, root, seed=0):
    store, prepared, study = prepared_study
    plan = run_plan(study, prepared, Job(arm, seed), "cpu")
    *_news, done = train_run(type(store)(root), prepared, plan, lambda: False)
    assert done.run.status == "finished", done.run.failure
    folder = root / "runs" / arm / str(seed)
    rows = np.genfromtxt(folder / "history.csv", delimiter=",", names=True)
    return rows, load_file(folder / "model.safetensors")


def test_features_once_or_photos_in_every_epoch(prepared_study, tmp_path, monkeypatch):
    quick, stored = trained(prepared_study, "theirs", tmp_path / "quick")
    monkeypatch.setattr(training, "frozen_features", lambda *_: None)
    slow, again = trained(prepared_study, "theirs", tmp_path / "slow")
    for column in ("train_loss", "val_loss", "train_accuracy", "val_accuracy"):
        np.testing.assert_allclose(quick[column], slow[column], atol=1e-5)
    for name, value in stored.items():
        torch.testing.assert_close(value, again[name], atol=1e-5, rtol=1e-5)


def test_only_the_last_layer_learns(prepared_study, tmp_path):
    _store, prepared, study = prepared_study
    before = set_up(prepared, run_plan(study, prepared, Job("theirs", 0), "cpu")).classifier().state_dict()
    _rows, after = trained(prepared_study, "theirs", tmp_path)
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert {name.rpartition(".")[2] for name in changed} == {"weight", "bias"}
    assert len(changed) == 2
    assert all(".fc." in name for name in changed)


def test_a_second_run_takes_what_the_first_kept(prepared_study, tmp_path, monkeypatch):
    first, _ = trained(prepared_study, "theirs", tmp_path / "one")

    def no_more(*_):
        raise AssertionError("computed again")

    monkeypatch.setattr(frozen_features, "features", no_more)
    second, _ = trained(prepared_study, "theirs", tmp_path / "two")
    np.testing.assert_array_equal(first["train_loss"], second["train_loss"])


def test_a_network_that_pools_behind_its_last_layer_is_trained_on_photos(prepared_study, tmp_path):
    rows, _ = trained(prepared_study, "pooled", tmp_path)
    assert np.isfinite(rows["train_loss"]).all()


def test_they_are_what_torchvision_extracts():
    """torchvision's own feature extractor, at the layer before the last."""
    from torchvision.models.feature_extraction import create_feature_extractor

    from commongarden.arch import External, Serial
    from commongarden.train.classifier import Classifier

    node = External("torchvision:resnet18", "{}", 5, (64, 64, 3), 0, 0, 0)
    torch.manual_seed(0)
    classifier = Classifier(Serial((node,)), (64, 64, 3), Recipe(), (0.0,) * 3, (255.0,) * 3)
    theirs = torchvision.models.resnet18(num_classes=5)
    inner = next(part for part in classifier.modules() if isinstance(part, torchvision.models.ResNet))
    theirs.load_state_dict(inner.state_dict())
    pixels = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8)
    (ours,) = features(classifier, [(pixels, torch.zeros(3))], CPU)
    extract = create_feature_extractor(theirs.eval(), {"flatten": "features"})
    with torch.inference_mode():
        torch.testing.assert_close(ours, extract(pixels / 255)["features"], rtol=1e-4, atol=1e-5)


def test_it_excludes_head_epochs():
    with pytest.raises(StudyError, match=r"recipe\.head_epochs: found 1, accepted: 0 with freeze_backbone"):
        Recipe(freeze_backbone=True, head_epochs=1)
    with pytest.raises(StudyError, match=r"recipe\.body_lr: found 0\.1, accepted: 1 with freeze_backbone"):
        Recipe(freeze_backbone=True, body_lr=0.1)


def test_its_batch_norm_does_not_lag():
    network = arch.network("residual_flower", 3, order="LBA")
    recipe = Recipe(resolution=32, epochs=1, batch_size=12)
    kinds = [
        {found.kind for found in audit_drawn(network, (32, 32, 3), 3, each, 24).findings}
        for each in (recipe, replace(recipe, freeze_backbone=True))
    ]
    assert "lagging statistics" in kinds[0]
    assert "lagging statistics" not in kinds[1]
