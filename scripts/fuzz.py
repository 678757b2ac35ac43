"""Coverage-guided fuzzing of everything that reads a file: make fuzz, or scripts/fuzz.py --seconds 60 ["list form"...].

Each target (tests/support/fuzzing.py) runs in a process of its own, guided by atheris (libFuzzer), which also ends it
where one input takes more than 20 seconds or the process more than 1 GiB. Prints what was found; exit code 1 where
there is any.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MOST_SECONDS = 20  # for one input
MOST_MEGABYTES = 1024
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests" / "support")]


def main() -> None:
    """Runs the targets one after the other, the time divided among them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("targets", nargs="*", help="Names, or parts of names [all].")
    parser.add_argument("--seconds", type=float, default=600, help="For all targets together [600].")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "fuzz", help="Where findings are kept.")
    parser.add_argument("--json", type=Path, help="Write the counts to this file.")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        fuzz(given.one, given.seconds, given.out)
        return
    import fuzzing

    names = [name for name in fuzzing.targets() if not given.targets or any(word in name for word in given.targets)]
    if not names:
        sys.exit(f"no target is called {given.targets}; accepted: {', '.join(fuzzing.targets())}")
    results = {name: run(name, given.seconds / len(names), given.out) for name in names}
    total = sum(result["inputs"] for result in results.values())
    found = sum(len(result["findings"]) for result in results.values())
    print(f"{total:,} inputs, {found} findings")
    if given.json:
        given.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    sys.exit(bool(found))


def run(name: str, seconds: float, out: Path) -> dict:
    """One target in a process of its own: inputs, what came of them, findings."""
    folder = out / name.replace(" ", "_")
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*"):
        old.unlink()
    command = [sys.executable, __file__, "--one", name, "--seconds", str(seconds), "--out", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds + 120, check=False)
        log, code = done.stderr.decode(errors="replace"), done.returncode
    except subprocess.TimeoutExpired as error:
        log, code = (error.stderr or b"").decode(errors="replace"), -1
    counted = re.findall(r"^(?:Done|#)(?: )?(\d+)", log, re.MULTILINE)
    kept = json.loads((folder / "counts.json").read_text()) if (folder / "counts.json").is_file() else {}
    findings = kept.pop("findings", {})
    if code:  # a hang, too much memory, or a crash of the interpreter: libFuzzer kept the input
        findings[f"ended with {code}"] = "\n".join(log.splitlines()[-12:])
    result = {
        "inputs": int(counted[-1]) if counted else 0,
        "coverage": int((re.findall(r"cov: (\d+)", log) or [0])[-1]),
        "peak_megabytes": int((re.findall(r"rss: (\d+)Mb", log) or [0])[-1]),
        "outcomes": kept,
        "findings": findings,
    }
    print(f"{name}: {result['inputs']:,} inputs, {kept}, {len(findings)} findings", flush=True)
    for place, what in findings.items():
        print(f"    {place}: {what}", flush=True)
    return result


def fuzz(name: str, seconds: float, folder: Path) -> None:
    """Feeds one target until the time is over; a finding is kept with its input, and fuzzing goes on."""
    import atheris

    with atheris.instrument_imports(include=["commongarden", "tomllib", "tarfile", "zipfile"]):
        import fuzzing
    target = fuzzing.targets()[name]
    outcomes: Counter[str] = Counter()
    findings: dict[str, str] = {}

    def keep() -> None:
        (folder / "counts.json").write_text(json.dumps({**outcomes, "findings": findings}))

    def one(data: bytes) -> None:
        try:
            outcomes[fuzzing.judge(target, data)] += 1
        except Exception as error:
            outcomes["findings"] += 1
            frames = traceback.extract_tb(error.__traceback__)
            place = f"{type(error).__name__} at {Path(frames[-1].filename).name}:{frames[-1].lineno}"
            if place not in findings:
                findings[place] = str(error)[:300]
                (folder / f"finding-{len(findings)}").write_bytes(data)
                keep()
        if outcomes.total() % 256 == 0:
            keep()

    with tempfile.TemporaryDirectory() as made:
        corpus, words = Path(made, "corpus"), Path(made, "words")
        corpus.mkdir()
        for i, seed in enumerate(target.seeds):
            (corpus / str(i)).write_bytes(seed)
        tokens = {*fuzzing.TOKENS, *(word.encode() for word in target.words)}
        tokens |= {word for seed in target.seeds for word in re.findall(rb"[A-Za-z_]{3,20}", seed)}
        words.write_text("".join(f'"{"".join(f"{chr(92)}x{byte:02x}" for byte in token)}"\n' for token in tokens))
        longest = 2 * max(map(len, target.seeds))
        options = [
            f"-max_total_time={max(1, round(seconds))}",
            f"-timeout={MOST_SECONDS}",
            f"-rss_limit_mb={MOST_MEGABYTES}",
            f"-max_len={min(max(longest, 2048), 16384)}",
            f"-dict={words}",
            f"-artifact_prefix={folder}/",
            "-print_final_stats=1",
            "-seed=1",
        ]
        atheris.Setup([sys.argv[0], str(corpus), *options], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
