"""Headers of the new era: what is written is read, and the official SDK reads and writes the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.gateway.http.headers import (
    Mark,
    Mismatch,
    check_params,
    check_routing,
    decoded,
    encoded,
    headers_for,
    marks_of,
)

WORDS = st.text(st.characters(exclude_categories=["Cs"]))
PROPERTIES = st.dictionaries(
    st.sampled_from("abc"),
    st.one_of(
        st.fixed_dictionaries({"type": st.sampled_from(["string", "integer", "boolean", "number"])}),
        st.fixed_dictionaries(
            {
                "type": st.sampled_from(["string", "integer", "boolean"]),
                "x-mcp-header": st.sampled_from(["A", "a", "B", "C-c"]),
            }
        ),
        st.fixed_dictionaries({"type": st.just("number"), "x-mcp-header": st.just("N")}),
        st.fixed_dictionaries(
            {"type": st.just("string"), "x-mcp-header": st.sampled_from(["", "a b", "é", 3])}
        ),
    ),
)
SCHEMAS = st.builds(
    lambda outer, inner: {
        "type": "object",
        "properties": {**outer, "in": {"type": "object", "properties": inner}},
    },
    PROPERTIES,
    PROPERTIES,
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(st.characters(exclude_categories=["Cs"]))
)
ARGUMENTS = st.fixed_dictionaries(
    {}, optional={**dict.fromkeys("abc", SCALARS), "in": st.dictionaries(st.sampled_from("abc"), SCALARS)}
)


@given(WORDS)
def test_a_value_comes_back(value: str) -> None:
    assert decoded(encoded(value)) == value
    assert encoded(value).isascii()
    assert not set(encoded(value)) & {"\r", "\n", "\0"}


@given(WORDS)
def test_the_sdk_codes_alike(value: str) -> None:
    sdk = pytest.importorskip("mcp.shared.inbound")
    assert encoded(value) == sdk.encode_header_value(value)
    assert sdk.decode_header_value(encoded(value)) == value


@pytest.mark.parametrize(
    "value", ["=?base64?!?=", "=?base64?ZWNob-==?=", "=?base64?ZR==?=", "=?base64?/w==?=", "é", "a\tb"]
)
def test_what_nobody_could_have_coded(value: str) -> None:
    assert decoded(value) is None


@given(SCHEMAS, ARGUMENTS)
def test_the_sdk_marks_alike(schema: Any, arguments: Any) -> None:
    sdk = pytest.importorskip("mcp.shared.inbound")
    marks = marks_of(schema)
    message = {"method": "tools/call", "params": {"name": "t", "arguments": arguments}}
    mine = {
        name: each for name, each in headers_for(message, "v", marks).items() if name.startswith("mcp-param-")
    }
    is_valid = sdk.find_invalid_x_mcp_header(schema) is None
    theirs = sdk.mcp_param_headers(sdk.x_mcp_header_map(schema), arguments) if is_valid else {}
    assert mine == {name.lower(): each for name, each in theirs.items()}
    headers = [(name.encode(), each.encode()) for name, each in mine.items()]
    check_params(headers, arguments, marks)
    assert sdk.validate_mcp_param_headers(schema, arguments, mine) is None


@given(SCHEMAS, ARGUMENTS, ARGUMENTS)
def test_the_sdk_refuses_alike(schema: Any, arguments: Any, others: Any) -> None:
    sdk = pytest.importorskip("mcp.shared.inbound")
    marks = marks_of(schema)
    message = {"method": "tools/call", "params": {"name": "t", "arguments": others}}
    sent = {
        name: each for name, each in headers_for(message, "v", marks).items() if name.startswith("mcp-param-")
    }
    headers = [(name.encode(), each.encode()) for name, each in sent.items()]
    is_refused = False
    try:
        check_params(headers, arguments, marks)
    except Mismatch:
        is_refused = True
    assert is_refused is (sdk.validate_mcp_param_headers(schema, arguments, sent) is not None)


def test_headers_follow_the_body() -> None:
    message = {
        "method": "tools/call",
        "params": {"name": "größe", "arguments": {"region": "eu", "deep": {"on": True}, "gone": None}},
    }
    marks = (
        Mark(("region",), "Region", "string"),
        Mark(("deep", "on"), "On", "boolean"),
        Mark(("gone",), "Gone", "string"),
    )
    assert headers_for(message, "2026-07-28", marks) == {
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "=?base64?Z3LDtsOfZQ==?=",
        "mcp-param-region": "eu",
        "mcp-param-on": "true",
    }


def test_no_header_is_smuggled_in() -> None:
    with pytest.raises(Mismatch):
        headers_for({"method": "x\r\nauthorization: y"}, "v")
    assert "\r" not in headers_for({"method": "tools/call", "params": {"name": "a\r\nb: c"}}, "v")["mcp-name"]


@pytest.mark.parametrize("name", ["tools/call", "prompts/get", "resources/read"])
def test_routing(name: str) -> None:
    field = "uri" if name == "resources/read" else "name"
    message = {"method": name, "params": {field: "x://y z"}}
    headers = [(key.encode(), each.encode()) for key, each in headers_for(message, "v").items()]
    check_routing(headers, message, "v")
    for gone in range(len(headers)):
        with pytest.raises(Mismatch):
            check_routing([each for number, each in enumerate(headers) if number != gone], message, "v")
