"""The fairness contract of a study: what all its arms share, what differs between them, what was declared to.

It is computed from the study, its photos and its splits, hashed, and kept beside the runs (contract.json). A run that
was made on other terms than the study declares is refused: before new runs are added, and before results are told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from commongarden import arch, sentences
from commongarden import store as store_files
from commongarden.arch import Difference, Node
from commongarden.errors import StoreError
from commongarden.i18n.language import _
from commongarden.records import Manifest, Run, Split
from commongarden.store import Store
from commongarden.study import Contrast, SplitPlan, Study
from commongarden.study.factorial import shown
from commongarden.study.recipe import FIELDS, hashed

FILE = "contract.json"
Declared = tuple[str, str, str]  # recipe field, value of the arm, value of the other


@dataclass(frozen=True)
class Between:
    """What differs between the arms of a contrast.

    network: what makes the arm's network of the other's, computed, in English; "" where they are the same, None where
        one is somebody else's, whose layers are not known.
    declared: the recipe values that differ.
    """

    arm: str
    against: str
    network: str | None
    declared: tuple[Declared, ...]


@dataclass(frozen=True)
class Contract:
    """The terms on which the arms of a study are compared.

    data, splits, networks: SHA-256 of the photos, of the split of each run seed, of each arm's network.
    recipe: the values that all arms share; own: (arm, field, value) where an arm declares its own.
    factors: with their levels.
    """

    data: str
    n_photos: int
    classes: tuple[str, ...]
    split_plan: SplitPlan
    splits: tuple[tuple[int, str], ...]
    study_seed: int
    vary: tuple[str, ...]
    folds: int
    recipe: dict[str, Any]
    own: tuple[tuple[str, str, Any], ...]
    networks: tuple[tuple[str, str], ...]
    factors: dict[str, Any]
    differences: tuple[Between, ...]

    @property
    def hash(self) -> str:
        """SHA-256 of all of it."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()


def of(study: Study, manifest: Manifest, splits: Mapping[int, Split]) -> Contract:
    """The contract of a study on these photos."""
    n_classes = len(manifest.classes)
    values = {name: study.own_values(name) for name in study.arms}
    overridden = {field for own in values.values() for field in own}
    return Contract(
        data=manifest.hash,
        n_photos=len(manifest.photos),
        classes=manifest.classes,
        split_plan=study.split,
        splits=tuple((seed, split.hash) for seed, split in splits.items()),
        study_seed=study.seed,
        vary=study.vary,
        folds=study.folds,
        recipe={field: value for field, value in hashed(study.recipe).items() if field not in overridden},
        own=tuple((name, field, value) for name, own in values.items() for field, value in own.items()),
        networks=tuple((name, arch.hash(arm.network(n_classes))) for name, arm in study.arms.items()),
        factors=dict(study.factors),
        differences=tuple(_between(study, contrast, n_classes) for contrast in study.planned_contrasts()),
    )


def _between(study: Study, contrast: Contrast, n_classes: int) -> Between:
    found = computed(study, contrast, n_classes)
    said = None if found is None else "" if found.n_edits == 0 else sentences.difference(found)
    return Between(contrast.arm, contrast.against, said, declared(study, contrast))


def computed(study: Study, contrast: Contrast, n_classes: int) -> Difference | None:
    """What makes the arm's network of the other's; None where one of them is somebody else's."""
    one, two = study.arms[contrast.against], study.arms[contrast.arm]
    if one.origin is not None or two.origin is not None:
        return None
    sizes = [study.recipe_of(name).resolution for name in (contrast.against, contrast.arm)]
    return _difference(one.network(n_classes), two.network(n_classes), *sizes)


@lru_cache(maxsize=2048)
def _difference(one: Node, two: Node, size: int, size_two: int) -> Difference:
    return arch.difference(one, two, (size, size, 3), (size_two, size_two, 3))


def declared(study: Study, contrast: Contrast) -> tuple[Declared, ...]:
    """The recipe values in which the two arms differ, as text: what each overrides, where that makes a difference."""
    one, two = study.recipe_of(contrast.arm), study.recipe_of(contrast.against)
    return tuple(
        (field, shown(getattr(one, field)), shown(getattr(two, field)))
        for field in FIELDS
        if getattr(one, field) != getattr(two, field) and not (field == "layout" and _has_layout(study, contrast))
    )


def _has_layout(study: Study, contrast: Contrast) -> bool:
    """Whether a memory layout was chosen because a network works in no other: last bits, and no choice of training."""
    kept = [study.arms[name].origin for name in (contrast.arm, contrast.against)]
    return any(found is not None and found.layout for found in kept)


def together(study: Study, contrast: Contrast, n_classes: int) -> tuple[Declared, ...]:
    """The declared differences that a verdict on two networks must name, because they come together with the network's.
    None where the two arms are one network, so that the recipe's values are what is compared."""
    networks = [study.arms[name].network(n_classes) for name in (contrast.arm, contrast.against)]
    found = None if networks[0] == networks[1] else computed(study, contrast, n_classes)
    same = networks[0] == networks[1] or (found is not None and found.n_edits == 0)
    return () if same else declared(study, contrast)


def undeclared(study: Study, manifest: Manifest, splits: Mapping[int, Split], runs: Sequence[Run]) -> list[str]:
    """In what the runs differ from what the study declares, one line a run and cause."""
    hashes = {seed: split.hash for seed, split in splits.items()}
    lines = []
    pixels: dict[tuple[Any, ...], Run] = {}
    for run in runs:
        recipe = study.recipe_of(run.arm)
        pairs: list[tuple[str, Any, Any]] = [
            (f"recipe.{field}", getattr(run.recipe, field), getattr(recipe, field)) for field in FIELDS
        ]
        pairs += [
            ("data", run.hashes.data[:12], manifest.hash[:12]),
            ("split", run.hashes.split[:12], hashes[run.seed][:12]),
            ("classes", run.classes, manifest.classes),
        ]
        if run.status == "finished" and recipe.pixels == "standardized":
            first = pixels.setdefault((run.hashes.split, recipe.resolution, recipe.framing), run)
            mine, theirs = ([round(value, 6) for value in (*item.pixel_mean, *item.pixel_std)] for item in (run, first))
            text = _("pixel statistics ({arm}, seed {seed})")
            pairs.append((text.format(arm=first.arm, seed=first.seed), mine, theirs))
        lines += [
            _("{arm}, seed {seed}: {what}: {found} in the run, {declared} in the study").format(
                arm=run.arm, seed=run.seed, what=what, found=shown(found), declared=shown(wanted)
            )
            for what, found, wanted in pairs
            if found != wanted
        ]
    return lines


def check(store: Store, study: Study, manifest: Manifest, splits: Mapping[int, Split], runs: Sequence[Run]) -> None:
    """Refuses splits of other photos, and runs that were made on other terms than the study declares. Raises StoreError
    naming them."""
    known = {photo.path for photo in manifest.photos}
    foreign = [
        path for split in splits.values() for path in (*split.train, *split.val, *split.test) if path not in known
    ]
    if foreign:
        text = _(
            "{root}: the split contains photos that are not in manifest.csv, such as {photo}; "
            "accepted: both files from the same study"
        )
        raise StoreError(text.format(root=store.root, photo=foreign[0]))
    lines = undeclared(study, manifest, splits, runs)
    if lines:
        shown_lines = [*lines[:10], *([_("and {n} more").format(n=len(lines) - 10)] if len(lines) > 10 else [])]
        text = _(
            "{root}: found runs whose settings differ from the study, so they are not comparable:\n  "
            "{lines}\nMove their folders (runs/ARM/SEED) elsewhere and repeat the command to run them "
            "again."
        )
        raise StoreError(text.format(root=store.root, lines="\n  ".join(shown_lines)))


def write(store: Store, contract: Contract) -> None:
    """Keeps the contract beside the runs."""
    table = {"hash": contract.hash, **msgspec.to_builtins(contract)}
    store_files.keep(store.root, FILE, msgspec.json.format(msgspec.json.encode(table), indent=1))
