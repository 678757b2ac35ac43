"""The studies that are run, and what is kept of each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pinned import rules, text
from pinned.declared import FACTORIAL, FAILED, FLOWERS, FOLDS, NETS, RACED, TUNED
from pinned.session import Session


@dataclass(frozen=True)
class Study:
    """name: of the folder in which its folder `out` lies. command: what makes it. files: what lies beside it.

    pair: two arms to be explained. run: one that is made again, that predicts, and that is torn at the end.
    workers: with two, the order of the log's lines is chance, and they are sorted. maps: whether they are drawn.
    """

    name: str
    command: tuple[str, ...]
    pair: tuple[str, str]
    files: dict[str, str] = field(default_factory=dict)
    run: str = ""
    workers: int = 1
    maps: bool = False


STUDIES = (
    Study(
        "demo", ("run", "demo", "--epochs", "1", "--seeds", "2", "--resolution", "16"), ("residual", "plain"),
        workers=2, maps=True,
    ),
    Study("flowers", ("run", "study.toml"), ("residual", "plain"), {"study.toml": FLOWERS}, "residual/1", maps=True),
    Study(
        "factorial", ("run", "study.toml"), ("residual_flower-LBA", "plain_flower-LBA"), {"study.toml": FACTORIAL},
    ),
    Study(
        "raced", ("run", "study.toml", "--group-by", "plant[0-9]+", "--until", "resolved", "--seeds", "5"),
        ("residual", "plain"), {"study.toml": RACED},
    ),
    Study("folds", ("run", "study.toml", "--keep-going"), ("bottleneck", "plain"), {"study.toml": FOLDS}, "plain/2"),
    Study(
        "failed", ("run", "study.toml", "--stop-hopeless", "--log", "classic"), ("dead", "plain"),
        {"study.toml": FAILED, "nets.py": NETS},
    ),
    Study("tuned", ("run", "study.toml"), ("mine", "plain"), {"study.toml": TUNED, "nets.py": NETS}, "mine/1"),
    Study(
        "ablation",
        ("ablate", "residual_flower:LBA", "--data", "../photos", "--factors", "shortcut", "--seeds", "2",
         "--epochs", "1", "--resolution", "16", "--batch-size", "8"), ("no-shortcuts", "residual_flower-LBA"),
    ),
)  # fmt: skip
# three photos, and a file that cannot be read
PREDICTED = (
    "../photos/ring/plant200_0.png",
    "../photos/cross/plant000_1.png",
    "../odd/none/grey.png",
    "../odd/cross/torn.jpg",
)


def pin(session: Session, study: Study) -> None:
    """Runs a study and keeps what it stored and what the commands say of it."""
    cwd = session.scratch / study.name
    cwd.mkdir(parents=True)
    for name, content in study.files.items():
        (cwd / name).write_text(content, encoding="utf-8")
    folder = f"printed/{study.name}"
    command = [*study.command, "--out", "out", "--cache-dir", "cache", "--yes", *([] if study.maps else ["--no-maps"])]
    session.pin(f"{folder}/dry-run.txt", [*command, "--dry-run"], cwd)
    command += [] if "--log" in command else ["--log", "plain"]
    made = session.run([*command, "--workers", str(study.workers)], cwd)
    if not (cwd / "out" / "report.html").is_file():
        raise RuntimeError(f"{study.name}: exit code {made.returncode}\n{made.stdout}\n{made.stderr}")
    lines = rules.steady_log(made.stderr).splitlines(keepends=True)
    log = "".join(sorted(lines) if study.workers > 1 else lines)
    session.keep(f"log/{study.name}.txt", f"exit code {made.returncode}\n{log}")
    if study.run:
        run = f"out/runs/{study.run}"
        session.pin(f"{folder}/replay.txt", ["replay", run, "--cache-dir", "cache"], cwd)
        session.pin(f"{folder}/predict.txt", ["predict", run, *PREDICTED], cwd)
        session.pin(f"{folder}/predict.json.txt", ["predict", run, *PREDICTED, "--json"], cwd)
        session.pin(f"{folder}/changed.txt", [*command, "--set", "batch_size=5"], cwd)
    for name in ("report.html", "results.csv", "results.json"):
        (cwd / "out" / name).unlink()
    steady(cwd / "out", study.name, is_ordered=study.workers == 1, is_even=session.is_even)
    records(session, study.name, cwd / "out")
    printed(session, study, cwd, command)


def steady(folder: Path, study: str, is_ordered: bool, is_even: bool) -> None:
    """Replaces the measured fields of a study's folder, and its checksums accordingly."""
    lists = {path.parent: text.checksums(path.parent) for path in folder.rglob("checksums.sha256")}
    for path in sorted(folder.rglob("*.*")):
        name = path.relative_to(folder).as_posix()
        if not is_ordered and name in rules.UNORDERED:
            path.write_text(text.pretty(json.loads(path.read_text())))
        if rules.measured(name):
            path.write_bytes(STEADY[path.suffix](path.read_bytes(), name, study, is_even))
    for each, names in lists.items():
        text.write_checksums(each, names)


STEADY: dict[str, Callable[[bytes, str, str, bool], bytes]] = {
    ".json": lambda data, *place: rules.steady_json(data.decode(), *place).encode(),
    ".csv": lambda data, *place: rules.steady_csv(data.decode(), *place).encode(),
    ".npz": rules.steady_npz,
}


def records(session: Session, study: str, folder: Path) -> None:
    """Keeps every file of a study's folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    session.keep(f"records/{study}/files.txt", "".join(f"{path.relative_to(folder).as_posix()}\n" for path in files))
    for path in files:
        name = path.relative_to(folder).as_posix()
        match path.suffix:
            case ".npz":
                kind, content = "arrays", text.arrays(path, rules.unpinned(name), as_written=not rules.measured(name))
            case ".safetensors":
                kind, content = "weights", text.weights(path)
            case ".sha256":
                kind, content = "records", "".join(f"{each}\n" for each in text.checksums(path.parent))
            case _:
                kind, content = "records", text.shown(path)
        session.keep(f"{kind}/{study}/{name}.txt", content)


def printed(session: Session, study: Study, cwd: Path, command: list[str]) -> None:
    """Keeps what the commands print of the study, and its reports, in both languages."""
    folder = f"printed/{study.name}"
    formats = [part for each in ("html", "docx", "md", "latex") for part in ("--format", each)]
    for lang in ("en", "ko"):
        for name in ("verify", "status", "compare", "explain"):
            session.pin(f"{folder}/{name}.{lang}.txt", [name, "out", "--lang", lang], cwd)
        session.pin(f"{folder}/report.{lang}.txt", ["report", "out", *formats, "--lang", lang], cwd)
        reports(session, f"{study.name}.{lang}", cwd / "out")
    for name in ("compare", "explain"):
        session.pin(f"{folder}/{name}.json.txt", [name, "out", "--json"], cwd)
    session.pin(f"{folder}/explain-pair.txt", ["explain", "out", *study.pair], cwd)
    if study.run:
        session.pin(f"{folder}/again.txt", [*command, "--lang", "ko"], cwd)
        torn = cwd / "out" / "runs" / study.run / "predictions.npz"
        torn.write_bytes(torn.read_bytes()[:200])
        for name in ("verify", "status", "compare"):
            session.pin(f"{folder}/torn-{name}.txt", [name, "out"], cwd)


def reports(session: Session, name: str, out: Path) -> None:
    """Keeps and removes the reports of a study."""
    shown, charts, markup = text.page(out / "report.html")
    session.keep(f"page/{name}.txt", shown)
    session.keep(f"charts/{name}.json", charts)
    session.keep(f"markup/{name}.html", markup)
    session.keep(f"docx/{name}.txt", text.document(out / "report.docx"))
    session.keep(f"markdown/{name}.md", text.shown(out / "report.md"))
    session.keep(f"latex/{name}.tex", text.shown(out / "table.tex"))
    session.keep(f"results/{name}.csv", text.shown(out / "results.csv"))
    session.keep(f"results/{name}.json", text.shown(out / "results.json"))
    for path in sorted((out / "report_files").rglob("*")):
        session.keep(f"pictures/{name}/{path.name}.txt", text.picture(path))
    shutil.rmtree(out / "report_files", ignore_errors=True)
    for path in ("report.html", "report.docx", "report.md", "table.tex", "results.csv", "results.json"):
        (out / path).unlink()
