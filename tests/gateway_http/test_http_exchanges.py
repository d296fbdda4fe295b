"""The exchanges of `http_exchanges.md`, byte for byte. GUARD_UPDATE_GOLDEN=1 writes what is answered now."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest
from http_scripted import Running

PAGE = Path(__file__).with_name("http_exchanges.md")
PAIR = re.compile(
    r"^## (?P<title>.*?)\n\n```request\n(?P<request>.*?)```\n\n```response\n(?P<response>.*?)```$",
    re.M | re.S,
)


@pytest.fixture(scope="module")
def answers() -> dict[str, str]:
    """What is answered to each request of the page, by title."""
    running = Running()
    session, found = "", {}
    for pair in PAIR.finditer(PAGE.read_text()):
        answer = exchanged(running.port, pair["request"].replace("{session}", session))
        session = session or re.search(r"mcp-session-id: (.*)", answer)[1]  # type: ignore[index]  # the first has it
        found[pair["title"]] = answer.replace(session, "{session}")
    running.stop()
    if os.environ.get("GUARD_UPDATE_GOLDEN"):
        PAGE.write_text(PAIR.sub(lambda pair: rewritten(pair, found[pair["title"]]), PAGE.read_text()))
    return found


def rewritten(pair: re.Match[str], answer: str) -> str:
    start, end = pair.span("response")
    text = pair[0]
    return text[: start - pair.start()] + answer + text[end - pair.start() :]


def exchanged(port: int, request: str) -> str:
    """The answer to a request, as text; the connection is closed for each."""
    head, _, body = request.partition("\n\n")
    first, *lines = head.strip().split("\n")
    data = body.strip().encode()
    fixed = [f"content-length: {len(data)}"] if data else []
    host = [] if any(line.startswith("host:") for line in lines) else ["host: localhost"]
    sent = "\r\n".join([f"{first} HTTP/1.1", *host, "connection: close", *fixed, *lines, "", ""]).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as stream:
        stream.sendall(sent + data)
        found = b"".join(iter(lambda: stream.recv(65_536), b""))
    head, _, body = found.decode().partition("\r\n\r\n")
    shown = [line for line in head.split("\r\n") if not line.startswith("date: ")]
    return "\n".join(shown) + "\n" + (f"\n{plain(head, body)}\n" if body else "")


def plain(head: str, body: str) -> str:
    """A body without the sizes of its chunks."""
    if "transfer-encoding: chunked" not in head:
        return body
    return re.sub(r"[0-9a-f]+\r\n(.*?)\r\n", r"\1", body, flags=re.S).rstrip("\r\n")


@pytest.mark.parametrize("title", [pair["title"] for pair in PAIR.finditer(PAGE.read_text())])
def test_an_exchange(answers: dict[str, str], title: str) -> None:
    wanted = next(pair["response"] for pair in PAIR.finditer(PAGE.read_text()) if pair["title"] == title)
    assert answers[title] == wanted
