"""`commongarden explain`: what a study's runs show, and why one arm is right less often than another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commongarden.cli.group import main, option
from commongarden.cli.options import as_json, chain, print_json, setting, shape_of
from commongarden.errors import StudyError, unknown
from commongarden.language import _

if TYPE_CHECKING:
    from commongarden.explain import Reason


@main.command()
@click.argument("what", nargs=-1, required=True, metavar="DIR [ARM ARM]|ARM ARM")
@chain(
    option("--input", "size", default="64x64x3", show_default=True, help="Height x width x channels."),
    option("--classes", default=5, show_default=True, type=click.IntRange(min=2), help="How many classes."),
    option("--photos", default=1000, show_default=True, type=click.IntRange(min=1), help="Photos to train on."),
    option("--order", help="Order of linear map, activation, normalization: LA, LAB, LBA, BAL."),
    option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A recipe value; may be repeated."),
    as_json,
)
def explain(
    what: tuple[str, ...],
    size: str,
    classes: int,
    photos: int,
    order: str | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Say what a study's runs show of their training, and why one arm is right less often than another.

    DIR is a study's folder; two of its arms ask about these. Two architectures alone are looked at for a few steps:
    reasons are then what may keep one of them back.
    """
    if (Path(what[0]) / "study.toml").is_file() or len(what) in (1, 3):
        study(Path(what[0]), what[1:], as_json)
    elif len(what) == 2:
        architectures((what[0], what[1]), size, classes, photos, order, dict(map(setting, settings)), as_json)
    else:
        raise click.UsageError(
            _("explain: found {n} arguments, accepted: DIR, DIR ARM ARM, or ARM ARM").format(n=len(what))
        )


def study(folder: Path, wanted: tuple[str, ...], as_json: bool) -> None:
    """Observations of every arm, or of two, and the reasons of their differences."""
    import itertools

    from commongarden import explain as explaining
    from commongarden import store as stores

    store = stores.open_store(folder)
    declared = store.study()
    for name in wanted:
        if name not in declared.arms:
            raise StudyError(unknown("arm", name, declared.arms))
    if len(wanted) == 1:
        raise click.UsageError(_("explain: found one arm, accepted: two of the study's arms, or none"))
    arms = wanted or tuple(declared.arms)
    shown = {arm: explaining.observations(store, arm) for arm in arms}
    pairs = [(contrast.arm, contrast.against) for contrast in declared.contrasts] if not wanted else []
    pairs = pairs or list(itertools.combinations(arms, 2))
    reasons = {pair: explaining.study_reasons(store, *pair) for pair in pairs}
    differences = {pair: explaining.accuracy_difference(store, *pair) for pair in pairs}
    if as_json:
        import msgspec

        print_json(
            {
                "study": declared.name,
                "observations": [
                    msgspec.to_builtins(found) | {"says": explaining.said(found)}
                    for one in shown.values()
                    for found in one
                ],
                "pairs": [
                    {
                        "arm": one,
                        "against": two,
                        "difference": msgspec.to_builtins(differences[one, two]),
                        "reasons": [_row(reason) for reason in reasons[one, two]],
                    }
                    for one, two in pairs
                ],
            }
        )
        return
    from commongarden.report import why

    for text in why.lines(shown, differences, reasons):
        click.echo(text)


def architectures(
    arms: tuple[str, str],
    size: str,
    classes: int,
    photos: int,
    order: str | None,
    values: dict[str, Any],
    as_json: bool,
) -> None:
    """Reasons from a short probe of two architectures."""
    found = probe_reasons(arms, size, classes, photos, order, values)
    if as_json:
        print_json({"arms": list(arms), "reasons": [_row(reason) for reason in found]})
        return
    from commongarden.report import why

    for text in why.probed(arms, found):
        click.echo(text)


def probe_reasons(
    arms: tuple[str, str],
    size: str,
    classes: int,
    photos: int,
    order: str | None = None,
    values: dict[str, Any] | None = None,
) -> tuple[Reason, ...]:
    """Why one of two architectures may be right less often, as people type them. Loads torch."""
    import dataclasses

    from commongarden import arch
    from commongarden.describe import arm_of
    from commongarden.explain import accuracy_reasons
    from commongarden.recipe import Recipe, override
    from commongarden.runner.measuring import measure

    shape = shape_of(size)
    side = max(shape[0], shape[1])
    recipe = override(Recipe(), {"resolution": side, **(values or {})})
    networks, recipes = [], []
    for name in arms:
        arm = arm_of(name, order)
        if arm.origin is not None:
            arm = measure(arm, classes, shape)
        networks.append(arm.network(classes))
        arch.trace(networks[-1], shape)
        recipes.append(dataclasses.replace(recipe, **arm.overrides) if arm.overrides else recipe)

    from commongarden.train.probe import probe_drawn

    probes = [
        probe_drawn(network, shape, classes, each, photos) for network, each in zip(networks, recipes, strict=True)
    ]
    return accuracy_reasons(arms, (probes[0], probes[1]))


def _row(reason: Reason) -> dict[str, Any]:
    import msgspec

    from commongarden.language import told

    row: dict[str, Any] = msgspec.to_builtins(reason)
    return row | {"says": told(reason.sentence)}
