"""Everything that a network keeps, as data: parameters, buffers, what modules add by `get_extra_state`, and tensors
that its `state_dict` leaves out (buffers with `persistent=False`, plain attributes).

A network of other people's code may hold one tensor under several names, or state that is no tensor. At the end of each
run what `from_bytes` gives back is compared with what was tested (runner/storing.py).
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator, Mapping
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from commongarden.errors import ArchError
from commongarden.language import _

State = dict[str, Any]  # by dotted name: a tensor, or the extra state of a module
EXTRA = "_extra_state"  # how torch ends the names of those


def state_of(module: nn.Module) -> State:
    """The module's `state_dict`; its tensors are the module's own."""
    return dict(module.state_dict())


def copied(state: Mapping[str, Any]) -> State:
    """A copy that later steps of training do not change."""
    memo: dict[int, Tensor] = {}  # tied tensors stay tied
    return {name: _copied(value, memo) for name, value in state.items()}


def _copied(value: Any, memo: dict[int, Tensor]) -> Any:
    if not isinstance(value, Tensor):
        return unpacked(packed(value)) if value is not None else None
    return memo.setdefault(id(value), value.detach().clone())


def put(module: nn.Module, state: Mapping[str, Any]) -> None:
    """Puts a state into the module. Raises RuntimeError where names or shapes differ from the module's.

    Versions of modules (`_metadata`) are the module's own: a state is of the code that is run now, or is refused by its
    hash before.
    """
    own = module.state_dict()
    filled = {**_aliases(own, state), **state}
    own_metadata = getattr(own, "_metadata", None)
    own.clear()
    own.update(filled)
    if own_metadata is not None:
        own._metadata = own_metadata  # type: ignore[attr-defined]
    module.load_state_dict(own)


def _aliases(own: Mapping[str, Any], state: Mapping[str, Any]) -> State:
    """For names that the state lacks because the module holds the same tensor under another one: that tensor."""
    kept = {_place(value): name for name, value in own.items() if isinstance(value, Tensor) and name in state}
    missing = (name for name in own if name not in state)
    return {
        name: state[kept[_place(own[name])]]
        for name in missing
        if isinstance(own[name], Tensor) and _place(own[name]) in kept
    }


def _place(tensor: Tensor) -> tuple[Any, ...]:
    """Equal for two names of the same numbers. A tensor without numbers is like no other."""
    if tensor.numel() == 0:
        return (id(tensor),)
    return (tensor.device, tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride())


def hidden(module: nn.Module) -> dict[str, Tensor]:
    """Tensors that the module's `state_dict` leaves out, by dotted name: they are the module's own."""
    listed = module.state_dict().keys()
    found: dict[str, Tensor] = {}
    for prefix, part in module.named_modules(remove_duplicate=False):
        for name, value in (*part._buffers.items(), *_attributes(part)):
            full = f"{prefix}.{name}" if prefix else name
            if isinstance(value, Tensor) and full not in listed:
                found[full] = value
    return found


def _attributes(part: nn.Module) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in vars(part).items() if type(value) is Tensor)


def put_hidden(module: nn.Module, kept: Mapping[str, Tensor]) -> None:
    """Puts such tensors back where the module has one of that name and shape; others were made by a batch."""
    for name, value in hidden(module).items():
        if name in kept and kept[name].shape == value.shape and not _is_expanded(value):
            with torch.no_grad():
                value.detach().copy_(kept[name])


def _is_expanded(value: Tensor) -> bool:
    """Whether several of its numbers are one in memory, so that it cannot be written to."""
    return any(stride == 0 and size > 1 for stride, size in zip(value.stride(), value.shape, strict=True))


def changed(module: nn.Module, fresh: nn.Module) -> dict[str, Tensor]:
    """The hidden tensors that training has changed, beside a network that was just made."""
    before = hidden(fresh)
    return {
        name: value.detach()
        for name, value in hidden(module).items()
        if name in before and before[name].shape == value.shape and not _same(before[name], value)
    }


def _same(one: Tensor, two: Tensor) -> bool:
    return one.dtype == two.dtype and torch.equal(one.detach().cpu(), two.detach().cpu())


def to_bytes(module: nn.Module, fresh: nn.Module | None = None) -> bytes:
    """The module's state in the safetensors form, plain layout: tied tensors once, hidden ones where they are not those
    of `fresh` (the same network, just made), extra state that is no tensor packed into bytes.

    Raises ArchError where extra state cannot be stored safely.
    """
    tensors: dict[str, Tensor] = {}
    places: set[tuple[Any, ...]] = set()
    left_out = changed(module, fresh) if fresh is not None else {}
    for name, value in {**state_of(module), **left_out}.items():
        if not isinstance(value, Tensor):
            if value is not None:
                tensors[name] = _bytes_of(packed(value, name))
            continue
        place = _place(value)
        if place in places:
            continue  # the same numbers under another name
        places.add(place)
        tensors[name] = value.detach().cpu().contiguous()
    return safetensors.torch.save(_apart(tensors))


def _apart(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with no memory in common, such as slices of one parameter."""
    storages: set[int] = set()
    found = {}
    for name, value in tensors.items():
        storage = value.untyped_storage().data_ptr()
        found[name] = value.clone() if value.numel() and storage in storages else value
        storages.add(storage)
    return found


def from_bytes(module: nn.Module, stored: bytes) -> None:
    """Puts what `to_bytes` gave into a network that was just made. Raises RuntimeError where it does not fit."""
    own = module.state_dict()
    found: State = dict(safetensors.torch.load(stored))
    left_out = {name: found.pop(name) for name in hidden(module) if name in found}
    for name, value in own.items():
        if not isinstance(value, Tensor) and name in found:
            found[name] = unpacked(found[name].numpy().tobytes())
        elif name.endswith(EXTRA) and name not in found:
            found[name] = value
    put(module, found)
    put_hidden(module, left_out)


def packed(value: Any, name: str = "") -> bytes:
    """Extra state that is no tensor, as bytes which can be read back without running code. Raises ArchError."""
    buffer = io.BytesIO()
    try:
        torch.save(value, buffer)
        unpacked(buffer.getvalue())
    except (pickle.PicklingError, pickle.UnpicklingError, AttributeError, TypeError) as error:
        raise ArchError(
            _(
                "{name}: get_extra_state() gives {kind}, which cannot be stored safely (loading it would run code); "
                "accepted: tensors, numbers, text, and lists or dictionaries of them"
            ).format(name=name.removesuffix(f".{EXTRA}") or EXTRA, kind=type(value).__name__)
        ) from error
    return buffer.getvalue()


def unpacked(data: bytes) -> Any:
    """What `packed` was given. Runs no code."""
    return torch.load(io.BytesIO(data), weights_only=True)


def _bytes_of(data: bytes) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)
