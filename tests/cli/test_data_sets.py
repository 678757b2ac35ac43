"""A study file with several data sets: run, resumed, verified and reported by the commands of any study."""

import json
import shutil

import pytest

from commongarden import study as studies
from commongarden.errors import StudyError
from commongarden.study import data_sets

TEXT = """
[study]
name = "two"
seeds = 2

[recipe]
resolution = 16
epochs = 1
batch_size = 8

[split]
train = 0.5
val = 0.2

[arms.plain]
arch = "plain_flower"

[arms.residual]
arch = "residual_flower"

[datasets.shapes]
data = "builtin:shapes/30"
recipe = {epochs = 2}

[datasets.photos]
data = "PHOTOS"
split = {train = 0.6}
"""


@pytest.fixture
def file(tmp_path, photos):
    path = tmp_path / "two.toml"
    path.write_text(TEXT.replace("PHOTOS", photos.as_posix()), encoding="utf-8")
    return path


def test_each_data_set_has_its_own_values_and_all_else_in_common(file):
    found = data_sets.read(file)
    shapes, photos = found.studies.values()
    assert (shapes.name, shapes.data, shapes.recipe.epochs, shapes.split.train) == (
        "shapes",
        "builtin:shapes/30",
        2,
        0.5,
    )
    assert (photos.recipe.epochs, photos.split.train) == (1, 0.6)
    assert shapes.arms == photos.arms
    assert shapes.seeds == photos.seeds == (0, 1)
    again = file.with_name("again.toml")
    again.write_text(data_sets.to_edit(found), encoding="utf-8")
    assert data_sets.read(again).studies == found.studies


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('data = "PHOTOS"', "", "datasets.photos: found no data"),
        ("split = {train = 0.6}", "splt = {train = 0.6}", r"datasets.photos: .*'splt'.*did you mean 'split'"),
        ("epochs = 2", "epoch = 2", r"datasets.shapes: .*'epoch'.*did you mean 'epochs'"),
        ("datasets.photos", "datasets.Shapes", "names that differ"),
        ("seeds = 2", 'seeds = 2\ndata = "photos"', "together with .datasets."),
        ('[datasets.photos]\ndata = "PHOTOS"\nsplit = {train = 0.6}', "", "found 1, accepted: at least 2"),
    ],
)
def test_mistakes_name_the_data_set_and_the_key(file, old, new, said):
    assert old in TEXT
    file.write_text(TEXT.replace(old, new), encoding="utf-8")
    with pytest.raises(StudyError, match=said):
        data_sets.read(file)


def test_other_commands_say_that_run_takes_several(file):
    with pytest.raises(StudyError, match="`run` takes several"):
        studies.read(file)
    assert data_sets.read("demo") is None
    assert len(data_sets.read("tasks").studies) == 4


def test_run_resume_verify_and_report(commongarden, file, tmp_path):
    out = tmp_path / "two"
    made = commongarden("run", file, "--out", out, check=0)
    assert "data set photos (2 of 2)" in made.stderr
    assert made.stdout.startswith("Best on average over 2 data sets")
    assert made.stdout.rstrip().endswith(str(out / "combined.html"))
    lost = out / "photos" / "runs" / "plain" / "1"
    before = {path: path.read_bytes() for path in out.glob("*/runs/*/*/predictions.npz")}
    shutil.rmtree(lost)
    again = commongarden("run", file, "--out", out, "--json", check=0)
    assert len(json.loads(again.stdout)["data_sets"]) == 2
    assert {path: path.read_bytes() for path in before} == before
    verified = json.loads(commongarden("verify", out, "--json", check=0).stdout)
    assert [table["n_runs"] for table in verified] == [4, 4]
    (out / "combined.html").unlink()
    written = commongarden("report", out, check=0).stdout
    assert str(out / "shapes" / "report.html") in written
    assert (out / "combined.html").is_file()
    both = commongarden("combine", out, "--out", tmp_path / "both", check=0)
    assert both.stdout.startswith("Best on average over 2 data sets")
    assert "error: --margin: found -3.0" in commongarden("combine", out, "--margin", "-3", check=2).stderr
    assert "one study in it" in commongarden("best", out, check=2).stderr
    (out / "photos").rename(out / "elsewhere")
    stood = commongarden("status", out, check=0)
    assert "Not begun: photos. Repeat the command" in stood.stderr
    assert "Not begun: photos" in commongarden("compare", out, check=0).stderr
    (out / "datasets.toml").write_text("name =", encoding="utf-8")
    assert "datasets.toml: corrupt" in commongarden("compare", out, check=2).stderr
