"""Options that several commands take, and how their values are read and written."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from commongarden.cli.group import option
from commongarden.errors import StudyError
from commongarden.i18n.language import _
from commongarden.study import origin

as_json = option("--json", "as_json", is_flag=True, help="Print JSON.")


def _refuse_code(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        before = os.environ.get(origin.NO_CODE)
        os.environ[origin.NO_CODE] = "1"  # worker processes inherit it
        if before is None:
            ctx.call_on_close(lambda: os.environ.pop(origin.NO_CODE, None))


no_code = option(
    "--no-code",
    is_flag=True,
    expose_value=False,
    callback=_refuse_code,
    help="Run no code of networks by others (FILE.py:FACTORY, module:FACTORY), even where a study names it.",
)
cache_dir = option(
    "--cache-dir", type=click.Path(file_okay=False, path_type=Path), help="Where decoded images are kept."
)


def _bytes(ctx: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(B|kB|MB|GB|TB)", text.strip(), re.IGNORECASE)
    if found is None:
        raise StudyError(
            _("--cache-budget: found {text!r}, accepted: a number with its unit, such as 500MB or 20GB").format(
                text=text
            )
        )
    return int(float(found[1]) * UNITS[found[2].lower()])


UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
cache_budget = option(
    "--cache-budget",
    metavar="SIZE",
    envvar="COMMONGARDEN_CACHE_BUDGET",
    callback=_bytes,
    help="The most that decoded images may take on the disk, such as 20GB; photos beyond it are decoded each time.",
)


def _range(ctx: click.Context, parameter: click.Parameter, text: str | None) -> tuple[float, float] | None:
    from commongarden.study import grey_range

    try:
        return grey_range(text)
    except StudyError as error:
        raise StudyError(f"--{error}") from None


grey_range = option(
    "--range",
    "grey_range",
    metavar="LOW-HIGH",
    callback=_range,
    help="Values that are black and white in photos of more than 8 bits, such as 0-4095 [found from all photos].",
)
no_maps = option(
    "--no-maps",
    is_flag=True,
    envvar="COMMONGARDEN_NO_MAPS",
    help="Do not draw at the end what the networks look at.",
)


def chain(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        for each in reversed(options):
            function = each(function)
        return function

    return decorate


def setting(text: str) -> tuple[str, Any]:
    import tomllib

    key, equals, value = text.partition("=")
    if not equals:
        raise StudyError(_("--set: found {text!r}, accepted: KEY=VALUE, such as --set optimizer=sgd").format(text=text))
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()  # a bare word is text


def shape_of(text: str) -> tuple[int, int, int]:
    parts = text.lower().split("x")
    if len(parts) not in (2, 3) or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise StudyError(
            _("--input: found {text!r}, accepted: HEIGHTxWIDTHxCHANNELS, such as 96x96x3").format(text=text)
        )
    height, width, channels = (*map(int, parts), 3)[:3]
    return height, width, channels


def print_json(table: Any) -> None:
    import json

    click.echo(json.dumps(table, ensure_ascii=False, indent=1))


def write(path: Path, text: str, *, err: bool = False) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StudyError(_("{path}: cannot be written ({reason})").format(path=path, reason=error.strerror)) from None
    click.echo(str(path), err=err)
