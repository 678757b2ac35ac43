"""The report: its words, its numbers, its files, whatever the study holds."""

import csv
import dataclasses
import io
import json
import re
import shutil

import altair as alt
import jsonschema
import pytest
from rich.console import Console

from commongarden import report, stats
from commongarden import store as stores
from commongarden.records import Estimate, Failure
from commongarden.report import charts, page
from commongarden.report.document import html as page_writer
from commongarden.report.wording import answers, baselines, coverage, numbers, words
from commongarden.stats import ContrastResult, Effort, Imbalance, MajorityClass, Remedy, learning
from grown import grown


def contrast(outcome, value=None, low=None, high=None, n=3, differs=()):
    found = None if value is None else Estimate(value, low, high, n, "")
    return ContrastResult("residual", "plain", outcome, found, tuple(differs))


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            contrast("better", 0.0312, 0.0123, 0.0501),
            "residual is significantly better than plain, by 3.1 points (95 % CI 1.2 to 5.0, 3 seeds).",
        ),
        (
            contrast("worse", -0.0312, -0.0501, -0.0123),
            "residual is significantly worse than plain, by 3.1 points (95 % CI 1.2 to 5.0, 3 seeds).",
        ),
        (
            contrast("better", 0.004, 0.0002, 0.0078),  # rounded to a tenth it would end on 0 and deny the verdict
            "residual is significantly better than plain, by 0.40 points (95 % CI 0.02 to 0.78, 3 seeds).",
        ),
        (
            contrast("not resolved", 0.012, -0.02, 0.044, n=5),
            "No significant difference between residual and plain: +1.2 points (95 % CI -2.0 to 4.4, 5 seeds).",
        ),
        (
            contrast("one seed", 0.02, n=1),
            "residual is 2.0 points above plain in one run each. With one seed there is no confidence interval.",
        ),
        (
            contrast("one seed", 0.0, n=1),
            "residual and plain have equal results in one run each. With one seed there is no confidence interval.",
        ),
        (contrast("no pairs"), "residual and plain cannot be compared yet: they have no finished seed in common."),
    ],
)
def test_a_verdict_is_a_sentence_with_its_evidence(found, sentence):
    assert words.verdict(found) == sentence


def settled(outcome, value, low, high, metric="accuracy", family=3, equivalence=None, within=False, **more):
    difference, adjusted = Estimate(value, 2 * low, high, 5, ""), Estimate(value, low, high, 5, "")
    margins = None if equivalence is None else Estimate(value, *equivalence, 5, "")
    return ContrastResult(
        "residual", "plain", outcome, difference, (), metric, 0.01, family, adjusted, margins, within, **more
    )


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            settled("better", 0.0312, 0.0123, 0.0501),
            "residual is significantly better than plain, by 3.1 points (95 % CI 1.2 to 5.0, adjusted for 3 "
            "comparisons, 5 seeds).",
        ),
        (
            settled("worse", -0.0312, -0.0501, -0.0123, family=1),
            "residual is significantly worse than plain, by 3.1 points (95 % CI 1.2 to 5.0, 5 seeds).",
        ),
        (  # lower is better: the sign turns, the sentence does not
            settled("better", -0.0312, -0.0501, -0.0123, "log_loss", 1),
            "residual is significantly better than plain, by 0.031 nats of log loss (95 % CI 0.012 to 0.050, 5 seeds).",
        ),
        (
            settled("worse", 0.0312, 0.0123, 0.0501, "calibration_error", 1),
            "residual is significantly worse than plain, by 3.1 points of calibration error (95 % CI 1.2 to "
            "5.0, 5 seeds).",
        ),
        (
            settled("equivalent", 0.002, -0.008, 0.012, equivalence=(-0.005, 0.009), within=True),
            "residual and plain are equivalent within 1 point: +0.2 points (90 % CI -0.5 to 0.9, 5 seeds).",
        ),
        (
            settled("better", 0.004, 0.001, 0.007, family=1, equivalence=(0.002, 0.006), within=True),
            "residual is significantly better than plain, by 0.4 points (95 % CI 0.1 to 0.7, 5 seeds). This "
            "is within the study's margin of 1 point, so it counts as no difference.",
        ),
        (
            settled("not resolved", 0.012, -0.02, 0.044, "balanced_accuracy"),
            "No significant difference between residual and plain: +1.2 points of balanced accuracy (95 "
            "% CI -2.0 to 4.4, adjusted for 3 comparisons, 5 seeds).",
        ),
    ],
)
def test_a_verdict_speaks_of_the_adjusted_interval_and_the_metric(found, sentence):
    assert words.verdict(found) == sentence


def unresolved(**remedy):
    values = {"settle": None, "photos": None, "photos_seeds": None, "seen": 0.012, "show": None, "wanted": 0.01}
    return settled("not resolved", 0.012, -0.02, 0.044, remedy=Remedy(0.01, 652, **values | remedy))


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (settled("better", 0.0312, 0.0123, 0.0501), None),
        (
            unresolved(likely=(Effort(7, 4, 2.0), Effort(9, 8, 12.4))),
            "7 to 9 seeds would give 80 % power for a true difference of 1 point: up to 8 runs more, about 12 minutes.",
        ),
        (
            unresolved(wanted=0.012, likely=(Effort(9, 8, None), Effort(9, 8, None))),
            "9 seeds would give 80 % power for a true difference of 1.2 points: up to 8 runs more.",
        ),
        (
            unresolved(settle=Effort(5, 0, 0.0)),
            "5 seeds give 80 % power for a true difference of 1 point; more would narrow the interval further.",
        ),
        (
            unresolved(only_photos=True, photos=4731, photos_seeds=5),
            "With 652 test images, more seeds alone cannot resolve a difference of 1 point; more test images can.",
        ),
        (  # a large number that is planned from a few seeds is no number to print
            unresolved(settle=Effort(882, 1754, 900.0), likely=(Effort(400, 790, 1.0), Effort(900, 1790, 1.0))),
            "A true difference of 1 point could take more than 50 seeds.",
        ),
        (unresolved(), "A true difference of 1 point could take more than 50 seeds."),
    ],
)
def test_a_remedy_is_seeds_or_photos(found, sentence):
    assert words.remedy(found) == sentence


def test_the_sign_flip_test_stands_beside_the_verdict():
    least = settled("better", 0.03, 0.01, 0.05, p_signflip=0.0625, p_least=0.0625)
    more = settled("better", 0.03, 0.01, 0.05, p_signflip=0.125, p_least=0.0625)
    assert words.signflip(least) == "Sign-flip test over the seeds: p = 0.0625, the minimum for 5 pairs."
    assert words.signflip(more) == "Sign-flip test over the seeds: p = 0.125."
    assert coverage.signflip_limit(5) == (
        "With 5 pairs a two-sided sign-flip test cannot reach p < 0.0625; from 6 seeds on it can reach p < 0.05."
    )
    assert coverage.signflip_limit(6) is None


def test_a_study_says_what_its_intervals_carry(tmp_path):
    store = grown(tmp_path / "one", {"a": (0.5, 0.52, 0.54), "b": (0.6, 0.62, 0.64)})
    said = words.intervals(stats.summarize(store))
    assert "test-set variation (100 test images)" in said
    assert "runs with the same seed are not paired" in said  # two arms of three runs are too few to see a seed's effect
    assert "With 3 runs of each model a two-sided permutation test cannot reach p < 0.100; from 4 seeds on" in said
    paired = words.intervals(dataclasses.replace(stats.summarize(store), pair_seeds=True))
    assert "differences are paired by seed and image" in paired
    assert "With 3 pairs a two-sided sign-flip test cannot reach p < 0.250;" in paired
    assert "Holm" not in said
    own = dataclasses.replace(stats.summarize(store), design="resampled")
    assert "Each seed has its own test images" in words.intervals(own)
    three = grown(tmp_path / "three", {"a": (0.5, 0.52, 0.51), "b": (0.6, 0.62, 0.61), "c": (0.6, 0.63, 0.61)})
    assert "adjusted for all 3 comparisons (Holm)" in words.intervals(stats.summarize(three))


@pytest.mark.parametrize("metric", ["balanced_accuracy", "log_loss", "calibration_error"])
def test_a_study_can_compare_by_another_metric(tmp_path, metric):
    store = grown(tmp_path, {"a": (0.5, 0.51, 0.5, 0.52, 0.5), "b": (0.9, 0.91, 0.9, 0.9, 0.92)})
    stores.write_study(store.root, dataclasses.replace(store.study(), metric=metric, margin=2.0))
    results = stats.summarize(store)
    (found,) = results.contrasts
    assert (found.metric, found.outcome, found.margin, results.margin) == (metric, "better", 0.02, 0.02)
    assert (found.difference.value > 0) == (metric == "balanced_accuracy")
    assert found.probability.value == 1.0
    assert [standing.arm for standing in results.standings] == ["b", "a"]
    page_text = rendered(store)
    assert words.verdict(found).replace(" %", "\N{NO-BREAK SPACE}%") in page_text
    left = "left of 0 the first model is better"
    assert (left in page_text) == (metric != "balanced_accuracy")
    table = json.loads((store.root / "results.json").read_text(encoding="utf-8"))
    assert table["contrasts"][0]["metric"] == metric


def test_unequal_classes_are_told_with_the_metric_to_read(tmp_path):
    results = stats.summarize(grown(tmp_path, {"a": (0.5, 0.6)}))
    assert results.imbalance is None
    unequal = dataclasses.replace(results, imbalance=Imbalance("rose", 90, "tulip", 10))
    (said,) = [note for note in words.notes(unequal) if "imbalanced" in note]
    assert "(rose 90 test images, tulip 10)" in said
    assert "see balanced accuracy and the recall of each class" in said
    balanced = dataclasses.replace(unequal, metric="balanced_accuracy")
    assert any("weighs all classes equally" in note for note in words.notes(balanced))


def test_what_differs_is_said_and_one_cause_is_not_claimed_where_there_are_two():
    one = contrast("better", 0.1, 0.05, 0.15, differs=[("order", "LBA", "LA"), ("parameters", "10", "12")])
    two = contrast("better", 0.1, 0.05, 0.15, differs=[("order", "LBA", "LA"), ("resolution", "96", "64")])
    assert words.differs(one) == "They differ in order (LBA against LA)."
    assert words.differs(two) == (
        "They differ in order (LBA against LA) and resolution (96 against 64), so the effect cannot be "
        "attributed to one of these alone."
    )
    assert words.differs(contrast("no pairs")) == "They have no declared difference."


LINE = MajorityClass("dandelion", 0.244, 1.6)


@pytest.mark.parametrize(
    ("accuracies", "stuck", "sentence"),
    [
        ((0.5, 0.52, 0.54), 0, None),
        (
            (0.244, 0.244, 0.244),
            3,
            "a is no better than the majority-class baseline (dandelion, 24.4 %). a learned in 0 of 3 seeds "
            "(95 % CI 0 to 71 %).",
        ),
        ((0.2, 0.21, 0.22), 0, "a is no better than the majority-class baseline (dandelion, 24.4 %)."),
        ((0.24,), 1, "a is no better than the majority-class baseline (dandelion, 24.4 %)."),
        (
            (0.244, 0.5, 0.52),
            1,
            "a learned in 2 of 3 seeds (95 % CI 9 to 99 %). When it learned, it reached 51.0 % (95 % CI 38.3 to 63.7); "
            "its mean over all runs, 42.0 %, depends on how many fail.",
        ),
        (
            (0.244, 0.30, 0.30, 0.30, 0.30, 0.30),
            1,
            "a learned in 5 of 6 seeds (95 % CI 36 to 100 %). When it learned, it reached 30.0 % (95 % CI 30.0 to "
            "30.0); its mean over all runs, 29.0 %, depends on how many fail.",
        ),
    ],
)
def test_an_arm_at_the_line_of_guessing_is_called_so(tmp_path, accuracies, stuck, sentence):
    arm = stats.summarize(grown(tmp_path, {"a": accuracies})).arms[0]
    learned = [value for value in accuracies if value > LINE.accuracy]
    found = dataclasses.replace(
        arm,
        n_at_commonest=stuck,
        learned=learning.share(len(accuracies) - stuck, len(accuracies)),
        accuracy_learned=stats.mean_interval(learned) if stuck and learned else None,
        beats_commonest=(arm.test_accuracy.low or arm.test_accuracy.value) > LINE.accuracy,
    )
    assert words.beside_commonest(found, LINE) == sentence


def test_the_files_say_the_same(finished):
    results = stats.summarize(stores.open_store(finished))
    table = json.loads((finished / "results.json").read_text(encoding="utf-8"))
    with (finished / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["arm"] for row in rows] == [
        "plain",
        "residual",
        *(baselines.name(item) for item in results.baselines),
        f"always {results.commonest.label}",
    ]
    for arm, row, entry in zip(results.arms, rows, table["arms"], strict=False):
        assert entry["test_accuracy"]["value"] == arm.test_accuracy.value
        assert float(row["top1"]) == pytest.approx(100 * arm.test_accuracy.value, abs=1e-9)
        assert float(row["top1_low"]) == pytest.approx(100 * arm.test_accuracy.low, abs=1e-9)
        assert float(row["log_loss_high"]) == pytest.approx(arm.log_loss.high) == entry["log_loss"]["high"]
        assert round(1e6 * float(row["param_count"])) == entry["n_params"] == arm.n_params
    assert float(rows[-1]["top1"]) == pytest.approx(100 * results.commonest.accuracy, abs=1e-9)
    assert table["contrasts"][0]["verdict"] == words.verdict(results.contrasts[0])


def test_a_study_moved_without_its_photos_gives_the_same_report(tmp_path, study_file, photos, commongarden):
    """The report reads the store only: thumbnails were kept by the run."""
    shutil.copytree(photos, tmp_path / "photos")
    out = tmp_path / "out"
    commongarden("run", study_file, "--data", tmp_path / "photos", "--out", out, check=0)
    before = (out / "report.html").read_bytes()
    assert b"data:image/jpeg;base64," in before
    shutil.rmtree(tmp_path / "photos")
    shutil.move(out, tmp_path / "elsewhere")
    commongarden("report", tmp_path / "elsewhere", check=0)
    assert (tmp_path / "elsewhere" / "report.html").read_bytes() == before


def test_the_page_does_not_tell_where_the_photos_lie(finished, photos):
    text = (finished / "report.html").read_text(encoding="utf-8")
    assert photos.name in text
    body = text[: text.index("<script>")]
    command = re.search(r"<pre.*?</pre>", body, re.DOTALL)
    assert str(photos.parent) not in body.replace(command[0], "")


def test_the_command_stands_in_the_page(finished, study_file):
    text = (finished / "report.html").read_text(encoding="utf-8")
    assert f"commongarden run {study_file} --out {finished}" in text


def rendered(store):
    text = report.write(store).read_text(encoding="utf-8")
    return text[: text.index("<script>")] if "<script>" in text else text


def test_a_study_of_one_seed_says_that_no_interval_can_be_given(tmp_path):
    text = rendered(grown(tmp_path, {"a": (0.5,), "b": (0.6,)}))
    assert "b is 10.0 points above a in one run each. With one seed there is no confidence interval." in text
    assert "With one seed there is no confidence interval; a second seed shows" in text
    assert "(95\N{NO-BREAK SPACE}% CI" not in text


def test_a_study_without_a_finished_run_still_has_its_page(tmp_path):
    text = rendered(grown(tmp_path, {"a": (), "b": ()}))
    assert "No run has finished yet" in text
    assert "0 of 4 runs finished" in text


def test_failed_runs_are_told_with_their_place(tmp_path):
    failure = Failure("the training loss became nan", 2, 7)
    text = rendered(grown(tmp_path, {"a": (0.5, 0.6), "b": (0.6, failure)}))
    assert "b, seed 1, failed: the training loss became nan at epoch 2, step 7" in text
    assert "1 of 2 runs of b failed; its results are from the 1 that finished." in text
    text = rendered(grown(tmp_path / "all", {"a": (failure, failure)}))
    assert "a has no result: all 2 runs failed." in text


def test_an_unfinished_study_says_so(tmp_path):
    text = rendered(grown(tmp_path, {"a": (0.5, 0.6), "b": (0.6,)}))
    assert "3 of 4 runs finished. Preliminary results; repeat the command to resume." in text


def test_one_arm_alone_is_reported_without_a_comparison(tmp_path):
    text = rendered(grown(tmp_path, {"alone": (0.5, 0.6, 0.55)}))
    assert "alone: 55.0\N{NO-BREAK SPACE}% (95\N{NO-BREAK SPACE}% CI" in text
    assert "Comparisons" not in text


def test_best_val_is_stated(tmp_path):
    text = rendered(grown(tmp_path, {"a": (0.5, 0.6)}, select="best-val"))
    assert "with the weights of the epoch with the best validation accuracy" in text


def test_published_figures_stand_beside_the_studys_own(tmp_path):
    text = rendered(grown(tmp_path, {"a": (0.5, 0.6), "b": (0.5, 0.7)}, published={"b": 0.306}))
    assert ">published<" in text
    assert re.search(r"<td>30\.6<br>", text)
    assert "a student&#39;s report" in text


HOSTILE = ("</script><script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "{{ 7 * 7 }}", "=1+1", "장미 & <b>")


def test_hostile_class_names_stay_text(tmp_path):
    store = grown(tmp_path, {"a": (0.5, 0.6)}, classes=HOSTILE)
    text = report.write(store).read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert "{{ 7 * 7 }}" in text
    assert "장미 &amp; &lt;b&gt;" in text


def test_json_inside_a_script_cannot_end_it():
    text = page_writer.in_script({"a": "</script><!-- \u2028 &"})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"a": "</script><!-- \u2028 &"}


def test_a_not_finite_loss_breaks_no_chart(tmp_path):
    """A run may end with an infinite validation loss in its history only as failed, but a mean must not trip on it."""
    store = grown(tmp_path, {"a": (0.5, 0.6)}, val_loss=float("inf"))
    assert (
        "Infinity" not in report.write(store).read_text(encoding="utf-8").split('id="specs">')[1].split("</script>")[0]
    )


@pytest.mark.parametrize(
    ("value", "like", "text"),
    [
        (1563.28, None, "1,563"), (84.137, None, "84.1"), (0.5464, None, "0.546"), (0.0, None, "0.000"),
        (-0.0001, 84.0, "0.0"), (1e-7, None, "0.000000"), (123456.7, None, "123,457"), (9.999, None, "10.00"),
    ],
)  # fmt: skip
def test_numbers_have_three_figures(value, like, text):
    assert numbers.number(value, like) == text


def test_the_terminal_says_what_the_page_says(finished, commongarden):
    printed = " ".join(commongarden("compare", finished, check=0).stdout.split())
    results = stats.summarize(stores.open_store(finished))
    said = answers.said(results, None)
    assert printed.startswith(said.headline)
    assert all(line in printed for line in (*said.settled, *said.open))
    for note in words.notes(results):
        assert note in printed


def test_a_narrow_terminal_gets_two_tables(finished):
    console = Console(width=80, file=io.StringIO())
    for part in report.terminal(stats.summarize(stores.open_store(finished))):
        console.print(part)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("residual") >= 2
    assert "…" not in text


def test_charts_are_vega_lite(finished, monkeypatch):
    """The page does not check them, since that takes time."""
    made, chart = [], charts.Chart
    monkeypatch.setattr(charts, "Chart", lambda *parts: made.append(parts) or chart(*parts))
    kept = stores.open_store(finished)
    page.render(kept, stats.summarize(kept))
    assert len(made) > 8
    for name, spec, _ in made:
        alt.LayerChart.from_dict(spec)
        with pytest.raises(jsonschema.ValidationError):  # what is checked can fail
            alt.LayerChart.from_dict(spec | {"layer": [{"mark": name}]})
