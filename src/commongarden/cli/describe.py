"""One network, the difference between two, and twins, as tables and JSON for the command line."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from commongarden import arch, sentences
from commongarden.arch import Difference, Edit, Serial, Shape, Twin
from commongarden.arch.listfile import is_list_file
from commongarden.i18n.language import N_, _, current, in_register, pgettext
from commongarden.io import terminal
from commongarden.io.terminal import DASH
from commongarden.records.timings import PATH
from commongarden.study import arm as arms
from commongarden.study.arm import Arm
from commongarden.study.recipe import Recipe

ACTIONS = {"add": N_("add"), "remove": N_("remove"), "change": N_("change"), "move": N_("move")}


def arm_of(text: str, order: str | None = None, options: Mapping[str, Any] | None = None) -> Arm:
    """An arm as people type it; `order` is that of one that does not say its own ("plain_flower:LA"), `options` are
    others of the architecture.

    Raises ArchError, StudyError.
    """
    _name, arm = arms.from_text(text)
    given = dict(options or {})
    if order is not None and (":" not in text or is_list_file(text)):
        given["order"] = order
    return Arm(arm.arch, {**arm.options, **given}) if given else arm


def table(arm: str, network: Serial, shape: Shape, n_classes: int, unknown: str = "") -> dict[str, Any]:
    """Everything that is known of a network without building it, ready for JSON. unknown: why some of one by others
    could not be counted."""
    layers, cost, fields = arch.trace(network, shape), arch.cost(network, shape), arch.receptive_fields(network, shape)
    return {
        "arch": arm,
        "input": list(shape),
        "classes": n_classes,
        "n_params": cost.n_params,
        "macs": _counted(cost.macs),
        "activation_bytes": _counted(cost.activation_bytes),
        **({"not_counted_because": unknown} if unknown else {}),
        "depth": arch.depth(network) or None,  # a network by others is one layer to us
        "hash": arch.hash(network),
        "trunk": [{"layer": name, "output": list(output)} for name, output in arch.trunk(network, shape)],
        "layers": [
            {
                "path": PATH.join(layer.path),
                "kind": type(layer.node).__name__,
                "output": list(layer.output),
                "n_params": layer.n_params,
                "macs": _counted(layer.macs),
                "activation_bytes": _counted(layer.activation_bytes),
                "receptive_field": list(fields[layer.path]),
                "share_of_params": layer.n_params / cost.n_params if cost.n_params else 0.0,
                "share_of_macs": layer.macs / cost.macs if cost.macs > 0 else 0.0,
            }
            for layer in layers
        ],
    }


def _counted(value: int) -> int | None:
    return None if value == arch.UNKNOWN else value


def rewritten_table(
    found: dict[str, Any], network: Serial, shape: Shape, n_classes: int
) -> tuple[Serial, dict[str, Any]]:
    """The network as a recipe that says nothing else has it built, and its table in place of `found`; the hash stays
    that of the network as it was declared."""
    made, done = arch.rewritten(network, shape, Recipe().rewrites)
    assert isinstance(made, Serial)
    rows = [
        {"name": one.name, "path": PATH.join(one.path), "other": PATH.join(one.other), "saved": one.saved}
        for one in done
    ]
    return made, {**table(found["arch"], made, shape, n_classes), "hash": found["hash"], "rewrites": rows}


def print_table(found: dict[str, Any]) -> None:
    """The layers as a table in the terminal, and what they come to."""
    from commongarden.io.fitted import Fitted, columns

    texts = [_("layer"), pgettext("of a layer", "kind")]
    figures = [pgettext("of a layer", "output"), _("parameters"), "%", _("MACs"), "%", pgettext("receptive", "field")]
    picture = columns(texts, figures)
    for layer in found["layers"]:
        height, width = layer["receptive_field"]
        picture.add_row(
            layer["path"].partition(PATH)[2] or layer["path"],
            layer["kind"],
            arch.show_shape(tuple(layer["output"])),
            *_with_share(layer["n_params"], layer["share_of_params"]),
            *_with_share(layer["macs"], layer["share_of_macs"]),
            f"{height}x{width}",
        )
    console = terminal.console()
    console.print(Fitted(picture))
    size = {
        "arch": found["arch"],
        "input": arch.show_shape(tuple(found["input"])),
        "n_params": found["n_params"],
        "macs": found["macs"],
        "megabytes": (found["activation_bytes"] or 0) / 1e6,
    }
    if None in (found["macs"], found["activation_bytes"]):
        cost = _(
            "{arch} at {input}: {n_params:,} parameters, {macs} MACs, {megabytes} MB of activations "
            "per image. Incomplete count: {reason}."
        ).format(**{**size, **_with_dashes(found)}, reason=found.get("not_counted_because", ""))
    elif found["depth"]:
        cost = _(
            "{arch} at {input}: {n_params:,} parameters, {macs:,} MACs (FLOPs = 2 x MACs), "
            "{megabytes:,.2f} MB of activations per image, depth {depth}."
        ).format(depth=found["depth"], **size)
    else:
        cost = _(
            "{arch} at {input}: {n_params:,} parameters, {macs:,} MACs (FLOPs = 2 x MACs), "
            "{megabytes:,.2f} MB of activations per image, depth unknown."
        ).format(**size)
    field = _("Field: receptive field in input pixels, including padding.")
    click.echo(f"{cost} {field}")
    for line in _rewrites(found):
        click.echo(line)


def _rewrites(found: dict[str, Any]) -> Iterator[str]:
    """A line for each rewrite, where it was asked for them."""
    for row in found.get("rewrites", ()):
        path, other = (row[key].partition(PATH)[2] for key in ("path", "other"))
        yield _(
            "{name}: {path} runs before {other}, which saves {saved:,} multiply-adds and additions per image."
        ).format(name=row["name"], path=path, other=other.rpartition(PATH)[2], saved=row["saved"])
    if found.get("rewrites") == []:
        yield _("No rewrite applies: the network is built as declared.")


def difference_table(names: tuple[str, str], found: Difference, shape: Shape, n_classes: int) -> dict[str, Any]:
    """The difference ready for JSON, with its sentence in every language."""
    return {
        "from": names[0],
        "to": names[1],
        "input": list(shape),
        "classes": n_classes,
        "n_edits": found.n_edits,
        "edits": [_edit(edit) for edit in found.edits],
        "before": _size(found.before),
        "after": _size(found.after),
        "sentence": {lang: sentences.difference(found, lang) for lang in sentences.LANGUAGES},
    }


def print_difference(names: tuple[str, str], found: Difference) -> None:
    """What it costs before and after, the edits, and the sentence."""
    from commongarden.io.fitted import Fitted, columns

    rows = (_("parameters"), _("MACs"), _("activation bytes"), _("depth"))
    figures = [_("before"), _("after"), pgettext("in cost", "change")]
    sizes = columns([""], figures, title=f"{names[0]} → {names[1]}", title_justify="left")
    for row, one, two in zip(rows, *map(dataclasses.astuple, (found.before, found.after)), strict=True):
        if arch.UNKNOWN in (one, two):
            sizes.add_row(row, *(DASH if value == arch.UNKNOWN else f"{value:,}" for value in (one, two)), DASH)
            continue
        sizes.add_row(row, f"{one:,}", f"{two:,}", f"{two - one:+,}" + (f" ({(two - one) / one:+.1%})" if one else ""))
    edits = columns([], [], show_header=False)
    for edit in found.edits:
        what = " → ".join(dict.fromkeys(_short(part) for part in (edit.before, edit.after) if part is not None))
        path = PATH.join(edit.paths[0][1:]) or edit.paths[0][0]
        edits.add_row(f"{edit.count} ×", _(ACTIONS[edit.action]), what, _("first at: {path}").format(path=path))
    console = terminal.console()
    console.print(Fitted(sizes))
    if found.edits:
        console.print()
        console.print(Fitted(edits), highlight=False)
    console.print()
    click.echo(in_register(sentences.difference(found, current())))


def twins_table(found: Sequence[Twin], equal: str, blocks: str, stem: int, order: str) -> dict[str, Any]:
    """Twins ready for JSON: each as the arm of a study file, with its cost and what still differs, in per cent."""
    residual = next(twin for twin in found if twin.form == "residual")
    return {
        "equal": equal,
        "twins": [
            {
                "arch": f"{twin.form}_twin",
                "widths": ",".join(map(str, twin.widths)),
                "blocks": blocks,
                "stem": stem,
                "order": order,
                **dataclasses.asdict(twin.cost),
                "depth": twin.depth,
                "percent_from_residual": twin.differs(residual),
            }
            for twin in found
        ],
    }


def print_twins(found: dict[str, Any]) -> None:
    """What the twins cost, with what still differs from the residual form in per cent, and the study file's arms."""
    from commongarden.io.fitted import Fitted, columns

    costs = {
        "n_params": _("parameters"),
        "macs": _("MACs"),
        "activation_bytes": _("activation bytes"),
        "depth": _("depth"),
    }
    picture = columns([_("twin"), _("widths")], list(costs.values()))
    for twin in found["twins"]:
        numbers = [f"{twin[key]:,} ({twin['percent_from_residual'][key]:+.2f} %)" for key in costs]
        picture.add_row(twin["arch"], twin["widths"], *numbers)
    console = terminal.console()
    console.print(Fitted(picture))
    text = _(
        "\nPercentages are relative to the residual form. The widths are chosen to match {what}. For a study file:\n"
    )
    click.echo(text.format(what=costs[found["equal"]]))
    for twin in found["twins"]:
        name = twin["arch"].removesuffix("_twin")
        keys = ("arch", "widths", "blocks", "stem", "order")
        lines = [f"{key} = {json.dumps(twin[key])}" for key in keys]
        terminal.verbatim("\n".join([f"[arms.{name}]", *lines, "\n"]))


def _size(size: Any) -> dict[str, Any]:
    return {key: None if value == arch.UNKNOWN else value for key, value in dataclasses.asdict(size).items()}


def _with_dashes(found: dict[str, Any]) -> dict[str, str]:
    macs, n_bytes = found["macs"], found["activation_bytes"]
    return {
        "macs": DASH if macs is None else f"{macs:,}",
        "megabytes": DASH if n_bytes is None else f"{n_bytes / 1e6:,.2f}",
    }


def _with_share(count: int | None, share: float) -> tuple[str, str]:
    if count is None:
        return DASH, DASH
    return (f"{count:,}", f"{100 * share:.1f}") if count else ("", "")


def _edit(edit: Edit) -> dict[str, Any]:
    return {
        "action": edit.action,
        "count": edit.count,
        "before": None if edit.before is None else _short(edit.before),
        "after": None if edit.after is None else _short(edit.after),
        "inside": [_short(part) for part in edit.inside],
        "place": edit.place,
        "anchor": edit.anchor,
        "paths": [PATH.join(path) for path in edit.paths],
    }


def _short(part: object) -> str:
    """A node as code, without the fields that hold their defaults; a sum, module, branch or shortcut by its kind."""
    if isinstance(part, arch.Joint):
        return part.kind if part.channels in ("", "equal") else f"{part.kind}(channels={part.channels!r})"
    assert dataclasses.is_dataclass(part)
    values = [
        f"{field.name}={getattr(part, field.name)!r}"
        for field in dataclasses.fields(part)
        if getattr(part, field.name) != field.default and getattr(part, field.name) != arch.UNKNOWN
    ]
    return f"{type(part).__name__}({', '.join(values)})"
