"""`run --data PHOTOS` without models: which preset is taken, that it is said, and that a study keeps it."""

import os
import subprocess
import sys
import tomllib

import numpy as np
import pytest
import timm
from click.testing import CliRunner
from PIL import Image

from commongarden import store as stores
from commongarden.cli import main
from commongarden.runner import default_preset
from commongarden.study import PRESETS
from hub_server import served


@pytest.fixture(scope="module")
def own_photos(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("own") / "photos", np.random.default_rng(0)
    for label, base in (("dark", 60), ("light", 190)):
        (folder / label).mkdir(parents=True)
        for i in range(20):
            pixels = np.clip(rng.normal(base, 30, (24, 24, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{i:02}.png")
    return folder


@pytest.fixture
def survey(monkeypatch):
    """What the survey of the machine finds: the kind of device, what cannot be reached, seconds a photo."""

    def answers(*found):
        class Calls:
            def call(self, *_):
                return found

            def close(self):
                pass

        monkeypatch.setattr(default_preset, "Calls", Calls)

    return answers


def declared(photos, *options):
    """The study file that a command would run, and what it says of its choice."""
    result = CliRunner().invoke(main, ["run", "--data", str(photos), "--dry-run", *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return tomllib.loads(result.stdout), result.stderr


def test_without_weights_small_networks_from_scratch(survey, own_photos):
    survey("cpu", "timm/resnet18.a1_in1k/model.safetensors", [])
    study, said = declared(own_photos)
    assert study["study"]["preset"] == "scratch"
    assert list(study["arms"]) == list(PRESETS["scratch"].models)
    assert study["recipe"]["epochs"] == 30
    assert "timm/resnet18.a1_in1k/model.safetensors: no answer" in said


@pytest.mark.parametrize(
    ("found", "preset", "text"),
    [
        (("cuda", "", []), "finetune", "all layers trained on cuda"),
        (("cpu", "", [1e-3] * 4), "finetune", "about "),
        (("cpu", "", [1.0] * 4), "linear-probe", "only the last layer trained, because all layers would take about"),
    ],
)
def test_with_weights_by_device_and_time(survey, own_photos, found, preset, text):
    survey(*found)
    study, said = declared(own_photos)
    assert (study["study"]["preset"], study["recipe"]["resolution"]) == (preset, 224)
    assert list(study["arms"]) == ["resnet18", "efficientnet_b0", "convnext_atto", "mobilenetv4_conv_small"]
    assert all(arm["pretrained"] for arm in study["arms"].values())
    assert text in said


def test_the_estimate_is_of_what_was_asked_for(survey, own_photos):
    survey("cpu", "", [9.0] * 4)
    for options, preset in (((), "linear-probe"), (("--epochs", "1", "--seeds", "1"), "finetune")):
        study, _said = declared(own_photos, *options)
        # 40 photos x 80 % x 10 epochs x 5 seeds x 4 models x 9 s are 16 hours; an epoch of a seed is 19 minutes
        assert study["study"]["preset"] == preset, options


def test_named_models_ask_nobody(monkeypatch, own_photos):
    monkeypatch.setattr(default_preset, "Calls", None)
    for options, preset in (
        (("--models", "plain_flower"), "classroom"),
        (("--models", "plain_flower", "--preset", "scratch"), "scratch"),
        (("--models", "timm:test_resnet", "--pretrained", "--image-size", "32"), "finetune"),
    ):
        study, said = declared(own_photos, *options)
        assert (study["study"]["preset"], said) == (preset, "")


def test_models_with_weights_are_trained_at_the_size_of_these(own_photos):
    named = "timm:test_resnet.r160_in1k,torchvision:inception_v3,timm:resnet18"
    study, said = declared(own_photos, "--models", named, "--pretrained")
    sizes = [arm.get("resolution") for arm in study["arms"].values()]
    assert (sizes, study["recipe"]["resolution"]) == ([160, 299, None], 224)
    assert "torchvision-inception_v3: 299 pixels, the image size of its weights" in said


def test_a_tag_alone_is_no_wish_for_its_weights_and_that_is_said(own_photos):
    study, said = declared(own_photos, "--models", "timm:test_resnet.r160_in1k,timm:test_vit")
    assert not any(arm["pretrained"] for arm in study["arms"].values())
    assert said == "note: timm:test_resnet.r160_in1k starts from random weights; --pretrained starts from r160_in1k\n"


def test_a_model_without_weights_is_refused_by_a_preset_of_weights(own_photos):
    result = CliRunner().invoke(
        main, ["run", "--data", str(own_photos), "--models", "plain_flower", "--preset", "finetune", "--dry-run"]
    )
    assert result.exit_code == 2
    assert "--preset finetune: plain_flower has no published weights" in result.output


def test_a_study_of_an_earlier_version_goes_on_as_it_was_begun(finished, tmp_path, own_photos, monkeypatch):
    """It has no preset: the choice of today is not asked for."""
    monkeypatch.setattr(default_preset, "Calls", None)
    text = (finished / "study.toml").read_text()
    assert "preset" not in text
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "study.toml").write_text(text)
    study, _said = declared(own_photos, "--out", str(tmp_path / "old"))
    assert study["study"]["preset"] == "classroom"


@pytest.mark.soak
def test_from_a_server_of_weights_to_the_report(own_photos, tmp_path):
    """The command as a process of its own, with a hub on this machine that is gone when the study is repeated."""
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hub"), "COMMONGARDEN_CACHE": str(tmp_path / "cache")}

    def run(*options, code=0):
        start = [sys.executable, "-m", "commongarden.cli", "run", "--data", str(own_photos), "--out", "out", "--yes"]
        done = subprocess.run(
            [*start, "--image-size", "64", "--seeds", "2", *options],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        return done

    with served() as hub:
        environment["HF_ENDPOINT"] = hub.url
        for name in PRESETS["finetune"].models:
            plain = name.removeprefix("timm:")
            timm.models.save_for_hf(timm.create_model(plain), tmp_path / plain, safe_serialization=True)
            hub.put(f"timm/{plain}", {file.name: file.read_bytes() for file in (tmp_path / plain).iterdir()})
        done = run("--preset", "linear-probe", "--epochs", "4")
        assert (tmp_path / "out" / "report.html").is_file()
        assert len(stores.open_store(tmp_path / "out").study().arms) == 4
    environment["HF_ENDPOINT"] = "http://127.0.0.1:9"
    again = run("--epochs", "4", "--seeds", "3")
    assert "preset" not in again.stderr
    study = stores.open_store(tmp_path / "out").study()
    assert (study.preset, len(study.seeds)) == ("linear-probe", 3)
    assert done.stdout.rstrip().endswith("report.html")
