"""What the stored form of every event is: fields, types, defaults, one recorded example."""

import ast
import inspect
import json
import types
import typing
from collections.abc import Mapping
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.aggregate import Event
from domain.formats import EVENT_TYPES, aggregate_of, encode

GOLDEN: Final = Path(__file__).with_name("golden_events.json")
COMMON: Final = tuple(Event.__struct_fields__)
"""The fields of every event."""


def golden() -> dict[str, Any]:
    return json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}


def described(kind: type[Event]) -> dict[str, Any]:
    """The form of one event type, with everything that its bytes depend on."""
    held = {part.__name__: fields(part) for part in parts(kind)}
    return {"fields": fields(kind), "parts": dict(sorted(held.items()))}


def fields(kind: type[Struct]) -> dict[str, str]:
    """Name to type, with the default where there is one: it stands for what is left out."""
    hints = typing.get_type_hints(kind)
    return {
        each.name: type_name(hints[each.name]) + _default(each)
        for each in msgspec.structs.fields(kind)
    }


def example(kind: type[Event]) -> bytes:
    """An event of this type with a value in every field."""
    return encode(_value(kind, ""))


def type_name(hint: Any) -> str:
    if hint is type(None):
        return "None"
    arguments = typing.get_args(hint)
    if not arguments:
        return "..." if hint is ... else hint.__name__
    names = [type_name(each) for each in arguments]
    if _is_union(hint):
        return " | ".join(names)
    return f"{typing.get_origin(hint).__name__}[{', '.join(names)}]"


def atoms(hint: Any) -> set[Any]:
    """The plain types of which a type is made, through structs and containers."""
    if isinstance(hint, type) and issubclass(hint, Struct):
        return set().union(*(atoms(each) for each in typing.get_type_hints(hint).values() if each))
    arguments = [each for each in typing.get_args(hint) if each is not ...]
    return set().union(*map(atoms, arguments)) if arguments else {hint}


def meaning(topic: str) -> str:
    """What the event says happened: its docstring, or that of the command that triggers it."""
    kind = EVENT_TYPES[topic]
    for base in (kind, *kind.__mro__[1:]):
        if base in {Event, Struct}:
            break
        if base.__doc__:
            return first_paragraph(base.__doc__)
    for part in aggregate_of(topic).__mro__:
        for name, method in vars(part).items():
            if inspect.isfunction(method) and method.__doc__ and not hasattr(method, "mutates"):
                source = inspect.getsource(method)
                if f"{part.__name__}.{kind.__name__}" in source and not name.startswith("_"):
                    return first_paragraph(method.__doc__)
    return ""


def field_meanings(kind: type[Struct]) -> dict[str, str]:
    """What stands below the fields in the source."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if isinstance(base, type) and issubclass(base, Struct) and base is not Struct:
            tree = ast.parse(_source(base))
            body = typing.cast("ast.ClassDef", tree.body[0]).body
            for field, after in pairwise(body):
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    text = after.value if isinstance(after, ast.Expr) else None
                    if isinstance(text, ast.Constant) and isinstance(text.value, str):
                        found[field.target.id] = first_paragraph(text.value)
    return found


def _source(kind: type) -> str:
    lines = inspect.getsource(kind).splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[indent:] for line in lines)


def first_paragraph(text: str) -> str:
    return " ".join(inspect.cleandoc(text).split("\n\n")[0].split())


def _default(field: Any) -> str:
    if field.default is not msgspec.NODEFAULT:
        return f" = {field.default!r}"
    if field.default_factory is not msgspec.NODEFAULT:
        return f" = {field.default_factory()!r}"
    return ""


def parts(kind: type[Struct]) -> list[type[Struct]]:
    """The structs that its fields hold, and those that these hold."""
    found = [part for each in typing.get_type_hints(kind).values() for part in _structs(each)]
    return found + [deeper for part in found for deeper in parts(part)]


def _structs(hint: Any) -> list[type[Struct]]:
    if isinstance(hint, type) and issubclass(hint, Struct):
        return [hint]
    return [part for each in typing.get_args(hint) for part in _structs(each)]


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in {typing.Union, types.UnionType}


_PLAIN: Final[dict[Any, Any]] = {
    int: 7,
    bool: True,
    datetime: datetime(2026, 3, 2, 9, 0, 0, 250_000, tzinfo=UTC),
    date: date(2026, 3, 9),
    UUID: UUID("00000000-0000-4000-8000-000000000007"),
    Any: None,
}


def _value(hint: Any, name: str) -> Any:
    if hint is str:
        return name.replace("_", " ")
    if hint in _PLAIN:
        return _PLAIN[hint]
    if isinstance(hint, type) and issubclass(hint, Struct):
        hints = typing.get_type_hints(hint)
        return hint(**{each: _value(hints[each], each) for each in hint.__struct_fields__})
    arguments = typing.get_args(hint)
    if _is_union(hint):
        return _value(next(each for each in arguments if each is not type(None)), name)
    origin = typing.get_origin(hint)
    if origin in {dict, Mapping}:
        return {_value(arguments[0], name): _value(arguments[1], name)}
    assert origin in {tuple, list, frozenset}, f"no example of {hint}"
    kinds = [each for each in arguments if each is not ...]
    return origin(_value(each, name) for each in kinds)
