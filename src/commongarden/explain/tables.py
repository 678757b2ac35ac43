"""Profiles and splits as JSON: every figure with its interval, so that a document can be made of it."""

from __future__ import annotations

from typing import Any

import msgspec

from commongarden.explain import noise, time_sentences
from commongarden.explain.kinds import reason_kind
from commongarden.explain.memory import need
from commongarden.explain.profile import profiles
from commongarden.explain.roofline import roofs
from commongarden.explain.time import TimePart, TimeSplit
from commongarden.records.timings import Timing


def profile_table(timing: Timing, depth: int, free: int | None = None) -> dict[str, Any]:
    """Every arm's profile, the machine's limits, and how quiet it was. free: bytes to reckon the largest batch with."""
    roof = roofs(timing)
    arms = []
    for arm, found in zip(timing.arms, profiles(timing, depth), strict=True):
        row: dict[str, Any] = {"input": list(arm.input), **msgspec.to_builtins(found)}
        row["memory"] = None
        if arm.memory is not None:
            row["memory"] = {**msgspec.to_builtins(arm.memory), **msgspec.to_builtins(need(arm.memory, free))}
        arms.append(row)
    limits = {
        "gmacs_per_second": roof.matmul,
        "matmul_side": timing.limits.matmul_side,
        "memory_gigabytes_per_second": roof.memory,
        "copies": [{"bytes": size, "gigabytes_per_second": rate} for size, rate in roof.copies],
    }
    return {**conditions(timing), "limits": limits, "arms": arms}


def split_table(timing: Timing, split: TimeSplit) -> dict[str, Any]:
    """A split with its sentence, its parts and its reasons."""
    return {
        **conditions(timing),
        "from": split.one,
        "to": split.two,
        "sentence": time_sentences.sentence(split),
        **{name: msgspec.to_builtins(getattr(split, name)) for name in ("ratio", "before", "after", "difference")},
        "parts": [_part(part) for part in split.parts],
        "kinds": msgspec.to_builtins(split.kinds),
        "rest": split.rest,
        "rest_share": split.rest_share,
        "reasons": [reason.to_row() for reason in time_sentences.reasons(split)],
    }


def conditions(timing: Timing) -> dict[str, Any]:
    """When and how it was timed."""
    found = noise.noise(timing)
    how = ("made", "processor", "device", "threads", "pinned", "processor_time", "repeats", "rounds")
    return {
        **{name: msgspec.to_builtins(getattr(timing, name)) for name in how},
        "noise": {**msgspec.to_builtins(found), "is_noisy": found.is_noisy},
        "energy": timing.energy,
    }


def _part(part: TimePart) -> dict[str, Any]:
    own = ("effect", "before", "after", "forward", "backward", "kinds", "arm", "path", "n_layers", "memory_bound")
    return {
        "name": time_sentences.part_name(part),
        "source": part.source,
        "kind": reason_kind(part),
        **{name: msgspec.to_builtins(getattr(part, name)) for name in own},
    }
