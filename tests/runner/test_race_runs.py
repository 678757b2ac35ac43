"""Studies raced through the command line: budgets, stopping and going on, what is said and kept; forecasts."""

import contextlib
import dataclasses
import json
import re
import shutil
import signal
import sys
import time

import pytest

import commongarden as cg
from command import workers
from commongarden import stats
from commongarden import store as stores
from commongarden.errors import StudyError
from commongarden.runner import budget, forecast
from commongarden.runner.events import Job, Piloted
from commongarden.runner.futility import is_futile
from commongarden.stats import raced
from running import numbers, start, wait_for

THIRD = '\n[arms.frozen]\narch = "plain_flower"\nlr = 1e-9\n\n[[contrasts]]\nis = ["frozen", "residual"]\n'


@pytest.fixture(scope="module")
def three(tmp_path_factory, study_file):
    """Three arms, of which one does not learn, so that its contrast is settled early."""
    path = tmp_path_factory.mktemp("three") / "three.toml"
    path.write_text(study_file.read_text().replace("epochs = 3", "epochs = 6") + THIRD)
    return path


@pytest.fixture(scope="module")
def undisturbed(commongarden, three, tmp_path_factory):
    out = tmp_path_factory.mktemp("raced") / "out"
    result = commongarden("run", three, "--out", out, "--until", "resolved", "--seeds", 6, check=0)
    return out, result


def race_of(out):
    return raced.read(stores.open_store(out))


def test_a_settled_contrast_gets_no_more_runs(undisturbed):
    out, result = undisturbed
    found = race_of(out)
    store = stores.open_store(out)
    clear = found.race.last_looks["frozen", "residual"][0]
    assert clear.decision == "worse"
    assert clear.high < 0
    n = dict(found.race.stopped)["frozen"]
    assert n is not None
    assert n < 6
    assert sum(run.arm == "frozen" for run in store.runs()) == n == clear.n
    assert f"frozen against residual was settled after {n} seeds: frozen is worse." in result.stderr
    assert re.search(rf"{found.n_saved} of 18 runs (was|were) saved\.", result.stderr)
    assert found.n_saved == 18 - len(store.runs()) > 0
    assert store.study().seeds == tuple(range(max(run.seed for run in store.runs()) + 1))
    page = (out / "report.html").read_text()
    assert "Added seeds" in page
    assert f"frozen against residual was settled after {n} seeds" in page
    assert "Lan &amp; DeMets" in page


def test_the_same_command_makes_nothing_more(undisturbed, three, commongarden, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(undisturbed[0], out)
    again = commongarden("run", three, "--out", out, "--until", "resolved", "--seeds", 6, check=0)
    assert "to make" not in again.stderr
    assert "plan:" not in again.stderr
    assert race_of(out) == race_of(undisturbed[0])


@pytest.mark.soak
def test_runs_that_are_there_count(undisturbed, three, commongarden, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(undisturbed[0], out)
    store = stores.open_store(out)
    last = max(run.seed for run in store.runs())
    for path in out.glob(f"runs/*/{last}"):
        shutil.rmtree(path)
    (out / "racing.json").unlink()
    done = {path: path.stat().st_mtime_ns for path in out.rglob("run.json")}
    commongarden("run", three, "--out", out, "--until", "resolved", "--seeds", 6, check=0)
    assert race_of(out).race == race_of(undisturbed[0]).race
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in done.items())


@pytest.mark.soak
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to another process")
def test_a_race_that_is_stopped_and_goes_on_decides_the_same(undisturbed, three, commongarden, cache_folder, tmp_path):
    out = tmp_path / "out"
    for n in (2, 7):  # in the first round, and in a later one
        process = start(three, out, cache_folder, "--until", "resolved", "--seeds", "6")
        wait_for(lambda: len(list(out.rglob("run.json"))) >= n, seconds=120)  # noqa: B023
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130, errors
        assert "Repeat the command to resume" in errors
    assert race_of(out).end == "under way"
    commongarden("run", three, "--out", out, "--until", "resolved", "--seeds", 6, check=0)
    assert race_of(out).race == race_of(undisturbed[0]).race
    assert numbers(out) == numbers(undisturbed[0])


@pytest.mark.soak
def test_a_budget_of_runs_is_kept_and_what_is_left_is_told(three, commongarden, tmp_path):
    out = tmp_path / "out"
    result = commongarden("run", three, "--out", out, "--budget", "10runs", check=0)
    assert len(list(out.rglob("run.json"))) == 9  # three seeds for three arms; the next look needs more than one run
    assert race_of(out).end == "budget"
    assert "Of the budget of 10runs, 9 runs are used and 1 are left; the next analysis needs" in result.stderr
    more = commongarden("run", three, "--out", out, "--budget", "9runs", check=0)
    assert "to make" not in more.stderr


@pytest.mark.soak
def test_a_budget_below_the_first_look_makes_what_fits(study_file, commongarden, tmp_path):
    out = tmp_path / "out"
    commongarden("run", study_file, "--out", out, "--budget", "3runs", "--epochs", 1, check=0)
    assert [(run.arm, run.seed) for run in stores.open_store(out).runs()] == [
        ("plain", 0),
        ("plain", 1),
        ("residual", 0),
    ]
    assert race_of(out).race.looks == ()


def test_a_budget_of_time_starts_no_run_that_does_not_fit(study_file, commongarden, tmp_path):
    out = tmp_path / "out"
    result = commongarden("run", study_file, "--out", out, "--budget", "0.01s", check=0)
    assert not list(out.rglob("run.json"))
    assert "0 s are used" in result.stderr
    assert (out / "report.html").is_file()


@pytest.mark.soak
def test_a_time_budget_counts_the_seconds_of_the_runs(study_file, commongarden, tmp_path):
    out = tmp_path / "out"
    commongarden("run", study_file, "--out", out, "--budget", "1h", "--seeds", 3, check=0)
    store = stores.open_store(out)
    seconds = sum(forecast.run_seconds(store, run.arm, run.seed) for run in store.runs())
    found = race_of(out)
    assert len(store.runs()) == 6
    assert found.used == pytest.approx(seconds)
    assert found.left == pytest.approx(3600 - seconds)


@pytest.mark.soak
def test_a_plain_run_makes_what_the_race_saved(undisturbed, three, commongarden, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(undisturbed[0], out)
    n_seeds = len(stores.open_store(out).study().seeds)
    commongarden("run", three, "--out", out, check=0)
    assert len(stores.open_store(out).runs()) == 3 * n_seeds


@pytest.mark.parametrize(
    ("text", "seconds", "runs"),
    [("30m", 1800, None), ("90s", 90, None), ("2h", 7200, None), ("1h30m", 5400, None), ("40runs", None, 40),
     ("1 run", None, 1), ("1.5h", 5400, None)],
)  # fmt: skip
def test_budgets_are_read(text, seconds, runs):
    found = budget.parse(text)
    assert (found.seconds, found.runs) == (seconds, runs)


@pytest.mark.parametrize("text", ["", "30", "m", "0runs", "0s", "-3m", "30 minutes", "40 run s x"])
def test_other_budgets_are_refused(text):
    with pytest.raises(StudyError, match="accepted: a time"):
        budget.parse(text)


def test_a_race_needs_one_test_part_and_a_contrast(photos):
    study = cg.Study("s", str(photos), {"a": cg.Arm("plain_flower"), "b": cg.Arm("residual_flower")}, vary=("split",))
    with pytest.raises(StudyError, match="the same test set for all seeds"):
        budget.with_seeds(study, 5)
    with pytest.raises(StudyError, match="racing needs contrasts, but this study has none"):
        budget.with_seeds(cg.Study("s", str(photos), {"a": cg.Arm("plain_flower")}), 5)
    with pytest.raises(StudyError, match="accepted: 'resolved'"):
        budget.spending("bored", None, 5)


def test_seeds_of_a_race_are_the_studys_own_and_higher_ones(photos):
    arms = {"a": cg.Arm("plain_flower"), "b": cg.Arm("residual_flower")}
    assert budget.with_seeds(cg.Study("s", "d", arms, seeds=(7, 3)), 4).seeds == (3, 7, 8, 9)
    assert budget.with_seeds(cg.Study("s", "d", arms, seeds=6), 4).seeds == (0, 1, 2, 3)


def test_the_plan_is_told_kept_and_compared_with_what_it_took(undisturbed):
    out, result = undisturbed
    kept = json.loads((out / "forecast.json").read_text())
    assert "plan: at most 18 runs (3 arms, up to 6 seeds)" in result.stderr
    assert kept["n_runs"] == 18
    assert kept["took"] > 0
    assert 200e6 < kept["memory_bytes"] < 4e9
    assert "estimated at most " in result.stderr
    (one,) = [line for line in result.stderr.splitlines() if line.startswith("estimated at most")]
    assert "took" in one


@pytest.mark.soak
def test_runs_that_are_there_are_forecast_from_what_they_took(finished, study_file, commongarden, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    known = forecast.measured(stores.open_store(out))
    assert set(known) == {"plain", "residual"}
    store = stores.open_store(out)
    assert known["plain"].seconds == pytest.approx(
        sum(forecast.run_seconds(store, "plain", seed) for seed in (0, 1)) / 2
    )
    assert known["plain"].disk_bytes > 600_000  # its weights alone are 0.7 MB
    assert forecast.pilots([Job("plain", 3), Job("new", 0)], known)[0].arm == "new"
    result = commongarden("run", study_file, "--out", out, "--seeds", 3, check=0)
    assert "plan: 2 runs (2 arms, 1 seed)" in result.stderr


def test_a_forecast_fills_the_workers_in_turn():
    known = {"long": Piloted("long", 10.0, 5, 1), "short": Piloted("short", 4.0, 7, 2)}
    jobs = [Job(arm, seed) for seed in (0, 1) for arm in ("long", "short")]
    two, one = forecast.forecast(jobs, known, 2), forecast.forecast(jobs, known, 1)
    assert (two.seconds, one.seconds) == (14.0, 28.0)  # long 0..10 and short 0 0..4, long 1 4..14, short 1 10..14
    assert (two.memory_bytes, two.disk_bytes, two.n_seeds) == (7, 6, 2)
    assert forecast.forecast([*jobs, Job("other", 0)], known, 2) is None
    assert forecast.forecast([], known, 2) is None


def test_a_long_study_is_asked_about_and_may_be_declined(study_file, tmp_path, cache_folder, monkeypatch):
    from commongarden import study as studies

    monkeypatch.setattr(forecast, "ASK_ABOVE", 0.0)
    asked = []
    results, conducted = cg.run(
        studies.read(study_file), tmp_path / "out", cache_dir=cache_folder, n_workers=1,
        confirm=lambda plan: bool(asked.append(plan)),
    )  # fmt: skip
    assert asked[0].n_runs == 4
    assert conducted.interrupted
    assert conducted.n_missing == 4
    assert conducted.forecast is None
    assert not list((tmp_path / "out").rglob("run.json"))
    assert results.arms[0].n_finished == 0


@pytest.mark.soak
def test_the_python_call_races_too(study_file, tmp_path, cache_folder):
    from commongarden import study as studies

    _, conducted = cg.run(
        studies.read(study_file), tmp_path / "out", cache_dir=cache_folder, until="resolved", most_seeds=3
    )
    assert conducted.raced.race.looks[-1].n_seeds == 3
    assert conducted.n_missing == 0
    assert conducted.forecast.took > 0


@pytest.mark.soak
def test_hopeless_runs_end_at_half_their_epochs_where_that_is_asked_for(study_file, commongarden, tmp_path):
    dead = 'arch = "plain_flower"\norder = "LA"\nlr = 1e-12\ninit = "fixed"\ninit_std = 1e-12'
    text = study_file.read_text().replace('arch = "plain_flower"', dead).replace("epochs = 3", "epochs = 6")
    (tmp_path / "dead.toml").write_text(text)
    out = tmp_path / "out"
    commongarden("run", tmp_path / "dead.toml", "--out", out, "--seeds", 1, "--stop-hopeless", check=0)
    store = stores.open_store(out)
    run, other = store.run("plain", 0), store.run("residual", 0)
    assert (run.stopped_as_hopeless, run.status, run.selected_epoch) == (True, "finished", 3)
    assert (len(store.history("plain", 0)), len(store.history("residual", 0))) == (3, 6)
    assert not other.stopped_as_hopeless
    assert run.test_accuracy == pytest.approx(1 / 3)
    page = (out / "report.html").read_text()
    assert "1 run was stopped at half its epochs" in page
    assert "(plain 0)" in page


def test_a_run_is_futile_by_its_first_half_alone(finished):
    best, *_ = stores.open_store(finished).history("residual", 0)
    low, high = (dataclasses.replace(best, val_accuracy=value) for value in (0.2, 0.9))
    assert is_futile([low] * 3, 6, 0.2)
    assert is_futile([low] * 3 + [high], 6, 0.2)  # one that went on because it was interrupted there
    assert not is_futile([low, high, low], 6, 0.2)
    assert not is_futile([low] * 2, 6, 0.2)
    assert not is_futile([low] * 6, 6, 0.2)
    assert not is_futile([low] * 3, 3, 0.2)
    assert is_futile([low] * 3, 5, 0.2)


@pytest.mark.soak
def test_workers_stay_between_rounds(study_file, cache_folder, tmp_path):
    """The same two processes make all rounds."""
    import psutil

    process = start(study_file, tmp_path / "out", cache_folder, "--until", "resolved", "--seeds", "4", "--workers", "2")
    seen = set()
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):  # it ends between two looks
            seen |= {worker.pid for worker in workers(process.pid)}
        time.sleep(0.05)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert race_of(tmp_path / "out").race.looks[-1].n_seeds > 3
    assert len(seen) == 2


def test_the_verdict_of_a_raced_study_is_that_of_its_last_look(undisturbed):
    out, _ = undisturbed
    found = race_of(out)
    for contrast in stats.summarize(stores.open_store(out)).contrasts:
        last, _n_seeds = found.race.last_looks[contrast.arm, contrast.against]
        if last.low is None:  # too few seeds in which both learned
            assert contrast.outcome in ("no pairs", "one seed")
            continue
        assert contrast.adjusted.low == pytest.approx(last.low)
        assert contrast.adjusted.high == pytest.approx(last.high)


def test_its_report_leaves_no_english_over_in_korean(undisturbed):
    from commongarden import stats, store
    from commongarden.i18n.language import used
    from leftover import left_over, names_of, shown

    kept = store.open_store(undisturbed[0])
    with used("ko"):
        said = shown(kept, stats.summarize(kept))
    assert left_over(said, names_of(kept)) == []
