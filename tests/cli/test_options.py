"""Options of the command line: each is defined once and has one meaning."""

import re

import click
import pytest
from click.testing import CliRunner

from commongarden.cli import group, main, options

# one name with two meanings: the commands that mean something else by it, and why that is no confusion
OTHERWISE = {
    ("bench", "--data"): "one more source to time, of which a sample is taken",
    ("run", "--device"): "runs can be trained on several devices",
    ("ablate", "--device"): "as in run",
    ("screen", "--device"): "as in run, for the study of --then",
    ("bench", "--device"): "a benchmark names the device that it measures",
    ("bench", "--photos"): "how many photos each folder of the benchmark gets",
    ("bench", "--rounds"): "a round of bench is whole trainings, one of profile single steps",
    ("bench", "--memory"): "that of whole processes",
    ("bench", "--no-memory"): "that of whole processes",
    ("describe", "--depth"): "levels that are drawn, not levels that are timed",
    ("data get", "--out"): "the folder of what is fetched",
    ("export", "--out"): "the file of the export",
    ("combine", "--out"): "the folder of a page on several studies",
    ("clean", "--dry-run"): "of what is deleted, not of the study file",
    ("export", "--format"): "of a network, not of a report",
    ("export", "--seed"): "of a run that was trained, not of the study",
    ("predict", "--seed"): "of a run that was trained, not of the study",
    ("screen", "--budget"): "of whole models, not of runs where comparisons are open",
    ("screen", "--folds"): "of the linear probe, not of a study",
    ("screen", "--repeats"): "of cross-validation, not of timing",
    ("evaluate", "--seed"): "of a run that was trained, not of the study",
}


def commands(command=main, path=()):
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from commands(child, (*path, name))
    yield " ".join(path), command


def defined():
    """Command, name, option."""
    return [
        (path, name, one)
        for path, command in commands()
        for one in command.params
        if isinstance(one, click.Option)
        for name in (*one.opts, *one.secondary_opts)
    ]


def kind(one):
    """What must be equal in all commands: the type but for its least number, and how it is written."""
    named = one.type.name.removesuffix(" range")
    chosen = one.type.choices if isinstance(one.type, click.Choice) else ()
    path = (one.type.exists, one.type.dir_okay, one.type.file_okay) if isinstance(one.type, click.Path) else ()
    return named, chosen, path, one.metavar, one.multiple, one.is_flag, one.envvar, one.name


def meaning(one):
    """The help without the default that it names at its end."""
    with_default = re.compile(r" \[[^\]]*\](?=\.?$)")
    return with_default.sub("", one._help or "")


def test_every_exception_is_an_option():
    assert {pair for pair in OTHERWISE if pair not in {(path, name) for path, name, _one in defined()}} == set()


@pytest.mark.parametrize("aspect", [kind, meaning])
def test_options_of_one_name_are_one_thing(aspect):
    by_name = {}
    for path, name, one in defined():
        if (path, name) not in OTHERWISE:
            by_name.setdefault(name, {}).setdefault(aspect(one), []).append(path)
    assert {name: found for name, found in by_name.items() if len(found) > 1} == {}


def test_one_thing_has_one_name():
    by_help = {}
    for _path, _name, one in defined():
        if meaning(one):
            by_help.setdefault(meaning(one), set()).add(one.opts[0])
    assert {text: names for text, names in by_help.items() if len(names) > 1} == {}
    by_value = {}  # what a command receives under one name is one option
    for _path, _name, one in defined():
        if one.name != "settings":  # of an architecture, or of the recipe
            by_value.setdefault(one.name, set()).add(one.opts[0])
    assert {value: names for value, names in by_value.items() if len(names) > 1} == {}


def test_no_definition_is_written_twice():
    """Options that mean the same in two commands come from cli/options.py: a second call would be a second one."""
    import ast
    from collections import Counter
    from pathlib import Path

    written = Counter()
    for path in Path(group.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            if getattr(called, "id", getattr(called, "attr", "")) == "option" and isinstance(
                node.args[0], ast.Constant
            ):
                written[node.args[0].value.partition("/")[0]] += 1
    accepted = Counter(dict.fromkeys(written, 1))
    for _command, name in OTHERWISE:
        if not name.startswith("--no-"):
            accepted[name] += 1
    assert written - accepted == Counter(), "define it in cli/options.py"


@pytest.mark.parametrize(
    ("arguments", "old", "new"),
    [
        (("describe", "inception_v3", "--input", "299x299", "--set", "aux=true", "--json"), "--set", "--option"),
        (("describe", "inception_v3", "--input", "299x299", "--set=aux=true", "--json"), "--set", "--option"),
    ],
)
def test_earlier_names_work_with_a_note(arguments, old, new):
    renamed = [new if one == old else one.replace(f"{old}=", f"{new}=") for one in arguments]
    before, after = (CliRunner().invoke(main, list(each)) for each in (arguments, renamed))
    assert f"note: {old} is deprecated; use {new}" in before.stderr
    assert "deprecated" not in after.stderr
    assert (before.exit_code, before.stdout) == (after.exit_code, after.stdout)
    assert before.stderr.replace(f"note: {old} is deprecated; use {new}\n", "") == after.stderr


@pytest.mark.parametrize(("name", "old"), [("describe", "--set "), ("bench", "--batch "), ("profile", "--batch ")])
def test_earlier_names_are_not_in_the_help(name, old):
    assert old not in CliRunner().invoke(main, [name, "--help"]).stdout


def test_what_stands_behind_two_dashes_is_no_option():
    done = CliRunner().invoke(main, ["describe", "--", "--set"])
    assert "deprecated" not in done.stderr


@pytest.mark.parametrize(
    ("text", "size"),
    [("500MB", 500 * 10**6), ("20 gb", 20 * 10**9), ("8GiB", 8 * 2**30), ("1.5kB", 1500), ("12B", 12)]
    + [(text, None) for text in ("12", "GB", "-1GB", "1 XB", "", "1e3MB")],
)
def test_sizes_are_read_in_one_way(text, size):
    assert options.size_in_bytes(text) == size


def test_an_option_of_an_architecture_is_read_like_a_setting():
    done = CliRunner().invoke(main, ["describe", "plain_flower", "--option", "order"])
    assert done.exit_code == 2
    assert "--option: found 'order', accepted: KEY=VALUE" in done.stderr
