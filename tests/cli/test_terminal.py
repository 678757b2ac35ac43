"""Every command at a terminal: widths, colours and languages (pseudo_terminal.py).

`make test` tries every command at every width, each with some of the other settings; `make soak` all of them together.
"""

import gzip
import io
import itertools
import json
import shutil
import tarfile

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commongarden.cli import main
from commongarden.io import terminal
from paths import TESTS

pty = pytest.importorskip("pty", reason="needs the pseudo-terminals of POSIX")
import command  # noqa: E402
import pseudo_terminal  # noqa: E402
from commongarden.runner import processes  # noqa: E402

pytestmark = pytest.mark.skipif(not processes.HAS_SERVER, reason="needs a fork server")
WIDTHS = (60, 80, 100, 120, 200)
LANGUAGES = ("en", "ko")
COLOURS = {"colour": {"TERM": "xterm-256color"}, "NO_COLOR": {"TERM": "xterm-256color", "NO_COLOR": "1"},
           "dumb": {"TERM": "dumb"}}  # fmt: skip
MEASURED = TESTS / "support" / "measured"

# How each command is called, in a folder with what `lab` puts there. A command that is missing here fails the test.
CALLS = {
    "ablate": "ablate plain_flower --data photos --factors order,pool --resolution 16 --dry-run",
    "audit": "audit plain_flower --input 16x16 --photos 40",
    "bench": "bench --measured bench.json",
    "best": "best small",
    "cache": "cache --cache-dir empty",
    "clean": "clean small --dry-run",
    "cluster head": "cluster head --address 203.0.113.7",  # a cluster itself takes seconds: tests/cluster
    "cluster join": "cluster join 127.0.0.1:9 --token-path absent",
    "cluster status": "cluster status 127.0.0.1:9",
    "cluster token": "cluster token small.toml",
    "combine": "combine small small",  # one data set twice, which is refused
    "compare": "compare small",
    "data check": "data check photos",
    "data get": "data get flowers --from flowers.tgz --out fetched",
    "describe": "describe inception_flower:LA --rewritten",
    "diff": "diff plain_flower:LA residual_flower",
    "drop": "drop small plain",  # which has all its runs
    "evaluate": "evaluate small photos --model plain",
    "explain": "explain plain_flower residual_flower --measured steps.json",
    "export": "export small/runs/plain/0 --out plain.onnx --format oonx",  # the export itself takes seconds
    "list": "list resnet",
    "predict": "predict small/runs/plain/0 photos/rose/00.png photos/rose/01.png",
    "profile": "profile --measured steps.json",
    "replay": "replay small/runs/plain/1",
    "report": "report small --format md",
    "run": "run small.toml --out small",
    "screen": "screen --data photos",  # the screening itself takes seconds
    "status": "status small",
    "stop": "stop small",  # of which no process works
    "twins": "twins --widths 16,32 --blocks 1,1",
    "verify": "verify small",
    "view": "view absent",  # the server itself does not end
}
MORE = {
    "explain a study": "explain small",
    "help": "--help",
    "help of a command": "run --help",
    "a dry run": "run small.toml --dry-run",
    "a mistake": "describe plain_flowr",
    "a wrong option": "describe plain_flower --inputs 3",
    "no such study": "compare nowhere",
}
CODES = {
    "audit": 1,
    "cluster head": 2,
    "cluster join": 2,
    "cluster status": 2,
    "cluster token": 2,
    "combine": 2,
    "drop": 2,
    "export": 2,
    "screen": 2,
    "stop": 2,
    "view": 2,
    "a mistake": 2,
    "a wrong option": 2,
    "no such study": 2,
}
DATA = {"ablate", "a dry run", "predict"}  # what they print is TOML or CSV, of which no line is broken
SLOW = {"profile", "replay", "report", "run"}
MOVING = {
    "replay",
    "run",
    "data check",
    "data get",
    "evaluate",
}  # they show times or progress: their words are not compared


def names(group, path=()):
    for name, child in group.commands.items():
        if isinstance(child, click.Group):
            yield from names(child, (*path, name))
        else:
            yield " ".join((*path, name))


def test_every_command_has_a_call():
    assert sorted(names(main)) == sorted(CALLS)


@pytest.fixture(scope="module")
def lab(finished, photos, study_file, tmp_path_factory):
    """A folder with a finished study, its photos, a kept timing and a kept benchmark."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(finished, folder / "small")
    shutil.copytree(photos, folder / "photos")
    shutil.copy(study_file, folder / "small.toml")
    (folder / "steps.json").write_bytes(gzip.decompress((MEASURED / "steps.json.gz").read_bytes()))
    shutil.copy(MEASURED / "bench.json", folder / "bench.json")
    with tarfile.open(folder / "flowers.tgz", "w:gz") as archive:
        for label in ("daisy", "dandelion", "roses", "sunflowers", "tulips"):
            content = (photos / "rose" / "00.png").read_bytes() + label.encode()
            info = tarfile.TarInfo(f"flower_photos/{label}/1.jpg")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return folder


@pytest.fixture(scope="module")
def whole(lab, cache_folder):
    """What a command prints where there is no terminal, in lines as long as they come."""
    kept = {}

    def call(name, language):
        if (name, language) not in kept:
            shutil.rmtree(lab / "fetched", ignore_errors=True)
            around = surroundings(cache_folder, language) | {"COLUMNS": "1000"}
            kept[name, language] = command.call((CALLS | MORE)[name].split(), lab, around, 120)
        return kept[name, language]

    return call


def surroundings(cache_folder, language):
    import os

    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR", "TERM")}
    return kept | {"COMMONGARDEN_CACHE": str(cache_folder), "PYTHONUTF8": "1", "COMMONGARDEN_LANG": language}


def words(text):
    """The words without what a table draws."""
    return {word for word in text.split() if not set(word) <= set("─━│╸╺")}


def cut(shown, whole):
    """Words that are pieces: of others than those that no terminal has room for."""
    known = words(whole.stdout + whole.stderr)
    long = [word for word in known if terminal.columns(word) > 24]
    found = words("\n".join(shown.lines)) - known
    return {word for word in found if not any(word in one for one in long)}


def check(lab, whole, cache_folder, name, width, colour, language):
    shutil.rmtree(lab / "fetched", ignore_errors=True)
    environment = surroundings(cache_folder, language) | COLOURS[colour]
    shown = pseudo_terminal.call((CALLS | MORE)[name].split(), environment, width, lab)
    expected = whole(name, language)
    assert shown.code == expected.returncode == CODES.get(name, 0), shown.written
    visible = "\n".join(shown.seen)
    assert "x1b" not in visible
    assert "[0m" not in visible
    assert "\x1b" not in visible
    if name not in DATA:
        assert shown.too_wide == []
    if colour == "dumb":
        assert "\x1b" not in shown.written
    if colour == "NO_COLOR":
        assert shown.colours == []
    if name not in MOVING:
        assert cut(shown, expected) == set(), visible


GRID = list(itertools.product(WIDTHS, COLOURS, LANGUAGES))


def some():
    """Every command at 60 columns and, if it is quick, at another width; all settings are met by turns."""
    for place, name in enumerate(CALLS | MORE):
        colours, language = list(COLOURS), LANGUAGES[place % 2]
        yield name, 60, colours[place % 3], language
        if name in CALLS and name not in SLOW:
            yield name, WIDTHS[1 + place % 4], colours[(place + 1) % 3], language


@pytest.mark.parametrize(("name", "width", "colour", "language"), list(some()))
def test_every_command_at_a_terminal(lab, whole, cache_folder, name, width, colour, language):
    check(lab, whole, cache_folder, name, width, colour, language)


@pytest.mark.soak
@pytest.mark.parametrize("name", CALLS | MORE)
def test_every_command_at_every_terminal(lab, whole, cache_folder, name):
    for width, colour, language in GRID:
        check(lab, whole, cache_folder, name, width, colour, language)


def test_json_is_whole_at_a_narrow_terminal(lab, cache_folder):
    """Copied from a terminal it is still JSON: no line is broken in the middle of a text."""
    environment = surroundings(cache_folder, "en") | COLOURS["colour"]
    for arguments in ("verify small --json", "diff plain_flower:LA residual_flower --json", "list resnet --json"):
        shown = pseudo_terminal.call(arguments.split(), environment, 60, lab)
        assert json.loads("\n".join(shown.lines))


@given(st.text(st.sampled_from("ab 사é\t"), max_size=60), st.integers(1, 30))
def test_broken_lines_hold_the_same_words_and_fit(line, width):
    parts = terminal.broken(line, width).split("\n") if line.strip() else [""]
    assert " ".join(parts).split() == line.split()
    for part in parts:
        assert terminal.columns(part) <= width or len(part.split()) == 1
