"""E-mail addresses: text → `Email`, for exactly one mailbox with or without a display name.

The one idea: the address that a policy approves must be the one a mail program delivers to, so the exotic
parts of RFC 5322 that programs implement differently (comments, groups, routes, encoded words, quoted `@`)
are refused, and the display name may not itself look like an address.

Case in the local part is kept in `local` and ignored in comparisons, as every large mail host does.
"""

from __future__ import annotations

from guardrails.canonical.host import Host, parse_host
from guardrails.canonical.text import MAX_SHORT, ambiguous, normalised, require_bounded, require_visible
from guardrails.canonical.value import Canonical, remembered

_ATOM = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789#$&'*+-/=?^_`{}~")
"""What RFC 5322 allows in an unquoted local part, less `!`, `%` and `|`: old mailers route or run those."""


class Email(Canonical):
    """A mailbox; `text` is `local@domain` in lower case, without the display name."""

    __slots__ = ("display", "domain", "local")
    local: str
    """As written, unquoted where the quotes were needless."""
    domain: Host
    display: str
    """The display name, empty when there is none."""


@remembered
def parse_email(text: str) -> Email:
    """Read one mailbox: `bob@example.com`, `Bob <bob@example.com>` or `"Doe, Bob" <bob@example.com>`."""
    display, address = _split_display(_checked(text))
    local, at, domain = address.rpartition("@")
    if not at or not domain:
        raise ambiguous(text, "is not an e-mail address")
    local, host = _local(local, text), _domain(domain, text)
    shown_domain = host.text if host.ip is None else f"[{_literal(host.text)}]"
    return Email(f"{local.lower()}@{shown_domain}", local=local, domain=host, display=display)


def _checked(text: str) -> str:
    require_bounded(text, MAX_SHORT)
    require_visible(text)
    if not text.isascii() and _twin_of_ascii(text):
        raise ambiguous(text, "contains a look-alike of an ASCII character")
    if "=?" in text:
        raise ambiguous(text, "contains an encoded word, which only some programs decode")
    return text.strip(" ")


def _twin_of_ascii(text: str) -> bool:
    """Whether compatibility normalisation makes a non-ASCII character into ASCII (`＠`, `ａ`, the kelvin
    sign). Accented letters stay what they are."""
    return any(
        not character.isascii() and any(c.isascii() for c in normalised(character, "NFKC"))
        for character in text
    )


def _split_display(text: str) -> tuple[str, str]:
    if not text.endswith(">"):
        return "", text
    display, angle, address = text[:-1].rpartition("<")
    if not angle:
        raise ambiguous(text, "has a `>` without a `<`")
    return _display(display.strip(" "), text), address


def _display(display: str, text: str) -> str:
    if "@" in display:
        raise ambiguous(text, "has a display name with an `@`, which some programs take for the address")
    if len(display) >= 2 and display[0] == display[-1] == '"':
        return _require_without(display[1:-1], '"\\<>', text)
    return _require_without(display, '"\\<>()[],;:', text)


def _require_without(part: str, characters: str, text: str) -> str:
    if any(c in part for c in characters):
        raise ambiguous(text, "could be more than one mailbox, or holds a comment, group or route")
    return part


def _local(local: str, text: str) -> str:
    if len(local) >= 2 and local[0] == local[-1] == '"':
        return _quoted_local(local[1:-1], text)
    if not all(map(_is_atom, local.split("."))):
        raise ambiguous(text, "has a local part that mail programs read differently")
    return _bounded_local(local, text)


def _is_atom(part: str) -> bool:
    return bool(part) and all(c in _ATOM or (not c.isascii() and c.isalnum()) for c in part)


def _quoted_local(inner: str, text: str) -> str:
    """The content when it needs no quotes, else with its quotes."""
    words = inner.replace(" ", ".").split(".")
    if not inner.strip(" .") or not all(not word or _is_atom(word) for word in words):
        raise ambiguous(text, "has a quoted local part that mail programs read differently")
    plain = " " not in inner and all(map(_is_atom, inner.split(".")))
    return _bounded_local(inner if plain else f'"{inner}"', text)


def _bounded_local(local: str, text: str) -> str:
    if len(local.encode()) > 64:
        raise ambiguous(text, "has a local part of more than 64 bytes")
    if local[0] in "-/":
        raise ambiguous(text, "has a local part that mail programs take for an option or a file")
    return normalised(local)


def _domain(domain: str, text: str) -> Host:
    if domain[:1] == "[" and domain[-1:] == "]":
        inner = domain[1:-1]
        return _literal_host(inner[5:] if inner[:5].lower() == "ipv6:" else inner, text)
    host = parse_host(domain)
    if host.is_ip:
        raise ambiguous(text, "has an IP address without brackets for its domain")
    return host


def _literal_host(inner: str, text: str) -> Host:
    host = parse_host(inner)
    if not host.is_ip:
        raise ambiguous(text, "has brackets around something else than an IP address")
    return host


def _literal(address: str) -> str:
    return f"IPv6:{address}" if ":" in address else address
