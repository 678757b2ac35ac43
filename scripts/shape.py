"""Prints the shape of the package, from the code: rooms, floors, arrows, circles, lines, long modules and functions.

    python scripts/shape.py                  the figures, and the rooms by floor
    python scripts/shape.py --rooms 24       exit code 1 also if there are more rooms than that
    python scripts/shape.py --src OTHER/src  those of another checkout
    python scripts/shape.py --json | --mermaid
    python scripts/shape.py --design         write the rooms into docs/design.md, between the `shape` marks
    python scripts/shape.py --walk           follow a study from the command to the store (scripts/walk.py); a minute

A room is a package or a module directly under `commongarden`; a subpackage counts with its parent. The package's own
`__init__.py` exports names of rooms and is none itself. An arrow leads from a room to one that it imports, by an import
statement anywhere: at the top, inside a function (`late`), or for type checkers only (`types`). Rooms that import each
other, also by way of others, are a circle; so are modules within one room. A floor is a layer of the graph: a room is
one floor above the highest room that it imports, and a circle lies on one floor.

Lines of code are lines that hold a token other than a comment or a docstring, in Python files, without the packages
named in BENCHMARKS. Lengths of modules and functions are in lines of the file.

Exit codes: 0; 1 for a circle or too many rooms; 2 for a folder that holds no package.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import sys
import textwrap
import tokenize
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import walk

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "design.md"
BEGIN, END = "<!-- shape -->", "<!-- /shape -->"
PACKAGE = "commongarden"
BENCHMARKS = ("bench", "benchmarks")
MODULE_LINES, FUNCTION_LINES = 350, 60
WHEN = ("import", "late", "types")  # when an import is carried out; the first of several counts
BLANK = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING,
         tokenize.ENDMARKER}  # fmt: skip

Arrows = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Shape:
    """What was counted. arrows: from room to room, with when it is first imported; circles: of rooms, and of modules
    within a room; floors: from the lowest one up; lines: of code, by room; long_modules, long_functions: lines, by
    place."""

    rooms: tuple[str, ...]
    arrows: Arrows
    circles: tuple[tuple[str, ...], ...]
    floors: tuple[tuple[str, ...], ...]
    lines: Mapping[str, int]
    long_modules: Mapping[str, int]
    long_functions: Mapping[str, int]

    def below(self, room: str) -> list[str]:
        """The rooms that this one imports, without those that it reaches by way of another one."""
        mine = [to for (of, to) in self.arrows if of == room]
        reached = {via: reach(via, self.arrows) for via in mine}
        return [to for to in mine if not any(to in reached[via] and via not in reached[to] for via in mine)]


def shape(src: Path) -> Shape:
    """The shape of the package in this `src` folder."""
    package = src / PACKAGE
    files = {_module(package, path): path for path in sorted(package.rglob("*.py"))}
    rooms = sorted({room for name in files if (room := _room(name))})
    arrows: dict[tuple[str, str], str] = {}
    between: dict[tuple[str, str], str] = {}  # modules of one room
    lines: Counter[str] = Counter()
    long_modules, long_functions = {}, {}
    for name, path in files.items():
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        room, place = _room(name), path.relative_to(src).as_posix()
        for target, when in imports(tree, name, path.name == "__init__.py", files):
            to = _room(target)
            if room == to and name != target:
                between[name, target] = when
            elif room and to and room != to:
                arrows[room, to] = min(when, arrows.get((room, to), "types"), key=WHEN.index)
        lines[room or PACKAGE] += code_lines(text)
        if (n := text.count("\n")) > MODULE_LINES:
            long_modules[place] = n
        for function, n in _functions(tree):
            if n > FUNCTION_LINES:
                long_functions[f"{place}: {function}"] = n
    arrows = dict(sorted(arrows.items()))
    circles = _circles(rooms, arrows)
    floors = _floors(rooms, arrows, circles)
    circles += _circles(sorted(files), between)
    return Shape(tuple(rooms), arrows, circles, floors, dict(lines), long_modules, long_functions)


def imports(tree: ast.Module, name: str, is_package: bool, files: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    """(module, when) of each import of the package's own modules, where `files` are all that there are."""
    package = name if is_package else name.rpartition(".")[0]
    for node, when in _statements(tree, "import"):
        if isinstance(node, ast.Import):
            yield from ((alias.name, when) for alias in node.names if alias.name.split(".")[0] == PACKAGE)
            continue
        base = node.module or ""
        if node.level:
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, *([base] if base else [])])
        if base.split(".")[0] == PACKAGE:
            for alias in node.names:
                yield (within if (within := f"{base}.{alias.name}") in files else base), when


def _statements(node: ast.AST, when: str) -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, when
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _statements(child, "types" if when == "types" else "late")
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for part in child.body:
                yield from _statements(ast.Module([part], []), "types")
            for part in child.orelse:
                yield from _statements(ast.Module([part], []), when)
        else:
            yield from _statements(child, when)


def code_lines(text: str) -> int:
    """How many lines hold code: no comment, no docstring or other string by itself, not blank."""
    held: set[int] = set()
    statement: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in BLANK:
            statement.append(token)
        elif token.type in (tokenize.NEWLINE, tokenize.ENDMARKER):
            if any(part.type != tokenize.STRING for part in statement):
                held.update(line for part in statement for line in range(part.start[0], part.end[0] + 1))
            statement = []
    return len(held)


def _functions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            yield f"{node.name} (line {node.lineno})", node.end_lineno - node.lineno + 1


def _module(package: Path, path: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _room(module: str) -> str:
    return module.removeprefix(PACKAGE).removeprefix(".").partition(".")[0]


def reach(name: str, arrows: Arrows) -> set[str]:
    """All that arrows lead to from here, in any number of steps."""
    to: dict[str, list[str]] = {}
    for here, there in arrows:
        to.setdefault(here, []).append(there)
    found: set[str] = set()
    waiting = [name]
    while waiting:
        new = set(to.get(waiting.pop(), ())) - found
        found |= new
        waiting += new
    return found


def _circles(names: list[str], arrows: Arrows) -> tuple[tuple[str, ...], ...]:
    """The sets of names of which each reaches each other one."""
    reached = {name: reach(name, arrows) for name in names}
    found = {tuple(to for to in names if to in reached[name] and name in reached[to]) for name in names}
    return tuple(sorted(circle for circle in found if len(circle) > 1))


def _floors(rooms: list[str], arrows: Arrows, circles: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    whole = {room: circle for circle in circles for room in circle}
    floor: dict[str, int] = {}

    def of(room: str) -> int:
        if room not in floor:
            members = whole.get(room, (room,))
            below = [to for (here, to) in arrows if here in members and to not in members]
            floor.update(dict.fromkeys(members, 1 + max(map(of, below), default=-1)))
        return floor[room]

    highest = max(map(of, rooms), default=-1)
    return tuple(tuple(room for room in rooms if floor[room] == n) for n in range(highest + 1))


def figures(found: Shape) -> str:
    """The numbers in one line."""
    when = Counter(found.arrows.values())
    circles = f"{len(found.circles) or 'no'} circle{'s' * (len(found.circles) > 1)}"
    return (
        f"{len(found.rooms)} rooms on {len(found.floors)} floors, {len(found.arrows)} arrows ({when['late']} only "
        f"inside functions, {when['types']} only for type checkers), {circles}"
    )


def picture(found: Shape) -> str:
    """The floors from the top down, each room with the rooms right below it."""
    wide = max(map(len, found.rooms), default=0)
    rows = []
    for n, floor in reversed(list(enumerate(found.floors, start=1))):
        for room in floor:
            start = f"{n if room == floor[0] else '':>2}  {room:<{wide}}  "
            rows += textwrap.wrap(start + ", ".join(found.below(room)), 110, subsequent_indent=" " * len(start))
    return "\n".join(rows)


def mermaid(found: Shape) -> str:
    """The same as a Mermaid chart."""
    rows = ["graph TD"]
    for n, floor in reversed(list(enumerate(found.floors, start=1))):
        rows += [f"  subgraph floor{n} [floor {n}]", *(f"    {room}" for room in floor), "  end"]
    rows += [f"  {room} --> {to}" for floor in reversed(found.floors) for room in floor for to in found.below(room)]
    return "\n".join(rows)


def report(found: Shape) -> str:
    """All that is printed without an option."""
    counted = {room: n for room, n in found.lines.items() if room not in BENCHMARKS}
    left_out = {room: n for room, n in found.lines.items() if room in BENCHMARKS}
    rows = [figures(found), *(f"  circle: {', '.join(circle)}" for circle in found.circles), "", picture(found), ""]
    rows.append(f"{sum(counted.values()):,} lines of code without docstrings, comments and blank lines")
    rows += [f"  {n:>6,}  {room}" for room, n in sorted(counted.items(), key=lambda item: -item[1])]
    rows += [f"  not counted: {n:,}  {room}" for room, n in left_out.items()]
    for what, limit, places in (
        ("modules", MODULE_LINES, found.long_modules),
        ("functions", FUNCTION_LINES, found.long_functions),
    ):
        rows += ["", f"{len(places)} {what} of more than {limit} lines"]
        rows += [f"  {n:>6,}  {place}" for place, n in sorted(places.items(), key=lambda item: -item[1])]
    return "\n".join(rows)


def as_json(found: Shape) -> str:
    """All of it with stable keys."""
    return json.dumps(
        {
            "rooms": found.rooms,
            "floors": found.floors,
            "arrows": [{"from": of, "to": to, "when": when} for (of, to), when in found.arrows.items()],
            "circles": found.circles,
            "lines": dict(sorted(found.lines.items())),
            "lines_counted": sum(n for room, n in found.lines.items() if room not in BENCHMARKS),
            "long_modules": found.long_modules,
            "long_functions": found.long_functions,
        },
        indent=1,
    )


def with_picture(page: str, found: Shape) -> str:
    """The page with the picture between its two marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        sys.exit(f"{PAGE}: found no place for the picture, accepted: the lines {BEGIN!r} and {END!r}")
    return f"{before}{begin}\n\n```text\n{picture(found)}\n```\n\n{figures(found)}.\n\n{end}{after}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--src", type=Path, default=ROOT / "src", help="the src folder of a checkout [this one]")
    parser.add_argument("--rooms", type=int, metavar="N", help="exit code 1 if there are more rooms")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--mermaid", action="store_true", help="print the rooms as a Mermaid chart")
    form.add_argument("--design", action="store_true", help="write the rooms into docs/design.md")
    form.add_argument("--walk", action="store_true", help="follow a study from the command to the store")
    given = parser.parse_args(arguments)
    if not any((given.src / PACKAGE).glob("*.py")):
        parser.error(f"{given.src}: found no {PACKAGE}/*.py, accepted: the src folder of a checkout")
    if given.walk:
        print(walk.told(walk.walk(given.src.resolve())))
        return 0
    found = shape(given.src)
    if given.design:
        PAGE.write_text(with_picture(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
    else:
        print(as_json(found) if given.json else mermaid(found) if given.mermaid else report(found))
    too_many = given.rooms is not None and len(found.rooms) > given.rooms
    if too_many:
        print(f"found {len(found.rooms)} rooms, accepted: at most {given.rooms}", file=sys.stderr)
    for circle in found.circles:
        print(f"found a circle of imports: {', '.join(circle)}, accepted: none", file=sys.stderr)
    return 1 if too_many or found.circles else 0


if __name__ == "__main__":
    sys.exit(main())
