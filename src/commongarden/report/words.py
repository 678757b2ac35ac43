"""Every sentence and number format of the report: what the page and the terminal say, and nothing of how it looks.

All of it is plain functions here, formats in numbers.py and one dictionary in labels.py, so that a catalogue in another
language can stand behind them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from commongarden.language import _, ngettext
from commongarden.records import Estimate, Machine, Run
from commongarden.report import baselines, designs
from commongarden.report.labels import TEXT
from commongarden.report.numbers import counted, hundredths, listed, percent
from commongarden.report.verdicts import headline as headline
from commongarden.report.verdicts import imbalance as imbalance
from commongarden.report.verdicts import intervals as intervals
from commongarden.report.verdicts import margin as margin
from commongarden.report.verdicts import remedy as remedy
from commongarden.report.verdicts import signflip as signflip
from commongarden.report.verdicts import verdict as verdict
from commongarden.report.verdicts import verdicts as verdicts
from commongarden.stats import METRICS, ArmResult, Commonest, ContrastResult, Results
from commongarden.study import SplitPlan

CONSEQUENCES = ("parameters", "MACs")  # rows of ContrastResult.differs that follow from the others


def _interval(low: float, high: float, decimals: int) -> str:
    return f"95 % interval {hundredths(low, decimals)} to {hundredths(high, decimals)}"


def differs(contrast: ContrastResult) -> str:
    """What differs between the two arms, in one phrase, and whether the difference can be put down to one thing."""
    causes = [f"{what} ({one} against {two})" for what, one, two in contrast.differs if what not in CONSEQUENCES]
    if not causes:
        return "Nothing that was declared differs between them."
    warning = ", so the difference cannot be put down to one of these alone" if len(causes) > 1 else ""
    return f"They differ in {listed(causes)}{warning}."


def beside_commonest(arm: ArmResult, commonest: Commonest) -> str | None:
    """Said of an arm that is not above always guessing the commonest class, or with runs that never left that line."""
    accuracy = arm.test_accuracy
    if accuracy is None or (arm.beats_commonest and not arm.n_at_commonest):
        return None
    line = f"always guessing {commonest.label} ({percent(commonest.accuracy)})"
    stuck = _stuck(arm)
    if arm.beats_commonest:
        return f"{arm.arm} is better than {line}, but {stuck}."
    if accuracy.value <= commonest.accuracy or arm.n_at_commonest == arm.n_finished or accuracy.low is None:
        return f"{arm.arm} is no better than {line}." + (f" {_capital(stuck)}." if stuck and arm.n_finished > 1 else "")
    mean = f"{percent(accuracy.value)} ({_interval(accuracy.low, accuracy.high or 1.0, 1)})"
    return f"{arm.arm} is not shown to be better than {line}: its mean is {mean}." + (
        f" {_capital(stuck)}." if stuck else ""
    )


def _stuck(arm: ArmResult) -> str:
    if not arm.n_at_commonest:
        return ""
    said = f"{arm.n_at_commonest} of {counted(arm.n_finished, 'seed', 'seeds')} never left it"
    learned = arm.accuracy_learned
    if learned is None:
        return said
    if learned.n == 1:
        return f"{said}; the other one reached {percent(learned.value)}"
    return f"{said}; over the other {learned.n} the mean is {percent(learned.value)}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def accuracy(estimate: Estimate | None, folds: int = 0) -> str:
    """An accuracy with its evidence."""
    if estimate is None:
        return "no finished run"
    if estimate.low is None or estimate.high is None:
        return f"{percent(estimate.value)} (one run)"
    runs = designs.repeats(estimate.n, folds)
    return f"{percent(estimate.value)} ({_interval(estimate.low, estimate.high, 1)}, {runs})"


def one_arm(arm: ArmResult, folds: int = 0) -> str:
    """The answer of a study that has nothing to compare."""
    return f"{arm.arm} reached a test accuracy of {accuracy(arm.test_accuracy, folds)}."


def notes(results: Results) -> list[str]:
    """What must be said beside the verdicts: no better than guessing, never left that line, failed."""
    said = [beside_commonest(arm, results.commonest) for arm in results.arms]
    beside = [baselines.beside(found) for found in results.beside_baselines]
    failed = [failures(arm) for arm in results.arms]
    unequal = imbalance(results.imbalance, results.metric)
    return [sentence for sentence in (*said, *beside, *failed, unequal) if sentence is not None]


def failures(arm: ArmResult) -> str | None:
    """Said of an arm some of whose runs failed."""
    if not arm.n_failed:
        return None
    total = counted(arm.n_failed + arm.n_finished, "run", "runs")
    if not arm.n_finished:
        return f"{arm.arm} has no result: {'its only run' if arm.n_failed == 1 else f'all {arm.n_failed} runs'} failed."
    return (
        f"{arm.n_failed} of {total} of {arm.arm} failed; its figures are those of the {arm.n_finished} that finished."
    )


def differences_caption(results: Results) -> str:
    """What the picture of the differences shows."""
    text = designs.labels(TEXT, results.folds)
    lower = not METRICS[results.metric].higher_is_better
    side = text["differences_left"] if lower else text["differences_right"]
    several = sum(contrast.level is not None for contrast in results.contrasts) > 1
    bars = text["differences_bars" if several else "differences_bar"]
    size = margin(results.metric, results.margin)
    return " ".join((bars, side, text["differences_band"].format(margin=size), text["differences_colours"]))


# The run of the study


def progress(n_finished: int, n_failed: int, n_planned: int) -> str | None:
    """Said while a study is unfinished."""
    if n_finished + n_failed >= n_planned:
        return None
    done = f"{n_finished} of {counted(n_planned, 'run', 'runs')} {'is' if n_finished == 1 else 'are'} finished"
    failed = f", {n_failed} failed" if n_failed else ""
    return f"{done}{failed}. What follows is so far; the same command goes on."


def question(arms: Sequence[str], data: str) -> str:
    """The question of a study that does not state one."""
    if len(arms) == 1:
        return f"How well does {arms[0]} do on {data}?"
    if len(arms) > 6:
        return f"How do {len(arms)} networks compare on {data}?"
    return f"How do {listed(arms)} compare on {data}?"


def compared(results: Results) -> str:
    """What was compared and on what, in one line."""
    return (
        f"{counted(len(results.arms), 'arm', 'arms')} × {designs.repeats(len(results.seeds), results.folds)}, "
        f"{counted(len(results.classes), 'class', 'classes')}; {results.n_train:,} photos to train on, "
        f"{results.n_val:,} to validate, {results.n_test:,} to test."
    )


def commonest_line(commonest: Commonest) -> str:
    """The name of the line that a network must beat."""
    return f"always {commonest.label}"


def failure(run: Run) -> str:
    """Why one run has no result."""
    return f"{run.arm}, seed {run.seed}, failed: {run.failure or 'no reason kept'}"


def mistaken(classes: Sequence[str], shares: Sequence[Sequence[float]]) -> str:
    """The commonest confusion of one arm: shares[true][called]."""
    wrong = [
        (share, true, called)
        for true, row in enumerate(shares)
        for called, share in enumerate(row)
        if true != called and share > 0
    ]
    if not wrong:
        return "No test photo was mistaken."
    share, true, called = max(wrong)
    return f"Most often mistaken: {100 * share:.0f} % of {classes[true]} called {classes[called]}."


def called(counts: Mapping[str, int], most: int = 2) -> str:
    """What the runs said of a photo that they missed.

    >>> called({"rose": 5, "daisy": 3, "tulip": 1})
    'called rose 5, daisy 3, other 1'
    """
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    parts = [f"{label} {n}" for label, n in ordered[:most]]
    rest = sum(n for _, n in ordered[most:])
    return f"called {', '.join([*parts, f'other {rest}'] if rest else parts)}"


def missed(n_runs: int) -> str:
    """What the counts below the photos are out of."""
    return (
        f"Worst first, of {counted(n_runs, 'run', 'runs')}: the true class in bold, then what the runs that missed it "
        "said, and how many. A photo that every run misses is worth a look: its label may be wrong."
    )


def machine(found: Machine, device: str) -> str:
    """One machine in one line."""
    cores = counted(found.physical_cores, "core", "cores")
    return f"{found.processor} ({cores}, {found.memory_bytes / 2**30:.0f} GiB), {found.system}, trained on {device}"


def machines(n: int) -> str | None:
    """Said where runs come from more than one machine."""
    return f"The runs come from {n} machines: seconds and memory cannot be compared across them." if n > 1 else None


def limits(results: Results, select: Iterable[str]) -> list[str]:
    """How far the results reach."""
    n = results.n_test
    weights = {"last": "the last epoch", "best-val": "the epoch with the best validation accuracy"}
    chosen = listed(weights[name] for name in sorted(set(select), reverse=True))
    said = [
        "One data set: another one may order the arms otherwise.",
        f"{designs.repeats(len(results.seeds), results.folds)} an arm: intervals narrow with more of them.",
        f"The test part was touched once per run, at the end, with the weights of {chosen}.",
        "One recipe for all: an arm that would want another learning rate or more epochs is not shown at its best.",
        "Seconds are wall-clock seconds of this machine, where runs may have shared processors: a few per cent mean "
        "little.",
    ]
    if n:
        photos = ngettext("{n} test photo", "{n} test photos", n).format(n=f"{n:,}")
        said.insert(
            2,
            _(
                "{photos}: intervals carry the chance of drawing these and not others of their kind, but say nothing "
                "of photos of another kind."
            ).format(photos=photos),
        )
    return said


def left_out(reason: str, n: int) -> str:
    """How many files were left out for one reason."""
    return f"{counted(n, 'file', 'files')}: {reason}"


def study_seeds(seeds: Sequence[int], seed: int) -> str:
    """The seeds in words."""
    return (
        f"{counted(len(seeds), 'run seed', 'run seeds')} ({', '.join(map(str, seeds))}), study seed {seed}. Arms with "
        "the same seed saw the same photos in the same order."
    )


def split_plan(plan: SplitPlan) -> str:
    """How the parts were to be made; folders or a CSV that declare parts are kept as they are."""
    kind = "class by class" if plan.stratified else "all photos shuffled once together"
    return (
        f"Planned where the data declare no parts: {percent(plan.train)} to train, {percent(plan.val)} to validate, "
        f"the rest to test, {kind}."
    )


def more(n: int) -> str:
    """Stands for what a list leaves out."""
    return f"and {n:,} more"


def seeds_of(arm: ArmResult) -> str:
    """How many runs stand behind an arm's figures."""
    failed = f", {arm.n_failed} failed" if arm.n_failed else ""
    return f"{arm.n_finished}{failed}"


def own_value(arm: str, value: str) -> str:
    """A declared difference."""
    return f"{arm}: {value}"


def cut(label: str, top: float) -> str:
    """The title of a chart whose highest values lie outside."""
    return f"{label} (cut at {top:.1f})"


def kept_classes(n: int, n_all: int) -> str:
    """Said where a confusion matrix cannot hold every class."""
    return f"Only the {n} classes with most mistakes of {n_all} are shown."
