"""The baselines of a study, made once for its photos and split and kept in the store, and for other studies in the
cache."""

from __future__ import annotations

import numpy as np

from commongarden import store as store_files
from commongarden.data import baselines, result_cache
from commongarden.i18n.language import _
from commongarden.runner import plan
from commongarden.runner.prepared_data import OnProgress, Soil
from commongarden.store import Store
from commongarden.study import Study


def keep(
    store: Store,
    study: Study,
    soil: Soil,
    on_progress: OnProgress | None = None,
    tell: result_cache.Tell | None = None,
) -> None:
    """Fits the baselines of every split of the study where neither the store nor the cache has those of these photos
    and that split. tell: hears where the cache's were torn.

    They see the photos at the smallest size that some arm sees, whose file of decoded images is there already.
    """
    soils = {own.split.hash: own for own in (soil.of(seed) for seed in study.seeds)}
    data = soil.manifest.hash
    missing = [own for split, own in soils.items() if store.baselines(data, split) is None]
    resolution = min(study.recipe_of(arm).resolution for arm in study.arms)
    for done, own in enumerate(missing, 1):
        key = _key(own, resolution)
        packed = result_cache.recall(soil.cache_folder, key, tell)
        if packed is None:
            packed = _fitted(own, resolution)
            result_cache.keep(soil.cache_folder, key, packed)
            if on_progress is not None:
                on_progress(_("fitting baselines"), done, len(missing))
        store_files.write_baselines(store, data, own.split.hash, packed)


def _key(soil: Soil, resolution: int) -> str:
    made_from = [soil.manifest.hash, soil.split.hash, str(resolution)]
    libraries = ["pillow", "scikit-learn", "scipy", "threadpoolctl"]
    return result_cache.key("baselines", made_from, libraries, machine=plan.machine().processor)


def _fitted(soil: Soil, resolution: int) -> bytes:
    n_classes, images = len(soil.manifest.classes), soil.images(resolution)
    found = dict(baselines.fit(images, soil.labels, soil.train, soil.val, soil.test, n_classes))
    photos = np.array([soil.manifest.photos[i].path for i in soil.test], dtype=np.str_)
    return store_files.packed_baselines(photos, soil.labels[soil.test], found)
