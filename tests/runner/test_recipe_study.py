"""A study with the recipe of the field, from the command to the report, on photos that are no squares."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import commongarden as cg
from commongarden import store as stores

STUDY = """
[study]
name = "field"
data = "{data}"
seeds = 2

[recipe]
resolution = 16
epochs = 2
batch_size = 8
ema_decay = 0.9
select = "ema"

[split]
train = 0.6
val = 0.2

[arms.cropped]
arch = "plain_flower"
resize = "crop"
crop_share = 0.8
interpolation = "bicubic"

[arms.padded]
arch = "plain_flower"
resize = "pad"
augment = ["rand-augment", "flip"]
mixup = 0.2

[arms.theirs]
arch = "timm:test_resnet"
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory, commongarden):
    folder = tmp_path_factory.mktemp("field")
    rng = np.random.default_rng(0)
    for label, base in (("dark", 40), ("light", 170)):
        (folder / "photos" / label).mkdir(parents=True)
        for i in range(20):
            pixels = np.clip(rng.normal(base, 30, (18, 40 + i, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / label / f"{i:02}.png")
    (folder / "study.toml").write_text(STUDY.format(data=(folder / "photos").as_posix()))
    return folder, commongarden("run", folder / "study.toml", "--out", folder / "out", check=0)


def written(commongarden, folder, language):
    """The lab report in Markdown."""
    done = commongarden("report", folder / "out", "--format", "md", "--lang", language, check=0)
    return Path(done.stdout.strip()).read_text(encoding="utf-8")


def test_it_ends_with_a_report(made, commongarden):
    folder, done = made
    assert done.stdout.rstrip().endswith("report.html")
    for language, text in (("en", "with the weights of the moving average"), ("ko", "이동 평균")):
        assert text in written(commongarden, folder, language)


def test_prediction_sees_the_photos_as_training_did(made):
    folder, _done = made
    store = stores.open_store(folder / "out")
    for arm in ("cropped", "padded"):
        stored = store.predictions(arm, 0)
        network = cg.load(folder / "out" / "runs" / arm / "0")
        for photo, expected in zip(stored.photos[:4], stored.probabilities[:4], strict=True):
            found = network(network.preprocess(folder / "photos" / photo)).softmax(1)[0]
            assert found.tolist() == pytest.approx(expected.tolist(), abs=1e-5)


def test_a_network_of_others_is_named_with_its_own_initialization(made, commongarden):
    folder, _done = made
    text = written(commongarden, folder, "en")
    assert "theirs (init = own)" in text
    assert "padded (augment = rand-augment+flip" in text.replace("\\", "")
    record = json.loads((folder / "out" / "runs" / "theirs" / "0" / "run.json").read_text())
    assert record["recipe"]["init"] == "own"


@pytest.mark.parametrize(
    ("line", "message"),
    [("mixup = -1", "arms.cropped.mixup: found -1.0"), ('optimizer = "lambx"', "arms.cropped")],
)
def test_a_mistake_of_an_arm_names_the_arm(made, commongarden, tmp_path, line, message):
    folder, _done = made
    text = STUDY.format(data=(folder / "photos").as_posix()).replace("crop_share = 0.8", f"crop_share = 0.8\n{line}")
    (tmp_path / "wrong.toml").write_text(text)
    said = commongarden("run", tmp_path / "wrong.toml", "--out", tmp_path / "out", check=2)
    assert message in said.stderr


def test_options_written_as_pairs_are_led_to_the_right_form(commongarden):
    said = commongarden("run", "data=photos", "model=plain_flower", check=2)
    assert "Options begin with --, such as --data photos" in said.stderr
