"""Trained networks loaded by other programs, without commongarden: timm, torchvision, torch.export, a user's script."""

import contextlib
import io
import json
import re
import runpy
import shutil
import subprocess
import sys

import pytest
import safetensors.torch
import timm
import torch
from huggingface_hub import ModelCard
from PIL import Image

import commongarden as cg

STUDY = """
[study]
name = "exported"
data = "{data}"
seeds = 1

[recipe]
resolution = 32
epochs = 1
batch_size = 16
resize = "crop"
crop_share = 0.9
interpolation = "bicubic"

[split]
train = 0.5
val = 0.25

[arms.theirs]
arch = "timm:test_resnet"
weights = "start.safetensors"
drop_path_rate = 0.1

[arms.published]
arch = "torchvision:squeezenet1_1"

[arms.mine]
arch = "mine.py:small"
width = 6

[arms.plain]
arch = "plain_flower"
"""
MINE = """
from torch import nn


def small(n_classes, width=4):
    pooled = nn.Sequential(nn.Conv2d(3, width, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(pooled, nn.Linear(width, n_classes))
"""


@pytest.fixture(scope="module")
def study(commongarden, photos, tmp_path_factory):
    """The folder of a finished study of each kind of network, beside the file of a user."""
    folder = tmp_path_factory.mktemp("exported")
    (folder / "mine.py").write_text(MINE)
    torch.manual_seed(0)
    safetensors.torch.save_file(timm.create_model("test_resnet").state_dict(), folder / "start.safetensors")
    (folder / "study.toml").write_text(STUDY.format(data=photos.as_posix()))
    commongarden("run", "study.toml", "--out", "out", "--yes", cwd=folder, check=0)
    return folder / "out"


@pytest.fixture(scope="module")
def exported(commongarden, study):
    """Exports a run of an arm of the study as weights: (the table that is printed, the folder)."""
    found = {}

    def export(arm):
        if arm not in found:
            run = study / "runs" / arm / "0"
            table = commongarden("export", run, "--format", "safetensors", "--json", cwd=study.parent, check=0).stdout
            found[arm] = json.loads(table), study.parent / f"{arm}-0"
        return found[arm]

    return export


def files_of(photos):
    return [photos / label / "03.png" for label in ("daisy", "rose", "tulip")]


def test_timm_loads_the_weights_with_their_preprocessing(exported, study, photos):
    table, folder = exported("theirs")
    predictor = cg.load(study / "runs" / "theirs" / "0")
    weights = folder / "model.safetensors"
    by_path = timm.create_model("test_resnet", num_classes=3, drop_path_rate=0.1, checkpoint_path=str(weights))
    by_folder = timm.create_model(f"local-dir:{folder.as_posix()}", pretrained=True)
    config = timm.data.resolve_model_data_config(by_folder)
    transform = timm.data.create_transform(**config)
    assert by_folder.pretrained_cfg["label_names"] == ["daisy", "rose", "tulip"]
    for file in files_of(photos):
        pixels = predictor.preprocess(file)
        values = predictor.classifier.preprocessed(pixels)
        found = transform(Image.open(file).convert("RGB")).unsqueeze(0)
        torch.testing.assert_close(found, values.contiguous(), rtol=0, atol=2e-6)
        with torch.inference_mode():
            expected = predictor(pixels)
            for model in (by_path, by_folder):
                model.eval().to(memory_format=torch.channels_last)
                assert torch.equal(model(values), expected), "in the memory layout of the run, bit for bit"
    assert f'checkpoint_path="{folder.name}/model.safetensors"' in table["load"]
    assert table["max_difference"] < 1e-6


def test_drop_path_reaches_the_network_of_the_run_and_its_report(study):
    network = cg.load(study / "runs" / "theirs" / "0")
    rates = [part.drop_prob for part in network.modules() if isinstance(part, timm.layers.DropPath)]
    assert max(rates) == pytest.approx(0.1)
    assert "drop_path_rate = 0.1" in (study / "report.html").read_text(encoding="utf-8")


def test_the_report_says_that_given_weights_may_have_seen_the_test_images(commongarden, exported, study, finished):
    page, card = (study / "report.html").read_text(encoding="utf-8"), (exported("theirs")[1] / "README.md").read_text()
    said = "theirs started from given weights. The images these were trained on are not known"
    assert said in page
    assert said in card
    assert "theirs started from given weights, which may have been trained on some of the test images" in page
    assert "given weights" not in (finished / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("arm", ["theirs", "published", "mine", "plain"])
def test_the_program_of_the_model_card_runs_and_agrees(exported, study, photos, tmp_path, monkeypatch, arm):
    _table, folder = exported(arm)
    [program] = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    (tmp_path / "program.py").write_text(program)
    shutil.copy(files_of(photos)[1], folder / "photo.jpg")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(study.parent)  # where mine.py lies
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        runpy.run_path(str(tmp_path / "program.py"))
    monkeypatch.chdir(study.parent)
    [expected] = cg.predict(cg.load(study / "runs" / arm / "0"), [files_of(photos)[1]])
    for label, probability in expected.top:
        shown = f"{label}: {probability:.3f}" if arm != "plain" else f"('{label}', {probability!r})"
        assert shown in said.getvalue()


def test_the_model_card_is_one_of_the_hubs_and_tells_the_study(exported, study):
    _table, folder = exported("theirs")
    card, record = ModelCard.load(folder / "README.md"), cg.open_store(study).run("theirs", 0)
    assert (card.data.library_name, card.data.pipeline_tag) == ("timm", "image-classification")
    assert [one.metric_value for one in card.data.eval_results] == pytest.approx([record.test_accuracy], abs=1e-4)
    for said in (
        "daisy, rose and tulip",
        "30 images",
        "Training ran for 1 epoch",
        "plain",
        "One data set",
        "| tulip |",
    ):
        assert said in card.text, said


def test_the_model_card_is_in_the_language_of_the_command(commongarden, study, tmp_path):
    run = study / "runs" / "plain" / "0"
    arguments = ("export", run, "--format", "safetensors", "--out", tmp_path / "card", "--lang", "ko")
    commongarden(*arguments, cwd=study.parent, check=0)
    card = ModelCard.load(tmp_path / "card" / "README.md")
    assert re.search("[가-힣]", card.text)
    assert card.data.library_name == "commongarden"


def test_a_run_without_its_study_has_no_card(study, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(study / "runs" / "plain" / "0", run)
    exported = cg.export(run, tmp_path / "weights", format="safetensors")
    assert exported.agrees
    assert "not in the folder of its study, so no model card is written" in exported.notes[0]
    assert sorted(file.name for file in (tmp_path / "weights").iterdir()) == ["model.safetensors", "run.json"]


def test_torch_export_is_read_where_there_is_no_commongarden(commongarden, study, photos, tmp_path):
    path = tmp_path / "theirs.pt2"
    run = study / "runs" / "theirs" / "0"
    table = json.loads(
        commongarden(
            "export", run, "--format", "torch-export", "--out", path, "--json", cwd=study.parent, check=0
        ).stdout
    )
    assert table["agrees"]
    predictor = cg.load(run)
    batch = torch.cat([predictor.preprocess(file) for file in [*files_of(photos), *files_of(photos)]][:5])
    with torch.inference_mode():
        torch.save((batch, predictor(batch)), tmp_path / "batch.pt")
    program = (
        "import sys, torch; sys.modules['commongarden'] = sys.modules['timm'] = None\n"
        f"network = torch.export.load({str(path)!r}).module()\n"
        f"pixels, expected = torch.load({str(tmp_path / 'batch.pt')!r})\n"
        "torch.testing.assert_close(network(pixels), expected)\n"
        "assert network(pixels[:1]).shape == (1, 3)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("format", ["onnx", "torch-export"])
def test_the_preprocessing_can_be_left_out(commongarden, study, photos, tmp_path, format):
    path, run = tmp_path / "network.any", study / "runs" / "plain" / "0"
    arguments = ("--format", format, "--preprocessing", "outside", "--out", path, "--json")
    table = json.loads(commongarden("export", run, *arguments, cwd=study.parent, check=0).stdout)
    assert table["inputs"].startswith("images float32 (batch, 3, 32, 32), normalized:")
    predictor = cg.load(run)
    pixels = torch.cat([predictor.preprocess(file) for file in files_of(photos)])
    with torch.inference_mode():
        expected = predictor(pixels)
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (predictor.run.pixel_mean, predictor.run.pixel_std))
    values = (pixels / 255 - mean / 255) / (std / 255)
    if format == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        found = torch.from_numpy(session.run(None, {"images": values.numpy()})[0])
    else:
        found = torch.export.load(str(path)).module()(values)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_the_run_of_a_study_is_chosen_on_the_validation_images(commongarden, finished, tmp_path):
    copy = tmp_path / "study"
    shutil.copytree(finished, copy, ignore=shutil.ignore_patterns("checksums.sha256"))
    for seed, accuracy in ((0, 0.4), (1, 0.6)):
        path = copy / "runs" / "plain" / str(seed) / "history.csv"
        header, *rows = path.read_text().splitlines()
        cells = rows[-1].split(",")
        cells[header.split(",").index("val_accuracy")] = str(accuracy)
        path.write_text("\n".join([header, *rows[:-1], ",".join(cells)]) + "\n")
    arguments = ("--model", "plain", "--format", "safetensors", "--out", tmp_path / "weights")
    said = commongarden("export", copy, *arguments, check=0).stdout
    assert "plain, seed 1: the highest validation accuracy of 2 runs (60.0 %)" in said
    weights = tmp_path / "weights"
    expected = finished / "runs" / "plain" / "1" / "model.safetensors"
    assert (weights / "model.safetensors").read_bytes() == expected.read_bytes()
    card = ModelCard.load(weights / "README.md")
    assert "seed 1: the highest validation accuracy" in card.text
    reached = [cg.open_store(finished).run("plain", seed).test_accuracy for seed in (0, 1)]
    found = [one.metric_value for one in card.data.eval_results]
    assert found == pytest.approx([reached[1], sum(reached) / 2], abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("plain_flower", "--format", "safetensors"), "needs trained weights; accepted: the folder of a study"),
        (("plain_flower", "--seed", "1"), "plain_flower is not trained"),
        (("out/runs/plain/0", "--seed", "1"), "is one run; accepted: the folder of a study"),
        (("out", "--model", "plian"), "Did you mean 'plain'?"),
        (("out", "--format", "safetensors", "--out", "x.safetensors"), "accepted: a folder"),
        (("out", "--format", "safetensors", "--preprocessing", "inside"), "accepted with --format safetensors"),
        (("out/runs/plain/0", "--format", "torchscript"), "'torch-export'"),
    ],
)  # fmt: skip
def test_mistakes_are_told(commongarden, study, arguments, message):
    before = sorted(study.parent.iterdir())
    result = commongarden("export", *arguments, cwd=study.parent, check=2)
    assert message.lower() in " ".join(result.stderr.split()).lower()
    assert sorted(study.parent.iterdir()) == before


def test_a_folder_with_other_files_is_left_alone(commongarden, study, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "README.md").write_text("my own")
    asked = ("export", "out", "--format", "safetensors", "--out", folder)
    refused = commongarden(*asked, cwd=study.parent, check=2)
    assert "found other files (README.md)" in refused.stderr
    assert [file.read_text() for file in folder.iterdir()] == ["my own"]
    (folder / "README.md").unlink()
    for _again in range(2):  # its own files it replaces
        commongarden(*asked, cwd=study.parent, check=0)
