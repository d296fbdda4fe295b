"""Certificates: the options of a command that serves HTTPS, as uvicorn takes them.

Takes `--tls-cert`, `--tls-key` and `--client-ca`, gives settings, or stops: files that no TLS can be done with are
found before anything is listened on, because for the first client it would be too late.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

import click

from . import exits
from .problems import Stop, usage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Command = TypeVar("Command", bound="Callable[..., Any]")

NAMES = ("tls_cert", "tls_key", "client_ca")


def tls_options(command: Command) -> Command:
    """The three options, in this order."""
    for option in (
        click.option(
            "--client-ca", metavar="FILE", help="Only clients with a certificate of this authority."
        ),
        click.option("--tls-key", metavar="FILE", help="Its key."),
        click.option("--tls-cert", metavar="FILE", help="The server's certificate, for HTTPS."),
    ):
        command = option(command)
    return command


def tls_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """What uvicorn calls them; empty without a certificate. Stops for what cannot be served with."""
    cert, key, authority = (options[name] for name in NAMES)
    if (cert is None) != (key is None):
        raise usage("`--tls-cert` and `--tls-key` go together")
    if cert is None:
        if authority is not None:
            raise usage("`--client-ca` needs `--tls-cert` and `--tls-key`")
        return {}
    found: dict[str, Any] = {"ssl_certfile": cert, "ssl_keyfile": key}
    if authority is not None:
        from ssl import CERT_REQUIRED

        found |= {"ssl_ca_certs": authority, "ssl_cert_reqs": CERT_REQUIRED}
    for path in (cert, key, *([authority] if authority else [])):
        if not os.access(path, os.R_OK):
            raise usage(f"`{path}` cannot be read")
    _check(cert, key, authority)
    return found


def _check(cert: str, key: str, authority: str | None) -> None:
    """Stop for files that no TLS can be done with."""
    from ssl import PROTOCOL_TLS_SERVER, SSLContext, SSLError

    def unlocked() -> str:
        raise usage(
            f"`{key}` is locked with a password", "give a key without one, that only its owner can read"
        )

    context = SSLContext(PROTOCOL_TLS_SERVER)
    files = f"`{cert}` and `{key}` are no certificate with its key"
    try:
        context.load_cert_chain(cert, key, password=unlocked)
        if authority is not None:
            files = f"`{authority}` holds no certificate of an authority"
            context.load_verify_locations(authority)
    except SSLError as error:
        why = (error.reason or "not PEM").lower().replace("_", " ")
        raise Stop(exits.IO, f"error: {files}, in PEM: {why}") from error
