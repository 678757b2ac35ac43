"""The study file that `--dry-run` writes: short, with comments, and read back as the same study after any edit."""

import dataclasses
import inspect
import re
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commongarden import study as studies
from commongarden.errors import StudyError
from commongarden.io import terminal
from commongarden.study import Arm, Contrast, DataOptions, Published, SplitPlan, Study, Tuning, data_sets, toml_errors
from commongarden.study.recipe import Recipe
from paths import ROOT

ARMS = {
    "plain": Arm("plain_flower"),
    "a.b": Arm("residual_flower", {"order": "LBA"}, {"lr": 0.1, "augment": ("flip",)}),
    "timm": Arm("timm:convnext_atto", {"pretrained": True, "drop_path_rate": 0.1}),
    "small": Arm("inception_flower", ablated=("1x1 reductions",)),
}
STUDIES = [
    *(studies.read(name) for name in studies.builtin_studies() if data_sets.read(name) is None),
    studies.read(ROOT / "examples" / "factors.toml"),
    Study("one", "photos", {"plain": Arm("plain_flower")}),
    Study("all", "photos/다", ARMS, contrasts=(Contrast("timm", "a.b"),), tuning=Tuning(4, arms=("plain",))),
    Study("folds", "photos", ARMS, folds=4, split=SplitPlan(0.7, 0.1, seed=3), metric="log_loss", margin=0.1),
    Study("read", "photos", ARMS, reading=DataOptions("inner", r"(\d+)\\", True), seeds=(3, 5), vary=("init",),
          description='in "quotes" \\', range=(0, 4095), published={"plain": Published(0.5)}, published_source="me"),
    Study("grid", "photos", {"extra": Arm("plain_flower")}, factors={"order": ["LA", "LBA"], "lr": [0.1, 0.01]},
          factor_base={"arch": "residual_flower", "epochs": 3}),
]  # fmt: skip


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_what_is_written_is_read_back(study, full):
    text = studies.editable(study, full=full)
    assert studies.parse(text) == study
    if full:
        assert set(_keys(studies.to_table(study))) - {("contrasts",)} <= set(_keys(tomllib.loads(text)))


def _keys(table, above=()):
    for key, value in table.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from _keys(value, (*above, key))


@given(
    recipe=st.builds(
        Recipe, resolution=st.integers(1, 512), lr=st.floats(1e-12, 1e12), weight_decay=st.floats(0, 1e3),
        augment=st.lists(st.sampled_from(["flip", "crop", "colour"]), unique=True).map(tuple),
    ),
    text=st.text(min_size=1).filter(lambda text: terminal.harmless(text) == text),
    margin=st.floats(1e-6, 50),
)  # fmt: skip
def test_any_text_and_number_is_read_back(recipe, text, margin):
    study = Study(text, text, {"a": Arm("plain_flower")}, recipe, description=text, margin=margin)
    assert studies.parse(studies.editable(study)) == study


def test_a_network_of_a_file_is_kept_only_where_the_file_is_not(tmp_path):
    text = '{"model": [["conv", {"ksize": 3, "chn": 4}], ["avg", {"stride": 2}]]}'
    (tmp_path / "net.json").write_text(text, encoding="utf-8")
    arm = Arm(str(tmp_path / "net.json"))
    study = Study("listed", "photos", {"net": arm})
    assert "list_form" not in studies.editable(study)
    assert studies.parse(studies.editable(study)) == study
    (tmp_path / "net.json").unlink()
    assert "list_form" in studies.editable(study)
    assert studies.parse(studies.editable(study)) == study


def edited_as_the_readme_shows(text):
    """A name, seeds, a contrast more: what the README's study file has and the written one has not."""
    text = re.sub(r'name = ".*"', 'name = "batch norm on flowers"', text, count=1)
    text = re.sub(r"seeds = 3 ", "seeds = 5 ", text)
    return text + '\n[[contrasts]]\nis = ["inception_flower-LA", "residual_flower"]\n'


def test_the_file_of_a_dry_run_is_edited_and_run(commongarden, photos, tmp_path):
    asked = ("run", "--data", photos, "--arms", "residual_flower,inception_flower:LA", "--dry-run")
    text = commongarden(*asked, check=0).stdout
    assert len(text.splitlines()) < 45
    assert all(len(line) <= 100 for line in text.splitlines() if not line.startswith("data"))
    assert not re.search(r"\[\s*$|^contrasts", text, re.M)  # lists on one line; contrasts as tables
    file = tmp_path / "study.toml"
    file.write_text(edited_as_the_readme_shows(text), encoding="utf-8")
    study = studies.read(file)
    assert (study.name, len(study.seeds)) == ("batch norm on flowers", 5)
    assert study.contrasts == (Contrast("inception_flower-LA", "residual_flower"),)
    assert commongarden("run", file, "--dry-run", check=0).stdout == studies.editable(study)
    uncommented = text.replace("# [[contrasts]]", "[[contrasts]]").replace("# is =", "is =")
    assert studies.parse(uncommented).contrasts == (Contrast("inception_flower-LA", "residual_flower"),)
    full = commongarden(*asked, "--full", check=0).stdout
    assert "precision = " in full
    assert studies.parse(full) == studies.parse(text)
    assert "모델마다" in commongarden(*asked, "--lang", "ko", check=0).stdout


WRONG = [
    ('contrasts = []\n[study]\nname = "a"\n[[contrasts]]\n', "line 4: duplicate contrasts, first in line 1"),
    ('[study]\nname = "a"\n[study]\nseeds = 3\n', "line 3: duplicate study, first in line 1"),
    ("[study]\nname = a b\n", "line 2: not a value; accepted: text in quotes"),
    ("[study]\nname = \n", "line 2: not a value"),
    ('[study]\nname = "a\nseeds = 3\n', "line 2: a line break or control character within the text"),
    ('[study\nname = "a"\n', 'line 1: no "]" at the end of the section'),
    ("seeds 5\n", 'line 1: no "=" after the key'),
    ("x = [1,\n2", 'at the end of the file: no "]" at the end of the list'),
    ('data = "C:\\Photos"\n', "line 1: a single backslash"),
    ("seeds = 1 2\n", "line 1: more text after the value"),
    ("x = " + "[" * 5000, "nested too deeply"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), WRONG, ids=range(len(WRONG)))
def test_text_that_is_no_toml_is_refused_in_our_words(text, said, monkeypatch):
    with pytest.raises(StudyError) as refused:
        studies.parse(text, where="study.toml")
    assert str(refused.value).startswith("study.toml: ")
    assert said in str(refused.value)
    monkeypatch.setenv("COMMONGARDEN_LANG", "ko")
    with pytest.raises(StudyError, match=r"[가-힣]"):
        studies.parse(text, where="study.toml")


def test_every_sentence_of_tomllib_has_one_of_ours():
    source = inspect.getsource(tomllib._parser)
    said = re.findall(r'(?:suffixed_err\(\s*src,[^"]*?|TOMLDecodeError\(\s*)f?"([^"]+)', source)
    lacking = [text for text in said if "{" not in text[:8] and not text.startswith(tuple(toml_errors.REASONS))]
    assert len(said) > 15
    assert [text for text in lacking if not text.startswith(("Expected ", "TOMLDecodeError"))] == []


def test_the_full_file_differs_only_in_what_is_usual():
    study = dataclasses.replace(STUDIES[0], seeds=(0, 1, 2))
    short, full = (tomllib.loads(studies.editable(study, full=full)) for full in (False, True))
    assert all(short["recipe"][key] == full["recipe"][key] for key in short["recipe"])
    assert {key: Recipe().__getattribute__(key) for key in full["recipe"].keys() - short["recipe"]} == {
        key: tuple(value) if isinstance(value := full["recipe"][key], list) else value
        for key in full["recipe"].keys() - short["recipe"]
    }
