"""The command that writes a network for other programs: export."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commongarden.cli import options
from commongarden.cli.group import main, option
from commongarden.cli.networks import network_of
from commongarden.cli.options import as_json, chain, no_code, print_json, shape_of
from commongarden.errors import StudyError
from commongarden.i18n.language import _

if TYPE_CHECKING:
    from commongarden.inference.exported import Exported
    from commongarden.inference.exporting import Format, Preprocessing


@main.command()
@click.argument("what", metavar="ARM|RUN|STUDY")
@chain(
    option(
        "--format",
        "kind",
        type=click.Choice(["onnx", "torch-export", "safetensors"]),
        default="onnx",
        show_default=True,
        help="onnx: a graph for ONNX Runtime; torch-export: a graph for PyTorch (.pt2); safetensors: a folder of "
        "weights, configuration and model card.",
    ),
    option(
        "--preprocessing",
        type=click.Choice(["inside", "outside"]),
        help="Whether the graph of a run takes uint8 images or normalized ones [inside].",
    ),
    option("--out", type=click.Path(path_type=Path), help="File or folder to write [named after the model]."),
    options.model,
    option(
        "--seed", type=int, help="Use one run of the model only [the one with the highest validation accuracy]."
    ),
    options.network_options,
)  # fmt: skip
@no_code
@as_json
def export(
    what: str,
    kind: Format,
    preprocessing: Preprocessing | None,
    out: Path | None,
    model: str | None,
    seed: int | None,
    size: str,
    classes: int,
    order: str | None,
    as_json: bool,
) -> None:
    """Export a network for other programs, and check it against PyTorch.

    A finished RUN (DIR/runs/ARM/SEED), or a run of a STUDY, is exported with its trained weights; an ARM with its
    initial weights. The written file is loaded and compared. The exit code is 1 if the outputs differ by more than
    0.001 of the largest logit (0.001 if that is below 1) and by more than float32 rounding explains.
    """
    from commongarden import arch, workflow

    if (Path(what).is_dir() or _is_path(what)) and what not in arch.FAMILIES:
        exported = workflow.export(what, out, format=kind, preprocessing=preprocessing, model=model, seed=seed)
    else:
        exported = _untrained(what, kind, out, (size, classes, order), (preprocessing, model, seed))
    if as_json:
        print_json(_table(exported))
    else:
        from commongarden.inference.exported import describe

        click.echo(describe(exported))
    if not exported.agrees:
        sys.exit(1)


def _is_path(what: str) -> bool:
    """Whether it is typed as a run's folder, which may not be there; architectures of other people have slashes too."""
    return re.search(r"(^|[/\\\\])runs[/\\\\]", what) is not None


def _untrained(
    arm: str,
    kind: Format,
    out: Path | None,
    network: tuple[str, int, str | None],
    of_runs: tuple[Preprocessing | None, str | None, int | None],
) -> Exported:
    from commongarden.inference.exporting import export_arm

    if any(value is not None for value in of_runs):
        text = _("--preprocessing, --model, --seed: {arm} is not trained; accepted: the folder of a study or of a run")
        raise StudyError(text.format(arm=arm))
    size, classes, order = network
    shape = shape_of(size)
    return export_arm(arm, network_of(arm, classes, order, shape), classes, shape, out, kind)


def _table(exported: Exported) -> dict[str, Any]:
    import dataclasses

    table = dataclasses.asdict(exported)
    compared = table.pop("compared")
    del table["use"]  # which `load` says
    return {**table, "path": str(exported.path), **compared, "agrees": exported.agrees}
