"""Commands on reasons: profile, explain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commongarden.cli import explained, options
from commongarden.cli.group import main, option
from commongarden.cli.options import as_json, chain, print_json, shape_of, write
from commongarden.cli.settings import setting
from commongarden.errors import StudyError
from commongarden.i18n.language import _, pgettext
from commongarden.io import terminal
from commongarden.io.sizes import size_in_bytes

if TYPE_CHECKING:
    from commongarden.explain import Reason
    from commongarden.explain.time import TimeSplit
    from commongarden.records import Estimate
    from commongarden.records.timings import Timing

MOST_ROWS = 12

timing_options = chain(
    option("--study", help="Study file or folder: use its models by name, and its training settings."),
    options.input_size(None, help="Input shape: height x width x channels [the study's image size, else 64x64x3]."),
    options.batch_size(help="Batch size [the study's].", least=2),
    options.classes(least=2, default=None, help="Number of classes [the study's, else 5]."),
    options.order(),
    options.settings,
    option(
        "--repeats",
        default=5,
        show_default=True,
        type=click.IntRange(min=1),
        help="Number of repeats, each with newly built networks.",
    ),
    option(
        "--rounds",
        default=20,
        show_default=True,
        type=click.IntRange(min=2),
        help="Number of steps of each network per repeat.",
    ),
    options.device("cpu"),
    options.measured,
    options.keep,
)


@main.command()
@click.argument("arms", nargs=-1, metavar="ARM...")
@timing_options
@option("--depth", default=1, show_default=True, type=click.IntRange(min=1), help="Levels of blocks to list.")
@option("--memory/--no-memory", default=True, show_default=True, help="Measure peak memory, in separate processes.")
@option("--room", help="Memory for the estimate of the largest batch, such as 8GB [free memory].")
@option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page with the roofline plot.")
@as_json
def profile(
    arms: tuple[str, ...],
    depth: int,
    memory: bool,
    room: str | None,
    html: Path | None,
    as_json: bool,
    keep: Path | None,
    measured: Path | None,
    **how: Any,
) -> None:
    """Profile a training step: time by phase, block, kind of layer and PyTorch operator.

    ARM is a model, named as for describe or as in --study. Several models are timed step by step in alternation and
    compared with the limits of this machine, measured in the same run. The images are random pixels.
    """
    free = None if room is None else _bytes(room)
    timing = _timing(list(arms), measured, keep, as_json, memory=memory, operators=True, **how)
    from commongarden.explain import tables

    if html is not None:
        from commongarden.report import profiled

        write(html, profiled.render(timing, depth, free))
    if as_json:
        print_json(tables.profile_table(timing, depth, free))
    elif html is None:
        _print_profiles(timing, depth, free)


@main.command()
@click.argument("what", nargs=-1, required=True, metavar="ARM ARM|DIR [ARM ARM]")
@timing_options
@options.n_photos
@as_json
def explain(
    what: tuple[str, ...], as_json: bool, keep: Path | None, measured: Path | None, photos: int, **how: Any
) -> None:
    """Explain why one model is slower or less accurate than another.

    ARM ARM: two models, named as for describe or as in --study. They are timed step by step in alternation, then
    layer by layer, and the difference is attributed to the edits between them. A few training steps of both show
    possible causes of lower accuracy.

    DIR: the folder of a study. Its records show how the runs trained and why its models (all, or the two named)
    differ in accuracy. Nothing is measured.
    """
    if (Path(what[0]) / "study.toml").is_file() or len(what) in (1, 3):
        explained.study(Path(what[0]), what[1:], as_json)
        return
    if len(what) != 2:
        message = _("explain: found {n} arguments, accepted: ARM ARM, DIR, or DIR ARM ARM")
        raise click.UsageError(message.format(n=len(what)))
    timing = _timing(list(what), measured, keep, as_json, memory=False, operators=False, **how)
    from commongarden.explain import tables
    from commongarden.explain import time as times
    from commongarden.explain import time_sentences as saying

    first, second = _names(timing, *what)
    split = times.split(timing, first, second)
    found: tuple[Reason, ...] = ()
    if measured is None:
        found = explained.probe_reasons(*_candidates(list(what), **{key: how[key] for key in OF_ARMS}), photos)
    if as_json:
        table = tables.split_table(timing, split)
        print_json({**table, "reasons": [explained.row(reason) for reason in (*saying.reasons(split), *found)]})
        return
    _print_split(timing, split)
    if measured is None:
        from commongarden.report.topics import why

        for text in why.probed((first, second), found):
            click.echo(text)


def _names(timing: Timing, *wanted: str) -> list[str]:
    """The arms as the timing calls them; the same arm twice is its second name."""
    from commongarden.errors import unknown

    names = [arm.name for arm in timing.arms]
    found: list[str] = []
    for text in wanted:
        plain = text.replace(":", "-")
        match = next((name for name in (text, plain) if name in names and name not in found), None)
        match = match or next((name for name in names if name.startswith(f"{plain} (")), None)
        if match is None and len(names) == len(wanted):
            match = names[len(found)]
        if match is None:
            raise StudyError(unknown("model", text, names, where="timing"))
        found.append(match)
    return found


def _timing(
    texts: list[str],
    measured: Path | None,
    keep: Path | None,
    as_json: bool,
    **how: Any,
) -> Timing:
    from commongarden.records import timings

    if measured is not None:
        return timings.read(measured)
    if not texts:
        raise click.UsageError(_("profile: found no model, accepted: one or more, or --measured FILE"))
    candidates, classes = _candidates(texts, **{key: how[key] for key in OF_ARMS})
    from commongarden.profiling.processes import time_arms

    if not as_json:
        text = _("timing {arms}: {n} steps each")
        click.echo(text.format(arms=", ".join(candidates), n=how["repeats"] * how["rounds"]), err=True)
    timing = time_arms(candidates, classes, **{key: value for key, value in how.items() if key not in OF_ARMS})
    if keep is not None:
        from commongarden.store import write_atomically

        write_atomically(keep, timings.write(timing))
    return timing


OF_ARMS = ("study", "size", "batch_size", "classes", "order", "settings")


def _candidates(
    texts: list[str],
    study: str | None,
    size: str | None,
    batch_size: int | None,
    classes: int | None,
    order: str | None,
    settings: tuple[str, ...],
) -> tuple[dict[str, Any], int]:
    """The arms by name, with their recipes and inputs, and the number of classes."""
    import dataclasses

    from commongarden import arch
    from commongarden.cli.describe import arm_of
    from commongarden.profiling.processes import Candidate
    from commongarden.study import arm as arms
    from commongarden.study.recipe import Recipe, override

    declared, n_classes = _study(study) if study is not None else (None, None)
    values = dict(map(setting, settings)) | ({} if batch_size is None else {"batch_size": batch_size})
    found: dict[str, Candidate] = {}
    for text in texts:
        if declared is not None and text in declared.arms:
            name, arm, recipe = text, declared.arms[text], declared.recipe_of(text)
        else:
            name = arms.from_text(text)[0]
            arm, recipe = arm_of(text, order), declared.recipe if declared is not None else Recipe()
        recipe = override(recipe, values)
        shape = shape_of(size) if size is not None else (recipe.resolution, recipe.resolution, 3)
        again = 2
        while name in found:
            name, again = f"{name.removesuffix(f' ({again - 1})')} ({again})", again + 1
        if arm.origin is None:
            arch.trace(
                arm.network(classes or n_classes or 5), shape
            )  # so that a mistake is told before torch is loaded
        found[name] = Candidate(arm, dataclasses.replace(recipe, resolution=max(shape[:2])), shape)
    return found, classes or n_classes or 5


def _study(text: str) -> tuple[Any, int | None]:
    """The study of a file, a name or a folder, and its number of classes where that is known."""
    from commongarden import study as studies

    if Path(text).is_dir():
        from commongarden import store as stores

        store = stores.open_store(text)
        return store.study(), len(store.manifest().classes)
    return studies.read(text), None


def _bytes(text: str) -> int:
    found = int(text) if text.strip().isdecimal() else size_in_bytes(text)
    if found is None:
        raise StudyError(
            _("--room: found {text!r}, accepted: a number of bytes, or a size such as 8GB or 512MiB").format(text=text)
        )
    return found


def _print_profiles(timing: Timing, depth: int, free: int | None) -> None:
    from commongarden.explain import noise, profile, roofline
    from commongarden.explain import time_sentences as saying
    from commongarden.explain.memory import need
    from commongarden.io.fitted import Fitted, columns

    console, roof = terminal.console(), roofline.roofs(timing)

    for arm, found in zip(timing.arms, profile.profiles(timing, depth), strict=True):
        click.echo(saying.step(found))
        for title, rows, is_block in (
            (_("block"), found.blocks, True),
            (pgettext("of a layer", "kind"), found.kinds, False),
        ):
            first, *figures = saying.columns(title)
            picture = columns([first], figures, unbroken=True)
            for row in rows:
                picture.add_row(*saying.cells(row, is_block))
            console.print(Fitted(picture), highlight=False)
            console.print()
        for text in saying.more(found, None if arm.memory is None else need(arm.memory, free), timing.energy_text):
            click.echo(text)
        console.print()
    click.echo(saying.limits(roof, timing.limits.matmul_side))
    for text in noise.told(timing):
        click.echo(text)


def _print_split(timing: Timing, split: TimeSplit) -> None:
    from commongarden.explain import noise
    from commongarden.explain import time_sentences as saying
    from commongarden.io.fitted import Fitted, columns

    console = terminal.console()

    click.echo(saying.sentence(split))
    console.print()
    both = [_("{arm} ms").format(arm=arm) for arm in (split.one, split.two)]
    picture = columns([_("part")], [*both, _("difference ms"), _("joint 95 % CI"), _("% of slower step")])

    def cells(before: float, after: float, effect: float, span: str = "") -> list[str]:
        return [f"{before:.2f}", f"{after:.2f}", f"{effect:+.2f}", span, f"{100 * effect / split.slower:+.1f}"]

    for part in split.parts[:MOST_ROWS]:
        picture.add_row(saying.part_name(part), *cells(part.before, part.after, part.effect.value, _span(part.effect)))
    if rest := split.parts[MOST_ROWS:]:
        values = [(part.before, part.after, part.effect.value) for part in rest]
        before, after, effect = (sum(column) for column in zip(*values, strict=True))
        picture.add_row(_("{n} smaller parts").format(n=len(rest)), *cells(before, after, effect))
    share = 100 * split.rest / split.slower
    picture.add_row(_("unattributed"), "", "", f"{split.rest:+.2f}", "", f"{share:+.1f}")
    difference = cells(split.before.value, split.after.value, split.difference.value, _span(split.difference))
    picture.add_row(_("total difference"), *difference, style="bold")
    console.print(Fitted(picture), highlight=False)
    console.print()
    for part in split.reasons:
        click.echo(saying.part_sentence(split, part))
    click.echo(saying.rest_sentence(split))
    click.echo(saying.by_kind(split))
    for text in noise.told(timing):
        click.echo(text)


def _span(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return ""
    return _("{low} to {high}").format(low=f"{found.low:+.2f}", high=f"{found.high:+.2f}")
