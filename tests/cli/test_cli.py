"""The command line as a person types it: every command, its JSON, its mistakes."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import torch
from PIL import Image

import commongarden as cg
from commongarden import arch
from commongarden import store as stores
from commongarden.cli import options
from commongarden.study import PRESETS


def children_seconds():
    """Processor time of ended child processes, which other work on the machine lengthens less than the clock's."""
    times = os.times()
    return times.children_user + times.children_system


def test_help_is_quick_and_loads_nothing_slow():
    """Timed beside the same interpreter's `import click`: a bar in seconds would judge the machine."""
    click, help_text = [], []
    for _ in range(5):
        for times, arguments in ((click, ["-c", "import click"]), (help_text, ["-m", "commongarden.cli", "--help"])):
            begin = children_seconds()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            times.append(children_seconds() - begin)
    assert sum(help_text) < 4 * sum(click), (click, help_text)
    code = (
        "import sys; from click.testing import CliRunner; from commongarden.cli import main;"
        "assert CliRunner().invoke(main, ['run', '--help']).exit_code == 0;"
        "slow = {'torch', 'numpy', 'scipy', 'altair', 'rich', 'PIL', 'msgspec'};"
        "slow |= {'commongarden.study', 'commongarden.arch'};"
        "assert not slow & set(sys.modules), slow & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_presets_of_the_command_line_are_those_of_studies():
    assert tuple(PRESETS) == options.PRESETS


def test_importing_the_package_reading_a_store_and_writing_a_report_load_no_torch(finished):
    code = (
        "import sys, commongarden as cg; store = cg.open_store(sys.argv[1]);"
        "cg.summarize(store); cg.write_report(store);"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(finished)], check=True)


@pytest.mark.parametrize(
    "command",
    [
        "run",
        "compare",
        "report",
        "status",
        "predict",
        "cache",
        "describe",
        "audit",
        "diff",
        "export",
        "list",
        "twins",
        "data",
        "data check",
    ],
)
def test_every_command_explains_itself(commongarden, command):
    assert "Usage:" in commongarden(*command.split(), "--help", check=0).stdout


def test_run_ends_with_the_path_of_the_report(commongarden, study_file, finished):
    result = commongarden("run", study_file, "--out", finished, check=0)
    assert result.stdout.splitlines()[-1] == str(finished / "report.html")
    assert "Traceback" not in result.stderr


def test_compare_says_what_the_report_says(commongarden, finished):
    text = commongarden("compare", finished, check=0).stdout
    table = json.loads(commongarden("compare", finished, "--json", check=0).stdout)
    assert [arm["arm"] for arm in table["arms"]] == ["plain", "residual"]
    for arm in table["arms"]:
        assert arm["arm"] in text
        assert f"{100 * arm['test_accuracy']['value']:.1f}" in text
    assert table["contrasts"][0]["arm"] == "residual"
    assert json.loads((finished / "results.json").read_text(encoding="utf-8")) == table


def test_report_writes_the_page_anew(commongarden, finished):
    (finished / "report.html").unlink()
    result = commongarden("report", finished, check=0)
    assert result.stdout.strip() == str(finished / "report.html")
    assert (finished / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_status_counts_the_runs(commongarden, finished):
    assert "4 finished" in commongarden("status", finished, check=0).stdout
    runs = json.loads(commongarden("status", finished, "--json", check=0).stdout)["runs"]
    assert [run["status"] for run in runs] == ["finished"] * 4


def test_predict_names_the_classes_of_a_folder(commongarden, finished, photos):
    run = finished / "runs" / "residual" / "0"
    rows = list(csv.DictReader(io.StringIO(commongarden("predict", run, photos / "rose", "--top", 2, check=0).stdout)))
    assert len(rows) == 40
    assert {row["rank"] for row in rows} == {"1", "2"}
    table = json.loads(commongarden("predict", run, photos / "rose", "--json", check=0).stdout)
    assert [row["photo"] for row in table] == [row["photo"] for row in rows if row["rank"] == "1"]
    for row, first in zip(table, (row for row in rows if row["rank"] == "1"), strict=True):
        assert row["top"][0]["class"] == first["class"]
        assert sum(item["probability"] for item in row["top"]) == pytest.approx(1, abs=1e-4)


def test_predictions_are_those_of_the_run(finished, photos):
    """What `load` gives says of the test photos what the run said of them."""
    store = stores.open_store(finished)
    predictions = store.predictions("residual", 1)
    predictor = cg.load(finished / "runs" / "residual" / "1")
    assert not predictor.training
    for path, probabilities in zip(predictions.photos, predictions.probabilities, strict=True):
        found = predictor(predictor.preprocess(photos / str(path))).softmax(1)[0]
        torch.testing.assert_close(found.detach(), torch.tensor(probabilities), rtol=1e-4, atol=1e-5)


def test_predict_leaves_out_what_it_cannot_read(commongarden, finished, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (tmp_path / "notes.pdf").write_bytes(b"%PDF")  # meant as no photo, so not missed
    (tmp_path / "._grey.png").write_bytes(b"left by a system")
    (tmp_path / "inside").mkdir()
    Image.new("L", (9, 9)).save(tmp_path / "inside" / "grey.png")
    (tmp_path / "inside" / "grey.png").rename(tmp_path / "inside" / "without_ending")
    result = commongarden("predict", finished / "runs" / "plain" / "0", tmp_path, check=1)
    assert [line.rpartition("/")[2].split(":")[0] for line in result.stderr.splitlines()] == [
        "broken.png", "phone.heic",
    ]  # fmt: skip
    assert "without_ending,1," in result.stdout
    assert "notes.pdf" not in result.stdout + result.stderr


def test_list_shows_names_parameters_and_sources(commongarden):
    lines = commongarden("list", check=0).stdout.splitlines()
    assert len(lines) == len(arch.FAMILIES)
    assert ["resnet50", "25,557,032", "He et al. 2015, Deep residual learning, table 1"] in [
        line.split(maxsplit=2) for line in lines
    ]
    names = [line.split()[0] for line in commongarden("list", "vgg1?_bn", check=0).stdout.splitlines()]
    assert names[:4] == ["vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"]
    assert {name.split(":")[0] for name in names[4:]} == {"torchvision", "timm"}
    row = json.loads(commongarden("list", "v3", "--json", check=0).stdout)[0]
    assert (row["name"], row["n_params"], row["input"]) == ("inception_v3", 23_834_568, [299, 299, 3])
    assert row["options"] == ["order", "aux", "transform_input"]


def test_describe_gives_the_counts(commongarden):
    table = json.loads(
        commongarden("describe", "inception_flower", "--input", "96x96x3", "--classes", 5, "--json", check=0).stdout
    )
    assert (table["n_params"], table["input"]) == (43_885, [96, 96, 3])
    assert sum(layer["n_params"] for layer in table["layers"]) == 43_885
    text = commongarden("describe", "inception_flower", "--input", "96x96x3", "--order", "LA", check=0).stdout
    assert "43,885 parameters" in text
    assert "batch norm" not in text


@pytest.mark.parametrize(
    ("settings", "n_params"), [((), 23_834_568), (("--option", "aux=true"), 27_161_264)], ids=["alone", "with its head"]
)
def test_describe_takes_options_of_the_architecture(commongarden, settings, n_params):
    size = ("--input", "299x299x3", "--classes", 1000, "--json")
    table = json.loads(commongarden("describe", "inception_v3", *size, *settings, check=0).stdout)
    assert table["n_params"] == n_params
    refused = commongarden("describe", "inception_v3", *size, "--option", "aux=maybe", check=2)
    assert "found 'maybe' for the option aux, accepted: true or false" in refused.stderr


def test_data_check_counts(commongarden, photos):
    assert "20" in commongarden("data", "check", photos, check=0).stdout
    json.loads(commongarden("data", "check", photos, "--json", check=0).stdout)


def test_data_check_ends_with_one_where_files_are_left_out(commongarden, photos, tmp_path):
    shutil.copytree(photos, tmp_path / "photos")
    (tmp_path / "photos" / "rose" / "broken.jpg").write_bytes(b"")
    found = commongarden("data", "check", tmp_path / "photos", check=1)
    assert "rose/broken.jpg: empty file" in found.stdout


def test_the_cache_is_filled_shown_and_cleared(commongarden, tmp_path, photos):
    arguments = ("--cache-dir", tmp_path / "cache", "--json")
    run = commongarden(
        "run", "--data", photos, "--arms", "plain_flower", "--seeds", 1, "--epochs", 1, "--resolution", 16,
        "--out", tmp_path / "out", "--cache-dir", tmp_path / "cache", check=0,
    )  # fmt: skip
    for what in ("inspecting photos", "decoding at", "fitting baselines"):
        assert what in run.stderr
    assert "timed on this machine" not in run.stderr
    (entry,) = json.loads(commongarden("cache", *arguments, check=0).stdout)["entries"]
    assert (entry["n_photos"], entry["height"], entry["width"]) == (60, 16, 16)
    assert json.loads(commongarden("cache", "--clear", *arguments, check=0).stdout)["freed_bytes"] >= 60 * 16 * 16 * 3
    assert json.loads(commongarden("cache", *arguments, check=0).stdout)["entries"] == []


def test_a_dry_run_prints_a_study_file_that_runs_the_same(commongarden, photos, tmp_path):
    arguments = (
        "--data",
        photos,
        "--arms",
        "plain_flower,inception_flower:LA",
        "--epochs",
        2,
        "--set",
        "augment=['flip']",
    )
    text = commongarden("run", *arguments, "--dry-run", check=0).stdout
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    study = cg.read_study(tmp_path / "study.toml")
    assert list(study.arms) == ["plain_flower", "inception_flower-LA"]
    assert (study.recipe.epochs, study.recipe.augment) == (2, ("flip",))
    assert commongarden("run", tmp_path / "study.toml", "--dry-run", check=0).stdout == text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu"], "Did you mean 'run'?"),
        (["run"], "found neither STUDY nor --data"),
        (["run", "flower"], "did you mean 'flowers'?"),
        (["run", "."], "found photos, not a study file; did you mean --data .?"),
        (["run", "demo", "--device", "tpu"], "--device: found 'tpu', accepted: auto, cpu, cuda"),
        (["run", "demo", "--set", "augment=flip,corp"], "recipe.augment: unknown value 'corp'; did you mean 'crop'?"),
        (["run", "flowers"], "found no data, accepted: --data FOLDER"),
        (["run", "demo", "--epoch", "3"], "--epochs"),
        (["run", "demo", "--epochs", "0"], "recipe.epochs: found 0"),
        (["run", "demo", "--arms", "plane"], "did you mean 'plain'?"),
        (["run", "demo", "--set", "optimiser=sgd"], "did you mean 'optimizer'?"),
        (["run", "demo", "--set", "lr"], "accepted: KEY=VALUE"),
        (
            ["run", "demo", "--resolution", "2"],
            "plain_flower / max pool 2x2: the output would be empty for input 1x1x16",
        ),
        (["run", "--data", "no/such/folder"], "no/such/folder"),
        (["compare", "no/such/folder"], "no such folder; accepted: the folder of a study, made by `commongarden run`"),
        (["status", "."], "no study.toml"),
        (["list", "resnte"], "did you mean 'resnet"),
        (["describe", "residual_flour"], "did you mean 'residual_flower'?"),
        (["describe", "residual_flower", "--input", "big"], "accepted: HEIGHTxWIDTHxCHANNELS"),
        (["describe", "residual_flower", "--order", "LLA"], "order: found 'LLA'"),
        (["predict", ".", "x.png"], "accepted: the folder of a study, or of a finished run (STUDY/runs/MODEL/SEED)"),
        (["data", "check", "no/such/folder"], "no/such/folder"),
    ],
)
def test_mistakes_end_with_two_and_one_message(commongarden, tmp_path, arguments, message):
    result = commongarden(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert not list(tmp_path.iterdir()), "a mistake left something behind"


def test_the_study_in_ten_lines_of_python(photos, cache_folder, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        f"""
import commongarden as cg

if __name__ == "__main__":
    study = cg.Study("mine", {str(photos)!r}, arms={{
        "plain": cg.Arm("plain_flower"),
        "residual": cg.Arm("residual_flower", {{"order": "LBA"}}),
    }}, recipe=cg.Recipe(resolution=16, epochs=1), seeds=(0, 1))
    results, _ = cg.run(study, {str(tmp_path / "out")!r}, cache_dir={str(cache_folder)!r})
    for contrast in results.contrasts:
        print(cg.verdict(contrast))
"""
    )
    result = subprocess.run([sys.executable, str(script)], check=True, capture_output=True, text=True)
    assert re.search(r"residual .*plain|plain .*residual", result.stdout.splitlines()[-1])
