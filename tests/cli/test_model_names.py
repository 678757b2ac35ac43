"""--models: names, patterns, files of both."""

import tomllib

import timm
from click.testing import CliRunner

from commongarden.cli import main


def dry_run(*words):
    return CliRunner().invoke(main, ["run", "--dry-run", *map(str, words)])


def arms(done):
    assert done.exit_code == 0, done.output
    return [arm["arch"] for arm in tomllib.loads(done.stdout)["arms"].values()]


def test_a_pattern_stands_for_the_models_that_it_fits_and_the_study_file_has_their_names(photos):
    done = dry_run("--data", photos, "--models", "timm:test_vit*,plain_flower,timm:test_vit")
    wanted = [f"timm:{name}" for name in timm.list_models("test_vit*")]
    assert arms(done) == [*wanted, "plain_flower"]
    assert f"timm:test_vit*: {len(wanted)} models" in done.stderr


def test_with_pretrained_a_pattern_stands_for_models_with_published_weights(photos):
    done = dry_run("--data", photos, "--pretrained", "--models", "timm:cs3*")
    wanted = sorted({name.partition(".")[0] for name in timm.list_pretrained("cs3*")})
    every = timm.list_models("cs3*")
    assert arms(done) == [f"timm:{name}" for name in every if name in wanted]
    assert f"models with published weights (of {len(every)})" in done.stderr
    assert 0 < len(wanted) < len(every)


def test_a_file_holds_a_name_or_pattern_per_line(photos, tmp_path):
    file = tmp_path / "models.txt"
    file.write_text("# small ones\nplain_flower\n\ntimm:test_resnet  # a tiny one\n", encoding="utf-8-sig")
    done = dry_run("--data", photos, "--models", f"{file},residual_flower")
    assert arms(done) == ["plain_flower", "timm:test_resnet", "residual_flower"]


def test_a_pattern_chooses_models_of_a_study_file(study_file):
    assert arms(dry_run(study_file, "--models", "resid*")) == ["residual_flower"]
    done = dry_run(study_file, "--models", "vit*")
    assert done.exit_code == 2
    assert "'vit*' matches no model of the study. Accepted: plain, residual" in done.stderr


def test_mistakes_are_told_with_what_is_near(photos, tmp_path):
    (tmp_path / "models.txt").write_text("# nothing\n", encoding="utf-8")
    for models, said in {
        "timm:*resnt5*": "'timm:*resnt5*' matches no model; near names: *resnet*",
        "tim:*resnet*": "did you mean 'timm:*resnet*'? Accepted before the colon: torchvision, timm",
        "hf-hub:timm/*": "models of the Hugging Face hub cannot be named by a pattern",
        tmp_path / "models.txt": "names no model; accepted: a name or pattern per line",
        tmp_path / "model.txt": "models.txt'?",
        "plain_flower,plain_flower": "found 'plain_flower' twice",
    }.items():
        done = dry_run("--data", photos, "--models", models)
        assert done.exit_code == 2, models
        assert said in done.stderr


def test_a_pattern_that_only_fits_models_without_weights_is_told(photos):
    without = next(
        name for name in timm.list_models("*") if not timm.list_pretrained(f"{name}.*") and not name.endswith("_")
    )
    done = dry_run("--data", photos, "--pretrained", "--models", f"timm:{without[:-1]}?")
    assert done.exit_code == 2
    assert "without published weights" in done.stderr


def test_screen_says_what_it_needs(photos):
    done = CliRunner().invoke(main, ["screen", "--data", str(photos)])
    assert done.exit_code == 2
    assert "found no --models; accepted: screen --data PHOTOS --models NAMES, or screen STUDY.toml" in done.stderr
