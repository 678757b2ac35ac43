"""A report in another language has nothing of English but names and terms of the field."""

import dataclasses
import html
import json
import re

import pytest

from commongarden import stats
from commongarden.i18n.language import used
from commongarden.records import Failure, LeftOut
from commongarden.records.findings import Audit, Finding
from commongarden.report import written_report
from commongarden.report.document import markdown
from commongarden.report.wording import audits
from commongarden.store import write_audit
from commongarden.study import Arm, Study
from commongarden.study.recipe import Recipe
from forged import forged
from grown import grown
from leftover import left_over, names_of, shown

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
    forged(store.root / "split.json", json.dumps(kept))
    return store


def factorial(root):
    study = Study(
        "grid",
        "photos",
        recipe=Recipe(resolution=32, epochs=4),
        seeds=(0, 1, 2),
        factors={"arch": ("plain_flower", "residual_flower"), "order": ("LAB", "LBA")},
    )
    reached = zip(
        study.arms, ((0.4, 0.41, 0.43), (0.5, 0.52, 0.51), (0.55, 0.56, 0.53), (0.6, 0.62, 0.61)), strict=True
    )
    return grown(root, dict(reached), study=study)


STORES = {
    "several seeds": several,
    "failures": failed,
    "published": lambda root: grown(root, {"a": (0.5, 0.52), "b": (0.6, 0.61)}, published={"a": 0.3}),
    "one seed": lambda root: grown(root, {"a": (0.5,), "b": (0.6,), "c": (0.6,)}),
    "factors": factorial,
    "one arm": lambda root: grown(root, {"a": (0.5, 0.6)}),
    "nothing yet": lambda root: grown(root, {"a": (), "b": ()}),
    "split by seed": lambda root: grown(root, FIVE, study=of_study(vary=("init", "order", "split"))),
    "log loss": lambda root: grown(root, FIVE, study=of_study(metric="log_loss", description="Which?")),
}


@pytest.fixture(scope="module", params=STORES)
def store(request, tmp_path_factory):
    return STORES[request.param](tmp_path_factory.mktemp("page") / "study")


@pytest.fixture(scope="module")
def results(store):
    return stats.summarize(store)


def test_all_that_the_report_says_was_looked_up(store, results, brackets):
    said = shown(store, results)
    assert '<html lang="xx">' in said
    assert left_over(said, names_of(store)) == []


def test_no_english_is_left_over_in_korean(store, results):
    with used("ko"):
        said = shown(store, results)
    assert '<html lang="ko">' in said
    assert left_over(said, names_of(store)) == []


# labels of layers in a drawing, and file names
LAYERS = {"conv", "max", "avg", "pool", "global", "dense", "BN", "figures", "figure", "svg"}
WRITTEN = ("several seeds", "failures")


def written(store, results):
    """The lab report's text, without the log, whose form is the original experiment's."""
    text, _figures = markdown.to_markdown(written_report.lab_report(store, results), "figures")
    text = re.sub(r"```.*?```|<br>", " ", text, flags=re.DOTALL).replace("\\", "")
    return f"<p>{html.escape(text)}</p>"


@pytest.mark.parametrize("store", WRITTEN, indirect=True)
def test_all_that_the_written_report_says_was_looked_up(store, results, brackets):
    assert left_over(written(store, results), names_of(store) | LAYERS) == []


@pytest.mark.parametrize("store", WRITTEN, indirect=True)
def test_no_english_is_left_over_in_the_written_report_in_korean(store, results):
    with used("ko"):
        said = written(store, results)
    assert left_over(said, names_of(store) | LAYERS) == []
