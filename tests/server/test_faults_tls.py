"""HTTPS, and clients that have to show a certificate: who shows none, or one of somebody else, gets nothing."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from served import Served

pytest.importorskip("cryptography")

from authorities import Authority

ASK = b'{"type": "call", "tool": "ping", "args": {}}'


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "ours")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "theirs")


@pytest.fixture
def secure(serve: Any, ours: Authority) -> Callable[..., Served]:
    """A server with a certificate of ours."""
    cert, key = ours.certificate("server")
    return lambda *words: serve("plain.guard", *words, "--tls-cert", cert, "--tls-key", key)  # type: ignore[no-any-return]


def outcome(server: Served, trusting: Authority, shown: tuple[str, str] | None = None) -> bytes:
    """What an HTTPS client gets that trusts this authority, and shows this certificate."""
    context = ssl.create_default_context(cafile=str(trusting.file))
    if shown is not None:
        context.load_cert_chain(*shown)
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=20, context=context)
    try:
        connection.request("POST", "/v1/check", ASK)
        return connection.getresponse().read()
    finally:
        connection.close()


def test_https_answers_who_trusts_its_certificate(secure: Any, ours: Authority, theirs: Authority) -> None:
    server = secure()
    assert b'"allow"' in outcome(server, ours)
    with pytest.raises(ssl.SSLCertVerificationError):
        outcome(server, theirs)
    with socket.create_connection(("127.0.0.1", server.port)) as plain:
        plain.settimeout(20)
        plain.sendall(b"POST /v1/check HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(ASK) + ASK)
        assert not plain.recv(65_536).startswith(b"HTTP/")
    assert b'"allow"' in outcome(server, ours)


def test_clients_have_to_show_a_certificate_of_the_authority(
    secure: Any, ours: Authority, theirs: Authority
) -> None:
    server = secure("--client-ca", str(ours.file))
    assert b'"allow"' in outcome(server, ours, ours.certificate("client"))
    wrong = (
        None,
        theirs.certificate("stranger"),
        ours.certificate("late", lasts=timedelta(days=-1)),
    )
    for shown in wrong:
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            outcome(server, ours, shown)
    assert b'"allow"' in outcome(server, ours, ours.certificate("another"))
    code, err = server.stop()
    assert (code, "mistake" in err) == (0, False), err


def test_a_handshake_that_never_ends_holds_nobody_up(secure: Any, ours: Authority) -> None:
    server = secure()
    crowd = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
    for each in crowd:
        each.sendall(b"\x16\x03\x01")
    assert b'"allow"' in outcome(server, ours)
    for each in crowd:
        each.close()


def test_a_certificate_makes_an_address_that_others_reach_possible(serve: Any, ours: Authority) -> None:
    cert, key = ours.certificate("everywhere")
    words = ("plain.guard", "--tls-cert", cert, "--tls-key", key)
    with pytest.raises(AssertionError, match="nobody would have to say who they are"):
        serve(*words, binds=("0.0.0.0:0",))
    server = serve(*words, "--client-ca", str(ours.file), binds=("0.0.0.0:0",))
    assert b'"allow"' in outcome(server, ours, ours.certificate("far"))
