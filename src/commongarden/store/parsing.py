"""Records from bytes that may be torn, or written by somebody else: whatever they hold, a record or an error that
reader.py makes a sentence of."""

from __future__ import annotations

import csv
import dataclasses
import gc
import io
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import starmap
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from commongarden import study as study_file
from commongarden.errors import StoreError
from commongarden.i18n.language import _
from commongarden.io import csv_cells, npz
from commongarden.io.limits import Limit
from commongarden.records import Baseline, Epoch, Photo, Predictions, Run
from commongarden.records.findings import AUDIT_SCHEMA, Audit
from commongarden.study import Study
from commongarden.study.recipe import with_legacy_defaults

MOST_HEADER = 100 * 10**6  # bytes, as the safetensors library has it
LEGACY_DIVERGED = " became "  # in the reasons of records without a cause, which earlier versions wrote


def study(path: Path, data: bytes, _limit: Limit) -> Study:
    """An effective study file."""
    return study_file.parse_effective(_text(path, data), where=str(path))


EPOCH_OPTIONAL = tuple(field.name for field in dataclasses.fields(Epoch) if field.default is None)


PHOTO_OPTIONAL = ("group", "stored")  # columns that are written where a photo has one


def photos(path: Path, data: bytes, _limit: Limit) -> tuple[Photo, ...]:
    """manifest.csv."""
    columns = [field.name for field in dataclasses.fields(Photo)]
    header, rows = _table(path, data, columns, optional=PHOTO_OPTIONAL)
    plain, names = csv_cells.plain, [name for name in columns if name in header]
    places = [header.index(name) for name in names]
    if names == columns[: len(names)]:  # positions are faster than names, which counts where photos are a million
        if b"'" not in data and header == names:  # and so are cells as they are
            with _without_collection():
                return tuple(starmap(Photo, rows))
        return tuple(Photo(*[plain(row[place]) for place in places]) for row in rows)
    return tuple(Photo(**{name: plain(row[place]) for name, place in zip(names, places, strict=True)}) for row in rows)


@contextmanager
def _without_collection() -> Iterator[None]:
    """While many objects are made that all stay, looking for garbage among them takes a third of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def run(_path: Path, data: bytes, _limit: Limit) -> Run:
    """run.json; what it does not name of its recipe is what it was when that was written."""
    found = msgspec.json.decode(data, type=Run)
    named = msgspec.json.decode(data, type=_Named)
    failure = found.failure
    if failure is not None and "cause" not in (named.failure or {}) and LEGACY_DIVERGED in failure.reason:
        failure = dataclasses.replace(failure, cause="diverged")
    return dataclasses.replace(found, recipe=with_legacy_defaults(found.recipe, named.recipe), failure=failure)


def history(path: Path, data: bytes, _limit: Limit) -> tuple[Epoch, ...]:
    """history.csv."""
    epochs, columns = [], [field.name for field in dataclasses.fields(Epoch)]
    for line, row in enumerate(_rows(path, data, columns, optional=EPOCH_OPTIONAL), 2):
        try:
            epochs.append(msgspec.convert({key: cell for key, cell in row.items() if cell}, Epoch, strict=False))
        except msgspec.ValidationError as error:
            text = _("{path}: line {line}: {reason}; accepted: numbers as written by commongarden")
            raise StoreError(text.format(path=path, line=line, reason=error)) from None
    return tuple(epochs)


def audits(_path: Path, data: bytes, _limit: Limit) -> dict[str, Audit]:
    """audit.json, without the audits of another version's making."""
    kept = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    schemas = {arm: msgspec.json.decode(raw, type=_Versioned).schema for arm, raw in kept.items()}
    return {arm: msgspec.json.decode(raw, type=Audit) for arm, raw in kept.items() if schemas[arm] == AUDIT_SCHEMA}


def command(_path: Path, data: bytes, _limit: Limit) -> tuple[str, ...]:
    """The words of command.json."""
    return tuple(map(str, msgspec.json.decode(data, type=_Command).argv))


def predictions(path: Path, data: bytes, limit: Limit) -> Predictions:
    """predictions.npz."""
    return _predictions_of(path, npz.read(path, data, limit), "probabilities")


def baselines(path: Path, data: bytes, limit: Limit) -> tuple[tuple[Baseline, Predictions], ...]:
    """baselines/KEY.npz."""
    kept = npz.read(path, data, limit)
    found = msgspec.json.decode(kept["baselines"].tobytes(), type=tuple[Baseline, ...])
    return tuple((item, _predictions_of(path, kept, f"probabilities_{item.kind}")) for item in found)


def thumbnails(path: Path, data: bytes, limit: Limit) -> dict[str, bytes]:
    """thumbnails.npz: JPEG bytes by photo."""
    kept = npz.read(path, data, limit)
    return {str(name): kept[f"jpeg_{i}"].tobytes() for i, name in enumerate(kept["photos"].ravel())}


def weights(_path: Path, data: bytes, _limit: Limit) -> bytes:
    """model.safetensors, of which every tensor lies within the file; the network that it is for reads them."""
    n_header = int.from_bytes(data[:8], "little")
    if n_header > min(len(data) - 8, MOST_HEADER):
        raise ValueError(f"its header has {n_header:,} bytes, and the file {len(data):,}")
    held = msgspec.json.decode(data[8 : 8 + n_header], type=dict[str, msgspec.Raw])
    tensors = [msgspec.json.decode(one, type=_Tensor) for name, one in held.items() if name != "__metadata__"]
    end, there = max((found.data_offsets[1] for found in tensors), default=0), len(data) - 8 - n_header
    if end != there:
        raise ValueError(f"its tensors end at {end:,}, and the file at {there:,}")
    return data


@dataclasses.dataclass(frozen=True)
class _Versioned:
    schema: int


@dataclasses.dataclass(frozen=True)
class _Named:
    recipe: dict[str, msgspec.Raw]
    failure: dict[str, msgspec.Raw] | None = None


class _Tensor(msgspec.Struct, forbid_unknown_fields=True):
    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


@dataclasses.dataclass(frozen=True)
class _Command:
    argv: list[Any]


def _text(path: Path, data: bytes) -> str:
    """Bytes of a text file that commongarden wrote. Raises StoreError."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        text = _("{path}: not UTF-8 text (byte {place}); accepted: the file as written by commongarden")
        raise StoreError(text.format(path=path, place=error.start)) from None


def _rows(path: Path, data: bytes, columns: list[str], optional: tuple[str, ...] = ()) -> list[dict[str, str]]:
    """The rows of a CSV file that commongarden wrote, by column. optional: columns that may be absent. Raises
    StoreError."""
    header, rows = _table(path, data, columns, optional)
    return [dict(zip(header, row, strict=True)) for row in rows]


def _table(
    path: Path, data: bytes, columns: list[str], optional: tuple[str, ...] = ()
) -> tuple[list[str], Iterator[list[str]]]:
    """The header and the rows, one after the other. Raises StoreError, also while the rows are read."""
    reader = csv.reader(io.StringIO(_text(path, data), newline=""))

    def rows() -> Iterator[list[str]]:
        line, n = 1, len(header)
        try:
            for row in reader:
                if not row:
                    continue
                line += 1
                if len(row) != n:
                    text = _("{path}: line {line}: found {n} cells, accepted: {wanted}, as in the header")
                    raise StoreError(text.format(path=path, line=line, n=len(row), wanted=n))
                yield row
        except csv.Error as error:
            raise StoreError(_("{path}: not a CSV file: {reason}").format(path=path, reason=error)) from None

    try:
        header = next((row for row in reader if row), [])
    except csv.Error as error:
        raise StoreError(_("{path}: not a CSV file: {reason}").format(path=path, reason=error)) from None
    wanted = [column for column in columns if column in header or column not in optional]
    if sorted(header) != sorted(wanted):
        raise StoreError(
            _("{path}: found other columns, accepted: {columns}").format(path=path, columns=",".join(columns))
        )
    return header, rows()


def _predictions_of(path: Path, kept: dict[str, np.ndarray], name: str) -> Predictions:
    try:
        photos, labels, probabilities = kept["photos"], kept["labels"], kept[name]
    except KeyError as error:
        text = _("{path}: found the arrays {found}; accepted: photos, labels and {name}")
        raise StoreError(text.format(path=path, found=", ".join(list(kept)[:8]) or _("none"), name=name)) from error
    dimensions = (photos.ndim, labels.ndim, probabilities.ndim) == (1, 1, 2)
    whole = dimensions and len(photos) == len(labels) == len(probabilities)
    kinds = (photos.dtype.kind, labels.dtype.kind, probabilities.dtype.kind) == ("U", "i", "f")
    if not (whole and kinds):
        text = _(
            "{path}: found arrays of shapes {shapes}; accepted: a path, a class index and probabilities for each photo"
        )
        shapes = [f"{array.dtype}{list(array.shape)}" for array in (photos, labels, probabilities)]
        raise StoreError(text.format(path=path, shapes=", ".join(shapes)))
    if len(labels) and not 0 <= labels.min() <= labels.max() < probabilities.shape[1]:
        raise ValueError(f"class {labels.max()} of {probabilities.shape[1]}")
    return Predictions(photos, labels, probabilities)
