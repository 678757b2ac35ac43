"""Study files: a study read from TOML and written to it."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import tomli_w

from commongarden.errors import ArchError, StudyError, check_known, unknown
from commongarden.i18n.language import _
from commongarden.io import terminal
from commongarden.io.fields import convert
from commongarden.study import arm as arms
from commongarden.study import moved, reading, toml_errors, tuning
from commongarden.study.declared import Contrast, Published, SplitPlan, Study, plain_text, whole_number
from commongarden.study.design import both
from commongarden.study.factorial import BASE
from commongarden.study.recipe import Recipe, with_legacy_defaults


def builtin_studies() -> tuple[str, ...]:
    """Names that `commongarden run` takes in place of a study file."""
    folder = resources.files("commongarden") / "studies"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


def read(path: str | Path) -> Study:
    """Reads a study file.

    Args:
        path: a TOML file, or the name of a built-in study ("demo", "flowers").

    Returns:
        The study, with every default filled in.

    Raises:
        StudyError: there is no such file, or a key or value in it is wrong; the message names the place.
        ArchError: an architecture, option or part in it is not known.
    """
    text = source(path)
    if text is None:
        raise _no_study(path)
    study = parse(text, where=str(path))
    if Path(path).is_file():
        for name, arm in study.arms.items():
            arms.check_file(arm, where=f"{path}: arms.{name}")
    return study


def source(path: str | Path) -> str | None:
    """The text of a study file, or of a built-in study; None where there is neither. Raises StudyError."""
    file = Path(path)
    if file.is_file():
        data = file.read_bytes()
        # Windows' editors write a mark before UTF-8; its shell writes UTF-16 where output is sent to a file
        encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
        try:
            return data.decode(encoding).replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            text = _("{path}: not UTF-8 text (byte {place}); a study file is TOML in UTF-8")
            raise StudyError(text.format(path=path, place=error.start)) from None
    if str(path) in builtin_studies():
        return (resources.files("commongarden") / "studies" / f"{path}.toml").read_text(encoding="utf-8")
    if str(path) in moved.STUDIES:
        example = moved.find(moved.STUDIES[str(path)])
        if example is None:
            raise StudyError(moved.missing(str(path), moved.STUDIES[str(path)]))
        return example.read_text(encoding="utf-8")
    return None


def _no_study(path: str | Path) -> StudyError:
    if Path(path).is_dir() or Path(path).suffix.lower() == ".csv":
        return StudyError(_("{path}: found photos, not a study file; did you mean --data {path}?").format(path=path))
    accepted = [*builtin_studies(), _("the path of a study file (TOML)")]
    return StudyError(unknown("study", str(path), accepted))


def parse(text: str, *, where: str = "study") -> Study:
    """The study that TOML text declares. Raises StudyError naming the place and the key."""
    table = loaded(text, where=where)
    if "datasets" in table:
        message = _("{where}: found [datasets]; accepted here: a study of one data set (`run` takes several)")
        raise StudyError(message.format(where=where))
    try:
        return from_table(table)
    except (StudyError, ArchError) as error:
        raise StudyError(f"{where}: {error}") from None


def loaded(text: str, *, where: str) -> dict[str, Any]:
    """TOML text as nested mappings. Raises StudyError naming the line, or the key of text that could do harm."""
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise StudyError(f"{where}: {toml_errors.sentence(error, text)}") from None
    try:
        _check_text(table, ())
    except StudyError as error:
        raise StudyError(f"{where}: {error}") from None
    return table


def parse_effective(text: str, *, where: str = "study") -> Study:
    """The study of an effective study file, as `dump` wrote it: what it does not name of its recipe, because an earlier
    version wrote it, is what it was then. Raises StudyError."""
    study, table = parse(text, where=where), tomllib.loads(text)
    study = dataclasses.replace(study, recipe=with_legacy_defaults(study.recipe, table.get("recipe", {})))
    if "near_duplicates" not in table.get("split", {}):  # of a version that knew of none, so its split is without
        study = dataclasses.replace(study, split=dataclasses.replace(study.split, near_duplicates="ignore"))
    return study


def _check_text(value: object, place: tuple[str, ...]) -> None:
    """Refuses text that would act on a terminal or could not be written into a report."""
    if isinstance(value, Mapping):
        for key, inside in value.items():
            if terminal.NOT_IN_NAMES.search(key):
                text = _("{where}: found the key {key!r}; accepted: keys without control characters")
                raise StudyError(text.format(where=".".join(place) or _("study file"), key=key[:80]))
            _check_text(inside, (*place, key))
    elif isinstance(value, list):
        for inside in value:
            _check_text(inside, place)
    elif isinstance(value, str):
        plain_text(value, ".".join(place))


SECTIONS = ("study", "recipe", "arms", "factors", "contrasts", "split", "published", "tuning")
STUDY_KEYS = (
    "name", "data", *reading.KEYS, "seeds", "seed", "vary", "folds", "description", "metric", "margin", "ablation",
    "range", "preset", "reference",
)  # fmt: skip


def from_table(table: Mapping[str, Any]) -> Study:
    """The study in nested mappings, laid out as in a study file."""
    check_known("section", table, SECTIONS, StudyError)
    head = _mapping(table, "study")
    check_known("key", head, STUDY_KEYS, StudyError, where="study")
    if "seeds" in head and "folds" in head:
        raise StudyError(both(head["seeds"], head["folds"]))
    factors = _mapping(table, "factors")
    published = dict(_mapping(table, "published"))
    source = _text(published, "source", "", where="published")
    published.pop("source", None)
    return Study(
        name=_text(head, "name", "study"),
        data=_text(head, "data", ""),
        description=_text(head, "description", ""),
        seeds=head.get("seeds", 3),
        seed=whole_number(head.get("seed", 0), "study.seed"),
        recipe=convert(Recipe, _mapping(table, "recipe"), where="recipe"),
        arms={name: arms.from_table(name, values) for name, values in _mapping(table, "arms").items()},
        split=convert(SplitPlan, _mapping(table, "split"), where="split"),
        contrasts=tuple(_contrasts(table.get("contrasts", []))),
        published={
            name: convert(Published, _mapping(published, name), where=f"published.{name}") for name in published
        },
        published_source=source,
        tuning=tuning.from_table(_mapping(table, "tuning")) if "tuning" in table else None,
        vary=head.get("vary", Study.vary),
        folds=head.get("folds", 0),
        factors={key: values for key, values in factors.items() if key != BASE},
        factor_base=dict(_mapping(factors, BASE)),
        metric=_text(head, "metric", "accuracy"),
        margin=head.get("margin", 1.0),
        ablation=_text(head, "ablation", ""),
        reading=reading.DataOptions(
            _text(head, "layout", ""), _text(head, "group_by", ""), head.get("merge_classes", False)
        ),
        range=head.get("range"),
        preset=_text(head, "preset", ""),
        reference=_text(head, "reference", ""),
    )


def to_table(study: Study) -> dict[str, Any]:
    """The study as nested mappings, every default written out: the effective study file."""
    table: dict[str, Any] = {
        "study": {
            "name": study.name,
            "description": study.description,
            "data": study.data,
            **reading.to_table(study.reading),
            **({"folds": study.folds} if study.folds else {"seeds": list(study.seeds)}),
            "seed": study.seed,
            "vary": list(study.vary),
            "metric": study.metric,
            "margin": study.margin,
            **({"ablation": study.ablation} if study.ablation else {}),
            **({"range": list(study.range)} if study.range is not None else {}),
            **({"preset": study.preset} if study.preset else {}),
            **({"reference": study.reference} if study.reference else {}),
        },
        "recipe": msgspec.to_builtins(study.recipe),
        "split": {key: value for key, value in dataclasses.asdict(study.split).items() if value is not None},
        "arms": {name: arms.to_table(arm) for name, arm in study.arms.items()},
        "contrasts": [{"is": [contrast.arm, contrast.against]} for contrast in study.contrasts],
    }
    if study.tuning is not None:
        table["tuning"] = tuning.to_table(study.tuning)
    if study.factors:
        base = {BASE: study.factor_base} if study.factor_base else {}
        table["factors"] = {**{name: list(values) for name, values in study.factors.items()}, **base}
    if study.published or study.published_source:
        table["published"] = {
            "source": study.published_source,
            **{
                name: {key: value for key, value in dataclasses.asdict(published).items() if value is not None}
                for name, published in study.published.items()
            },
        }
    return table


def dump(study: Study) -> str:
    """The effective study file as TOML text; `parse` gives the same study back."""
    return tomli_w.dumps(to_table(study))


def _contrasts(rows: object) -> Iterator[Contrast]:
    if not isinstance(rows, list):
        text = _('contrasts: found {rows!r}, accepted: [[contrasts]] with is = ["ARM", "ARM"]')
        raise StudyError(text.format(rows=rows))
    for row in rows:
        pair = row.get("is") if isinstance(row, Mapping) and set(row) == {"is"} else None
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(name, str) for name in pair):
            raise StudyError(_('contrasts: found {row!r}, accepted: is = ["ARM", "ARM"]').format(row=row))
        yield Contrast(*pair)


def _mapping(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = table.get(key, {})
    if not isinstance(value, Mapping):
        raise StudyError(_("{key}: found {value!r}, accepted: a table ([{key}])").format(key=key, value=value))
    return value


def _text(table: Mapping[str, Any], key: str, default: str, *, where: str = "study") -> str:
    value = table.get(key, default)
    if not isinstance(value, str):
        raise StudyError(
            _("{where}.{key}: found {value!r}, accepted: text in quotes").format(where=where, key=key, value=value)
        )
    return value
