"""A split of time in sentences, and the reasons in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from commongarden.arch import Edit
from commongarden.arch.difference import kind
from commongarden.explain.kinds import INSIDE, KINDS, reason_kind
from commongarden.explain.memory import Need
from commongarden.explain.profile import Profile, ProfileRow
from commongarden.explain.roofline import Roofs
from commongarden.explain.time import LEAST_SHARE, TimePart, TimeSplit
from commongarden.i18n.coded import Coded
from commongarden.i18n.language import N_, _, recorded, translate, with_commas
from commongarden.records import Estimate
from commongarden.records.reason import Reason

PHASE_NAMES = {
    "data": N_("data"), "forward": N_("forward"), "loss": N_("loss"), "backward": N_("backward"),
    "optimizer": N_("optimizer"), "other": N_("overhead"),
}  # fmt: skip
OTHERS = {
    "images": N_("shared layers, other image size"),
    "same": N_("shared layers, same work"),
    "passing": N_("overhead between layers"),
    "data": N_("data loading"),
    "loss": N_("loss"),
    "optimizer": N_("optimizer"),
    "other": N_("loop overhead"),
}


def kind_name(name: str) -> str:
    """A kind of layer in the language in use; a class of other people's by its own name."""
    return _(KINDS[name]) if name in KINDS else name


def part_name(part: TimePart) -> str:
    """What a part is, in a few words."""
    if part.edit is not None:
        return _edit_name(part.edit)
    if part.source in ("layer", "only"):
        what = kind_name(next(iter(part.kinds)))
        if part.source == "layer":
            return _("{what} computed differently").format(what=what)
        return _("{n} × {what} only in {arm}").format(n=part.n_layers, what=what, arm=part.arm)
    return _(OTHERS[part.source])


def _edit_name(edit: Edit) -> str:
    said = {
        "add": _("{n} × {what} added"),
        "remove": _("{n} × {what} removed"),
        "change": _("{n} × {what} changed"),
        "move": _("{n} × {what} moved"),
    }[edit.action].format(n=edit.count, what=kind_name(kind(edit.part)))
    inside = Counter(kind(part) for part in edit.inside if kind(part) in INSIDE)
    details = [_("{n} × {what}").format(n=n, what=kind_name(name)) for name, n in inside.items()]
    details += [f"{name} {_value(before)} → {_value(after)}" for name, before, after in edit.fields]
    if not details:
        return said
    if edit.action == "change":
        template = _("{said} (what changes: {details})")
    else:
        template = _("{said} (with {details} inside)") if edit.count == 1 else _("{said} (each with {details})")
    return template.format(said=said, details=with_commas(details))


def _value(value: object) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


def sentence(split: TimeSplit) -> str:
    """One sentence: the ratio with its interval, and the first reasons with theirs."""
    compared = {
        "one": split.one,
        "two": split.two,
        "ratio": f"{split.ratio.value:.2f}",
        **_ends(split.ratio, "{:.2f}".format),
        "ms_one": _ms(split.before.value),
        "ms_two": _ms(split.after.value),
    }
    said = _(
        "A step of {two} takes {ratio} times as long as a step of {one} (95 % CI {low} to {high}; {ms_two} "
        "against {ms_one} ms)"
    ).format(**compared)
    if not split.reasons:
        return _("{said}; no reason was identified.").format(said=said)
    return _("{said}; the largest part: {reason}.").format(said=said, reason=_effect(split, split.reasons[0]))


def part_sentence(split: TimeSplit, part: TimePart) -> str:
    """A reason by itself, with its interval and its place."""
    said = _effect(split, part)
    if not part.path:
        return _("{said}.").format(said=said)
    return _("{said}; most of it at {path} in {arm}.").format(said=said, path=part.path, arm=part.arm)


def rest_sentence(split: TimeSplit) -> str:
    """What the parts leave."""
    return _(
        "The parts sum to {parts} of {difference} ms; {rest} ms are unattributed, {share} % of the slower step."
    ).format(
        parts=_signed(split.difference.value - split.rest),
        difference=_signed(split.difference.value),
        rest=_signed(split.rest),
        share=f"{100 * split.rest_share:.1f}",
    )


def reasons(split: TimeSplit) -> tuple[Reason, ...]:
    """The parts that may be called reasons, as records, the largest first."""
    with recorded():
        return tuple(
            Reason("time", reason_kind(part), part.arm, part.path, part.effect, part_sentence(split, part))
            for part in split.reasons
        )


def _effect(split: TimeSplit, part: TimePart) -> str:
    share = part.effect.value / split.difference.value
    given = {
        "what": part_name(part),
        "effect": _signed(part.effect.value),
        **_ends(part.effect, _signed),
        "share": f"{abs(share):.0%}".replace("%", " %"),
    }
    if share < 0:
        return _("{what}, {effect} ms per step ({low} to {high}), in the opposite direction").format(**given)
    if abs(share) >= 0.995:
        return _("{what}, {effect} ms per step ({low} to {high})").format(**given)
    return _("{what}, {effect} ms per step ({low} to {high}), {share} of the difference").format(**given)


def _ms(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def _signed(value: float) -> str:
    text = f"{value:+.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else text


def _ends(found: Estimate, write: Callable[[float], str]) -> dict[str, str]:
    """The ends of an interval; "?" where there is none."""
    ends = {"low": found.low, "high": found.high}
    return {name: "?" if end is None else write(end) for name, end in ends.items()}


def by_kind(split: TimeSplit) -> str:
    """The same difference by kind of layer."""
    found = [
        _("{what} {effect} ({low} to {high})").format(
            what=kind_name(name), effect=_signed(value.value), **_ends(value, _signed)
        )
        for name, value in split.kinds.items()
        if abs(value.value) >= LEAST_SHARE * split.slower
    ]
    return _("By kind of layer, in ms per step: {kinds}.").format(kinds="; ".join(found) or "0")


def step(found: Profile) -> str:
    """An arm's step by phase."""
    phases = "; ".join(
        _("{phase} {ms} ({low} to {high})").format(
            phase=_(PHASE_NAMES[phase]), ms=_ms(value.value), **_ends(value, _ms)
        )
        for phase, value in found.phases.items()
    )
    return _(
        "{arm}: {ms} ms per step ({low} to {high}) of {batch} images, {rate:,.0f} images/s; in ms: {phases}."
    ).format(
        arm=found.arm,
        ms=_ms(found.step.value),
        **_ends(found.step, _ms),
        batch=found.batch,
        rate=found.rate,
        phases=phases,
    )


def columns(first: str) -> list[str]:
    """The heads of a table of `cells`."""
    return [
        first, _("forward ms"), _("backward ms"), _("% of step"), _("MMACs"), _("MB moved"), _("MACs/byte"),
        _("GMACs/s"), _("% of limit"),
    ]  # fmt: skip


def cells(row: ProfileRow, is_block: bool) -> tuple[str, ...]:
    """A row of a profile as text, by block or by kind."""
    name = (row.name or _("outside layers: overhead, pixels")) if is_block else kind_name(row.name)
    return (
        name,
        _cell(row.forward),
        _cell(row.backward),
        f"{100 * row.share:.1f}",
        f"{row.macs / 1e6:,.1f}" if row.macs else "",
        f"{row.n_bytes / 1e6:,.2f}" if row.n_bytes else "",
        f"{row.intensity:.1f}" if row.macs and row.intensity is not None else "",
        f"{row.rate:.1f}" if row.macs else "",
        "" if row.percent_of_limit is None else f"{row.percent_of_limit:.0f}{' m' if row.memory_bound else ''}",
    )


def more(found: Profile, memory: Need | None, energy: Coded) -> Iterator[str]:
    """What torch's profiler saw, memory, energy."""
    if found.operators:
        rows = [f"{name.removeprefix('aten::')} {100 * share.value:.1f} %" for name, share in found.operators.items()]
        yield _("By PyTorch operator, as a share of the profiled time: {operators}.").format(
            operators=", ".join(rows[:8])
        )
    if memory is not None:
        yield need(memory)
    if found.joules is not None:
        said = _("{joules:.2f} J per step ({low} to {high}): {source}.")
        yield said.format(joules=found.joules.value, **_ends(found.joules, _ms), source=translate(energy))
    else:
        yield _("{reason}.").format(reason=translate(energy))


def need(memory: Need) -> str:
    """Peak memory and the largest batch."""
    given = {
        "fixed": f"{memory.fixed / 1e6:,.0f}",
        "each": f"{memory.each / 1e6:,.2f}",
        "free": f"{memory.free / 1e9:,.1f}",
        "misfit": f"{100 * memory.misfit:.0f}",
    }
    if memory.largest is None:
        return _("At its peak, training adds {fixed} MB at every batch size tried.").format(**given)
    return _(
        "At its peak, training adds {fixed} MB plus {each} MB per image of a batch (within {misfit} % at "
        "three batch sizes, each in a separate process). The largest batch that fits into {free} GB is "
        "{largest}."
    ).format(largest=f"{memory.largest:,}", **given)


def limits(roof: Roofs, side: int) -> str:
    """What the machine can do, measured in the same run."""
    return _(
        "Limits of this machine, measured in the same run: {macs:.1f} billion multiply-adds per second "
        "(float32 matrices of {side}x{side}), {memory:.1f} GB/s copied in memory, {cache:.1f} GB/s in a "
        "cache. Limit of a block: the minimum time for its multiply-adds or its bytes, summed over its "
        "layers (bytes at the rate of a copy of that size); m: the bytes set it."
    ).format(macs=roof.matmul, side=side, memory=roof.memory, cache=roof.cache)


def _cell(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return f"{found.value:.2f}"
    return f"{found.value:.2f} [{found.low:.2f} {found.high:.2f}]"
