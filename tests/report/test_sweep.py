"""A study with too many models to read of each: the best, the reference, and the others counted."""

import dataclasses
import re

import pytest
from click.testing import CliRunner

from commongarden import report, summarize
from commongarden.cli import main
from commongarden.stats.foremost import foremost, others, ranked
from commongarden.study import Arm, Study
from commongarden.study.recipe import Recipe
from grown import grown

NAMES = [f"net{i:02}" for i in range(15)]
REACHED = {
    name: tuple(0.50 + 0.02 * ((7 * i) % 15) + 0.01 * seed for seed in (0, 1, 2)) for i, name in enumerate(NAMES)
}
ARMS = {name: Arm("plain_flower", {}, {"lr": 0.1} if i % 2 else {}) for i, name in enumerate(NAMES)}
BEST = sorted(NAMES, key=lambda name: -REACHED[name][0])


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    study = Study("sweep", "photos", ARMS, Recipe(resolution=32, epochs=4), (0, 1, 2), reference=BEST[12])
    return grown(tmp_path_factory.mktemp("sweep") / "study", REACHED, study=study)


def test_the_best_and_the_reference_are_told_of_one_by_one(sweep):
    results = summarize(sweep)
    told = foremost(results)
    assert [arm.arm for arm in told.arms] == [*BEST[:10], BEST[12]]
    assert [arm.arm for arm in ranked(results)] == BEST
    assert {found.arm for found in told.contrasts} == set(BEST[:10])
    arms, contrasts = others(results)
    assert [arm.arm for arm in arms] == [BEST[10], BEST[11], BEST[13], BEST[14]]
    assert len(contrasts) == 4


def test_twelve_models_are_all_told_of(sweep):
    results = summarize(sweep)
    few = dataclasses.replace(results, arms=results.arms[:12])
    assert foremost(few) is few


def test_the_page_names_the_best_and_lists_all_in_a_fold(sweep):
    page = report.write(sweep).read_text(encoding="utf-8")
    tables = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert "4 other models are in results.csv." in page
    assert "All 15 models" in tables
    assert "All 14 comparisons" in tables
    assert f'data-arm="{BEST[0]}"' in tables
    assert f'data-arm="{BEST[14]}"' not in tables
    assert f"comparisons with {BEST[12]} (Dunnett)" in tables
    assert "p, Dunnett" in tables
    assert "p, Holm" not in tables
    assert "Dunnett, C. W. (1955)" in tables
    assert tables.count("lr 0.1") < 4  # of seven arms that share it


def test_the_terminal_tells_of_the_best(sweep):
    said = CliRunner().invoke(main, ["compare", str(sweep.root)], terminal_width=80).output
    assert BEST[0] in said
    assert BEST[14] not in said
    assert "4 other models are in results.csv" in " ".join(said.split())
    assert "adjusted for all 14 comparisons with" in " ".join(said.split())
    listed = CliRunner().invoke(main, ["status", str(sweep.root)]).output
    assert "15 models: all runs finished" in listed
    assert len(listed.splitlines()) == 2


def test_the_lab_report_has_a_section_for_each_of_the_best_alone(sweep):
    report.write_as(sweep, ["md"])
    text = (sweep.root / "report.md").read_text(encoding="utf-8")
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert any(BEST[0] in line for line in headings)
    assert not any(BEST[14] in line for line in headings)
    assert "4 other models are in results.csv." in text
