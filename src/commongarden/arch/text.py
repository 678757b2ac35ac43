"""The stable text form of a network: nested constructor calls, every field written out, so that neither a changed
default nor a changed family function changes what a stored run was. Its hash names the network.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
from functools import lru_cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from commongarden.arch.nodes import NODES, Node
from commongarden.errors import ArchError, check_known
from commongarden.i18n.language import _


def write(network: Node) -> str:
    """The text form, one node a line, children indented."""
    return _write(network, 0)


def read(text: str) -> Node:
    """The network in a text form. Nothing is executed: only node names, numbers, text and tuples are read.

    Raises ArchError for anything else.
    """
    try:
        node = _value(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # MemoryError: the parser's, of its stack
        reason = str(error) or _("nested too deeply")
        raise ArchError(_("not a network's text form: {reason}").format(reason=reason)) from None
    if not isinstance(node, Node):
        message = _("not a network's text form: found {text!r}, accepted: Serial(layers=(...), name='...')")
        raise ArchError(message.format(text=text[:40]))
    return node


def hash(network: Node) -> str:
    """SHA-256 of the text form."""
    return hashlib.sha256(write(network).encode()).hexdigest()


def _write(value: object, indent: int) -> str:
    if isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
        items = "".join(f"{' ' * (indent + 1)}{_write(item, indent + 1)},\n" for item in value)
        return f"(\n{items}{' ' * indent})"
    if dataclasses.is_dataclass(value):
        fields = ", ".join(
            f"{field.name}={_write(getattr(value, field.name), indent)}" for field in dataclasses.fields(value)
        )
        return f"{type(value).__name__}({fields})"
    return repr(value)


@lru_cache
def _hints(name: str) -> dict[str, Any]:
    return get_type_hints(NODES[name])


def _node(name: str, fields: dict[str, Any]) -> Any:
    hints = _hints(name)
    for key, value in fields.items():
        if key in hints and not _fits(value, hints[key]):
            text = _("{node}: {field}: found {value}, accepted: {accepted}")
            raise ArchError(text.format(node=name, field=key, value=repr(value)[:80], accepted=_told(hints[key])))
    try:
        return NODES[name](**fields)
    except TypeError as error:  # a field too many or too few
        raise ArchError(f"{name}: {error}") from None


def _fits(value: object, hint: Any) -> bool:
    """Whether a value is of the kind that a node's field is declared to have."""
    kinds = get_args(hint)
    if get_origin(hint) is Literal:
        return value in kinds
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(value, kind) for kind in kinds)
    if get_origin(hint) is tuple:
        inside = (kinds[0],) * len(value) if isinstance(value, tuple) and kinds[-1] is ... else kinds
        return isinstance(value, tuple) and len(value) == len(inside) and all(map(_fits, value, inside))
    if hint in (int, float):
        return isinstance(value, int | hint) and not isinstance(value, bool)
    return isinstance(value, hint)


def _told(hint: Any) -> str:
    text = str(hint).replace("commongarden.arch.nodes.", "")
    return _("a node") if "Conv" in text else text.removeprefix("<class '").removesuffix("'>").replace("typing.", "")


def _value(tree: ast.expr) -> Any:
    match tree:
        case ast.Call(func=ast.Name(id=name), args=[], keywords=keywords):
            check_known("node", [name], NODES, ArchError)
            return _node(name, {str(keyword.arg): _value(keyword.value) for keyword in keywords})
        case ast.Tuple(elts=items):
            return tuple(_value(item) for item in items)
        case ast.Constant(value=value) if isinstance(value, str | bool | int | float):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=value)) if isinstance(value, int | float):
            return -value
    text = _("not a network's text form: found {tree!r}, accepted: nodes, numbers, text, tuples")
    raise ArchError(text.format(tree=ast.unparse(tree)[:40]))
