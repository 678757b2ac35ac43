# ruff: noqa: E501 (a table is read by lines)
"""What people do wrong, as they would do it: the command, and the exit code and message that it must end with."""

import os
import sys
import time

import pytest
from click.testing import CliRunner
from PIL import Image

from commongarden.cli import main
from grown import grown

ARM = '\n[arms.a]\narch = "plain_flower"\n'
TWO = ARM + '[arms.b]\narch = "residual_flower"\n'
RUN = ("run", "--data", "photos", "--out", "out", "--yes")
DRY = ("run", "--data", "photos", "--dry-run")
FILE = ("run", "study.toml", "--data", "photos", "--dry-run")

# arguments, files to make (name -> text, or a number of photos), exit code, part of the message
USES = {
    # photos
    "no such folder": (("run", "--data", "nowhere"), {}, 2, "no such folder or file"),
    "a folder with a slip": (("run", "--data", "photo"), {"photos/a/": 2}, 2, "did you mean 'photos'?"),
    "an empty folder": (("run", "--data", "empty"), {"empty/": 0}, 2, "found an empty folder"),
    "photos without class folders": (("run", "--data", "flat"), {"flat/": 3}, 2, "no class folders; accepted: a folder"),
    "one class": (("run", "--data", "one"), {"one/rose/": 4}, 2, "found 1 class (rose) with photos; accepted: at least 2"),
    "the folder above": (("run", "--data", "up"), {"up/f/a/": 2, "up/f/b/": 2}, 2, "each folder in f/ is a class"),
    "three photos": (("run", "--data", "few"), {"few/a/": 2, "few/b/": 1}, 2, "class"),
    "a class with one photo": (("run", "--data", "lone"), {"lone/a/": 9, "lone/b/": 1}, 2, "'b'"),
    "class folders without photos": (("run", "--data", "e"), {"e/a/": 0, "e/b/": 0}, 2, "no photos in the folders a/, b/"),
    "texts for photos": (("run", "--data", "t"), {"t/a/x.txt": "x", "t/b/y.txt": "y"}, 2, "found no photos in the folders a/, b/"),
    "broken photos": (("run", "--data", "b"), {"b/a/x.jpg": "x", "b/b/y.jpg": "y", "b/a/": 1, "b/b/": 1}, 2, "2 of 4 photos"),
    "an archive for a folder": (("run", "--data", "p.zip"), {"p.zip": "PK"}, 2, "p.zip: a compressed archive"),
    "a test part without train": (
        ("run", "--data", "q"), {"q/test/a/": 1, "q/test/b/": 1, "q/val/a/": 1, "q/val/b/": 1}, 2, "without train"),
    "a class missing in a part": (
        ("run", "--data", "p"), {"p/train/a/": 2, "p/train/b/": 2, "p/test/a/": 1}, 2, "class 'b' has no readable photo"),
    "check an empty folder": (("data", "check", "empty"), {"empty/": 0}, 2, "found an empty folder"),
    "an unknown built-in set": (("run", "--data", "builtin:flower"), {}, 2, "did you mean 'builtin:flowers'?"),
    "too many drawn photos": (("run", "--data", "builtin:flowers/9999999"), {}, 2, "an integer from 1 to 99999"),
    # manifests
    "a CSV without a header": (("run", "--data", "x.csv"), {"x.csv": "a/1.png,rose\n"}, 2, "path,label"),
    "a CSV with colons": (("run", "--data", "x.csv"), {"x.csv": "path:label\na:b\n"}, 2, "separated by commas"),
    "a CSV with a short line": (("run", "--data", "x.csv"), {"x.csv": "path,label\na.png\n"}, 2, "line 2: found 1 cells"),
    "a CSV with a wrong part": (
        ("run", "--data", "x.csv"), {"x.csv": "path,label,split\na.png,b,trian\n"}, 2, "did you mean 'train'?"),
    "a CSV of nothing": (("run", "--data", "x.csv"), {"x.csv": ""}, 2, "line 1: found the header ''"),
    "a CSV of Excel": (("run", "--data", "x.csv"), {"x.csv": b"\xff\xfep\0a\0"}, 2, "found the header 'pa'"),
    "a CSV whose photos are gone": (
        ("run", "--data", "x.csv"), {"x.csv": "path,label\na.png,a\nb.png,b\n"}, 2, "no such file"),
    # commands and options
    "no argument": (("run",), {}, 2, "found neither STUDY nor --data; accepted: run demo"),
    "an unknown command": (("rum",), {}, 2, "No such command 'rum'"),
    "an unknown option": ((*DRY, "--epoch", "3"), {}, 2, "Did you mean"),
    "no number": ((*DRY, "--epochs", "many"), {}, 2, "'many' is not a valid int"),
    "a device that is not there": ((*DRY, "--device", "cuda:7"), {}, 2, "cuda:7"),
    "resolution 0": ((*DRY, "--resolution", "0"), {}, 2, "recipe.resolution: found 0, accepted: 1 to 4096 pixels"),
    "a huge resolution": ((*DRY, "--resolution", "100000"), {}, 2, "accepted: 1 to 4096 pixels"),
    "no epochs": ((*DRY, "--epochs", "0"), {}, 2, "recipe.epochs: found 0, accepted: an integer of 1 or more"),
    "a batch of none": ((*DRY, "--batch-size", "0"), {}, 2, "recipe.batch_size: found 0"),
    "a learning rate of 0": ((*DRY, "--lr", "0"), {}, 2, "recipe.lr: found 0.0, accepted: a positive number"),
    "a learning rate that is none": ((*DRY, "--lr", "nan"), {}, 2, "accepted: a positive number"),
    "a negative seed": ((*DRY, "--seed", "-1"), {}, 2, "-1"),
    "no seeds": ((*DRY, "--seeds", "0"), {}, 2, "0 is not in the range x>=1"),
    "a billion seeds": ((*DRY, "--seeds", "1000000000"), {}, 2, "the number of seeds (1 to 10,000)"),
    "one fold": ((*DRY, "--folds", "1"), {}, 2, "1 is not in the range x>=2"),
    "seeds and folds": ((*DRY, "--seeds", "2", "--folds", "3"), {}, 2, "accepted: one of them"),
    "an unknown source of chance": ((*DRY, "--vary", "inti"), {}, 2, "did you mean 'init'?"),
    "an unknown optimizer": ((*DRY, "--set", "optimizer=adm"), {}, 2, "did you mean 'adam'?"),
    "an unknown recipe value": ((*DRY, "--set", "momentun=1"), {}, 2, "did you mean 'momentum'?"),
    "a setting without a value": ((*DRY, "--set", "momentum"), {}, 2, "accepted: KEY=VALUE"),
    "a budget without a unit": ((*DRY, "--budget", "30"), {}, 2, "--budget: found '30', accepted: a time (90s, 30m"),
    "a budget of nothing": ((*DRY, "--budget", "0m"), {}, 2, "--budget: found '0m'"),
    "until when": ((*DRY, "--until", "resolve"), {}, 2, "Did you mean 'resolved'?"),
    "an unknown language": (("list", "--lang", "kr"), {}, 2, "Did you mean 'ko'?"),
    # arms
    "an unknown architecture": ((*DRY, "--arms", "resnet19"), {}, 2, "did you mean 'resnet18'?"),
    "an arm twice": ((*DRY, "--arms", "plain_flower,plain_flower"), {}, 2, "found 'plain_flower' twice"),
    "no arms": ((*DRY, "--arms", ","), {}, 2, "arms: found none"),
    "an unknown order": ((*DRY, "--arms", "plain_flower:LX"), {}, 2, "LX"),
    "a network file that is not there": ((*DRY, "--arms", "net.json"), {}, 2, "net.json"),
    "a network file that is no JSON": ((*DRY, "--arms", "net.json"), {"net.json": "{"}, 2, "not valid JSON"),
    "a file without its factory": ((*DRY, "--arms", "net.py"), {"net.py": ""}, 2, "accepted: net.py:FACTORY"),
    "code where none is wanted": (
        (*DRY, "--arms", "net.py:small", "--no-code"), {"net.py": "raise SystemExit"}, 2, "--no-code forbids"),
    "describe code where none is wanted": (
        ("describe", "net.py:small", "--no-code"), {"net.py": "raise SystemExit"}, 2, "--no-code forbids"),
    "an unknown library": (("describe", "tim:resnet18"), {}, 2, "did you mean 'timm'?"),
    "an input without a width": (("describe", "plain_flower", "--input", "96"), {}, 2, "accepted: HEIGHTxWIDTHxCHANNELS"),
    "an input too small": (("describe", "alexnet", "--input", "8x8x3"), {}, 2, "alexnet"),
    "an unknown pattern": (("list", "resent"), {}, 2, "did you mean 'resnet"),
    # study files
    "a study file that is not there": (("run", "study.tml"), {}, 2, "unknown study 'study.tml'"),
    "photos for a study file": (("run", "photos"), {"photos/": 0}, 2, "did you mean --data photos?"),
    "no TOML": (FILE, {"study.toml": "[study"}, 2, "study.toml: at the end of the file: no "),
    "no arms in the file": (FILE, {"study.toml": "[study]\nname = 'x'\n"}, 2, "arms: found none"),
    "an unknown section": (FILE, {"study.toml": f"[recipes]{ARM}"}, 2, "did you mean 'recipe'?"),
    "an unknown key": (FILE, {"study.toml": f"[study]\nseads = 3{ARM}"}, 2, "did you mean 'seeds'?"),
    "a contrast with an unknown arm": (
        FILE, {"study.toml": f'{TWO}[[contrasts]]\nis = ["a", "c"]'}, 2, "contrasts: unknown model 'c'"),
    "an arm against itself": (FILE, {"study.toml": f'{TWO}[[contrasts]]\nis = ["a", "a"]'}, 2, "compared with itself"),
    "a contrast of three": (FILE, {"study.toml": f'{TWO}[[contrasts]]\nis = ["a", "b", "a"]'}, 2, 'is = ["ARM", "ARM"]'),
    "an arm declared twice": (FILE, {"study.toml": ARM + ARM}, 2, "duplicate arms.a, first in line 2"),
    "arms alike but for capitals": (FILE, {"study.toml": ARM + ARM.replace(".a", ".A")}, 2, "differing only in upper"),
    "an arm with a slash": (FILE, {"study.toml": ARM.replace(".a]", '."../x"]')}, 2, "accepted: up to 64 letters"),
    "a negative seed in the file": (FILE, {"study.toml": f"[study]\nseeds = [-1]{ARM}"}, 2, "study.seeds: found [-1]"),
    "a seed twice": (FILE, {"study.toml": f"[study]\nseeds = [1, 1]{ARM}"}, 2, "different integers"),
    "text for a number": (FILE, {"study.toml": f'[recipe]\nepochs = "10"{ARM}'}, 2, "accepted: an integer"),
    "no share for the test": (FILE, {"study.toml": f"[split]\ntrain = 0.9\nval = 0.1{ARM}"}, 2, "the rest is the test set"),
    "an unknown metric": (FILE, {"study.toml": f'[study]\nmetric = "acuracy"{ARM}'}, 2, "did you mean 'accuracy'?"),
    "a margin of 100": (FILE, {"study.toml": f"[study]\nmargin = 100{ARM}"}, 2, "study.margin: found 100"),
    "a misspelt factor": (FILE, {"study.toml": '[factors]\narhc = ["plain_flower"]'}, 2, "did you mean 'arch'?"),
    "a factor with one level": (FILE, {"study.toml": '[factors]\narch = ["plain_flower"]'}, 2, "at least two levels"),
    "an escape sequence in a name": (FILE, {"study.toml": f'[study]\nname = "\\u001b[2J"{ARM}'}, 2, "control character"),
    # study folders
    "compare what is not there": (("compare", "nowhere"), {}, 2, "no such folder; accepted: the folder of a study"),
    "predict with what is not there": (("predict", "stdy", "x.png"), {"study/": 0}, 2, "no such folder; did you mean 'study'?"),
    "best of what is not there": (("best", "demo"), {"garden/demo/": 0}, 2, "did you mean 'garden/demo'?"),
    "evaluate what is not there": (("evaluate", "nowhere", "x"), {}, 2, "nowhere: no such folder; accepted: the folder"),
    "status of what is not there": (("status", "nowhere"), {}, 2, "nowhere: no such folder; accepted: the folder"),
    "explain what is not there": (("explain", "nowhere"), {}, 2, "nowhere: no such folder; accepted: the folder"),
    "verify what is not there": (("verify", "nowhere"), {}, 2, "nowhere: no such folder; accepted: the folder"),
    "replay what is not there": (("replay", "study/runs/a/9"), {"study": "grown"}, 2, "9: no such folder; accepted: the folder of a"),
    "replay a study": (("replay", "study"), {"study": "grown"}, 2, "study: no run.json; accepted: the folder of a finished"),
    "export what is not there": (("export", "study/runs/a/9"), {"study": "grown"}, 2, "9: no such folder; accepted: the folder of a"),
    "predict with a folder of photos": (("predict", "photos", "x"), {"photos/": 1}, 2, "no study.toml and no run.json"),
    "report a folder of photos": (("report", "photos"), {"photos/": 0}, 2, "no study.toml"),
    "an unknown format": (("report", "study", "--format", "pdf"), {"study": "grown"}, 2, "'pdf' is not one of"),
    "a format with a slip": (("report", "study", "--format", "dcox"), {"study": "grown"}, 2, "Did you mean 'docx'?"),
    "a study file that was torn": (("status", "s"), {"s/study.toml": "[st"}, 2, "at the end of the file: no "),
    "predict with a study": (("predict", "study", "x.png"), {"study": "grown"}, 2, "not a run's weights"),
    "predict with the photo first": (("predict", "x.png", "study"), {"study": "grown"}, 2, "the study comes first: study x.png"),
    "predict with no photo": (("predict", "study/runs/a/0"), {"study": "grown"}, 2, "Missing argument"),
    "out is a file": ((*RUN[:3], "--out", "file"), {"file": "x", "photos/a/": 9, "photos/b/": 9}, 2, "is a file"),
    # downloads
    "an unknown data set": (("data", "get", "flower"), {}, 2, "did you mean 'flowers'?"),
    "an archive that is none": (("data", "get", "flowers", "--from", "x.zip"), {"x.zip": "x"}, 2, "not an archive"),
    "an archive that is not there": (("data", "get", "flowers", "--from", "x.zip"), {}, 2, "x.zip: cannot be read"),
}  # fmt: skip


def make(files):
    for name, content in files.items():
        if content == "grown":
            grown(__import__("pathlib").Path(name), {"a": (0.5, 0.6), "b": (0.6, 0.7)})
        elif isinstance(content, int):
            os.makedirs(name, exist_ok=True)
            for i in range(content):
                Image.new("RGB", (8, 8), (i * 20, len(name), 7)).save(os.path.join(name, f"{i}.png"))
        else:
            os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
            with open(name, "wb") as file:
                file.write(content if isinstance(content, bytes) else content.encode())


def call(*arguments):
    return CliRunner().invoke(main, list(arguments), terminal_width=200)


@pytest.mark.parametrize("use", USES)
def test_a_wrong_use_is_told(use, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments, files, code, message = USES[use]
    make(files)
    result = call(*arguments)
    said = " ".join(result.stderr.split())
    assert message in said, said
    assert result.exit_code == code
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in said
    assert result.stdout == ""


def test_the_table_is_long_enough():
    assert len(USES) >= 60


@pytest.mark.parametrize("name", ["장미 '붉은'", 'a "quoted" rose', "a;b,c", "=1+1", "-x", "$(rm -rf)", "a&b<c>", "🌹"])
def test_odd_names_of_classes_are_no_mistake(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make({f"odd photos/{name}/": 2, "odd photos/b/": 2})
    result = call("data", "check", "odd photos")
    assert result.exit_code == 0, result.stderr
    assert f"  {name}" in result.stdout


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_without_permission_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make({"photos/a/": 9, "photos/b/": 9, "locked/": 0})
    os.chmod("locked", 0o500)
    result = call("run", "--data", "photos", "--out", "locked/out", "--yes")
    assert (result.exit_code, "cannot be created" in result.stderr) == (2, True)


def test_a_study_in_a_place_that_nothing_can_be_written_to(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make({"photos/a/": 9, "photos/b/": 9})
    place = "/proc/study" if sys.platform == "linux" else "file/study"
    make({"file": "x"})
    result = call("run", "--data", "photos", "--out", place, "--yes")
    assert result.exit_code == 2
    assert "cannot be created" in result.stderr


def test_photos_of_two_pixels_are_no_mistake(tmp_path):
    for name, colour in (("a", 10), ("b", 200)):
        (tmp_path / name).mkdir()
        for i in range(4):
            Image.new("RGB", (2, 2), (colour, i, 0)).save(tmp_path / name / f"{i}.png")
    result = call("data", "check", str(tmp_path))
    assert result.exit_code == 0
    assert "8 photos in 2 classes" in result.stdout


@pytest.mark.soak
def test_a_folder_of_a_hundred_thousand_files(tmp_path):
    """It is read in minutes and in little memory; what is no photo is told, and no list of it floods the terminal."""
    import resource

    for name in "ab":
        (tmp_path / name).mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "photo.png")
    data = (tmp_path / "photo.png").read_bytes()
    (tmp_path / "photo.png").unlink()
    for i in range(100_000):
        (tmp_path / "ab"[i % 2] / f"{i}.png").write_bytes(data + i.to_bytes(4, "little"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.monotonic()
    result = call("data", "check", str(tmp_path), "--json")
    assert result.exit_code == 0
    assert '"n_photos": 100000' in result.stdout
    assert time.monotonic() - begin < 600
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # KiB: 1 GiB
