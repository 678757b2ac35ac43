"""What a report says where photos belong to groups (patients, plants, videos), which are then the unit of intervals."""

from __future__ import annotations

from commongarden.i18n.language import _, ngettext
from commongarden.report.wording import designs
from commongarden.report.wording.numbers import whole
from commongarden.stats import Results


def counted(n_photos: int, n_groups: int) -> str:
    """Test photos, with the groups that they belong to where those are the unit."""
    if not n_groups:
        return ngettext("{n} test image", "{n} test images", n_photos).format(n=whole(n_photos))
    return ngettext("{photos} test images of {n} group", "{photos} test images of {n} groups", n_groups).format(
        photos=whole(n_photos), n=whole(n_groups)
    )


def intervals(results: Results) -> str:
    """What the intervals cover where all seeds are tested on the same groups."""
    return _(
        "95 % confidence intervals. They account for seed variation ({sources}) and test-set variation. "
        "Images of one group are not independent, so the unit is the {groups} groups of the test set, not "
        "its {photos} images. Differences are paired by image{seeds}."
    ).format(
        sources=designs.varied(results.vary),
        groups=whole(results.n_test_groups),
        photos=whole(results.n_test),
        seeds=_(" and seed") if results.pair_seeds else "",
    )


def splits() -> str:
    """Said where each seed or fold has test photos of its own."""
    return _("All images of a group are in the same set, so no model is tested on a group that it was trained on.")
