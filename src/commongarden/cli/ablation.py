"""The command that takes a network apart: ablate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commongarden.cli import options
from commongarden.cli.execution import carry_out, run_options
from commongarden.cli.group import main, option
from commongarden.cli.options import as_json, chain, print_json
from commongarden.cli.places import chosen, place_options
from commongarden.cli.settings import setting
from commongarden.i18n.language import _, current
from commongarden.io import terminal

if TYPE_CHECKING:
    from commongarden.arch import Difference
    from commongarden.study import Study, TakenApart


@main.command()
@click.argument("arm")
@chain(
    options.data(required=True),
    options.reading_options,
    option(
        "--factors",
        help="Factors to change, one at a time: some of "
        "order,init,shortcut,branches,reductions,normalization,pool,dropout,auxiliary [all that the network "
        "has].",
    ),
    options.seeds,
    options.epochs(),
    options.resolution(),
    options.batch_size(),
    options.lr,
    options.settings,
    options.racing_options,
    options.running_options,
    place_options,
    options.log,
    options.no_maps,
    options.dry_run,
    options.cache_options,
    as_json,
)
def ablate(
    arm: str,
    data: str,
    layout: str | None,
    group_by: str | None,
    merge_classes: bool,
    factors: str | None,
    seeds: int | None,
    settings: tuple[str, ...],
    yes: bool,
    out: Path | None,
    log: str,
    dry_run: bool,
    full: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Run an ablation study: train a network and a variant for each single change, and report what each
    part contributes.

    ARM is an architecture, with or without its order (inception_flower:LA), or a file in list form (FILE.json). In
    each variant one part is removed or replaced. Repeat the command to resume.
    """
    import dataclasses

    from commongarden import study as studies
    from commongarden.study.recipe import Recipe, override

    cluster = chosen(given)
    how = run_options(given, most_seeds=seeds)
    values = {key: value for key, value in given.items() if value is not None} | dict(map(setting, settings))
    names = None if factors is None else [name.strip() for name in factors.split(",") if name.strip()]
    found = studies.take_apart(data, arm, names, override(Recipe(), values, where="recipe"))
    reading = studies.with_options(found.study.reading, layout, group_by, merge_classes)
    study = dataclasses.replace(found.study, reading=reading)
    if seeds is not None:
        study = dataclasses.replace(study, seeds=tuple(range(seeds)))
    if dry_run:
        _show(study, found, as_json, full=full)
        return
    for what, why in found.left_out:
        click.echo(_("skipped: {part}: {reason}").format(part=what, reason=why), err=True)
    carry_out(study, out, how, log=log, as_json=as_json, yes=yes, cluster=cluster)


def _show(study: Study, found: TakenApart, as_json: bool, *, full: bool) -> None:
    """The arms with what the change is and costs, above the study file, in which these lines are comments."""
    from commongarden import study as studies
    from commongarden.data import folder
    from commongarden.store import contract

    n_classes = len(folder.scan(study.data, study.reading, keep_going=True).classes)
    said = {}
    for pair in study.contrasts:
        # as one takes the network apart: from the whole one to the arm
        difference = contract.computed(study, studies.Contrast(pair.against, pair.arm), n_classes)
        said[pair.against] = _told(study, pair.against, difference)
    if as_json:
        arms = [{"arm": name, "difference": text} for name, text in said.items()]
        left_out = [{"part": what, "reason": why} for what, why in found.left_out]
        print_json({"of": study.ablation, "arms": arms, "left_out": left_out, "study": studies.to_table(study)})
        return
    width = max(map(len, said))
    lines = [f"{name:<{width}}  {text}" for name, text in said.items()]
    lines += [_("skipped: {part}: {reason}").format(part=what, reason=why) for what, why in found.left_out]
    click.echo("".join(f"# {line}\n" for line in lines))
    terminal.verbatim(studies.editable(study, full=full))


def _told(study: Study, name: str, difference: Difference | None) -> str:
    from commongarden import sentences

    own = ", ".join(f"{key} = {value}" for key, value in study.arms[name].overrides.items())
    if difference is None or difference.n_edits == 0:
        return own
    said = sentences.difference(difference, current())
    return f"{said}; {own}" if own else said
