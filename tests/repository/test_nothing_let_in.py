"""Nothing is let in: no pickle, no code that no study names, no name that acts where it is shown."""

import csv
import dataclasses
import io
import json
import os
import pickle
import re
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import commongarden
from chromium import Visit
from commongarden import drawing, report
from commongarden.cli import main
from commongarden.data import folder
from commongarden.errors import ArchError, StoreError
from commongarden.io import csv_cells, reader, terminal
from commongarden.records import Failure
from commongarden.runner.measuring import measure
from commongarden.store import kinds
from commongarden.study import Arm, Study, origin
from commongarden.train import checkpoint, weights
from grown import grown

SOURCE = Path(commongarden.__file__).parent
ESCAPES = "\x1b]0;owned\x07\x1b[2J\u202e"


class Hostile:
    """What a pickle runs when it is loaded."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def call(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_code_loads_no_pickle():
    """Every call that could unpickle, but for torch.load with weights_only=True."""
    loads = re.compile(
        r"pickle\.loads?\(|Unpickler|joblib|shelve|marshal|dill|cloudpickle|read_pickle|allow_pickle=True|yaml\.load"
        r"|weights_only=False|\beval\(\s*[\"'a-z]"
    )
    runs = re.compile(r"(?<!\.)\bexec\(")
    for file in SOURCE.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if file.name == "mailbox.py":  # messages with jobs of SLURM, in a folder of this user alone (SECURITY.md)
            continue
        assert not loads.search(text), f"{file}: {loads.search(text)}"
        # a function of names that it makes itself and of those in torch's operators; values are given beside
        assert not runs.search(text) or file.name == "recorded_step.py", file
        for found in re.finditer(r"(?<!safetensors\.)torch\.load\((.*?)\)\n", text, re.DOTALL):
            assert "weights_only=True" in found[1], file
            assert file.name in ("weights.py", "checkpoint.py", "state.py"), file
        for found in re.finditer(r"np\.load\((.*?)\)\n", text, re.DOTALL):
            assert "allow_pickle=False" in found[1], file
        if "exec_module" in text or "import_module(" in text:
            # alone.py: of the modules that workers have from the beginning, a list in our own code
            assert file.name in ("libraries.py", "usercode.py", "__init__.py", "alone.py", "torch_private.py"), file


@pytest.mark.parametrize("form", ["pickle", "torch.save", "zip"])
def test_a_hostile_pickle_for_weights_runs_nothing(tmp_path, form):
    mark, file = tmp_path / "owned", tmp_path / "weights.pth"
    if form == "pickle":
        file.write_bytes(pickle.dumps({"a": Hostile(mark)}, protocol=2))
    elif form == "torch.save":
        torch.save({"a": torch.zeros(1), "b": Hostile(mark)}, file)
    else:
        torch.save({"a": Hostile(mark)}, file, _use_new_zipfile_serialization=False)
    with pytest.raises(ArchError, match="cannot be read as weights"):
        weights.read(file)
    with pytest.raises(checkpoint.Unreadable):
        checkpoint.restore(type("Trainee", (), {"device": "cpu"})(), file)
    assert not mark.exists()


def test_a_hostile_pickle_among_arrays_runs_nothing(tmp_path):
    mark = tmp_path / "owned"
    packed = io.BytesIO()
    np.savez(packed, photos=np.array([Hostile(mark)], dtype=object))
    with pytest.raises(StoreError, match="holds object"):
        reader.parsed(Path("predictions.npz"), packed.getvalue(), kinds.PREDICTIONS)
    (tmp_path / "x.npy").write_bytes(pickle.dumps(Hostile(mark)))
    with pytest.raises(ValueError, match="pickle"):
        np.load(tmp_path / "x.npy", mmap_mode="r", allow_pickle=False)  # as the cache does
    assert not mark.exists()


@pytest.fixture
def own_code(tmp_path, monkeypatch):
    """A network of the user's whose code leaves a mark when it runs."""
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text("import os\nos.mkdir('ran')\n\ndef small(n):\n    raise ValueError\n")
    return tmp_path / "ran"


def test_declaring_reporting_and_looking_run_no_code(own_code, tmp_path):
    """Code runs where a network is measured or trained, and nowhere else."""
    arm = Arm("net.py:small")
    measured = {"classes": 3, "input": (64, 64, 3), "n_params": 9, "macs": 9, "activation_bytes": 36}
    arm = dataclasses.replace(arm, origin=dataclasses.replace(arm.origin, **measured))
    grown(
        tmp_path / "study",
        {"a": (0.5, 0.6), "mine": (0.6, 0.7)},
        study=Study("s", "photos", {"a": Arm("plain_flower"), "mine": arm}, seeds=(0, 1)),
    )
    assert call("status", "study").exit_code == 0
    for no_code in ([], ["--no-code"]):
        result = call("report", "study", *no_code)
        assert result.exit_code == 0, result.output
    assert not own_code.exists()


def test_no_code_refuses_what_a_study_names(own_code, tmp_path):
    Path("study.toml").write_text('[study]\ndata = "builtin:flowers/50"\n[arms.mine]\narch = "net.py:small"\n')
    for arguments in (
        ("run", "study.toml"), ("run", "study.toml", "--dry-run"), ("describe", "net.py:small"),
        ("audit", "net.py:small"), ("diff", "net.py:small", "plain_flower"), ("export", "net.py:small"),
    ):  # fmt: skip
        result = call(*arguments, "--no-code")
        assert (result.exit_code, "--no-code forbids" in result.stderr) == (2, True), (arguments, result.output)
    assert not own_code.exists()
    assert origin.NO_CODE not in os.environ


def test_no_code_holds_in_worker_processes(own_code, monkeypatch):
    from commongarden.arch import External
    from commongarden.train import external

    monkeypatch.setenv(origin.NO_CODE, "1")
    with pytest.raises(ArchError, match="--no-code"):
        external.make(External("net.py:small", "{}", 2, (8, 8, 3), 0, 0, 0))
    with pytest.raises(ArchError, match="--no-code"):
        measure(Arm("net.py:small"), 2, (8, 8, 3))
    assert not own_code.exists()
    assert measure(Arm("plain_flower"), 2, (8, 8, 3)).arch == "plain_flower"


def test_names_on_the_disk_do_nothing_in_a_terminal(tmp_path):
    for name in ("rose", "tulip", f"x{ESCAPES}"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (4, 4), (len(name), 0, 0)).save(tmp_path / name / f"a{len(name)}.png")
        Image.new("RGB", (4, 4), (len(name), 9, 0)).save(tmp_path / name / f"b{len(name)}\x1b[31m\n.png")
    result = call("data", "check", tmp_path)
    assert terminal.harmless(result.output) == result.output
    assert "\\x1b]0;owned\\x07\\x1b[2J\\u202e" in result.stdout
    assert "its name contains control characters; rename it" in result.stdout
    assert [photo.label for photo in folder.scan(str(tmp_path), keep_going=True).photos] == ["rose", "tulip"]


def test_whatever_is_printed_is_harmless(tmp_path):
    """Records that somebody else wrote, and errors that quote files."""
    store = grown(tmp_path / "study", {"a": (0.5, Failure(f"it broke {ESCAPES}"))})
    record = store.directory("a", 0) / "run.json"
    kept = json.loads(record.read_text())
    for classes in (kept["classes"], [f"{name}{ESCAPES}" for name in kept["classes"]]):
        record.write_text(json.dumps({**kept, "classes": classes}))
        for arguments in (("compare", "DIR"), ("status", "DIR"), ("compare", "DIR", "--json"), ("run", f"x{ESCAPES}")):
            result = call(*(str(tmp_path / "study") if word == "DIR" else word for word in arguments))
            assert terminal.harmless(result.output) == result.output, arguments
    console = terminal.console()
    with console.capture() as captured:
        console.print(f"[bold]x[/] {ESCAPES}")
    assert captured.get().startswith("[bold]x[/] \\x1b]0;owned")


NAMES = (
    "</script><script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "'-alert(3)-'", "{{ 7 * 7 }}",
    "${alert(4)}",
    "<!--", "]]>", "javascript:alert(5)", "=HYPERLINK(\"http://x\")", "@SUM(1)", "\\input{/etc/passwd}",
    "$x$ & 100 % #1",
    "장미 '붉은' \"것\"", "![x](http://x)", "<svg onload=alert(6)>", "-rf", "&lt;b&gt;",
)  # fmt: skip


def test_hostile_names_run_nothing_in_a_browser(browser, tmp_path):
    names = NAMES[:4]
    store = grown(tmp_path / "study", {"a": (0.5, Failure(NAMES[14]))}, classes=names, description=NAMES[1])
    path = report.write(store)
    alerts = []
    with Visit(browser, path) as visit:
        visit.page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
        visit.page.reload()
        visit.page.wait_for_selector("html[data-charts=drawn]")
        assert (alerts, visit.complaints) == ([], [])
        assert visit.page.locator("img[src=x], svg[onload], main script[src]").count() == 0
        text = visit.page.inner_text("main")
        for name in (NAMES[1], NAMES[3]):
            assert name in text, name


def test_hostile_names_are_text_in_written_reports(tmp_path):
    store = grown(
        tmp_path / "study", {"a": (0.5, Failure(NAMES[10] + ESCAPES))}, classes=NAMES[8:13], description=NAMES[10]
    )
    report.write_as(store, ("docx", "md", "latex"))
    assert "\\input" not in (store.root / "table.tex").read_text(encoding="utf-8")
    with zipfile.ZipFile(store.root / "report.docx") as document:
        for name in document.namelist():
            if name.endswith((".xml", ".rels")):
                ET.fromstring(document.read(name))


def test_hostile_names_are_text_in_drawings(browser, tmp_path):
    network = Arm("plain_flower").network(3)
    page = tmp_path / "drawing.html"
    titles = []
    for name in NAMES:
        svg = drawing.svg(network, (64, 64, 3), title=name)
        titles.append(ET.fromstring(svg).find("{http://www.w3.org/2000/svg}title").text)
    assert titles == list(NAMES)
    page.write_text(f"<!doctype html><meta charset=utf-8><title>x</title>{svg}", encoding="utf-8")
    alerts = []
    with Visit(browser, page) as visit:
        visit.page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
        visit.page.reload()
    assert alerts == []


def test_no_cell_is_a_formula(tmp_path):
    store = grown(tmp_path / "study", {"a": (0.5,)}, classes=NAMES[8:13] + NAMES[15:])
    report.write(store)
    for file in ("manifest.csv", "results.csv"):
        for row in csv.reader(io.StringIO((store.root / file).read_text(encoding="utf-8"))):
            for cell in row:
                assert not cell.startswith(csv_cells.FORMULA) or re.fullmatch(r"-[\d.e+-]+", cell), (file, cell)
    assert {photo.label for photo in store.manifest().photos} == {*NAMES[8:13], *NAMES[15:]}


def test_exif_is_not_shown(browser, tmp_path):
    """Text in a photo's EXIF goes nowhere: thumbnails are written without it."""
    exif = Image.Exif()
    exif[270], exif[315] = "<script>alert(1)</script>", f"owner {ESCAPES}"
    for name in "ab":
        (tmp_path / name).mkdir()
        for i in range(3):
            Image.new("RGB", (9, 9), (i, len(name), ord(name))).save(tmp_path / name / f"{i}.jpg", exif=exif)
    from commongarden.data import image

    assert b"script" not in image.jpeg(str(tmp_path), "a/0.jpg", 8)
    assert "script" not in call("data", "check", tmp_path, "--json").output
