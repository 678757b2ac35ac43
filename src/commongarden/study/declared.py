"""The whole declared comparison, as frozen data that holds together."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import Any, Literal

from commongarden.errors import StudyError, check_known
from commongarden.i18n.language import _
from commongarden.io import terminal
from commongarden.study import arm as arms
from commongarden.study import design, factorial, tuning
from commongarden.study.arm import Arm
from commongarden.study.brightness_range import Range, grey_range
from commongarden.study.design import DEFAULT_SEEDS, Source
from commongarden.study.reading import DataOptions
from commongarden.study.recipe import Recipe, override
from commongarden.study.tuning import Tuning

MOST_SEEDS = 10_000  # and folds: more is a slip of the hand, and would fill the memory before it fails
HIGHEST_SEED = 2**63 - 1
MOST_PAIRED = 4  # arms of which every pair is compared where no contrast is declared
METRICS = ("accuracy", "balanced_accuracy", "log_loss", "calibration_error")
NEAR_DUPLICATES = ("together", "ignore")
ARM_NAME = re.compile(r"\w([\w.+-]{0,62}[\w+-])?")


@dataclass(frozen=True)
class Contrast:
    """A planned comparison: the difference of `arm` minus `against`."""

    arm: str
    against: str


@dataclass(frozen=True)
class SplitPlan:
    """How the photos are split: `train` and `val` are shares, and the rest is the test set.

    stratified: split each class by these shares; otherwise shuffle all photos together.
    multiple: round the size of the training set down to a multiple of this.
    keep_conflicts: keep a photo that is under two labels; otherwise all its copies are left out.
    seed: of the shuffle; None takes the study's.
    near_duplicates: "together" keeps photos of nearly the same picture in one part; "ignore" does not.
    """

    train: float = 0.80
    val: float = 0.05
    stratified: bool = True
    multiple: int = 1
    keep_conflicts: bool = False
    seed: int | None = None
    near_duplicates: Literal["together", "ignore"] = "together"

    def __post_init__(self) -> None:
        check_known("value", [str(self.near_duplicates)], NEAR_DUPLICATES, StudyError, where="split.near_duplicates")
        if not (0 < self.train < 1 and 0 < self.val < 1 and self.train + self.val < 1):
            text = _(
                "split: found train {train} and val {val}; accepted: both above 0, with a sum below 1 (the "
                "rest is the test set)"
            )
            raise StudyError(text.format(train=self.train, val=self.val))
        if self.multiple < 1:
            text = _("split.multiple: found {multiple}, accepted: an integer of 1 or more")
            raise StudyError(text.format(multiple=self.multiple))


@dataclass(frozen=True)
class DataPlan:
    """How a study's photos are read and divided, without what is trained on them.

    data, reading, split, folds: as in Study. seed: of the shuffle. varies: whether each run seed has its own split.
    """

    data: str
    reading: DataOptions
    split: SplitPlan
    seed: int
    varies: bool
    folds: int


@dataclass(frozen=True)
class Published:
    """A published result for an arm, shown beside the study's own."""

    test_accuracy: float
    seconds: float | None = None


@dataclass(frozen=True)
class Study:
    """A study: the data, the arms to compare, their common recipe and the seeds.

    name: of the study, and of its folder.
    data: a folder of class folders, a folder of train/val/test folders, a CSV of path,label, or "builtin:flowers".
    arms: the models to compare, by name.
    recipe: how every arm is trained.
    seeds: each arm is trained once with each; a number means that many seeds from 0.
    seed: of the study itself, from which the split and all random streams are derived.
    split: how the photos are split, if the data do not declare it.
    contrasts: the planned comparisons; empty for every pair of up to four arms, else each arm against the first. A
        factorial study has none.
    description: a sentence for the report.
    published, published_source: published results of arms, and where they are from.
    tuning: a search for each arm's own learning rate before the study's runs; None for no search.
    metric: what arms are compared by: "accuracy", "balanced_accuracy", "log_loss" or "calibration_error".
    margin: the largest difference that counts as none, in points (for log_loss in hundredths of a nat).
    vary: what differs between seeds: some of "init", "order" (with augmentation and dropout) and "split".
    folds: number of folds in place of seeds, each the test set of one run of every arm; 0 for none.
    factors, factor_base: options and recipe values whose combinations are further arms, and what these share.
    ablation: in an ablation study, the arm that is the whole network; otherwise empty.
    reading: how `data` is read, if there is more than one way.
    range: the grey values that become black and white in photos of more than 8 bits; None determines them.
    preset: the preset that recipe and models were taken from (study/presets.py); "" for none.
    reference: the arm that all others are compared with, by Dunnett's procedure; empty for planned contrasts as above,
        by Holm's.
    """

    name: str
    data: str
    arms: dict[str, Arm] = field(default_factory=dict)
    recipe: Recipe = field(default_factory=Recipe)
    seeds: tuple[int, ...] = DEFAULT_SEEDS
    seed: int = 0
    split: SplitPlan = field(default_factory=SplitPlan)
    contrasts: tuple[Contrast, ...] = ()
    description: str = ""
    published: dict[str, Published] = field(default_factory=dict)
    published_source: str = ""
    tuning: Tuning | None = None
    metric: str = "accuracy"
    margin: float = 1.0
    vary: tuple[Source, ...] = ("init", "order")
    folds: int = 0
    factors: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    factor_base: dict[str, Any] = field(default_factory=dict)
    ablation: str = ""
    reading: DataOptions = field(default_factory=DataOptions)
    range: Range | None = None
    preset: str = ""
    reference: str = ""

    def __post_init__(self) -> None:
        for key in ("name", "data", "description", "published_source", "preset"):
            plain_text(getattr(self, key), f"study.{key}")
        for key in ("layout", "group_by"):
            plain_text(getattr(self.reading, key), f"study.{key}")
        if self.factors or self.factor_base:
            self._span()
        if not self.arms:
            raise StudyError(_('arms: found none, accepted: at least one [arms.NAME] with arch = "..."'))
        for name in self.arms:
            if not ARM_NAME.fullmatch(name):
                text = _("arms: found the name {name!r}, accepted: up to 64 letters, digits and . _ + -")
                raise StudyError(text.format(name=name))
        folded = [name.casefold() for name in self.arms]
        for name in self.arms:
            if folded.count(name.casefold()) > 1:
                text = _(
                    "arms: found {name!r} twice, differing only in upper and lower case; accepted: names that "
                    "differ otherwise"
                )
                raise StudyError(text.format(name=name))
        object.__setattr__(self, "folds", design.n_folds(self.folds))
        object.__setattr__(self, "vary", design.sources(self.vary, self.folds))
        object.__setattr__(self, "seeds", design.fold_seeds(run_seeds(self.seeds), self.folds))
        whole_number(self.seed, "study.seed")
        check_known("metric", [str(self.metric)], METRICS, StudyError, where="study")
        object.__setattr__(self, "margin", margin_in_points(self.margin))
        object.__setattr__(self, "range", grey_range(self.range))
        for contrast in self.contrasts:
            check_known("model", (contrast.arm, contrast.against), self.arms, StudyError, where="contrasts")
            if contrast.arm == contrast.against:
                raise StudyError(_("contrasts: {arm!r} is compared with itself").format(arm=contrast.arm))
        check_known("model", [self.ablation] if self.ablation else [], self.arms, StudyError, where="study.ablation")
        check_known("model", self.published, self.arms, StudyError, where="published")
        for name, arm in self.arms.items():
            arms.check_recipe(name, arm, self.recipe_of(name))
        if self.tuning is not None:
            self._check_tuning(self.tuning)
        if self.reference:
            self._check_reference()

    def recipe_of(self, arm: str) -> Recipe:
        """The shared recipe with the arm's own values in it, and what its network needs: the memory layout that it
        works in, the first weights that its code sets."""
        found, kept = self.own_values(arm), self.arms[arm].origin
        if kept is not None:
            found = {**found, **{name: value for name in ("layout", "init") if (value := getattr(kept, name))}}
        return override(self.recipe, found, where=f"arms.{arm}")

    def own_values(self, arm: str) -> dict[str, Any]:
        """The recipe values that an arm has for its own: those that it declares, and with `pixels = "own"` the framing
        that its network's library documents, unless the shared recipe asks for another one."""
        found, kept = dict(self.arms[arm].overrides), self.arms[arm].origin
        if kept is not None and found.get("pixels", self.recipe.pixels) == "own":
            usual = Recipe()
            for name, value in kept.framing.items():
                if getattr(self.recipe, name) == getattr(usual, name):
                    found.setdefault(name, value)
        return found

    def trial_recipe(self, arm: str, number: int) -> Recipe:
        """The recipe of an arm's tuning run. Raises StudyError where the study tunes nothing."""
        if self.tuning is None:
            raise StudyError(_("tuning: found none; accepted: a study with [tuning]"))
        return tuning.recipe_of(self.tuning, self.recipe_of(arm), number, self.seed, where=f"tuning.{arm}")

    def trials(self) -> list[tuple[str, int]]:
        """The tuning runs as (arm, number), number by number, all arms together."""
        n = self.tuning.runs if self.tuning is not None else 0
        return [(arm, number) for number in range(n) for arm in self.arms_to_tune()]

    def tuned_from(self) -> dict[str, str]:
        """The arms that tuning has added, each with the arm it is the best of."""
        best = self.tuning.best if self.tuning is not None else {}
        return {tuned: arm for arm, tuned in best.items() if tuned != arm}

    def arms_to_tune(self) -> list[str]:
        """The arms that [tuning] asks for, in the study's order; those that it has added are none."""
        asked = self.tuning.arms or tuple(self.arms) if self.tuning is not None else ()
        return [name for name in self.arms if name in asked and name not in self.tuned_from()]

    def untuned(self) -> list[str]:
        """The arms that are still to be tuned."""
        return [] if self.tuning is None else [arm for arm in self.arms_to_tune() if arm not in self.tuning.best]

    def _check_tuning(self, search: Tuning) -> None:
        check_known("model", (*search.arms, *search.best, *search.best.values()), self.arms, StudyError, where="tuning")
        for name in self.arms_to_tune():
            tuned = name + tuning.TUNING_SUFFIX
            if not ARM_NAME.fullmatch(tuned) or (tuned in self.arms and tuned not in self.tuned_from()):
                text = _(
                    "tuning: the name {tuned!r} is reserved for the tuned model; accepted: another name for {arm!r}"
                )
                raise StudyError(text.format(tuned=tuned, arm=name))
            self.trial_recipe(name, 0)

    def _check_reference(self) -> None:
        """A reference plans every comparison of the study, so nothing else can."""
        check_known("model", [self.reference], self.arms, StudyError, where="study.reference")
        others = {"[[contrasts]]": self.contrasts, "[factors]": self.factors, "[tuning]": self.tuning}
        if found := [name for name, value in others.items() if value]:
            text = _("study.reference: found {reference!r} together with {other}; accepted: one of them")
            raise StudyError(text.format(reference=self.reference, other=found[0]))
        if len(self.arms) < 2:
            text = _("study.reference: found one model; accepted: at least one more to compare with {reference!r}")
            raise StudyError(text.format(reference=self.reference))

    def planned_contrasts(self) -> tuple[Contrast, ...]:
        """The declared contrasts, or where none is declared the ones that the number of arms allows; then the same
        between the tuned arms."""
        return (*self.own_contrasts(), *self.tuned_contrasts().values())

    def tuned_contrasts(self) -> dict[Contrast, Contrast]:
        """Each contrast between two tuned arms, by the one with their recipes as declared."""
        best = self.tuning.best if self.tuning is not None else {}
        found = {
            contrast: Contrast(best[contrast.arm], best[contrast.against])
            for contrast in self.own_contrasts()
            if contrast.arm in best and contrast.against in best
        }
        own = {*self.own_contrasts()}
        return {contrast: tuned for contrast, tuned in found.items() if tuned not in own}

    def own_contrasts(self) -> tuple[Contrast, ...]:
        """The planned contrasts without those that tuning adds. A factorial study asks for effects instead."""
        if self.reference:
            return tuple(Contrast(arm, self.reference) for arm in self.arms if arm != self.reference)
        if self.contrasts or self.factors:
            return self.contrasts
        names = [name for name in self.arms if name not in self.tuned_from()]
        if len(names) <= MOST_PAIRED:
            return tuple(Contrast(arm, against) for against, arm in itertools.combinations(names, 2))
        return tuple(Contrast(arm, names[0]) for arm in names[1:])

    def _span(self) -> None:
        """Takes in the arms that the factors span; those that are there already may carry more (a measured cost)."""
        factorial.check_names(self.factors, self.factor_base)
        factors = factorial.levels(self.factors)
        spanned = factorial.grid(factors, self.factor_base)
        for name, (levels, made) in spanned.items():
            if name in self.arms:
                factorial.check_same(name, levels, made, self.arms[name])
        together = {**{name: made for name, (_, made) in spanned.items()}, **self.arms}
        ordered = {name: together[name] for name in (*self.arms, *spanned)}
        object.__setattr__(self, "factors", factors)
        object.__setattr__(self, "arms", ordered)

    def levels_of(self, arm: str) -> dict[str, Any] | None:
        """The level of each factor that the arm stands for; None for an arm outside the grid."""
        return factorial.names(self.factors).get(arm)

    def stream_seed(self, seed: int, source: Source) -> int:
        """The seed that the runs with this run seed take for a source of chance: their own where it varies."""
        return seed if source in self.vary else 0

    @property
    def data_plan(self) -> DataPlan:
        """How its photos are read and divided."""
        seed = self.seed if self.split.seed is None else self.split.seed
        return DataPlan(self.data, self.reading, self.split, seed, self.splits_vary, self.folds)

    @property
    def splits_vary(self) -> bool:
        """Whether each run seed has a split of its own."""
        return bool(self.folds) or "split" in self.vary


def run_seeds(value: object) -> tuple[int, ...]:
    """Run seeds from how many there are (3 gives 0, 1, 2) or from themselves."""
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_SEEDS:
        return tuple(range(value))
    found = tuple(value) if isinstance(value, list | tuple | range) else ()
    whole = all(isinstance(item, int) and not isinstance(item, bool) and item >= 0 for item in found)
    if not found or not whole or len(set(found)) < len(found) or len(found) > MOST_SEEDS or max(found) > HIGHEST_SEED:
        text = _(
            "study.seeds: found {value!r}, accepted: the number of seeds (1 to {most:,}), or a list of "
            "different integers of 0 or more"
        )
        raise StudyError(text.format(value=value if len(found) < 20 else [*found[:20], "..."], most=MOST_SEEDS))
    return found


def margin_in_points(value: object, where: str = "study.margin") -> float:
    """`value` where it is a number above 0 and at most 50. where: what it is called. Raises StudyError."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 50:
        return float(value)
    text = _("{where}: found {value!r}, accepted: the equivalence margin in percentage points (above 0, up to 50)")
    raise StudyError(text.format(where=where, value=value))


def plain_text(value: str, where: str) -> None:
    """Refuses text that would act on a terminal, or that a report could not hold. Raises StudyError."""
    if found := terminal.ACTIVE.search(value):
        text = _("{where}: found the control character {character!r}; accepted: text without control characters")
        raise StudyError(text.format(where=where, character=found[0]))


def whole_number(value: object, where: str) -> int:
    """`value` where it is a whole number from 0. Raises StudyError."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= HIGHEST_SEED:
        text = _("{where}: found {value!r}, accepted: an integer from 0 to {most:,}")
        raise StudyError(text.format(where=where, value=value, most=HIGHEST_SEED))
    return value
