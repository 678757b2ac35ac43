"""Every sentence and number format of the report: what the page and the terminal say, and nothing of how it looks.

All of it is plain functions here, formats in numbers.py and one dictionary in labels.py; the catalogues of other
languages stand behind them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from commongarden.i18n.coded import Coded
from commongarden.i18n.language import N_, _, ngettext, translate
from commongarden.records import Estimate, Machine, Run
from commongarden.report.wording import baselines, designs, grouped, sizes, sweeps
from commongarden.report.wording.advice import in_full as in_full
from commongarden.report.wording.advice import remedy as remedy
from commongarden.report.wording.coverage import imbalance as imbalance
from commongarden.report.wording.coverage import intervals as intervals
from commongarden.report.wording.labels import TEXT
from commongarden.report.wording.numbers import hundredths, listed, percent, whole
from commongarden.report.wording.verdicts import signflip as signflip
from commongarden.report.wording.verdicts import verdict as verdict
from commongarden.report.wording.verdicts import verdicts as verdicts
from commongarden.stats import METRICS, ArmResult, ContrastResult, MajorityClass, Results
from commongarden.stats.foremost import foremost, is_sweep
from commongarden.study import SplitPlan, Study

CONSEQUENCES = (N_("parameters"), N_("MACs"))  # rows of ContrastResult.differs that follow from the others
DIFFERENCES = (N_("architecture"), *CONSEQUENCES)  # rows that are no keys of a study file


def _interval(low: float, high: float) -> str:
    return _("95 % CI {low} to {high}").format(low=hundredths(low), high=hundredths(high))


def _exact_interval(found: Estimate) -> str:
    """Of the share of runs that learned, in whole per cent."""
    low, high = (round(100 * (end or 0.0)) for end in (found.low, found.high))
    return _("95 % CI {low} to {high} %").format(low=low, high=high)


def differs(contrast: ContrastResult) -> str:
    """What differs between the two arms, in one phrase, and whether the difference can be put down to one thing."""
    said = _("{what} ({one} against {two})")
    causes = [
        said.format(what=difference_name(what), one=designs.written(one), two=designs.written(two))
        for what, one, two in contrast.differs
        if what not in CONSEQUENCES
    ]
    if not causes:
        return _("They have no declared difference.")
    if len(causes) == 1:
        said = _("They differ in {causes}.")
    else:
        said = _("They differ in {causes}, so the effect cannot be attributed to one of these alone.")
    return said.format(causes=listed(causes))


def beside_commonest(arm: ArmResult, commonest: MajorityClass, folds: int = 0) -> str | None:
    """Said of an arm that is not above always guessing the commonest class, or with runs that did not learn."""
    accuracy = arm.test_accuracy
    if accuracy is None or (arm.beats_commonest and not arm.n_at_commonest):
        return None
    if arm.beats_commonest or 0 < arm.n_at_commonest < arm.n_finished:
        return learning(arm, folds)
    line = {"arm": arm.arm, "label": commonest.label, "accuracy": percent(commonest.accuracy)}
    closing = f" {learning(arm, folds)}" if arm.n_at_commonest and arm.n_finished > 1 else ""
    if accuracy.value <= commonest.accuracy or accuracy.low is None:
        said = _("{arm} is no better than the majority-class baseline ({label}, {accuracy}).").format(**line)
        return said + closing
    said = _(
        "{arm} is not significantly better than the majority-class baseline ({label}, {accuracy}): its "
        "mean is {mean} ({interval})."
    ).format(mean=percent(accuracy.value), interval=_interval(accuracy.low, accuracy.high or 1.0), **line)
    return said + closing


def learning(arm: ArmResult, folds: int = 0) -> str:
    """How often the arm learned, and what it reached when it did."""
    k = arm.n_finished - arm.n_at_commonest
    if arm.learned is None:
        return ""
    said = _("{arm} learned in {k} of {seeds} ({interval}).").format(
        arm=arm.arm, k=k, seeds=designs.repeats(arm.n_finished, folds), interval=_exact_interval(arm.learned)
    )
    reached = arm.accuracy_learned
    if reached is None or arm.test_accuracy is None:
        return said
    figure = percent(reached.value)
    if reached.low is not None and reached.high is not None:
        figure = f"{figure} ({_interval(reached.low, reached.high)})"
    more = _("When it learned, it reached {figure}; its mean over all runs, {mean}, depends on how many fail.")
    return f"{said} {more.format(figure=figure, mean=percent(arm.test_accuracy.value))}"


def accuracy(estimate: Estimate | None, folds: int = 0) -> str:
    """An accuracy with its evidence."""
    if estimate is None:
        return _("no finished run")
    if estimate.low is None or estimate.high is None:
        return _("{accuracy} (one run)").format(accuracy=percent(estimate.value))
    return _("{accuracy} ({interval}, {runs})").format(
        accuracy=percent(estimate.value),
        interval=_interval(estimate.low, estimate.high),
        runs=designs.repeats(estimate.n, folds),
    )


def one_arm(arm: ArmResult, folds: int = 0) -> str:
    """The answer of a study that has nothing to compare."""
    return _("{arm} has a test accuracy of {accuracy}.").format(
        arm=arm.arm, accuracy=accuracy(arm.test_accuracy, folds)
    )


def notes(results: Results) -> list[str]:
    """What must be said beside the verdicts: no better than guessing, never left that line, failed."""
    told = foremost(results)
    beside = {found.arm: baselines.beside(found) for found in told.beside_baselines}
    said: list[str | None] = [*sweeps.no_better(results)] if is_sweep(results) else []
    for arm in () if is_sweep(results) else told.arms:
        against = beside.get(arm.arm)
        above = arm.test_accuracy is not None and arm.test_accuracy.value > results.commonest.accuracy
        if not (against and above and not arm.n_at_commonest):  # the harder line says it all
            said.append(beside_commonest(arm, results.commonest, results.folds))
        said.append(against)
    failed = [*map(failures, told.arms), sweeps.failures(results)]
    unequal = imbalance(results.imbalance, results.metric)
    return [sentence for sentence in (*said, *failed, unequal) if sentence is not None]


def failures(arm: ArmResult) -> str | None:
    """Said of an arm some of whose runs failed."""
    if not arm.n_failed:
        return None
    if not arm.n_finished:
        return ngettext(
            "{arm} has no result: its only run failed.", "{arm} has no result: all {n} runs failed.", arm.n_failed
        ).format(arm=arm.arm, n=arm.n_failed)
    return _("{n} of {runs} of {arm} failed; its results are from the {finished} that finished.").format(
        n=arm.n_failed, runs=n_runs(arm.n_failed + arm.n_finished), arm=arm.arm, finished=arm.n_finished
    )


def differences_caption(results: Results) -> str:
    """What the picture of the differences shows."""
    text = designs.labels(TEXT, results.folds)
    lower = not METRICS[results.metric].higher_is_better
    side = text["differences_left"] if lower else text["differences_right"]
    several = sum(contrast.level is not None for contrast in results.contrasts) > 1
    bars = text["differences_bars" if several else "differences_bar"]
    size = sizes.margin(results.metric, results.margin)
    return " ".join((bars, side, text["differences_band"].format(margin=size), text["differences_colours"]))


# The run of the study


def progress(n_finished: int, n_failed: int, n_planned: int) -> str | None:
    """Said while a study is unfinished."""
    if n_finished + n_failed >= n_planned:
        return None
    if n_failed:
        said = ngettext(
            "{n} of {runs} finished, {failed} failed. Preliminary results; repeat the command to resume.",
            "{n} of {runs} finished, {failed} failed. Preliminary results; repeat the command to resume.",
            n_finished,
        )
    else:
        said = ngettext(
            "{n} of {runs} finished. Preliminary results; repeat the command to resume.",
            "{n} of {runs} finished. Preliminary results; repeat the command to resume.",
            n_finished,
        )
    return said.format(n=n_finished, runs=n_runs(n_planned), failed=n_failed)


def question(arms: Sequence[str], data: str) -> str:
    """The question of a study that does not state one."""
    if len(arms) == 1:
        return _("How accurate is {arm} on {data}?").format(arm=arms[0], data=data)
    if len(arms) > 6:
        return _("How do {n} networks compare on {data}?").format(n=len(arms), data=data)
    return _("How do {arms} compare on {data}?").format(arms=listed(arms), data=data)


def compared(results: Results) -> str:
    """What was compared and on what, in one line."""
    n_arms, n_classes = len(results.arms), len(results.classes)
    return _("{arms} × {runs}, {classes}; {train} training, {val} validation and {test} test images.").format(
        arms=ngettext("{n} model", "{n} models", n_arms).format(n=whole(n_arms)),
        runs=designs.repeats(len(results.seeds), results.folds),
        classes=ngettext("{n} class", "{n} classes", n_classes).format(n=whole(n_classes)),
        train=whole(results.n_train),
        val=whole(results.n_val),
        test=whole(results.n_test),
    )


def trained(study: Study) -> str:
    """How the models were trained, in one line."""
    recipe = study.recipe
    own = {study.recipe_of(arm).resolution for arm in study.arms}
    size = f"{min(own)}" if len(own) == 1 else _("{low} to {high}").format(low=min(own), high=max(own))
    said = _("Trained for {epochs} at {size} pixels: {optimizer}, learning rate {lr:g}, batch size {batch}.")
    epochs = ngettext("{n} epoch", "{n} epochs", recipe.epochs).format(n=recipe.epochs)
    if recipe.early_stopping:
        epochs = _("at most {epochs} (early stopping, patience {n})").format(epochs=epochs, n=recipe.early_stopping)
    return said.format(epochs=epochs, size=size, optimizer=recipe.optimizer, lr=recipe.lr, batch=recipe.batch_size)


def commonest_line(commonest: MajorityClass) -> str:
    """The name of the line that a network must beat."""
    return _("majority class ({label})").format(label=commonest.label)


def failure(run: Run) -> str:
    """Why one run has no result."""
    return _("{arm}, seed {seed}, failed: {reason}").format(
        arm=run.arm, seed=run.seed, reason=run.failure or _("no reason recorded")
    )


def machine(found: Machine, device: str) -> str:
    """One machine in one line."""
    cores = ngettext("{n} core", "{n} cores", found.physical_cores).format(n=found.physical_cores)
    return _("{processor} ({cores}, {memory:.0f} GiB), {system}, trained on {device}").format(
        processor=found.processor, cores=cores, memory=found.memory_bytes / 2**30, system=found.system, device=device
    )


def machines(n: int) -> str | None:
    """Said where runs come from more than one machine."""
    if n < 2:
        return None
    return _("The runs come from {n} machines: times and memory cannot be compared across them.").format(n=n)


def limits(results: Results, select: Iterable[str]) -> list[str]:
    """How far the results reach."""
    runs = designs.repeats(len(results.seeds), results.folds)
    weights = {
        "last": _("the last epoch"),
        "best-val": _("the epoch with the best validation accuracy"),
        "ema": _("the moving average"),
    }
    chosen = listed(said for name, said in weights.items() if name in set(select))
    said = [
        _("One data set: on another one the ranking may differ."),
        _("{runs} per model: more would narrow the intervals.").format(runs=runs),
        _("The test set was used once per run, at its end, with the weights of {epochs}.").format(epochs=chosen),
        _("Equal training settings: a model that needs another learning rate or more epochs is not at its best here.")
        if results.tuned is None
        else _(
            "Equal training settings except what was tuned: a model that needs more epochs is not at its best here."
        ),
        _(
            "Times are wall-clock times on this machine, where runs may have shared processors: differences of "
            "a few per cent mean little."
        ),
    ]
    if results.n_test:
        photos = _(
            "{photos}: the intervals account for the draw of these images, but do not extend to images of another kind."
        )
        said.insert(2, photos.format(photos=grouped.counted(results.n_test, results.n_test_groups)))
    return said


def left_out(reason: Coded, n: int) -> str:
    """How many files were left out for one reason."""
    return ngettext("{n} file: {reason}", "{n} files: {reason}", n).format(n=whole(n), reason=translate(reason))


def study_seeds(seeds: Sequence[int], seed: int) -> str:
    """The seeds in words."""
    return ngettext(
        "{n} run seed ({seeds}), study seed {seed}. With the same seed, all models see the same images in "
        "the same order.",
        "{n} run seeds ({seeds}), study seed {seed}. With the same seed, all models see the same images in "
        "the same order.",
        len(seeds),
    ).format(n=len(seeds), seeds=", ".join(map(str, seeds)), seed=seed)


def split_plan(plan: SplitPlan) -> str:
    """How the parts were to be made; folders or a CSV that declare parts are kept as they are."""
    if plan.stratified:
        said = _(
            "Split (unless the data define one): {train} training, {val} validation, the rest test, stratified "
            "by class."
        )
    else:
        said = _(
            "Split (unless the data define one): {train} training, {val} validation, the rest test, all images "
            "shuffled together."
        )
    return said.format(train=percent(plan.train), val=percent(plan.val))


def more(n: int) -> str:
    """Stands for what a list leaves out."""
    return _("and {n} more").format(n=whole(n))


def seeds_of(arm: ArmResult) -> str:
    """How many runs stand behind an arm's figures."""
    n, learned = arm.n_finished, arm.n_finished - arm.n_at_commonest
    said = _("{n}, {learned} learned").format(n=n, learned=learned) if learned < n else str(n)
    return _("{n}, {failed} failed").format(n=said, failed=arm.n_failed) if arm.n_failed else said


def cut(label: str, top: float) -> str:
    """The title of a chart whose highest values lie outside."""
    return _("{label} (cut at {top:.1f})").format(label=label, top=top)


def difference_name(what: str) -> str:
    """A row of ContrastResult.differs: a word of ours, or a key of the study file as it is written there."""
    return _(what) if what in DIFFERENCES else what


def n_runs(n: int) -> str:
    """How many runs."""
    return ngettext("{n} run", "{n} runs", n).format(n=whole(n))
