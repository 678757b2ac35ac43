"""The baselines of a study, made once for its photos and split and kept in the store, and for other studies in the
cache."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from commongarden import store as store_files
from commongarden.data import baselines, result_cache
from commongarden.i18n.language import _
from commongarden.runner import plan
from commongarden.runner.prepared_data import OnProgress, PreparedData
from commongarden.store import Store
from commongarden.study.framing import SQUASHED
from commongarden.study.recipe import Recipe


def keep(
    store: Store,
    prepared: PreparedData,
    seeds: Sequence[int],
    recipe: Recipe,
    on_progress: OnProgress | None = None,
    tell: result_cache.Tell | None = None,
) -> None:
    """Fits the baselines of the split of every run seed where neither the store nor the cache has those of these photos
    and that split. tell: hears where the cache's were torn.

    recipe: by which the photos are resized: the one with the smallest size, whose decoded images are cached already.
    """
    prepared_by_split = {own.split.hash: own for own in (prepared.of(seed) for seed in seeds)}
    data = prepared.manifest.hash
    missing = [own for split, own in prepared_by_split.items() if store.baselines(data, split) is None]
    for done, own in enumerate(missing, 1):
        key = _key(own, recipe)
        packed = result_cache.recall(prepared.cache_folder, key, tell)
        if packed is None:
            packed = _fitted(own, recipe)
            result_cache.keep(prepared.cache_folder, key, packed)
            if on_progress is not None:
                on_progress(_("fitting baselines"), done, len(missing))
        store_files.write_baselines(store, data, own.split.hash, packed)


def _key(prepared: PreparedData, recipe: Recipe) -> str:
    framing = [] if recipe.framing == SQUASHED else [str(recipe.framing)]
    made_from = [prepared.manifest.hash, prepared.split.hash, str(recipe.resolution), *framing]
    libraries = ["pillow", "scikit-learn", "scipy", "threadpoolctl"]
    return result_cache.key("baselines", made_from, libraries, machine=plan.machine().processor)


def _fitted(prepared: PreparedData, recipe: Recipe) -> bytes:
    n_classes, images = len(prepared.manifest.classes), prepared.images(recipe.resolution, recipe.framing)
    found = dict(baselines.fit(images, prepared.labels, prepared.train, prepared.val, prepared.test, n_classes))
    photos = np.array([prepared.manifest.photos[i].path for i in prepared.test], dtype=np.str_)
    return store_files.packed_baselines(photos, prepared.labels[prepared.test], found)
