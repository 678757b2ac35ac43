"""Study files: read, written, extended, refused."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commongarden import study as studies
from commongarden.errors import CommonGardenError, StudyError
from commongarden.io import terminal
from commongarden.study import Arm, Contrast, SplitPlan, Study, data_sets, origin
from commongarden.study.recipe import Recipe, override

HOUSE = """
[study]
name = "batch norm on flowers"
data = "photos/"
seeds = 5

[recipe]
resolution = 96
epochs = 10
batch_size = 32
optimizer = "adam"
lr = 1e-3

[arms.LA]
arch = "inception_flower"
order = "LA"

[arms.LAB]
arch = "inception_flower"
order = "LAB"
lr = 0.01

[[contrasts]]
is = ["LAB", "LA"]
"""


def test_what_contrasts_compare_by_is_declared():
    table = {
        "study": {"name": "x", "data": "d", "metric": "log_loss", "margin": 2},
        "arms": {"a": {"arch": "plain_flower"}},
    }
    study = studies.from_table(table)
    assert (study.metric, study.margin) == ("log_loss", 2.0)
    assert studies.parse(studies.dump(study)) == study
    plain = studies.from_table({**table, "study": {"name": "x", "data": "d"}})
    assert (plain.metric, plain.margin) == ("accuracy", 1.0)
    with pytest.raises(StudyError, match="study: unknown metric 'logloss'; did you mean 'log_loss'"):
        studies.from_table({**table, "study": {"name": "x", "metric": "logloss"}})
    for wrong in (0, -1, 51, "1", True):
        with pytest.raises(StudyError, match=r"study\.margin: found"):
            studies.from_table({**table, "study": {"name": "x", "margin": wrong}})


def test_the_study_file_of_the_design():
    study = studies.parse(HOUSE)
    assert study.name == "batch norm on flowers"
    assert study.seeds == (0, 1, 2, 3, 4)
    assert study.arms["LA"] == Arm("inception_flower", {"order": "LA"})
    assert study.arms["LA"] != study.arms["LAB"]
    assert study.arms["LAB"].overrides == {"lr": 0.01}
    assert study.recipe_of("LA").lr == 1e-3
    assert study.recipe_of("LAB") == dataclasses.replace(study.recipe, lr=0.01)
    assert study.contrasts == (Contrast("LAB", "LA"),)


@pytest.mark.parametrize("name", [name for name in studies.builtin_studies() if data_sets.read(name) is None])
def test_the_builtin_studies_hold_together(name):
    study = studies.read(name)
    assert studies.parse(studies.dump(study)) == study
    for arm in study.arms.values():
        if not origin.is_external(arm.arch):  # those are measured first
            arm.network(5)


def test_the_flowers_study_is_the_protocol_of_the_original():
    study = studies.read("flowers")
    recipe = study.recipe
    assert list(study.arms) == ["LA", "LAB", "plain", "residual", "bottleneck", "LAB64"]
    assert (recipe.optimizer, recipe.lr, recipe.batch_size, recipe.epochs) == ("adam", 0.001, 10, 10)
    assert (recipe.init, recipe.init_std, recipe.pixels, recipe.augment) == ("fixed", 0.03, "raw", ())
    assert [study.recipe_of(arm).resolution for arm in study.arms] == [96, 96, 64, 64, 64, 64]
    assert study.split == SplitPlan(
        0.8, 0.05, stratified=False, multiple=10, keep_conflicts=True, near_duplicates="ignore"
    )
    assert study.published["LA"].test_accuracy == 0.242


recipes = st.builds(
    Recipe,
    resolution=st.integers(1, 512),
    epochs=st.integers(1, 99),
    optimizer=st.sampled_from(["adam", "adamw", "sgd"]),
    lr=st.floats(1e-9, 1e3),
    augment=st.lists(st.sampled_from(["flip", "crop", "colour"]), unique=True).map(tuple),
    select=st.sampled_from(["last", "best-val"]),
)


@given(
    recipe=recipes,
    name=st.text(min_size=1).filter(lambda name: terminal.harmless(name) == name),
    seeds=st.lists(st.integers(0, 10**6), min_size=1, unique=True).map(tuple),
    seed=st.integers(0, 2**40),
)
def test_what_is_written_is_read_back(recipe, name, seeds, seed):
    arms = {"a": Arm("plain_flower"), "b": Arm("inception_flower", {"order": "LA"}, {"lr": 0.5, "augment": ["flip"]})}
    study = Study(name, "photos", arms, recipe, seeds, seed, SplitPlan(0.6, 0.2), (Contrast("a", "b"),))
    assert studies.parse(studies.dump(study)) == study


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("epochs = 10", "epoch = 10", "recipe: unknown key 'epoch'; did you mean 'epochs'?"),
        ("epochs = 10", 'epochs = "ten"', "recipe.epochs: found 'ten', accepted: an integer"),
        ("epochs = 10", "epochs = 0", "recipe.epochs: found 0, accepted: an integer of 1 or more"),
        ('optimizer = "adam"', 'optimizer = "admw"', "recipe.optimizer: unknown value 'admw'; did you mean 'adamw'?"),
        ("lr = 1e-3", "lr = -1", "recipe.lr: found -1.0, accepted: a positive number"),
        ("[recipe]", "[recipee]", "unknown section 'recipee'; did you mean 'recipe'?"),
        ("seeds = 5", "seeds = 0", "study.seeds: found 0"),
        ("seeds = 5", "seeds = [1, 1]", "seeds: found [1, 1]"),
        ("seeds = 5", "sedes = 5", "study: unknown key 'sedes'; did you mean 'seeds'?"),
        ('order = "LA"', 'ordre = "LA"', "arms.LA: unknown key 'ordre'; did you mean 'order'?"),
        ('arch = "inception_flower"', 'arch = "inception_flour"', "did you mean 'inception_flower'?"),
        ('is = ["LAB", "LA"]', 'is = ["LAB", "LAA"]', "contrasts: unknown model 'LAA'; did you mean 'LA"),
        ('is = ["LAB", "LA"]', 'is = ["LAB"]', "contrasts: found {'is': ['LAB']}"),
        ('is = ["LAB", "LA"]', 'is = ["LA", "LA"]', "'LA' is compared with itself"),
        ("[arms.LA]", '[arms."../LA"]', "accepted: up to 64 letters"),
        ("[arms.LA]", "[arms.lab]", "differing only in upper and lower case"),
        ('name = "batch norm on flowers"', "name = 3", "study.name: found 3, accepted: text"),
        ("[recipe]", "[recipe", 'line 7: no "]" at the end of the section'),
        ("lr = 0.01", "lr = 0", "arms.LAB.lr: found 0.0"),
    ],
)
def test_mistakes_in_a_study_file_are_told_with_their_place(old, new, message):
    assert old in HOUSE
    with pytest.raises(CommonGardenError) as error:
        studies.parse(HOUSE.replace(old, new), where="study.toml")
    assert message in str(error.value)


def test_a_study_that_is_neither_file_nor_builtin():
    with pytest.raises(StudyError, match="unknown study 'flower'; did you mean 'flowers'"):
        studies.read("flower")


def test_a_study_file_that_is_no_text(tmp_path):
    (tmp_path / "study.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StudyError, match="not UTF-8"):
        studies.read(tmp_path / "study.toml")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"schedule": "one-cycle", "warmup_epochs": 1}, "has its own warm-up"),
        ({"warmup_epochs": 11}, "0 to epochs"),
        ({"nesterov": True, "momentum": 0.0}, "false if momentum is 0"),
        ({"augment": ["flip", "flip"]}, "each augmentation once"),
        ({"lr": float("nan")}, "a positive number"),
        ({"augment": ["flap"]}, "recipe.augment"),
    ],
)
def test_recipes_that_do_not_hold_together(values, message):
    with pytest.raises(StudyError, match=message):
        override(Recipe(), values)


@pytest.mark.parametrize("plan", [(0.0, 0.1), (0.9, 0.1), (0.5, 0.6)])
def test_shares_must_leave_a_test_part(plan):
    with pytest.raises(StudyError, match="test set"):
        SplitPlan(*plan)


def test_contrasts_that_nobody_declared():
    arms = {name: Arm("plain_flower") for name in "abcde"}
    three = Study("s", "d", {name: arms[name] for name in "abc"})
    assert three.planned_contrasts() == (Contrast("b", "a"), Contrast("c", "a"), Contrast("c", "b"))
    five = Study("s", "d", arms)
    assert five.planned_contrasts() == tuple(Contrast(name, "a") for name in "bcde")


def test_extending_keeps_what_is_there():
    stored = studies.parse(HOUSE)
    wanted = dataclasses.replace(
        stored,
        arms={"LA": stored.arms["LA"], "plain": Arm("plain_flower")},
        seeds=(0, 7),
        contrasts=(Contrast("plain", "LA"),),
    )
    assert studies.conflicts(stored, wanted) == []
    both = studies.extend(stored, wanted)
    assert list(both.arms) == ["LA", "LAB", "plain"]
    assert both.seeds == (0, 1, 2, 3, 4, 7)
    assert both.contrasts == (Contrast("LAB", "LA"), Contrast("plain", "LA"))


def test_changes_that_would_mix_soils_are_named():
    stored = studies.parse(HOUSE)
    wanted = dataclasses.replace(
        stored,
        recipe=dataclasses.replace(stored.recipe, epochs=20),
        arms={"LA": Arm("inception_flower", {"order": "LBA"})},
        contrasts=(),
        seed=3,
        split=SplitPlan(0.7),
    )
    assert studies.conflicts(stored, wanted) == [
        "study.seed: 0 in the folder, 3 requested",
        "recipe.epochs: 10 in the folder, 20 requested",
        "split.train: 0.8 in the folder, 0.7 requested",
        "arms.LA.order: 'LA' in the folder, 'LBA' requested",
    ]


def test_architectures_become_a_study():
    study = studies.of_architectures("some/photos", ["plain_flower", "inception_flower:LA"])
    assert study.name == "photos"
    assert study.arms["inception_flower-LA"] == Arm("inception_flower", {"order": "LA"})
    assert all(name.endswith("_flower") for name in studies.of_architectures("photos", None).arms)


def test_an_architectures_own_options_stand_in_its_arm():
    text = """
    [study]
    name = "shortcuts"
    data = "photos"
    [arms.zeros]
    arch = "resnet18"
    shortcut = "zeros"
    zero_init = true
    lr = 0.01
    """
    study = studies.parse(text)
    assert study.arms["zeros"] == Arm("resnet18", {"shortcut": "zeros", "zero_init": True}, {"lr": 0.01})
    assert studies.parse(studies.dump(study)) == study
    with pytest.raises(StudyError, match="did you mean 'shortcut'"):
        studies.parse(text.replace("shortcut =", "shortcuts ="))


def test_some_arms_of_a_study_keep_their_own_contrasts():
    study = studies.choose_arms(studies.read("flowers"), ["LAB", "LA"])
    assert list(study.arms) == ["LAB", "LA"]
    assert study.contrasts == (Contrast("LAB", "LA"),)
    assert set(study.published) == {"LA", "LAB"}
    with pytest.raises(StudyError, match="did you mean 'plain'"):
        studies.choose_arms(studies.read("flowers"), ["plane"])


@pytest.mark.parametrize(("name", "folder"), [("my photos!", "my-photos"), ("../..", "study"), ("꽃 사진", "꽃-사진")])
def test_a_studys_folder(name, folder):
    assert studies.folder_name(Study(name, "d", {"a": Arm("plain_flower")})) == folder


def test_an_arm_knows_the_options_that_nobody_gave():
    assert Arm("plain_flower") == Arm("plain_flower", {"order": "LAB"})
    assert Arm("plain_flower").options == {"order": "LAB"}
    assert Arm("plain_flower", {}, {"augment": ("flip",)}) == Arm("plain_flower", {}, {"augment": ["flip"]})
    with pytest.raises(CommonGardenError, match="did you mean 'order'"):
        Arm("plain_flower", {"ordre": "LA"})


@pytest.mark.parametrize("seeds", [3, [0, 1, 2], range(3), (0, 1, 2)])
def test_seeds_may_be_counted_or_listed(seeds):
    assert Study("s", "photos", {"a": Arm("plain_flower")}, seeds=seeds).seeds == (0, 1, 2)


@pytest.mark.parametrize("seeds", [0, -1, True, "3", (), (0, 0), (-1,), (1.5,), None])
def test_seeds_that_are_none(seeds):
    with pytest.raises(StudyError, match="accepted: the number of seeds"):
        Study("s", "photos", {"a": Arm("plain_flower")}, seeds=seeds)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_study_files_of_windows_are_read(tmp_path, encoding, newline):
    (tmp_path / "study.toml").write_bytes(HOUSE.replace("flowers", "꽃").replace("\n", newline).encode(encoding))
    assert studies.read(tmp_path / "study.toml").name == "batch norm on 꽃"


def test_photos_in_place_of_a_study_file(tmp_path):
    with pytest.raises(StudyError, match="found photos, not a study file; did you mean --data"):
        studies.read(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("augment", "flip", "recipe.augment: found 'flip', accepted: a list of text, such as"),
        ("augment", ["crop", "flop"], "recipe.augment: unknown value 'flop'; did you mean 'flip'?"),
        ("epochs", 1.5, "recipe.epochs: found 1.5, accepted: an integer"),
        ("lr", "high", "recipe.lr: found 'high', accepted: a number"),
        ("nesterov", "yes", "recipe.nesterov: found 'yes', accepted: true or false"),
    ],
)
def test_values_of_the_wrong_kind(key, value, message):
    with pytest.raises(StudyError) as error:
        override(Recipe(), {key: value})
    assert message in str(error.value)


def study_of(arms, contrasts=(), published=None):
    pairs = tuple(Contrast(*pair) for pair in contrasts)
    return Study("s", "photos", dict.fromkeys(arms, Arm("plain_flower")), contrasts=pairs, published=published or {})


def test_extending_keeps_what_was_planned():
    four, five = study_of("abcd"), study_of("abcde")
    assert set(four.planned_contrasts()) <= set(studies.extend(four, five).planned_contrasts())
    assert Contrast("e", "a") in studies.extend(four, five).planned_contrasts()
    assert studies.extend(four, four).contrasts == ()
    assert studies.extend(four, study_of("ab")).arms == four.arms
    declared = studies.extend(study_of("ab"), study_of("abc", [("c", "b")]))
    assert declared.contrasts == (Contrast("b", "a"), Contrast("c", "b"))
    known = {"a": studies.Published(0.3), "b": studies.Published(0.4)}
    fewer = study_of("a", published={"a": studies.Published(0.3)})
    assert studies.extend(study_of("ab", published=known), fewer).published == known


def test_a_key_without_which_a_table_says_nothing_is_asked_for():
    text = '[study]\nname = "a"\ndata = "builtin:flowers"\n[arms.LA]\narch = "plain_flower"\n[published.LA]\n'
    with pytest.raises(StudyError, match=r'published\.LA: "test_accuracy" is missing'):
        studies.parse(text)
