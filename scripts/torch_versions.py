"""The oldest and the newest PyTorch that pyproject.toml accepts, each in an environment of its own: a small study is
run, verified, audited and profiled with both. `python scripts/torch_versions.py`, or with versions: 2.6.0 2.15.0.

The environments are kept under build/torch; each takes some gigabytes. Prints a line for each command, and ends with
exit code 1 where one failed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
STUDY = ("--data", "builtin:flowers/60", "--arms", "plain_flower,bottleneck_flower", "--resolution", "16", "--epochs",
         "8", "--seeds", "1", "--batch-size", "8", "--workers", "1", "--no-maps", "--out", "study")  # fmt: skip
COMMANDS = (
    ("run", *STUDY),
    ("verify", "study"),
    ("replay", "study/runs/plain_flower/0"),
    ("describe", "torchvision:resnet18", "--input", "32x32"),
    ("audit", "resnet18", "--input", "32x32", "--classes", "5"),
    ("profile", "plain_flower", "--input", "16x16", "--batch-size", "8", "--repeats", "1", "--rounds", "2"),
)
ACCEPTED = {"audit": (0, 1)}  # 1: something was found at the first weights


def oldest() -> str:
    """The lower bound of torch in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return next(text.removeprefix("torch>=") for text in project["dependencies"] if text.startswith("torch>="))


def environment(version: str) -> Path:
    """The Python of an environment with this version of torch, or with the newest one, and with this package."""
    folder = ROOT / "build" / "torch" / (version or "newest")
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        wanted = f"torch=={version}" if version else "torch"
        subprocess.run([python, "-m", "pip", "install", "--quiet", wanted, "--editable", ROOT], check=True)
        (folder / ".ready").touch()
    return python


def tried(python: Path) -> list[tuple[str, int]]:
    """Each command's first word and exit code; what failed is printed."""
    folder = python.parents[1] / "tried"
    subprocess.run(["rm", "-rf", folder], check=True)
    folder.mkdir()
    around = {**os.environ, "COMMONGARDEN_CACHE": str(folder / "cache"), "COMMONGARDEN_LANG": "en"}
    around.pop("PYTHONPATH", None)
    found = []
    for arguments in COMMANDS:
        done = subprocess.run(
            [python, "-m", "commongarden.cli", *arguments], cwd=folder, env=around, text=True, capture_output=True
        )
        if done.returncode not in ACCEPTED.get(arguments[0], (0,)):
            print(done.stdout[-2000:], done.stderr[-4000:], sep="\n")
        found.append((arguments[0], done.returncode))
    return found


def used(python: Path) -> dict[str, object]:
    """The version of torch, and which of its private names are missing."""
    code = (
        "import json, torch; from commongarden.train import torch_private; "
        "print(json.dumps({'torch': torch.__version__, 'missing': list(torch_private.MISSING)}))"
    )
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("versions", nargs="*", help="of torch [the oldest that is promised, and the newest]")
    failed = 0
    for version in parser.parse_args().versions or (oldest(), ""):
        python = environment(version)
        print(used(python))
        for command, code in tried(python):
            print(f"  {command}: exit code {code}", flush=True)
            failed += code not in ACCEPTED.get(command, (0,))
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
