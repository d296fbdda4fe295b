"""HTTPS toward clients, with real handshakes: who shows no certificate, or one of somebody else, reaches nothing."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

pytest.importorskip("cryptography")

from authorities import Authority
from http_gateway import ECHO, Gateway
from http_scripted import initialize
from test_http_listening import keys_in, refused

Secure = Callable[..., Gateway]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "ours")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "theirs")


@pytest.fixture
def secure(tmp_path: Path, ours: Authority) -> Iterator[Secure]:
    """Starts gateways with a certificate of ours."""
    cert, key = ours.certificate("gateway")
    started: list[Gateway] = []

    def begin(*words: str, **more: str) -> Gateway:
        echo = {"echo": {"command": ECHO[0], "args": ECHO[1:]}}
        started.append(Gateway(tmp_path, echo, "--tls-cert", cert, "--tls-key", key, *words, **more))
        return started[-1]

    yield begin
    for each in started:
        if not each.errors.closed:
            each.stop()


def status(
    gateway: Gateway,
    trusting: Authority,
    shown: tuple[str, str] | None = None,
    **headers: str,
) -> int:
    """What an HTTPS client gets that trusts this authority, shows this certificate, and begins a session."""
    context = ssl.create_default_context(cafile=str(trusting.file))
    if shown is not None:
        context.load_cert_chain(*shown)
    connection = http.client.HTTPSConnection("127.0.0.1", gateway.port, timeout=20, context=context)
    try:
        kinds = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        connection.request("POST", "/mcp", json.dumps(initialize()), {**kinds, **headers})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def test_https_answers_who_trusts_its_certificate(secure: Secure, ours: Authority, theirs: Authority) -> None:
    gateway = secure()
    assert gateway.url.startswith("https://127.0.0.1:")
    assert gateway.url.endswith("/mcp")
    assert status(gateway, ours) == 200
    with pytest.raises(ssl.SSLCertVerificationError):
        status(gateway, theirs)
    with socket.create_connection(("127.0.0.1", gateway.port)) as plain:
        plain.settimeout(20)
        plain.sendall(b"POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}")
        assert not plain.recv(65_536).startswith(b"HTTP/")
    assert status(gateway, ours) == 200
    assert gateway.stop() == 0


def test_a_key_is_asked_for_over_https_too(secure: Secure, ours: Authority, tmp_path: Path) -> None:
    (key,) = keys_in(tmp_path, "ana")
    gateway = secure("--keys", "keys.json", address="0.0.0.0:0")
    assert status(gateway, ours) == 401
    assert status(gateway, ours, authorization=f"Bearer {key}") == 200


def test_clients_have_to_show_a_certificate_of_the_authority(
    secure: Secure, ours: Authority, theirs: Authority
) -> None:
    gateway = secure("--client-ca", str(ours.file))
    assert status(gateway, ours, ours.certificate("client")) == 200
    wrong = (None, theirs.certificate("stranger"), ours.certificate("late", lasts=timedelta(days=-1)))
    for shown in wrong:
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            status(gateway, ours, shown)
    assert status(gateway, ours, ours.certificate("another")) == 200
    assert gateway.stop() == 0


def test_a_certificate_of_a_client_makes_a_wide_address_possible(
    secure: Secure, ours: Authority, tmp_path: Path
) -> None:
    cert, key = ours.certificate("everywhere")
    code, said = refused(tmp_path, "--listen", "0.0.0.0:0", "--tls-cert", cert, "--tls-key", key)
    assert code != 0
    assert "nobody would have to say who they are" in said
    gateway = secure("--client-ca", str(ours.file), address="0.0.0.0:0")
    shown = ours.certificate("far")
    assert status(gateway, ours, shown, host="gateway.example.com") == 200
    assert status(gateway, ours, shown, origin="https://elsewhere.example.com") == 403


def test_a_handshake_that_never_ends_holds_nobody_up(secure: Secure, ours: Authority) -> None:
    gateway = secure()
    crowd = [socket.create_connection(("127.0.0.1", gateway.port)) for _ in range(20)]
    for each in crowd:
        each.sendall(b"\x16\x03\x01")
    assert status(gateway, ours) == 200
    for each in crowd:
        each.close()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--tls-cert", "CERT"], "go together"),
        (["--client-ca", "CERT"], "needs `--tls-cert` and `--tls-key`"),
        (["--tls-cert", "none.pem", "--tls-key", "KEY"], "`none.pem` cannot be read"),
        (["--tls-cert", "KEY", "--tls-key", "CERT"], "are no certificate with its key"),
    ],
)
def test_files_that_no_tls_can_be_done_with(
    words: list[str], told: str, ours: Authority, tmp_path: Path
) -> None:
    files = dict(zip(("CERT", "KEY"), ours.certificate("server"), strict=True))
    code, said = refused(tmp_path, "--listen", "127.0.0.1:0", *(files.get(each, each) for each in words))
    assert code != 0
    assert told in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--keys", "keys.json"], "--keys"),
        (["--allow-host", "gate.test"], "--allow-host"),
        (["--allow-origin", "https://tools.test"], "--allow-origin"),
        (["--tls-cert", "cert.pem", "--tls-key", "key.pem"], "--tls-cert"),
        (["--client-ca", "ca.pem"], "--client-ca"),
    ],
)
def test_what_protects_an_address_is_no_word_for_pipes(words: list[str], named: str, tmp_path: Path) -> None:
    code, said = refused(tmp_path, *words)
    assert code == 64
    assert f"`{named}` is for clients over HTTP" in said
