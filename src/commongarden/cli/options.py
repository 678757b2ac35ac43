"""Every option that more than one command takes, defined once, and how the values of options are read and written.

Where a command needs another default or a least number, the definition takes it; the help states a default in brackets
at its end. tests/cli/test_options.py compares the definitions of all commands.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from commongarden.cli.group import option
from commongarden.errors import StudyError
from commongarden.i18n.language import N_, _
from commongarden.io import terminal
from commongarden.io.sizes import size_in_bytes

Decorator = Callable[[Any], Any]


def chain(*options: Decorator) -> Decorator:
    """All these options, in this order in the help."""

    def decorate(function: Any) -> Any:
        for each in reversed(options):
            function = each(function)
        return function

    return decorate


PRESETS = ("finetune", "linear-probe", "scratch", "classroom")  # of study.PRESETS, which is slow to load for --help

as_json = option("--json", "as_json", is_flag=True, help="Print JSON.")


def _refuse_code(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    from commongarden.study import origin

    if wanted:
        before = os.environ.get(origin.NO_CODE)
        os.environ[origin.NO_CODE] = "1"  # worker processes inherit it
        if before is None:
            ctx.call_on_close(lambda: os.environ.pop(origin.NO_CODE, None))


no_code = option(
    "--no-code",
    is_flag=True,
    expose_value=False,
    callback=_refuse_code,
    help="Refuse to run user code of models (FILE.py:FACTORY, module:FACTORY), even if a study names it.",
)
open_it = option("--open", "open_it", is_flag=True, help="Open the report or page.")
cache_dir = option("--cache-dir", type=click.Path(file_okay=False, path_type=Path), help="Folder of the image cache.")


def _bytes(ctx: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    if (found := size_in_bytes(text)) is None:
        message = _("--cache-budget: found {text!r}, accepted: a number with a unit, such as 500MB or 20GB")
        raise StudyError(message.format(text=text))
    return found


cache_budget = option(
    "--cache-budget",
    metavar="SIZE",
    envvar="COMMONGARDEN_CACHE_BUDGET",
    callback=_bytes,
    help="Maximum size of the image cache, such as 20GB; images that do not fit are decoded on the fly.",
)


def _range(ctx: click.Context, parameter: click.Parameter, text: str | None) -> tuple[float, float] | None:
    from commongarden.study import grey_range

    try:
        return grey_range(text)
    except StudyError as error:
        raise StudyError(f"--{error}") from None


grey_range = option(
    "--range",
    "grey_range",
    metavar="LOW-HIGH",
    callback=_range,
    help="Pixel values of black and white for images with more than 8 bits, such as 0-4095 [from all images].",
)
no_maps = option(
    "--no-maps",
    is_flag=True,
    envvar="COMMONGARDEN_NO_MAPS",
    help="Skip the Grad-CAM heat maps at the end.",
)


# How data are read

layout = option(
    "--layout",
    metavar="LAYOUT",
    help="Folder layout: classes (each folder is a class), parts (training, validation and test sets), inner (the "
    "classes are one level further down), only:FOLDER (use only this folder of several similar ones) "
    "[detected].",
)
group_by = option(
    "--group-by",
    metavar="REGEX",
    help="Keep the images of a group (a patient, a plant, a video) in one set: images in whose path REGEX matches "
    "the same text.",
)
merge_classes = option(
    "--merge-classes", is_flag=True, help="Merge classes whose names differ only in case, spaces or hyphens."
)
reading_options = chain(layout, group_by, merge_classes)
keep_going = option(
    "--keep-going",
    is_flag=True,
    help="Continue even if more than 5 % of the images or a whole class cannot be read, or a set lacks a class.",
)


def data(*, required: bool = False) -> Decorator:
    """The data of a study."""
    return option(
        "--data",
        required=required,
        help="Images: a folder of class folders, a folder of train/val/test folders, or a CSV of path,label.",
    )


# What is compared

models = option(
    "--models",
    multiple=True,
    also=("--arms", "--model"),
    metavar="NAME,...",
    help="Models to compare, such as resnet18,timm:convnext_atto (see commongarden list), or some arms of STUDY; "
    "patterns such as 'timm:*tiny*' and files of names (models.txt) are accepted; may be repeated.",
)
preset = option(
    "--preset",
    type=click.Choice(PRESETS),
    help="Recipe, with default models: finetune (all layers of published networks), linear-probe (their last layer), "
    "scratch (from random weights), classroom (small networks in minutes) [chosen by weights, device and time].",
)
pretrained = option(
    "--pretrained",
    is_flag=True,
    help="Start models of torchvision, timm and the Hugging Face hub from their published weights.",
)
reference = option(
    "--reference",
    metavar="NAME",
    help="Compare each other model with this one, by Dunnett's procedure [the study file's comparisons].",
)
name = option("--name", help="Name of the study, and of its folder in garden/ [name of the data folder].")

# Values of the recipe

SETTING = "KEY=VALUE"
DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?(,cuda:\d+)*|mps")
seeds = option(
    "--seeds",
    type=click.IntRange(min=1),
    help="Number of seeds: training runs of each model [the study file's, else 5].",
)
lr = option("--lr", type=float, help="Learning rate [the study file's, else 0.001].")
settings = option(
    "--set",
    "settings",
    multiple=True,
    metavar=SETTING,
    help="Set another training setting, such as optimizer=sgd; may be repeated.",
)


def epochs(help: str = N_("Number of epochs [the study file's, else 10]."), *, least: int | None = None) -> Decorator:
    """How long a run is trained. least: the smallest number; without it, the recipe decides."""
    return option("--epochs", type=_whole(least), help=help)


def resolution(
    help: str = N_("Image size in pixels [the study file's, else 64]."), *, least: int | None = None
) -> Decorator:
    """The image size. least: as for `epochs`."""
    return option("--image-size", "resolution", also=("--imgsz", "--resolution"), type=_whole(least), help=help)


def batch_size(help: str = N_("Batch size [the study file's, else 32]."), *, least: int | None = None) -> Decorator:
    """Photos per step. least: as for `epochs`."""
    return option("--batch-size", also=("--batch",), type=_whole(least), help=help)


def _whole(least: int | None) -> Any:
    return int if least is None else click.IntRange(min=least)


# How a study is run

racing_options = chain(
    option("--until", type=click.Choice(["resolved"]), help="Add seeds only where a comparison is still open."),
    option(
        "--budget",
        help="Spend at most this much training time (90s, 30m, 2h) or this many runs (40runs) where "
        "comparisons are open; --seeds is then the maximum [20].",
    ),
)
yes = option("--yes", is_flag=True, help="Do not ask for confirmation.")
out = option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the study [NAME in the folder COMMONGARDEN_STUDIES, or in garden].",
)
workers = option(
    "--workers",
    "n_workers",
    type=click.IntRange(min=1),
    help="Number of runs in parallel [physical cores, as memory allows].",
)
log = option(
    "--log",
    type=click.Choice(["auto", "live", "plain", "classic"]),
    default="auto",
    show_default=True,
    help="Progress output.",
)
dry_run = chain(
    option("--dry-run", is_flag=True, help="Print the study file and stop. Edit it, then run it."),
    option("--full", is_flag=True, help="With --dry-run: print every setting."),
)


def _device(ctx: click.Context, parameter: click.Parameter, name: str | None) -> str | None:
    """Refuses what is no device anywhere, before torch is loaded, which knows those of this machine."""
    if name is None or DEVICE.fullmatch(name):
        return name
    near = " " + _("Did you mean {near!r}?").format(near="cuda") if name in ("gpu", "0", "nvidia") else ""
    text = _(
        "--device: found {name!r}, accepted: auto, cpu, cuda (all GPUs), cuda:1 (the second one), cuda:0,cuda:2, mps."
    )
    raise StudyError(text.format(name=name) + near)


def device(default: str | None, help: str = N_("Device: auto, cpu, cuda, cuda:1, mps.")) -> Decorator:
    """Where networks are trained or timed."""
    return option("--device", default=default, show_default=default is not None, callback=_device, help=help)


devices = device("auto", N_("Device: auto, cpu, cuda (all GPUs), cuda:1, cuda:0,cuda:2, mps."))
running_options = chain(yes, out, workers, devices, keep_going)
cache_options = chain(cache_dir, cache_budget)

# One network


def input_size(default: str | None = "64x64x3", help: str = N_("Input shape: height x width x channels.")) -> Decorator:
    """The shape that a network is given, as `shape_of` reads it."""
    return option("--input", "size", default=default, show_default=default is not None, help=help)


def classes(*, least: int = 1, default: int | None = 5, help: str = N_("Number of classes.")) -> Decorator:
    """How many classes a network tells apart."""
    return option(
        "--classes", default=default, show_default=default is not None, type=click.IntRange(min=least), help=help
    )


def order(default: str | None = None) -> Decorator:
    """The order of operations in a network whose name does not say its own."""
    return option(
        "--order",
        default=default,
        show_default=default is not None,
        help="Order of convolution (L), activation (A) and batch norm (B): LA, LAB, LBA, BAL.",
    )


network_options = chain(input_size(), classes(), order())
n_photos = option(
    "--photos", default=1000, show_default=True, type=click.IntRange(min=1), help="Number of training images."
)

# What a study trained

model = option("--model", metavar="NAME", help="Model of the study to use [the best one].")
study_seed = option(
    "--seed", type=click.IntRange(min=0), help="Seed of the study: determines split, initial weights and image order."
)
one_seed = option("--seed", type=int, help="Use one run of the model only [all its runs together].")

# Files

_file = click.Path(path_type=Path, dir_okay=False)
svg = option("--svg", type=_file, help="Write a drawing to this file (SVG).")
measured = option("--measured", type=_file, help="Read a file written by --keep instead of measuring.")
keep = option("--keep", type=_file, help="Write the measurements to this file (JSON).")


def shape_of(text: str) -> tuple[int, int, int]:
    parts = text.lower().split("x")
    if len(parts) not in (2, 3) or not all(part.isdecimal() and int(part) > 0 for part in parts):
        message = _("--input: found {text!r}, accepted: HEIGHTxWIDTHxCHANNELS, such as 96x96x3")
        raise StudyError(message.format(text=text))
    height, width, channels = (*map(int, parts), 3)[:3]
    return height, width, channels


def print_json(table: Any) -> None:
    import json

    terminal.verbatim(json.dumps(table, ensure_ascii=False, indent=1))


def write(path: Path, text: str, *, err: bool = False) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StudyError(_("{path}: cannot be written ({reason})").format(path=path, reason=error.strerror)) from None
    terminal.verbatim(str(path), stderr=err)
