"""Names that people type, known from PyTorch, timm and Ultralytics; old names work; only near names are suggested."""

import json

import pytest
from click.testing import CliRunner

from commongarden import study as studies
from commongarden.cli import main
from commongarden.cli.declaring import Asked, declared


def run(*arguments, code=0):
    found = CliRunner().invoke(main, [*map(str, arguments)])
    assert found.exit_code == code, found.output
    return found


def dry(*arguments, code=0):
    return run(*arguments, "--data", "builtin:flowers", "--dry-run", code=code).output


SAME = [
    (("run",), ("train",)),
    (("run", "--models", "resnet18,plain18"), ("run", "--arms", "resnet18,plain18")),
    (("run", "--models", "resnet18,plain18"), ("run", "--models", "resnet18", "--models=plain18")),
    (("run", "--models", "resnet18,plain18"), ("run", "--arms", "resnet18", "--model", " plain18 ")),
    (("run", "--image-size", "32"), ("run", "--imgsz", "32")),
    (("run", "--image-size", "32"), ("run", "--resolution=32")),
    (("run", "--batch-size", "8"), ("run", "--batch", "8")),
]


@pytest.mark.parametrize(("one", "other"), SAME, ids=[" ".join(pair[1]) for pair in SAME])
def test_other_names_do_the_same(one, other):
    assert dry(*other) == dry(*one)
    assert dry(*one) != dry("run") or other == ("train",)


def test_the_help_shows_one_name_of_each():
    shown = run("run", "--help").output
    assert "--models" in shown
    assert "--image-size" in shown
    for hidden in ("--arms", "--imgsz", "--resolution", "--batch "):
        assert hidden not in shown
    assert "\n  train" not in run("--help").output


def test_a_name_gives_the_study_a_folder_of_its_own():
    named = declared(Asked(data="photos", models=("plain_flower",), name="64 px"))
    assert (named.name, studies.folder_name(named)) == ("64 px", "64-px")
    assert 'name = "64 px"' in dry("run", "--name", "64 px")


def test_other_settings_on_the_same_photos_are_refused_with_the_way_out(commongarden, finished, study_file):
    refused = commongarden("run", study_file, "--out", finished, "--epochs", 5, check=2)
    assert "recipe.epochs: 3 in the folder, 5 requested" in refused.stderr
    assert "--name" in refused.stderr


def test_pretrained_starts_every_model_of_a_library_from_its_weights():
    models = "torchvision:resnet18,timm:convnext_atto"
    text = dry("run", "--models", models, "--pretrained")
    study = studies.parse(text)
    assert [arm.options["pretrained"] for arm in study.arms.values()] == [True, True]
    assert [study.recipe_of(arm).pixels for arm in study.arms] == ["own", "own"]
    assert "pixels =" not in text
    refused = dry("run", "--models", f"{models},resnet18", "--pretrained", code=2)
    assert "--pretrained: resnet18 has no published weights; accepted: models of torchvision, timm or the" in refused


@pytest.mark.parametrize("wrong", ["gpu", "0", "cuda:x", "tpu", "CPU"])
def test_a_device_is_checked_before_anything_is_loaded(wrong):
    said = dry("run", "--device", wrong, code=2)
    assert f"--device: found '{wrong}', accepted: auto, cpu, cuda" in said
    assert ("Did you mean 'cuda'?" in said) == (wrong in ("gpu", "0"))


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (("trian",), "train"),
        (("rnu",), "run"),
        (("predit",), "predict"),
        (("training",), "train"),
        (("serve",), ""),
        (("run", "--model-name", "x"), ""),
        (("run", "--epoch", "3"), "--epochs"),
        (("run", "--arm", "x"), "--arms"),
        (("run", "--imgs", "3"), "--imgsz"),
        (("run", "--pretrain"), "--pretrained"),
        (("run", "--freeze"), ""),
        (("run", "--log", "plane"), "plain"),
    ],
)
def test_only_near_names_are_suggested(arguments, near):
    said = run(*arguments, code=2).output
    assert said.count("Did you mean") == bool(near), said
    assert f"Did you mean '{near}'?" in said or not near


def test_models_of_torchvision_and_timm_are_found():
    found = {row["name"]: row for row in json.loads(run("list", "resnet18", "--json").stdout)}
    assert {"resnet18", "torchvision:resnet18", "timm:resnet18", "timm:resnet18d"} <= {*found}
    assert found["torchvision:resnet18"] == {
        "name": "torchvision:resnet18", "n_params": 11_689_512, "pretrained": True, "source": "published weights",
    }  # fmt: skip
    assert found["torchvision:resnet18"]["n_params"] == found["resnet18"]["n_params"]
    assert not found["timm:seresnet18"]["pretrained"]
    tagged = {row["name"] for row in json.loads(run("list", "timm:resnet50", "--json").stdout)}
    assert {"timm:resnet50.a1_in1k", "timm:resnet50d"} <= tagged
    assert not [name for name in tagged if name.startswith("timm:resnet50d.")]
    assert run("list", "torchvision:resnet50.*").output.split() == [
        "torchvision:resnet50.IMAGENET1K_V1", "25,557,032", "published", "weights",
        "torchvision:resnet50.IMAGENET1K_V2", "25,557,032", "published", "weights",
    ]  # fmt: skip
    alone = run("list", "timm:*convnext_atto*").output.split()
    assert "timm:convnext_atto" in alone
    assert "convnext" not in " ".join(name for name in alone if not name.startswith("timm:"))
    assert len(run("list", "torchvision").output.splitlines()) >= 80
    assert "timm:*vit*" in run("list").stderr
    assert "matches 'resnt18'; did you mean 'resnet18'?" in run("list", "resnt18", code=2).output


@pytest.mark.parametrize("typed", ["augment=flip,crop", 'augment=["flip","crop"]', "augment=flip, crop"])
def test_a_list_is_set_with_commas_or_as_toml(typed):
    result = CliRunner().invoke(main, ["run", "demo", "--set", typed, "--dry-run"])
    assert result.exit_code == 0, result.stderr
    assert 'augment = ["flip", "crop"]' in result.stdout


def test_a_list_may_be_set_empty():
    result = CliRunner().invoke(main, ["run", "demo", "--set", "augment=", "--dry-run"])
    assert result.exit_code == 0, result.stderr
    assert "augment = []" in result.stdout
