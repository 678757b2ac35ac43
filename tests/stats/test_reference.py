"""Comparisons with a reference by Dunnett's procedure, and the set of the best: against scipy, and by simulation."""

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

from commongarden import summarize
from commongarden.cli import main
from commongarden.errors import StudyError
from commongarden.records import Predictions
from commongarden.runner.budget import with_seeds
from commongarden.stats import METRICS, holm_levels
from commongarden.stats.best_set import can_be_best
from commongarden.stats.dunnett import critical, dunnett_levels, dunnett_p, within
from commongarden.stats.scores import Sample
from commongarden.study import Arm, Contrast, Study, conflicts, extend, parse
from commongarden.study.file import dump, to_table
from commongarden.study.recipe import Recipe
from grown import grown
from simulations import reference as calibration

ARMS = {name: Arm("plain_flower") for name in ("a", "b", "c", "d", "e")}
REACHED = {"a": (0.50, 0.52, 0.51), "b": (0.71, 0.70, 0.73), "c": (0.51, 0.50, 0.53), "d": (0.50, 0.53, 0.50)}


@pytest.mark.parametrize(("k", "n"), [(4, 3), (4, 10), (9, 5)])
def test_with_one_variance_it_is_scipys_dunnett(k, n):
    generator = np.random.default_rng(k * n)
    control, *samples = generator.normal(generator.random((k + 1, 1)), 1.0, (k + 1, n))
    expected = stats.dunnett(*samples, control=control, rng=np.random.default_rng(0))
    df = (n - 1) * (k + 1)
    error = np.sqrt(2 * np.mean([np.var(sample, ddof=1) for sample in (control, *samples)]) / n)
    found = [1 - within(abs(sample.mean() - control.mean()) / error, k, 0.5, df) for sample in samples]
    assert found == pytest.approx(expected.pvalue, abs=2e-3)
    interval = expected.confidence_interval(0.95)
    half = critical(k, 0.5, df) * error
    assert half == pytest.approx((interval.high - interval.low) / 2, rel=5e-3)


@pytest.mark.parametrize("df", [2.0, 7.3, 40.0, 1e6])
@pytest.mark.parametrize("sides", [1, 2])
def test_the_integral_is_the_multivariate_t(df, sides):
    shape = 0.7 * np.eye(5) + 0.3
    low = np.full(5, -2.4 if sides == 2 else -np.inf)
    expected = stats.multivariate_t(shape=shape, df=df, seed=0).cdf(np.full(5, 2.4), lower_limit=low)
    assert within(2.4, 5, 0.3, df, sides=sides) == pytest.approx(expected, abs=2e-3)


def test_levels_say_what_the_adjusted_p_say_and_are_no_smaller_than_holms():
    generator = np.random.default_rng(0)
    for _ in range(20):
        p = list(generator.random(8) ** 6)
        levels = dunnett_levels(p, 0.4, 12.0)
        assert [one <= level for one, level in zip(p, levels, strict=True)] == [
            one <= 0.05 for one in dunnett_p(p, 0.4, 12.0)
        ]
        n_found = sum(one <= level for one, level in zip(p, levels, strict=True))
        assert n_found >= sum(one <= level for one, level in zip(p, holm_levels(p), strict=True))
        assert min(levels) >= 0.05 / 8


def test_error_rate_and_coverage():
    found = calibration.row(5, 3, "equal", 40)
    assert found.error_rate <= 0.06 + 2.5 * 0.035  # the margin of a rate from 40 studies
    assert found.covered >= 0.95 - 2.5 * 0.035
    assert found.power > found.holm_power


@pytest.mark.soak
@pytest.mark.parametrize("n_seeds", [3, 5, 10])
@pytest.mark.parametrize("n_arms", [5, 20])
@pytest.mark.parametrize("spread", list(calibration.SPREADS))
def test_error_rate_with_arms_that_vary_differently(n_arms, n_seeds, spread):
    found = calibration.row(n_arms, n_seeds, spread, 1_000, seed=1)
    assert found.error_rate <= 0.06 + 2 * 0.0075
    assert found.covered >= 0.95 - 2 * 0.0075


def test_the_set_of_the_best_is_one_arm_that_is_far_ahead_and_all_that_are_alike():
    generator, sd = np.random.default_rng(0), np.full(6, 0.02)
    ahead = calibration.study(generator, np.array([0, 0, 0.3, 0, 0, 0]), 5, sd)
    assert can_be_best(METRICS["accuracy"], ahead) == ("arm_2",)
    assert can_be_best(METRICS["log_loss"], ahead) == ("arm_2",)
    draws = [calibration.study(generator, np.zeros(6), 5, sd) for _ in range(20)]
    assert np.mean([len(can_be_best(METRICS["accuracy"], alike)) for alike in draws]) >= 5
    alike = draws[0]
    assert can_be_best(METRICS["accuracy"], {arm: alike[arm] for arm in list(alike)[:4]}) is None


def folded(found, k=5):
    """The same photos, each tested in one of k folds."""
    return {
        arm: Sample(tuple(Predictions(*(getattr(run, name)[i::k] for name in ("photos", "labels", "probabilities")))
                          for i, run in enumerate(sample.runs[:k])), 240)
        for arm, sample in found.items()
    }  # fmt: skip


def test_the_set_of_the_best_over_folds():
    generator, sd = np.random.default_rng(0), np.full(6, 0.02)
    ahead = folded(calibration.study(generator, np.array([0, 0, 0.3, 0, 0, 0]), 5, sd))
    assert can_be_best(METRICS["accuracy"], ahead) == ("arm_2",)
    draws = [folded(calibration.study(generator, np.zeros(6), 5, sd)) for _ in range(20)]
    assert np.mean([len(can_be_best(METRICS["accuracy"], alike)) for alike in draws]) >= 5


def test_intervals_of_a_study_say_what_its_tests_say(tmp_path):
    study = Study(
        "s", "photos", dict(list(ARMS.items())[:4]), Recipe(resolution=32, epochs=4), (0, 1, 2), reference="a"
    )
    store = grown(tmp_path / "study", REACHED, study=study)
    results = summarize(store)
    assert [(found.arm, found.against) for found in results.contrasts] == [("b", "a"), ("c", "a"), ("d", "a")]
    assert [found.outcome for found in results.contrasts] == ["better", "not resolved", "not resolved"]
    for found in results.contrasts:
        assert (found.p_holm <= 0.05) == (not found.adjusted.low <= 0 <= found.adjusted.high)
        assert "pooled" in found.difference.method


def test_a_study_file_keeps_its_reference_and_one_without_is_written_as_before():
    study = Study("s", "photos", ARMS, reference="c")
    assert parse(dump(study)) == study
    assert "reference" not in to_table(Study("s", "photos", ARMS))["study"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"reference": "cc"}, "study.reference: unknown model 'cc'"),
        ({"reference": "a", "contrasts": (Contrast("b", "a"),)}, r"found 'a' together with \[\[contrasts\]\]"),
    ],
)
def test_a_reference_that_does_not_fit(more, said):
    with pytest.raises(StudyError, match=said):
        Study("s", "photos", ARMS, **more)


def test_more_arms_are_compared_with_the_reference_and_a_new_reference_is_refused():
    stored = Study("s", "photos", ARMS, reference="c")
    wanted = Study("s", "photos", {**ARMS, "f": Arm("plain_flower")})
    assert conflicts(stored, wanted) == []
    assert {found.against for found in extend(stored, wanted).planned_contrasts()} == {"c"}
    assert len(extend(stored, wanted).planned_contrasts()) == 5
    assert conflicts(Study("s", "photos", ARMS), stored) == ["study.reference: 'none' in the folder, 'c' requested"]
    chosen = Study("s", "photos", ARMS, contrasts=(Contrast("b", "a"),))
    assert conflicts(stored, chosen) == ["contrasts: 'each model with c' in the folder, 1 requested"]


def test_the_command_line_replaces_the_comparisons_of_a_study_file():
    said = CliRunner().invoke(main, ["run", "demo", "--dry-run", "--reference", "plain"])
    assert said.exit_code == 0
    assert 'reference = "plain"' in said.output
    assert "[[contrasts]]" not in said.output
    assert "compared with plain (Dunnett's procedure: 2 comparisons)" in said.output
    found = parse(said.output)
    assert [(pair.arm, pair.against) for pair in found.planned_contrasts()] == [
        ("residual", "plain"),
        ("bottleneck", "plain"),
    ]


def test_a_model_is_named_as_after_models():
    asked = ["run", "--data", "photos", "--models", "plain_flower,timm:test_resnet", "--reference", "timm:test_resnet"]
    said = CliRunner().invoke(main, [*asked, "--dry-run"])
    assert 'reference = "timm-test_resnet"' in said.output


def test_a_race_is_refused():
    with pytest.raises(StudyError, match="racing uses Holm's procedure, but this study compares all models with c"):
        with_seeds(Study("s", "photos", ARMS, reference="c"), 20)
