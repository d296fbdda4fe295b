"""Where a server over HTTP is, and what it is told about us: address and headers from a configuration.

Takes what somebody wrote, gives what can be sent. `${NAME}` stands for a variable of the environment and
`${NAME:-else}` for one that may be missing, so that no secret has to lie in a file. What cannot be sent is refused
before anything is; the value of a header is in no message.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from guardrails.gateway.links import LinkError

if TYPE_CHECKING:
    import httpx

    from guardrails.gateway.links import Remote

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\x20-\x7e\x80-\xff]*")
OURS = ("accept", "accept-encoding", "connection", "content-length", "content-type", "host", "last-event-id")
"""Headers that the gateway sets itself, beside all that begin with `mcp-`."""


def expanded(text: str, place: str) -> str:
    """A text with the environment put in; `place` says where it stands. Raises `LinkError` for a missing variable."""

    def value(found: re.Match[str]) -> str:
        here = os.environ.get(found[1], found[2])
        if here is None:
            raise LinkError(f"{place} needs the environment variable `{found[1]}`, which is not set")
        return here

    return _VARIABLE.sub(value, text)


def address_of(place: Remote) -> httpx.URL:
    """The address of a server. Raises `LinkError`."""
    import httpx

    try:
        url = httpx.URL(expanded(place.url, f"the `url` of the server `{place.name}`"))
    except (httpx.InvalidURL, ValueError):
        raise LinkError(f"the `url` of the server `{place.name}` is no address") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise LinkError(
            f"the `url` of the server `{place.name}` begins with `https://` or `http://` and a host"
        )
    return url.copy_with(fragment=None)


def headers_of(place: Remote) -> list[tuple[bytes, bytes]]:
    """The headers that its configuration wants sent. Raises `LinkError`."""
    found = []
    for name, text in place.headers.items():
        where = f"the header `{name[:80]}` of the server `{place.name}`"
        value = expanded(text, where).strip()
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise LinkError(
                f"{where} cannot be sent: its name or its value has characters that no header has"
            )
        if name.lower() in OURS or name.lower().startswith("mcp-"):
            raise LinkError(f"{where} is set by the gateway: leave it out")
        found.append((name.encode(), value.encode("latin-1")))
    return found


def reason(error: Exception) -> str:
    """Why a request failed, in words that hold no address and no secret."""
    import httpx

    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout | httpx.WriteTimeout):
        return "it cannot be reached in time"
    if isinstance(error, httpx.ConnectError):
        return f"it cannot be reached: {_first_line(error)}"
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, httpx.RemoteProtocolError):
        return "it broke off, or does not speak HTTP as it should"
    if isinstance(error, httpx.HTTPError):
        return f"the connection failed ({type(error).__name__})"
    return str(error) or type(error).__name__


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["no connection"])[0][:200]
