"""A study file for a person to edit: TOML with comments, lists on one line, without what nobody changed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from commongarden import arch
from commongarden.errors import ArchError, StudyError
from commongarden.i18n.language import N_, _
from commongarden.study import arm as arms
from commongarden.study import file
from commongarden.study.arm import Arm
from commongarden.study.declared import MOST_PAIRED, Study, run_seeds
from commongarden.study.design import DEFAULT_SEEDS

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
WIDEST = 40  # letters of a line up to its comment; a longer one does not push the others to the right

# What is written even where nobody changed it, and what it means
STUDY = {
    "name": "",
    "description": "",
    "data": N_("relative to the folder in which the command is given"),
    "seeds": N_("training runs of each model"),
    "folds": N_("in place of seeds"),
    "metric": N_("accuracy, balanced_accuracy, log_loss or calibration_error"),
    "margin": N_("equivalence margin, in points"),
    "reference": N_("the model that all others are compared with"),
}
RECIPE = {
    "resolution": N_("image size in pixels"),
    "epochs": "",
    "batch_size": "",
    "optimizer": N_("adam, adamw, sgd, lamb, lion, muon and others"),
    "lr": N_("learning rate"),
    "schedule": N_("constant, cosine or one-cycle"),
    "augment": N_('"flip", "crop", "colour", "rand-augment" and others'),
}
SPLIT = {"train": "", "val": N_("the rest is the test set")}
HEAD = N_("Edit this file, then run: commongarden run FILE (--dry-run --full prints every setting)")
RECIPE_HEAD = N_("how every model is trained")
ARMS_HEAD = N_("the alternatives to compare, called arms")
CONTRASTS_HEAD = N_("differences to test, chosen before seeing the results")
EVERY_PAIR = N_("every pair of models is compared; to compare fewer, list them:")
WITH_REFERENCE = N_("each other model is compared with {reference} (Dunnett's procedure: {n} comparisons)")
WITH_FIRST = N_("each model is compared with the first; to compare others, list them:")
Rows = Mapping[str, Any]


def editable(study: Study, *, full: bool = False) -> str:
    """The study as a file to edit and run; `study.read` gives the same study back.

    Args:
        study: what to write.
        full: whether to write every setting, those that nobody changed included.

    Returns:
        TOML, with comments in the language in use.
    """
    table = file.to_table(study)
    if study.seeds == run_seeds(len(study.seeds)) and not study.folds:
        table["study"]["seeds"] = len(study.seeds)
    if not full:
        table = _shortened(study, table)
    comments = {**STUDY, "data": ""} if study.data.startswith("builtin:") else STUDY
    return "\n\n".join((
        f"# {_(HEAD)}",
        _table("study", table["study"], comments),
        _table("recipe", table["recipe"], RECIPE, RECIPE_HEAD),
        _table("split", table["split"], SPLIT),
        *_tables("tuning", table.get("tuning", {})),
        *_tables("factors", table.get("factors", {})),
        *_headed(ARMS_HEAD, _tables("arms", table["arms"])),
        *_tables("published", table.get("published", {})),
        *_contrasts(study),
    )) + "\n"  # fmt: skip


def _headed(head: str, parts: list[str]) -> list[str]:
    return [f"# {_(head)}\n{parts[0]}", *parts[1:]] if parts else []


def _contrasts(study: Study) -> list[str]:
    """The planned comparisons; where there are none, one as a comment, to show how they are written."""
    if study.reference:
        n = len(study.arms) - 1
        return [f"# {_(WITH_REFERENCE).format(reference=study.reference, n=n)}"]
    if study.contrasts or study.factors or len(study.arms) < 2:
        named = [f"[[contrasts]]\n{_line('is', (pair.arm, pair.against))}" for pair in study.contrasts]
        return _headed(CONTRASTS_HEAD, named)
    first, second = list(study.arms)[:2]
    every = EVERY_PAIR if len(study.arms) <= MOST_PAIRED else WITH_FIRST
    return _headed(every, [f"# [[contrasts]]\n# {_line('is', (second, first))}"])


def _shortened(study: Study, table: dict[str, Any]) -> dict[str, Any]:
    """Without what is so by default, but for what people often change."""
    usual = file.to_table(Study("usual", "", {"one": next(iter(study.arms.values()))}, seeds=DEFAULT_SEEDS))
    for section, shown in (("study", STUDY), ("recipe", RECIPE), ("split", SPLIT)):
        kept = {
            key: value
            for key, value in table[section].items()
            if value != usual[section].get(key) or (key in shown and value != "")
        }
        order = [*(key for key in shown if key in kept), *(key for key in kept if key not in shown)]
        table[section] = {key: kept[key] for key in order}
    table["arms"] = {name: _arm(arm) for name, arm in study.arms.items()}
    if study.factors:
        table["arms"] = {name: values for name, values in table["arms"].items() if not study.levels_of(name)}
    return table


def _arm(arm: Arm) -> dict[str, Any]:
    """The arm's table without its architecture's defaults, and without what its file says as well."""
    table = arms.to_table(arm)
    with suppress(ArchError, StudyError):
        own = {key: value for key, value in arm.overrides.items() if (key, value) != ("pixels", "own")}
        again = Arm(arm.arch, arm.options, own, ablated=arm.ablated)  # pretrained models get their own pixels
        if again.overrides == arm.overrides and own != arm.overrides:
            del table["pixels"]
        if again.list_form == arm.list_form:
            table.pop("list_form", None)
        files = [
            (one.origin.code, one.origin.weights, one.origin.config) for one in (again, arm) if one.origin is not None
        ]
        if len(files) == 2 and files[0] == files[1]:
            del table["origin"]
    usual = {"weights": ""} if arm.origin is not None else {} if arm.list_form else arch.defaults(arm.arch)
    return {
        key: value
        for key, value in table.items()
        if key in ("arch", "order") or key not in arm.options or value != usual.get(key)
    }


def _tables(name: str, values: Rows) -> list[str]:
    """A table and the tables inside it, each under its own head."""
    plain = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
    inner = [(f"{name}.{_key(key)}", value) for key, value in values.items() if isinstance(value, Mapping) and value]
    own = [_table(name, plain)] if plain else []
    return [*own, *(text for head, value in inner for text in _tables(head, value))]


def _table(name: str, values: Rows, comments: Mapping[str, str] | None = None, head: str = "") -> str:
    lines = [_line(key, value) for key, value in values.items()]
    said = [_(comment) if (comment := (comments or {}).get(key, "")) else "" for key in values]
    width = max((len(line) for line, text in zip(lines, said, strict=True) if text and len(line) <= WIDEST), default=0)
    rows = [f"{line:<{width}}  # {text}" if text else line for line, text in zip(lines, said, strict=True)]
    title = f"[{name}]"
    return "\n".join([f"{title:<{width}}  # {_(head)}" if head else title, *rows])


def _line(key: str, value: object) -> str:
    return f"{_key(key)} = {toml(value)}"


def _key(key: str) -> str:
    return key if BARE_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def toml(value: object) -> str:
    """A value as TOML writes it, on one line.

    >>> toml(["a", 1, 0.5, True, {"b": "c"}])
    '["a", 1, 0.5, true, {b = "c"}]'
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, Iterable):
        return "[" + ", ".join(map(toml, value)) + "]"
    return str(value)
