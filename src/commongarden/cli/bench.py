"""The command bench."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commongarden.cli import options
from commongarden.cli.group import main, option
from commongarden.cli.options import as_json, chain, write
from commongarden.cli.photos import progress
from commongarden.errors import StudyError, check_known
from commongarden.i18n.language import N_, _
from commongarden.io import terminal

if TYPE_CHECKING:
    from commongarden.benchmarks.rounds import How, Wanted
    from commongarden.records.benchmark import Bench


@main.command()
@click.argument("arms", nargs=-1, metavar="[ARM...]")
@chain(
    option("--data", type=click.Path(path_type=Path), help="Time training on a sample of this folder as well."),
    option("--photos", default=500, show_default=True, type=click.IntRange(min=40), help="Images in each folder."),
    option("--rounds", default=6, show_default=True, type=click.IntRange(min=1), help="Training runs of each program."),
    options.epochs(help="Number of epochs [enough for a few seconds].", least=1),
    options.resolution(help="Image size in pixels [the model's, else 64].", least=1),
    options.batch_size(help="Batch size [the model's, else 32].", least=2),
    options.workers,
    option("--threads", type=click.IntRange(min=1), help="Number of threads of the scripts [PyTorch's default]."),
    option("--loaders", type=click.IntRange(min=0), help="Data loaders of the scripts [0; on a GPU 4]."),
    options.device("cpu", N_("Device: cpu, cuda, cuda:1.")),
    option("--timm", is_flag=True, help="Also time timm's data loader and model, if timm has the model."),
    option("--busy", is_flag=True, help="Repeat while another process occupies one core."),
    option(
        "--curve", "axes", multiple=True, metavar="AXIS[=N,N...]",
        help="Time one model over the number of runs, pixels or images; may be repeated.",
    ),
    option("--memory/--no-memory", default=True, show_default=True, help="Measure the memory of all processes."),
    options.measured,
    options.keep,
    options.svg,
    as_json,
)  # fmt: skip
def bench(
    arms: tuple[str, ...],
    data: Path | None,
    photos: int,
    rounds: int,
    n_workers: int | None,
    threads: int | None,
    loaders: int | None,
    device: str,
    timm: bool,
    busy: bool,
    axes: tuple[str, ...],
    memory: bool,
    measured: Path | None,
    keep: Path | None,
    svg: Path | None,
    as_json: bool,
    **recipe: Any,
) -> None:
    """Benchmark training on this machine: compare a study with ordinary PyTorch scripts.

    ARM is an architecture, with or without its order, or a file in list form [three networks]. The images are
    synthetic JPEGs of 320x240 to 500x333 pixels, and with --data also a sample of your folder. With --device cuda,
    the scripts read images by data loaders, or hold them on the GPU, without and with torch.compile. The last line
    printed is the folder of the scripts.
    """
    from commongarden.benchmarks import reference_script, report
    from commongarden.benchmarks import rounds as benching
    from commongarden.records import benchmark

    found: Bench | None = None
    if measured is not None:
        found = benchmark.read(measured)
    else:
        how = benching.How(rounds, photos, threads, loaders, n_workers, timm, busy, memory, _device(device))
        if how.device is not None and (timm or busy):
            text = _("{one} and {two}: found both, accepted: one of them")
            raise click.UsageError(text.format(one="--device", two="--timm" if timm else "--busy"))
        values = {key: value for key, value in recipe.items() if value is not None}
        subjects = [benching.wanted(arm) for arm in dict.fromkeys(arms)] or list(benching.KNOWN)
        subjects = [dataclasses.replace(one, **values) for one in subjects]
        for found in _measured(subjects, len(arms), data, axes, how):
            if keep is not None:
                from commongarden.store import write_atomically

                write_atomically(keep, benchmark.write(found))
    assert found is not None, "there is one round at least"
    if svg is not None:
        from commongarden.report.charts import figures

        text = figures.panels(report.curves(found)) if found.curves else figures.chart(report.ratios(found))
        write(svg, text, err=as_json)
    if as_json:
        terminal.verbatim(benchmark.write(found).decode())
        return
    _print(found)
    click.echo(_("The scripts: {folder}").format(folder=reference_script.folder()))


def _device(name: str) -> str | None:
    """The GPU that is measured; None for the processor. Raises RunnerError where it is not there."""
    if name == "cpu":
        return None
    from commongarden.train import measure

    if "," in name or name == "mps":
        raise StudyError(_("bench --device: found {name}, accepted: cpu, cuda, cuda:1").format(name=name))
    found = measure.pick_device(name)
    return None if found.type == "cpu" else f"{found.type}:{found.index or 0}"


def _measured(
    subjects: Sequence[Wanted], n_named: int, data: Path | None, texts: tuple[str, ...], how: How
) -> Iterator[Bench]:
    """The benchmark after each round, with progress shown. n_named: subjects that the user named."""
    from commongarden.benchmarks import rounds

    axes = dict(map(_axis, texts))
    for what, found in (("--data", data is not None), ("--busy", how.busy), ("--timm", how.timm)):
        if axes and found:
            text = _("{one} and {two}: found both, accepted: one of them")
            raise click.UsageError(text.format(one="--curve", two=what))
    if axes and n_named > 1:
        raise click.UsageError(_("--curve: found {n} models, accepted: one").format(n=n_named))
    with progress() as display:
        if axes:
            yield from rounds.curves(subjects[0], axes, how, display.note, display.prepare)
        else:
            yield from rounds.compare(subjects, data, how, display.note, display.prepare)


def _axis(text: str) -> tuple[str, tuple[int, ...]]:
    """A curve as it is typed: "runs", or with the values of its own "runs=1,2"."""
    from commongarden.benchmarks.photos import FEWEST
    from commongarden.benchmarks.rounds import AXES

    name, equals, values = text.partition("=")
    check_known("axis", [name], AXES, StudyError, where="--curve")
    if not equals:
        return name, AXES[name]
    least = FEWEST if name == "photos" else 1
    numbers = [int(value) for value in values.split(",") if value.strip().isdecimal()]
    if len(numbers) != len(values.split(",")) or min(numbers) < least:
        message = _("--curve {name}: found {values!r}, accepted: integers of {least} or more, such as {name}={usual}")
        raise StudyError(message.format(name=name, values=values, least=least, usual=",".join(map(str, AXES[name]))))
    return name, tuple(sorted(set(numbers)))


def _print(found: Bench) -> None:
    from commongarden.benchmarks import report
    from commongarden.io.fitted import Fitted, columns

    console = terminal.console()
    for chart in report.curves(found) if found.curves else ():
        click.echo(chart.description)
    for place, case in enumerate(() if found.curves else found.cases):
        click.echo(report.named(case))
        first, *figures = report.columns()
        table = columns([first], figures, unbroken=True)
        for row in report.rows(found, place):
            table.add_row(*row)
        console.print(Fitted(table), highlight=False)
        console.print()
    for text in report.sentences(found):
        click.echo(text)
