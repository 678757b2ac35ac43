"""The group that all commands belong to: what is common to them, the language they speak, and how mistakes are told."""

from __future__ import annotations

import gettext
import inspect
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from commongarden.errors import CommonGardenError, nearest
from commongarden.i18n import language
from commongarden.i18n.language import N_, _
from commongarden.io import terminal

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
KEPT = "\b\n"  # click wraps no paragraph that begins so
FILLER = "\N{WORD JOINER}"
ALIASES = {"train": "run"}  # of commands, which the help does not list
ELSEWHERE = {"val": "evaluate", "validate": "evaluate", "test": "evaluate", "eval": "evaluate", "fit": "run"}


class Formatter(click.HelpFormatter):
    """Lays out help by columns of a terminal: a letter of Hangul takes two, which click counts as one."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, f"{_filled(_('Usage:'))} " if prefix is None else prefix)

    def write_text(self, text: str) -> None:
        super().write_text(_filled(text))

    def write_dl(self, rows: Any, col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl([(_filled(first), _filled(second)) for first, second in rows], col_max, col_spacing)

    def getvalue(self) -> str:
        return super().getvalue().replace(FILLER, "")


class Context(click.Context):
    formatter_class = Formatter


class Option(click.Option):
    """An option whose help is looked up in the language in use each time it is shown.

    also: other names of it, which the help does not show. formerly: an earlier name, which works and gives a note.
    """

    def __init__(self, *args: Any, also: Sequence[str] = (), formerly: str = "", **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.also, self.formerly = tuple(also), formerly

    @property
    def help(self) -> str | None:
        return _(self._help) if self._help else self._help

    @help.setter
    def help(self, text: str | None) -> None:
        self._help = text


def _with_nearest(message: str, found: object, names: Sequence[str]) -> str:
    near = nearest(found, names)
    return f"{message} {_('Did you mean {near!r}?').format(near=near[0])}" if near else message


class Choice(click.Choice[str]):
    """One of some words; for a word that is none of them the nearest is offered."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        return _with_nearest(super().get_invalid_choice_message(value, ctx), value, self.choices)


def option(*names: str, **attributes: Any) -> Callable[[Decorated], Decorated]:
    """`click.option` with help that is looked up when it is shown."""
    if isinstance(found := attributes.get("type"), click.Choice):
        attributes["type"] = Choice(found.choices, found.case_sensitive)
    return click.option(*names, cls=Option, **attributes)


class _Spoken(click.Command):
    """A command with `--lang`, and with help that is looked up in the language in use each time it is shown."""

    context_class = Context

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.params.append(
            Option(
                ["--lang"],
                type=Choice(language.languages()),
                expose_value=False,  # read before anything else is, by `Commands.main`
                help=N_("Language of messages and reports [the system's]."),
            )
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Takes options by their other names as well, and by their earlier ones with a note."""
        own = [one for one in self.params if isinstance(one, Option)]
        earlier = {one.formerly: one.opts[0] for one in own if one.formerly}
        now = {name: one.opts[0] for one in own for name in one.also} | earlier
        end = args.index("--") if "--" in args else len(args)
        pairs = [arg for arg in args[:end] if re.match(r"[a-z_]+=", arg)]
        for i, (name, equals, value) in enumerate(arg.partition("=") for arg in args[:end]):
            if name in earlier:
                click.echo(_("note: {old} is deprecated; use {new}").format(old=name, new=now[name]), err=True)
            if name in now:
                args[i] = f"{now[name]}{equals}{value}"
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            names = [name for one in self.params if isinstance(one, click.Option) for name in one.opts]
            raise click.UsageError(_with_nearest(error.message, error.option_name, [*names, *now]), ctx) from None
        except click.UsageError as error:
            if not pairs or isinstance(error, click.BadParameter):
                raise
            said = _("{message} Options begin with --, such as --{name} {value}.")
            name, _equals, value = pairs[0].partition("=")
            raise click.UsageError(said.format(message=error.message, name=name, value=value), ctx) from None

    @property
    def help(self) -> str | None:
        if self._help is None:
            return None
        return "\n\n".join((KEPT if kept else "") + _(text) for kept, text in paragraphs(self._help))

    @help.setter
    def help(self, text: str | None) -> None:
        self._help = text

    def get_short_help_str(self, limit: int = 45) -> str:
        """The first sentence, whole: a terminal breaks it where it must."""
        return re.split(r"(?<=\.) ", (self.help or "").partition("\n\n")[0], maxsplit=1)[0]

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        self._help_option = None  # click keeps it in the language of its first use
        return super().get_help_option(ctx)


class Command(_Spoken):
    """A command of `commongarden`."""


class Commands(_Spoken, click.Group):
    """A group that prints the user's mistakes without a traceback."""

    command_class = Command
    group_class = type

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, ALIASES.get(cmd_name, cmd_name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            wanted = ELSEWHERE.get(error.command_name, error.command_name)
            said = _with_nearest(error.message, wanted, [*self.commands, *ALIASES])
            raise click.UsageError(said, ctx) from None

    def main(self, args: Sequence[str] | None = None, *more: Any, **extra: Any) -> Any:
        """Runs the program in the language of `--lang`, wherever it stands on the line."""
        with _spoken(_language_of(sys.argv[1:] if args is None else args)), terminal.guarded():
            return super().main(args, *more, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CommonGardenError as error:
            click.echo(_("error: {message}").format(message=error), err=True)
            ctx.exit(2)
        except KeyboardInterrupt:
            click.echo(_("interrupted; finished results are kept"), err=True)
            ctx.exit(130)


def paragraphs(text: str) -> list[tuple[bool, str]]:
    """A command's help as the catalogues hold it, and whether its lines are kept; all others are one line each."""
    parts = inspect.cleandoc(text).split("\n\n")
    return [
        (True, part.removeprefix(KEPT)) if part.startswith(KEPT) else (False, " ".join(part.split())) for part in parts
    ]


def _language_of(args: Sequence[str]) -> str | None:
    found = None
    for i, arg in enumerate(args):
        if arg == "--":
            break
        if arg == "--lang":
            found = args[i + 1] if i + 1 < len(args) else None
        elif arg.startswith("--lang="):
            found = arg.partition("=")[2]
    return found if found in language.languages() else None


@contextmanager
def _spoken(chosen: str | None) -> Iterator[None]:
    """Speaks the chosen language, in click's own messages (from the same catalogue) and in worker processes as well."""
    with language.used(chosen), language.spoken():
        wanted = dict.fromkeys((language.VARIABLE, "LANGUAGE"), language.current())
        before = {name: os.environ.get(name) for name in wanted}
        domain = gettext.textdomain()
        os.environ.update(wanted)
        gettext.bindtextdomain(language.DOMAIN, str(language.CATALOGUES))
        gettext.textdomain(language.DOMAIN)
        try:
            yield
        finally:
            gettext.textdomain(domain)
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _filled(text: str) -> str:
    return "".join(letter + FILLER if unicodedata.east_asian_width(letter) in "WF" else letter for letter in text)


def _version(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"commongarden {version('commongarden')}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def main() -> None:
    """Compare image classifiers on your photos: equal conditions, several seeds, confidence intervals.

    \b
    commongarden run demo                                     built-in data, about 2 minutes
    commongarden run --data photos/                           small networks on your own photos
    commongarden run --data photos/ --models resnet18,timm:convnext_atto
    commongarden best garden/photos                           the best model, and how sure that is
    commongarden predict garden/photos new.jpg                its prediction
    """
