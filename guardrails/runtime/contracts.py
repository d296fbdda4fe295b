"""Contracts: whether a value follows a JSON Schema, with every violation told.

Takes the schema's text and a value, or a text with JSON in it. The meaning is that of the `jsonschema`
library, in the draft that the schema names (2020-12 where it names none). Nothing is coerced, formats are
not checked, and references lead nowhere outside of the schema.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from guardrails.errors import EvaluationError
from guardrails.runtime.operations import Poison

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

MOST_TOLD = 20
"""Violations that a message tells; of more it says how many there are."""


class Violation(EvaluationError):
    """A value does not follow its schema."""

    kind = "schema"


def conforming(schema: str, value: Any) -> bool:
    """True, or a `Violation` that tells every place where the value does not follow the schema."""
    if value.__class__ is str:
        value = json_of(value)
    if value.__class__ is Poison:
        raise Violation("the text is not JSON")
    found = sorted(
        _validator(schema).iter_errors(_plain(value)), key=lambda error: list(map(str, error.absolute_path))
    )
    if not found:
        return True
    told = "; ".join(_told(error) for error in found[:MOST_TOLD])
    more = f"; and {len(found) - MOST_TOLD} more" if len(found) > MOST_TOLD else ""
    raise Violation(f"the schema is not followed: {told}{more}")


def json_of(text: Any) -> Any:
    """The JSON that a text is; a poison where it is none."""
    from guardrails.json_positions import JsonError, parse_json

    if text.__class__ is not str:
        return Poison(Violation, "there is no text")
    try:
        return parse_json(text)[0]
    except JsonError as error:
        return Poison(Violation, f"the text is not JSON: {error}")


def problem_of_schema(text: str) -> str:
    """What is wrong with a schema; empty when nothing is."""
    from jsonschema.exceptions import SchemaError

    from guardrails.json_positions import JsonError, parse_json

    try:
        parse_json(text)
        _validator(text)
    except JsonError as error:
        return str(error)
    except SchemaError as error:
        return f"{error.json_path}: {error.message}"
    return ""


@lru_cache(maxsize=256)
def _validator(schema: str) -> Validator:
    from json import loads

    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for
    from referencing import Registry

    root = loads(schema)
    kind = validator_for(root, default=Draft202012Validator)
    kind.check_schema(root)
    made: Validator = kind(root, registry=Registry())  # an empty registry fetches nothing
    return made


def _plain(value: Any) -> Any:
    """Exact numbers as `jsonschema` knows them."""
    if value.__class__ is dict:
        return {name: _plain(item) for name, item in value.items()}
    if value.__class__ is list:
        return [_plain(item) for item in value]
    if value.__class__.__module__ == "decimal":
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def _told(error: Any) -> str:
    path = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in error.absolute_path)
    message = error.message if len(error.message) <= 200 else error.message[:200] + "..."
    return f"`{path or '/'}`: {message}"
