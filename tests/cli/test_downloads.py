"""Weights from the Hugging Face hub on the command line: asked about before, fetched once, not needed again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
from click.testing import CliRunner

from commongarden import store as stores
from commongarden.cli import main
from commongarden.runner import downloading
from commongarden.study import Arm, Study
from commongarden.train.published import Download
from hub_server import COMMIT, served

STUDY = """
[study]
name = "s"
data = "builtin:flowers/60"
seeds = 1
[recipe]
resolution = 64
epochs = 1
[arms.tagged]
arch = "timm:test_resnet.r160_in1k"
pretrained = true
[arms.hub]
arch = "hf-hub:someone/vit"
pretrained = true
[arms.folder]
arch = "timm:test_resnet"
weights = "weights"
"""


@pytest.mark.parametrize(("size", "cached", "is_asked"), [(120, False, True), (90, False, False), (120, True, False)])
def test_many_bytes_without_a_terminal_need_yes(tmp_path, monkeypatch, size, cached, is_asked):
    found = Download("timm:resnet50", "timm/resnet50.a1_in1k/model.safetensors", size * 1_000_000, cached, True)
    monkeypatch.setattr(downloading, "downloads", lambda arms, **options: (found,) if arms else ())
    monkeypatch.setattr("commongarden.workflow.run", lambda *arguments, **options: sys.exit(7))
    command = ["run", "--data", "builtin:flowers/60", "--models", "timm:resnet50", "--pretrained"]
    command += ["--out", str(tmp_path / "out"), "--device", "cpu"]
    result = CliRunner().invoke(main, command)
    if is_asked:
        said = "error: 120 MB of weights would be downloaded for 1 model; accepted: --yes, or fewer models"
        assert (result.exit_code, said in result.output) == (2, True), result.output
    else:
        assert result.exit_code == 7, result.output
    assert CliRunner().invoke(main, [*command, "--yes"]).exit_code == 7
    monkeypatch.setattr("commongarden.screening.compare", lambda *arguments, **options: sys.exit(7))
    screened = CliRunner().invoke(
        main, ["screen", *command[1:5], "--out", str(tmp_path / "screening"), "--device", "cpu"]
    )
    assert screened.exit_code == (2 if is_asked else 7), screened.output


def test_only_weights_that_a_study_does_not_know_are_asked_about(tmp_path):
    arms = {"a": Arm("timm:test_resnet", {"pretrained": True}), "b": Arm("timm:test_vit"), "c": Arm("plain_flower")}
    study = Study("s", "photos", arms)
    assert downloading.unknown_weights(study, tmp_path) == [arms["a"]]
    stores.write_study(tmp_path, study)
    assert downloading.unknown_weights(study, tmp_path) == [arms["a"]]
    known = Arm("timm:test_resnet", arms["a"].options, arms["a"].overrides, origin=downloading_origin("0" * 64))
    stores.write_study(tmp_path, Study("s", "photos", {**arms, "a": known}))
    assert downloading.unknown_weights(study, tmp_path) == []


def downloading_origin(digest):
    from commongarden.study.origin import Origin

    return Origin(weights=digest)


@pytest.mark.soak
def test_a_study_fetches_once_and_goes_on_without_the_hub(tmp_path):
    torch.manual_seed(0)
    made = {
        "timm/test_resnet.r160_in1k": timm.create_model("test_resnet"),
        "someone/vit": timm.create_model("test_vit", img_size=64, num_classes=4),
    }
    (tmp_path / "s.toml").write_text(STUDY)
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hf"), "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def command(url, *arguments):
        return subprocess.run(
            [sys.executable, "-m", "commongarden.cli", *arguments],
            cwd=tmp_path, env={**environment, "HF_ENDPOINT": url}, capture_output=True, text=True, timeout=300,
        )  # fmt: skip

    def run(url, *more):
        return command(url, "run", "s.toml", "--out", "out", "--device", "cpu", *more)

    with served() as hub:
        for name, network in made.items():
            folder = tmp_path / name.replace("/", "-")
            timm.models.save_for_hf(network, folder, safe_serialization=True)
            hub.put(name, {file.name: file.read_bytes() for file in Path(folder).iterdir()})
        (tmp_path / "weights").mkdir()
        torch.save(made["timm/test_resnet.r160_in1k"].state_dict(), tmp_path / "weights" / "test_resnet.pth")
        first = run(hub.url)
        assert first.returncode == 0, first.stderr
        bodies = [path for method, path in hub.asked if method == "GET" and path.endswith("safetensors")]
        assert len(bodies) == 2
    again = run("http://127.0.0.1:9", "--seeds", "2")
    assert again.returncode == 0, again.stderr
    for arm in ("hub", "tagged"):
        replayed = command("http://127.0.0.1:9", "replay", f"out/runs/{arm}/0")
        assert "reproduced bit for bit" in replayed.stdout, replayed.stdout + replayed.stderr
    arms = stores.open_store(tmp_path / "out").study().arms
    assert {arms["tagged"].origin.revision, arms["hub"].origin.revision} == {COMMIT}
    assert arms["hub"].origin.config
    assert arms["folder"].origin.framing["crop_share"] == 0.95
