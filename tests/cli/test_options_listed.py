"""A brake on new options: each is listed in tests/options.txt, so that one more is a line in a diff.

.venv/bin/python tests/cli/test_options_listed.py     writes the list
"""

from pathlib import Path

import click

from commongarden.cli import main

LIST = Path(__file__).parents[1] / "options.txt"


def listed(command=main, name=""):
    """A line for each argument and option of each command, with all its names."""
    lines = []
    for parameter in command.params:
        names = [*parameter.opts, *parameter.secondary_opts]
        if isinstance(parameter, click.Argument):
            names = [parameter.make_metavar(click.Context(command))]
        formerly = getattr(parameter, "formerly", "")
        also = "".join(f" (also {other})" for other in getattr(parameter, "also", ()))
        lines.append(f"{name} {', '.join(names)}{also}{f' (formerly {formerly})' if formerly else ''}")
    if isinstance(command, click.Group):
        for part in command.commands.values():
            lines += listed(part, f"{name} {part.name}")
    return sorted(line.strip() for line in lines or [name])


def test_every_option_is_listed():
    found, accepted = set(listed()), set(LIST.read_text(encoding="utf-8").splitlines())
    assert found == accepted, (
        f"new: {sorted(found - accepted)}, gone: {sorted(accepted - found)}. "
        "If the option is needed and no other one does it: run make options"
    )


def test_the_list_is_sorted():
    lines = LIST.read_text(encoding="utf-8").splitlines()
    assert lines == sorted(set(lines))


def test_an_option_that_is_not_listed_is_found(monkeypatch):
    run = main.commands["run"]
    monkeypatch.setattr(run, "params", [*run.params, click.Option(["--new", "-n"])])
    assert set(listed()) - set(LIST.read_text(encoding="utf-8").splitlines()) == {"run --new, -n"}


if __name__ == "__main__":
    LIST.write_text("".join(f"{line}\n" for line in listed()), encoding="utf-8")
