"""The fairness contract in words: what is equal among all arms, and what differs between those of each contrast."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from commongarden import sentences
from commongarden.i18n.language import _, current, ngettext, pgettext, translate
from commongarden.records import Manifest, Run, Split, inspection
from commongarden.report.document import (
    Block,
    Bullets,
    Cell,
    Heading,
    Only,
    Paragraph,
    Section,
    SideBySide,
    Styled,
    StyledLine,
    Table,
)
from commongarden.report.wording import designs, words
from commongarden.report.wording.labels import TEXT
from commongarden.report.wording.numbers import listed, whole
from commongarden.report.wording.sweeps import some
from commongarden.stats import ContrastResult, Results
from commongarden.stats.foremost import MOST_TOLD
from commongarden.stats.hosts import Slower, slower
from commongarden.store import Store, contract
from commongarden.study import Contrast, Study
from commongarden.study.factorial import shown
from commongarden.study.recipe import FIELDS

N_DIFFERS = 6  # sentences on contrasts that the page shows at once


@dataclass(frozen=True)
class Terms:
    """equal: (what, in words). differs: a sentence or more for each contrast. declared: arms with recipe values of
    their own. warnings: groups in several parts; what is not the same in all runs, and was not meant to differ. hash:
    of the contract."""

    equal: tuple[tuple[str, str], ...]
    differs: tuple[str, ...]
    declared: tuple[str, ...]
    warnings: tuple[str, ...]
    hash: str


def terms(
    study: Study,
    manifest: Manifest,
    splits: Mapping[int, Split],
    runs: Sequence[Run],
    told: Collection[tuple[str, str]] | None = None,
) -> Terms:
    """The contract of a study as its report shows it. told: the comparisons (arm, against) that it tells of, where
    these are not all."""
    n_classes = len(manifest.classes)
    planned = [one for one in study.planned_contrasts() if told is None or (one.arm, one.against) in told]
    return Terms(
        equal=tuple(_equal(study, manifest, splits)),
        differs=(*_factors(study), *(differs(study, contrast, n_classes) for contrast in planned)),
        declared=tuple(_own(study)),
        warnings=tuple(_warnings(manifest, splits[study.seeds[0]], runs)),
        hash=contract.of(study, manifest, splits).hash,
    )


def section(store: Store, study: Study, results: Results) -> Section:
    """The contract: what is equal for all arms, and what differs between those that the results tell of."""
    told = {(one.arm, one.against) for one in results.contrasts}
    found = terms(study, store.manifest(), store.splits(), store.runs(), told)
    header = (pgettext("of the contract", "term"), _("for all models"))
    equal = Table(f"{TEXT['terms_equal']}.", header, found.equal, n_left=2, kind="terms")
    blocks: list[Block] = []
    if found.differs:
        more = words.more(len(found.differs) - N_DIFFERS)
        blocks = [Heading(TEXT["terms_differs"]), Bullets(found.differs, most=N_DIFFERS, more=more)]
    else:
        blocks = [Only("page", (Heading(TEXT["terms_differs"]), Paragraph(TEXT["terms_nothing"])))]
    if found.declared:
        together = f"{TEXT['terms_declared']} {'; '.join(found.declared)}."
        blocks += [
            Only("paper", (Paragraph(TEXT["terms_declared"], leads=True), Bullets(found.declared))),
            Only("page", (Paragraph(together, role="soft"),)),
        ]
    uneven = slower(store.runs(), store.history)
    warnings = (*found.warnings, *(() if uneven is None else (_slower(uneven),)))
    blocks += [Paragraph(warning, role="notice") for warning in warnings]
    fingerprint = StyledLine((Styled(f"{TEXT['terms_hash']} "), Styled(found.hash[:12], "code")), "soft")
    blocks.append(Only("page", (fingerprint,)))
    return Section(TEXT["terms"], (SideBySide(((equal,), tuple(blocks))),), anchor="terms")


def _equal(study: Study, manifest: Manifest, splits: Mapping[int, Split]) -> list[tuple[str, str]]:
    first = splits[study.seeds[0]]
    sizes = {"train": whole(len(first.train)), "val": whole(len(first.val)), "test": whole(len(first.test))}
    data = _("{n} images of {k} classes, the same files for all models.").format(
        n=whole(len(manifest.photos)), k=len(manifest.classes)
    )
    if study.range is not None:
        data = f"{data} {inspection.scaled(study.range)}"
    if study.folds:
        split = _(
            "{folds} folds, the same for all models, each with about {train} training, {val} validation and "
            "{test} test images."
        )
    elif study.splits_vary:
        split = _("One per seed, the same for all models: {train} training, {val} validation and {test} test images.")
    else:
        split = _("One for all models and seeds: {train} training, {val} validation and {test} test images.")
    split = split.format(folds=study.folds, **sizes)
    if n_groups := len(inspection.groups(manifest)):
        n_divided = len(inspection.divided(manifest, inspection.part_of(first)))
        split += " " + (
            _("The images belong to {n} groups, {divided} of them in more than one set.")
            if n_divided
            else _("The images belong to {n} groups, each in one set.")
        ).format(n=whole(n_groups), divided=whole(n_divided))
    recipes = [study.recipe_of(arm) for arm in study.arms]
    own = [field for field in FIELDS if any(getattr(one, field) != getattr(study.recipe, field) for one in recipes)]
    recipe = (
        _("The same for all models except {fields}.").format(fields=listed(own))
        if own
        else _("The same for all models.")
    )
    return [
        (_("Data"), data),
        (_("Split"), split),
        (_("Randomness"), " ".join([_chance(study), *designs.between(study.vary, study.folds)])),
        (_("Training settings"), recipe),
        (_("Budget"), _budget(study)),
    ]


def _chance(study: Study) -> str:
    if study.folds:
        return _("In the same fold, all models draw initial weights and image order from the same random streams.")
    return _("With the same seed, all models draw initial weights and image order from the same random streams.")


def _budget(study: Study) -> str:
    runs = designs.repeats(len(study.seeds), study.folds)
    recipes = [study.recipe_of(arm) for arm in study.arms]
    if len({recipe.epochs for recipe in recipes}) > 1:
        return _("{runs} per model; the number of epochs differs between models.").format(runs=runs)
    n = recipes[0].epochs
    if {recipe.early_stopping for recipe in recipes} != {0}:
        return _("{runs} per model, at most {n} epochs each, with early stopping.").format(runs=runs, n=n)
    return ngettext("{runs} per model, {n} epoch each.", "{runs} per model, {n} epochs each.", n).format(runs=runs, n=n)


def _factors(study: Study) -> list[str]:
    if not study.factors:
        return []
    said = [
        _("{factor} ({levels})").format(factor=name, levels=", ".join(map(shown, levels)))
        for name, levels in study.factors.items()
    ]
    return [_("The models are all combinations of {factors}.").format(factors=listed(said))]


def differs(study: Study, contrast: Contrast, n_classes: int) -> str:
    """What differs between the two arms: the networks' difference as it was computed, and what was declared."""
    found = contract.computed(study, contrast, n_classes)
    rows = contract.declared(study, contrast)
    names = {"arm": contrast.arm, "against": contrast.against}
    if found is None:
        one, two = study.arms[contrast.arm].arch, study.arms[contrast.against].arch
        said = (
            _("{arm} and {against} are {one} with other options.").format(**names, one=one)
            if one == two
            else _("{arm} is {one}, {against} is {two}.").format(**names, one=one, two=two)
        )
    elif found.n_edits == 0:
        said = _("{arm} and {against} are the same network.").format(**names)
    else:
        difference = sentences.difference(found, current())
        said = _("{arm}, compared with {against}, {difference}.").format(**names, difference=difference)
    if not rows:
        return said
    return said + " " + _("Declared differences: {values}.").format(values=listed(map(designs.value, rows)))


def _own(study: Study) -> list[str]:
    if study.factors:
        return []  # they are the factors, or what all of the grid has
    together: dict[str, list[str]] = {}  # those that share all their values are named together where they are many
    for name in study.arms:
        values = ", ".join(
            _("{field} {value}").format(field=field, value=shown(value))
            for field, value in study.own_values(name).items()
        )
        if values:
            together.setdefault(values if len(study.arms) > MOST_TOLD else f"{name} {values}", []).append(name)
    return [
        _("{arm}: {values}").format(arm=some(names), values=values.removeprefix(f"{names[0]} "))
        for values, names in together.items()
    ]


def _warnings(manifest: Manifest, split: Split, runs: Sequence[Run]) -> Iterator[str]:
    """Groups in several parts. Of the runs, where bits and seconds may differ; accuracies are those of one protocol."""
    for said in inspection.divided_warnings(manifest, inspection.part_of(split)):
        yield f"{said}."
    machines = {(run.machine.processor, run.machine.system, run.machine.gpu, run.device) for run in runs}
    if len(machines) > 1:
        said = _("The runs come from {n} machines or devices: times and memory cannot be compared across them.")
        yield said.format(n=len(machines))
    for package in ("torch", "commongarden"):
        versions = sorted({run.machine.packages.get(package, "") for run in runs} - {""})
        if len(versions) > 1:
            said = _("The runs used {package} {versions}: results may differ in the last bits.")
            yield said.format(package=package, versions=listed(versions))
    for arm, note in dict.fromkeys((run.arm, note) for run in runs for note in run.texts):
        yield _("{arm}: {what}.").format(arm=arm, what=translate(note))


def _slower(found: Slower) -> str:
    return _(
        "Training {arm} took {factor:.1f} times as long on {host} as on {than}: times of models that were trained on "
        "different machines cannot be compared."
    ).format(arm=found.arm, factor=found.factor, host=found.host, than=found.than)


def differ(results: Results) -> Section | None:
    """What differs between the arms of each contrast, as computed; None where there is none."""
    parts = tuple((_differing(found),) for found in words.verdicts(results))
    if not parts:
        return None
    caption = Paragraph(TEXT["differ_caption"], role="soft")
    return Section(TEXT["differ"], (caption, SideBySide(parts, "matrices", 330)), anchor="differ")


def _differing(found: ContrastResult) -> Block:
    names = f"{found.arm}, {found.against}"
    if not found.differs:
        return Paragraph(f"{names}: {TEXT['differ_nothing']}")
    header = ("", Cell(found.arm, arm=found.arm), Cell(found.against, arm=found.against))
    rows = tuple(
        (words.difference_name(what), designs.written(one), designs.written(two)) for what, one, two in found.differs
    )
    return Table(f"{names}.", header, rows, 3)
