"""A network written for other programs, run there, and compared with torch."""

from __future__ import annotations

import copy
import importlib.util
import logging
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from commongarden.arch import Serial, Shape
from commongarden.errors import StudyError
from commongarden.i18n.language import _, translate
from commongarden.inference.predictor import Predictor, load_run
from commongarden.records import inspection
from commongarden.study.recipe import Recipe
from commongarden.train import streams
from commongarden.train.blame import describe_user_error
from commongarden.train.build import build
from commongarden.train.initialize import initialize

TOLERANCE = 1e-3  # of the largest logit, where that is above 1: float32 rounds larger numbers more coarsely
# times torch's own distance from float64, where a network magnifies rounding: onnxruntime rounds elsewhere
ROUNDINGS = 4
PACKAGES = ("onnx", "onnxruntime", "onnxscript")
BATCHES = (1, 3)  # the graph is made with two images; these sizes show that it takes any number


@dataclass(frozen=True)
class Exported:
    """What was written and how it compares.

    inputs, outputs: name, type and shape, and what they mean. max_difference: greatest absolute difference of any
    logit between torch and onnxruntime; max_logit: the greatest absolute logit, to judge it by. rounding: the
    greatest difference of any logit between torch in float32 and in float64, measured only if the other is large.
    """

    path: Path
    inputs: str
    outputs: str
    opset: int
    bytes: int
    max_difference: float
    max_logit: float
    rounding: float = 0.0

    @property
    def agrees(self) -> bool:
        return self.max_difference <= self.tolerance

    @property
    def tolerance(self) -> float:
        """The largest difference that rounding explains."""
        return max(TOLERANCE * max(1.0, self.max_logit), ROUNDINGS * self.rounding)


def export_arm(arm: str, network: Serial, n_classes: int, input: Shape, out: Path | None = None) -> Exported:
    """An arm's network with the weights that seed 0 of the default recipe begins with. Raises ArchError, StudyError."""
    _check_packages()
    module = build(network, input)
    initialize(module, Recipe(), streams.generator(0, 0, "initialization"))
    height, width, channels = input
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(max(BATCHES), channels, height, width, generator=generator)
    said = "images", f"float32 (batch, {channels}, {height}, {width})", _("as the network takes them")
    name = re.sub(r"[^\w.-]+", "-", arm) + ".onnx"
    return _export(module.eval(), images, out or Path(name), said, f"(batch, {n_classes})")


def export_run(run: str | Path, out: Path | None = None) -> Exported:
    """A finished run's network with its preprocessing. Raises StoreError, StudyError."""
    _check_packages()
    predictor = load_run(run)
    height, width, channels = predictor.input
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (max(BATCHES), channels, height, width), dtype=torch.uint8, generator=generator)
    meaning = _("photos as decoded, 0 to 255; preprocessing is inside")
    if predictor.run.range is not None:
        meaning = f"{meaning}. {inspection.scaled(predictor.run.range)}"
    said = "pixels", f"uint8 (batch, {channels}, {height}, {width})", meaning
    name = f"{predictor.run.arm}-{predictor.run.seed}.onnx"
    classes = f"(batch, {len(predictor.classes)}): {', '.join(predictor.classes)}"
    return _export(predictor, pixels, out or Path(name), said, classes)


def describe(exported: Exported) -> str:
    """What goes in and out, and whether both programs say the same, for the terminal."""
    translate = {
        "path": exported.path,
        "size": exported.bytes / 1e6,
        "opset": exported.opset,
        "inputs": exported.inputs,
        "outputs": exported.outputs,
        "difference": exported.max_difference,
        "logit": exported.max_logit,
        "batches": ", ".join(map(str, BATCHES)),
    }
    if exported.agrees and exported.rounding:
        return _(
            "{path}: {size:,.2f} MB, ONNX opset {opset}\n"
            "in:  {inputs}\n"
            "out: {outputs}\n"
            "torch and onnxruntime agree within rounding: max difference {difference:.2e} (largest logit {logit:.3g}, "
            "batches of {batches}); torch in float32 differs from float64 by {rounding:.2e}, as this network magnifies "
            "rounding"
        ).format(rounding=exported.rounding, **translate)
    if exported.agrees:
        return _(
            "{path}: {size:,.2f} MB, ONNX opset {opset}\n"
            "in:  {inputs}\n"
            "out: {outputs}\n"
            "torch and onnxruntime agree: max difference {difference:.2e} "
            "(largest logit {logit:.3g}, batches of {batches})"
        ).format(**translate)
    return _(
        "{path}: {size:,.2f} MB, ONNX opset {opset}\n"
        "in:  {inputs}\n"
        "out: {outputs}\n"
        "torch and onnxruntime DIFFER by more than {tolerance:g}: max difference {difference:.2e} "
        "(largest logit {logit:.3g}, batches of {batches})"
    ).format(tolerance=exported.tolerance, **translate)


def _export(module: nn.Module, images: Tensor, path: Path, said: tuple[str, str, str], outputs: str) -> Exported:
    import onnx

    if not path.parent.is_dir():
        raise StudyError(_("{path}: no such folder; accepted: a file in an existing folder").format(path=path))
    name, kind, meaning = said
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, about its libraries
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        try:
            program = torch.onnx.export(
                module,
                (images[:2],),
                input_names=[name],
                output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                dynamo=True,
                verbose=False,
            )
        except Exception as error:  # it has a kind of error for every step, and networks raise their own
            reason = translate(describe_user_error(_first_cause(error)))
            message = _("{path}: torch's ONNX exporter cannot write this network: {reason}")
            raise StudyError(message.format(path=path, reason=reason)) from error
    if program is None:
        raise StudyError(_("{path}: torch did not produce an ONNX program for this network").format(path=path))
    try:
        program.save(str(path))
    except OSError as error:
        raise StudyError(_("{path}: cannot be written ({reason})").format(path=path, reason=error.strerror)) from None
    model = onnx.load(str(path))
    onnx.checker.check_model(model)
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    try:
        difference, largest = compare(module, path, images)
    except Exception as error:  # onnxruntime's own kinds
        first_line = str(error).strip().partition("\n")[0]
        message = _("{path}: written, but onnxruntime cannot run it: {reason}")
        raise StudyError(message.format(path=path, reason=first_line)) from error
    inputs, outputs = f"{name} {kind}, {meaning}", f"logits float32 {outputs}"
    exported = Exported(path, inputs, outputs, opset, path.stat().st_size, difference, largest)
    return exported if exported.agrees else replace(exported, rounding=_rounding(module, images))


def _first_cause(error: BaseException) -> BaseException:
    """The exporter reports on all its attempts; what stopped it comes first in the chain."""
    known = {id(error)}
    while error.__cause__ is not None and id(error.__cause__) not in known:
        error = error.__cause__
        known.add(id(error))
    return error


def compare(module: nn.Module, path: Path, images: Tensor) -> tuple[float, float]:
    """The greatest difference of any output between the module and the file, and the module's greatest output."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    difference = largest = 0.0
    for n in BATCHES:
        with torch.inference_mode():
            expected = module(images[:n])
        (found,) = session.run(None, {session.get_inputs()[0].name: images[:n].numpy()})
        gap = (torch.from_numpy(found) - expected).abs().max().item()
        difference = max(difference, gap) if gap == gap else float("inf")
        largest = max(largest, expected.abs().max().item())
    return difference, largest


def _rounding(module: nn.Module, images: Tensor) -> float:
    """The greatest difference of any output between the module in float32 and in float64; 0.0 where it has no float64.

    A network with a normalization of few values, or many layers that have hardly been trained, may magnify the last bit
    of float32 until two right programs differ visibly.
    """
    try:
        exact = copy.deepcopy(module).double()
        body = exact.classifier.body if isinstance(exact, Predictor) else exact
        body.register_forward_pre_hook(lambda _module, inputs: tuple(each.double() for each in inputs))
        largest = 0.0
        for n in BATCHES:
            with torch.inference_mode():
                gap = (module(images[:n]).double() - exact(images[:n]).double()).abs().max().item()
            largest = max(largest, gap)
    except Exception:  # the network's own code may ask for float32
        return 0.0
    return largest if largest < float("inf") else 0.0


def _check_packages() -> None:
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        message = _("export: ONNX needs {missing}; install them in commongarden's folder: pip install '.[onnx]'")
        raise StudyError(message.format(missing=", ".join(missing)))
