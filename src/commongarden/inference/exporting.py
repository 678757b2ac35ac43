"""A network written for other programs, read back there, and compared with torch."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch

from commongarden.arch import Serial, Shape
from commongarden.errors import StudyError
from commongarden.i18n.language import _
from commongarden.inference import graph_files, weight_files
from commongarden.inference.exported import BATCHES, Exported
from commongarden.inference.graph_files import Graph, Normalized
from commongarden.inference.predictor import Predictor, load_run
from commongarden.records import inspection
from commongarden.study.recipe import Recipe
from commongarden.train import streams
from commongarden.train.build import build
from commongarden.train.classifier import AUTOCAST
from commongarden.train.initialize import initialize

Format = Literal["onnx", "torch-export", "safetensors"]
Preprocessing = Literal["inside", "outside"]
SUFFIXES = {"onnx": ".onnx", "torch-export": ".pt2", "safetensors": ""}


def export_arm(
    arm: str, network: Serial, n_classes: int, input: Shape, out: Path | None = None, format: Format = "onnx"
) -> Exported:
    """An arm's network with the weights that seed 0 of the default recipe begins with. Raises ArchError, StudyError."""
    if format == "safetensors":
        text = _(
            "{arm}: --format safetensors needs trained weights; accepted: the folder of a study or of a finished run"
        )
        raise StudyError(text.format(arm=arm))
    _check(format)
    module = build(network, input)
    initialize(module, Recipe(), streams.generator(0, 0, "initialization"))
    height, width, channels = input
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(max(BATCHES), channels, height, width, generator=generator)
    graph = Graph(module.eval(), images, "images", "float32", _("as the network takes them"), f"(batch, {n_classes})")
    return _write(graph, out or Path(re.sub(r"[^\w.-]+", "-", arm) + SUFFIXES[format]), format)


def export_run(
    run: str | Path, out: Path | None = None, format: Format = "onnx", preprocessing: Preprocessing | None = None
) -> Exported:
    """A finished run's network.

    preprocessing: whether a graph takes uint8 images ("inside", the default) or normalized ones; a file of weights
    ("safetensors") has none. Raises StoreError, StudyError.
    """
    _check(format)
    if format == "safetensors" and preprocessing == "inside":
        text = _(
            "--preprocessing: found 'inside', accepted with --format safetensors: 'outside', as it holds weights only"
        )
        raise StudyError(text)
    predictor = load_run(run)
    path = out or Path(f"{predictor.run.arm}-{predictor.run.seed}{SUFFIXES[format]}")
    if format == "safetensors":
        return weight_files.write_folder(predictor, Path(run), path)
    notes: tuple[str, ...] = ()
    if format == "onnx" and predictor.run.recipe.precision in AUTOCAST:  # which ONNX Runtime has no operators for
        predictor.classifier.precision = "float32"
        notes = (weight_files.in_single_precision(predictor.run),)
    written = _write(_graph(predictor, inside=preprocessing != "outside"), path, format)
    return replace(written, notes=notes)


def _graph(predictor: Predictor, *, inside: bool) -> Graph:
    height, width, channels = predictor.input
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (max(BATCHES), channels, height, width), dtype=torch.uint8, generator=generator)
    classes = f"(batch, {len(predictor.classes)}): {', '.join(predictor.classes)}"
    scaled = "" if predictor.run.range is None else f". {inspection.scaled(predictor.run.range)}"
    if inside:
        meaning = _("photos as decoded, 0 to 255; preprocessing is inside")
        return Graph(predictor, pixels, "pixels", "uint8", meaning + scaled, classes)
    module = Normalized(predictor.classifier).eval()
    with torch.no_grad():
        values = predictor.classifier.preprocessed(pixels).contiguous()
    return Graph(module, values, "images", "float32", weight_files.normalized(predictor.run) + scaled, classes)


def _check(format: Format) -> None:
    if format == "onnx":
        graph_files.check_packages()


def _write(graph: Graph, path: Path, format: Format) -> Exported:
    if not path.parent.is_dir():
        raise StudyError(_("{path}: no such folder; accepted: a file in an existing folder").format(path=path))
    if path.is_dir():
        raise StudyError(_("{path}: is a folder; accepted: a file in an existing folder").format(path=path))
    write = graph_files.write_onnx if format == "onnx" else graph_files.write_torch_export
    return write(graph, path)
