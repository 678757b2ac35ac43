"""Commands on networks: describe, diff, twins, audit, list."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commongarden.cli import options
from commongarden.cli.group import main, option
from commongarden.cli.options import as_json, chain, no_code, print_json, shape_of, write
from commongarden.cli.settings import key_and_value, setting
from commongarden.errors import ArchError, StudyError
from commongarden.i18n.language import _, translate
from commongarden.io import terminal

if TYPE_CHECKING:
    from commongarden.arch import Serial
    from commongarden.study.arm import Arm


@main.command()
@click.argument("arm")
@options.network_options
@option(
    "--option",
    "settings",
    multiple=True,
    formerly="--set",
    metavar=options.SETTING,
    help="Set an option of the architecture; may be repeated.",
)
@options.svg
@option("--depth", type=click.IntRange(min=1), help="Levels of blocks to draw; deeper blocks become one box [all].")
@option("--rewritten", is_flag=True, help="Show the network as built for training, with its rewrites.")
@no_code
@as_json
def describe(
    arm: str,
    size: str,
    classes: int,
    order: str | None,
    settings: tuple[str, ...],
    svg: Path | None,
    depth: int | None,
    rewritten: bool,
    as_json: bool,
) -> None:
    """Show a network layer by layer: output shape, parameters, MACs, receptive field.

    ARM is an architecture, with or without its order (inception_flower:LA), a file in list form (FILE.json), or a
    network of a library or your own: torchvision:NAME, timm:NAME, FILE.py:FACTORY, package.module:FACTORY.
    Measuring one of these runs its code.
    """
    from commongarden.cli import describe as describing

    shape = shape_of(size)
    known = _known(arm, classes, order, shape, dict(map(_option, settings)))
    network = known.network(classes)
    unknown = translate(known.origin.why_unknown) if known.origin is not None else ""
    found = describing.table(arm, network, shape, classes, unknown)
    if rewritten:
        network, found = describing.rewritten_table(found, network, shape, classes)
    if svg is not None:
        from commongarden import drawing

        if as_json:
            text = _("{one} and {two}: found both, accepted: one of them")
            raise click.UsageError(text.format(one="--svg", two="--json"))
        write(svg, drawing.svg(network, shape, depth=depth, title=_("{arm} at {size}").format(arm=arm, size=size)))
        return
    if depth is not None:
        raise click.UsageError(_("--depth: found no --svg FILE, accepted: both together"))
    if as_json:
        print_json(found)
    else:
        describing.print_table(found)


@main.command()
@click.argument("one")
@click.argument("two")
@options.network_options
@no_code
@as_json
def diff(one: str, two: str, size: str, classes: int, order: str | None, as_json: bool) -> None:
    """Show how two networks differ: the fewest edits that turn ONE into TWO, and their cost.

    Each is an architecture, with or without its order (inception_flower:LA), or a file in list form (FILE.json).
    """
    from commongarden import arch
    from commongarden.cli import describe as describing

    shape = shape_of(size)
    before, after = (network_of(name, classes, order, shape) for name in (one, two))
    found = arch.difference(before, after, shape)
    if as_json:
        print_json(describing.difference_table((one, two), found, shape, classes))
    else:
        describing.print_difference((one, two), found)


@main.command()
@chain(options.input_size(), options.classes())
@option("--equal", default="n_params", show_default=True, help="Cost to match: n_params or macs.")
@option("--widths", default="16,32,64", show_default=True, help="Channels of each stage.")
@option("--blocks", default="2,2,2", show_default=True, help="Blocks of each stage.")
@option("--stem", default=16, show_default=True, type=click.IntRange(min=1), help="Channels of the stem.")
@options.order("LBA")
@as_json
def twins(size: str, classes: int, equal: str, widths: str, blocks: str, stem: int, order: str, as_json: bool) -> None:
    """Generate plain, residual, bottleneck and Inception variants of one network at nearly equal cost.

    Stem, stages, blocks and head are equal. --widths sets the widths of plain and residual; those of the other two
    are searched. Prints the remaining differences in per cent, and the four networks as arms of a study file.
    """
    from commongarden.arch import twins as find
    from commongarden.cli import describe as describing

    chosen: Any = {"equal": equal, "widths": widths, "blocks": blocks, "stem": stem, "order": order}
    found = find(classes, shape_of(size), **chosen)
    table = describing.twins_table(found, equal, blocks, stem, order)
    if as_json:
        print_json(table)
    else:
        describing.print_twins(table)


@main.command()
@click.argument("arm")
@chain(options.input_size(), options.classes(least=2), options.n_photos, options.order(), options.settings)
@no_code
@as_json
def audit(
    arm: str, size: str, classes: int, photos: int, order: str | None, settings: tuple[str, ...], as_json: bool
) -> None:
    """Sanity-check a network at initialization: signal propagation, and gradients in all its parts.

    ARM is an architecture, with or without its order (inception_flower:LA), a file in list form (FILE.json), or a
    network of a library or your own (timm:NAME, FILE.py:FACTORY). The images are random pixels. The exit code is 1
    if a problem is found.
    """
    from commongarden import arch
    from commongarden.report.wording import audits
    from commongarden.study.recipe import Recipe, override

    shape = shape_of(size)
    network = network_of(arm, classes, order, shape)
    recipe = override(Recipe(), dict(map(setting, settings)))
    arch.trace(network, shape)  # so that a mistake is told before torch is loaded

    from commongarden.train import audit as auditor

    found = auditor.audit_drawn(network, shape, classes, recipe, photos)
    if as_json:
        terminal.verbatim(audits.to_json(arm, found))
    else:
        click.echo("\n".join(audits.lines(arm, found)))
    if found.findings:
        sys.exit(1)


@main.command("list")
@click.argument("pattern", required=False)
@as_json
def list_models(pattern: str | None, as_json: bool) -> None:
    """List models by name, with parameters and source.

    PATTERN is a part of the name, or contains * and ?: resnet, vgg*_bn, timm:*vit*. With a PATTERN, models of
    torchvision and timm are listed too; the name of one of them, or a PATTERN with a dot, also lists the tags of its
    published weights: timm:resnet50, timm:resnet50.*. Parameters are counted at the published input size and number of
    classes.
    """
    from commongarden import arch
    from commongarden.errors import nearest
    from commongarden.study import origin

    rows: list[dict[str, Any]] = []
    with suppress(ArchError):  # none of that name here
        rows += [_family(name) for name in arch.matching(pattern or "*")]
    if pattern:
        rows += _of_libraries(f"{pattern}:*" if pattern in origin.LIBRARIES else pattern)
    if not rows:
        stems = {name: re.split(r"\d", name)[0].strip("_") for name in arch.FAMILIES}
        near = nearest(pattern, [*arch.FAMILIES, *stems.values()])
        hint = _("; did you mean {near!r}?").format(near=near[0]) if near else ""
        text = _("list: no model of commongarden, torchvision or timm matches {pattern!r}{hint}")
        raise ArchError(text.format(pattern=pattern, hint=hint))
    if as_json:
        print_json(rows)
        return
    width = max(len(str(row["name"])) for row in rows)
    for row in rows:
        n_params = "" if row["n_params"] is None else f"{row['n_params']:,}"
        click.echo(f"{row['name']:<{width}}  {n_params:>11}  {row['source']}".rstrip())
    if not pattern:
        click.echo(
            _("For models of torchvision and timm: commongarden list PATTERN, such as resnet or timm:*vit*"), err=True
        )


def _family(name: str) -> dict[str, Any]:
    from commongarden import arch

    family = arch.FAMILIES[name]
    cost = family.cost()
    return {
        "name": name,
        "n_params": cost.n_params,
        "macs": cost.macs,
        "input": list(family.input),
        "classes": family.n_classes,
        "options": list(family.options),
        "source": family.source,
    }


def _of_libraries(pattern: str) -> list[dict[str, Any]]:
    from commongarden.train.libraries import library_models

    return [
        {
            "name": model.name,
            "n_params": model.n_params,
            "pretrained": model.pretrained,
            "source": _("published weights") if model.pretrained else "",
        }
        for model in library_models(pattern)
    ]


def _option(text: str) -> tuple[str, Any]:
    """An option of an architecture as --option takes it."""
    found = key_and_value(text)
    if found is None:
        message = _("--option: found {text!r}, accepted: KEY=VALUE, such as --option order=LBA")
        raise StudyError(message.format(text=text))
    return found


def network_of(text: str, classes: int, order: str | None, shape: tuple[int, int, int]) -> Serial:
    """The network of an arm as people type it."""
    return _known(text, classes, order, shape).network(classes)


def _known(
    text: str, classes: int, order: str | None, shape: tuple[int, int, int], chosen: dict[str, Any] | None = None
) -> Arm:
    """An arm as people type it; one by others is measured first, which runs its code."""
    from commongarden.cli.describe import arm_of

    arm = arm_of(text, order, chosen)
    if arm.origin is not None:
        from commongarden.runner.measuring import measure

        arm = measure(arm, classes, shape)
    return arm
