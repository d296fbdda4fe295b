"""JSON Schema to types: what a tool's own schema lets the checker know of its arguments.

Takes a schema, gives a type. A schema is read as a description, not enforced here: what it says beyond a
type (lengths, patterns) is left out, what it leaves open is `any`, and a circle of references is cut
where it closes. Every shortcut widens the type, so none can hide a value the tool would accept.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple
from urllib.parse import unquote

from guardrails.diagnostics import did_you_mean
from guardrails.json_positions import Json, pointer_to
from guardrails.language import types
from guardrails.language.toolfile import JsonObject, Problem, Report, kind_of

MAX_DEPTH = 40
MAX_SCHEMAS = 5_000
"""Schemas read for one tool, references followed; beyond either bound everything is `any`."""

FORMATS = {
    "uri": types.URL,
    "url": types.URL,
    "iri": types.URL,
    "email": types.EMAIL,
    "idn-email": types.EMAIL,
    "hostname": types.HOST,
    "idn-hostname": types.HOST,
    "ipv4": types.IP,
    "ipv6": types.IP,
    "date-time": types.TIME,
    "path": types.PATH,
    "file-path": types.PATH,
    "directory-path": types.PATH,
}
"""Formats of strings that are types of the language."""

_SIMPLE = {
    "integer": types.INT,
    "number": types.DECIMAL,
    "boolean": types.BOOL,
    "null": types.NULL,
}
_TYPE_NAMES = (*_SIMPLE, "string", "array", "object")


class Reading(NamedTuple):
    """The type of a value; `nullable`: it may be null as well."""

    type: types.Type
    nullable: bool = False


UNKNOWN = Reading(types.ANY)


class SchemaReader:
    """Reads one schema document. `pointer` is its place in the file, for the problems it reports."""

    def __init__(self, root: JsonObject, pointer: str, report: Report) -> None:
        self._root = root
        self._pointer = pointer
        self._report = report
        self._open_references = ["#"]
        self._known: dict[str, Reading] = {}
        self._cuts = 0
        self._count = 0

    def read(self) -> Reading:
        """The type of a value of the whole schema."""
        found = self._schema(self._root, self._pointer, 0)
        if self._count > MAX_SCHEMAS:
            message = "the schema is too large, parts of it are read as `any`"
            self._report(Problem(self._pointer, message, is_error=False))
        return found

    def _wrong(self, pointer: str, message: str, advice: str = "") -> None:
        self._report(Problem(pointer, message, advice))

    def _schema(self, schema: Json, pointer: str, depth: int) -> Reading:
        self._count += 1
        if isinstance(schema, bool) or depth > MAX_DEPTH or self._count > MAX_SCHEMAS:
            return UNKNOWN
        if not isinstance(schema, dict):
            self._wrong(pointer, f"a schema is an object, not {kind_of(schema)}")
            return UNKNOWN
        found = intersection(self._parts(schema, pointer, depth))
        return Reading(found.type, found.nullable or schema.get("nullable") is True)

    def _parts(self, schema: JsonObject, pointer: str, depth: int) -> list[Reading]:
        """Everything that must hold at once."""
        parts = [self._own(schema, pointer, depth)]
        if "$ref" in schema:
            parts.append(self._reference(schema["$ref"], pointer_to(pointer, "$ref"), depth))
        parts += self._each(schema, "allOf", pointer, depth)
        for key in ("anyOf", "oneOf"):
            options = self._each(schema, key, pointer, depth)
            parts += [union(options)] if options else []
        return parts

    def _each(self, schema: JsonObject, key: str, pointer: str, depth: int) -> list[Reading]:
        here = pointer_to(pointer, key)
        listed = schema.get(key, [])
        if not isinstance(listed, list):
            self._wrong(here, f"`{key}` is a list of schemas, not {kind_of(listed)}")
            return []
        return [self._schema(item, pointer_to(here, at), depth + 1) for at, item in enumerate(listed)]

    def _own(self, schema: JsonObject, pointer: str, depth: int) -> Reading:
        """What the schema says itself, without the schemas it combines."""
        if "const" in schema:
            return _of_values([schema["const"]])
        if "enum" in schema:
            return self._enum(schema["enum"], pointer_to(pointer, "enum"))
        names = self._type_names(schema, pointer)
        return union([self._of_type(name, schema, pointer, depth) for name in names]) if names else UNKNOWN

    def _enum(self, values: Json, pointer: str) -> Reading:
        if isinstance(values, list) and values:
            return _of_values(values)
        self._wrong(pointer, "`enum` is a list of one value or more")
        return UNKNOWN

    def _type_names(self, schema: JsonObject, pointer: str) -> list[str]:
        given = schema.get("type")
        if given is None:
            return _implied(schema)
        here = pointer_to(pointer, "type")
        names = given if isinstance(given, list) else [given]
        for name in names:
            if name not in _TYPE_NAMES:
                self._wrong(
                    here, f"`{name}` is not a type of JSON Schema", did_you_mean(str(name), _TYPE_NAMES)
                )
                return []
        return [str(name) for name in names]

    def _of_type(self, name: str, schema: JsonObject, pointer: str, depth: int) -> Reading:
        if name == "object":
            return Reading(self._object(schema, pointer, depth))
        if name == "array":
            return Reading(types.ListOf(self._items(schema, pointer, depth)))
        if name == "string":
            return Reading(FORMATS.get(str(schema.get("format")), types.STRING))
        return Reading(_SIMPLE[name], nullable=name == "null")

    def _items(self, schema: JsonObject, pointer: str, depth: int) -> types.Type:
        """The type of any element; older schemas list the first ones under `items` itself."""
        key, others = ("prefixItems", "items") if "prefixItems" in schema else ("items", "additionalItems")
        if not isinstance(schema.get(key), list):
            return self._schema(schema.get("items", True), pointer_to(pointer, "items"), depth + 1).type
        found = self._each(schema, key, pointer, depth)
        if schema.get(others) is not False:
            found.append(self._schema(schema.get(others, True), pointer_to(pointer, others), depth + 1))
        return union(found).type

    def _object(self, schema: JsonObject, pointer: str, depth: int) -> types.Type:
        fields = self._fields(schema, pointer, depth)
        others = self._others(schema, pointer, depth)
        if not fields and others is not None:
            return types.MapOf(types.STRING, others)
        closed = schema.get("additionalProperties") is False and not schema.get("patternProperties")
        return types.Record("", fields, open=not closed)

    def _others(self, schema: JsonObject, pointer: str, depth: int) -> types.Type | None:
        """The type of fields that are not listed, where there is one for all of them."""
        others = schema.get("additionalProperties")
        if not isinstance(others, dict) or schema.get("patternProperties"):
            return None
        return self._schema(others, pointer_to(pointer, "additionalProperties"), depth + 1).type

    def _fields(self, schema: JsonObject, pointer: str, depth: int) -> tuple[types.Field, ...]:
        required = self._required(schema, pointer)
        here = pointer_to(pointer, "properties")
        listed = schema.get("properties", {})
        if not isinstance(listed, dict):
            self._wrong(here, f"`properties` is an object, not {kind_of(listed)}")
            listed = {}
        found = {name: self._schema(part, pointer_to(here, name), depth + 1) for name, part in listed.items()}
        found |= {name: UNKNOWN for name in required if name not in found}
        return tuple(
            types.Field(name, reading.type, optional=reading.nullable or name not in required)
            for name, reading in found.items()
        )

    def _required(self, schema: JsonObject, pointer: str) -> list[str]:
        names = schema.get("required", [])
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            return [str(name) for name in names]
        if not isinstance(names, bool):  # a boolean here is what version 3 of the standard had
            self._wrong(pointer_to(pointer, "required"), "`required` is a list of the names of fields")
        return []

    def _reference(self, reference: Json, pointer: str, depth: int) -> Reading:
        if not isinstance(reference, str):
            self._wrong(pointer, f"`$ref` is a string, not {kind_of(reference)}")
            return UNKNOWN
        if reference in self._open_references:
            self._cuts += 1
            return UNKNOWN
        if reference not in self._known:
            return self._followed(reference, pointer, depth)
        return self._known[reference]

    def _followed(self, reference: str, pointer: str, depth: int) -> Reading:
        target = self._target(reference, pointer)
        if target is None:
            return UNKNOWN
        cuts = self._cuts
        self._open_references.append(reference)
        place = self._pointer + unquote(reference[1:])
        found = _named(self._schema(target, place, depth + 1), reference.rpartition("/")[2])
        self._open_references.pop()
        if cuts == self._cuts:  # otherwise the type depends on where the circle was entered
            self._known[reference] = found
        return found

    def _target(self, reference: str, pointer: str) -> Json:
        """The schema that a local reference points to; None for what is elsewhere or nowhere."""
        if not reference.startswith("#/"):
            return None
        target: Json = self._root
        for part in unquote(reference[2:]).split("/"):
            target = _member(target, part.replace("~1", "/").replace("~0", "~"))
        if target is None:
            message = f"`{reference}` points to nothing, so the value is read as `any`"
            self._report(Problem(pointer, message, is_error=False))
        return target


def union(options: list[Reading]) -> Reading:
    """What a value is that fits one of the options."""
    nullable = any(option.nullable or option.type == types.NULL for option in options)
    kinds = list(dict.fromkeys(option.type for option in options if option.type != types.NULL))
    if not kinds:
        return Reading(types.NULL, nullable=True)
    if all(isinstance(kind, types.Enum) for kind in kinds):
        values = dict.fromkeys(
            value for kind in kinds if isinstance(kind, types.Enum) for value in kind.values
        )
        return Reading(types.Enum(tuple(values)), nullable)
    records = [kind for kind in kinds if isinstance(kind, types.Record)]
    if len(records) == len(kinds) > 1:
        return Reading(_any_record(records), nullable)
    return Reading(types.join(kinds), nullable)


def intersection(parts: list[Reading]) -> Reading:
    """What a value is that fits all of the parts."""
    known = [part for part in parts if part.type != types.ANY]
    if not known:
        return Reading(types.ANY, any(part.nullable for part in parts))
    kind = known[0].type
    for part in known[1:]:
        kind = _both(kind, part.type)
    return Reading(kind, all(part.nullable for part in known))


def _both(left: types.Type, right: types.Type) -> types.Type:
    """The narrower of two types; `any` where they have nothing to do with each other."""
    if isinstance(left, types.Record) and isinstance(right, types.Record):
        return _every_record(left, right)
    if isinstance(left, types.Enum) and isinstance(right, types.Enum):
        common = tuple(value for value in left.values if value in right.values)
        return types.Enum(common) if common else types.STRING
    for narrow, wide in ((left, right), (right, left)):
        if narrow == wide or wide == types.ANY or _is_narrower(narrow, wide):
            return narrow
    return types.ANY


def _is_narrower(narrow: types.Type, wide: types.Type) -> bool:
    if wide == types.STRING:
        return types.is_textual(narrow) or narrow == types.TIME
    return wide == types.DECIMAL and narrow == types.INT


def _every_record(left: types.Record, right: types.Record) -> types.Record:
    """Two descriptions of one record: a field that either asks for is there."""
    fields = {field.name: field for field in left.fields}
    for field in right.fields:
        other = fields.get(field.name, types.Field(field.name, types.ANY, optional=True))
        kind = _both(other.type, field.type)
        fields[field.name] = types.Field(field.name, kind, optional=other.optional and field.optional)
    return types.Record(left.name or right.name, tuple(fields.values()), open=left.open and right.open)


def _any_record(records: list[types.Record]) -> types.Record:
    """One of several records: a field is sure to be there if all of them have it."""
    names = dict.fromkeys(field.name for record in records for field in record.fields)
    fields = tuple(_any_field(name, records) for name in names)
    return types.Record("", fields, open=any(record.open for record in records))


def _any_field(name: str, records: list[types.Record]) -> types.Field:
    found = [record.field(name) for record in records]
    here = [field for field in found if field is not None]
    elsewhere = any(field is None and record.open for field, record in zip(found, records, strict=True))
    kinds = [Reading(field.type) for field in here]
    kind = types.ANY if elsewhere else union(kinds).type
    return types.Field(name, kind, optional=len(here) < len(records) or any(field.optional for field in here))


def _named(found: Reading, name: str) -> Reading:
    """A record takes the name of the definition it came from, for messages."""
    if isinstance(found.type, types.Record) and not found.type.name:
        return Reading(replace(found.type, name=name), found.nullable)
    return found


def _of_values(values: list[Json]) -> Reading:
    nullable = None in values
    others = [value for value in values if value is not None]
    if others and all(isinstance(value, str) for value in others):
        return Reading(types.Enum(tuple(dict.fromkeys(str(value) for value in others))), nullable)
    return union([Reading(_type_of(value)) for value in values])


def _type_of(value: Json) -> types.Type:
    if value is None:
        return types.NULL
    if isinstance(value, list):
        return types.ListOf(types.ANY)
    if isinstance(value, dict):
        return types.Record("", (), open=True)
    scalars = {bool: types.BOOL, int: types.INT, float: types.DECIMAL, str: types.STRING}
    return scalars[type(value)]


def _implied(schema: JsonObject) -> list[str]:
    """The type of a schema that has none: keywords of objects and lists are only written for those."""
    if not {"properties", "additionalProperties", "patternProperties", "required"}.isdisjoint(schema):
        return ["object"]
    return ["array"] if "items" in schema or "prefixItems" in schema else []


def _member(value: Json, key: str) -> Json:
    if isinstance(value, dict):
        return value.get(key)
    if isinstance(value, list) and key.isascii() and key.isdigit() and len(key) < 7 and int(key) < len(value):
        return value[int(key)]
    return None
