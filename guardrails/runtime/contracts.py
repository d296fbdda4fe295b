"""Contracts: whether a value follows a JSON Schema, with every violation told.

Takes the schema's text and a value, or a text with JSON in it. The meaning is that of the `jsonschema`
library, in the draft that the schema names (2020-12 where it names none). Nothing is coerced, formats are
not checked, references lead nowhere outside of the schema, and patterns are those of the language, so that no
text makes them slow (law L4).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from guardrails.errors import EvaluationError
from guardrails.runtime.operations import Poison

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jsonschema.exceptions import ValidationError
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
    return next(_problems_of_patterns(parse_json(text)[0]), "")


def _problems_of_patterns(schema: Any) -> Iterator[str]:
    """What is wrong with the patterns in a schema. Those of names are run by the library itself, so they must be
    proved to be linear as they are."""
    from guardrails.patterns import PatternError, check_pattern, plan_search

    for keyword, pattern in _patterns_in(schema):
        problem = check_pattern(pattern)
        if problem is not None:
            yield f"the `{keyword}` of `{pattern}`: {problem}"
            continue
        try:
            is_linear = keyword == "pattern" or plan_search(pattern).engine != "re2"
        except PatternError:
            is_linear = False
        if not is_linear:
            yield f"the `{keyword}` of `{pattern}` may take very long; write a simpler one, anchored with `^`"


def _patterns_in(schema: Any) -> Iterator[tuple[str, str]]:
    """Every pattern of a schema with its keyword; what is given as a value holds none."""
    if schema.__class__ is list:
        for item in schema:
            yield from _patterns_in(item)
    if schema.__class__ is not dict:
        return
    if schema.get("pattern").__class__ is str:
        yield "pattern", schema["pattern"]
    for keyword, inner in schema.items():
        if keyword == "patternProperties" and inner.__class__ is dict:
            yield from (("patternProperties", name) for name in inner)
        if keyword not in ("const", "enum", "default", "examples"):
            yield from _patterns_in(inner)


def _pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[ValidationError]:
    """The keyword `pattern`, run in linear time."""
    if instance.__class__ is str and not _search(pattern)(instance):
        from jsonschema.exceptions import ValidationError

        yield ValidationError(f"{instance!r} does not match {pattern!r}")


@lru_cache(maxsize=1_024)
def _search(pattern: str) -> Any:
    from guardrails.patterns import compile_search

    return compile_search(pattern)


@lru_cache(maxsize=256)
def _validator(schema: str) -> Validator:
    from json import loads

    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend, validator_for
    from referencing import Registry

    root = loads(schema)
    kind = validator_for(root, default=Draft202012Validator)
    kind.check_schema(root)
    linear = extend(kind, {"pattern": _pattern})  # type: ignore[no-untyped-call]  # the stub gives no types
    made: Validator = linear(root, registry=Registry())  # an empty registry fetches nothing
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
