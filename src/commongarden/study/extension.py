"""A study that goes on in a folder that holds one: what may be added, and what would mix soils."""

from __future__ import annotations

import dataclasses

from commongarden.i18n.language import _
from commongarden.study import arm as arms
from commongarden.study import tuning
from commongarden.study.conflicts import arm_conflicts
from commongarden.study.declared import Contrast, Study
from commongarden.study.file import to_table
from commongarden.study.recipe import Recipe


def conflicts(stored: Study, wanted: Study) -> list[str]:
    """What keeps `wanted` from going on in the folder of `stored`: the keys that differ, with both values.

    More seeds, arms or contrasts, another name, description or published figure are no conflict: they extend it.
    Near-duplicates that a split ignores are ignored on, and a study without rewrites goes on without them.
    Where the photos lie is none either; that they are the same photos is seen from their contents. So it is with the
    folder of a file in list form.
    """
    before, after = to_table(stored), to_table(wanted)
    pairs = tuning.conflicts(stored.tuning, wanted.tuning) | {
        f"study.{key}": (before["study"].get(key, "none"), after["study"].get(key, "none"))
        for key in ("seed", "vary", "folds", "group_by", "merge_classes")
    }
    if wanted.reference:  # without one the stored comparisons hold
        pairs["study.reference"] = (before["study"].get("reference", "none"), wanted.reference)
    elif stored.reference and wanted.contrasts:
        pairs["contrasts"] = (
            _("each model with {reference}").format(reference=stored.reference),
            len(wanted.contrasts),
        )
    if wanted.reading.layout:  # without one the stored layout holds, which may have been an answer at the terminal
        pairs["study.layout"] = (before["study"].get("layout", "none"), wanted.reading.layout)
    if wanted.range is not None:
        pairs["study.range"] = before["study"].get("range", "none"), after["study"]["range"]
    if (stored.split.near_duplicates, wanted.split.near_duplicates) == ("ignore", "together"):
        after["split"]["near_duplicates"] = "ignore"  # the default asks for nothing where a split is made already
    if _goes_on_without_rewrites(stored, wanted):
        after["recipe"]["rewrites"] = before["recipe"]["rewrites"]
    for section in ("recipe", "split"):
        keys = {**before[section], **after[section]}
        pairs |= {f"{section}.{key}": (before[section].get(key), after[section].get(key)) for key in keys}
    lines = [
        _("{key}: {old!r} in the folder, {new!r} requested").format(key=key, old=old, new=new)
        for key, (old, new) in pairs.items()
        if old != new
    ]
    if stored.factors and wanted.factors:
        if list(stored.factors) != list(wanted.factors):
            text = _("factors: {stored!r} in the folder, {wanted!r} requested")
            lines.append(text.format(stored=list(stored.factors), wanted=list(wanted.factors)))
        if stored.factor_base != wanted.factor_base:
            text = _("factors.base: {stored!r} in the folder, {wanted!r} requested")
            lines.append(text.format(stored=stored.factor_base, wanted=wanted.factor_base))
    for name in stored.arms:
        if name in wanted.arms:
            lines += arm_conflicts(name, stored.arms[name], wanted.arms[name])
    return lines


def _goes_on_without_rewrites(stored: Study, wanted: Study) -> bool:
    """The default asks for nothing where runs were made without, as in every study that was begun before there were
    rewrites."""
    return not stored.recipe.rewrites and wanted.recipe.rewrites == Recipe().rewrites


def extend(stored: Study, wanted: Study) -> Study:
    """`wanted` with all that the folder holds already; `conflicts` must be empty.

    Contrasts that were planned stay, also those that nobody declared and that more arms would leave out. Factors get
    the levels of both, and the grid is filled.
    """
    factors = {**stored.factors, **wanted.factors}
    for name in stored.factors.keys() & wanted.factors.keys():
        new = (level for level in wanted.factors[name] if level not in stored.factors[name])
        factors[name] = (*stored.factors[name], *new)
    together = {**stored.arms, **{name: arms.kept(stored.arms.get(name), arm) for name, arm in wanted.arms.items()}}
    contrasts: tuple[Contrast, ...] = (*stored.contrasts, *wanted.contrasts)
    search = tuning.extended(stored.tuning, wanted.tuning)
    reference = stored.reference or wanted.reference
    if together.keys() != stored.arms.keys() and not reference:
        later = wanted.contrasts or dataclasses.replace(wanted, arms=together, tuning=search).own_contrasts()
        contrasts = (*stored.own_contrasts(), *later)
    return dataclasses.replace(
        wanted,
        arms=together,
        recipe=stored.recipe if _goes_on_without_rewrites(stored, wanted) else wanted.recipe,
        split=stored.split,
        seeds=tuple(sorted({*stored.seeds, *wanted.seeds})),
        contrasts=tuple(dict.fromkeys(contrasts)),
        published={**stored.published, **wanted.published},
        published_source=wanted.published_source or stored.published_source,
        tuning=search,
        factors=factors,
        factor_base=wanted.factor_base or stored.factor_base,
        ablation=wanted.ablation or stored.ablation,
        reading=stored.reading,
        range=stored.range,
        preset=stored.preset,
        reference=reference,
    )
