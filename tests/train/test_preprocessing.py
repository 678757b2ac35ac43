"""`pixels = "own"`: the preprocessing that a library documents, beside the library's own transform."""

import dataclasses
import math

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image

from commongarden import stats
from commongarden import study as studies
from commongarden.data.framing import framed
from commongarden.report.document import Table
from commongarden.report.topics import setup
from commongarden.store import contract
from commongarden.study import Arm, Contrast, Study
from commongarden.study.recipe import Recipe
from commongarden.train import preprocessing
from commongarden.train.libraries import timm_config
from commongarden.train.measure import network_by_others
from commongarden.train.preprocessing import own_input_size
from grown import grown

MEAN = timm.data.IMAGENET_DEFAULT_MEAN


def photo(shape=(90, 130)):
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8))


def prepared(own, size, picture):
    """As a run by the recipe prepares it."""
    recipe = Recipe(resolution=size, resize=own.resize, interpolation=own.interpolation, crop_share=own.crop_share)
    pixels = torch.from_numpy(framed(picture, size, size, recipe.framing).copy()).permute(2, 0, 1).float()
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (own.mean, own.std))
    return (pixels - mean) / std


@pytest.mark.parametrize("name", ["test_resnet", "test_vit.r160_in1k", "test_efficientnet", "test_convnext"])
def test_it_is_that_of_timms_model(name):
    arm = Arm(f"timm:{name}")
    model = timm.create_model(name)
    data = timm.data.resolve_model_data_config(model)
    size = own_input_size(arm.arch)
    assert size == data["input_size"][1]
    own = preprocessing.documented(arm.arch, model.pretrained_cfg)
    assert own == preprocessing.documented(arm.arch)
    expected = timm.data.create_transform(**data, is_training=False)(photo())
    assert torch.allclose(prepared(own, size, photo()), expected, atol=1e-5)


def test_it_is_timms_for_every_published_weight():
    seen = {}
    for name in timm.list_pretrained():
        config = timm_config(name)
        seen.setdefault((config["crop_mode"], config["interpolation"], config["crop_pct"]), name)
    assert {mode for mode, _kind, _share in seen} == {"center", "squash", "border"}
    for (mode, kind, share), name in seen.items():
        own = preprocessing.documented(f"timm:{name}")
        config = timm_config(name)
        if share > 1:  # three of volo, which are cut out of less than there is
            assert own.resize == ""
            continue
        assert np.allclose(own.mean, 255 * np.array(config["mean"]))
        own = dataclasses.replace(own, mean=tuple(255 * value for value in MEAN))  # timm pads with a model's mean
        expected = timm.data.create_transform(
            48, interpolation=kind, crop_pct=share, crop_mode=mode, mean=MEAN, std=config["std"]
        )(photo())
        assert torch.allclose(prepared(own, 48, photo()), expected, atol=1e-5), name


def test_it_is_torchvisions_for_every_published_weight():
    models = torchvision.models
    seen = {}
    for name in models.list_models(module=models):
        for weights in models.get_model_weights(name):
            kept = vars(weights.transforms())
            key = kept["resize_size"][0], kept["crop_size"][0], kept["interpolation"].value
            seen.setdefault(key, (f"torchvision:{name}.{weights.name}", weights))
    assert len(seen) > 20
    for (resized, size, _kind), (arch, weights) in seen.items():
        own = preprocessing.documented(arch)
        assert own_input_size(arch) == size
        assert math.floor(size / own.crop_share) == resized
        if size > 232:
            continue
        found, expected = prepared(own, size, photo()), weights.transforms()(photo())
        assert torch.allclose(found, expected, atol=1e-5), arch


@pytest.fixture(scope="module")
def arm():
    found = Arm("timm:test_resnet", {}, {"pixels": "own"})
    return dataclasses.replace(found, origin=network_by_others(found, 3, (32, 32, 3)))


def test_an_arm_takes_it_with_its_pixels_and_the_report_lists_it(arm, tmp_path):
    documented = {"resize": "crop", "interpolation": "bilinear", "crop_share": 0.95}
    assert arm.origin.framing == documented
    assert arm.origin.input_size == 160
    other = Arm("plain_flower", {"order": "LA"})
    contrasts = (Contrast("own", "other"),)
    study = Study("s", "photos", {"own": arm, "other": other}, Recipe(resolution=32), (0,), contrasts=contrasts)
    assert study.own_values("own") == {"pixels": "own", **documented}
    assert study.recipe_of("own").framing == dataclasses.replace(Recipe(), **documented).framing
    assert study.recipe_of("other").framing == Recipe().framing
    assert studies.parse(studies.dump(study)) == study
    (contrast,) = study.planned_contrasts()
    told = {("pixels", "own", "standardized"), ("resize", "crop", "squash"), ("crop_share", "0.95", "1.0")}
    assert set(contract.declared(study, contrast)) == told
    assert told <= set(stats.differences_of(study, contrast, 3))
    store = grown(tmp_path / "study", {"own": (0.5,), "other": (0.6,)}, study=study)
    found = contract.of(study, store.manifest(), {0: store.split()})
    assert ("own", "crop_share", 0.95) in found.own
    assert "crop_share" not in found.recipe
    assert contract.undeclared(study, store.manifest(), {0: store.split()}, store.runs()) == []
    (side,) = setup.section(store, study, store.manifest(), store.split()).blocks
    (table,) = (block for block in side.parts[1] if isinstance(block, Table))
    assert ("crop_share", "1.0", "own: 0.95") in table.rows


def test_what_is_asked_for_comes_first(arm):
    own = dataclasses.replace(arm, overrides={"pixels": "own", "resize": "pad"})
    plain = dataclasses.replace(arm, overrides={"pixels": "standardized"})
    recipe = Recipe(interpolation="bicubic", crop_share=0.5)
    study = Study("s", "photos", {"own": own, "plain": plain}, recipe)
    found = study.recipe_of("own").framing
    assert (found.resize, found.interpolation, found.crop_share) == ("pad", "bicubic", 0.5)
    assert study.recipe_of("plain").framing == recipe.framing


def test_an_arm_that_an_earlier_version_measured_stays_as_it_was(arm):
    before = dataclasses.replace(arm.origin, resize="", interpolation="", crop_share=0.0, input_size=0)
    study = Study("s", "photos", {"own": dataclasses.replace(arm, origin=before)})
    assert study.recipe_of("own") == Recipe(pixels="own")
    kept = studies.dump(study)
    assert not {"resize", "input_size", "revision"} & {
        line.partition(" ")[0] for line in kept.split("origin", 1)[1].split()
    }
    assert studies.parse(kept) == study


def test_models_without_published_weights_document_none():
    assert own_input_size("plain_flower") is None
    assert own_input_size("nets/mine.py:small") is None
    assert preprocessing.documented("nets/mine.py:small") == preprocessing.Preprocessing()
