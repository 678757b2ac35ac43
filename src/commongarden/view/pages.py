"""The frames of the pages, as HTML text in one of the languages."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Sequence
from importlib import resources
from typing import Any
from urllib.parse import quote, urlencode

import jinja2
from markupsafe import escape

from commongarden.i18n.durations import duration
from commongarden.i18n.language import _, languages, ngettext, written
from commongarden.inference.tried import Neighbours
from commongarden.io.terminal import DASH
from commongarden.records import Manifest
from commongarden.view.browsing import Shown
from commongarden.view.studies import Listed
from commongarden.view.words import order_names, photo_said, state_name, texts

NAMES = {"en": "English", "ko": "한국어"}  # of languages, in themselves


def garden(found: Sequence[Listed], folder: str, language: str) -> str:
    """The list of the studies in a folder."""
    with written(language):
        return _page(
            "garden.html",
            language,
            title=_("Studies in {folder}").format(folder=folder),
            back="",
            table=_listing(found),
        )


def listing(found: Sequence[Listed], language: str) -> str:
    """The list alone."""
    with written(language):
        return _listing(found)


def study(name: str, key: str, language: str, *, is_alone: bool, steers: bool) -> str:
    """The frame of a study's page, which its script fills."""
    with written(language):
        return _page("study.html", language, title=name, key=key, back="" if is_alone else "/", steers=steers)


def comparison(keys: Sequence[str], language: str) -> str:
    """The frame of a page with several studies."""
    with written(language):
        query = urlencode([("study", key) for key in keys])
        return _page("compare.html", language, title=_("Studies compared"), query=query, back="/")


def trying(name: str, key: str, classes: Sequence[str], absent: str, language: str) -> str:
    """The frame of the page on which photos are tried. absent: the folder of the study's photos, if it is not there."""
    with written(language):
        text = _("The images are not in {folder}. Say where they are: commongarden view STUDY --images FOLDER")
        no_photos = text.format(folder=absent) if absent else ""
        orders = [(order, text) for order, text in order_names().items()]
        back = f"/study/{quote(key)}"
        return _page(
            "try.html", language, title=name, key=key, back=back, classes=classes, orders=orders, no_photos=no_photos
        )


def photos(shown: Sequence[Shown], key: str, language: str) -> str:
    """Test photos, each to press."""
    with written(language):
        return _environment().get_template("photos.html").render(shown=shown, key=key, text=texts(), said=photo_said)


def near(found: Neighbours, manifest: Manifest, key: str, language: str) -> str:
    """The nearest photos of a study, each to press."""
    with written(language):
        said = _("By the features of {arm}, seed {seed}, among {n} of the {total} training and test images; {time}.")
        line = said.format(
            arm=found.arm, seed=found.seed, n=f"{found.n_photos:,}", total=f"{found.n_all:,}",
            time=duration(found.seconds),
        )  # fmt: skip
        parts = [(_("Nearest training images"), found.train), (_("Nearest test images"), found.test)]
        shown = [
            (title, [(one.number, manifest.photos[one.number], f"{one.distance:.3f}") for one in ones])
            for title, ones in parts
        ]
        return _environment().get_template("near.html").render(parts=shown, line=line, key=key, text=texts())


def too_large(most: int, language: str) -> str:
    """Said of a photo that is larger than may be sent."""
    with written(language):
        text = _("The file is larger than {n} MB.").format(n=most >> 20)
    return f'<p class="notice">{escape(text)}</p>'


def your_photo(language: str) -> str:
    """What a photo is called that was sent."""
    with written(language):
        return _("your image")


def failed(message: str, language: str) -> str:
    """A page with a message alone."""
    with written(language):
        return _page("failed.html", language, title="commongarden", message=message, back="/")


def asset(name: str) -> str:
    """A file of the pages that is the same for all."""
    return (resources.files("commongarden.view") / "assets" / name).read_text(encoding="utf-8")


def _listing(found: Sequence[Listed]) -> str:
    rows = [_row(one) for one in found]
    return _environment().get_template("listing.html").render(rows=rows, text=texts())


def _row(one: Listed) -> dict[str, Any]:
    done = _("{done} of {total}").format(done=f"{one.n_finished + one.n_failed:,}", total=f"{one.n_planned:,}")
    failed = ngettext("{n} run failed", "{n} runs failed", one.n_failed).format(n=one.n_failed) if one.n_failed else ""
    changed = datetime.datetime.fromtimestamp(one.changed).strftime("%Y-%m-%d %H:%M") if one.changed else DASH
    return {
        "listed": one,
        "state": state_name(one.state),
        "done": done if one.n_planned else DASH,
        "failed": failed,
        "best": DASH if one.best is None else one.best[0],
        "reached": "" if one.best is None else f"{100 * one.best[1]:.1f} %",
        "changed": changed,
        "took": DASH if one.seconds is None else duration(one.seconds),
        "size": _size(one.n_bytes),
    }


def _size(n_bytes: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes / 1e3:.0f} kB"


def _page(name: str, language: str, **values: Any) -> str:
    asked = f"{values['query']}&" if "query" in values else ""
    others = [(f"{asked}lang={code}", code, NAMES.get(code, code)) for code in languages() if code != language]
    return _environment().get_template(name).render(language=language, others=others, text=texts(), **values)


@functools.cache
def _environment() -> jinja2.Environment:
    def source(name: str) -> str:
        return (resources.files("commongarden.view") / "templates" / name).read_text(encoding="utf-8")

    return jinja2.Environment(
        loader=jinja2.FunctionLoader(source),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
