"""The figures that scripts/shape.py counts, on a package made for it, and the picture in docs/design.md."""

import json
import subprocess
import sys

import pytest

from paths import ROOT

SCRIPT = ROOT / "scripts" / "shape.py"
LONG = "def long():\n" + "    x = 1\n" * 60  # 61 lines
PACKAGE = {
    "__init__.py": "from commongarden.top import long\n",
    "top.py": f"from commongarden import middle\nfrom commongarden.low.deep import thing\n\n\n{LONG}",
    "middle/__init__.py": "from . import inner\n",
    "middle/inner.py": '"""Text\n\nof three lines."""\n\nfrom ..low import deep  # a comment\n\nX = """two\nlines"""\n',
    "low/__init__.py": "",
    "low/deep/__init__.py": "def thing():\n    import commongarden.ground\n",
    "ground.py": "import json\n",
    "bench/__init__.py": "import commongarden.top\n",
}
CIRCLE = {"ground.py": "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from commongarden.low import deep\n"}
WITHIN = {"low/one.py": "import commongarden.low.two\n", "low/two.py": "from commongarden.low import one\n"}


@pytest.fixture
def counted(tmp_path):
    """Writes a package and gives what the script says of it: (exit code, JSON, standard error)."""

    def write(files, *arguments):
        for name, text in files.items():
            path = tmp_path / "src" / "commongarden" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        command = [sys.executable, SCRIPT, "--src", tmp_path / "src", "--json", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return done.returncode, json.loads(done.stdout), done.stderr

    return write


def test_rooms_floors_and_arrows(counted):
    code, found, _ = counted(PACKAGE)
    assert code == 0
    assert found["rooms"] == ["bench", "ground", "low", "middle", "top"]
    assert found["floors"] == [["ground"], ["low"], ["middle"], ["top"], ["bench"]]
    assert {(arrow["from"], arrow["to"]): arrow["when"] for arrow in found["arrows"]} == {
        ("bench", "top"): "import",
        ("low", "ground"): "late",
        ("middle", "low"): "import",
        ("top", "low"): "import",
        ("top", "middle"): "import",
    }
    assert found["circles"] == []


def test_lines_are_without_docstrings_comments_and_benchmarks(counted):
    _, found, _ = counted(PACKAGE)
    assert found["lines"] == {"bench": 1, "commongarden": 1, "ground": 1, "low": 2, "middle": 4, "top": 63}
    assert found["lines_counted"] == 71


def test_long_functions_and_modules_have_a_place(counted):
    _, found, _ = counted(PACKAGE | {"ground.py": "x = 1\n" * 351})
    assert found["long_functions"] == {"commongarden/top.py: long (line 5)": 61}
    assert found["long_modules"] == {"commongarden/ground.py": 351}


def test_an_import_for_type_checkers_can_close_a_circle(counted):
    code, found, said = counted(PACKAGE | CIRCLE)
    assert code == 1
    assert found["circles"] == [["ground", "low"]]
    assert {"from": "ground", "to": "low", "when": "types"} in found["arrows"]
    assert found["floors"] == [["ground", "low"], ["middle"], ["top"], ["bench"]]
    assert "found a circle of imports: ground, low" in said


def test_modules_of_one_room_can_be_a_circle(counted):
    code, found, _ = counted(PACKAGE | WITHIN)
    assert code == 1
    assert found["circles"] == [["commongarden.low.one", "commongarden.low.two"]]


@pytest.mark.parametrize(("limit", "wanted"), [("5", 0), ("4", 1)])
def test_more_rooms_than_allowed_are_an_error(counted, limit, wanted):
    code, _, said = counted(PACKAGE, "--rooms", limit)
    assert code == wanted
    assert ("found 5 rooms, accepted: at most 4" in said) == bool(wanted)


def test_a_folder_without_the_package_is_an_error(tmp_path):
    done = subprocess.run([sys.executable, SCRIPT, "--src", tmp_path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "accepted: the src folder of a checkout" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_picture_leaves_out_arrows_that_others_imply(monkeypatch, tmp_path):
    shape = script(monkeypatch)
    found = shape.Shape(("a", "b", "c"), {("a", "b"): "import", ("a", "c"): "late", ("b", "c"): "import"}, (),
                        (("c",), ("b",), ("a",)), {}, {}, {})  # fmt: skip
    assert shape.picture(found) == " 3  a  b\n 2  b  c\n 1  c"
    assert "a --> b" in shape.mermaid(found)
    assert "a --> c" not in shape.mermaid(found)


def test_the_picture_in_the_design_page_is_up_to_date(monkeypatch):
    shape = script(monkeypatch)
    page = shape.PAGE.read_text(encoding="utf-8")
    assert shape.with_picture(page, shape.shape(ROOT / "src")) == page, "run scripts/shape.py --design"


def test_a_walk_is_counted_up_to_the_last_file_of_a_run(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPT.parent)
    import walk

    def rows(*events):
        return [{"time": time, "what": what, "file": file} for time, what, file in events]

    command = rows((1, "call", "cli.py"), (2, "call", "run.py"), (3, "return", "run.py"), (5, "call", "cli.py"),
                   (6, "holds", "run.py"), (7, "holds", "bundle.py"), (90, "call", "report.py"))  # fmt: skip
    worker = rows((4, "call", "train.py"), (8, "call", "run.py"), (50, "store", ""))
    found = walk.counted([command, worker])
    assert found == walk.Walk(5, ("cli.py", "run.py", "train.py"), 2, 6, ("bundle.py",))
    assert walk.told(found).startswith("5 stays in 3 files with 2 returns, 6 handovers\n  cli.py\n")


@pytest.mark.soak
def test_a_real_walk_repeats(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPT.parent)
    import walk

    found = walk.walk(ROOT / "src")
    assert found == walk.walk(ROOT / "src")
    assert found.files[0].startswith(("cli/", "study/"))
    assert any(file.startswith("store/") for file in found.files)


def script(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPT.parent)
    import shape

    return shape
