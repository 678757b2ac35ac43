"""Everything that a network keeps, as data: parameters, buffers, what modules add by `get_extra_state`, and tensors
that its `state_dict` leaves out (buffers with `persistent=False`, attributes).

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
from commongarden.i18n.language import _

State = dict[str, Any]  # by dotted name: a tensor, or the extra state of a module
EXTRA = "_extra_state"  # how torch ends the names of those
ATTRIBUTES = "commongarden.attributes"  # under which changed attributes are stored, packed
PLAIN = (bool, int, float, complex, str, type(None))
_OF_TORCH = frozenset(vars(nn.Module()))  # attributes that every module has


def state_of(module: nn.Module) -> State:
    """What `state_dict` gives by torch's own rules, whatever the module makes of that method: parameters, buffers,
    extra state. The tensors are the module's own."""
    found: State = {}
    for prefix, part in module.named_modules(remove_duplicate=False):
        for name, value in (*part._parameters.items(), *part._buffers.items()):
            if value is not None and name not in part._non_persistent_buffers_set:
                found[_joined(prefix, name)] = value
        if type(part).get_extra_state is not nn.Module.get_extra_state:
            found[_joined(prefix, EXTRA)] = part.get_extra_state()
    return found


def _joined(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def copied(state: Mapping[str, Any], device: str | None = None) -> State:
    """A copy that later steps of training do not change. device: of its tensors [their own]."""
    memo: dict[int, Tensor] = {}  # tied tensors stay tied
    return {name: _copied(value, memo, device) for name, value in state.items()}


def _copied(value: Any, memo: dict[int, Tensor], device: str | None = None) -> Any:
    if isinstance(value, Tensor):
        if id(value) not in memo:
            memo[id(value)] = value.detach().to(device or value.device, copy=True)
        return memo[id(value)]
    if device is not None and type(value) is dict:
        return {key: _copied(each, memo, device) for key, each in value.items()}
    if device is not None and type(value) in (list, tuple):
        return type(value)(_copied(each, memo, device) for each in value)
    return value if isinstance(value, PLAIN) else unpacked(packed(value))


def put(module: nn.Module, state: Mapping[str, Any]) -> None:
    """Puts a state into the module. A buffer may have another shape (some grow); parameters may not. Raises
    RuntimeError where names or shapes differ."""
    own = state_of(module)
    filled = {**_aliases(own, state), **state}
    missing, extra = [name for name in own if name not in filled], [name for name in filled if name not in own]
    unlike = [
        name
        for name, value in own.items()
        if isinstance(value, nn.Parameter) and name in filled and filled[name].shape != value.shape
    ]
    for what, names in (("missing", missing), ("unexpected", extra), ("unlike", unlike)):
        if names:
            raise RuntimeError(f"{what}: {', '.join(names[:5])}")
    with torch.no_grad():
        for prefix, part in module.named_modules(remove_duplicate=False):
            for name, value in part._parameters.items():
                if value is not None:
                    value.copy_(filled[_joined(prefix, name)])
            for name, value in part._buffers.items():
                if value is not None and name not in part._non_persistent_buffers_set:
                    _put_buffer(part, name, value, filled[_joined(prefix, name)])
            if type(part).get_extra_state is not nn.Module.get_extra_state:
                part.set_extra_state(filled[_joined(prefix, EXTRA)])


def _put_buffer(part: nn.Module, name: str, own: Tensor, value: Tensor) -> None:
    if own.shape == value.shape and not _is_expanded(own):
        own.copy_(value)
    else:
        part._buffers[name] = value.detach().clone().to(own.device)


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


def hidden(module: nn.Module) -> State:
    """What the module's `state_dict` leaves out, by dotted name: buffers with `persistent=False`, and attributes that
    are tensors, numbers, text, or lists, tuples and dictionaries of those. Tensors are the module's own."""
    found: State = {}
    for prefix, part in module.named_modules(remove_duplicate=False):
        for name, value in (*part._buffers.items(), *_attributes(part)):
            kept = name in part._buffers and name not in part._non_persistent_buffers_set
            if value is not None and not kept:
                found[_joined(prefix, name)] = value
    return found


def _attributes(part: nn.Module) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in vars(part).items() if name not in _OF_TORCH and _is_data(value))


def _is_data(value: Any) -> bool:
    if type(value) in (list, tuple):
        return all(map(_is_data, value))
    if type(value) is dict:
        return all(type(key) in PLAIN and _is_data(each) for key, each in value.items())
    return type(value) is Tensor or type(value) in PLAIN


def put_hidden(module: nn.Module, kept: Mapping[str, Any]) -> None:
    """Puts such values back where the module has one of the same kind; other tensors were made by a batch."""
    for prefix, part in module.named_modules(remove_duplicate=False):
        for name, value in (*part._buffers.items(), *_attributes(part)):
            full = _joined(prefix, name)
            if full not in kept or not _is_alike(value, kept[full]) or _is_same(value, kept[full]):
                continue
            if isinstance(value, Tensor) and not _is_expanded(value):
                with torch.no_grad():
                    value.detach().copy_(kept[full])
            elif not isinstance(value, Tensor):
                setattr(part, name, _copied(kept[full], {}))


def _is_expanded(value: Tensor) -> bool:
    """Whether several of its numbers are one in memory, so that it cannot be written to."""
    return any(stride == 0 and size > 1 for stride, size in zip(value.stride(), value.shape, strict=True))


def _is_alike(one: Any, two: Any) -> bool:
    if isinstance(one, Tensor):
        return isinstance(two, Tensor) and one.shape == two.shape
    return type(one) is type(two) or (isinstance(one, int | float) and isinstance(two, int | float))


def _is_same(one: Any, two: Any) -> bool:
    if isinstance(one, Tensor):
        return (
            isinstance(two, Tensor)
            and one.dtype == two.dtype
            and one.shape == two.shape
            and torch.equal(one.detach().cpu(), two.detach().cpu())
        )
    if isinstance(one, list | tuple):
        return type(one) is type(two) and len(one) == len(two) and all(map(_is_same, one, two))
    if isinstance(one, dict):
        return type(two) is dict and list(one) == list(two) and all(map(_is_same, one.values(), two.values()))
    return type(one) is type(two) and bool(one == two or one != one)


def changed(module: nn.Module, fresh: nn.Module) -> State:
    """The hidden values that training has changed, beside a network that was just made."""
    before = hidden(fresh)
    return {
        name: value
        for name, value in hidden(module).items()
        if name in before and _is_alike(before[name], value) and not _is_same(before[name], value)
    }


def to_bytes(module: nn.Module, fresh: nn.Module | None = None) -> bytes:
    """The module's state in the safetensors form, plain layout: tied tensors once, hidden ones where they are not those
    of `fresh` (the same network, just made), what is no tensor packed into bytes.

    Raises ArchError where extra state cannot be stored safely.
    """
    tensors: dict[str, Tensor] = {}
    places: set[tuple[Any, ...]] = set()
    left_out = changed(module, fresh) if fresh is not None else {}
    attributes = {name: value for name, value in left_out.items() if not isinstance(value, Tensor)}
    if attributes:
        tensors[ATTRIBUTES] = _bytes_of(packed(attributes))
    for name, value in {**state_of(module), **left_out}.items():
        if name in attributes or value is None:
            continue
        if not isinstance(value, Tensor):
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
    own, found = state_of(module), dict[str, Any](safetensors.torch.load(stored))
    left_out = {name: found.pop(name) for name in hidden(module) if name in found}
    if ATTRIBUTES in found:
        left_out |= unpacked(found.pop(ATTRIBUTES).numpy().tobytes())
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
        message = _(
            "{name}: get_extra_state() returns {kind}, which cannot be stored safely (loading it would "
            "run code); accepted: tensors, numbers, strings, and lists or dictionaries of them"
        )
        where = name.removesuffix(f".{EXTRA}") or EXTRA
        raise ArchError(message.format(name=where, kind=type(value).__name__)) from error
    return buffer.getvalue()


def unpacked(data: bytes) -> Any:
    """What `packed` was given. Runs no code."""
    return torch.load(io.BytesIO(data), weights_only=True)


def _bytes_of(data: bytes) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)
