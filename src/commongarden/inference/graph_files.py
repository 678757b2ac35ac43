"""A network with its graph in one file, which needs none of its code: ONNX, and torch.export's own form."""

from __future__ import annotations

import copy
import importlib.util
import logging
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from commongarden.errors import StudyError
from commongarden.i18n.language import _, translate
from commongarden.inference.exported import BATCHES, Comparison, Exported
from commongarden.inference.predictor import Predictor
from commongarden.train.blame import describe_user_error
from commongarden.train.classifier import Classifier

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = ("onnx", "onnxruntime", "onnxscript")
Program = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Graph:
    """A network as a file is to hold it. images: of which batches are taken. name, type, meaning: of the input.
    classes: what the outputs are, beside their shape."""

    module: nn.Module
    images: Tensor
    name: str
    type: str
    meaning: str
    classes: str

    @property
    def inputs(self) -> str:
        return f"{self.name} {self.type} (batch, {', '.join(map(str, self.images.shape[1:]))}), {self.meaning}"


class Normalized(nn.Module):
    """A run's network without its preprocessing: normalized images in, logits out."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, values: Tensor) -> Tensor:
        return self.classifier.logits(values)


def check_packages() -> None:
    """Raises StudyError where a package that ONNX needs is missing."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        message = _("export: ONNX needs {missing}; install them in commongarden's folder: pip install '.[onnx]'")
        raise StudyError(message.format(missing=", ".join(missing)))


def write_onnx(graph: Graph, path: Path) -> Exported:
    """Raises StudyError where torch's exporter cannot write the network, or onnxruntime cannot run it."""
    import onnx

    with _exporting(path, "ONNX"):
        program = torch.onnx.export(
            graph.module,
            (graph.images[:2],),
            input_names=[graph.name],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise StudyError(_("{path}: torch did not produce an ONNX program for this network").format(path=path))
    with _writing(path):
        program.save(str(path))
    model = onnx.load(str(path))
    onnx.checker.check_model(model)
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    load = f'onnxruntime.InferenceSession("{path.as_posix()}")'
    return _exported(graph, path, f"ONNX opset {opset}", "onnxruntime", load, _in_onnxruntime)


def write_torch_export(graph: Graph, path: Path) -> Exported:
    """Raises StudyError where torch.export cannot trace the network."""
    with _exporting(path, "torch.export"):
        batch = {0: torch.export.Dim("batch")}
        program = torch.export.export(graph.module, (graph.images[:2],), dynamic_shapes=(batch,))
    with _writing(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of weights that share memory, on devices other than the CPU
        torch.export.save(program, str(path))
    load = f'torch.export.load("{path.as_posix()}").module()'
    return _exported(graph, path, f"torch.export {torch.__version__}", "torch.export", load, _in_torch_export)


@contextmanager
def _exporting(path: Path, name: str) -> Iterator[None]:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, about its libraries
        try:
            yield
        except Exception as error:  # it has a kind of error for every step, and networks raise their own
            reason = translate(describe_user_error(_first_cause(error)))
            message = _("{path}: torch's {name} exporter cannot write this network: {reason}")
            raise StudyError(message.format(path=path, name=name, reason=reason)) from error


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StudyError(_("{path}: cannot be written ({reason})").format(path=path, reason=error.strerror)) from None


def _first_cause(error: BaseException) -> BaseException:
    """The exporter reports on all its attempts; what stopped it comes first in the chain."""
    known = {id(error)}
    while error.__cause__ is not None and id(error.__cause__) not in known:
        error = error.__cause__
        known.add(id(error))
    return error


def _exported(
    graph: Graph, path: Path, kind: str, program: str, load: str, opened: Callable[[Path], Program]
) -> Exported:
    try:
        found = compared(graph.module, opened(path), graph.images, program)
    except Exception as error:  # the program's own kinds
        first_line = str(error).strip().partition("\n")[0]
        message = _("{path}: written, but {program} cannot run it: {reason}")
        raise StudyError(message.format(path=path, program=program, reason=first_line)) from error
    if not found.agrees:
        found = replace(found, rounding=rounding(graph.module, graph.images))
    outputs = f"logits float32 {graph.classes}"
    return Exported(path, kind, graph.inputs, outputs, load, path.stat().st_size, found)


def _in_onnxruntime(path: Path) -> Program:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: torch.from_numpy(session.run(None, {name: images.numpy()})[0])


def _in_torch_export(path: Path) -> Program:
    loaded: Any = torch.export.load(str(path))
    program: Program = loaded.module()
    return program


def compared(module: nn.Module, program: Program, images: Tensor, name: str) -> Comparison:
    """The module and what was read back, on batches of these images. name: of the program."""
    difference = largest = 0.0
    for n in BATCHES:
        with torch.inference_mode():
            expected = module(images[:n])
        with torch.no_grad():
            gap = (program(images[:n]) - expected).abs().max().item()
        difference = max(difference, gap) if gap == gap else float("inf")
        largest = max(largest, expected.abs().max().item())
    return Comparison(name, difference, largest)


def rounding(module: nn.Module, images: Tensor) -> float:
    """The greatest difference of any output between the module in float32 and in float64; 0.0 where it has no float64.

    A network with a normalization of few values, or many layers that have hardly been trained, may magnify the last bit
    of float32 until two right programs differ visibly.
    """
    try:
        exact = copy.deepcopy(module).double()
        body = exact.classifier.body if isinstance(exact, Predictor | Normalized) else exact
        body.register_forward_pre_hook(lambda _module, inputs: tuple(each.double() for each in inputs))
        largest = 0.0
        for n in BATCHES:
            with torch.inference_mode():
                gap = (module(images[:n]).double() - exact(images[:n]).double()).abs().max().item()
            largest = max(largest, gap)
    except Exception:  # the network's own code may ask for float32
        return 0.0
    return largest if largest < float("inf") else 0.0
