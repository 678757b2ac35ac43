"""What it costs that photos are decoded anew each time, told before the runs."""

from __future__ import annotations

from collections.abc import Mapping

from commongarden.data import cache
from commongarden.data.on_the_fly import seconds_per_photo
from commongarden.i18n.language import _
from commongarden.runner.events import Job
from commongarden.runner.forecast import clock
from commongarden.runner.prepared_data import PreparedData
from commongarden.study.recipe import Recipe


def n_read(prepared: PreparedData, recipe: Recipe, job: Job) -> int:
    """How many photos a run decodes: the training part once for the statistics of its channels, both parts each epoch,
    the test part at its end."""
    own = prepared.of(job.seed)
    statistics = len(own.train) if recipe.pixels == "standardized" else 0
    return statistics + recipe.epochs * (len(own.train) + len(own.val)) + len(own.test)


def costs(prepared: PreparedData, recipes: Mapping[Job, Recipe], n_workers: int) -> list[str]:
    """A sentence for each size at which photos are decoded each time. recipes: of the jobs."""
    said = []
    for resolution, room in prepared.direct.items():
        among = {job: recipe for job, recipe in recipes.items() if recipe.resolution == resolution}
        if not among:
            continue
        one = seconds_per_photo(prepared.manifest, resolution, next(iter(among.values())).framing)
        all_of_them = one * sum(n_read(prepared, recipe, job) for job, recipe in among.items())
        text = _(
            "the image cache at {resolution} pixels does not fit: it needs {needed:,.1f} MB in "
            "{folder}, and the disk and --cache-budget leave {room:,.1f} MB. Workers decode the images "
            "on the fly, {ms:.2f} ms each: {time} in total for the runs at this size, {workers} at a "
            "time. The results are the same."
        )
        said.append(
            text.format(
                resolution=resolution,
                needed=cache.needed((len(prepared.manifest.photos), resolution, resolution, 3)) / 1e6,
                folder=prepared.cache_folder,
                room=room / 1e6,
                ms=1e3 * one,
                time=clock(all_of_them / max(n_workers, 1)),
                workers=n_workers,
            )
        )
    return said
