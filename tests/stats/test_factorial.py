"""Factors: the arms they span, and the effects against independent analyses of the same numbers."""

import dataclasses
import io
import itertools
import json
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from scipy import stats as reference
from statsmodels.stats.anova import AnovaRM

from commongarden import report, stats
from commongarden import study as studies
from commongarden.errors import StudyError
from commongarden.records import Failure, Predictions
from commongarden.report.topics import factors
from commongarden.report.wording import effects as effects_in_words
from commongarden.stats import METRICS, Sample, factorial
from commongarden.study import Arm, Contrast, Study
from grown import grown
from paths import ROOT

FILE = """
[study]
name = "factors"
data = "photos"
seeds = 4

[recipe]
resolution = 32

[factors]
arch = ["plain_flower", "residual_flower"]
order = ["LAB", "LBA"]

[factors.base]
lr = 0.002
"""
TWO = studies.parse(FILE)
THREE = studies.parse(FILE.replace("[factors.base]", 'init = ["fan-in", "fixed"]\n[factors.base]'))
TABLE = {  # accuracies of four seeds on 100 photos
    "plain_flower-LAB": (0.50, 0.54, 0.51, 0.55),
    "plain_flower-LBA": (0.61, 0.67, 0.59, 0.70),
    "residual_flower-LAB": (0.58, 0.57, 0.60, 0.61),
    "residual_flower-LBA": (0.70, 0.72, 0.69, 0.75),
}


def test_factors_span_arms():
    assert list(TWO.arms) == list(TABLE)
    assert TWO.arms["residual_flower-LBA"] == Arm("residual_flower", {"order": "LBA"}, {"lr": 0.002})
    assert TWO.levels_of("residual_flower-LBA") == {"arch": "residual_flower", "order": "LBA"}
    assert TWO.planned_contrasts() == ()
    assert studies.parse(studies.dump(TWO)) == TWO
    assert "residual_flower-LBA-fixed" in THREE.arms
    made = Study("s", "photos", factors={"arch": ["plain_flower", "residual_flower"], "lr": [0.01, 0.1]})
    assert list(made.arms) == [
        "plain_flower-lr_0.01", "plain_flower-lr_0.1", "residual_flower-lr_0.01", "residual_flower-lr_0.1",
    ]  # fmt: skip
    assert made.recipe_of("plain_flower-lr_0.1").lr == 0.1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('["LAB", "LBA"]', '["LAB", "LAAB"]', "factors: arch = plain_flower, order = LAAB cannot be built: "),
        ("order = [", 'shortcut = ["zeros", "none"]\norder = [',
         "factors: arch = plain_flower, shortcut = zeros, order = LAB cannot be built: unknown key 'shortcut'"),
        ('["LAB", "LBA"]', '["LAB"]', "factors.order: found ['LAB'], accepted: a list of at least two levels"),
        ('["LAB", "LBA"]', '"LAB"', "factors.order: found 'LAB', accepted: a list of at least two levels"),
        ('["LAB", "LBA"]', '["LAB", "LAB"]', "factors.order: found the level 'LAB' twice"),
        ("lr = 0.002", 'order = "LA"', "factors.base.order: order is a factor"),
        ("lr = 0.002", "lr = -1", "lr: found -1"),
        ('arch = ["plain_flower", "residual_flower"]\n', "", "factors: found no arch"),
        ("[factors.base]", '[arms.plain_flower-LAB]\narch = "resnet18"\n[factors.base]',
         "differs from the combination arch = plain_flower, order = LAB of the factors: "),
    ],
)  # fmt: skip
def test_factors_that_do_not_hold_together(old, new, message):
    assert old in FILE
    with pytest.raises(StudyError) as error:
        studies.parse(FILE.replace(old, new))
    assert message in str(error.value)


levels = st.lists(st.sampled_from(["a", "b/c.json", "x:y", "flip"]), min_size=2, unique=True)


@given(
    arch=st.lists(st.sampled_from(["plain_flower", "timm:convnext_atto", "nets/mine.json"]), min_size=2, unique=True),
    rates=st.lists(st.floats(1e-9, 1e9), min_size=2, max_size=3, unique=True),
    augment=st.lists(st.lists(st.sampled_from(["flip", "crop"]), unique=True), min_size=2, max_size=3, unique_by=tuple),
    switch=st.booleans(),
)
def test_names_of_combinations_are_valid_and_different(arch, rates, augment, switch):
    factors = {"arch": arch, "lr": rates, "augment": augment, **({"nesterov": [True, False]} if switch else {})}
    found = studies.factorial.names(factors)
    assert len(found) == np.prod([len(values) for values in factors.values()])
    assert all(studies.declared.ARM_NAME.fullmatch(name) for name in found)
    assert len({name.casefold() for name in found}) == len(found)


def test_a_factorial_study_is_extended_by_levels_and_arms():
    wider = studies.parse(
        FILE.replace('["LAB", "LBA"]', '["LBA", "LA"]') + '[arms.other]\narch = "bottleneck_flower"\n'
    )
    assert studies.conflicts(TWO, wider) == []
    both = studies.extend(TWO, wider)
    assert both.factors["order"] == ("LAB", "LBA", "LA")
    assert set(both.arms) == {*TWO.arms, *wider.arms}
    assert both.levels_of("other") is None
    assert studies.extend(TWO, TWO) == TWO
    without = Study("s", "photos", {"plain_flower-LAB": TWO.arms["plain_flower-LAB"]}, TWO.recipe, (0, 1, 2, 3))
    assert studies.extend(TWO, without).factors == TWO.factors
    assert studies.conflicts(TWO, THREE) == [
        "factors: ['arch', 'order'] in the folder, ['arch', 'order', 'init'] requested"
    ]
    faster = studies.parse(FILE.replace("0.002", "0.004"))
    assert "factors.base: {'lr': 0.002} in the folder, {'lr': 0.004} requested" in studies.conflicts(TWO, faster)


def test_the_example_is_a_factorial_study():
    study = studies.read(ROOT / "examples" / "factors.toml")
    assert list(study.factors) == ["arch", "order"]
    assert list(study.arms) == list(TABLE)
    assert study.recipe_of("plain_flower-LAB").lr == 2e-3


def test_a_part_of_the_grid_is_no_factorial_study():
    some = studies.choose_arms(TWO, list(TABLE)[:2])
    assert (some.factors, list(some.arms)) == ({}, list(TABLE)[:2])
    assert some.planned_contrasts() == (Contrast("plain_flower-LBA", "plain_flower-LAB"),)
    assert studies.choose_arms(TWO, list(TABLE)).factors == TWO.factors


# Effects


def effects(store):
    return {tuple(step.factor for step in effect.steps): effect for effect in stats.summarize(store).factorial.effects}


def test_effects_of_two_by_two_by_hand(tmp_path):
    found = effects(grown(tmp_path, TABLE, study=TWO))
    a, b, c, d = (np.array(values) for values in TABLE.values())
    expected = {
        ("arch",): (c + d - a - b) / 2,
        ("order",): (b + d - a - c) / 2,
        ("arch", "order"): (d - c) - (b - a),
    }
    assert found.keys() == expected.keys()
    for term, by_seed in expected.items():
        assert found[term].alone.value == pytest.approx(by_seed.mean())
        assert found[term].alone.n == 4
        low, high = reference.t.interval(0.95, 3, by_seed.mean(), by_seed.std(ddof=1) / 2)
        # test photos add their noise to that of the seeds
        assert found[term].alone.high - found[term].alone.low > 0.9 * (high - low)
    (step,) = found["order",].steps
    assert (step.level, step.against, found["order",].over) == ("LBA", "LAB", ("arch",))


def test_effects_over_folds_are_contrasts_of_folds():
    """The effect of the only factor is the difference of its two arms, tested as a contrast of folds."""
    generator = np.random.default_rng(6)
    study = studies.parse(FILE.replace('order = ["LAB", "LBA"]\n', "").replace("seeds = 4", "folds = 5"))
    tested = {arm: {} for arm in study.arms}
    for fold, (arm, share) in itertools.product(range(5), zip(study.arms, (0.6, 0.9), strict=True)):
        right = np.eye(2, dtype=np.float32)[(generator.random(40) < share).astype(int)]
        names = np.array([f"{40 * fold + i:03}" for i in range(40)])
        tested[arm][fold] = Predictions(names, np.ones(40, np.int64), right)
    photos = tuple(range(200))
    splits = {fold: SimpleNamespace(train=photos[:160], test=photos[:40]) for fold in range(5)}
    (effect,) = factorial.effects_of(study, tested, splits).effects
    one, two = (Sample(tuple(runs.values()), 160) for runs in (tested["residual_flower"], tested["plain_flower"]))
    expected = stats.mean_difference(METRICS["accuracy"], one, two)
    assert effect.alone == expected.interval()
    assert "folds" in effect.alone.method
    assert effect.outcome == "established"


def crossed_f(study, accuracies):
    """F of repeated-measures analysis of variance, by term."""
    rows = [
        {"seed": seed, "accuracy": value, **study.levels_of(arm)}
        for arm, reached in accuracies.items()
        for seed, value in enumerate(reached)
    ]
    table = AnovaRM(pd.DataFrame(rows), "accuracy", "seed", within=list(study.factors)).fit().anova_table
    return {tuple(name.split(":")): row for name, row in table.iterrows()}


@pytest.mark.parametrize("study", [TWO, THREE], ids=["two factors", "three factors"])
def test_effects_are_those_of_repeated_measures(study, tmp_path):
    """Where no photo is told from another, t squared is the F of the independent analysis."""
    generator = np.random.default_rng(3)
    study = dataclasses.replace(study, vary=("init", "split"))  # over splits only the seeds' values are looked at
    accuracies = {
        arm: tuple(np.round(generator.normal(0.5 + 0.05 * i, 0.04, 4), 2).tolist()) for i, arm in enumerate(study.arms)
    }
    store = grown(tmp_path, accuracies, study=study)
    anova = crossed_f(study, accuracies)
    found = effects(store)
    assert found.keys() == anova.keys()
    split = store.split(0)
    for term, effect in found.items():
        half = (effect.alone.high - effect.alone.low) / 2 / reference.t.ppf(0.975, 3)
        plain = half / np.sqrt((1 / 4 + len(split.test) / len(split.train)) / (1 / 4))  # without Nadeau and Bengio
        assert (effect.alone.value / plain) ** 2 == pytest.approx(anova[term]["F Value"], rel=1e-6), term
        assert anova[term]["Den DF"] == 3


def test_an_effects_interval_is_that_of_its_photos_crossed_with_seeds(tmp_path):
    store = grown(tmp_path, TABLE, study=TWO)
    right = {}
    for run in store.runs():
        found = store.predictions(run.arm, run.seed)
        right[run.arm, run.seed] = found.probabilities.argmax(axis=1) == found.labels
    one = [
        sum(sign * right[arm, seed].astype(float) / 2 for arm, sign in zip(TABLE, (-1, 1, -1, 1), strict=True))
        for seed in range(4)
    ]
    expected = stats.crossed_difference(np.array(one)).interval()
    assert effects(store)["order",].alone == expected


def test_more_than_two_levels_are_held_against_the_first(tmp_path):
    text = FILE.replace('["LAB", "LBA"]', '["LA", "LAB", "LBA"]')
    study = studies.parse(text)
    accuracies = {arm: (0.4 + 0.03 * i, 0.42 + 0.03 * i) for i, arm in enumerate(study.arms)}
    found = stats.summarize(grown(tmp_path, accuracies, study=study)).factorial
    assert found.factors == (("arch", ("plain_flower", "residual_flower")), ("order", ("LA", "LAB", "LBA")))
    said = {tuple((step.factor, step.level, step.against) for step in effect.steps) for effect in found.effects}
    orders = [("order", "LAB", "LA"), ("order", "LBA", "LA")]
    arch = ("arch", "residual_flower", "plain_flower")
    assert said == {(arch,), *((order,) for order in orders), *((arch, order) for order in orders)}
    values = {effect.steps: effect.alone.value for effect in found.effects}
    means = {arm: np.mean(reached) for arm, reached in accuracies.items()}
    (main,) = (value for steps, value in values.items() if [step.level for step in steps] == ["LBA"])
    assert main == pytest.approx(
        np.mean([means[f"{arch}-LBA"] - means[f"{arch}-LA"] for arch in ("plain_flower", "residual_flower")])
    )


def test_effects_are_on_the_studys_metric(tmp_path):
    """The probabilities of the made-up runs are two: right with 0.93, wrong with 0.03."""
    study = dataclasses.replace(TWO, metric="log_loss", margin=2.0)
    store = grown(tmp_path, TABLE, study=study)
    found = stats.summarize(store).factorial
    (order,) = (effect for effect in found.effects if [step.factor for step in effect.steps] == ["order"])
    one, two = (
        np.mean([np.mean(TABLE[f"{arch}-{order}"]) for arch in TWO.factors["arch"]]) for order in ("LAB", "LBA")
    )
    assert order.alone.value == pytest.approx((two - one) * (np.log(0.1 / 3) - np.log(0.9 + 0.1 / 3)), rel=1e-4)
    said = effects_in_words.sentence(order, found)
    assert re.fullmatch(
        r"order LBA against LAB: -0\.\d{3} nats of log loss \(95 % CI -\d\.\d+ to -\d\.\d+, 4 seeds\), "
        r"averaged over arch\.",
        said,
    )
    plot = factors.section(stats.summarize(store)).blocks[0].parts[1][0]
    assert "Lower is better: left of 0 the later level is better." in plot.caption
    assert plot.charts[0].spec["layer"][1]["encoding"]["x"]["axis"]["title"] == "nats of log loss on the test set"


def test_effects_in_words_and_in_the_files(tmp_path):
    store = grown(tmp_path, TABLE, study=TWO)
    path = report.write(store)
    text = path.read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
    table = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    found = stats.summarize(store)
    assert len(table["factorial"]["effects"]) == 3
    for effect, row in zip(found.factorial.effects, table["factorial"]["effects"], strict=True):
        assert row["sentence"] == effects_in_words.sentence(effect, found.factorial)
        assert row["sentence"] in text
    console = Console(width=300, file=io.StringIO())
    for part in report.terminal(found):
        console.print(part)
    assert table["factorial"]["effects"][0]["sentence"] in console.file.getvalue()
    assert "arch residual_flower against plain_flower: +" in table["factorial"]["effects"][0]["sentence"]
    assert "Interaction of arch (residual_flower against plain_flower) and order (LBA against LAB)" in text
    assert table["factorial"]["effects"][2]["sentence"].endswith("Not significant.")
    assert "The models are all combinations of arch (plain_flower, residual_flower) and order (LAB, LBA)." in text
    assert "reached a test accuracy of" not in text  # what is said of a study with one arm


def test_the_outcome_follows_the_corrected_interval(tmp_path):
    found = effects(grown(tmp_path, TABLE, study=TWO))
    for effect in found.values():
        excludes = effect.adjusted.low > 0 or effect.adjusted.high < 0
        assert (effect.outcome == "established") == excludes == (effect.p_holm < 0.05)
        assert effect.adjusted.low <= effect.alone.low
    assert found["order",].outcome == "established"
    assert found["arch", "order"].outcome == "not resolved"


# Runs that are missing


def test_missing_runs_make_a_mixed_model_whose_balanced_form_is_the_pairs():
    generator = np.random.default_rng(1)
    arms = list(TABLE)
    values = {
        (arm, seed): 0.5 + 0.05 * i + 0.03 * np.sin(7 * seed) + generator.normal(0, 0.01)
        for i, arm in enumerate(arms)
        for seed in range(6)
    }
    weights = [dict(zip(arms, (-0.5, 0.5, -0.5, 0.5), strict=True)), {arms[0]: -1.0, arms[2]: 1.0}]
    kind, means = factorial.mixed_means(values, weights, {})
    assert kind == "mixed model"
    table = np.array([[values[arm, seed] for seed in range(6)] for arm in arms])
    # by hand: the residual mean square of arms x seeds
    rest = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
    square = (rest**2).sum() / (3 * 5)
    for mean, mine in zip(means, weights, strict=True):
        w = np.array([mine.get(arm, 0.0) for arm in arms])
        assert mean.value == pytest.approx(w @ table.mean(1), abs=1e-6)
        assert mean.error == pytest.approx(np.sqrt(square * (w**2).sum() / 6), rel=1e-3)
        assert mean.df == pytest.approx(15)
    less = {key: value for key, value in values.items() if key not in ((arms[0], 2), (arms[3], 5))}
    _, fewer = factorial.mixed_means(less, weights, {})
    assert fewer[0].value == pytest.approx(means[0].value, abs=0.02)
    assert fewer[0].df == pytest.approx(13)
    assert fewer[0].error > 0.9 * means[0].error
    photos = {arm: generator.random(50) for arm in arms}
    _, noisy = factorial.mixed_means(less, weights, photos)
    shares = sum(weight * photos[arm] for arm, weight in weights[0].items())
    assert noisy[0].error ** 2 == pytest.approx(fewer[0].error ** 2 + shares.var(ddof=1) / 50)


def test_seeds_that_do_not_differ_leave_a_model_without_them():
    """Seeds that lie closer together than chance would have them: their variance is 0, where the optimizer stops."""
    arms = list(TABLE)
    generator = np.random.default_rng(2)
    noise = generator.normal(0, 0.02, (4, 6))
    noise -= noise.mean(axis=0)  # every seed has the same mean
    values = {
        (arm, seed): 0.5 + noise[i, seed] for i, arm in enumerate(arms) for seed in range(6) if (i, seed) != (0, 1)
    }
    weights = [{arms[0]: -1.0, arms[1]: 1.0}]
    kind, (mean,) = factorial.mixed_means(values, weights, {})
    rows = [[values[arm, seed] for seed in range(6) if (arm, seed) in values] for arm in arms]
    square = sum(np.var(row) * len(row) for row in rows) / (23 - 4)
    assert kind == "mixed model"
    assert mean.value == pytest.approx(np.mean(rows[1]) - np.mean(rows[0]))
    assert mean.error == pytest.approx(np.sqrt(square * (1 / 5 + 1 / 6)))


def test_a_failed_run_is_no_reason_to_drop_its_seed(tmp_path):
    table = {**TABLE, "plain_flower-LBA": (0.61, Failure("the training loss became nan", 1, 2), 0.59, 0.70)}
    found = stats.summarize(grown(tmp_path, table, study=TWO)).factorial
    assert (found.kind, found.n_seeds) == ("mixed model", 4)
    assert all(effect.alone.low < effect.alone.value < effect.alone.high for effect in found.effects)
    complete = stats.summarize(grown(tmp_path / "whole", TABLE, study=TWO)).factorial
    for one, two in zip(found.effects, complete.effects, strict=True):
        assert one.alone.value == pytest.approx(two.alone.value, abs=0.02)


def test_an_arm_without_a_run_leaves_what_needs_it_open(tmp_path):
    study = studies.parse(FILE.replace('["LAB", "LBA"]', '["LA", "LAB", "LBA"]').replace("seeds = 4", "seeds = 3"))
    table = dict.fromkeys(study.arms, (0.5, 0.52, 0.51)) | {"plain_flower-LBA": ()}
    found = stats.summarize(grown(tmp_path, table, study=study)).factorial
    outcomes = {tuple(step.level for step in effect.steps): effect.outcome for effect in found.effects}
    assert outcomes["LBA",] == outcomes["residual_flower",] == outcomes["residual_flower", "LBA"] == "no runs"
    assert outcomes["LAB",] in ("equivalent", "not resolved")


def test_a_model_that_does_not_converge_gives_no_interval(tmp_path, monkeypatch):
    from statsmodels.regression.mixed_linear_model import MixedLM

    fit = MixedLM.fit

    def stopped(self, **options):
        found = fit(self, **options)
        found.converged = False
        found.cov_re = np.array([[found.scale]])
        return found

    monkeypatch.setattr(MixedLM, "fit", stopped)
    table = {**TABLE, "plain_flower-LBA": (0.61, None, 0.59, 0.70)}
    found = stats.summarize(grown(tmp_path, table, study=TWO)).factorial
    assert found.kind == "not converged"
    assert {effect.outcome for effect in found.effects} == {"no interval"}
    assert all(effect.alone.low is None for effect in found.effects)


@pytest.mark.parametrize("n", [0, 1])
def test_no_seed_and_one_seed(tmp_path, n):
    found = stats.summarize(grown(tmp_path, {arm: reached[:n] for arm, reached in TABLE.items()}, study=TWO)).factorial
    assert {effect.outcome for effect in found.effects} == {"no interval" if n else "no runs"}
    assert found.n_seeds == n
