"""The baselines of a study, made once for its photos and split and kept in the store."""

from __future__ import annotations

import numpy as np

from commongarden import store as store_files
from commongarden.data import baselines
from commongarden.language import _
from commongarden.runner.soil import OnProgress, Soil
from commongarden.store import Store
from commongarden.study import Study


def keep(store: Store, study: Study, soil: Soil, on_progress: OnProgress | None = None) -> None:
    """Fits the baselines of the soil's split where the store has none of these photos and this split.

    They see the photos at the smallest size that some arm sees, whose file of decoded images is there already. A study
    with several splits calls this once with the soil of each.
    """
    data, split = soil.manifest.hash, soil.split.hash
    if store.baselines(data, split) is not None:
        return
    n_classes = len(soil.manifest.classes)
    images = soil.images(min(study.recipe_of(arm).resolution for arm in study.arms))
    found = {}
    for item, probabilities in baselines.fit(images, soil.labels, soil.train, soil.val, soil.test, n_classes):
        found[item] = probabilities
        if on_progress is not None:
            on_progress(_("fitting baselines"), len(found), 2)
    photos = np.array([soil.manifest.photos[i].path for i in soil.test], dtype=np.str_)
    store_files.write_baselines(store, data, split, photos, soil.labels[soil.test], found)
