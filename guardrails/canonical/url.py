"""URLs: text → `Url`, for URLs with a scheme and a host (`https://…`, `postgres://…`, `s3://…`).

The one idea: programs that check and programs that fetch read sloppy URLs differently (RFC 3986, the WHATWG
standard, older libraries), so a URL is accepted only where they agree, and the spots where they are known
not to (backslashes, spaces, `@` games, encoded dots and slashes) are refused by name. `ada-url` does the
reading; this module does the distrust.

User information is read (`has_userinfo`) as long as it cannot be taken for a host: a user such as
`example.com` or a numeric password is refused.
"""

from __future__ import annotations

from guardrails.canonical.host import Host, parse_host
from guardrails.canonical.text import MAX_SHORT, ambiguous, is_decimal, require_bounded, require_visible
from guardrails.canonical.value import Canonical, remembered

_PORTS = {
    "http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21, "ftps": 990, "ssh": 22, "sftp": 22,
    "git": 9418, "postgres": 5432, "postgresql": 5432, "mysql": 3306, "redis": 6379, "rediss": 6379,
    "amqp": 5672, "amqps": 5671, "mongodb": 27017, "ldap": 389, "ldaps": 636, "smtp": 25, "smtps": 465,
    "imap": 143, "imaps": 993,
}  # fmt: skip
_SCHEME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789+-.")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_HEX = frozenset("0123456789abcdefABCDEF")
_USERINFO = _UNRESERVED | frozenset("!$&'()*+=")


class Url(Canonical):
    """A URL in canonical form: scheme and host in lower case, no default port, no dot segments."""

    __slots__ = ("fragment", "has_userinfo", "host", "path", "port", "query", "scheme")
    scheme: str
    host: Host
    port: int | None
    """The port, given or the scheme's own; None when the scheme is not known to have one."""
    path: str
    """Starts with `/`; percent-encoded, but not where encoding is needless."""
    query: str
    """Without its `?`."""
    fragment: str
    """Without its `#`."""
    has_userinfo: bool

    @property
    def origin(self) -> str:
        """Scheme, host and port, such as `https://example.com` or `http://10.0.0.1:8080`."""
        return f"{self.scheme}://{_authority(self.scheme, self.host, self.port)}"


@remembered
def parse_url(text: str) -> Url:
    """Read an absolute URL with a host. Raises `Ambiguous` where two programs could go to two places."""
    scheme, rest = _scheme(_checked(text))
    authority = rest[: _first(rest, "/?#")]
    after = rest[len(authority) :]
    if after[:1] in ("?", "#") and "@" in after:
        raise ambiguous(text, "has an `@` after its host, which some programs take for the end of a user")
    user, host, port = _split_authority(authority, text)
    _require_settled_path(after[: _first(after, "?#")], text)
    return _url(scheme, user, host, port, after, text)


def _checked(text: str) -> str:
    require_bounded(text, MAX_SHORT)
    require_visible(text)
    if " " in text or "\\" in text:
        raise ambiguous(text, "contains a space or backslash, which programs treat differently in URLs")
    return text


def _first(text: str, characters: str) -> int:
    """Where the first of `characters` stands, the length of `text` when there is none."""
    return min((place for c in characters if (place := text.find(c)) >= 0), default=len(text))


def _scheme(text: str) -> tuple[str, str]:
    scheme, _, rest = text.partition("://")
    name = scheme.lower()
    if not rest or not name[:1].isalpha() or not _SCHEME.issuperset(name):
        raise ambiguous(text, "is not a URL with a scheme and `://`")
    if name == "file":
        raise ambiguous(text, "is a file URL, whose meaning depends on the machine")
    return name, rest


def _split_authority(authority: str, text: str) -> tuple[str, Host, int | None]:
    user, at, place = authority.rpartition("@")
    if at:
        _require_plain_user(user, text)
    host, port = _split_port(place, text)
    if not host or "%" in host or "*" in host:
        raise ambiguous(text, "has no host, or one with encoded characters")
    return user + at, parse_host(host), port


def _require_plain_user(user: str, text: str) -> None:
    name, colon, password = user.partition(":")
    if not _USERINFO.issuperset(name + password):
        raise ambiguous(text, "has user information with characters that programs split at differently")
    if not name or "." in user or name.lower() == "localhost" or name.isdigit() or name[:2].lower() == "0x":
        raise ambiguous(text, "has user information that reads like a host")
    if colon and (not password or password.isdigit()):
        raise ambiguous(text, "has user information that reads like a host and a port")


def _split_port(place: str, text: str) -> tuple[str, int | None]:
    end = place.rfind("]") + 1
    if place.count(":", end) > 1:
        raise ambiguous(text, "has two ports, or an IPv6 address without brackets")
    colon = place.find(":", end)
    if colon < 0:
        return place, None
    host, digits = place[:colon], place[colon + 1 :]
    if not digits:
        return host, None
    if not is_decimal(digits) or len(digits) > 5 or int(digits) > 65535:
        raise ambiguous(text, "has no valid port")
    return host, int(digits)


def _require_settled_path(path: str, text: str) -> None:
    """Refuse a path in which decoding again, or a server's path parameters, bring up a `..`."""
    for segment in path.split("/"):
        if segment.startswith(("..;", ".;")):
            raise ambiguous(text, "has path parameters after a `..`")
        if "%" in segment:
            _require_settled_segment(segment, text)
    _require_utf8(path, text)


def _require_settled_segment(segment: str, text: str) -> None:
    """Decoded up to three times, as chains of proxies do, a segment must not climb."""
    from urllib.parse import unquote_to_bytes

    decoded = segment.encode()
    for _ in range(3):
        decoded = unquote_to_bytes(decoded)
        if min(decoded, default=32) < 32:
            raise ambiguous(text, "has an encoded control character in its path")
        names = decoded.replace(b"\\", b"/").split(b"/")
        if any(name in (b".", b"..") or name.startswith(b"..;") for name in names):
            raise ambiguous(text, "has an encoded `..` or slash in its path")


def _require_utf8(path: str, text: str) -> None:
    from urllib.parse import unquote_to_bytes

    try:
        unquote_to_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        raise ambiguous(text, "has encoded bytes in its path that are not UTF-8") from None


def _authority(scheme: str, host: Host, port: int | None) -> str:
    name = f"[{host.text}]" if ":" in host.text else host.text
    return name if port is None or port == _PORTS.get(scheme) else f"{name}:{port}"


def _url(scheme: str, user: str, host: Host, port: int | None, after: str, text: str) -> Url:
    """The value, its path, query and fragment as `ada-url` writes them."""
    import ada_url

    try:
        tail = ada_url.URL(f"https://host{after}")
        if scheme in ("http", "https", "ws", "wss"):
            _require_same_host(ada_url.URL(text).hostname, host, text)
    except ValueError:
        raise ambiguous(text, "is not a valid URL") from None
    path, query, fragment = _plain(tail.pathname), _plain(tail.search[1:]), tail.hash[1:]
    return Url(
        f"{scheme}://{user}{_authority(scheme, host, port)}{path}"
        + (f"?{query}" if query else "") + (f"#{fragment}" if fragment else ""),
        scheme=scheme, host=host, port=_PORTS.get(scheme) if port is None else port,
        path=path, query=query, fragment=fragment, has_userinfo=bool(user),
    )  # fmt: skip


def _require_same_host(read: str, host: Host, text: str) -> None:
    """The second reading: `ada-url` must see the host that this module cut out."""
    if parse_host(read) != host:
        raise ambiguous(text, "has a host that two parsers read differently")


def _plain(text: str) -> str:
    """`text` with needless percent-encoding removed and the rest in upper case (RFC 3986, section 6.2.2)."""
    head, *pieces = text.split("%")
    return head + "".join(_plain_piece(piece) for piece in pieces)


def _plain_piece(piece: str) -> str:
    code, rest = piece[:2], piece[2:]
    if len(code) < 2 or not _HEX.issuperset(code):
        return "%" + piece
    character = chr(int(code, 16))
    return (character if character in _UNRESERVED else f"%{code.upper()}") + rest
