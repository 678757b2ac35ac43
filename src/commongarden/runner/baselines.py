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
    """Fits the baselines of every split of the study where the store has none of these photos and that split.

    They see the photos at the smallest size that some arm sees, whose file of decoded images is there already.
    """
    soils = {own.split.hash: own for own in (soil.of(seed) for seed in study.seeds)}
    data = soil.manifest.hash
    missing = [own for split, own in soils.items() if store.baselines(data, split) is None]
    resolution = min(study.recipe_of(arm).resolution for arm in study.arms)
    for done, own in enumerate(missing, 1):
        n_classes, images = len(own.manifest.classes), own.images(resolution)
        found = dict(baselines.fit(images, own.labels, own.train, own.val, own.test, n_classes))
        photos = np.array([own.manifest.photos[i].path for i in own.test], dtype=np.str_)
        store_files.write_baselines(store, data, own.split.hash, photos, own.labels[own.test], found)
        if on_progress is not None:
            on_progress(_("fitting baselines"), done, len(missing))
