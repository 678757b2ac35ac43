"""Factors: options and recipe values whose combinations are the arms of a study.

    [factors]
    arch = ["plain_flower", "residual_flower"]
    order = ["LAB", "LBA"]

    [factors.base]                 # what all combinations have besides
    lr = 2e-3

spans four arms: plain_flower-LAB, plain_flower-LBA, residual_flower-LAB, residual_flower-LBA.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from commongarden import arch
from commongarden.errors import ArchError, StudyError, unknown
from commongarden.i18n.language import _
from commongarden.study import arm as arms
from commongarden.study.arm import Arm
from commongarden.study.conflicts import arm_conflicts
from commongarden.study.recipe import FIELDS

BASE = "base"  # the key of [factors.base]
MOST_ARMS = 1000
LONGEST = 64  # letters of an arm's name
Levels = dict[str, Any]


def levels(factors: Mapping[str, Sequence[Any]]) -> dict[str, tuple[Any, ...]]:
    """The factors with their levels. Raises StudyError for one with fewer than two different ones, and for too
    many combinations."""
    n = math.prod(len(values) for values in factors.values() if isinstance(values, list | tuple))
    if n > MOST_ARMS:
        text = _("factors: found {n:,} combinations, accepted: up to {most:,} (each is a model)")
        raise StudyError(text.format(n=n, most=MOST_ARMS))
    found = {}
    for name, values in factors.items():
        if not isinstance(values, list | tuple) or len(values) < 2:
            text = _(
                "factors.{name}: found {values!r}, accepted: a list of at least two levels; put a value "
                "shared by all models in [factors.base] or [recipe]"
            )
            raise StudyError(text.format(name=name, values=values))
        read = tuple(list(value) if isinstance(value, tuple) else value for value in values)
        for i, value in enumerate(read):
            if value in read[:i]:
                raise StudyError(_("factors.{name}: found the level {level!r} twice").format(name=name, level=value))
        found[name] = read
    return found


def check_names(factors: Mapping[str, Sequence[Any]], base: Mapping[str, Any]) -> None:
    """Refuses a factor that no architecture and no recipe knows. Somebody else's network may take any, which its maker
    judges. Raises StudyError."""
    named = factors.get("arch", [base["arch"]] if "arch" in base else [*arch.FAMILIES])
    named = named if isinstance(named, list | tuple) else [named]
    known = [name for name in named if isinstance(name, str) and name in arch.FAMILIES]
    if len(known) < len(named):
        return
    options = dict.fromkeys(option for name in known for option in arch.defaults(name))
    anywhere = {option for name in arch.FAMILIES for option in arch.defaults(name)}
    for name in factors:
        if name not in ("arch", *anywhere, *FIELDS):
            raise StudyError(unknown("factor", name, ["arch", *options, *FIELDS], where="factors"))


def combinations(factors: Mapping[str, Sequence[Any]]) -> list[Levels]:
    """Every combination of levels, the last factor changing first."""
    return [dict(zip(factors, values, strict=True)) for values in itertools.product(*factors.values())]


def names(factors: Mapping[str, Sequence[Any]]) -> dict[str, Levels]:
    """The name of each combination's arm, and its levels. Raises StudyError where two would have one name."""
    if not factors:
        return {}
    found: dict[str, Levels] = {}
    folded: dict[str, Levels] = {}
    for combination in combinations(factors):
        name = name_of(combination)
        if (other := folded.get(name.casefold())) is not None:
            text = _(
                "factors: {one} and {other} both give the name {name!r}; accepted: levels that differ in "
                "letters or digits"
            )
            raise StudyError(text.format(one=said(combination), other=said(other), name=name))
        folded[name.casefold()] = found[name] = combination
    return found


def grid(factors: Mapping[str, Sequence[Any]], base: Mapping[str, Any]) -> dict[str, tuple[Levels, Arm]]:
    """The arms that the factors span, by name. Raises StudyError naming the combination that cannot be built."""
    if not factors:
        text = _("factors: found [factors.base] without a factor; accepted: KEY = [LEVEL, LEVEL] in [factors]")
        raise StudyError(text)
    for key in base:
        if key in factors:
            text = _("factors.base.{key}: {key} is a factor; accepted: keys that are not factors")
            raise StudyError(text.format(key=key))
    if "arch" not in factors and "arch" not in base:
        raise StudyError(_('factors: found no arch; accepted: arch as a factor, or arch = "..." in [factors.base]'))
    return {name: (found, _made(name, found, base)) for name, found in names(factors).items()}


def _made(name: str, combination: Levels, base: Mapping[str, Any]) -> Arm:
    try:
        arm = arms.from_table(name, {**base, **combination})
        if arm.origin is None:
            arm.network(2)
    except (ArchError, StudyError) as error:
        cause = str(error).removeprefix(f"arms.{name}: ")
        text = _("factors: {combination} cannot be built: {cause}")
        raise StudyError(text.format(combination=said(combination), cause=cause)) from None
    return arm


def check_same(name: str, combination: Levels, made: Arm, declared: Arm) -> None:
    """Refuses an arm that has a combination's name and is another one. Raises StudyError."""
    different = arm_conflicts(name, made, declared)
    if different:
        text = _("arms.{name}: differs from the combination {combination} of the factors: {cause}")
        raise StudyError(text.format(name=name, combination=said(combination), cause="; ".join(different)))


def name_of(combination: Mapping[str, Any]) -> str:
    """The arm's name: the levels, joined.

    >>> name_of({"arch": "plain_flower", "order": "LBA", "lr": 0.01, "augment": ["flip", "crop"]})
    'plain_flower-LBA-lr_0.01-augment_flip+crop'
    """
    whole = "-".join(_word(key, value) for key, value in combination.items())
    if len(whole) <= LONGEST:
        return whole
    mark = hashlib.sha256(whole.encode()).hexdigest()[:6]
    return f"{whole[: LONGEST - 7].rstrip('.-+')}-{mark}"


def _word(key: str, value: Any) -> str:
    if key == "arch" and isinstance(value, str):
        with_name = re.split(r"[/\\]", value)[-1].removesuffix(".json")
        return _plain(with_name.replace(".py:", "-"))
    if isinstance(value, str):
        return _plain(value)
    return f"{key}_{_plain(shown(value))}"


def _plain(text: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", text).strip(".-") or "none"


def shown(value: Any) -> str:
    """A level as text.

    >>> shown(True), shown(["flip", "crop"]), shown([]), shown(0.001)
    ('true', 'flip+crop', 'none', '0.001')
    """
    if isinstance(value, list | tuple):
        return "+".join(map(shown, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def said(combination: Mapping[str, Any]) -> str:
    """A combination in words.

    >>> said({"arch": "plain_flower", "order": "LBA"})
    'arch = plain_flower, order = LBA'
    """
    return ", ".join(f"{key} = {shown(value)}" for key, value in combination.items())
