"""The fairness contract: what is equal, what differs and was declared, and what is refused."""

import csv
import dataclasses
import json
import shutil

import msgspec
import pytest
from click.testing import CliRunner

from commongarden import report, stats
from commongarden import store as stores
from commongarden import study as studies
from commongarden.cli import main
from commongarden.errors import StoreError
from commongarden.records import Manifest, Photo, Split
from commongarden.report.topics import terms
from commongarden.report.wording import designs, words
from commongarden.store import contract
from commongarden.study import Arm, Contrast, Study
from commongarden.study.recipe import Recipe
from forged import forged
from grown import MACHINE, grown

MANIFEST = Manifest(
    "photos", tuple(Photo(f"{label}/{i}.png", label, "", f"{label}{i}") for label in "ab" for i in "12")
)
SPLIT = Split(("a/1.png", "b/1.png"), ("a/2.png",), ("b/2.png",))
FLOWERS = studies.read("flowers")
PAIR = Study(
    "pair",
    "photos",
    {"one": Arm("plain_flower"), "two": Arm("residual_flower", {}, {"lr": 0.01})},
    Recipe(resolution=32),
    (0, 1),
    contrasts=(Contrast("two", "one"),),
)


def splits_of(study):
    return dict.fromkeys(study.seeds, SPLIT)


def test_a_contract_holds_what_is_shared_and_what_is_an_arms_own():
    found = contract.of(PAIR, MANIFEST, splits_of(PAIR))
    assert found.own == (("two", "lr", 0.01),)
    assert "lr" not in found.recipe
    assert found.recipe["resolution"] == 32
    assert found.splits == ((0, SPLIT.hash), (1, SPLIT.hash))
    assert found.data == MANIFEST.hash
    (between,) = found.differences
    assert (between.arm, between.against) == ("two", "one")
    assert "adds an identity shortcut" in between.network
    assert between.declared == (("lr", "0.01", "0.001"),)


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"seeds": (0, 1, 2)},
        {"vary": ("init",)},
        {"recipe": Recipe(resolution=32, epochs=11)},
        {"arms": {**PAIR.arms, "two": Arm("residual_flower", {}, {"lr": 0.02})}},
        {"arms": {**PAIR.arms, "two": Arm("residual_flower", {"order": "LBA"}, {"lr": 0.01})}},
    ],
)
def test_another_soil_has_another_hash(changes):
    other = dataclasses.replace(PAIR, **changes)
    before, after = (contract.of(study, MANIFEST, splits_of(study)).hash for study in (PAIR, other))
    assert before != after
    assert before == contract.of(dataclasses.replace(PAIR, name="else"), MANIFEST, splits_of(PAIR)).hash


def test_the_networks_difference_is_computed():
    found = contract.of(FLOWERS, MANIFEST, splits_of(FLOWERS))
    said = {(between.arm, between.against): between for between in found.differences}
    assert said["LAB", "LA"].network.startswith("adds batch norm without scale and shift after each of 38 convolutions")
    assert said["LAB", "LA"].declared == ()
    assert said["LAB", "LAB64"].network == ""
    assert said["LAB", "LAB64"].declared == (("resolution", "96", "64"),)


def test_a_declared_difference_is_named_where_the_networks_differ_too():
    def together(*pair):
        return contract.together(FLOWERS, Contrast(*pair), 5)

    assert together("bottleneck", "LAB") == (("resolution", "64", "96"),)
    assert together("bottleneck", "LAB64") == ()
    assert together("LAB", "LAB64") == ()  # the resolution is what is compared
    assert designs.words_together(together("bottleneck", "LAB")) == "(together with resolution 64 against 96)"
    assert designs.words_together(()) == ""


def test_options_that_make_no_difference_are_none(tmp_path):
    arms = {"a": Arm("plain_flower"), "b": Arm("plain_twin"), "c": Arm("residual_twin")}
    study = Study("s", "photos", arms)
    assert "architecture" in {row[0] for row in stats.differences_of(study, Contrast("c", "b"), 5)}
    form = Arm("resnet18", {"shortcut": "zeros"})
    same = Study("s", "photos", {"a": form, "b": dataclasses.replace(form, overrides={"lr": 0.1})})
    assert stats.differences_of(same, Contrast("b", "a"), 5) == (("lr", "0.1", "0.001"),)


ACCURACIES = {"one": (0.5, 0.55), "two": (0.6, 0.66)}


def test_the_verdict_and_the_page_name_what_was_declared(tmp_path):
    store = grown(tmp_path, ACCURACIES, study=PAIR)
    (found,) = stats.summarize(store).contrasts
    assert found.together == (("lr", "0.01", "0.001"),)
    assert words.verdict(found).endswith(" (together with lr 0.01 against 0.001).")
    assert words.verdict(dataclasses.replace(found, together=())) in words.verdict(found).replace(
        " (together with lr 0.01 against 0.001)", ""
    )
    text = report.write(store).read_text(encoding="utf-8")
    text = text[: text.index("<script>")]
    assert "What is equal, what differs" in text
    assert "Declared differences: lr 0.01 against 0.001." in text
    assert "The same for all models except lr." in text
    assert "2 seeds per model, 10 epochs each." in text
    kept = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert kept["contract"][:12] in text
    assert kept["contract"] == contract.of(PAIR, store.manifest(), store.splits()).hash


def test_the_contract_lies_in_the_store(finished):
    store = stores.open_store(finished)
    table = json.loads((finished / "contract.json").read_text(encoding="utf-8"))
    found = contract.of(store.study(), store.manifest(), store.splits())
    assert table.pop("hash") == found.hash
    assert table == json.loads(msgspec.json.encode(found))
    assert json.loads((finished / "results.json").read_text(encoding="utf-8"))["contract"] == found.hash


def test_a_store_from_before_there_were_contracts_goes_on(finished, study_file, tmp_path):
    shutil.copytree(finished, tmp_path / "s")
    (tmp_path / "s" / "contract.json").unlink()
    file = tmp_path / "s" / "study.toml"
    text = file.read_text(encoding="utf-8")
    forged(file, text.replace('vary = [\n    "init",\n    "order",\n]\n', ""))
    assert "vary" not in file.read_text(encoding="utf-8")
    for command in (["report", tmp_path / "s"], ["run", study_file, "--out", tmp_path / "s"]):
        told = CliRunner().invoke(main, list(map(str, command)))
        assert told.exit_code == 0, told.output
    assert file.read_text(encoding="utf-8") == text
    assert (tmp_path / "s" / "contract.json").read_bytes() == (finished / "contract.json").read_bytes()


# What was not declared


def altered(store, arm, seed, **changes):
    path = store.directory(arm, seed) / "run.json"
    run = dataclasses.replace(store.run(arm, seed), **changes)
    forged(path, msgspec.json.encode(run))
    return run


def changed_recipe(store):
    return {"recipe": dataclasses.replace(store.run("plain", 1).recipe, lr=0.5, threads=2)}


def changed_hash(name):
    return lambda store: {"hashes": dataclasses.replace(store.run("plain", 1).hashes, **{name: "f" * 64})}


@pytest.mark.parametrize(
    ("change", "messages"),
    [
        (changed_recipe, ["recipe.lr: 0.5 in the run, 0.003 in the", "recipe.threads: 2 in the run, 1 in the study"]),
        (changed_hash("data"), ["data: ffffffffffff in the run"]),
        (changed_hash("split"), ["split: ffffffffffff in the run"]),
        (lambda store: {"pixel_mean": (1.0, 2.0, 3.0)}, ["pixel statistics (plain, seed 0): 1.0+2.0+3.0"]),
        (lambda store: {"classes": ("daisy", "rose", "violet")}, ["classes: daisy+rose+violet in the run"]),
    ],
)
def test_an_undeclared_difference_is_refused(finished, study_file, tmp_path, change, messages):
    shutil.copytree(finished, tmp_path / "s")
    store = stores.open_store(tmp_path / "s")
    altered(store, "plain", 1, **change(store))
    with pytest.raises(StoreError) as error:
        stats.summarize(store)
    for message in messages:
        assert f"plain, seed 1: {message}" in str(error.value)
    assert "runs/ARM/SEED" in str(error.value)
    for command in (
        ["compare", store.root],
        ["report", store.root],
        ["run", study_file, "--seeds", 3, "--out", store.root],
    ):
        told = CliRunner().invoke(main, list(map(str, command)))
        assert told.exit_code == 2, told.output
        assert f"plain, seed 1: {messages[0]}" in told.output
    assert not store.has("plain", 2)


def test_what_is_put_elsewhere_can_be_made_anew(finished, study_file, tmp_path, commongarden):
    shutil.copytree(finished, tmp_path / "s")
    store = stores.open_store(tmp_path / "s")
    altered(store, "plain", 1, **changed_recipe(store))
    shutil.move(store.directory("plain", 1), tmp_path / "elsewhere")
    commongarden("run", study_file, "--out", store.root, check=0)
    assert store.run("plain", 1).recipe == stores.open_store(finished).run("plain", 1).recipe


def test_pixel_statistics_of_a_failed_run_and_of_another_split_are_no_matter(tmp_path):
    study = dataclasses.replace(PAIR, vary=("init", "split"))
    store = grown(tmp_path, ACCURACIES, study=study)
    for arm in study.arms:
        altered(store, arm, 1, pixel_mean=(9.0, 9.0, 9.0))
    assert contract.undeclared(study, store.manifest(), store.splits(), store.runs()) == []
    altered(store, "one", 1, pixel_mean=(8.0, 9.0, 9.0))
    (line,) = contract.undeclared(study, store.manifest(), store.splits(), store.runs())
    assert line.startswith("two, seed 1: pixel statistics (one, seed 1): 9.0+9.0+9.0")


def test_other_versions_and_machines_are_told(tmp_path):
    store = grown(tmp_path, ACCURACIES, study=PAIR)
    assert terms.terms(PAIR, store.manifest(), store.splits(), store.runs()).warnings == ()
    newer = dataclasses.replace(MACHINE, processor="Another", packages={**MACHINE.packages, "torch": "2.14.0"})
    altered(store, "one", 1, machine=newer)
    text = report.write(store).read_text(encoding="utf-8")
    assert "The runs used torch 2.13.0 and 2.14.0: results may differ in the last bits." in text
    assert "The runs come from 2 machines or devices: times and memory cannot be compared across them." in text


def test_a_machine_that_trains_the_same_model_more_slowly_is_told(tmp_path):
    store = grown(tmp_path, ACCURACIES, study=PAIR)
    here, there = (dataclasses.replace(MACHINE, host=host) for host in ("node1", "node2"))
    for seed in range(len(ACCURACIES["one"])):
        altered(store, "one", seed, machine=here if seed % 2 else there)
    assert "times as long on" not in report.write(store).read_text(encoding="utf-8")
    for seed in range(0, len(ACCURACIES["one"]), 2):
        path = store.directory("one", seed) / "history.csv"
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        more = [{name: 1.5 * float(row[name]) for name in row if name.startswith("seconds")} for row in rows]
        slower = [row | {name: str(value) for name, value in one.items()} for row, one in zip(rows, more, strict=True)]
        lines = [",".join(rows[0]), *(",".join(row.values()) for row in slower)]
        forged(path, "\n".join(lines).encode() + b"\n")
    text = report.write(store).read_text(encoding="utf-8")
    assert "Training one took 1.5 times as long on node2 as on node1" in text


# Words


@pytest.mark.parametrize(
    ("vary", "folds", "said"),
    [
        (("init", "order"), 0, ["What differs from seed to seed: initial weights and image order with",
                                "The same in all runs of a model: the split.", "are estimated separately"]),
        (("init", "order", "split"), 0, ["augmentation and dropout and the split.", "cannot be separated"]),
        (("init",), 0, ["seed: initial weights.", "model: image order with augmentation and dropout and"]),
        (("order",), 5, ["divided into 5 folds", "Folds also differ in image order",
                         "The same in all runs of a model: initial weights.", "cannot be separated"]),
        ((), 5, ["divided into 5 folds"]),
    ],
)  # fmt: skip
def test_what_lies_between_runs_is_said(vary, folds, said):
    text = " ".join(designs.between(vary, folds))
    for part in said:
        assert part in text


def test_a_study_of_folds_speaks_of_folds(tmp_path):
    study = dataclasses.replace(PAIR, folds=2)
    store = grown(tmp_path, ACCURACIES, study=study)
    text = report.write(store).read_text(encoding="utf-8")
    text = text[: text.index("<script>")]
    assert "2 models × 2 folds" in text
    assert "2 folds of one shuffle" in text
    assert ">folds<" in text
    assert "differences are paired by fold" in text
    assert ", 2 folds)" in words.verdict(stats.summarize(store).contrasts[0])
    assert "The counts are those of the first fold" in text
