"""HTTPS, and clients that have to show a certificate: who shows none, or one of somebody else, gets nothing."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from served import Served

pytest.importorskip("cryptography")

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ASK = b'{"type": "call", "tool": "ping", "args": {}}'


class Authority:
    """Signs certificates."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        made = self._built(self._name, self._key, timedelta(days=1)).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(_pem(made.sign(self._key, hashes.SHA256())))

    def certificate(self, name: str, *, lasts: timedelta = timedelta(days=1)) -> tuple[str, str]:
        """A certificate and its key, as files."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        made = self._built(_named(name), key, lasts).add_extension(alternative, critical=False)
        signed = made.add_extension(usage, critical=False).sign(self._key, hashes.SHA256())
        files = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        files[0].write_bytes(_pem(signed))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return str(files[0]), str(files[1])

    def _built(self, subject: x509.Name, key: Any, lasts: timedelta) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        begins = now - timedelta(days=2)
        return x509.CertificateBuilder(
            self._name, subject, key.public_key(), x509.random_serial_number(), begins, now + lasts
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


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
