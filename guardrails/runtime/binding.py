"""Binding a principal to its declared type, once for a session instead of once for a call.

Takes the host's raw record and the plain-data description of its type; gives a record in which every
declared field is a value of its type or a `Poison` that says what is wrong with it.

Descriptions: a scalar's name, `("set" | "list", item)`, `("map", key, value)`, `("enum", values)`,
`("record", ((name, description), ...))`.
"""

from __future__ import annotations

from guardrails.errors import EvaluationError
from guardrails.functions import MODULES, read, time
from guardrails.runtime.operations import (
    MAX_ITEMS,
    Poison,
    as_set,
    load_any,
    load_bool,
    load_enum,
    load_int,
    load_list,
    load_map,
    load_number,
    load_string,
    missing,
    mistyped,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TEXTS = {str}
_LOADERS = {
    "any": load_any, "bool": load_bool, "int": load_int, "decimal": load_number, "string": load_string,
}  # fmt: skip


def record_of(given: Any, where: str) -> dict[str, Any]:
    """What a host says of a principal or an agent, as a record. Raises `EvaluationError` for anything but a mapping."""
    if given is None:
        return {}
    try:
        return {**given}
    except TypeError:
        message = f'`{where}` is a mapping, such as {{"id": "ana"}}, and not {type(given).__name__}'
        raise EvaluationError(message) from None


def bind_record(value: Any, description: Any, where: str) -> dict[str, Any]:
    """The declared fields of `value`; the rest of it is not visible to the policy."""
    if description is None:
        return value if value.__class__ is dict else {}
    if value.__class__ is not dict:
        return {name: mistyped(value, where, "an object") for name, _ in description[1]}
    found = {}
    for name, kind in description[1]:
        given = value.get(name)
        is_ready = given.__class__ is str and kind == "string"
        found[name] = given if is_ready else bind(given, kind, f"{where}.{name}")
    return found


def bind(value: Any, description: Any, where: str) -> Any:
    """One field, as a value of its type or a poison."""
    try:
        return _bound(value, description, where)
    except EvaluationError as error:
        return Poison(type(error), f"`{where}`: {error}")


def _bound(value: Any, description: Any, where: str) -> Any:
    if value is None:
        return missing(where)
    if description.__class__ is str:
        return _scalar(value, description, where)
    kind = description[0]
    if kind == "enum":
        return load_enum(value, where, frozenset(description[1]))
    if kind == "record":
        return (
            bind_record(value, description, where)
            if value.__class__ is dict
            else mistyped(value, where, "an object")
        )
    if kind == "map":
        return load_map(value, where)
    return _collection(value, description, where)


def _scalar(value: Any, kind: str, where: str) -> Any:
    loader = _LOADERS.get(kind)
    if loader:
        return loader(value, where)
    text = load_string(value, where)
    if text.__class__ is Poison:
        return text
    if kind in MODULES:
        return read(kind, text)
    return time(text) if kind == "time" else mistyped(value, where, f"a {kind}")


def _collection(value: Any, description: Any, where: str) -> Any:
    if value.__class__ is list and len(value) <= MAX_ITEMS and _are_texts(value, description[1]):
        return frozenset(value) if description[0] == "set" else list(value)
    if value.__class__ is set or value.__class__ is frozenset:
        value = sorted(value, key=repr)
    items = load_list(value, where)
    if items.__class__ is Poison:
        return items
    bound = [bind(item, description[1], f"{where}[{index}]") for index, item in enumerate(items)]
    for item in bound:
        if item.__class__ is Poison:
            return item
    return as_set(bound) if description[0] == "set" else bound


def _are_texts(items: list[Any], kind: Any) -> bool:
    """Whether these are what they are to be without a look at each, as most lists of ids are."""
    return kind == "string" and set(map(type, items)) == _TEXTS
