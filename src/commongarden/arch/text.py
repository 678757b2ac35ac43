"""The stable text form of a network: nested constructor calls, every field written out, so that neither a changed
default nor a changed family function changes what a stored run was. Its hash names the network.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
from typing import Any

from commongarden.arch.nodes import NODES, Node
from commongarden.errors import ArchError, unknown
from commongarden.language import _


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
        raise ArchError(
            _("not a network's text form: found {text!r}, accepted: Serial(layers=(...), name='...')").format(
                text=text[:40]
            )
        )
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


def _value(tree: ast.expr) -> Any:
    match tree:
        case ast.Call(func=ast.Name(id=name), args=[], keywords=keywords):
            if name not in NODES:
                raise ArchError(unknown("node", name, NODES))
            try:
                return NODES[name](**{str(keyword.arg): _value(keyword.value) for keyword in keywords})
            except TypeError as error:
                raise ArchError(f"{name}: {error}") from None
        case ast.Tuple(elts=items):
            return tuple(_value(item) for item in items)
        case ast.Constant(value=value) if isinstance(value, str | bool | int | float):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=value)) if isinstance(value, int | float):
            return -value
    raise ArchError(
        _("not a network's text form: found {tree!r}, accepted: nodes, numbers, text, tuples").format(
            tree=ast.unparse(tree)[:40]
        )
    )
