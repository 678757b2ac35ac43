"""Writes docs/performance.md's figures between the marks that name them, from what was measured and kept.

    python scripts/performance.py [--table BENCH.json ...] [--busy BUSY.json] [--curves CURVES.json ...]
                                  [--attempts ATTEMPTS.json] [--gpu FOLDER]

The first three are what `commongarden bench --keep` wrote, with --busy and with --curve; of several tables, each case
is told from the last one that has it. ATTEMPTS.json is a list of attempts, see `Attempt`. FOLDER is the OUT of
scripts/gpu.sh. A section stands in the page
as soon as its figures are there, and not before.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import msgspec

from commongarden.benchmarks import rates, reference_script
from commongarden.benchmarks import report as speed
from commongarden.records import Estimate, benchmark
from commongarden.records.benchmark import Bench
from commongarden.report.charts import figures

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "performance.md"
PICTURES = DOCS / "drawings" / "performance"


class Attempt(msgspec.Struct):
    """Something that was tried to train faster. ratio: images a second with it, by those without it, in turn.

    case: what was trained. kept: whether it is in the program. reason: why, or why not.
    """

    name: str
    case: str
    ratio: Estimate
    kept: bool
    reason: str


def newest(benches: list[Bench]) -> list[Bench]:
    """Each benchmark with the cases that no later one has measured anew, the latest first."""
    found: list[Bench] = []
    for bench in reversed(benches):
        known = {speed.named(case) for other in found for case in other.cases}
        kept = [place for place, case in enumerate(bench.cases) if speed.named(case) not in known]
        if kept:
            found.append(
                replace(
                    bench,
                    cases=tuple(bench.cases[place] for place in kept),
                    trained=tuple(replace(one, case=kept.index(one.case)) for one in bench.trained if one.case in kept),
                    held=tuple(replace(one, case=kept.index(one.case)) for one in bench.held if one.case in kept),
                )
            )
    return found


def tables(benches: list[Bench]) -> str:
    """Each benchmark's table, with its picture."""
    lines = []
    for number, bench in enumerate(benches, 1):
        picture = "ratios.svg" if number == 1 else f"ratios-{number}.svg"
        (PICTURES / picture).write_text(figures.chart(speed.ratios(bench)), encoding="utf-8")
        lines.append(table(bench, picture))
    return "\n\n".join(lines)


def table(bench: Bench, picture: str) -> str:
    """All cases as one table, the conditions, and what else was found."""
    lines = []
    for place, case in enumerate(bench.cases):
        lines += [f"**{speed.named(case)}**", "", *markdown(speed.columns(), speed.rows(bench, place)), ""]
    lines += [f"![Ratios](drawings/performance/{picture})", ""]
    said = [text for text in speed.sentences(bench) if text not in memory(bench).splitlines()]
    return "\n".join([*lines, conditions(bench), "", *(f"- {text}" for text in said)])


def conditions(bench: Bench) -> str:
    """Where and when it was measured."""
    machine = bench.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    return f"{machine.processor}, {bench.cores} cores, {machine.system}; {versions}; {bench.made[:10]}."


def start(benches: list[Bench]) -> str:
    """Seconds to the first step, and what follows the last one."""
    lines = []
    for bench, place, case in ((one, *found) for one in benches for found in enumerate(one.cases)):
        ours = bench.of(place, benchmark.OURS)
        first, again = rates.startup(bench, place, benchmark.OURS) or (0.0, None)
        unrecorded = max(100 * (one.unrecorded or 0.0) for one in ours)
        afterwards = max(one.afterwards for one in ours)
        waiting = 100 * (rates.idle(bench, place) or 0.0)
        later = "" if again is None else f"{again:.1f}"
        cells = [f"{first:.1f}", later, f"{afterwards:.2f}", f"{unrecorded:.1f}", f"{waiting:.1f}"]
        lines.append([speed.named(case), *cells])
    header = [
        "study", "first start, s", "later starts, s", "after a run's last epoch, s", "in no record, %",
        "not training, %",
    ]  # fmt: skip
    return "\n".join(markdown(header, lines))


def memory(bench: Bench) -> str:
    """What processes held."""
    return "\n".join(speed.held(bench, one) for one in bench.held)


def curves(benches: list[Bench]) -> str:
    """The curves' pictures, each with its figures in words."""
    lines = []
    for bench in benches:
        case = bench.cases[0]
        for chart in speed.curves(bench):
            name = f"{case.arm.replace(':', '-')}-{chart.name}.svg"
            (PICTURES / name).write_text(figures.chart(chart), encoding="utf-8")
            lines += [f"![{case.arm} by {chart.name}](drawings/performance/{name})", "", chart.description, ""]
        n = max(one.number for one in bench.trained)
        lines += [f"From {speed.named(case)} on; medians of {n} rounds. {conditions(bench)}", ""]
    return "\n".join(lines).rstrip()


def attempts(rows: list[Attempt]) -> str:
    """What was tried, with what it gave; the best first."""
    ordered = sorted(rows, key=lambda row: -row.ratio.value)
    cells = [[row.name, row.case, speed.times(row.ratio), "yes" if row.kept else "no", row.reason] for row in ordered]
    return "\n".join(markdown(["attempt", "trained", "images per second", "kept", "why"], cells))


def markdown(header: list[str], rows: list[list[str]]) -> list[str]:
    """A table."""
    return [f"| {' | '.join(header)} |", "|---" * len(header) + "|", *(f"| {' | '.join(row)} |" for row in rows)]


def busy(bench: Bench) -> str:
    """What is kept beside a busy process."""
    said = [text for place in range(len(bench.cases)) for text in speed.when_busy(bench, place)]
    return "\n".join([*(f"- {text}" for text in said), "", conditions(bench)])


def gpu(folder: Path) -> str:
    """What scripts/gpu.sh has measured: of its three parts, those that are there."""
    parts = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    lines = []
    if "table" not in parts:
        lines += ["Not measured on a GPU yet (`scripts/gpu.sh`)."]
    if "counts" in parts:
        lines += [*gpu_counts(parts["counts"]), ""]
    if "table" in parts:
        lines += [*gpu_table(parts["table"]), ""]
    if "study" in parts:
        study = parts["study"]["study"]
        planned = study["forecast"] or {}
        text = (
            "`run flowers --seeds 5` took {seconds:.0f} s, {first:.0f} s to the first epoch; its runs took {took:.0f} s"
        )
        took = planned.get("took") or 0.0
        lines.append("- " + text.format(seconds=study["seconds"], first=study["seconds_to_first_epoch"], took=took))
        lines[-1] += f" ({planned.get('seconds', 0.0):.0f} s were forecast), {planned.get('n_workers')} at a time."
    for name in ("killed", "resumed"):
        if found := parts.get("trouble", {}).get(f"{name}: same bits"):
            same = (
                "bit-identical to those of an undisturbed study"
                if found["same"]
                else "not those of an undisturbed study"
            )
            what = "of which a worker was killed" if name == "killed" else "that was killed and resumed"
            lines.append(f"- The {found['runs']} runs of a study {what} are {same}.")
    if large := parts.get("trouble", {}).get("too large"):
        lines.append(f"- A batch too large for the GPU: {large.get('failures')}.")
    machine = next(iter(parts.values()))["machine"]
    where = machine.get("gpu") or "No GPU: counted on the CPU by the stand-in of the tests"
    return "\n".join([*lines, "", f"{where}; {machine['cores']} cores, torch {machine['torch']}."])


def gpu_counts(counted: dict[str, dict[str, int]]) -> list[str]:
    """What a step asks of a GPU, by the stand-in of the tests."""
    said = (
        "What the host does for a training step on a GPU. In an epoch it waits for no result; those that it shows a "
        "few times a second arrive by themselves:"
    )
    header = ["model", "operators, one by one", "launches, captured", "waits in an epoch"]
    rows = [
        [name, str(one["operators_a_step"]), str(one["launches_a_replayed_step"]), str(one["waits"])]
        for name, one in counted.items()
        if isinstance(one, dict) and "operators_a_step" in one
    ]
    return ["", said, "", *markdown(header, rows)]


def gpu_table(measured: dict[str, dict[str, object]]) -> list[str]:
    """Images a second by the number of runs side by side, beside an ordinary loop with the images on the device."""
    titles = dict.fromkeys(name.rpartition(": ")[0] for name in measured if ": " in name)
    header = ["model", "ordinary loop", "1 run", "most runs", "with signals", "ratio", "same bits side by side"]
    rows = []
    for title in titles:
        rates = {
            name.rpartition(": ")[2]: float(value["images_per_second"])
            for name, value in measured.items()
            if name.startswith(f"{title}: ") and "images_per_second" in value
        }
        together = {int(name.split()[0]): rate for name, rate in rates.items() if name.endswith(("runs", "run"))}
        signals = next((rate for name, rate in rates.items() if name.endswith("with signals")), None)
        bits = measured.get(f"{title}: bits", {}).get("same_alone_and_together")
        if not together or "ordinary" not in rates:
            continue
        most = max(together)
        best = signals or together[most]
        cells = [rates["ordinary"], together.get(1), together[most], signals]
        shown = ["" if rate is None else f"{rate:,.0f}" for rate in cells]
        shown[2] += f" ({most})"
        same = {True: "yes", False: "no"}.get(bits, "")
        rows.append([title, *shown, f"{best / rates['ordinary']:.1f}", same])
    return markdown(header, rows)


TITLES = {
    "table": "Images per second",
    "busy": "Beside other work",
    "curves": "Scaling",
    "memory": "Memory",
    "start": "Start and end",
    "attempts": "What was tried",
    "gpu": "Images per second on one GPU",
}


def filled(text: str, name: str, content: str) -> str:
    """The page with a section's figures, which takes its place among the others where it is new."""
    section = f"<!-- {name} -->\n## {TITLES[name]}\n\n{content}\n<!-- /{name} -->"
    marks = re.compile(rf"<!-- {name} -->\n.*?\n<!-- /{name} -->", re.DOTALL)
    if marks.search(text):
        return marks.sub(lambda _found: section, text)
    before = [known for known in TITLES if f"<!-- /{known} -->" in text and list(TITLES).index(known) < place(name)]
    end = f"<!-- /{before[-1]} -->" if before else "<!-- figures -->"
    if end not in text:
        sys.exit(f"{PAGE}: no {end} in it")
    return text.replace(end, f"{end}\n\n{section}")


def place(name: str) -> int:
    return list(TITLES).index(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, nargs="+", default=[])
    parser.add_argument("--busy", type=Path)
    parser.add_argument("--curves", type=Path, nargs="+", default=[])
    parser.add_argument("--attempts", type=Path)
    parser.add_argument("--gpu", type=Path)
    given = parser.parse_args()
    PICTURES.mkdir(parents=True, exist_ok=True)
    found: dict[str, str] = {}
    benches = newest([benchmark.read(path) for path in given.table])
    for bench in benches:
        for name, digest in bench.scripts.items():
            if digest not in {known for _, known in map(reference_script.digest, reference_script.FILES)}:
                sys.exit(f"{name} has changed since it was measured on {bench.made[:10]}")
    if benches:
        found |= {"table": tables(benches), "start": start(benches)}
        held = [text for text in map(memory, benches) if text]
        found |= {"memory": "\n\n".join(held)} if held else {}
    if given.busy is not None:
        found["busy"] = busy(benchmark.read(given.busy))
    if given.curves:
        found["curves"] = curves([benchmark.read(path) for path in given.curves])
    if given.attempts is not None:
        found["attempts"] = attempts(msgspec.json.decode(given.attempts.read_bytes(), type=list[Attempt]))
    if given.gpu is not None:
        found["gpu"] = gpu(given.gpu)
    text = PAGE.read_text(encoding="utf-8")
    for name, content in found.items():
        text = filled(text, name, content)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
