"""What a network's pass costs, counted while it works: multiply-adds by torch's own formulas, and bytes put out."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from commongarden.arch import UNKNOWN
from commongarden.errors import ArchError, CommonGardenError
from commongarden.i18n.coded import NOTHING, Coded, verbatim
from commongarden.i18n.language import N_, _, translate
from commongarden.train.blame import describe_user_error
from commongarden.train.external import ExternalNetwork
from commongarden.train.loading import user_file
from commongarden.train.torch_private import flop_dispatch

DISPATCH: Any = flop_dispatch()
SCRIPTED = N_("the outputs inside TorchScript cannot be inspected")
EVERYTHING = "Global"  # torch's own name


class Counted(NamedTuple):
    """Of one image; UNKNOWN where it could not be counted, with the reason as records have it."""

    macs: int
    activation_bytes: int
    unknown: Coded = NOTHING


def cost(network: ExternalNetwork, input: tuple[int, int, int]) -> Counted:
    """What one image costs, as `arch.cost` reckons it for our own networks.

    Counted while the network works on one image; where it has auxiliary heads, on two in training, for these work
    then only. Raises ArchError where it cannot work so; where it works and cannot be counted, that is unknown.
    """
    found = {}
    for training, n in ((False, 1), (True, 2)):
        network.train(training)
        images = torch.zeros(n, input[2], *input[:2], dtype=torch.float32)
        reason = NOTHING
        with torch.no_grad():
            try:
                with Macs() as macs, Outputs() as outputs:
                    network(images)
                reason = macs.unknown
            except CommonGardenError:
                raise
            except Exception as error:
                reason = _alone(network, images, input, training, error)
        if reason:
            found[training] = Counted(UNKNOWN, UNKNOWN, reason)
        elif any(isinstance(part, torch.jit.ScriptModule) for part in network.modules()):
            found[training] = Counted(macs.of() // n, UNKNOWN, SCRIPTED)
        else:
            found[training] = Counted(macs.of() // n, outputs.bytes // n)
    return found[bool(network.collect())]


def _alone(
    network: ExternalNetwork, images: Tensor, input: tuple[int, int, int], training: bool, counting: Exception
) -> Coded:
    """Why counting failed, where the network works without it. Raises ArchError where it does not."""
    try:
        network(images)
    except Exception as error:
        size, source = "x".join(map(str, input)), network.node.source
        reason = translate(describe_user_error(error, user_file(source))).removeprefix(f"{source}: ")
        message = _("{source}: at {size}, training: {reason}")
        message = message if training else _("{source}: at {size}, evaluation: {reason}")
        raise ArchError(message.format(source=source, size=size, reason=reason)) from None
    return describe_user_error(counting)


class Macs(FlopCounterMode):
    """Counts multiply-adds under the name that `within` gives, at first EVERYTHING.

    torch finds out the module by hooks of its own, which fail where an input is a parameter that was expanded without a
    gradient, and on modules that take no hooks; here whoever counts says where the work is. unknown: the first
    operation whose formula failed.
    """

    def __init__(self) -> None:
        super().__init__(display=False)
        self._place = _Place()
        self.mod_tracker: Any = self._place
        self.unknown = NOTHING

    def __enter__(self) -> Macs:
        self.mode: Any = Uncompiled(self) if DISPATCH is not None else None
        if self.mode is None:
            super().__enter__()  # type: ignore[no-untyped-call]
        else:
            self.flop_counts.clear()
            self.mode.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        if self.mode is None:
            super().__exit__(*raised)  # type: ignore[no-untyped-call]
        else:
            self.mode.__exit__(*raised)
        self.mode = None

    def within(self, name: str) -> None:
        """What is done from now on counts for this name."""
        self._place.parents = {name}

    def of(self, name: str = EVERYTHING) -> int:
        """Multiply-adds under a name."""
        return int(sum(self.flop_counts[name].values())) // 2 if name in self.flop_counts else 0

    def _count_flops(self, func_packet: Any, out: Any, args: Any, kwargs: Any) -> Any:
        try:
            return super()._count_flops(func_packet, out, args, kwargs)  # type: ignore[no-untyped-call]
        except Exception:  # the formula's assertions, or operands it does not expect; the operation itself is done
            self.unknown = self.unknown or verbatim(str(func_packet))
            return out


class Uncompiled(DISPATCH or object):  # type: ignore[misc]
    """torch's mode without the mark that its method is not to be compiled, which would load torch's compiler
    (uncompiled.py): four seconds for nothing."""

    if DISPATCH is not None:
        __torch_dispatch__ = inspect.unwrap(DISPATCH.__torch_dispatch__)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


class _Place(nullcontext[None]):
    """Stands in for torch's tracker of modules."""

    def __init__(self) -> None:
        super().__init__()
        self.parents = {EVERYTHING}


class Outputs(TorchFunctionMode):
    """Counts the bytes that layers put out: each tensor that an operation makes or changes in place, in float32.

    Another view of the same numbers (flatten, reshape, permute) is none; neither is what happens inside an operation.
    """

    PASSING = frozenset({"to", "float", "contiguous", "detach", "requires_grad_", "type_as", "clone"})

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Iterable[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if isinstance(result, Tensor) and result.is_floating_point() and name not in self.PASSING:
            given = [arg for arg in args if isinstance(arg, Tensor)]
            same = any(result is arg for arg in given)
            memory = _memory(result)
            view = memory is not None and any(memory == _memory(arg) for arg in given)
            if same or not view:
                self.bytes += 4 * math.prod(result.shape)
        return result


def _memory(x: Tensor) -> int | None:
    """Where its numbers lie; None where it has none of its own (sparse, nested, under vmap)."""
    try:
        return x.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError):
        return None
