"""What each part of a network is worth, in sentences and as a table."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

from commongarden.i18n.language import N_, _
from commongarden.records import Estimate
from commongarden.report.document import Cell
from commongarden.report.wording import designs, effects, numbers, verdicts
from commongarden.report.wording.labels import TEXT
from commongarden.report.wording.sizes import amount, margin, plus, signed
from commongarden.stats import METRICS, PartContribution, PartContributions, Results

PARTS = {
    "shortcuts": N_("shortcuts"),
    "1x1 reductions": N_("1x1 reductions"),
    "grid reductions": N_("grid reductions"),
    "normalization": N_("normalization"),
    "dropout": N_("dropout"),
    "auxiliary heads": N_("auxiliary heads"),
    "max pool to avg pool": N_("max pool rather than average pool"),
    "avg pool to max pool": N_("average pool rather than max pool"),
}
COLUMNS = ("worth_accuracy", "seconds", "n_params", "macs")


def question(found: PartContributions) -> str:
    """What was held against what."""
    return _("{arm} compared with variants of one change each.").format(arm=found.arm)


def name(part: PartContribution) -> str:
    """What was taken out or swapped, as a reader calls it."""
    said = [_part(text) for text in part.parts]
    said += [_("{key} {ours} rather than {theirs}").format(key=k, ours=one, theirs=two) for k, one, two in part.swaps]
    return ", ".join(said) or part.arm


def _part(text: str) -> str:
    what, of, place = text.partition(" of ")
    if not of:
        return _(PARTS[text]) if text in PARTS else text
    return _("{part} of {place}").format(part=_(PARTS[what]) if what in PARTS else what, place=place)


def sentence(part: PartContribution, results: Results) -> str:
    """What a part is worth, with its evidence, and what it costs."""
    return f"{_worth(part, results)} {_cost(part)}"


def _worth(part: PartContribution, results: Results) -> str:
    metric, what = results.metric, name(part)
    found = part.adjusted or part.difference
    if part.difference is None or found is None:
        return _("{part}: no seed has finished both with and without it.").format(part=what)
    value = signed(metric, part.difference.value)
    if found.low is None or found.high is None:
        return _("{part}: {value} in one run of each; one seed gives no interval.").format(part=what, value=value)
    if part.outcome == "better":
        said = _("{part}: contributes {size} (95 % CI {interval}, {n}).")
    elif part.outcome == "worse":
        said = _("{part}: the network is better without it, by {size} (95 % CI {interval}, {n}).")
    elif part.outcome == "equivalent":
        said = _("{part}: contributes less than {margin} in either direction: {value} ({level} CI {interval}, {n}).")
        found = part.equivalence or found
    elif part.outcome == "two seeds":
        said = _("{part}: exploratory, with two seeds: {value} (95 % CI {interval}).")
    else:
        said = _("{part}: not significant: {value} (95 % CI {interval}, {n}).")
    return said.format(
        part=what,
        level=verdicts.confidence(part.equivalence_level),
        size=amount(metric, abs(part.difference.value)),
        value=value,
        interval=effects.interval(metric, found),
        n=designs.repeats(part.difference.n, results.folds),
        margin=margin(metric, results.margin),
    )


def _cost(part: PartContribution) -> str:
    sized = {"n_params": f"{part.n_params:+,}" if part.n_params else "0", "macs": _short(part.macs)}
    if part.seconds is None:
        return _("Cost: {n_params} parameters and {macs} MACs.").format(**sized)
    sized["time"] = _signed(part.seconds.value)
    if part.seconds.low is None or part.seconds.high is None:
        return _("Cost: {n_params} parameters, {macs} MACs and {time} s per run.").format(**sized)
    said = _("Cost: {n_params} parameters, {macs} MACs and {time} s per run ({low} to {high}).")
    return said.format(**sized, **_ends(part.seconds))


def _ends(found: Estimate) -> dict[str, str]:
    assert found.low is not None
    assert found.high is not None
    return {"low": numbers.number(found.low, found.value), "high": numbers.number(found.high, found.value)}


def _signed(value: float) -> str:
    text = numbers.number(value)
    return f"+{text}" if value > 0 and any(digit in text for digit in "123456789") else text


def _short(n: int) -> str:
    text = numbers.short(abs(n)).replace(" ", "\N{NO-BREAK SPACE}")
    return f"{'+' if n > 0 else '-' if n < 0 else ''}{text}"


def cells(part: PartContribution, results: Results) -> tuple[Cell, ...]:
    """As COLUMNS: a value, and its interval."""
    found = part.adjusted or part.difference
    accuracy = time = Cell("")
    if found is not None:
        accuracy = Cell(plus(results.metric, found.value), effects.interval(results.metric, found))
    if part.seconds is not None:
        has_interval = part.seconds.low is not None and part.seconds.high is not None
        below = _("{low} to {high}").format(**_ends(part.seconds)) if has_interval else ""
        time = Cell(_signed(part.seconds.value), below)
    return accuracy, time, Cell(f"{part.n_params:+,}" if part.n_params else "0"), Cell(_short(part.macs))


def table(results: Results, found: PartContributions) -> Table:
    """The parts for a terminal, the most valuable first."""
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, title=TEXT["worth"], title_justify="left")
    shown.add_column(
        TEXT["worth_part"], overflow="fold", min_width=min(26, max(len(name(part)) for part in found.parts))
    )
    for key in COLUMNS:
        below = unit(key, results)
        shown.add_column(f"{TEXT[key]}\n{below}" if below else TEXT[key], justify="right", no_wrap=True)
    for part in found.parts:
        shown.add_row(Text(name(part)), *(cell.lines for cell in cells(part, results)))
    return shown


def unit(key: str, results: Results) -> str:
    """The unit of one of COLUMNS."""
    if key == "worth_accuracy":
        return TEXT["unit_worth" if METRICS[results.metric].unit == "points" else "unit_log_loss"]
    return TEXT["unit_seconds"] if key == "seconds" else ""
