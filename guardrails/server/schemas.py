"""JSON Schemas of what goes in and out, for the OpenAPI document. What they say the server holds to; tests compare."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
ID: Schema = {"type": "string", "minLength": 1}
NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 256}
ANY_OBJECT: Schema = {"type": "object"}
SESSION: Schema = {
    "oneOf": [
        ID,
        {"type": "object", "required": ["id"], "properties": {"id": ID}},
    ]
}
WHO: Schema = {
    "principal": ANY_OBJECT,
    "agent": ANY_OBJECT,
    "session": SESSION,
    "call_id": STRING,
    "tool_digest": STRING,
}


def record(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    """An object with these members and no others."""
    found: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return found | ({"required": list(required)} if required else {})


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _event(kind: str, required: tuple[str, ...], **more: Schema) -> Schema:
    return record(("type", *required), type={"const": kind}, **(WHO | more))


ARGS: Schema = ANY_OBJECT
EVENTS = {
    "call": _event(
        "call", ("tool", "args"), tool=STRING, args=ARGS, approval=STRING,
        hold={"type": ["number", "null"], "exclusiveMinimum": 0, "exclusiveMaximum": 1e9},
    ),
    "result": _event("result", ("tool", "result"), tool=STRING, args=ARGS, result={}, reservation=STRING),
    "input": _event("input", ("text",), text=STRING, args=ARGS, by={"enum": ["user", "agent"]}),
    "output": _event("output", ("text",), text=STRING, args=ARGS),
}  # fmt: skip

OUTCOME = record(
    ("tool", "outcome"), type={"const": "outcome"}, tool=STRING, args=ARGS, reservation=STRING,
    outcome={"enum": ["ok", "failed", "not run"]}, **WHO,
)  # fmt: skip

COUNT: Schema = {"type": "integer", "minimum": 0}
USAGE = record(
    (), type={"const": "usage"}, args=ARGS, model=STRING, input_tokens=COUNT, cached_tokens=COUNT,
    output_tokens=COUNT, cost={"type": ["string", "null"], "pattern": r"^[0-9]{1,12}(\.[0-9]{1,6})? [A-Z]{3}$"},
    tool_time={"type": "number", "minimum": 0}, tool=NAME, reservation=STRING, **WHO,
)  # fmt: skip

SPAN: Schema = {
    "type": ["object", "null"],
    "properties": {"file": STRING, "line": {"type": "integer"}, "column": {"type": "integer"}},
}
APPLIED = {"type": "array", "items": {"type": "object", "properties": {"statement": STRING, "span": SPAN}}}
DECISION: Schema = {
    "type": "object",
    "required": ["outcome", "policy", "message", "applied", "errors", "transforms", "payload", "obligations"],
    "properties": {
        "outcome": {"enum": ["allow", "ask", "deny", "halt"]},
        "policy": STRING,
        "message": STRING,
        "applied": APPLIED,
        "errors": {"type": "array", "items": ANY_OBJECT},
        "transforms": {"type": "array", "items": ANY_OBJECT},
        "payload": {},
        "obligations": {"type": "array", "items": ANY_OBJECT},
        "approvals": {"type": "array", "items": ANY_OBJECT},
        "request": {"type": ["string", "null"]},
        "approval": {"type": ["string", "null"]},
        "reviews": {"type": "array", "items": STRING},
        "denial": {"type": ["object", "null"]},
        "shadow": APPLIED,
        "reservation": {"type": ["string", "null"]},
        "labels": {"type": "array", "items": STRING},
        "origins": {"type": "array", "items": ANY_OBJECT},
    },
}
PROBLEM: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "at", "help"],
            "properties": {
                "code": STRING,
                "message": STRING,
                "at": {"type": ["string", "null"]},
                "help": {"type": ["string", "null"]},
            },
        }
    },
}
EVENT: Schema = {
    "oneOf": [ref(f"{name.capitalize()}Event") for name in EVENTS],
    "discriminator": {
        "propertyName": "type",
        "mapping": {name: f"#/components/schemas/{name.capitalize()}Event" for name in EVENTS},
    },
}

COMPONENTS: dict[str, Schema] = {
    **{f"{name.capitalize()}Event": schema for name, schema in EVENTS.items()},
    "Event": EVENT,
    "Outcome": OUTCOME,
    "Usage": USAGE,
    "Decision": DECISION,
    "Problem": PROBLEM,
}
