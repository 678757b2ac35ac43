"""The methods paragraphs of a study, with what they cite: the design, the training, the statistics, the machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from commongarden.arch import FAMILIES, Dropout, leaves
from commongarden.i18n.language import _, ngettext, pgettext
from commongarden.records import Run, inspection
from commongarden.report.document import Block, Bullets, Heading, Only, Paragraph, Section
from commongarden.report.topics import early_stopping, limits, network_blocks, optimization, page_data
from commongarden.report.wording import designs, sizes
from commongarden.report.wording.labels import TEXT
from commongarden.report.wording.numbers import percent, whole
from commongarden.report.wording.references import Citations
from commongarden.report.wording.sweeps import some
from commongarden.stats import Results
from commongarden.stats.foremost import MOST_TOLD
from commongarden.study import Study, origin
from commongarden.study.factorial import shown
from commongarden.study.recipe import FIELDS, Recipe

# the works that an architecture's published source in arch.FAMILIES stands for, by how it begins
SOURCES = {
    "Krizhevsky 2014": "krizhevsky",
    "Simonyan & Zisserman 2014": "simonyan",
    "Szegedy et al. 2014": "szegedy_2014",
    "Szegedy et al. 2015": "szegedy_2015",
    "He et al. 2015": "he",
}


@dataclass(frozen=True)
class Methods:
    """paragraphs: how the study was made, in order. references: the entries of every work that they name."""

    paragraphs: tuple[str, ...]
    references: tuple[str, ...]


def methods(
    study: Study,
    results: Results,
    runs: Sequence[Run],
    cite: Citations | None = None,
    *,
    raced: bool = False,
    epochs: page_data.Histories | None = None,
) -> Methods:
    """How the study was made, as its own file, records and estimates tell it; nothing is said or cited that it did not
    use. cite: what else of the same report names works. raced: whether seeds were spent in looks. epochs: of the
    finished runs."""
    cite = cite or Citations()
    sentences = (
        _design(study, results, cite),
        _networks(study, results, cite),
        _training(study, cite, early_stopping.lengths(epochs or {})),
        _statistics(results, cite, raced=raced),
        _machines(runs, cite),
    )
    paragraphs = tuple(filter(None, map(" ".join, sentences)))
    return Methods(paragraphs, cite.entries())


def section(made: Methods) -> Section:
    """The paragraphs; the page has the works that they name below them, a written report at its end."""
    blocks: list[Block] = [Paragraph(text) for text in made.paragraphs]
    if made.references:
        blocks.append(Only("page", (Heading(TEXT["references"]), Bullets(made.references, "references"))))
    return Section(TEXT["methods"], tuple(blocks), anchor="methods")


def _design(study: Study, results: Results, cite: Citations) -> Iterator[str]:
    data = page_data.data_name(study)
    yield ngettext(
        "{n} network was trained on {data} ({classes} classes): {train} training, {val} validation and "
            "{test} test images.",
        "{n} networks were trained on {data} ({classes} classes): {train} training, {val} validation and "
            "{test} test images.",
        len(results.arms),
    ).format(
        n=len(results.arms), data=data, classes=len(results.classes), train=whole(results.n_train),
        val=whole(results.n_val), test=whole(results.n_test),
    )  # fmt: skip
    if study.splits_vary:
        yield designs.counts_of_first(study.folds)
    n = len(results.seeds)
    if study.folds:
        yield _(
            "Each was trained once in each of {n} folds. In one fold, all networks see the same images in "
            "the same order, so differences are paired by fold ({works})."
        ).format(n=n, works=cite("bouthillier"))
    elif n == 1:
        yield _("Each was trained once, with one seed.")
    elif results.pair_seeds:
        yield _(
            "Each was trained with {n} seeds. With one seed, all networks see the same images in the same "
            "order, so differences are paired by seed ({works})."
        ).format(n=n, works=cite("bouthillier"))
    else:
        yield _(
            "Each was trained with {n} seeds. Runs with the same seed were not paired: an F test of the seeds over all "
            "models found no effect that they have in common (p ≥ 0.2, or too few runs to tell)."
        ).format(n=n)
    if n > 1:
        if study.splits_vary:
            cite("bengio" if study.folds else "nadeau")  # which the sentences name
        yield from designs.between(study.vary, study.folds)
    yield _("Each run was tested once, at its end, on images that were not used for any selection.")


def _networks(study: Study, results: Results, cite: Citations) -> Iterator[str]:
    by_source: dict[str, list[str]] = {}
    for name, arm in study.arms.items():
        key = _source(arm.arch)
        if key:
            by_source.setdefault(key, []).append(name)
    if by_source:
        said = [
            _("{arms} ({works})").format(arms=some(names, MOST_TOLD), works=cite(key))
            for key, names in by_source.items()
        ]
        yield _("Architectures follow their publications: {arms}.").format(arms="; ".join(said))
    networks = [arm.network(len(results.classes)) for arm in study.arms.values()]
    if any(network_blocks.batch_norms(network) for network in networks):
        yield _("Batch norm follows {works}.").format(works=cite("ioffe"))
    if any(isinstance(layer, Dropout) for network in networks for layer in leaves(network)):
        yield _("Dropout follows {works}.").format(works=cite("srivastava"))


def _source(architecture: str) -> str | None:
    if architecture.startswith(("timm:", f"{origin.HUB}:")):
        return "wightman"
    source = FAMILIES[architecture].source if architecture in FAMILIES else ""
    return next((key for start, key in SOURCES.items() if source.startswith(start)), None)


def _training(study: Study, cite: Citations, lengths: Sequence[int]) -> Iterator[str]:
    """lengths: epochs of each finished run."""
    recipe = study.recipe
    if recipe.early_stopping:
        said = _(
            "Images were resized to {size} x {size} pixels. Training ran for at most {epochs} epochs with a batch size "
            "of {batch}."
        )
    else:
        said = _(
            "Images were resized to {size} x {size} pixels. Training ran for {epochs} epochs with a batch size of "
            "{batch}."
        )
    yield said.format(size=recipe.resolution, batch=recipe.batch_size, epochs=recipe.epochs)
    yield from _resizing(recipe)
    if study.range is not None:
        yield inspection.scaled(study.range)
    yield _pixels(recipe)
    yield from optimization.sentences(recipe, cite)
    yield from _first_weights(study, cite)
    if given := limits.given_weights(study):
        yield _("{arms} started from given weights, which may have been trained on some of the test images.").format(
            arms=some(given, MOST_TOLD)
        )
    if recipe.label_smoothing:
        yield _("Label smoothing was {share} ({works}).").format(
            share=f"{recipe.label_smoothing:g}", works=cite("szegedy_2015")
        )
    if kinds := list(_augmentation(recipe)):
        yield _("Data augmentation: {kinds}.").format(kinds=", ".join(kinds))
    if recipe.select == "best-val":
        yield _("The weights of the epoch with the best validation accuracy were tested.")
    elif recipe.select == "ema":
        yield _("The moving average of the weights was tested.")
    else:
        yield _("The weights of the last epoch were tested.")
    yield from early_stopping.sentences(recipe, cite, lengths)
    if own := _declared(study):
        yield _("Settings declared for one model only: {arms}.").format(arms=", ".join(own))


def _declared(study: Study) -> list[str]:
    """The settings of each arm that has some of its own; many that share all of theirs are named together."""
    together: dict[str, list[str]] = {}
    for name in study.arms:
        if said := ", ".join(_own(study, name)):
            together.setdefault(said if len(study.arms) > MOST_TOLD else f"{name} {said}", []).append(name)
    return [f"{some(names, 3)} ({said.removeprefix(names[0] + ' ')})" for said, names in together.items()]


def _own(study: Study, arm: str) -> Iterator[str]:
    """Each setting in which the arm differs from the study's recipe."""
    recipe = study.recipe_of(arm)
    for field in FIELDS:
        if (value := getattr(recipe, field)) != getattr(study.recipe, field):
            yield f"{field} = {shown(value)}"


def _resizing(recipe: Recipe) -> Iterator[str]:
    if recipe.resize == "crop":
        yield _("The shorter side was resized and the centre cut out.")
    elif recipe.resize == "pad":
        yield _("The longer side was resized and the rest padded with grey.")
    if recipe.crop_share < 1:
        yield _("The centre that was cut out is {share} of the resized side.").format(share=percent(recipe.crop_share))
    if recipe.interpolation != "bilinear":
        yield _("Resizing was {kind}.").format(kind=recipe.interpolation)


def _augmentation(recipe: Recipe) -> Iterator[str]:
    """Each kind of augmentation, with its strength where it has one."""
    names = {
        "flip": pgettext("augmentation", "flip"),
        "crop": pgettext("augmentation", "crop"),
        "colour": pgettext("augmentation", "colour"),
    }
    strengths = {
        "random-resized-crop": _("at least {share} of the area").format(share=percent(recipe.crop_scale, 0)),
        "rand-augment": _("magnitude {n}").format(n=recipe.rand_augment_magnitude),
        "colour": _("up to {share}").format(share=percent(recipe.colour_strength, 0)),
    }
    for kind in recipe.augment:
        is_usual = kind == "colour" and recipe.colour_strength == Recipe().colour_strength
        name = names.get(kind, kind)
        yield name if kind not in strengths or is_usual else f"{name} ({strengths[kind]})"
    if recipe.random_erasing:
        yield _("random erasing (probability {p})").format(p=f"{recipe.random_erasing:g}")
    for name, alpha in (("mixup", recipe.mixup), ("cutmix", recipe.cutmix)):
        if alpha:
            yield f"{name} (alpha {alpha:g})"


def _pixels(recipe: Recipe) -> str:
    if recipe.pixels == "raw":
        return _("Pixel values were kept at 0 to 255.")
    if recipe.pixels == "own":
        return _("Pixels were normalized as each network specifies.")
    return _("Pixels were standardized per channel by the mean and standard deviation of the training set.")


def _first_weights(study: Study, cite: Citations) -> Iterator[str]:
    """Of the models that do not start from given weights."""
    drawn = {study.recipe_of(name).init for name, arm in study.arms.items() if not arm.wants_weights}
    if drawn == {"fan-in", "own"}:
        yield _(
            "Built-in networks were initialized by fan-in ({works}), biases with 0; the others by their own code."
        ).format(works=cite("he_init"))
        return
    if "fan-in" in drawn:
        yield _("Weights were initialized by fan-in ({works}), biases with 0.").format(works=cite("he_init"))
    if "own" in drawn:
        yield _("Each network is initialized by its own code.")
    if "fixed" in drawn:
        yield _(
            "Weights were initialized from a normal distribution with standard deviation {std}, biases with 0."
        ).format(std=f"{study.recipe.init_std:g}")


def _statistics(results: Results, cite: Citations, *, raced: bool) -> Iterator[str]:
    estimates = [arm.test_accuracy for arm in results.arms] + [contrast.difference for contrast in results.contrasts]
    kinds = [estimate.method for estimate in estimates if estimate is not None and estimate.low is not None]
    if not kinds:
        yield _("With one seed there is no confidence interval.")
        return
    yield _("Results are means with 95 % intervals ({works}).").format(works=cite("agarwal"))
    if any("groups of test photos" in kind for kind in kinds):
        yield _(
            "The test images belong to {n} groups, and images of one group are not independent. Seeds are "
            "therefore crossed with groups: the intervals are computed from two-way variance components, "
            "cluster-robust for groups of unequal size ({robust}), with Satterthwaite's degrees of freedom "
            "({works}). Accuracy itself is the mean over images."
        ).format(n=whole(results.n_test_groups), robust=cite("bell", "cameron"), works=cite("satterthwaite"))
    elif any("Satterthwaite" in kind for kind in kinds):
        yield _(
            "All seeds are tested on the same images, so seeds and images are crossed: the intervals are "
            "computed from two-way variance components with Satterthwaite's degrees of freedom ({works}) and "
            "account for both."
        ).format(works=cite("satterthwaite"))
    if any(kind.startswith("folds") for kind in kinds):
        yield _(
            "The intervals are t intervals over folds. The variance is that between folds, at least that expected from "
            "the test images, plus half of the latter for training images that folds share, which no estimate from the "
            "same folds shows ({works})."
        ).format(works=cite("bengio"))
    if any("Nadeau" in kind for kind in kinds):
        yield _(
            "Splits that share images are not independent; the intervals are widened accordingly ({works})."
        ).format(works=cite("nadeau"))
    if any(kind.startswith("Student") for kind in kinds):
        yield _(
            "The intervals are Student's t intervals over seeds ({works}); they account for seed variation only."
        ).format(works=cite("student"))
    yield from _tests(results, cite, raced=raced)
    if any(arm.calibration_error is not None for arm in results.arms):
        yield _(
            "Calibration error is the expected calibration error, binned by predicted probability ({works})."
        ).format(works=cite("guo"))
    if results.baselines:
        yield _("Baselines were fitted on the same training images with scikit-learn ({works}).").format(
            works=cite("pedregosa")
        )
    line = results.commonest
    yield _("The majority-class baseline ({label}) has a test accuracy of {share}.").format(
        label=line.label, share=percent(line.accuracy)
    )


def _tests(results: Results, cite: Citations, *, raced: bool) -> Iterator[str]:
    tested = [contrast for contrast in results.contrasts if contrast.level is not None]
    if not tested:
        return
    if raced:
        yield _(
            "Seeds were added between interim analyses. Each comparison is decided at the analysis that "
            "settled it, at a level from alpha spending ({spending}) and Holm's procedure over the "
            "comparisons ({holm}): a difference is significant if the interval at that level excludes 0."
        ).format(spending=cite("lan"), holm=cite("holm"))
    elif len(tested) > 1 and results.reference:
        yield _(
            "Each other model is compared with {reference}. Conclusions use intervals adjusted for all {n} "
            "comparisons with Dunnett's procedure, step-down ({works}): a difference is significant if the adjusted "
            "interval excludes 0. Each difference has the mean seed variance of all comparisons, or its own if that "
            "is larger."
        ).format(reference=results.reference, n=len(tested), works=cite("dunnett", "dunnett_tamhane"))
    elif len(tested) > 1:
        yield _(
            "Conclusions use intervals adjusted for all {n} comparisons with Holm's levels ({works}): a "
            "difference is significant if the adjusted interval excludes 0."
        ).format(n=len(tested), works=cite("holm"))
    else:
        yield _("A difference is significant if its interval excludes 0.")
    if results.can_be_best is not None:
        yield _(
            "The set of models that may be the best contains the best one with 95 % confidence: multiple "
            "comparisons with the best ({works})."
        ).format(works=cite("hsu"))
    yield _(
        "Two models are equivalent if two one-sided tests ({works}) show a difference of less than {margin}; they are "
        "adjusted by Holm's method for all comparisons without a significant difference."
    ).format(margin=sizes.margin(results.metric, results.margin), works=cite("schuirmann"))
    if any(contrast.p_signflip is not None for contrast in tested):
        yield _("An exact sign-flip test over the seeds accompanies each conclusion ({works}).").format(
            works=cite("fisher")
        )
    if any(contrast.p_permutation is not None for contrast in tested):
        yield _("An exact permutation test over the runs accompanies each conclusion ({works}).").format(
            works=cite("fisher")
        )


def _machines(runs: Sequence[Run], cite: Citations) -> Iterator[str]:
    if not runs:
        return
    lines = page_data.machine_lines(runs)
    yield _("Networks were trained with PyTorch ({works}): {versions}.").format(
        works=cite("paszke"), versions=", ".join(f"{name} {version}" for name, version in page_data.versions(runs))
    )
    yield _("Machine: {machine}.").format(machine="; ".join(line.rstrip(".") for line in lines))
