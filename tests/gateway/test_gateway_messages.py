"""Frames and messages: read strictly, however they arrive."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.gateway import messages
from guardrails.gateway.frames import Frames
from guardrails.gateway.messages import Refused, read, refusal, write


@pytest.mark.parametrize(
    ("frame", "code", "ids"),
    [
        (b"", -32700, ()),
        (b"{", -32700, ()),
        (b'{"jsonrpc":"2.0","id":7,"method":"a","method":"b"}', -32700, (7,)),
        (b'{"jsonrpc":"2.0","id":7,"id":8,"method":"a"}', -32700, (7, 8)),
        (b'{"jsonrpc":"2.0","id":7,"method":"a","params":{"x":{"y":1,"y":1}}}', -32700, (7,)),
        (b'{"jsonrpc":"2.0","id":7,"method":"a","params":{"x":NaN}}', -32700, (7,)),
        (b'{"jsonrpc":"2.0","id":7,"method":"a","params":{"x":-Infinity}}', -32700, (7,)),
        (b'{"jsonrpc":"2.0","id":7,"method":"a","params":{"x":1e999}}', -32700, (7,)),
        (b'{"jsonrpc":"2.0","id":7,"method":"a","params":{"x":"\\ud800"}}', -32700, (7,)),
        (b'{"jsonrpc":"2.0","id":7,"method":"a","params":{"\\udfff":1}}', -32700, (7,)),
        (b'{"jsonrpc":"2.0","id":7,"method":"a","params":{"x":"\xff"}}', -32700, ()),
        (b'{"jsonrpc":"2.0","id":7,"method":"a","params":{"x":' + b"9" * 1001 + b"}}", -32700, (7,)),
        (
            b'{"jsonrpc":"2.0","id":7,"method":"a","params":{"x":' + b"[" * 100 + b"]" * 100 + b"}}",
            -32700,
            (7,),
        ),
        (b'{"jsonrpc":"2.0","id":7,"method":"a","params":' + b"[" * 9999 + b"]" * 9999 + b"}", -32700, ()),
        (b'{"jsonrpc":"2.0","id":7,"method":"a"} x', -32700, ()),
        (b'\xef\xbb\xbf{"jsonrpc":"2.0","id":7,"method":"a"}', -32700, ()),
        (b"[]", -32600, ()),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600, ()),
        (b"3", -32600, ()),
        (b"{}", -32600, ()),
        (b'{"id":7,"method":"a"}', -32600, (7,)),
        (b'{"jsonrpc":"1.0","id":7,"method":"a"}', -32600, (7,)),
        (b'{"jsonrpc":"2.0","id":null,"method":"a"}', -32600, ()),
        (b'{"jsonrpc":"2.0","id":1.0,"method":"a"}', -32600, ()),
        (b'{"jsonrpc":"2.0","id":true,"method":"a"}', -32600, ()),
        (b'{"jsonrpc":"2.0","id":[],"method":"a"}', -32600, ()),
        (b'{"jsonrpc":"2.0","id":7,"method":3}', -32600, (7,)),
        (b'{"jsonrpc":"2.0","id":7,"method":""}', -32600, (7,)),
        (b'{"jsonrpc":"2.0","id":7,"method":"a","result":{}}', -32600, (7,)),
        (b'{"jsonrpc":"2.0","id":7,"method":"a","params":[]}', -32602, (7,)),
        (b'{"jsonrpc":"2.0","id":7,"method":"a","params":null}', -32602, (7,)),
        (b'{"jsonrpc":"2.0","id":7,"method":"a","params":{"_meta":[]}}', -32602, (7,)),
        (b'{"jsonrpc":"2.0","id":7}', -32600, (7,)),
        (b'{"jsonrpc":"2.0","id":7,"result":{},"error":{"code":1,"message":""}}', -32600, (7,)),
        (b'{"jsonrpc":"2.0","id":7,"result":3}', -32600, (7,)),
        (b'{"jsonrpc":"2.0","id":7,"error":{"code":"x","message":""}}', -32600, (7,)),
        (b'{"jsonrpc":"2.0","id":7,"error":{"code":1}}', -32600, (7,)),
        (b'{"jsonrpc":"2.0","result":{}}', -32600, ()),
    ],
)
def test_what_is_no_message_is_refused_with_the_right_error(
    frame: bytes, code: int, ids: tuple[Any, ...]
) -> None:
    with pytest.raises(Refused) as caught:
        read(frame)
    assert (caught.value.code, caught.value.ids) == (code, ids)
    answer = refusal(caught.value)
    assert answer["error"]["code"] == code
    assert answer["id"] == (ids[0] if len(ids) == 1 else None)
    assert len(answer["error"]["message"]) < 200


@pytest.mark.parametrize(
    "frame",
    [
        b'{"jsonrpc":"2.0","id":"x","method":"tools/list"}',
        b' {"jsonrpc" : "2.0", "method": "notifications/x", "params": {"_meta": {}}} ',
        b'{"jsonrpc":"2.0","id":0,"result":{}}',
        b'{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"x","data":[1]}}',
        '{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":"\\ud83d\\ude00 é"}}'.encode(),
        b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":1e300,"y":-0.0,"z":12345678901234567890}}',
    ],
)
def test_what_is_one_is_read_and_written_as_the_same(frame: bytes) -> None:
    message = read(frame)
    assert message == json.loads(frame)
    assert read(write(message)) == message
    assert b"\n" not in write(message)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip
MESSAGES = st.builds(
    lambda id, params: {"jsonrpc": "2.0", "id": id, "method": "m", "params": {"x": params}},
    st.integers(-9, 9) | st.text(st.characters(codec="utf-8"), max_size=9),
    JSON,
)


@given(MESSAGES, st.booleans())
def test_messages_come_back_as_they_were(message: dict[str, Any], escaped: bool) -> None:  # noqa: FBT001
    assert read(json.dumps(message, ensure_ascii=escaped).encode()) == message
    assert read(write(message)) == message


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(frame: bytes) -> None:
    assert outcome(frame) in ("2.0", -32700, -32600, -32602)


def outcome(frame: bytes) -> Any:
    try:
        return read(frame)["jsonrpc"]
    except Refused as refused:
        return refused.code


LINES = st.lists(st.binary(max_size=30).map(lambda each: each.replace(b"\n", b"")), max_size=8)


@given(LINES, st.data())
def test_frames_are_the_same_however_they_are_cut(lines: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    frames, found = Frames(1_000), list[bytes | None]()
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += frames.feed(stream[begin:end])
    assert found == [line.strip(b" \t\r") for line in lines if line.strip(b" \t\r")]
    assert frames.end() == []


@given(st.lists(st.integers(0, 40), max_size=8), st.integers(1, 20), st.integers(1, 7))
def test_a_line_that_is_too_long_is_said_once_and_not_kept(sizes: list[int], most: int, step: int) -> None:
    stream = b"".join(b"x" * size + b"\n" for size in sizes)
    frames, found = Frames(most), list[bytes | None]()
    for begin in range(0, len(stream), step):
        found += frames.feed(stream[begin : begin + step])
        assert sum(map(len, frames._kept)) <= most
    assert found == [None if size > most else b"x" * size for size in sizes if size]


def test_a_last_line_needs_no_end() -> None:
    frames = Frames(100)
    assert frames.feed(b"a\r\n\r\nb") == [b"a"]
    assert frames.end() == [b"b"]


def test_a_duplicate_key_is_named_and_cut_short() -> None:
    long = "k" * 500
    with pytest.raises(Refused, match="twice") as caught:
        read(f'{{"{long}":1,"{long}":2}}'.encode())
    assert len(caught.value.why) < 150


def test_kinds_of_messages() -> None:
    assert messages.is_request(messages.request(1, "a"))
    assert not messages.is_request(messages.notification("a"))
    assert messages.is_response(messages.failure(None, -1, "x"))
    assert [messages.is_id(each) for each in (1, "a", 2**63, "x" * 2_000, None, True, 1.0)] == [
        True, True, False, False, False, False, False,
    ]  # fmt: skip
