"""Secrets by the place they stand in: addresses with a password, headers, signed tokens, private JSON keys.

Takes a text, gives matches. Each rule starts at its own literal and reads a bounded stretch from there.
"""

from __future__ import annotations

import re
from json import loads

from guardrails.detectors.entropy import entropy
from guardrails.detectors.matches import Match
from guardrails.detectors.secrets.checks import decoded64, is_made_up
from guardrails.detectors.secrets.scanning import places
from guardrails.detectors.secrets.values import Value, sureness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_JWT = 6000
"""Characters of a signed token; what is beyond is left alone."""

KEY_WINDOW = 256
"""Characters before a member of a JSON key in which its type is looked for."""

_LOGIN_IN_URL = re.compile(r"://[^\s/:@\"'<>?#]{0,80}:([^\s/\"'<>]{1,200})@[A-Za-z0-9\[_.%\-]")
_HEADER = re.compile(
    r"(?i)\b(basic|bearer|token|negotiate|apikey)[ \t]{1,3}([A-Za-z0-9._~+/\-]{8,4000}={0,2})"
)
_SCHEMES = r"(?i)\b(?:basic|bearer|token|negotiate|apikey)[ \t]"
_AUTHORIZATION = re.compile(
    r"(?i)authorization[\"']?\s{0,3}[:=]\s{0,3}\\{0,2}[\"']?(?:aws4-|[a-z]+[ \t]{1,3})?([A-Za-z0-9._~+/\-]{16,4000}={0,2})"
)
_CURL_USER = re.compile(r"\s(?:-u|--user)[ =]{1,3}[\"']?[\w.@\-]{1,64}:([^\s\"'@]{4,100})")
_JWT = re.compile(
    r"eyJ([A-Za-z0-9_\-]{10,2000})\.([A-Za-z0-9_\-]{2,})\.[A-Za-z0-9_\-]*(?:\.[A-Za-z0-9_\-]+){0,2}"
)
_JSON_KEY = re.compile(r"\\?\"(d|p|q|dp|dq|qi|k)\\?\"\s{0,3}:\s{0,3}\\?\"([A-Za-z0-9_\-]{22,1100})=?\\?\"")
_SHORTEST_MEMBER = {"d": 42, "k": 22, "p": 80, "q": 80, "dp": 80, "dq": 80, "qi": 80}


def url_passwords(text: str) -> Iterator[Match]:
    """`scheme://user:password@host`."""
    at = text.find("://")
    while at >= 0:
        found = _LOGIN_IN_URL.match(text, at)
        if found and sureness(Value(found[1], quoted=True, spaced=False), "password"):
            yield Match(*found.span(1), "PASSWORD", 0.9, "the password in an address")
        at = text.find("://", at + 3)
    for found in _CURL_USER.finditer(text):
        if sureness(Value(found[1], quoted=True, spaced=False), "password"):
            yield Match(*found.span(1), "PASSWORD", 0.8, "the password of a command's user")


def headers(text: str) -> Iterator[Match]:
    """Credentials of HTTP: `Bearer ...`, `Basic ...`, and what stands in `Authorization`."""
    for at, _ in places(_SCHEMES, text):
        found = _HEADER.match(text, at)
        if not found:
            continue
        credentials = found[2].rstrip(".")
        if _are_credentials(found[1].lower(), credentials):
            start = found.start(2)
            yield Match(start, start + len(credentials), "AUTHORIZATION", 0.9, f"a `{found[1]}` credential")
    for at, _ in places("(?i)authorization", text):
        found = _AUTHORIZATION.match(text, at)
        if found and _are_credentials("bearer", found[1]):
            yield Match(*found.span(1), "AUTHORIZATION", 0.8, "the value of an `Authorization` header")


def _are_credentials(scheme: str, text: str) -> bool:
    if scheme == "basic":
        user, colon, password = decoded64(text).partition(b":")
        return (
            bool(colon) and user.isascii() and password.isascii() and (user + password).decode().isprintable()
        )
    random = any(c.isdigit() for c in text) and any(c.isalpha() for c in text) and entropy(text) > 3.2
    return random and len(text) >= (16 if scheme != "token" else 20) and not is_made_up(text)


def json_web_tokens(text: str) -> Iterator[Match]:
    """Signed (three parts) or encrypted (five) tokens whose header can be read."""
    at = text.find("eyJ")
    while at >= 0:
        if not (at and ((text[at - 1].isalnum() and text[at - 1].isascii()) or text[at - 1] in "_-.")):
            found = _JWT.match(text[at : at + LONGEST_JWT])
            if found and _names_algorithm("eyJ" + found[1]):
                yield Match(at, at + found.end(), "JWT", 0.98, "a JSON web token, its header can be read")
        at = text.find("eyJ", at + 3)


def _names_algorithm(header: str) -> bool:
    try:
        read = loads(decoded64(header))
    except (ValueError, RecursionError):
        return False
    return isinstance(read, dict) and isinstance(read.get("alg"), str)


def json_keys(text: str) -> Iterator[Match]:
    """The private members of JSON web keys (RFC 7518)."""
    for found in _JSON_KEY.finditer(text):
        name, value = found[1], found[2]
        if len(value) < _SHORTEST_MEMBER[name] or entropy(value) < 3.5 or is_made_up(value):
            continue
        if name == "k" and '"oct' not in text[max(0, found.start() - KEY_WINDOW) : found.start()]:
            continue
        yield Match(*found.span(2), "PRIVATE_KEY", 0.9, f"the private member `{name}` of a JSON web key")
