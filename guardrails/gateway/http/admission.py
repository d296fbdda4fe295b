"""Admission: which HTTP requests are looked at, and who they come from.

Takes the head of a request, gives its caller, or raises `Refusal`. A page in somebody's browser can reach an address of
this machine, under a name that it made point here; so where anybody on the machine may call, the `Host` has to be a name of
it, and an `Origin`, which only browsers send, has to be one of this machine or one that was named.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from guardrails.gateway.http.headers import Mismatch, value_of
from guardrails.gateway.http.refusals import Refusal
from guardrails.gateway.messages import HEADER_MISMATCH
from guardrails.server.keys import LOCAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guardrails.server.keys import Caller, Keys

LOOPBACK = ("localhost", "127.0.0.1", "::1")
GUARD_SESSION = "guard-session"
_SESSION = re.compile(r"[A-Za-z0-9._~-]{1,128}")


class Head:
    """The head of a request: its method, and headers that stand there once or not at all."""

    __slots__ = ("headers", "method")

    def __init__(self, method: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
        self.method = method
        self.headers = headers

    def get(self, name: str) -> str | None:
        """A header's value. Raises `Refusal` for one that stands there twice."""
        try:
            return value_of(self.headers, name)
        except Mismatch as error:
            raise Refusal(400, str(error), HEADER_MISMATCH) from None


@dataclass(slots=True)
class Gate:
    """Who may come in. Without `keys` whoever reaches the address may, so it has to be one of this machine alone, or
    `certified`: a client had to show a certificate before it could ask, and no name that a page makes point here has
    the server's one. `hosts` are further names of it, `origins` those of pages that may call, such as
    `https://tools.example.com`."""

    keys: Keys | None = None
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = field(default=())
    certified: bool = False

    def admit(self, head: Head) -> Caller:
        """Who calls. Raises `Refusal`."""
        self._check_host(head.get("host") or "")
        self._check_origin(head.get("origin"))
        return self._caller(head)

    def _check_host(self, host: str) -> None:
        if self.keys is not None or self.certified:
            return
        if _name_of(host) not in (*LOOPBACK, *self.hosts):
            raise Refusal(
                421, "the header `Host` has a name that is not this server's: name it with `--allow-host`"
            )

    def _check_origin(self, origin: str | None) -> None:
        if origin is None or origin in self.origins:
            return
        found = urlsplit(origin)
        if found.scheme not in ("http", "https") or _name_of(found.netloc) not in LOOPBACK:
            raise Refusal(
                403, "pages of that `Origin` may not call: name it with `--allow-origin` if they shall"
            )

    def _caller(self, head: Head) -> Caller:
        if self.keys is None:
            return LOCAL
        key = head.get("x-guard-key") or _bearer(head.get("authorization") or "")
        caller = self.keys.caller(key) if key else None
        if caller is None:
            why = (
                "the key is not known" if key else "the request has no key: send `Authorization: Bearer KEY`"
            )
            raise Refusal(401, why, headers=((b"www-authenticate", b"Bearer"),))
        if "agent" not in caller.may:
            raise Refusal(403, f"the key `{caller.name}` has the role {caller.role}, and this takes agent")
        return caller


def _name_of(host: str) -> str:
    """The name in a host with or without a port; empty for what is none."""
    try:
        found = urlsplit(f"//{host}")
        _ = found.port
    except ValueError:
        return ""
    return (found.hostname or "") if "@" not in host and not found.path else ""


def _bearer(value: str) -> str:
    scheme, _, rest = value.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else ""


# --- what is sent, and what is taken ---------------------------------------------------------------


def check_body(head: Head) -> None:
    """Raise `Refusal` unless the body is plain JSON in UTF-8."""
    kind, _, more = (head.get("content-type") or "").partition(";")
    charset = more.strip().lower().replace('"', "").removeprefix("charset=")
    if kind.strip().lower() != "application/json" or charset not in ("", "utf-8", "utf8"):
        raise Refusal(415, "a message is sent as `Content-Type: application/json`")
    if (head.get("content-encoding") or "identity").strip().lower() != "identity":
        raise Refusal(415, "a message is sent as it is, without a `Content-Encoding`")


def check_accept(head: Head, *kinds: str) -> None:
    """Raise `Refusal` unless the client takes all of these types."""
    taken = [each.partition(";")[0].strip().lower() for each in (head.get("accept") or "*/*").split(",")]
    for kind in kinds:
        family = kind.partition("/")[0] + "/*"
        if not any(each in (kind, family, "*/*") for each in taken):
            raise Refusal(406, f"the answer may come as `{kind}`: name it in the header `Accept`")


def session_name(head: Head, said: object = None) -> str:
    """The policy's session that a request names in its header, or says in its `_meta`; empty for none."""
    named = head.get(GUARD_SESSION)
    if named is not None and said is not None and named != said:
        raise Refusal(400, "the header `Guard-Session` does not say what `_meta` says", HEADER_MISMATCH)
    found = said if named is None else named
    if found is None:
        return ""
    if not isinstance(found, str) or not _SESSION.fullmatch(found):
        raise Refusal(400, "the name of a session has 1 to 128 letters, digits or `.`, `_`, `~`, `-`")
    return found
