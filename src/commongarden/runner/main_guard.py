"""Scripts without `if __name__ == "__main__":` are refused at once: worker processes import the script, and would call
this program again."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import FrameType

from commongarden.errors import RunnerError
from commongarden.i18n.language import _


def check() -> None:
    """Raises RunnerError where the script that is run calls this program in a line that workers would run again."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") == "__main__":
            file = frame.f_globals.get("__file__")
            if isinstance(file, str) and not _is_guarded(Path(file), frame.f_lineno):
                text = _(
                    '{file}, line {line}: put this call under `if __name__ == "__main__":`, since worker processes '
                    "import the script"
                )
                raise RunnerError(text.format(file=Path(file).name, line=frame.f_lineno))
        frame = frame.f_back


def _is_guarded(file: Path, line: int) -> bool:
    """Whether the line is in a block that depends on `__name__`; true where the source cannot be read."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return True
    blocks = [node for node in tree.body if isinstance(node, ast.If) and "__name__" in _names(node.test)]
    return any(node.lineno <= line <= (node.end_lineno or node.lineno) for node in blocks)


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
