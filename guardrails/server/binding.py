"""Addresses: where the server listens, and whether it may.

`127.0.0.1:8181`, `[::1]:8181`, `0.0.0.0:8181` or `unix:/run/guard.sock`. Whoever can reach an address that is not of this
machine has to show a key or a certificate, so without them it is not bound. A Unix socket is for its own user only.
"""

from __future__ import annotations

import os
import socket
import stat
import sys
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from guardrails.errors import GuardError

FORMS = "write `127.0.0.1:8181` or `unix:/run/guard.sock`"
BACKLOG = 2048
LONGEST = 103 if sys.platform == "darwin" else 107
"""Bytes that the path of a Unix socket may have."""


class AddressError(GuardError):
    """An address that cannot be listened on."""


@dataclass(frozen=True, slots=True)
class Address:
    """`path` is that of a Unix socket; empty for TCP."""

    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.path or self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def address_of(text: str) -> Address:
    """The address that a text names. Raises `AddressError`."""
    if text.startswith("unix:"):
        path = text.removeprefix("unix:").removeprefix("//")
        if not path:
            raise AddressError(f"`{text}` names no socket: {FORMS}")
        check_length(path)
        return Address(path=path)
    host, colon, port = text.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if "://" in text:
        raise AddressError(f"`{text}` is a URL, and an address has no scheme: {FORMS}")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise AddressError(f"`{text}` is no address: {FORMS}")
    return Address(host, int(port))


def check_length(path: str) -> None:
    """Raise `AddressError` for a path that no Unix socket can have."""
    length = len(os.fsencode(path))
    if length > LONGEST:
        raise AddressError(
            f"`{path}` has {length} bytes, and the path of a socket may have {LONGEST}: use a shorter one"
        )


def check_reach(addresses: list[Address], *, authenticated: bool) -> None:
    """Raise `AddressError` for an address that others reach, where nobody has to say who they are."""
    for address in addresses:
        if not address.is_local and not authenticated:
            raise AddressError(
                f"`{address}` can be reached from elsewhere, and nobody would have to say who they are: "
                "give `--keys FILE` (`guard key` writes one) or `--client-ca FILE`"
            )


def listening(address: Address) -> socket.socket:
    """A socket that listens there. Raises `AddressError`."""
    try:
        return _unix(address.path) if address.path else _tcp(address)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise AddressError(f"`{address}` cannot be listened on: {why}") from None


def _tcp(address: Address) -> socket.socket:
    family, _, _, _, place = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return _bound(found, place)


def _unix(path: str) -> socket.socket:
    _clear(path)
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        return _bound(found, path)
    finally:
        os.umask(before)


def _bound(found: socket.socket, place: str | tuple[Any, ...]) -> socket.socket:
    try:
        found.bind(place)
        found.listen(BACKLOG)
    except OSError:
        found.close()
        raise
    found.set_inheritable(True)
    return found


def _clear(path: str) -> None:
    """Take away the socket of a server that is gone; that of one that answers stays, and so does any other file."""
    try:
        kind = os.stat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise AddressError(f"`{path}` is there already, and is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            os.unlink(path)
            return
    raise AddressError(f"a server listens on `unix:{path}` already")


def shown(found: socket.socket) -> str:
    """Where a socket listens, once it does."""
    if found.family == socket.AF_UNIX:
        return f"unix:{found.getsockname()}"
    host, port = found.getsockname()[:2]
    return str(Address(host, port))
