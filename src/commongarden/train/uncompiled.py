"""Optimizers that do not load torch's compiler.

torch marks the methods of its optimizers as not to be compiled, and to say so the first call of one imports the
compiler: two seconds and 70 MB of every process that trains, though nothing is compiled here. The methods underneath
are the same, and so is every number.
"""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

import torch
from torch.optim import Optimizer

Kind = TypeVar("Kind", bound=Optimizer)


def uncompiled(kind: type[Kind]) -> type[Kind]:
    """The kind of optimizer with its marks taken off: each method as it was before it was wrapped."""
    methods: dict[str, Any] = {
        name: inspect.unwrap(method)
        for base in reversed(kind.__mro__)
        for name, method in vars(base).items()
        if inspect.isfunction(method) and hasattr(method, "__wrapped__")
    }
    methods["step"] = torch.no_grad()(inspect.unwrap(kind.step))  # what the mark of `step` does beside
    return type(kind.__name__, (kind,), methods)
