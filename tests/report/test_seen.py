"""Grad-CAM and features: maps of evidence, first kernels, the map of the test photos; made after the runs."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from commongarden import arch, report, stats
from commongarden import store as stores
from commongarden.cli import main
from commongarden.errors import StoreError
from commongarden.records import Predictions
from commongarden.report.document import Gallery, SideBySide
from commongarden.report.topics import attribution as section
from commongarden.runner import attribution_tasks
from commongarden.stats.disagreed import N_PHOTOS, disagreements, shown_seeds
from commongarden.store import attribution_maps
from commongarden.study import Arm, Contrast, Study
from commongarden.study.recipe import Recipe
from commongarden.train import attribution
from commongarden.train.classifier import Classifier
from forged import forged

STUDY = """
[study]
name = "seen"
data = "builtin:flowers/90"
seeds = 1

[recipe]
resolution = 32
epochs = 1
batch_size = 10

[split]
train = 0.5
val = 0.1

[arms.plain]
arch = "plain_flower"
order = "LBA"

[arms.inception]
arch = "inception_flower"
order = "LBA"
"""


@pytest.fixture(scope="module")
def looked(tmp_path_factory, maps_on):
    """A study run without maps, what its files were then, and the same after the same command with maps."""
    folder = tmp_path_factory.mktemp("looked")
    (folder / "study.toml").write_text(STUDY)
    asked = ["run", str(folder / "study.toml"), "--out", str(folder / "g"), "--workers", "1", "--log", "plain",
             "--cache-dir", str(folder / "cache")]  # fmt: skip
    first = CliRunner().invoke(main, [*asked, "--no-maps"])
    assert first.exit_code == 0, first.output
    assert not (folder / "g" / "seen").exists()
    runs = {path: path.read_bytes() for path in (folder / "g" / "runs").rglob("*") if path.is_file()}
    second = CliRunner().invoke(main, asked)
    assert second.exit_code == 0, second.output
    assert "could not be drawn" not in second.output
    return stores.open_store(folder / "g"), runs


def test_looking_changes_no_run_and_is_done_once(looked):
    store, runs = looked
    assert runs == {path: path.read_bytes() for path in (store.root / "runs").rglob("*") if path.is_file()}
    assert {path.stem for path in (store.root / "seen").iterdir()} == {"plain", "inception"}
    assert attribution_tasks.pending(store, store.study()) == []
    plain = store.root / "seen" / "plain.npz"
    plain.rename(plain.with_suffix(".away"))
    assert [task.arm for task in attribution_tasks.pending(store, store.study())] == ["plain"]
    plain.with_suffix(".away").rename(plain)


def test_what_is_kept_agrees_with_the_stored_predictions(looked):
    store, _runs = looked
    for arm in ("plain", "inception"):
        found = attribution_maps.read(store, arm)
        told = store.predictions(arm, found.seed)
        called = dict(zip(map(str, told.photos), told.probabilities.argmax(axis=1).tolist(), strict=True))
        most = dict(zip(map(str, told.photos), told.probabilities.max(axis=1).tolist(), strict=True))
        for item in found.evidence:
            assert item.called == called[item.path]
            assert item.probability == pytest.approx(most[item.path], abs=1e-5)
            assert Image.open(io.BytesIO(item.map)).size == Image.open(io.BytesIO(item.photo)).size
        assert np.mean(found.called == found.labels) == pytest.approx(store.run(arm, found.seed).test_accuracy)
        assert found.points.shape == (len(told.photos), 2)
        assert 0 < sum(found.explained) <= 1
        mosaic = Image.open(io.BytesIO(found.filters))
        assert mosaic.mode == "RGBA"
        assert (found.n_filters, found.kernel) == ((16, (7, 7)) if arm == "plain" else (6, (3, 3)))


def test_the_page_shows_it_and_reads_it_only(looked):
    store, _runs = looked
    found = section.section(store, stats.summarize(store))
    page = report.write(store).read_text(encoding="utf-8")
    assert "Grad-CAM and features" in page
    maps, kernels = (block for block in found.blocks if isinstance(block, SideBySide))
    assert [part[0].text for part in maps.parts] == ["plain", "inception"]
    assert {part[0].text for part in kernels.parts} == {"plain", "inception"}
    for block in found.blocks:
        for (_photo, *sides), _said, _warns in block.groups if isinstance(block, Gallery) else ():
            assert sorted(side.caption[-1].role for side in sides) == ["strong", "wrong"]
    for path in (store.root / "seen").iterdir():
        path.rename(path.with_suffix(".away"))
    try:
        assert section.section(store, stats.summarize(store)) is None
        assert "Grad-CAM and features" not in report.write(store).read_text(encoding="utf-8")
    finally:
        for path in (store.root / "seen").iterdir():
            path.rename(path.with_suffix(".npz"))


def test_a_torn_file_is_told(looked):
    store, _runs = looked
    path = store.root / "seen" / "plain.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError, match=r"plain\.npz: corrupt"):
        attribution_maps.read(store, "plain")
    forged(path, whole[: len(whole) // 2])
    try:
        with pytest.raises(StoreError, match=r"plain\.npz: not the heat maps of a network: .*write it again"):
            attribution_maps.read(store, "plain")
        assert [task.arm for task in attribution_tasks.pending(store, store.study())] == ["plain"]
    finally:
        forged(path, whole)


# The choice of photos


def predictions(right):
    """One photo an entry, of class 0; called 0 where it is right, else 1."""
    guesses = np.array([0 if each else 1 for each in right])
    probabilities = np.eye(2, dtype=np.float32)[guesses]
    return Predictions(np.array([f"p{i}" for i in range(len(right))]), np.zeros(len(right), np.int64), probabilities)


def test_photos_are_those_on_which_the_runs_disagree_most():
    study = Study("s", "photos", {"a": Arm("plain_flower"), "b": Arm("residual_flower")}, seeds=(0, 1),
                  contrasts=(Contrast("a", "b"),))  # fmt: skip
    a = {0: predictions([1, 1, 0, 1, 0]), 1: predictions([0, 1, 0, 1, 0])}
    b = {0: predictions([0, 0, 1, 1, 0]), 1: predictions([0, 0, 1, 1, 0])}
    (found,) = disagreements(study, {"a": a, "b": b})
    assert found.photos == ("p1", "p0", "p2")  # p1 in both seeds, p0 in one; p2 the other way round
    assert found.seed == 0
    many = {0: predictions([1] * 10)}
    (found,) = disagreements(study, {"a": many, "b": {0: predictions([0] * 10)}})
    assert len(found.photos) == N_PHOTOS
    assert disagreements(study, {"a": many, "b": many}) == ()
    assert disagreements(study, {"a": {0: many[0]}, "b": {1: many[0]}}) == ()
    assert shown_seeds(study, {"a": {1: many[0]}, "b": {}}) == {"a": 1}


# The looking itself, against what it is by definition


def classifier(network, pixels=16):
    torch.manual_seed(0)
    return Classifier(network, (pixels, pixels, 3), Recipe(), (128, 128, 128), (64, 64, 64)).eval()


def test_evidence_is_what_grad_cam_is_by_definition():
    model = classifier(arch.network("inception_flower", 3, order="LBA"), 32)
    photos = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    targets = torch.tensor([0, 1, 2, 1])
    name, layer = attribution.anatomy(model, photos[:1]).mapped
    assert name == "inception_b2"  # the last module before the pool
    kept = []
    hook = layer.register_forward_hook(lambda module, given, output: kept.append(output))
    logits = model(photos)
    logits = logits - logits.mean(1, keepdim=True)
    hook.remove()
    (gradient,) = torch.autograd.grad(logits[torch.arange(4), targets].sum(), kept[0])
    wanted = (gradient.mean(dim=(2, 3), keepdim=True) * kept[0]).sum(1).relu()
    wanted = wanted / wanted.amax(dim=(1, 2), keepdim=True).clamp_min(1e-30)
    found = attribution.evidence(model, layer, photos, targets)
    np.testing.assert_allclose(found, wanted.detach().numpy(), atol=1e-5)


def test_features_are_what_the_last_layer_gets():
    model = classifier(arch.network("plain_flower", 3))
    photos = torch.randint(0, 256, (5, 3, 16, 16), dtype=torch.uint8)
    head = attribution.anatomy(model, photos[:1]).head
    found, called = attribution.features(model, head, [(photos, torch.zeros(5))], torch.device("cpu"))
    logits = torch.from_numpy(found) @ head.weight.T + head.bias
    torch.testing.assert_close(logits, model(photos))
    assert called.tolist() == logits.argmax(1).tolist()


def test_kernels_are_grey_where_weights_are_zero():
    first = torch.nn.Conv2d(3, 2, 3)
    with torch.no_grad():
        first.weight.zero_()
        first.weight[0, 0, 1, 1], first.weight[0, 2, 0, 0] = 2.0, -1.0
    pictures = attribution.kernels(first)
    assert pictures.shape == (2, 3, 3, 3)
    assert pictures[0, 1, 1].tolist() == [255, 128, 128]
    assert pictures[0, 0, 0].tolist() == [128, 128, 64]
    assert (pictures[1] == 128).all()


def test_a_network_of_dense_layers_has_no_map_and_no_kernels():
    network = arch.serial(arch.dense(8, order="LA"), arch.dense(3), name="dense")
    found = attribution.anatomy(classifier(network), torch.zeros(1, 3, 16, 16, dtype=torch.uint8))
    assert (found.mapped, found.first) == (None, None)
    assert found.head.out_features == 3


def test_a_network_that_writes_over_its_inputs_is_looked_at_all_the_same():
    body = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(inplace=True), torch.nn.AdaptiveAvgPool2d(1),
                               torch.nn.Flatten(), torch.nn.Linear(4, 2))  # fmt: skip
    model = classifier(arch.network("plain_flower", 2))
    model.body = body
    photos = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    found = attribution.evidence(model, body[0], photos, torch.tensor([0, 1]))
    assert found.shape == (2, 14, 14)
    assert body[1].inplace
