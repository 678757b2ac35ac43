"""Which photo is in which part: seeded, the same on every machine, no picture in two parts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import floor

from commongarden.data.dealing import deal
from commongarden.data.listing import Candidate
from commongarden.data.together import Alike as Alike
from commongarden.data.together import Unit, joined, units, without_copies
from commongarden.data.together import duplicates as duplicates
from commongarden.errors import DataError
from commongarden.i18n.language import N_, _, ngettext
from commongarden.records import LeftOut, Manifest, Split
from commongarden.study import DataPlan, SplitPlan

PARTS = (N_("train"), N_("val"), N_("test"))


def of_run_seed(manifest: Manifest, plan: DataPlan, run_seed: int, alike: Alike = ()) -> Split:
    """The split of the runs with this seed: the study's one, or where splits vary their own.

    A varied split is the same plan with the run seed in the shuffle (run seed 0 has that of a study that varies none);
    a fold divides one shuffle. Raises DataError, also where the data declare parts, which cannot vary.
    """
    declared = next((photo for photo in manifest.photos if photo.part), None)
    if plan.varies and declared is not None:
        message = _(
            "{root}: the split is fixed by the data ({path} is in {part}) and cannot vary with the "
            'seed or by folds; accepted: vary without "split" and seeds instead of folds, or class '
            "folders or a CSV without a split"
        )
        raise DataError(message.format(root=manifest.root, path=declared.path, part=declared.part))
    if plan.folds:
        return fold(manifest, plan.split, plan.seed, run_seed, plan.folds, alike)
    seed = f"{plan.seed}+{run_seed}" if run_seed and plan.varies else plan.seed
    return split(manifest, plan.split, seed, alike)


def fold(manifest: Manifest, plan: SplitPlan, seed: int, number: int, n: int, alike: Alike = ()) -> Split:
    """The split whose test part is fold `number` of `n`: each photo is in the test part of one fold.

    The photos, in the order of `split`, go one after another to the fold that has fewest of their class (where the plan
    is not stratified: fewest photos), so folds differ by a photo a class, but for duplicates, which stay
    together. The rest is divided into train and val in the plan's proportions. Where photos are of groups (a patient),
    folds are as alike as whole groups allow. Raises DataError as `split` does.
    """
    found, left_out = units(manifest.photos, plan, seed, alike)
    folds = _folds(found, plan, seed, n)
    rest = [unit for i, members in enumerate(folds) if i != number for unit in members]
    rest.sort(key=lambda unit: unit.rank)
    parts = {"test": folds[number], **_divide(rest, ["train", "val"], plan)}
    return _checked(manifest, parts, len(found), left_out)


def fold_paths(
    manifest: Manifest, plan: SplitPlan, seed: int | str, n: int, alike: Alike = ()
) -> tuple[tuple[str, ...], ...]:
    """The paths of each of n folds, dealt as those of `fold`. Raises DataError as it does."""
    found, _left_out = units(manifest.photos, plan, seed, alike)
    return tuple(map(_paths, _folds(found, plan, seed, n)))


def _folds(found: Sequence[Unit], plan: SplitPlan, seed: int | str, n: int) -> list[list[Unit]]:
    if any(unit.groups for unit in found):
        where = _("{n} folds").format(n=n)
        return _divide_whole(joined(found, seed), [Fraction(1, n)] * n, plan.stratified, 1, where)
    return _dealt(found, plan, n)


def _dealt(found: Sequence[Unit], plan: SplitPlan, n: int) -> list[list[Unit]]:
    folds: list[list[Unit]] = [[] for _number in range(n)]
    in_class: defaultdict[str, list[int]] = defaultdict(lambda: [0] * n)
    sizes = [0] * n
    for unit in found:
        counts = in_class[unit.label] if plan.stratified else sizes
        chosen = min(range(n), key=lambda i: (counts[i], sizes[i], i))
        folds[chosen].append(unit)
        in_class[unit.label][chosen] += unit.size
        sizes[chosen] += unit.size
    if plan.stratified:
        for label, counts in in_class.items():
            if 0 in counts:
                message = _(
                    "split: class {label!r} has too few different photos for {n} folds; accepted: fewer folds, "
                    "or more photos of the class"
                )
                raise DataError(message.format(label=label, n=n))
    return folds


def split(manifest: Manifest, plan: SplitPlan, seed: int | str, alike: Alike = ()) -> Split:
    """Divides the manifest's photos by the plan's shares, or by the parts that they were declared for.

    alike: groups of paths that show nearly the same picture (data/alike.py). They stay together like exact duplicates,
    unless the plan ignores them; under two labels they are kept, since likeness is no proof.

    Photos are put in the order of a hash of the seed and their bytes, so a split depends on nothing else: not on
    names, places, or the version of a library. Exact duplicates stay together; one found under two labels is left
    out, every copy of it, unless the plan keeps conflicts.

    Stratified: each class is divided by the shares (largest remainder), and has at least one photo in each part.
    Otherwise all photos at once: train = floor(share x n), rounded down to `multiple`; val = floor(share x n); test
    has the rest. Sizes are exact as long as single photos are left to fill a part up with.

    Photos of one group (a patient, a plant, a video) stay together too, with the copies of any of them; sizes and the
    shares of classes are then as near to the plan as whole groups allow.

    Declared parts are kept as they are, also where they divide a group (`inspection.divided` finds that). A photo with
    copies in two of them stays in test, else in val, and is left out of the others. Where no val (or test) part is
    declared, it is carved from train in the plan's proportions (val to train as `plan.val` to `plan.train`);
    `multiple` then holds for what is left in train, and is ignored where nothing is carved.

    Raises DataError where a class or the whole has too few photos for the parts.
    """
    found, left_out = units(manifest.photos, plan, seed, alike)
    declared = {photo.part for photo in manifest.photos} - {""}
    parts: dict[str, list[Unit]] = {part: [] for part in PARTS}
    for unit in found:
        kept, copies = without_copies(unit) if declared else (unit, [])
        left_out += copies
        parts[kept.photos[0].part or "train"].append(kept)
    if any(unit.groups for unit in parts["train"]):
        parts["train"] = joined(parts["train"], seed)
    names = ["train", *(part for part in ("val", "test") if part not in declared)]
    parts |= _divide(parts["train"], names, plan)
    return _checked(manifest, parts, len(found), left_out)


def _checked(manifest: Manifest, parts: dict[str, list[Unit]], n_groups: int, left_out: Iterable[LeftOut]) -> Split:
    """The split of these parts. No part is empty; and a class without a photo to learn from would be an answer that
    nothing teaches."""
    for part, members in parts.items():
        if not members:
            message = _(
                "{root}: no photo is left for the {part} set (found {n_photos} photos, {n_groups} without "
                "duplicates and conflicting labels)"
            )
            n_photos = len(manifest.photos)
            raise DataError(message.format(root=manifest.root, part=_(part), n_photos=n_photos, n_groups=n_groups))
    present = {photo.label for group in parts["train"] for photo in group.photos}
    for label in manifest.classes:
        if label not in present:
            message = _(
                "{root}: class {label!r} has no photos in the training set after duplicates and "
                "conflicting labels are removed; add photos, or remove the class"
            )
            raise DataError(message.format(root=manifest.root, label=label))
    train, val, test = (_paths(parts[part]) for part in PARTS)
    return Split(train, val, test, tuple(sorted(left_out, key=lambda out: out.path)))


def _divide(groups: Sequence[Unit], names: Sequence[str], plan: SplitPlan) -> dict[str, list[Unit]]:
    """The groups divided among some of the parts, train first, in the proportions that the plan has for those."""
    if len(names) == 1:
        return {names[0]: list(groups)}
    # as written: the float 0.29 is a little less than 29/100, and floor(0.29 x 100) would be 28
    shares = {"train": Fraction(repr(plan.train)), "val": Fraction(repr(plan.val))}
    shares["test"] = 1 - shares["train"] - shares["val"]
    wanted = [shares[name] / sum(shares[name] for name in names) for name in names]
    if any(unit.groups for unit in groups):
        where = ", ".join(names)
        return dict(zip(names, _divide_whole(groups, wanted, plan.stratified, plan.multiple, where), strict=True))
    if plan.stratified:
        return _divide_by_class(groups, names, wanted, plan.multiple)
    n = _n_photos(groups)
    sizes = [floor(share * n) for share in wanted[:-1]]
    sizes[0] -= sizes[0] % plan.multiple
    if 0 in sizes or n == sum(sizes):
        message = _(
            "split: {n} photos give {found}; accepted: at least one photo in each set. Add photos, or "
            "change the fractions."
        )
        given = zip(names, [*sizes, n - sum(sizes)], strict=True)
        raise DataError(message.format(n=n, found=", ".join(f"{name} {size}" for name, size in given)))
    return dict(zip(names, _fill(groups, sizes), strict=True))


def too_few_groups(candidates: Iterable[Candidate], plan: SplitPlan, folds: int = 0) -> str:
    """Why groups cannot be divided by a plan, as far as that is certain before any photo is read; "" where they may.

    Photos without a group are counted as one each; that two of them are copies can only make them fewer.
    """
    taken = [one for one in candidates if not one.reason]
    declared = {one.part for one in taken} - {""}
    names = [_("{n} folds").format(n=folds)] * folds or ["train", *({"val", "test"} - declared)]
    divided = [one for one in taken if one.part in ("", "train")]
    if len(names) < 2 or not any(one.group for one in divided):
        return ""
    of_class: defaultdict[str, set[str]] = defaultdict(set)
    for one in divided:
        of_class[one.label].add(f"group {one.group}" if one.group else f"path {one.path}")
    where = names[0] if folds else ", ".join(part for part in PARTS if part in names)
    n = len(set().union(*of_class.values()))
    n_of_class = {label: len(units) for label, units in of_class.items()} if plan.stratified else {}
    return _too_few(n, n_of_class, len(names), where)


def _divide_whole(
    found: Sequence[Unit], shares: Sequence[Fraction], stratified: bool, multiple: int, where: str
) -> list[list[Unit]]:
    """Units that hold whole groups, divided as near to the shares as they allow: of each class, where stratified.
    where: the parts, in words."""
    counts = [Counter(photo.label if stratified else "" for photo in unit.photos) for unit in found]
    n_units, n_photos = Counter[str](), Counter[str]()
    for count in counts:
        n_units.update(count.keys())
        n_photos.update(count)
    if problem := _too_few(len(found), n_units, len(shares), where):
        raise DataError(problem)
    sizes = _sizes(n_photos, shares, multiple)
    wanted = [{label: sizes[label][place] for label in sizes} for place in range(len(shares))]
    parts: list[list[Unit]] = [[] for _share in shares]
    for unit, place in zip(found, deal(counts, [unit.rank for unit in found], wanted), strict=True):
        parts[place].append(unit)
    return parts


def _too_few(n: int, n_of_class: Mapping[str, int], least: int, where: str) -> str:
    """Why so many groups, and so many of each class, cannot be divided; "" where they can."""
    if n < least:
        return ngettext(
            "split: all photos belong to {n} group; accepted: at least {least} groups, one for each of {parts}",
            "split: all photos belong to {n} groups; accepted: at least {least} groups, one for each of {parts}",
            n,
        ).format(n=n, least=least, parts=where)
    label, n = min(((label, n) for label, n in n_of_class.items() if n < least), default=("", least))
    if n >= least:
        return ""
    return ngettext(
        "split: the photos of class {label!r} belong to {n} group; a stratified split needs at least {least} groups "
        "of each class, one for each of {parts}. Add groups, or set stratified = false under [split] in a study file.",
        "split: the photos of class {label!r} belong to {n} groups; a stratified split needs at least {least} groups "
        "of each class, one for each of {parts}. Add groups, or set stratified = false under [split] in a study file.",
        n,
    ).format(label=label, n=n, least=least, parts=where)


def _divide_by_class(
    groups: Sequence[Unit], names: Sequence[str], shares: Sequence[Fraction], multiple: int
) -> dict[str, list[Unit]]:
    classes: defaultdict[str, list[Unit]] = defaultdict(list)
    for group in groups:
        classes[group.label].append(group)
    for label, members in classes.items():
        if len(members) < len(names):
            message = _(
                "split: class {label!r} has {n} different photos; a stratified split needs at "
                "least {least} of each class, one for each of {names}. Add photos, or remove the class."
            )
            raise DataError(message.format(label=label, n=len(members), least=len(names), names=", ".join(names)))
    sizes = _sizes({label: _n_photos(members) for label, members in classes.items()}, shares, multiple)
    parts: dict[str, list[Unit]] = {name: [] for name in names}
    for label, counts in sizes.items():
        for name, members in zip(names, _fill(classes[label], counts[:-1]), strict=True):
            parts[name] += members
    return parts


def _largest_remainder(n: int, shares: Sequence[Fraction]) -> list[int]:
    """n divided by shares into whole numbers that sum to n, each at least 1."""
    counts = [floor(share * n) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda i: counts[i] - shares[i] * n)
    for i in by_remainder[: n - sum(counts)]:
        counts[i] += 1
    for i in range(len(counts)):
        if counts[i] == 0:
            counts[counts.index(max(counts))] -= 1
            counts[i] = 1
    return counts


def _sizes(n_photos: Mapping[str, int], shares: Sequence[Fraction], multiple: int) -> dict[str, list[int]]:
    """Photos of each class by part. Single ones are moved from train to the last part, from the classes furthest above
    their share, until train is a multiple."""
    sizes = {label: _largest_remainder(n_photos[label], shares) for label in sorted(n_photos)}
    for _photo in range(sum(counts[0] for counts in sizes.values()) % multiple):
        movable = [label for label, counts in sizes.items() if counts[0] > 1]
        if not movable:
            message = _(
                "split.multiple: found {multiple}, but the classes have too few photos to round the "
                "training set down to a multiple of it"
            )
            raise DataError(message.format(multiple=multiple))
        label = max(movable, key=lambda label: sizes[label][0] - shares[0] * sum(sizes[label]))
        sizes[label][0] -= 1
        sizes[label][-1] += 1
    return sizes


def _fill(groups: Sequence[Unit], sizes: Sequence[int]) -> list[list[Unit]]:
    """Groups in their order into parts of these sizes, the rest into one more. A group that is too large for the
    room left in a part waits for the next part; while there are groups enough, each part gets one."""
    parts: list[list[Unit]] = []
    waiting = list(groups)
    for i, size in enumerate(sizes):
        parts_after = len(sizes) - i
        taken: list[Unit] = []
        passed: list[Unit] = []
        room = size
        for place, group in enumerate(waiting):
            if len(passed) + len(waiting) - place <= parts_after:  # those after this one need what is left
                passed += waiting[place:]
                break
            if group.size <= room:
                taken.append(group)
                room -= group.size
            else:
                passed.append(group)
        if not taken and passed and size > 0:
            smallest = min(passed, key=lambda group: group.size)
            passed.remove(smallest)
            taken.append(smallest)
        parts.append(taken)
        waiting = passed
    return [*parts, waiting]


def _n_photos(groups: Iterable[Unit]) -> int:
    return sum(group.size for group in groups)


def _paths(groups: Iterable[Unit]) -> tuple[str, ...]:
    ordered = sorted(groups, key=lambda group: group.rank)
    return tuple(photo.path for group in ordered for photo in group.photos)
