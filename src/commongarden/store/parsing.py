"""Records from bytes that may be torn, or written by somebody else: whatever they hold, a record or StoreError."""

from __future__ import annotations

import csv
import io
import textwrap
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np

from commongarden.errors import CommonGardenError, StoreError
from commongarden.i18n.language import _
from commongarden.records import Predictions

T = TypeVar("T")


def decoded(path: Path, data: bytes, kind: type[T], what: str) -> T:
    """JSON as a record. Raises StoreError."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, CommonGardenError) as error:
        raise StoreError(
            _("{path}: not {what}: {reason}; accepted: what commongarden wrote there").format(
                path=path, what=_(what), reason=textwrap.shorten(str(error), 300)
            )
        ) from None


def text_of(path: Path, data: bytes) -> str:
    """Bytes of a text file that commongarden wrote. Raises StoreError."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise StoreError(
            _("{path}: not UTF-8 text (byte {place}); accepted: what commongarden wrote there").format(
                path=path, place=error.start
            )
        ) from None


def rows_of(path: Path, data: bytes, columns: list[str], optional: tuple[str, ...] = ()) -> list[dict[str, str]]:
    """The rows of a CSV file that commongarden wrote, by column. optional: columns that may be absent. Raises
    StoreError."""
    try:
        header, *rows = [row for row in csv.reader(io.StringIO(text_of(path, data), newline="")) if row] or [[]]
    except csv.Error as error:
        raise StoreError(_("{path}: not a CSV file: {reason}").format(path=path, reason=error)) from None
    wanted = [column for column in columns if column in header or column not in optional]
    if sorted(header) != sorted(wanted):
        raise StoreError(_("{path}: found other columns than {columns}").format(path=path, columns=",".join(columns)))
    for line, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise StoreError(
                _("{path}: line {line}: found {n} cells, accepted: {wanted}, as in the header").format(
                    path=path, line=line, n=len(row), wanted=len(header)
                )
            )
    return [dict(zip(header, row, strict=True)) for row in rows]


def predictions_of(path: Path, kept: dict[str, np.ndarray], name: str) -> Predictions:
    try:
        photos, labels, probabilities = kept["photos"], kept["labels"], kept[name]
    except KeyError as error:
        raise StoreError(
            _("{path}: found the arrays {found}; accepted: photos, labels and {name}").format(
                path=path, found=", ".join(list(kept)[:8]) or _("none"), name=name
            )
        ) from error
    dimensions = (photos.ndim, labels.ndim, probabilities.ndim) == (1, 1, 2)
    whole = dimensions and len(photos) == len(labels) == len(probabilities)
    kinds = (photos.dtype.kind, labels.dtype.kind, probabilities.dtype.kind) == ("U", "i", "f")
    if not (whole and kinds):
        raise StoreError(
            _(
                "{path}: found arrays of {shapes}; accepted: a path, a class number and probabilities for each photo"
            ).format(
                path=path,
                shapes=", ".join(f"{array.dtype}{list(array.shape)}" for array in (photos, labels, probabilities)),
            )
        )
    return Predictions(photos, labels, probabilities)
