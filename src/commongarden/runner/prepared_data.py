"""The data that all runs of a study share: labels, parts, decoded images. Prepared once, reopened by every worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np

from commongarden import arch
from commongarden import store as store_files
from commongarden import study as study_file
from commongarden.data import cache, folder, inspecting, result_cache
from commongarden.data.finding import Listed
from commongarden.data.looks import Looks
from commongarden.data.on_the_fly import Images, OnTheFlyImages
from commongarden.data.split import Alike, of_run_seed
from commongarden.errors import StoreError
from commongarden.i18n.language import _
from commongarden.records import Manifest, Split, inspection
from commongarden.records.inspection import Inspection
from commongarden.runner import sources
from commongarden.runner.measuring import measured
from commongarden.store import Store, contract
from commongarden.study import Study
from commongarden.study.framing import SQUASHED, Framing

OnProgress = Callable[[str, int, int], None]  # what is being done, how many done, how many in all


@dataclass(frozen=True, eq=False)
class PreparedData:
    """labels: (n,) int64 in the manifest's order; train, val, test: places in that order, in the runs with the first
    seed; own: the splits of the run seeds, where those differ; direct: by resolution, bytes that decoded images may
    take in the cache where that is too few, so that photos are decoded each time; n_decoding: threads of one process
    that do so."""

    manifest: Manifest
    split: Split
    labels: np.ndarray
    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    cache_folder: Path
    own: Mapping[int, Split] = field(default_factory=dict)
    direct: Mapping[int, int] = field(default_factory=dict)
    n_decoding: int = 1

    def of(self, seed: int) -> PreparedData:
        """The data of the runs with this seed."""
        parts = self.own.get(seed, self.split)
        if parts is self.split:
            return self
        other = _soil(self.manifest, parts, self.cache_folder, self.own)
        return replace(other, direct=self.direct, n_decoding=self.n_decoding)

    def images(self, resolution: int, framing: Framing = SQUASHED) -> Images:
        """All photos decoded: (n, resolution, resolution, 3) uint8, from the cache or when asked for."""
        if resolution in self.direct:
            return OnTheFlyImages(self.manifest, resolution, resolution, self.n_decoding, framing)
        return cache.images(self.manifest, resolution, resolution, self.cache_folder, framing=framing)


def prepare_data(
    study: Study,
    root: Path,
    cache_folder: Path,
    *,
    keep_going: bool = False,
    on_progress: OnProgress | None = None,
    cache_budget: int | None = None,
    tell: result_cache.Tell | None = None,
    device: str = "cpu",
    listed: Listed | None = None,
) -> tuple[Store, PreparedData]:
    """Judges the photos, measures networks by others, makes or reads the split, decodes what is missing, and writes the
    effective study. cache_budget: bytes that the cache's images may take; those that do not fit there, or on the disk,
    are not decoded in advance. tell: hears of what was kept for other studies and is torn. listed: the data's files,
    where they were listed before (sources.py).

    Raises StoreError where the folder holds another study: changed data, split, recipe or arm."""

    def told(what: str) -> Callable[[int, int], None] | None:
        return None if on_progress is None else lambda done, total: on_progress(what, done, total)

    is_begun = (root / "study.toml").is_file()
    if is_begun:
        study = _extended(root, store_files.open_store(root).study(), study)
    if listed is None:
        listed = sources.listed(study.data_plan, root, keep_going=keep_going)
    looks = Looks()
    manifest = folder.scan(
        study.data,
        study.reading,
        listed=listed,
        keep_going=keep_going,
        on_progress=told(_("reading photos")),
        cache_folder=cache_folder,
        tell=tell,
        range=study.range,
        looks=looks,
    )
    if is_begun:  # by an earlier version perhaps, which had no range
        manifest = replace(_as_begun(Store(root), manifest), range=study.range)
    else:
        study = replace(study, range=manifest.range)
    store, n_classes = Store(root), len(manifest.classes)
    finished = {run.arm for run in (store.runs() if is_begun else ()) if run.status == "finished"}
    downloading = _in_megabytes(told(_("downloading weights (MB)")))
    checked = measured(
        study.arms, study.recipe, n_classes, finished=finished, device=device,
        on_progress=told(_("checking networks")), on_bytes=downloading, tell=tell,
    )  # fmt: skip
    study = replace(study, arms=checked)
    if is_begun and (root / "manifest.csv").is_file():  # one that was set aside is compared with the runs below
        _check_same_photos(root, store.manifest(), manifest)
    if is_begun:
        _check_same_networks(store, study, n_classes)
    found = _inspected(store, manifest, cache_folder, on_progress, tell, looks)
    own = _splits(store, study, manifest, () if found is None else found.groups)
    if is_begun:
        contract.check(store, store.study(), manifest, own, store.runs())
    _write(store, study, manifest, own, listed, found)
    direct = _decoded(manifest, _sizes(study), cache_folder, cache_budget, told)
    return store, replace(_soil(manifest, own[study.seeds[0]], cache_folder, own), direct=direct)


def _in_megabytes(told: Callable[[int, int], None] | None) -> Callable[[int, int], None] | None:
    return None if told is None else lambda done, total: told(round(done / 1e6), round(total / 1e6))


def _write(
    store: Store,
    study: Study,
    manifest: Manifest,
    own: Mapping[int, Split],
    listed: Listed,
    found: Inspection | None,
) -> None:
    """Stores the effective study with its photos, last of all the study itself."""
    if found is not None:
        store_files.keep(store.root, inspection.FILE, msgspec.json.encode(found))
    store_files.write_split(store, manifest, own[study.seeds[0]])  # each time: the photos may lie elsewhere now
    sources.keep(store, listed, manifest)
    contract.write(store, contract.of(study, manifest, own))
    store_files.write_study(store.root, study)


def _sizes(study: Study) -> list[tuple[int, Framing]]:
    """Each size of the study's images once, the smallest first."""
    recipes = sorted(map(study.recipe_of, study.arms), key=lambda recipe: recipe.resolution)
    return list(dict.fromkeys((recipe.resolution, recipe.framing) for recipe in recipes))


def _decoded(
    manifest: Manifest,
    sizes: Sequence[tuple[int, Framing]],
    cache_folder: Path,
    cache_budget: int | None,
    told: Callable[[str], Callable[[int, int], None] | None],
) -> dict[int, int]:
    """Decodes the photos at each size at which they fit. Returns the bytes that are left for each of the others."""
    direct = {}
    for size, framing in sizes:
        if (room := cache.room(manifest, size, size, cache_folder, cache_budget, framing)) is not None:
            direct[size] = room
            continue
        progress = told(_("decoding at {n} pixels").format(n=size))
        cache.images(manifest, size, size, cache_folder, progress, framing=framing, check=True)
    return direct


def _as_begun(store: Store, found: Manifest) -> Manifest:
    """The photos without those that the study left out when it was begun: a later version, or another package, may read
    what was not read then."""
    if not (store.root / "manifest.csv").is_file():
        return found
    out = {left.path: left for left in store.manifest().left_out}
    photos = tuple(photo for photo in found.photos if photo.path not in out)
    stayed = [out[photo.path] for photo in found.photos if photo.path in out]
    left_out = sorted([*found.left_out, *stayed], key=lambda left: left.path)
    return replace(found, photos=photos, left_out=tuple(left_out))


def _inspected(
    store: Store,
    manifest: Manifest,
    cache_folder: Path,
    on_progress: OnProgress | None,
    tell: result_cache.Tell | None,
    looks: Looks,
) -> Inspection | None:
    """What was found in the photos when the study was begun, so that a split for a new seed is made from the same."""
    kept = None
    with suppress(StoreError):  # a torn one is made again
        kept = store.inspection()
    if kept is not None and kept.data == manifest.hash:
        return kept
    return inspecting.inspect(manifest, cache_folder, on_progress, tell, looks)


def _splits(store: Store, study: Study, manifest: Manifest, alike: Alike) -> dict[int, Split]:
    """The split of each run seed: those that the store holds, and new ones for new seeds, which it then holds too."""
    if not study.splits_vary:
        kept = (store.root / "study.toml").is_file() and (store.root / "split.json").is_file()
        one = store.split() if kept else of_run_seed(manifest, study.data_plan, study.seeds[0], alike)
        return dict.fromkeys(study.seeds, one)
    if not (store.root / "study.toml").is_file():  # what a killed process began may be of another plan
        store_files.forget_splits(store)
    missing = [seed for seed in study.seeds if not store.split_file(seed).is_file()]
    made = {seed: of_run_seed(manifest, study.data_plan, seed, alike) for seed in missing}
    for seed, parts in made.items():
        store_files.write_own_split(store, seed, parts)
    return {seed: made.get(seed) or store.split(seed) for seed in study.seeds}


def reopen(
    store: Store, cache_folder: Path, direct: Mapping[int, int] | None = None, n_decoding: int = 1
) -> PreparedData:
    """The data as `prepare_data` left them. direct, n_decoding: as it found them."""
    own = store.splits()
    found = _soil(store.manifest(), next(iter(own.values())), cache_folder, own)
    return replace(found, direct=direct or {}, n_decoding=n_decoding)


def _soil(manifest: Manifest, parts: Split, cache_folder: Path, own: Mapping[int, Split]) -> PreparedData:
    place = {photo.path: i for i, photo in enumerate(manifest.photos)}
    number = {label: i for i, label in enumerate(manifest.classes)}
    labels = np.array([number[photo.label] for photo in manifest.photos], dtype=np.int64)
    train, val, test = (
        np.array([place[path] for path in part], dtype=np.int64) for part in (parts.train, parts.val, parts.test)
    )
    return PreparedData(manifest, parts, labels, train, val, test, cache_folder, own)


def _extended(root: Path, stored: Study, wanted: Study) -> Study:
    different = study_file.conflicts(stored, wanted)
    if different:
        text = _(
            "{root} contains a study with other settings:\n  {differences}\nIts runs and new ones "
            "would not be comparable. You can add seeds, models or contrasts to a study; for other "
            "changes use another name (--name) or folder (--out)."
        )
        raise StoreError(text.format(root=root, differences="\n  ".join(different)))
    return study_file.extend(stored, wanted)


def _check_same_networks(store: Store, study: Study, n_classes: int) -> None:
    """Another version of commongarden may build another network for the same name and options."""
    for run in store.runs():
        if run.hashes.arch != arch.hash(study.arms[run.arm].network(n_classes)):
            text = _(
                "{root}: the runs of {arm} trained a different network than {arch} is now, so they and new "
                "ones would not be comparable; choose another folder with --out."
            )
            raise StoreError(text.format(root=store.root, arm=run.arm, arch=study.arms[run.arm].arch))


def _check_same_photos(root: Path, stored: Manifest, found: Manifest) -> None:
    if stored.hash == found.hash:
        return
    before, after = ({photo.path: photo for photo in manifest.photos} for manifest in (stored, found))
    gone, new = sorted(before.keys() - after.keys()), sorted(after.keys() - before.keys())
    changed = sorted(path for path in before.keys() & after.keys() if before[path] != after[path])
    kinds = ((_("{n} removed ({paths})"), gone), (_("{n} new ({paths})"), new), (_("{n} changed ({paths})"), changed))
    lines = [
        said.format(n=len(paths), paths=paths[0] + (", ..." if len(paths) > 1 else ""))
        for said, paths in kinds
        if paths
    ]
    text = _(
        "{root}: the photos in {source} have changed since the study started: {differences}.\nIts "
        "runs and new ones would not be comparable. Restore the photos, or use another name "
        "(--name) or folder (--out)."
    )
    raise StoreError(text.format(root=root, source=found.root, differences="; ".join(lines)))
