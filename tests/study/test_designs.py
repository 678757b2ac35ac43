"""What varies with the seed, and folds in place of seeds: from the study file to the store."""

import dataclasses
import json
import shutil
from collections import Counter

import pytest
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from commongarden import report
from commongarden import store as stores
from commongarden import study as studies
from commongarden.cli import main
from commongarden.data.split import fold, of_run_seed
from commongarden.errors import DataError, StoreError, StudyError
from commongarden.records import Manifest, Photo
from commongarden.runner import display, plan
from commongarden.runner.prepared_data import prepare_data
from commongarden.runner.training import train_run
from commongarden.study import Arm, SplitPlan, Study

ARMS = {"a": Arm("plain_flower")}


def manifest_of(sizes, copies=0):
    """Photos of a class for each size; the first `copies` photos of each class are one photo."""
    return Manifest(
        "photos",
        tuple(
            Photo(f"{label}/{i:03}.png", label, "", f"{label}{max(i, copies):03}")
            for label, n in sizes.items()
            for i in range(n)
        ),
    )


MANY = manifest_of({"daisy": 40, "rose": 31, "tulip": 22})


@given(
    sizes=st.lists(st.integers(10, 40), min_size=2, max_size=4),
    n=st.integers(2, 5),
    copies=st.integers(0, 2),
    stratified=st.booleans(),
)
@settings(max_examples=40)
def test_every_photo_is_in_the_test_part_of_one_fold(sizes, n, copies, stratified):
    manifest = manifest_of({f"class{i}": size for i, size in enumerate(sizes)}, copies)
    plan = SplitPlan(0.6, 0.2, stratified=stratified)
    try:
        splits = [fold(manifest, plan, 0, number, n) for number in range(n)]
    except (
        DataError
    ):  # by chance a class may have no photo left to learn from where the classes are not dealt one by one
        assume(stratified)
        raise
    tested = Counter(path for split in splits for path in split.test)
    assert tested == Counter({photo.path: 1 for photo in manifest.photos})
    content = {photo.path: photo.sha256 for photo in manifest.photos}
    for split in splits:
        assert sorted((*split.train, *split.val, *split.test)) == sorted(tested)
        parts = [{content[path] for path in part} for part in (split.train, split.val, split.test)]
        assert len(set.union(*parts)) == sum(map(len, parts))
    if stratified and not copies:
        for i, size in enumerate(sizes):
            counts = [sum(path.startswith(f"class{i}/") for path in split.test) for split in splits]
            assert max(counts) - min(counts) <= 1
            assert sum(counts) == size


def test_folds_keep_the_plans_proportion_of_validation_to_training():
    split = fold(MANY, SplitPlan(0.6, 0.2), 0, 1, 5)
    assert len(split.val) / len(split.train) == pytest.approx(0.2 / 0.6, abs=0.03)


def test_folds_are_those_of_one_shuffle_and_of_the_study_seed():
    study = Study("s", "photos", ARMS, folds=4)
    one, again = (of_run_seed(MANY, study.data_plan, 2) for _ in range(2))
    assert one == again
    assert of_run_seed(MANY, dataclasses.replace(study, seed=1).data_plan, 2).test != one.test


def test_more_folds_than_photos_of_a_class_are_refused():
    with pytest.raises(DataError, match="class 'b' has too few different photos for 4 folds"):
        fold(manifest_of({"a": 20, "b": 3}), SplitPlan(), 0, 0, 4)


def test_splits_that_vary_differ_by_seed_and_begin_with_the_fixed_one():
    fixed = Study("s", "photos", ARMS)
    varied = dataclasses.replace(fixed, vary=("init", "split"))
    splits = [of_run_seed(MANY, varied.data_plan, seed) for seed in range(4)]
    assert splits[0] == of_run_seed(MANY, fixed.data_plan, 3)
    assert len({split.hash for split in splits}) == 4
    assert len({tuple(map(len, (split.train, split.val, split.test))) for split in splits}) == 1
    other = dataclasses.replace(varied, seed=1)
    assert of_run_seed(MANY, other.data_plan, 0).hash not in {split.hash for split in splits}


def test_declared_parts_cannot_vary():
    declared = Manifest("photos", tuple(dataclasses.replace(photo, part="train") for photo in MANY.photos))
    for changes in ({"vary": ("split",)}, {"folds": 3}):
        study = dataclasses.replace(Study("s", "photos", ARMS), **changes)
        with pytest.raises(DataError, match=r"photos: the split is fixed by the data \(daisy/000.png is in train\)"):
            of_run_seed(declared, study.data_plan, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vary": ("splits",)}, "study.vary: unknown source 'splits'; did you mean 'split'?"),
        ({"vary": ()}, "study.vary: found nothing"),
        ({"vary": ("init", "init")}, "each source once"),
        ({"vary": ("split",), "folds": 3}, "found 'split' with folds"),
        ({"folds": 1}, "study.folds: found 1, accepted: an integer from 2"),
        ({"folds": 5, "seeds": (0, 7)}, r"found seeds \(\[0, 7\]\) and folds \(5\)"),
    ],
)
def test_designs_that_do_not_hold_together(changes, message):
    with pytest.raises(StudyError, match=message):
        Study("s", "photos", ARMS, **changes)


def test_folds_stand_in_place_of_seeds_in_the_study_file():
    study = Study("s", "photos", ARMS, folds=5, vary=())
    assert study.seeds == (0, 1, 2, 3, 4)
    text = studies.dump(study)
    assert "seeds" not in text
    assert studies.parse(text) == study
    with pytest.raises(StudyError, match=r"found seeds \(5\) and folds \(5\); accepted: one of them"):
        studies.parse(text.replace("folds = 5", "folds = 5\nseeds = 5"))


def test_a_study_file_without_vary_is_what_it_always_was():
    table = studies.to_table(Study("s", "photos", ARMS))
    assert table["study"].pop("vary") == ["init", "order"]
    assert studies.from_table(table).vary == ("init", "order")


def test_another_design_would_mix_soils():
    stored = Study("s", "photos", ARMS)
    assert studies.conflicts(stored, dataclasses.replace(stored, vary=("order",))) == [
        "study.vary: ['init', 'order'] in the folder, ['order'] requested"
    ]
    assert studies.conflicts(stored, dataclasses.replace(stored, folds=4)) == [
        "study.folds: 'none' in the folder, 4 requested"
    ]
    assert studies.conflicts(dataclasses.replace(stored, folds=3), dataclasses.replace(stored, folds=4)) == [
        "study.folds: 3 in the folder, 4 requested"
    ]


# Whole studies, grown in this process


def conducted(study, out, cache_folder):
    """What a study's command does, without workers."""
    stores.recover(stores.Store(out))
    store, prepared = prepare_data(study, out, cache_folder)
    study = store.study()
    for job in plan.pending(study, store):
        list(train_run(store, prepared, plan.run_plan(study, prepared, job, "cpu"), lambda: False))
    report.write(store)
    return store


def refused(*arguments):
    result = CliRunner().invoke(main, ["run", *map(str, arguments)])
    assert result.exit_code == 2, result.output
    return result.output


@pytest.fixture(scope="module")
def small(study_file) -> Study:
    study = studies.read(study_file)
    return dataclasses.replace(study, recipe=dataclasses.replace(study.recipe, epochs=1))


@pytest.fixture(scope="module")
def varied(small, cache_folder, tmp_path_factory) -> stores.Store:
    """The small study with a split for each of two seeds, and the same weights and order for both."""
    study = dataclasses.replace(small, vary=("split",))
    return conducted(study, tmp_path_factory.mktemp("varied") / "out", cache_folder)


def hashes(store):
    return {(run.arm, run.seed): run.hashes.split for run in store.runs()}


def weights(store, arm, seed):
    return (store.directory(arm, seed) / "model.safetensors").read_bytes()


def test_each_seed_has_a_split_that_all_arms_share(varied):
    assert {path.name for path in (varied.root / "splits").iterdir()} == {"0.json", "1.json"}
    found = hashes(varied)
    assert found["plain", 0] == found["residual", 0] == varied.split(0).hash == varied.split().hash
    assert found["plain", 1] == found["residual", 1] == varied.split(1).hash
    assert varied.split(0).hash != varied.split(1).hash
    for run in varied.runs():
        assert tuple(varied.predictions(run.arm, run.seed).photos) == varied.split(run.seed).test
    assert varied.run("plain", 0).pixel_mean != varied.run("plain", 1).pixel_mean  # of its own training part


def test_more_seeds_get_more_splits_and_leave_the_others(varied, cache_folder, tmp_path):
    shutil.copytree(varied.root, tmp_path / "out")
    before = {path.name: path.read_bytes() for path in (varied.root / "splits").iterdir()}
    (tmp_path / "out" / "splits" / ".2.json.77.tmp").write_bytes(b"{")  # a process was killed while it wrote
    wanted = dataclasses.replace(varied.study(), seeds=(0, 1, 2))
    store = conducted(wanted, tmp_path / "out", cache_folder)
    after = {path.name: path.read_bytes() for path in (store.root / "splits").iterdir()}
    assert sorted(after) == ["0.json", "1.json", "2.json"]
    assert {name: after[name] for name in before} == before
    found = hashes(store)
    assert found["plain", 2] == found["residual", 2]
    assert len(set(found.values())) == 3


def test_splits_of_a_study_that_never_began_are_made_anew(varied, cache_folder, tmp_path):
    (tmp_path / "out" / "splits").mkdir(parents=True)
    shutil.copy(varied.root / "splits" / "1.json", tmp_path / "out" / "splits" / "0.json")
    store, _ = prepare_data(varied.study(), tmp_path / "out", cache_folder)
    assert store.splits() == varied.splits()


def test_a_split_of_a_seed_is_never_replaced(varied):
    with pytest.raises(StoreError, match="the split already exists"):
        stores.write_own_split(varied, 0, varied.split(1))


def test_what_varies_cannot_change_in_place(varied, study_file):
    for arguments in ((), ("--vary", "init,order,split")):
        told = refused(study_file, "--epochs", 1, "--out", varied.root, *arguments)
        assert "study.vary: ['split'] in the folder" in told


def test_a_source_that_does_not_vary_is_that_of_the_first_seed(small, cache_folder, tmp_path):
    """Each source by itself tells two runs apart, and differently."""
    alone = studies.choose_arms(small, ["plain"])
    found = {}
    for vary in (("init", "order"), ("init",), ("order",)):
        store = conducted(dataclasses.replace(alone, vary=vary), tmp_path / "-".join(vary), cache_folder)
        found[vary] = [weights(store, "plain", seed) for seed in (0, 1)]
    assert len({one for one, _ in found.values()}) == 1
    assert len({item for pair in found.values() for item in pair}) == 4


@pytest.fixture(scope="module")
def folded(small, cache_folder, tmp_path_factory) -> stores.Store:
    """The small study with three folds in place of seeds, all from the same weights."""
    study = dataclasses.replace(small, folds=3, seeds=(0, 1, 2), vary=("order",))
    return conducted(study, tmp_path_factory.mktemp("folded") / "out", cache_folder)


def test_folds_are_run_like_seeds(folded, photos):
    assert [(run.arm, run.seed) for run in folded.runs()] == [
        (arm, number) for arm in ("plain", "residual") for number in (0, 1, 2)
    ]
    tested = Counter(path for number in range(3) for path in folded.split(number).test)
    assert tested == Counter({f"{path.parent.name}/{path.name}": 1 for path in photos.rglob("*.png")})
    found = hashes(folded)
    assert all(found["plain", number] == found["residual", number] for number in range(3))
    rows = json.loads((folded.root / "results.json").read_text(encoding="utf-8"))["arms"]
    assert rows[0]["test_accuracy"]["n"] == 3


def test_a_fold_is_called_a_fold(folded, commongarden):
    assert "  residual, fold 2: finished" in commongarden("status", folded.root, check=0).stdout.splitlines()
    rows = json.loads(commongarden("status", folded.root, "--json", check=0).stdout)["runs"]
    assert rows[-1] == {"arm": "residual", "fold": 2, "status": "finished", "state": "finished"}
    jobs = plan.pending(folded.study(), stores.Store(folded.root / "elsewhere"))
    assert display.name_of(jobs[0]) == "plain, fold 0"


def test_seeds_are_no_way_to_extend_folds(folded, study_file):
    told = refused(folded.root / "study.toml", "--seeds", 3, "--out", folded.root)
    assert "found seeds (3) and folds (3); accepted: one of them" in told
    told = refused(study_file, "--folds", 4, "--epochs", 1, "--out", folded.root)
    assert "study.folds: 3 in the folder, 4 requested" in told


@pytest.mark.soak
def test_a_stopped_study_goes_on_with_its_own_splits(folded, study_file, tmp_path, commongarden):
    """Through the command line, whose workers open the data by themselves."""
    out = tmp_path / "out"
    shutil.copytree(folded.root, out)
    shutil.rmtree(out / "runs" / "residual" / "1")
    commongarden("run", out / "study.toml", "--out", out, check=0)
    store = stores.open_store(out)
    assert weights(store, "residual", 1) == weights(folded, "residual", 1)
    assert store.run("residual", 1).hashes == folded.run("residual", 1).hashes


def test_parts_that_the_folders_declare_cannot_be_folds(photos, tmp_path):
    for part in ("train", "test"):
        shutil.copytree(photos, tmp_path / "data" / part)
    told = refused("--data", tmp_path / "data", "--arms", "plain_flower", "--folds", 3, "--out", tmp_path / "out")
    assert "the split is fixed by the data (" in told
    assert not (tmp_path / "out").exists()


@pytest.mark.soak
def test_a_factorial_study_is_grown_and_extended_by_a_level(small, cache_folder, tmp_path):
    base = {"arms": {}, "contrasts": (), "seeds": (0, 1)}
    factors = {"arch": ["plain_flower", "residual_flower"], "order": ["LAB", "LBA"]}
    store = conducted(dataclasses.replace(small, **base, factors=factors), tmp_path / "out", cache_folder)
    before = {path: path.stat().st_mtime_ns for path in store.root.glob("runs/*/*/run.json")}
    assert len(before) == 8
    table = json.loads((store.root / "results.json").read_text(encoding="utf-8"))
    assert [len(effect["steps"]) for effect in table["factorial"]["effects"]] == [1, 1, 2]
    printed = CliRunner().invoke(main, ["compare", str(store.root)])
    assert "order LBA against LAB: " in " ".join(printed.output.split())

    wanted = dataclasses.replace(small, **base, factors={**factors, "order": ["LAB", "LA"]})
    store = conducted(wanted, tmp_path / "out", cache_folder)
    assert store.study().factors["order"] == ("LAB", "LBA", "LA")
    assert len(store.runs()) == 12
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())
    table = json.loads((store.root / "results.json").read_text(encoding="utf-8"))
    assert [len(effect["steps"]) for effect in table["factorial"]["effects"]] == [1, 1, 1, 2, 2]
    printed = CliRunner().invoke(main, ["run", str(store.root / "study.toml"), "--dry-run"])
    assert studies.parse(printed.output) == store.study()
    told = refused(store.root / "study.toml", "--out", store.root, "--vary", "init")
    assert "study.vary: ['init', 'order'] in the folder, ['init'] requested" in told
