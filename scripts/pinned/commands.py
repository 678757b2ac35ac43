"""Commands without a study: help, networks, data, timings, refusals. Each task is run beside the studies."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from pinned import rules, text
from pinned.declared import NETS
from pinned.session import Session

LANGUAGES = ("en", "ko")


def helps(session: Session) -> None:
    """--help of every command that the command line names."""
    for lang in LANGUAGES:
        for path in ((), *_commands(session)):
            name = "-".join(path) or "commongarden"
            session.pin(f"help/{name}.{lang}.txt", [*path, "--help", "--lang", lang], session.scratch)
    session.pin("help/version.txt", ["--version"], session.scratch)


def _commands(session: Session, *group: str) -> list[tuple[str, ...]]:
    shown = session.run([*group, "--help"], session.scratch).stdout
    _head, _mark, listed = shown.partition("\nCommands:\n")
    found: list[tuple[str, ...]] = []
    for name in re.findall(r"^  ([a-z][a-z-]*)", listed, re.MULTILINE):
        found += [(*group, name), *_commands(session, *group, name)]
    return found


def networks(session: Session) -> None:
    """Networks described, drawn, compared and audited."""
    cwd = _folder(session, "networks")
    (cwd / "nets.py").write_text(NETS)
    arms = {
        "plain": ("plain_flower",),
        "residual": ("residual_flower:LBA", "--input", "32x48x3", "--classes", "7"),
        "inception": ("inception_flower:LAB",),
        "resnet18": ("resnet18", "--input", "224x224x3", "--classes", "1000"),
        "torchvision": ("torchvision:mobilenet_v3_small", "--input", "64x64x3"),
        "mine": ("nets.py:small", "--input", "16x16x3", "--set", "width=6"),
    }
    for name, arguments in arms.items():
        drawn = [] if ":" in arguments[0] and "flower" not in arguments[0] else ["--svg", f"{name}.svg", "--depth", "3"]
        for lang in LANGUAGES:
            session.pin(f"networks/{name}.{lang}.txt", ["describe", *arguments, *drawn, "--lang", lang], cwd)
            if drawn:
                session.keep(f"networks/{name}.{lang}.svg", text.shown(cwd / f"{name}.svg"))
        session.pin(f"networks/{name}.json.txt", ["describe", *arguments, "--json"], cwd)
    session.pin("networks/rewritten.txt", ["describe", "plain_flower:LBA", "--rewritten"], cwd)
    session.pin("networks/twins.json.txt", ["twins", "--input", "32x32x3", "--json"], cwd)
    session.pin("networks/list.json.txt", ["list", "--json"], cwd)
    for lang in LANGUAGES:
        pair = ["plain_flower:LA", "residual_flower:LBA"]
        session.pin(f"networks/diff.{lang}.txt", ["diff", *pair, "--lang", lang], cwd)
        session.pin(f"networks/twins.{lang}.txt", ["twins", "--input", "32x32x3", "--lang", lang], cwd)
        session.pin(f"networks/list.{lang}.txt", ["list", "*flower*", "--lang", lang], cwd)
        audit = ["audit", "plain_flower:LA", "--input", "32x32x3", "--set", "init=fixed"]
        session.pin(f"networks/audit.{lang}.txt", [*audit, "--lang", lang], cwd)
    session.pin("networks/diff.json.txt", ["diff", *pair, "--json"], cwd)
    session.pin("networks/audit.json.txt", [*audit, "--json"], cwd)


def data(session: Session) -> None:
    """Photos inspected."""
    cwd = _folder(session, "data")
    sources = {
        "whole": ("../photos", "--group-by", "plant[0-9]+"),
        "csv": ("../photos.csv",),
        "odd": ("../odd", "--sheet", "sheet.png"),
    }
    for name, arguments in sources.items():
        given = ["data", "check", *arguments, "--cache-dir", "cache"]
        for lang in LANGUAGES:
            session.pin(f"data/{name}.{lang}.txt", [*given, "--lang", lang], cwd)
        session.pin(f"data/{name}.json.txt", [*given, "--json"], cwd)
    session.keep("data/sheet.txt", text.picture(cwd / "sheet.png"))
    session.pin("data/cache.txt", ["cache", "--cache-dir", "cache"], cwd)


def timings(session: Session) -> None:
    """Two arms timed, kept without the figures; and a timing kept in this folder, explained."""
    cwd = _folder(session, "timings")
    arms = ["plain_flower:LA", "plain_flower:LBA"]
    size = ["--input", "32x32x3", "--batch", "8", "--repeats", "2", "--rounds", "4"]
    session.run(["profile", *arms, *size, "--no-memory", "--keep", "kept.json"], cwd)
    kept = json.loads((cwd / "kept.json").read_text())
    session.keep("timings/kept.json", text.pretty(rules.steady_timing(kept)))
    (cwd / "timing.json").write_text((Path(__file__).parent / "timing.json").read_text())
    for lang in LANGUAGES:
        measured = ["--measured", "timing.json", "--lang", lang]
        session.pin(f"timings/explain.{lang}.txt", ["explain", *arms, *measured], cwd)
        session.pin(f"timings/profile.{lang}.txt", ["profile", *measured, "--depth", "2", "--html", "page.html"], cwd)
        shown, charts, markup = text.page(cwd / "page.html")
        session.keep(f"timings/profile.{lang}.page.txt", shown)
        session.keep(f"timings/profile.{lang}.charts.json", charts)
        session.keep(f"markup/profile.{lang}.html", markup)
    session.pin("timings/explain.json.txt", ["explain", *arms, "--measured", "timing.json", "--json"], cwd)
    session.pin("timings/profile.json.txt", ["profile", "--measured", "timing.json", "--json"], cwd)


def refusals(session: Session) -> None:
    """Mistakes of users and their messages."""
    cwd = _folder(session, "refusals")
    (cwd / "key.toml").write_text('[study]\nname = "x"\ndata = "../photos"\nseedz = 3\n')
    (cwd / "arm.toml").write_text('[study]\nname = "x"\ndata = "../photos"\n[arms.a]\narch = "plain_flowr"\n')
    (cwd / "one.toml").write_text('[study]\nname = "x"\ndata = "../photos"\n[arms.a]\narch = "plain_flower"\n')
    (cwd / "torn.toml").write_text("[study\n")
    (cwd / "broken.py").write_text("def small(n_classes):\n    return 1 / 0\n")
    (cwd / "empty").mkdir()
    small = ["run", "one.toml", "--out", "out", "--cache-dir", "cache"]
    asked = {
        "no-command": ["rum"],
        "no-option": ["run", "demo", "--epoch", "1"],
        "no-study": ["run", "demi"],
        "no-data": ["run", "--data", "nowhere", "--out", "out"],
        "empty-data": ["run", "--data", "empty", "--out", "out"],
        "key": ["run", "key.toml"],
        "arm": ["run", "arm.toml"],
        "torn-toml": ["run", "torn.toml"],
        "set": [*small, "--set", "optimiser=sgd"],
        "set-value": [*small, "--set", "optimizer=adamx"],
        "epochs": [*small, "--epochs", "0"],
        "budget": [*small, "--budget", "5parsecs"],
        "vary": [*small, "--vary", "init,weather"],
        "folds-and-seeds": [*small, "--folds", "3", "--seeds", "2"],
        "layout": ["run", "--data", "../photos", "--layout", "upside", "--out", "out"],
        "group-by": [*small, "--group-by", "(("],
        "code": ["describe", "broken.py:small"],
        "no-code": ["describe", "broken.py:small", "--no-code"],
        "no-factory": ["describe", "broken.py:smal"],
        "input": ["describe", "plain_flower", "--input", "12"],
        "order": ["describe", "plain_flower:LLA"],
        "report": ["report", "nowhere"],
        "verify": ["verify", "empty"],
        "explain": ["explain", "plain_flower", "plane"],
        "predict": ["predict", "empty", "../photos/ring/plant200_0.png"],
        "check": ["data", "check", "nowhere"],
        "get": ["data", "get", "tulips"],
        "measured": ["profile", "plain_flower", "--measured", "one.toml"],
    }  # fmt: skip
    for name, arguments in asked.items():
        for lang in LANGUAGES:
            session.pin(f"refusals/{name}.{lang}.txt", [*arguments, "--lang", lang], cwd)


def _folder(session: Session, name: str) -> Path:
    path = session.scratch / name
    path.mkdir(parents=True)
    return path


TASKS: dict[str, Callable[[Session], None]] = {
    "helps": helps,
    "networks": networks,
    "data": data,
    "timings": timings,
    "refusals": refusals,
}
