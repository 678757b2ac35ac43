"""The answer of a study: the best arm, what is settled, and advice that is within reach."""

import dataclasses
import re
import shutil

import pytest

from commongarden.i18n.language import used
from commongarden.records import Failure
from commongarden.report import written_report
from commongarden.report.document import Paragraph
from commongarden.report.wording import answers
from commongarden.stats import Effort, Remedy, answer, summarize
from commongarden.store import open_store
from commongarden.study import Contrast
from grown import grown


def said(root, accuracies, **options):
    results = summarize(grown(root, accuracies, **options))
    return answer(results), answers.said(results, "garden/grown")


def test_a_clear_winner_is_named_as_such(tmp_path):
    found, text = said(
        tmp_path / "s", {"a": (0.5, 0.52, 0.51, 0.5), "b": (0.9, 0.91, 0.9, 0.92), "c": (0.5, 0.5, 0.51, 0.52)}
    )
    assert (found.best.arm, {*found.beaten}) == ("b", {"a", "c"})
    assert text.headline.startswith("Best: b, 90.8 % (95 % CI ")
    assert text.headline.endswith("significantly better than both other models.")
    assert any(line.startswith("Significant: b is better than a by ") for line in text.settled)
    assert text.use[0][1] == "commongarden predict garden/grown IMAGE..."


def test_a_model_without_results_is_not_beaten(tmp_path):
    failed = (Failure("the training loss became nan", 1, 3),) * 3
    found, text = said(tmp_path / "s", {"a": (0.5, 0.52, 0.51), "b": failed})
    assert (found.n_arms, found.beaten) == (1, ())
    assert text.headline.startswith("a: 51.0 % (95 % CI ")
    assert any("Not compared yet: a and b" in line or "Not compared yet: b and a" in line for line in text.open)


def test_without_a_significant_difference_the_best_is_best_on_average(tmp_path):
    found, text = said(tmp_path / "s", {"a": (0.80, 0.84, 0.82, 0.83), "b": (0.83, 0.84, 0.82, 0.86)})
    assert found.beaten == ()
    assert text.headline.startswith("Best on average: b, 83.7 % (95 % CI ")
    assert text.headline.endswith(" likely to be the best of the 2 models.")
    assert "p =" not in " ".join(answers.lines(text))
    (one,) = found.unsettled
    if one.needs == "seeds":
        assert one.seeds <= 20 * 4
        assert text.next[1] == f"commongarden run garden/grown/study.toml --out garden/grown --seeds {found.seeds}"
        assert found.runs == 2 * (found.seeds - 4)


@pytest.mark.parametrize("n", [1, 2])
def test_too_few_seeds_get_no_advice_but_more_seeds(tmp_path, n):
    found, text = said(tmp_path / "s", {"a": (0.80, 0.84)[:n], "b": (0.83, 0.80)[:n]})
    assert [one.needs for one in found.unsettled] == ["first seeds"]
    assert found.seeds == 5
    assert text.next[0].startswith("Next: train each model with 5 seeds")
    assert "100.0" not in " ".join(answers.lines(text))  # no interval from end to end


def test_what_is_out_of_reach_is_said_without_a_number(tmp_path):
    same = (0.80, 0.82, 0.81, 0.83)
    found, text = said(tmp_path / "s", {"a": same, "b": tuple(reversed(same))})
    numbers = [one.seeds for one in found.unsettled if one.needs == "seeds"]
    assert all(n <= 50 for n in numbers)
    *lines, finds = text.open
    assert re.match(
        r"With 4 seeds and 100 test images, this study finds a true difference of about [\d.]+ points", finds
    )
    for one, line in zip(found.unsettled, lines, strict=True):
        assert ("could take more than 50 seeds" in line) == (one.needs == "out of reach")
        assert "000" not in line.replace("1,000", "")


def test_one_model_and_none(tmp_path):
    _found, text = said(tmp_path / "one", {"a": (0.5, 0.6)})
    assert text.headline.startswith("a: 55.0 %")
    assert answers.said(summarize(grown(tmp_path / "none", {"a": (), "b": ()})), "x") is None


def test_in_korean(tmp_path):
    with used("ko"):
        _found, text = said(
            tmp_path / "s", {"a": (0.5, 0.52, 0.51), "b": (0.9, 0.91, 0.9)}, contrasts=(Contrast("a", "b"),)
        )
    assert "b" in text.headline
    assert not any(word in " ".join(answers.lines(text)) for word in ("Best", "Significant", "better"))


def test_the_lab_report_concludes_with_the_same_answer(tmp_path):
    """One truth: the page, `best` and the lab report."""
    store = grown(tmp_path / "s", {"a": (0.5, 0.52, 0.51), "b": (0.9, 0.91, 0.9), "c": (0.5, 0.5, 0.51)})
    results = summarize(store)
    headline = answers.said(results, None).headline
    (conclusion,) = (one for one in written_report.lab_report(store, results).sections if one.title == "Conclusion")
    assert next(block.text for block in conclusion.blocks if isinstance(block, Paragraph)) == headline


@pytest.mark.parametrize(
    ("instead", "needs", "sentence"),
    [
        (400, "photos", "For a true difference of 1 point, more test images help more than more seeds."),
        (1900, "seeds", "12 to 42 seeds in all would likely settle it"),
        (None, "seeds", "12 to 42 seeds in all would likely settle it"),
    ],
)
def test_the_cheaper_of_seeds_and_images_is_advised(tmp_path, instead, needs, sentence):
    results = summarize(grown(tmp_path / "s", {"a": (0.80, 0.84, 0.82, 0.83), "b": (0.83, 0.84, 0.82, 0.86)}))
    likely = (Effort(12, 16, 30.0), Effort(42, 76, 300.0))
    remedy = Remedy(
        0.01, 100, Effort(24, 40, 90.0), None, None, 0.005, None, instead=instead, wanted=0.01, likely=likely
    )
    open_one = dataclasses.replace(results.contrasts[0], outcome="not resolved", remedy=remedy)
    results = dataclasses.replace(results, contrasts=(open_one,))
    (found,) = answer(results).unsettled
    assert found.needs == needs
    text = answers.said(results, "garden/s")
    assert sentence in text.open[0]
    assert ("--seeds 42" in text.next[1]) == (needs == "seeds")
    if needs == "seeds":
        assert re.search(r"up to 76 more runs \(about \d+ \w+\)", text.next[0]), "the time is beside the number"


def test_how_many_images_would_do_instead_is_computed(tmp_path):
    """With few test images and many seeds the images are the noise."""
    found, _text = said(tmp_path / "s", {"a": (0.80, 0.81, 0.80, 0.81), "b": (0.82, 0.81, 0.82, 0.81)})
    (one,) = found.unsettled
    assert one.contrast.remedy.instead > 100


def test_a_study_with_runs_left_is_resumed_first(tmp_path):
    root = tmp_path / "s"
    grown(root, {"a": (0.80, 0.84, 0.82, 0.83), "b": (0.83, 0.84, 0.82, 0.86)})
    shutil.rmtree(root / "runs" / "b" / "3")
    text = answers.said(summarize(open_store(root)), "garden/grown")
    assert text.next == (
        "Next: 1 run is left; to resume:",
        "commongarden run garden/grown/study.toml --out garden/grown",
    )


def test_failed_runs_are_repeated_before_seeds_are_added(tmp_path):
    failed = Failure("the loss became nan", 2)
    results = summarize(grown(tmp_path / "s", {"a": (0.80, 0.84, 0.82), "b": (0.83, failed, 0.82)}))
    assert answers.said(results, "garden/s").next == (
        "Next: 1 run failed; once the cause is fixed, repeat it:",
        "commongarden run garden/s/study.toml --out garden/s --retry",
    )


def test_a_model_whose_weights_were_deleted_is_not_offered(tmp_path):
    root = tmp_path / "s"
    results = summarize(grown(root, {"a": (0.5, 0.52), "b": (0.9, 0.91)}))
    (root / "runs" / "b" / "0" / "model.safetensors").unlink(missing_ok=True)
    assert answers.said(results, str(root)).use == ()
    (root / "runs" / "b" / "0" / "model.safetensors").write_bytes(b"")
    assert answers.said(results, str(root)).use[0][1] == f"commongarden predict {root} IMAGE..."
