"""A study of photos that belong to groups: prepared from photos, stored, and reported with groups as the unit."""

import dataclasses
import html
import json

import pytest

from commongarden import stats
from commongarden import study as study_files
from commongarden.data import folder
from commongarden.report import files, results_csv
from commongarden.report.topics import evidence, terms
from commongarden.report.wording import words
from commongarden.runner.prepared_data import prepare_data
from commongarden.study import Contrast
from grown import grown


def plant(photo):
    """Three photos of each class are of one plant; the last ones are of none."""
    number = int(photo.path[-7:-4])
    return f"plant {number // 3}" if number < 33 else ""


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    root = tmp_path_factory.mktemp("grouped")
    reached = {"plain": (0.60, 0.62, 0.61), "residual": (0.66, 0.63, 0.68)}
    contrasts = (Contrast("residual", "plain"),)
    return {
        kind: grown(root / kind, reached, contrasts=contrasts, **({"group": plant} if kind == "grouped" else {}))
        for kind in ("grouped", "single")
    }


def test_results_count_groups(stores):
    found, single = (stats.summarize(stores[kind]) for kind in ("grouped", "single"))
    assert (found.n_groups, found.n_test_groups) == (11 + len(stores["grouped"].manifest().photos) - 99, 12)
    assert (single.n_groups, single.n_test_groups) == (0, 0)
    (mine,), (plain,) = found.contrasts, single.contrasts
    assert mine.difference.value == pytest.approx(plain.difference.value)
    assert "groups of test photos" in mine.difference.method
    assert mine.difference.method != plain.difference.method
    assert mine.components.photo != plain.components.photo
    for one, two in zip(found.arms, single.arms, strict=True):
        assert one.test_accuracy.value == pytest.approx(two.test_accuracy.value)
        assert "groups of test photos" in one.test_accuracy.method
    assert "groups of photos as on the test part" in found.budgets[0].views[0].difference.method


def test_reports_say_what_the_unit_is(stores):
    store = stores["grouped"]
    results = stats.summarize(store)
    said = words.intervals(results)
    assert "the unit is the 12 groups of the test set, not its 100 images" in said
    files.write(store, results)
    page = " ".join(html.unescape((store.root / "report.html").read_text(encoding="utf-8")).split())
    for text in (
        "the unit is the 12 groups of the test set",
        "The images belong to 11 groups, each in one set.",
        "Seeds are therefore crossed with groups",
        "Bell & McCaffrey 2002",
        "between groups",
        "100 test images of 12 groups: ",
    ):
        assert text in page
    assert "between photos" not in page
    table = json.loads((store.root / "results.json").read_text(encoding="utf-8"))
    assert (table["n_groups"], table["n_test_groups"]) == (results.n_groups, 12)
    assert results_csv.to_csv(results)
    columns = evidence.columns(stats.summarize(stores["single"]))
    assert "sd_photo" in columns
    assert "sd_group" not in columns


def test_advice_is_in_groups(stores):
    (contrast,) = stats.summarize(stores["grouped"]).contrasts
    assert contrast.outcome == "not resolved"
    found = dataclasses.replace(contrast.remedy, settle=None, likely=None, only_photos=True, wanted=0.01)
    assert words.remedy(dataclasses.replace(contrast, remedy=found)) == (
        "With 100 test images of 12 groups, more seeds alone cannot resolve a difference of 1 point; more groups can."
    )
    alone = dataclasses.replace(contrast.difference, low=None, high=None)
    one = dataclasses.replace(contrast, outcome="one group", difference=alone, adjusted=None)
    assert (
        words.verdict(one) == "residual and plain were tested on one group of images: there is no confidence interval."
    )


def test_a_divided_group_is_reported(tmp_path):
    """Declared parts may divide a group; these do, since the test photos' last plant goes on in the others."""
    store = grown(
        tmp_path / "divided", {"plain": (0.6, 0.6)}, group=lambda photo: f"plant {int(photo.path[-7:-4]) // 10}"
    )
    found = terms.terms(store.study(), store.manifest(), store.splits(), store.runs())
    (said,) = found.warnings
    assert said.startswith("1 group is in two or more sets (plant 3: train, val, test): 10 of 100 test photos, 5 of 5")
    assert "The images belong to 5 groups, 1 of them in more than one set." in dict(found.equal)["Split"]
    files.write(store)
    assert "plant 3: train, val, test" in (store.root / "report.html").read_text(encoding="utf-8")


def test_preparing_a_study_of_grouped_photos(study_file, photos, tmp_path, monkeypatch):
    """Every four photos of a class are of one plant, as a CSV could say."""
    plain = folder.scan(str(photos))

    def scan(*args, **options):
        return dataclasses.replace(
            plain,
            photos=tuple(
                dataclasses.replace(photo, group=f"{photo.label} {int(photo.path[-6:-4]) // 4}")
                for photo in plain.photos
            ),
        )

    monkeypatch.setattr(folder, "scan", scan)
    study = study_files.read(study_file)
    store, prepared = prepare_data(study, tmp_path / "small", tmp_path / "cache")
    assert store.manifest().photos == prepared.manifest.photos
    assert prepared.manifest.photos[0].group == "daisy 0"
    group = {photo.path: photo.group for photo in store.manifest().photos}
    parts = [{group[path] for path in part} for part in (prepared.split.train, prepared.split.val, prepared.split.test)]
    assert [len(part) for part in parts] == [9, 3, 3]
    assert len(set().union(*parts)) == 15
    folds = dataclasses.replace(study, seeds=tuple(range(5)), folds=5)
    store, prepared = prepare_data(folds, tmp_path / "folds", tmp_path / "cache")
    tested = [{group[path] for path in split.test} for split in store.splits().values()]
    assert [len(found) for found in tested] == [3] * 5
    assert len(set().union(*tested)) == 15
