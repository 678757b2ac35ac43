"""The search for each arm's own learning rate: the same budget for each, no test photo touched, the best recorded."""

import dataclasses
import html
import itertools
import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commongarden import report, stats
from commongarden import store as stores
from commongarden import study as studies
from commongarden.errors import RunnerError, StudyError
from commongarden.records import Epoch
from commongarden.report.document import Bullets
from commongarden.report.topics import tuned as said
from commongarden.runner import tuning as runner
from commongarden.store import contract
from commongarden.study import Arm, Contrast, Study, Tuning
from commongarden.study.recipe import Recipe
from commongarden.study.tuning import recipe_of, values
from forged import forged
from grown import grown

TUNE = """
[tuning]
runs = 3
lr = [1e-4, 1e-1]
epochs = 1
"""


@pytest.fixture(scope="module")
def tuned_file(tmp_path_factory, study_file):
    path = tmp_path_factory.mktemp("tuned") / "tuned.toml"
    path.write_text(study_file.read_text().replace("lr = 3e-3", "lr = 1e-6") + TUNE)
    return path


@pytest.fixture(scope="module")
def tuned(commongarden, tuned_file, tmp_path_factory):
    """A study whose declared learning rate teaches nothing, so that any other one is better."""
    out = tmp_path_factory.mktemp("garden") / "tuned"
    commongarden("run", tuned_file, "--out", out, "--workers", 1, check=0)
    return out


def looks(out):
    """What tuning left, but for its times."""
    store = stores.open_store(out)
    return {arm: stats.tuning_runs(store, store.study(), arm) for arm in store.study().arms_to_tune()}


@given(st.integers(2, 40), st.integers(0, 99), st.floats(-6, 0), st.floats(0.1, 4), st.booleans())
def test_every_arm_gets_the_same_values_within_the_range_and_its_own_first(runs, seed, least, decades, decay):
    ends = 10**least, 10 ** (least + decades)
    tuning = Tuning(runs=runs, lr=ends, weight_decay=(1e-6, 1e-2) if decay else None)
    one = values(tuning, Recipe(lr=1e-3), seed)
    two = values(tuning, Recipe(lr=0.5), seed)
    assert len(one) == len(two) == runs
    assert (one[0]["lr"], two[0]["lr"]) == (1e-3, 0.5)
    assert one[1:] == two[1:] == values(tuning, Recipe(lr=1e-3), seed)[1:]
    for found in one[1:]:
        assert set(found) == ({"lr", "weight_decay"} if decay else {"lr"})
        assert ends[0] <= found["lr"] <= ends[1]
        assert not decay or 1e-6 <= found["weight_decay"] <= 1e-2


def test_the_values_are_even_on_a_logarithmic_scale():
    rates = np.log10([found["lr"] for found in values(Tuning(runs=65), Recipe(), 0)[1:]])
    counts, _ = np.histogram(rates, bins=8, range=(-4, -1))
    assert counts.min() >= 7  # 64 independent draws would leave a bin of 8 with 3 or fewer in most trials
    assert counts.max() <= 9


def test_a_tuning_run_may_be_shorter_and_keeps_all_else():
    tuning, recipe = Tuning(runs=4, epochs=2), Recipe(epochs=10, optimizer="sgd")
    first, second = (recipe_of(tuning, recipe, number, 0, where="x") for number in (0, 1))
    assert first == dataclasses.replace(recipe, epochs=2)
    assert second == dataclasses.replace(recipe, epochs=2, lr=second.lr)


@given(
    st.integers(2, 9),
    st.booleans(),
    st.none() | st.integers(1, 9),
    st.sampled_from([(), ("a",), ("a", "b")]),
    st.integers(0, 9),
)
def test_a_study_that_tunes_is_written_and_read_back(runs, decay, epochs, arms, seed):
    tuning = Tuning(runs, (1e-5, 0.5), (1e-6, 1e-2) if decay else None, epochs, arms, {"a": "b"}, seed)
    study = Study("s", "p", {"a": Arm("plain_flower"), "b": Arm("residual_flower")}, tuning=tuning)
    assert studies.parse(studies.dump(study)) == study


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("run = 8", "tuning: unknown key 'run'"),
        ("runs = 1", "tuning.runs: found 1, accepted: an integer from 2"),
        ("runs = true", "tuning.runs: found True, accepted: an integer from 2"),
        ("epochs = 0", "tuning.epochs: found 0, accepted: an integer from 1 to"),
        ("lr = 0.1", "tuning.lr: found 0.1, accepted: minimum and maximum, such as [1e-4, 1e-1]"),
        ("lr = [0.1, 0.01]", "tuning.lr: found [0.1, 0.01], accepted: minimum and maximum"),
        ("weight_decay = [0, 0.1]", "tuning.weight_decay: found [0, 0.1], accepted: minimum and maximum"),
        ('arms = ["nobody"]', "tuning: unknown model 'nobody'"),
        ("arms = 3", "tuning.arms: found 3, accepted: a list of names in [arms]"),
    ],
)
def test_a_mistake_in_the_search_is_told(study_file, text, message):
    with pytest.raises(StudyError) as told:
        studies.parse(study_file.read_text() + f"\n[tuning]\n{text}\n")
    assert message in str(told.value)


def test_a_name_that_the_tuned_arm_would_need_is_refused():
    arms = {"a": Arm("plain_flower"), "a.tuned": Arm("residual_flower")}
    with pytest.raises(StudyError, match=r"the name 'a.tuned' is reserved for the tuned model"):
        Study("s", "p", arms, tuning=Tuning())
    with pytest.raises(StudyError, match="is reserved for the tuned model"):
        Study("s", "p", {"a" * 60: Arm("plain_flower")}, tuning=Tuning())


def test_contrasts_between_the_tuned_arms_mirror_the_planned_ones():
    arms = {name: Arm("plain_flower", overrides={"lr": 0.1 / (i + 1)}) for i, name in enumerate(("a", "b", "c"))}
    arms |= {"a.tuned": Arm("plain_flower"), "b.tuned": Arm("plain_flower", overrides={"lr": 0.3})}
    best = {"a": "a.tuned", "b": "b.tuned", "c": "c"}
    study = Study("s", "p", arms, tuning=Tuning(best=best))
    own = [Contrast("b", "a"), Contrast("c", "a"), Contrast("c", "b")]
    mirrored = [Contrast("b.tuned", "a.tuned"), Contrast("c", "a.tuned"), Contrast("c", "b.tuned")]
    assert list(study.planned_contrasts()) == [*own, *mirrored]
    assert study.arms_to_tune() == ["a", "b", "c"]
    again = studies.extend(study, dataclasses.replace(study, arms={n: arms[n] for n in "abc"}, tuning=Tuning()))
    assert (again.planned_contrasts(), again.tuning.best) == (study.planned_contrasts(), best)
    chosen = studies.choose_arms(study, ["a", "b", "a.tuned"])
    assert chosen.tuning.best == {"a": "a.tuned"}


def test_the_search_cannot_be_changed_afterwards_but_may_be_left_out():
    plain = Study("s", "p", {"a": Arm("plain_flower")})
    stored = dataclasses.replace(plain, tuning=Tuning(runs=4))
    assert studies.conflicts(stored, dataclasses.replace(plain, tuning=Tuning(runs=8))) == [
        "tuning.runs: 4 in the folder, 8 requested"
    ]
    assert studies.conflicts(stored, plain) == studies.conflicts(plain, stored) == []
    assert studies.extend(stored, plain).tuning == studies.extend(plain, stored).tuning == Tuning(runs=4)


# Whole studies


def test_every_arm_has_the_same_budget_and_no_test_photo_was_touched(tuned):
    store = stores.open_store(tuned)
    found = stats.summarize(store).tuned
    assert (found.budget, found.equal) == (3, True)
    rates = {arm.arm: [run.lr for run in arm.runs] for arm in found.arms}
    assert rates["plain"] == rates["residual"]
    assert rates["plain"][0] == 1e-6
    for arm, number in itertools.product(("plain", "residual"), range(3)):
        run = store.tuning().run(arm, number)
        assert (run.test_accuracy, run.test_loss, run.seconds_test, run.model_bytes) == (None, None, None, None)
        assert (run.recipe.epochs, len(store.tuning().history(arm, number))) == (1, 1)
        assert {path.name for path in store.tuning().directory(arm, number).iterdir()} == {
            "run.json",
            "history.csv",
            "checksums.sha256",
        }


def test_the_search_is_repeated_with_the_same_values_by_another_seed(tuned, tuned_file, commongarden, tmp_path):
    """The same values, other weights and order of images; in a folder of its own, whose trials can be repeated too."""
    again = tmp_path / "again.toml"
    again.write_text(f"{tuned_file.read_text()}seed = 1\n")
    refused = commongarden("run", again, "--out", tuned, check=2)
    assert "tuning.seed: 0 in the folder, 1 requested" in refused.stderr
    out = tmp_path / "out"
    commongarden("run", again, "--out", out, "--workers", 1, "--models", "plain", "--seeds", 1, check=0)
    one, two = ({run.number: run for run in looks(folder)["plain"]} for folder in (tuned, out))
    assert [one[number].lr for number in one] == [two[number].lr for number in two]
    assert [one[number].val_loss for number in one] != [two[number].val_loss for number in two]
    commongarden("replay", out / "tuning" / "runs" / "plain" / "1", check=0)


def test_the_status_tells_of_tuning_runs(tuned, commongarden):
    assert "  plain, tuning run 3: finished" in commongarden("status", tuned, check=0).stdout.splitlines()
    found = json.loads(commongarden("status", tuned, "--json", check=0).stdout)["tuning"]
    assert found == [
        {"arm": arm, "number": number, "status": "finished", "state": "finished"}
        for number in range(3)
        for arm in ("plain", "residual")
    ]


def test_the_best_values_are_an_arm_of_their_own_with_the_same_seeds(tuned, tuned_file):
    store = stores.open_store(tuned)
    study = store.study()
    found = stats.summarize(store).tuned
    for arm in found.arms:
        best = max(arm.runs, key=lambda run: (run.val_accuracy, -run.val_loss))
        assert (arm.best, arm.tuned) == (best.number, f"{arm.arm}.tuned")
        assert study.arms[arm.tuned] == dataclasses.replace(study.arms[arm.arm], overrides={"lr": best.lr})
        assert [run.seed for run in store.runs() if run.arm == arm.tuned] == [0, 1]
        assert {run.recipe.lr for run in store.runs() if run.arm == arm.tuned} == {best.lr}
    (contrast,) = found.contrasts
    assert (contrast.tuned_arm, contrast.tuned_against) == ("residual.tuned", "plain.tuned")
    assert "tuned" not in tuned_file.read_text().partition("[tuning]")[2]  # the user's file stays the user's


def test_the_same_command_again_makes_nothing(tuned, tuned_file, commongarden):
    before = {path: path.stat().st_mtime_ns for path in tuned.rglob("run.json")}
    toml = (tuned / "study.toml").read_bytes()
    again = commongarden("run", tuned_file, "--out", tuned, check=0)
    assert "at a time" not in again.stderr
    assert {path: path.stat().st_mtime_ns for path in tuned.rglob("run.json")} == before
    assert (tuned / "study.toml").read_bytes() == toml
    refused = commongarden("run", tuned_file, "--out", tuned, "--tune", 5, check=2)
    assert "tuning.runs: 3 in the folder, 5 requested" in refused.stderr


@pytest.mark.soak
def test_a_search_that_was_stopped_goes_on_to_the_same_end_with_any_workers(tuned, tuned_file, tmp_path, commongarden):
    """As a kill leaves it: some looks are there, one is half done, no arm has its best yet."""
    out, store = tmp_path / "out", stores.open_store(tuned)
    shutil.copytree(tuned, out)
    for path in (out / "tuning/runs/plain/1", out / "tuning/runs/residual/2", *(out / "runs").iterdir()):
        shutil.rmtree(path)
    half = out / "tuning/runs/plain/1.partial"
    half.mkdir()
    (half / ".checkpoint.pt.77.tmp").write_bytes(b"torn")
    study = store.study()
    arms = {name: study.arms[name] for name in ("plain", "residual")}
    bare = dataclasses.replace(study, arms=arms, tuning=dataclasses.replace(study.tuning, best={}))
    stores.write_study(out, bare)
    kept = {path: path.stat().st_mtime_ns for path in (out / "tuning").rglob("run.json")}
    assert len(kept) == 4
    told = commongarden("run", tuned_file, "--out", out, "--workers", 2, check=0)
    assert "2 runs" in told.stderr  # of six looks four were there
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert looks(out) == looks(tuned)
    assert stores.open_store(out).study() == study
    for run in store.runs():
        other = stores.open_store(out).run(run.arm, run.seed)
        assert (other.test_loss, other.recipe) == (run.test_loss, run.recipe)


def test_an_arm_with_another_number_of_looks_is_refused(tuned, tmp_path):
    shutil.copytree(tuned, tmp_path / "out")
    store = stores.open_store(tmp_path / "out")
    shutil.rmtree(store.tuning().directory("plain", 2))
    study = store.study()
    unsettled = dataclasses.replace(study, tuning=dataclasses.replace(study.tuning, best={}), arms=_own(study))
    with pytest.raises(RunnerError, match="plain: found 2 tuning runs, accepted: 3, the same number for every model"):
        runner.settled(unsettled, store)
    assert not stats.summarize(store).tuned.equal


def _own(study):
    return {name: arm for name, arm in study.arms.items() if name not in study.tuned_from()}


def test_the_short_way_on_the_command_line(study_file, commongarden):
    shown = commongarden("run", study_file, "--tune", 5, "--dry-run", check=0).stdout
    assert studies.parse(shown).tuning == Tuning(runs=5)
    commongarden("run", study_file, "--tune", 1, "--dry-run", check=2)


# The best, and what is said of it


def searched(root, reached, runs=None):
    """A grown store with tuning runs that reached these (val_accuracy, val_loss), None for one that failed."""
    store = grown(root, {"a": (0.50, 0.52, 0.51), "b": (0.60, 0.62, 0.60)})
    study = dataclasses.replace(store.study(), tuning=Tuning(runs=runs or len(reached)))
    for arm in ("a", "b"):
        source = store.run(arm, 0)
        for number, figures in enumerate(reached):
            recipe = study.trial_recipe(arm, number)
            run = dataclasses.replace(source, seed=number, recipe=recipe, test_accuracy=None, selected_epoch=1)
            if figures is None:
                run = dataclasses.replace(run, status="failed", selected_epoch=0)
            epoch = Epoch(1, 1.0, 0.5, *(figures or (0, 0))[::-1], recipe.lr, 1, 1, 1, 1)
            stores.write_run(store.tuning(), run, [] if figures is None else [epoch], None, None)
    stores.write_study(root, study)
    return store


@pytest.mark.parametrize(
    ("reached", "best"),
    [
        ([(0.5, 1.0), (0.6, 1.0), (0.55, 0.5)], 1),
        ([(0.5, 1.0), (0.5, 0.9), (0.5, 0.95)], 1),
        ([(0.5, 1.0), (0.5, 1.0), (0.4, 0.1)], 0),
        ([None, (0.2, 2.0), None], 1),
        ([None, None, None], None),
    ],
)
def test_the_best_look_is_that_of_the_best_validation_accuracy(tmp_path, reached, best):
    store = searched(tmp_path, reached)
    study = store.study()
    found = stats.best_of(stats.tuning_runs(store, study, "a"))
    assert (None if found is None else found.number) == best
    told = []
    settled = runner.settled(study, store, told.append)
    if best:
        assert settled.arms["a.tuned"].overrides == {"lr": study.trial_recipe("a", best).lr}
        assert told[0].startswith("tuning: a.tuned uses learning rate")
    else:
        assert settled.tuning.best == {"a": "a", "b": "b"}
        assert settled.planned_contrasts() == study.planned_contrasts()
    assert studies.parse(studies.dump(settled)) == settled


def with_best(root, outcomes_differ):
    """A searched store whose tuned arms were trained, too."""
    reached = {"a": (0.50, 0.52, 0.51), "b": (0.60, 0.62, 0.60)}
    tuned_b = (0.52, 0.50, 0.54) if outcomes_differ else (0.80, 0.82, 0.81)
    store = grown(root, {**reached, "a.tuned": (0.53, 0.52, 0.51), "b.tuned": tuned_b})
    study = dataclasses.replace(store.study(), contrasts=(Contrast("b", "a"),))
    arms = {**study.arms, "a.tuned": _at(study.arms["a"], 0.01), "b.tuned": _at(study.arms["b"], 0.02)}
    search = Tuning(runs=2, best={"a": "a.tuned", "b": "b.tuned"})
    study = dataclasses.replace(study, arms=arms, tuning=search)
    for arm, seed in itertools.product(("a.tuned", "b.tuned"), range(3)):
        path = store.directory(arm, seed) / "run.json"
        table = json.loads(path.read_text())
        table["recipe"]["lr"] = study.recipe_of(arm).lr
        forged(path, json.dumps(table))
    for arm, number in itertools.product(("a", "b"), range(2)):
        recipe = dataclasses.replace(study.recipe_of(arm), lr=0.01 if number else 1e-3)
        run = dataclasses.replace(store.run(arm, 0), seed=number, recipe=recipe, test_accuracy=None, selected_epoch=1)
        epoch = Epoch(1, 1.0, 0.5, 1.0, 0.5 + number / 10, recipe.lr, 1, 1, 1, 1)
        stores.write_run(store.tuning(), run, [epoch], None, None)
    return stores.write_study(root, study)


def _at(arm, lr):
    return dataclasses.replace(arm, overrides={"lr": lr})


@pytest.mark.parametrize("differ", [True, False])
def test_the_report_says_whether_the_verdict_changes(tmp_path, differ):
    store = with_best(tmp_path, differ)
    results = stats.summarize(store)
    (contrast,) = results.tuned.contrasts
    outcomes = {(item.arm, item.against): item.outcome for item in results.contrasts}
    assert contrast.outcome == outcomes["b", "a"]
    assert contrast.tuned_outcome == outcomes["b.tuned", "a.tuned"]
    assert contrast.changed == (outcomes["b", "a"] != outcomes["b.tuned", "a.tuned"])
    changes = "The conclusion changes: it depends on the training settings."
    text = report.write(store).read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
    assert (changes in text) == contrast.changed
    (both,) = (block for block in said.section(results).blocks if isinstance(block, Bullets))
    assert all(html.escape(verdict, quote=False) in text for verdict in both.items)
    assert "b.tuned" in both.items[1]
    assert "a and b had 2 trials each of 4 epochs" in text
    assert "Equal training settings except what was tuned" in text
    assert said.ratio(results.tuned.arms[0]) == "10 times as large"
    assert "a: the best learning rate is at the end of the range (0.01)" in text


def test_an_unfinished_search_and_one_that_found_nothing_are_told(tmp_path):
    store = searched(tmp_path / "a", [(0.5, 1.0), None], runs=3)
    results = stats.summarize(store)
    remarks = " ".join(said.remarks(results.tuned))
    assert "The search is not complete: of 3 trials per model there are a 2, b 2." in remarks
    assert "1 trial of a failed" in remarks
    report.write(store)
    store = searched(tmp_path / "b", [(0.5, 1.0), (0.4, 1.0)])
    stores.write_study(store.root, runner.settled(store.study(), store))
    results = stats.summarize(store)
    assert said.kept(results) == "No model did better than with its declared settings, so no conclusion changes."
    assert [said.ratio(arm) for arm in results.tuned.arms] == ["the same", "the same"]
    assert "no conclusion changes" in report.write(store).read_text(encoding="utf-8")


def test_the_contract_names_the_arms_that_tuning_added(tuned):
    store = stores.open_store(tuned)
    kept = json.loads((tuned / "contract.json").read_text())
    assert kept["hash"] == contract.of(store.study(), store.manifest(), store.splits()).hash
    assert {name for name, _, _ in kept["own"]} == {"plain.tuned", "residual.tuned"}


def test_its_report_leaves_no_english_over_in_korean(tuned):
    from commongarden import stats, store
    from commongarden.i18n.language import used
    from leftover import left_over, names_of, shown

    kept = store.open_store(tuned)
    with used("ko"):
        said = shown(kept, stats.summarize(kept))
    assert left_over(said, names_of(kept)) == []
