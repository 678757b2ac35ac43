"""Commands of the pinned code as processes of their own, and the files into which their output goes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pinned import rules

KEPT = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT")


@dataclass(frozen=True)
class Session:
    """target: the store that is filled. scratch: where commands work. src: the code that is run. is_even: as in
    `rules.stand_in`.
    """

    target: Path
    scratch: Path
    src: Path
    is_even: bool

    def check(self) -> None:
        """Writes environment.txt. Ends the program unless the code that runs is that of `src`."""
        code = (
            "import sys, commongarden, numpy, torch, torchvision, scipy, PIL; print(commongarden.__file__); "
            "print(sys.version.split()[0], torch.__version__, torchvision.__version__, numpy.__version__, "
            "scipy.__version__, PIL.__version__, torch.backends.cpu.get_cpu_capability())"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=self._environment())
        if done.returncode:
            sys.exit(f"error: {self.src} cannot be imported:\n{done.stderr}")
        imported, versions = done.stdout.splitlines()
        if not Path(imported).resolve().is_relative_to(self.src):
            sys.exit(f"error: found {imported}, accepted: a package in {self.src}")
        self.keep("environment.txt", f"Python, torch, torchvision, numpy, scipy, Pillow, instructions: {versions}\n")

    def run(self, arguments: Sequence[object], cwd: Path, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """`commongarden ARGUMENTS` in the folder cwd."""
        return subprocess.run(
            [sys.executable, "-m", "commongarden.cli", *map(str, arguments)],
            capture_output=True, text=True, encoding="utf-8", errors="backslashreplace",
            env=self._environment(), cwd=cwd, timeout=timeout, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def pin(self, name: str, arguments: Sequence[object], cwd: Path) -> subprocess.CompletedProcess[str]:
        """Runs a command and keeps what it printed, with its exit code, under this name."""
        done = self.run(arguments, cwd)
        shown = " ".join(map(str, arguments))
        self.keep(
            name, f"$ commongarden {shown}\nexit code {done.returncode}\n"
            f"-- output\n{done.stdout}-- errors\n{rules.steady_log(done.stderr)}",
        )  # fmt: skip
        return done

    def keep(self, name: str, text: str) -> None:
        """Writes a text into the store. Paths of the scratch folder become SCRATCH."""
        path = self.target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace(str(self.scratch), "SCRATCH"), encoding="utf-8")

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        return kept | {
            "PYTHONPATH": str(self.src),
            "PYTHONDONTWRITEBYTECODE": "1",
            "XDG_CACHE_HOME": str(self.scratch / "user-cache"),
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "160",
        }
