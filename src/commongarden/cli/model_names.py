"""The models that --models names: names, patterns, and files of both, as plain names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import click

from commongarden import arch
from commongarden.errors import StudyError, nearest
from commongarden.i18n.language import _, ngettext
from commongarden.study import origin

Tell = Callable[[str], None]
NEAR_NAMES = 3  # near names that an error offers


def expanded(
    texts: Sequence[str], *, published: bool = False, among: Sequence[str] | None = None, tell: Tell | None = None
) -> list[str]:
    """The names that the texts stand for, in their order.

    A text holds names with commas; a name that ends in .txt is a file with a name a line. A name with * or ? stands for
    every model that it fits: of the models of commongarden, torchvision and timm, or of those `among` them. A model
    that a pattern fits is named once. published: patterns stand for the models with published weights alone. tell:
    hears how many models a pattern fits. Raises StudyError for a file that cannot be read and a pattern that fits
    nothing.
    """
    found: list[str] = []
    fitted: set[str] = set()
    for name in _written(texts):
        if is_pattern(name):
            names = _of_libraries(name, published=published, tell=tell) if among is None else _among(name, among)
            found += [one for one in names if one not in found]
            fitted |= {*names}
        elif name not in fitted:  # the same name typed twice is told as a mistake
            found.append(name)
    return found


def is_pattern(name: str) -> bool:
    """Whether a name stands for every model that it fits."""
    return bool(set("*?") & set(name))


def _written(texts: Sequence[str]) -> Iterator[str]:
    """Each name as it was typed, those of files in their place."""
    for name in (name.strip() for text in texts for name in text.split(",")):
        if name.lower().endswith(".txt"):
            yield from _lines(Path(name))
        elif name:
            yield name


def _lines(file: Path) -> Iterator[str]:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        near = nearest(file.name, [one.name for one in file.parent.glob("*.txt")])
        hint = _("; did you mean {near!r}?").format(near=str(file.parent / near[0])) if near else ""
        text = _("--models: no such file {file!r}{hint}")
        raise StudyError(text.format(file=str(file), hint=hint)) from None
    except (OSError, UnicodeDecodeError) as error:
        text = _("--models: {file} cannot be read: {reason}")
        raise StudyError(text.format(file=file, reason=getattr(error, "strerror", None) or error)) from None
    names = [re.sub(r"(^|\s)#.*", "", line).strip() for line in lines]
    names = [name for name in names if name]
    if not names:
        text = _("--models: {file} names no model; accepted: a name or pattern per line, # for comments")
        raise StudyError(text.format(file=file))
    yield from names


def _among(pattern: str, names: Sequence[str]) -> list[str]:
    fitting = [name for name in names if fnmatchcase(name, pattern)]
    if not fitting:
        text = _("--models: {pattern!r} matches no model of the study. Accepted: {names}")
        raise StudyError(text.format(pattern=pattern, names=", ".join(names)))
    return fitting


def _of_libraries(pattern: str, *, published: bool, tell: Tell | None) -> list[str]:
    from commongarden.train.libraries import library_models  # loads PyTorch

    models = library_models(pattern)
    own = [] if published or ":" in pattern else [name for name in arch.FAMILIES if fnmatchcase(name, pattern)]
    names = [*own, *(model.name for model in models if model.pretrained or not published)]
    if not names:
        raise StudyError(_nothing_fits(pattern, len(models)))
    if tell is not None:
        if published:
            text = ngettext(
                "{pattern}: {n} model with published weights (of {total})",
                "{pattern}: {n} models with published weights (of {total})",
                len(names),
            )
        else:
            text = ngettext("{pattern}: {n} model", "{pattern}: {n} models", len(names))
        tell(text.format(pattern=pattern, n=len(names), total=len(models)))
    return names


def _nothing_fits(pattern: str, n_without: int) -> str:
    """The message for a pattern that fits no model, or none with published weights."""
    if n_without:
        text = ngettext(
            "--models: {pattern!r} matches {n} model, without published weights",
            "--models: {pattern!r} matches {n} models, all without published weights",
            n_without,
        )
        return text.format(pattern=pattern, n=n_without)
    from commongarden.train.libraries import library_models

    place, colon, rest = pattern.rpartition(":")
    if place == origin.HUB:
        text = _(
            "--models: {pattern!r}: models of the Hugging Face hub cannot be named by a pattern; accepted: {example}"
        )
        return text.format(pattern=pattern, example=f"{origin.HUB}:timm/resnet18.a1_in1k")
    searched = [library for library in origin.LIBRARIES if library != origin.HUB]
    if colon and place not in searched:
        near = nearest(place, searched)
        hint = _("; did you mean {near!r}?").format(near=f"{near[0]}:{rest}") if near else "."
        text = _("--models: {pattern!r} matches no model{hint} Accepted before the colon: {libraries}")
        return text.format(pattern=pattern, hint=hint, libraries=", ".join(searched))
    names = [model.name for model in library_models(f"{place}:*" if colon else "*")]
    stems = {re.sub(r"\d.*", "", name.rpartition(":")[2]).rstrip("_"): name for name in names}
    wanted = rest.strip("*?")
    near = nearest(wanted, list(stems), NEAR_NAMES) or nearest(
        wanted, [name.rpartition(":")[2] for name in names], NEAR_NAMES
    )
    hint = _("; near names: {names}").format(names=", ".join(f"*{name}*" for name in near)) if near else ""
    text = _("--models: {pattern!r} matches no model{hint}. To search: commongarden list {wanted}")
    return text.format(pattern=pattern, hint=hint, wanted=wanted[:4] or "resnet")


def telling() -> Tell:
    """Prints each note once, however often the models are looked up."""
    told: set[str] = set()

    def tell(text: str) -> None:
        if text not in told:
            told.add(text)
            click.echo(text, err=True)

    return tell
