"""All that this package uses of torch beyond its documented names, in one place, since any release may change it.

Each name is looked up when this module is imported. Where torch has it no longer, or not yet, something documented
stands in, or what needs it is not done: steps are not replayed, and every number stays the same. MISSING says which
names were not found. Names of classes stand for what isinstance takes.
"""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any

import torch
from torch import fx, nn

MISSING: list[str] = []


def found(path: str, instead: Any = None) -> Any:
    """What stands at this path, a module's name and those behind it; else what is given in its place."""
    try:
        return _reached(path)
    except (ImportError, AttributeError):
        if path not in MISSING:
            MISSING.append(path)
        return instead


def _reached(path: str) -> Any:
    holder, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(holder), name)
    except ModuleNotFoundError:  # a class, or an object of C++, stands before the name
        if "." not in holder:
            raise
        return getattr(_reached(holder), name)


if TYPE_CHECKING:
    from torch.nn.modules.batchnorm import _BatchNorm, _NormBase
    from torch.nn.modules.conv import _ConvNd
    from torch.nn.modules.dropout import _DropoutNd
    from torch.utils import _python_dispatch

    BatchNorm = _BatchNorm
    NormBase = _NormBase
    ConvNd = _ConvNd
    DropoutNd = _DropoutNd
    TorchDispatchMode = _python_dispatch.TorchDispatchMode
else:
    _norms = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
    BatchNorm = found("torch.nn.modules.batchnorm._BatchNorm", _norms)
    NormBase = found(
        "torch.nn.modules.batchnorm._NormBase", (*_norms, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
    )
    ConvNd = found(
        "torch.nn.modules.conv._ConvNd",
        (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
    )
    DropoutNd = found(
        "torch.nn.modules.dropout._DropoutNd",
        (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout),
    )
    TorchDispatchMode = found("torch.utils._python_dispatch.TorchDispatchMode", object)

AdaptiveAvgPoolNd: Any = found(
    "torch.nn.modules.pooling._AdaptiveAvgPoolNd", (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
)
AdaptiveMaxPoolNd: Any = found(
    "torch.nn.modules.pooling._AdaptiveMaxPoolNd", (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d)
)
AvgPoolNd: Any = found("torch.nn.modules.pooling._AvgPoolNd", (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d))
LPPoolNd: Any = found("torch.nn.modules.pooling._LPPoolNd", (nn.LPPool1d, nn.LPPool2d))
MaxPoolNd: Any = found("torch.nn.modules.pooling._MaxPoolNd", (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d))
POOLS = (AdaptiveAvgPoolNd, AdaptiveMaxPoolNd, AvgPoolNd, LPPoolNd, MaxPoolNd)

OutOfMemoryError: Any = found("torch.OutOfMemoryError", torch.cuda.OutOfMemoryError)  # torch 2.4 has the second alone
is_functorch_wrapped_tensor: Any = found("torch._C._functorch.is_functorch_wrapped_tensor", lambda x: False)
OpOverload: Any = found("torch._ops.OpOverload", ())
StorageWeakRef: Any = found("torch.multiprocessing.reductions.StorageWeakRef")
map_aggregate: Any = found("torch.fx.node.map_aggregate")

# whether a step can be recorded: its operators seen as they are called, and memory told apart (replay/recorded_step.py)
# and what nobody reads left out by a rule of ours, which torch 2.4 does not take yet
TAKES_RULE = len(inspect.signature(fx.Graph.eliminate_dead_code).parameters) > 1
CAN_RECORD = (
    None not in (StorageWeakRef, map_aggregate) and OpOverload != () and TorchDispatchMode is not object and TAKES_RULE
)


def flop_dispatch() -> Any:
    """The class by which torch's counter of multiply-adds sees operators; None where the counter does so itself. A
    function, as the module behind it takes a third of a second to load."""
    return found("torch.utils.flop_counter._FlopCounterMode")


def at_end_of_backward(call: Any) -> None:
    """Has the call made when autograd is through with the pass under way; nothing where torch has no such list."""
    engine = found("torch.autograd.Variable._execution_engine")
    if hasattr(engine, "queue_callback"):
        engine.queue_callback(call)


def is_mutable(operator: Any) -> bool:
    """Whether the operator changes what it is given. By its schema; one that has none is taken to."""
    schema = getattr(operator, "_schema", None)
    return True if schema is None else bool(schema.is_mutable)


def direct(operator: Any) -> Any:
    """What an overload of an operator calls; itself where it does not tell."""
    return getattr(operator, "_op", operator) if isinstance(operator, OpOverload) else operator


def saved(node: Any, name: str) -> Any:
    """What autograd's node keeps of the forward pass under this name; None where it keeps none."""
    return getattr(node, f"_saved_{name}", None)


def tensors_of_scaler(scaler: torch.amp.GradScaler) -> list[torch.Tensor] | None:
    """What a scaler of the loss changes from step to step on its device, as far as it is made; None where torch keeps
    it elsewhere."""
    try:
        kept = scaler._scale, scaler._growth_tracker
    except AttributeError:
        return None
    return [one for one in kept if one is not None]
