"""What cannot repeat, each with its reason, and what is put in its place. Nothing else is ever changed.

MEASURED are fields of stored files. They are replaced in a copy of the study before anything is read from it, so every
sentence, table and chart about seconds and bytes is made of the same figures each time and is pinned like the others.
LOG are lines that a run prints while it works.
"""

from __future__ import annotations

import fnmatch
import io
import json
import re
import zlib
from dataclasses import dataclass

import numpy as np

CLOCK = "the clock"
HOST = "the machine, which other work shares"


@dataclass(frozen=True)
class Measured:
    """file: as in the study's folder, with wildcards; field: of its JSON (dotted) or column of its CSV, with wildcards.

    value: what every such field becomes; None: a value that depends on the place alone (`stand_in`).
    """

    file: str
    field: str
    reason: str
    value: object = None


MEASURED = (
    Measured("*/run.json", "started", CLOCK, "2026-01-01T00:00:00+00:00"),
    Measured("*/run.json", "ended", CLOCK, "2026-01-01T00:10:00+00:00"),
    Measured("*/run.json", "seconds_test", CLOCK),
    Measured("*/run.json", "inference_ms", CLOCK),
    Measured("*/run.json", "peak_memory_bytes", HOST),
    Measured("*/run.json", "machine.system", HOST, "a system"),
    Measured("*/run.json", "machine.processor", HOST, "a processor"),
    Measured("*/run.json", "machine.physical_cores", HOST, 2),
    Measured("*/run.json", "machine.memory_bytes", HOST, 2**34),
    Measured("*/history.csv", "seconds_*", CLOCK),
    Measured("baselines/*.npz", "*.seconds", CLOCK),
    Measured("forecast.json", "seconds", CLOCK),
    Measured("forecast.json", "took", CLOCK),
    Measured("forecast.json", "memory_bytes", HOST),
)

# arrays of an .npz that are not replaced in the file, since nothing shows them
UNPINNED = (Measured("seen/*.npz", "key", "a digest of when the run began, among others"),)

# JSON whose keys stand in the order in which two workers were done
UNORDERED = ("audit.json",)

# fields of what `profile --keep` writes
TIMED = (
    Measured("", "made", CLOCK),
    Measured("", "processor", HOST),
    Measured("", "pinned", "the core that was idle"),
    Measured("", "limits.matmul_side", "the size that was the quickest this time"),
)


@dataclass(frozen=True)
class Line:
    """pattern: what is replaced in a line that a command prints on its error stream; None in place of a text: the line
    is left out."""

    pattern: str
    text: str | None
    reason: str


LOG = (
    Line(r"^.*: (?!(\d+) of \1$)\d+ of \d+$", None, "progress is printed every ten seconds"),
    Line(r"^.*: (?!(\d+)개 중 \1개$)\d+개 중 \d+개$", None, "the same in Korean"),
    Line(r"\d+ images/s", "N images/s", CLOCK),
    Line(r"; [^;]+ left$", "; T left", CLOCK),
    Line(r"(?<=; )(about|at most) [^,;]+(?=, \d+ [kMG]?B of memory)", r"\1 T", CLOCK),
    Line(r"\d+ [kMG]?B of memory", "N MB of memory", HOST),
    Line(r"^(tuning takes (?:about|at most)) [^,;]+(?=, )", r"\1 T", CLOCK),
    Line(r"^forecast .*, took .*$", "forecast T, took T", CLOCK),
)


def measured(file: str) -> tuple[Measured, ...]:
    """The rules for a file of a study's folder."""
    return tuple(rule for rule in MEASURED if fnmatch.fnmatchcase(file, rule.file))


def unpinned(file: str) -> tuple[str, ...]:
    """The arrays of an .npz that are not pinned."""
    return tuple(rule.field for rule in UNPINNED if fnmatch.fnmatchcase(file, rule.file))


def steady_log(text: str) -> str:
    """A log without what the clock decides."""
    lines = []
    for line in text.splitlines():
        for rule in LOG:
            if rule.text is None:
                if re.search(rule.pattern, line):
                    break
            else:
                line = re.sub(rule.pattern, rule.text, line)
        else:
            lines.append(line + "\n")
    return "".join(lines)


def steady_json(text: str, file: str, study: str, is_even: bool) -> str:
    """The JSON of a file of a study's folder with its measured fields replaced, otherwise as it was."""
    rules = measured(file)
    if not rules:
        return text
    table = json.loads(text, parse_float=lambda literal: f"{OPEN}{literal}{CLOSE}")
    style = next((style for style in STYLES if _dump(table, style) == text), None)
    if style is None:
        raise ValueError(f"{study}/{file}: written in a style that scripts/pinned/rules.py does not know")
    return _dump(_replaced(table, "", rules, f"{study}/{file}", is_even), style)


def steady_npz(data: bytes, file: str, study: str, is_even: bool) -> bytes:
    """The .npz with the measured fields of the JSON in it replaced."""
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    for name, array in arrays.items():
        text = json_in(array)
        if text is not None:
            arrays[name] = np.frombuffer(steady_json(text, file, study, is_even).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def json_in(array: np.ndarray) -> str | None:
    """The JSON that an array of bytes holds, if it does."""
    if array.dtype != np.uint8 or array.ndim != 1 or array.size < 2 or bytes(array[:1]) not in (b"{", b"["):
        return None
    return array.tobytes().decode()


def steady_csv(text: str, file: str, study: str, is_even: bool) -> str:
    """The CSV of a file of a study's folder with its measured columns replaced, otherwise as it was."""
    rules = measured(file)
    if not rules:
        return text
    header, *rows = text.split("\n")
    names = header.split(",")
    columns = [i for i, name in enumerate(names) if any(fnmatch.fnmatchcase(name, rule.field) for rule in rules)]
    lines = [header]
    for number, row in enumerate(rows):
        cells = row.split(",")
        if len(cells) == len(names):
            for i in columns:
                cells[i] = repr(stand_in(float(cells[i]), f"{study}/{file}", f"{names[i]} {number}", is_even))
        lines.append(",".join(cells))
    return "\n".join(lines)


def stand_in(value: float, file: str, field: str, is_even: bool) -> float:
    """A value of the same type that depends on the place alone.

    Times spread as real ones do: by the arm, and within an arm by a few per cent, in one of three by half. With is_even
    they are equal within an arm, and so do not depend on how an interval or a mean over its runs is made.
    """
    arm = file.rpartition("/")[0].rpartition("/")[0]
    spread = 0 if is_even else 0.5 if zlib.crc32(arm.encode()) % 3 == 0 else 0.04
    figure = (1 + _share(arm + field.partition(" ")[0])) * (1 + spread * (_share(file + field) - 0.5))
    return round(figure * 1e8) if isinstance(value, int) else round(figure / 16, 6)


STYLES: tuple[dict[str, object], ...] = (
    {"indent": 1, "ensure_ascii": False},
    {"ensure_ascii": False},
    {"ensure_ascii": False, "separators": (",", ":")},
)


def steady_timing(value: object, place: str = "") -> object:
    """What `profile --keep` wrote, less what was measured: every float, and the fields of TIMED."""
    if isinstance(value, dict):
        return {key: steady_timing(each, f"{place}.{key}".lstrip(".")) for key, each in value.items()}
    if any(fnmatch.fnmatchcase(place, rule.field) for rule in TIMED):
        return "not pinned"
    if isinstance(value, list):
        return [steady_timing(each, f"{place}.{i}") for i, each in enumerate(value)]
    return "a float" if isinstance(value, float) else value


OPEN, CLOSE = "\ue000", "\ue001"  # around a float as it was written, so that 1e12 stays 1e12


def _dump(table: object, style: dict[str, object]) -> str:
    return re.sub(f'"{OPEN}([^{CLOSE}]*){CLOSE}"', r"\1", json.dumps(table, **style))  # type: ignore[arg-type]


def _replaced(value: object, field: str, rules: tuple[Measured, ...], place: str, is_even: bool) -> object:
    if isinstance(value, dict):
        return {
            key: _replaced(each, f"{field}.{key}".lstrip("."), rules, place, is_even) for key, each in value.items()
        }
    if isinstance(value, list):
        return [_replaced(each, f"{field}.{i}", rules, place, is_even) for i, each in enumerate(value)]
    rule = next((rule for rule in rules if fnmatch.fnmatchcase(field, rule.field)), None)
    if rule is None or value is None:  # nothing stays nothing
        return value
    if rule.value is not None:
        return rule.value
    return stand_in(value if isinstance(value, int) else 0.0, place, field, is_even)


def _share(text: str) -> float:
    return zlib.crc32(text.encode()) / 2**32
