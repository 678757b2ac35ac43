"""What a stored record says is in its fields, not in the words of its sentences; records of earlier versions, which had
no such fields, are read by what they had."""

import json
import re

import pytest
from click.testing import CliRunner

from commongarden import store as stores
from commongarden.cli import main
from commongarden.explain.training import observations
from commongarden.records import Failure
from commongarden.study import Arm, Study
from commongarden.study.recipe import Recipe
from forged import forged
from grown import grown

LOSS = "the training loss became nan"
OWN = "the user's batch became empty"


@pytest.mark.parametrize(
    ("failure", "legacy", "diverged"),
    [
        (Failure(LOSS, 2, 1, cause="diverged"), False, True),
        (Failure("l'erreur d'apprentissage est infinie", 2, 1, cause="diverged"), False, True),
        (Failure(OWN, 2, 1), False, False),
        (Failure(LOSS, 2, 1), True, True),
        (Failure("killed", 2, 1), True, False),
    ],
)
def test_a_run_diverged_where_its_record_says_so(tmp_path, failure, legacy, diverged):
    store = grown(tmp_path / "s", {"a": (0.5, failure)})
    if legacy:
        path = store.directory("a", 1) / "run.json"
        kept = json.loads(path.read_text())
        assert kept["failure"].pop("cause") == ""
        forged(path, json.dumps(kept))
    assert [one.kind for one in observations(store, "a")].count("diverged") == diverged
    result = CliRunner().invoke(main, ["explain", str(store.root)])
    assert result.exit_code == 0, result.output
    assert ("infinite or NaN" in result.stdout) == diverged


def test_a_study_of_a_version_without_near_duplicates_ignores_them(tmp_path):
    """Whatever the text of its description says."""
    study = Study("s", "photos", {"a": Arm("plain_flower")}, Recipe(resolution=32, epochs=4), (0, 1),
                  description="near_duplicates are everywhere")  # fmt: skip
    store = grown(tmp_path / "s", {"a": (0.5, 0.6)}, study=study)
    assert store.study().split.near_duplicates == "together"
    path = store.root / "study.toml"
    text = re.sub(r"^near_duplicates = .*\n", "", path.read_text(), flags=re.MULTILINE)
    assert "near_duplicates are everywhere" in text
    forged(path, text)
    again = stores.open_store(store.root).study()
    assert again.split.near_duplicates == "ignore"
    assert again.description == study.description
