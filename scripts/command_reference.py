"""The command line reference as Markdown, made from the commands themselves, in the language in use.

scripts/build_site.py puts it into the site. mkdocs-click does the same in one language; our help has several.
"""

from __future__ import annotations

import gettext
import html
import os
from collections.abc import Iterator
from contextlib import contextmanager

import click

from commongarden.cli import main
from commongarden.cli.group import paragraphs
from commongarden.i18n import language

TITLE = {"en": "Commands", "ko": "명령"}
INTRODUCTION = {
    "en": "This page is generated from the help of each command. `commongarden COMMAND --help` prints the same in a "
    "terminal.",
    "ko": "이 페이지는 각 명령의 도움말로 만듭니다. 터미널에서는 `commongarden 명령 --help`로 볼 수 있습니다.",
}
HEADINGS = {"en": ("option", "meaning"), "ko": ("옵션", "뜻")}


def commands(command: click.Command = main, name: str = "commongarden") -> Iterator[tuple[str, click.Command]]:
    """Every command with the name to type, groups before what they hold."""
    yield name, command
    if isinstance(command, click.Group):
        for key, part in sorted(command.commands.items()):
            if not part.hidden:
                yield from commands(part, f"{name} {key}")


def option_names(option: click.Option) -> str:
    """What to type, with the placeholder of its value: `--seeds INTEGER`."""
    context = click.Context(click.Command("c"))
    value = "" if option.is_flag or option.count else f" {option.make_metavar(context)}"
    names = [*option.opts, *option.secondary_opts]
    return ", ".join(f"`{one}{value if one is names[-1] else ''}`" for one in names)


def meaning(option: click.Option) -> str:
    """An option's help, with its default where click shows one."""
    record = option.get_help_record(click.Context(click.Command("c")))
    return cell(record[1] if record else "")


def cell(text: str) -> str:
    """Text for a cell of a table."""
    return html.escape(" ".join(text.split()), quote=False).replace("|", "\\|").replace("*", "\\*").replace("[", "\\[")


def section(name: str, command: click.Command) -> list[str]:
    """A command's heading, usage, help and options."""
    context = click.Context(command, info_name=name)
    pieces = " ".join([name, *command.collect_usage_pieces(context)])
    lines = [f"## {name}", "", "```text", pieces, "```", ""]
    for is_kept, text in paragraphs(command.help or ""):
        lines += ["```text", text, "```", ""] if is_kept else [html.escape(text, quote=False), ""]
    options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden and one.name != "lang"]
    if options:
        first, second = HEADINGS.get(language.current(), HEADINGS["en"])
        lines += [f"| {first} | {second} |", "|---|---|"]
        lines += [f"| {option_names(one)} | {meaning(one)} |" for one in options]
        lines.append("")
    return lines


@contextmanager
def clicks_own_words() -> Iterator[None]:
    """Looks click's own words, such as `required`, up in our catalogue for a while."""
    before, domain = os.environ.get("LANGUAGE"), gettext.textdomain()
    os.environ["LANGUAGE"] = language.current()
    gettext.bindtextdomain(language.DOMAIN, str(language.CATALOGUES))
    gettext.textdomain(language.DOMAIN)
    try:
        yield
    finally:
        gettext.textdomain(domain)
        if before is None:
            del os.environ["LANGUAGE"]
        else:
            os.environ["LANGUAGE"] = before


def page() -> str:
    """The whole reference, in the language in use."""
    with clicks_own_words():
        return _page()


def _page() -> str:
    spoken = language.current()
    lines = [f"# {TITLE.get(spoken, TITLE['en'])}", "", INTRODUCTION.get(spoken, INTRODUCTION["en"]), ""]
    for name, command in commands():
        lines += section(name, command)
    return "\n".join(lines)


if __name__ == "__main__":
    print(page())
