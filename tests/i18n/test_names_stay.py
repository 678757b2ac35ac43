"""What people call things is never translated, also where a message of the catalogue reads the same.

Two studies are equal but for their names: in one they are words of the catalogue, in the other they are the same words
with another last letter, which no catalogue has. In a language that no one speaks (prose.py), which puts brackets
around whatever is looked up, both must read the same.
"""

import dataclasses
import json
import re

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from torch import nn

from commongarden.cli import main
from commongarden.explain.kinds import KINDS
from commongarden.explain.time_sentences import kind_name
from commongarden.i18n.coded import verbatim
from commongarden.i18n.language import used
from commongarden.profiling import work
from commongarden.records import Failure
from commongarden.study import Arm, Published, Study
from commongarden.study.recipe import Recipe
from grown import grown
from prose import catalogues


def neutral(word):
    return f"{word[:-1]}q"


def words_of(pattern):
    """Short messages, as long as their neutral forms sort like them."""
    known = {message.id for message in catalogues.read("ko") if isinstance(message.id, str) and not message.context}
    kept = []
    for word in sorted(word for word in known if re.fullmatch(pattern, word) and len(word) < 16):
        if neutral(word) not in known and (not kept or neutral(word) > neutral(kept[-1])):
            kept.append(word)
    return kept


WORDS = words_of(r"[A-Za-z][A-Za-z-]{3,}( [A-Za-z-]+)?")
ARMS = ("loss", "none", "test")
CLASSES = tuple(word for word in WORDS if word not in ARMS)[::16]
GROUPS = tuple(word for word in WORDS if word not in ARMS)[1::2]


def store_of(root, name):
    """A study with five arms and two seeds; `name` gives each of its words."""
    arms = tuple(map(name, ARMS))
    study = Study(
        name("study"),
        name("photos"),
        dict(zip(arms, map(Arm, ("plain_flower", "residual_flower", "plain_flower")), strict=True)),
        Recipe(resolution=32, epochs=3),
        (0, 1, 2),
        description=name("network"),
        published={arms[0]: Published(0.4, 4082)},
        published_source=name("source"),
    )
    nan = dataclasses.replace(Failure(verbatim(name("no such file")), 2, 5), traceback=name("a number"))
    reached = ((0.4, 0.42, 0.41), (0.6, 0.61, 0.63), (0.5, nan, 0.52))
    groups = tuple(map(name, GROUPS))
    return grown(
        root, dict(zip(arms, reached, strict=True)), study=study, classes=tuple(map(name, CLASSES)),
        group=lambda photo: groups[int(photo.path[-7:-4]) % len(groups)],
    )  # fmt: skip


COMMANDS = ("report {}", "report {} --format md", "compare {}", "explain {}", "status {}")
WRITTEN = (".html", ".csv", ".json", ".md")


def said_of(store):
    """What the commands print, and the texts that they write."""
    before = set(store.root.iterdir())
    printed = []
    for command in COMMANDS:
        found = CliRunner().invoke(main, command.format(store.root).split())
        assert found.exception is None or isinstance(found.exception, SystemExit), command
        printed.append((command, found.output))
    files = [
        (path.name, path.read_text("utf-8"))
        for new in sorted(set(store.root.iterdir()) - before)
        for path in ([new] if new.is_file() else sorted(new.rglob("*")))
        if path.suffix in WRITTEN
    ]
    no_names = re.compile(r"\b[0-9a-f]{12,64}\b|(?<=;base64,)[\w+/=]+")  # hashes and pictures
    return [(name, no_names.sub("DATA", text)) for name, text in printed + files]


def test_names_of_a_study_stay_in_all_that_is_said_of_it(tmp_path, brackets):
    assert len(CLASSES) > 5
    one, two = (
        said_of(store_of(tmp_path / folder / "study", name))
        for folder, name in (("one", lambda word: word), ("two", neutral))
    )
    assert len(one) > len(COMMANDS) + 3
    used_words = sorted({*ARMS, *CLASSES, *GROUPS, "study", "photos", "network", "source", "no such file", "a number"},
                        key=len, reverse=True)  # fmt: skip
    for (name, left), (_other, right) in zip(one, two, strict=True):
        right = right.replace("/two/", "/one/")
        for word in used_words:
            right = right.replace(neutral(word), word)
        lines = zip(left.splitlines(), right.splitlines(), strict=True)
        wrong = [(line, other) for line, other in lines if line != other]
        assert [shortened(*pair) for pair in wrong[:3]] == [], name


def shortened(one, other):
    """Where two lines begin to differ."""
    first = next((i for i, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), 0)
    return one[max(0, first - 60) : first + 60], other[max(0, first - 60) : first + 60]


def photos_of(root, name):
    """Classes and files called by words, a duplicate, two labels for one photo, and files that are no photos."""
    generator = np.random.default_rng(0)
    for label in map(name, CLASSES[:3]):
        (root / label).mkdir(parents=True)
        for number, word in enumerate(map(name, CLASSES)):
            pixels = generator.integers(0, 255, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / label / f"{word}.{number}.png")
        (root / label / f"{name('none')}.png").write_bytes(b"")
    one, two, three = (root / label for label in map(name, CLASSES[:3]))
    copied = (one / f"{name(CLASSES[1])}.1.png").read_bytes()
    (two / f"{name('test')}.png").write_bytes(copied)
    (one / f"{name('loss')}.png").write_bytes(copied)
    (three / f"{name('train')}.jpg").write_bytes(b"no image")
    return root


def test_names_of_photos_stay_in_what_a_check_says(tmp_path, brackets):
    def checked(folder, name):
        found = CliRunner().invoke(main, ["data", "check", str(photos_of(tmp_path / folder / "data", name))])
        assert found.exit_code == 1
        return found.output

    one, two = checked("one", lambda word: word), checked("two", neutral)
    for word in sorted({*CLASSES, "none", "test", "loss", "train"}, key=len, reverse=True):
        two = two.replace(neutral(word), word)
    assert one == two.replace("/two/", "/one/")
    assert f"{CLASSES[0]}/none.png" in one


def test_a_class_of_somebody_elses_is_no_kind_of_layer_whatever_its_name():
    class Add(nn.Module):
        pass

    class Scaled(nn.Module):
        pass

    with used("ko"):
        assert kind_name(work.kind(Add())) == "Add (class)"
        assert kind_name(work.kind(Scaled())) == "Scaled"
        assert not {*KINDS} - work.WORDS


@pytest.mark.soak
def test_names_stay_in_a_run_and_its_predictions_in_korean(tmp_path, commongarden):
    """Three classes, an arm and a file that are words of the catalogue, through a run that trains."""
    generator = np.random.default_rng(0)
    labels = ("none", "test", "train")
    for number, label in enumerate(labels):
        (tmp_path / "loss" / label).mkdir(parents=True)
        for i in range(8):
            pixels = generator.integers(0, 120, (16, 16, 3), dtype=np.uint8)
            pixels[..., number] += 80
            Image.fromarray(pixels).save(tmp_path / "loss" / label / f"{i}.png")
    Image.new("RGB", (16, 16)).save(tmp_path / "loss" / "none" / "path.png")
    study = f"""
        [study]
        data = "{(tmp_path / "loss").as_posix()}"
        seeds = 1
        [recipe]
        resolution = 16
        epochs = 1
        [arms.test]
        arch = "plain_flower"
        [arms.seed]
        arch = "residual_flower"
    """
    (tmp_path / "study.toml").write_text(study)
    out = tmp_path / "out"
    ran = commongarden("run", tmp_path / "study.toml", "--out", out, "--lang", "ko", check=0)
    assert re.search(r"(?m)\btest, 시드 0", ran.stdout + ran.stderr)
    rows = commongarden("predict", out / "runs/test/0", tmp_path / "loss/none/path.png", "--lang", "ko", check=0).stdout
    assert {row.split(",")[2] for row in rows.splitlines()[1:]} == set(labels)
    found = json.loads(commongarden("data", "check", tmp_path / "loss", "--json", "--lang", "ko").stdout)
    assert set(found["classes"]) == set(labels)
    cells = (out / "results.csv").read_text("utf-8")
    assert re.search(r"(?m)^arm,test,", cells)
    assert re.search(r"(?m)^arm,seed,", cells)
    page = (out / "report.html").read_text("utf-8")
    assert all(f">{name}<" in page for name in ("test", "seed", *labels))
