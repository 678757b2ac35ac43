"""A page in another language has nothing of English but names and terms of the field."""

import dataclasses
import html
import io
import json
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from commongarden import arch, stats
from commongarden.findings import Audit, Finding
from commongarden.language import used
from commongarden.recipe import FIELDS, Recipe
from commongarden.records import Failure, LeftOut
from commongarden.report import audits, page, tables
from commongarden.store import write_audit
from commongarden.study import Arm, Study
from grown import MACHINE, grown
from prose import outside

SPOKEN = ("aria-label", "alt", "title", "placeholder")
# as every language has them: names of methods, people, programs and file kinds, units
TERMS = {
    "MAC", "MACs", "FLOPs", "Holm", "McNemar", "Nadeau", "Bengio", "JavaScript", "CSV", "JSON", "torch", "commongarden",
    "MB", "GiB", "ms", "ReLU", "Lan", "DeMets", "AdamW", "SGD", "PyTorch",
}  # fmt: skip


class Spoken(HTMLParser):
    """What is read or heard of a page: text, names of parts, and the texts of its charts."""

    def __init__(self, page):
        super().__init__()
        self.texts, self.specs, self.inside = [], "", ""
        self.feed(page)
        charts = json.loads(self.specs) if self.specs else {}
        self.texts += [text for text in strings(charts) if not re.search(r"datum|var\(|^#|:[QN]$", text)]

    def handle_starttag(self, tag, attributes):
        kept = dict(attributes)
        if tag in ("style", "script", "code"):
            self.inside = "specs" if kept.get("id") == "specs" else tag
        self.texts += [kept[name] for name in SPOKEN if kept.get(name)]

    def handle_endtag(self, tag):
        if tag in ("style", "script", "code"):
            self.inside = ""

    def handle_data(self, data):
        if self.inside == "specs":
            self.specs += data
        elif not self.inside and data.strip():
            self.texts.append(data)


TITLES = {"title", "text", "said", "label", "verdict", "description", "name_of", "told"}


def strings(found, key=""):
    """What a chart writes: titles, and the texts in its rows."""
    if isinstance(found, dict):
        for name, value in found.items():
            yield from strings(value, name)
    elif isinstance(found, list):
        for value in found:
            yield from strings(value, key)
    elif isinstance(found, str) and key in TITLES:
        yield found


def left_over(page, names):
    """Words in Latin letters that are no names."""
    words = set()
    for text in Spoken(page).texts:
        text = re.sub(r"\S*[/=\\]\S*|\b[0-9a-f]{7,}\b|[\w.]+\.(json|html|csv|png|jpg|py)\b", " ", outside(text))
        words |= {word for word in re.findall(r"[A-Za-z][A-Za-z_]+", text) if not set(word) <= set("LAB")}
    return sorted(words - names)


ARMS = {
    "plain": Arm("plain_flower"),
    "residual": Arm("residual_flower", {"order": "LBA"}),
    "third": Arm("residual_flower", {"order": "LBA"}, {"lr": 0.01, "augment": ("flip",)}),
}


def of_study(**changes):
    study = Study("grown", "photos", ARMS, Recipe(resolution=32, epochs=4), (0, 1, 2))
    return dataclasses.replace(study, **changes)


FIVE = {"plain": (0.42, 0.43, 0.41), "residual": (0.61, 0.62, 0.6), "third": (0.6, 0.63, 0.59)}


def several(root):
    store = grown(root, FIVE, study=of_study(seeds=(0, 1, 2)))
    findings = tuple(
        Finding(kind, "plain_flower / conv 7x7", 0.5, dict.fromkeys(
            ("output", "layers", "first", "last", "input", "units", "error", "momentum", "steps", "residue",
             "batch_size", "loss", "guessing"), 2.0), "weight")
        for kind in audits._SENTENCES
    )  # fmt: skip
    for arm, found in (("plain", findings), ("residual", ())):
        write_audit(store, arm, Audit(1, "", 40, found, ()))
    return store


def failed(root):
    nan = Failure("the training loss became nan", 2, 5)
    killed = Failure("2 times: the worker was killed by signal 9 (SIGKILL), most likely for want of memory")
    store = grown(root, {"a": (0.5, nan, 0.6), "b": (killed, killed, nan), "c": (0.34, 0.33, 0.34)})
    split = store.split()
    left_out = (LeftOut(split.train[0], "the same photo is in the val part (a.png), where it stays"),)
    kept = json.loads((store.root / "split.json").read_text())
    kept["left_out"] = [dataclasses.asdict(one) for one in left_out]
    (store.root / "split.json").write_text(json.dumps(kept))
    return store


STORES = {
    "several seeds": several,
    "failures": failed,
    "published": lambda root: grown(root, {"a": (0.5, 0.52), "b": (0.6, 0.61)}, published={"a": 0.3}),
    "one seed": lambda root: grown(root, {"a": (0.5,), "b": (0.6,), "c": (0.6,)}),
    "one arm": lambda root: grown(root, {"a": (0.5, 0.6)}),
    "nothing yet": lambda root: grown(root, {"a": (), "b": ()}),
    "split by seed": lambda root: grown(root, FIVE, study=of_study(vary=("init", "order", "split"))),
    "balanced accuracy": lambda root: grown(root, FIVE, study=of_study(metric="balanced_accuracy")),
    "log loss": lambda root: grown(root, FIVE, study=of_study(metric="log_loss")),
    "calibration": lambda root: grown(root, FIVE, study=of_study(metric="calibration_error", description="Which?")),
}


@pytest.fixture(scope="module", params=STORES)
def store(request, tmp_path_factory):
    return STORES[request.param](tmp_path_factory.mktemp("page") / "study")


@pytest.fixture(scope="module")
def results(store):
    return stats.summarize(store)


def names_of(store):
    """What the study and the machine call things."""
    study = store.study()
    said = [
        study.name,
        study.description,
        study.data,
        study.published_source,
        *store.manifest().classes,
        MACHINE.system,
    ]
    said += [MACHINE.processor, "python", *MACHINE.packages, *FIELDS, "cpu", "True", "False", "true", "false"]
    for name, arm in study.arms.items():
        said += [name, arm.arch, *arm.options, *map(str, arm.options.values())]
        said += [part for path in arch.trace(arm.network(3), (32, 32, 3)) for part in path.path]
        recipe = study.recipe_of(name)
        said += [str(getattr(recipe, field)) for field in FIELDS]
    return {word for text in said for word in re.findall(r"[A-Za-z][A-Za-z_]*", text)} | TERMS


def shown(store, results):
    """The page, and what `compare` prints."""
    console = Console(width=400, file=io.StringIO())
    for part in tables.terminal(results):
        console.print(part)
    return page.render(store, results) + f"<p>{html.escape(console.file.getvalue())}</p>"


def test_all_that_the_report_says_was_looked_up(store, results, brackets):
    said = shown(store, results)
    assert '<html lang="xx">' in said
    assert left_over(said, names_of(store)) == []


def test_no_english_is_left_over_in_korean(store, results):
    with used("ko"):
        said = shown(store, results)
    assert '<html lang="ko">' in said
    assert left_over(said, names_of(store)) == []
