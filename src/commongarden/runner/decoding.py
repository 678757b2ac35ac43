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
        one = seconds_per_photo(prepared.manifest, resolution)
        all_of_them = one * sum(n_read(prepared, recipe, job) for job, recipe in among.items())
        text = _(
            "photos are decoded each time at {resolution} pixels: decoded once they need {needed:,.1f} MB in {folder}, "
            "where {room:,.1f} MB are left by the disk and --cache-budget. One takes {ms:.2f} ms, so the runs at that "
            "size spend {time} on it, {workers} at a time. Results stay the same."
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
