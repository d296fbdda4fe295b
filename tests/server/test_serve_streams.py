"""Outputs in pieces over HTTP: what comes out is what the whole would be, and the end says so."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from served import Served

TEXT = "My card is 4111111111111111, ok? Or 5500005555555559!"
CLEAN = "My card is [REDACTED]"


def streamed(server: Served, *lines: Any) -> list[dict[str, Any]]:
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    reply = server.post("/v1/streams/output", body)
    assert reply.status == 200, reply
    assert reply.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in reply.data.splitlines()]


def text_of(lines: list[dict[str, Any]]) -> str:
    return "".join(line["text"] for line in lines if "text" in line)


@given(cuts=st.lists(st.integers(0, len(TEXT)), max_size=6))
@settings(max_examples=25)
def test_every_cut_gives_what_the_whole_gives(shared: Served, cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(TEXT)]
    pieces = [{"text": TEXT[a:b]} for a, b in itertools.pairwise(places)]
    lines = streamed(shared, {}, *pieces)
    whole = shared.post("/v1/check", {"type": "output", "text": TEXT}).json["payload"]
    assert text_of(lines) == whole
    assert "4111" not in text_of(lines)
    assert (lines[-1]["end"], lines[-1]["denied"]) == (True, False)


def test_a_denial_ends_it(shared: Served) -> None:
    lines = streamed(shared, {}, {"text": "it is a sec"}, {"text": "ret thing"}, {"text": " and more"})
    assert (lines[-1]["end"], lines[-1]["denied"], lines[-1]["decision"]["outcome"]) == (True, True, "deny")
    assert "secret" not in text_of(lines)


def test_pieces_come_out_before_the_end_goes_in(shared: Served) -> None:
    import socket

    def chunk(line: Any) -> bytes:
        data = json.dumps(line).encode() + b"\n"
        return b"%x\r\n%b\r\n" % (len(data), data)

    with socket.create_connection(("127.0.0.1", shared.port), timeout=20) as both:
        both.sendall(b"POST /v1/streams/output HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        both.sendall(chunk({}) + chunk({"text": "Hello there, my good friend. " * 20}))
        seen = b""
        while b"Hello there" not in seen:
            part = both.recv(65_536)
            assert part
            seen += part
        both.sendall(chunk({"text": "Bye."}) + b"0\r\n\r\n")
        while b'"end"' not in seen:
            part = both.recv(65_536)
            assert part
            seen += part


@pytest.mark.parametrize(
    "lines",
    [[{}, {"txt": "a"}], [{}, {"text": 3}], [{}, [1]], [{}, {"text": "a", "more": 1}]],
)
def test_a_malformed_line_ends_it_with_a_problem(shared: Served, lines: list[Any]) -> None:
    last = streamed(shared, *lines)[-1]
    assert (last["end"], last["denied"], last["error"]["message"] != "") == (True, True, True)


@pytest.mark.parametrize("lines", [[], [{"tex": "a"}], [{"session": 3}], [[]]])
def test_a_malformed_first_line_is_a_400(shared: Served, lines: list[Any]) -> None:
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    assert shared.post("/v1/streams/output", body).status == 400
