"""Host names and addresses as they stand in URLs and mail addresses: text → `Host`.

The one idea: a host is either a name that DNS could look up, in lower-case ASCII (A-labels), or an IP
address; a text that some program would read as an address never stays a name. International names are
mapped by two independent libraries (WHATWG rules in `ada-url`, IDNA 2008 in `idna`), which must agree.

A name says nothing about the address behind it: `private` judges what is written, not what DNS answers.
"""

from __future__ import annotations

from guardrails.canonical.ip import Ip, address, parse_ip
from guardrails.canonical.text import MAX_SHORT, ambiguous, is_decimal, require_bounded, require_visible
from guardrails.canonical.value import Canonical, remembered

_LOCAL_SUFFIXES = (
    ".localhost", ".local", ".internal", ".localdomain", ".lan", ".home", ".home.arpa", ".intranet", ".corp",
    ".private",
)  # fmt: skip
_LABEL = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")
_DEVIATIONS = frozenset("ßẞς\u200c\u200d")


class Host(Canonical):
    """A host name (lower case, A-labels, no final dot) or an IP address (IPv6 without brackets)."""

    __slots__ = ("ip",)
    ip: Ip | None

    @property
    def is_ip(self) -> bool:
        return self.ip is not None

    @property
    def private(self) -> bool:
        """Whether the host is not on the public internet as far as its spelling tells: see `Ip.private`;
        for names, those without a dot and those below `.local`, `.internal` and their like."""
        if self.ip is not None:
            return self.ip.private
        return "." not in self.text or self.text.endswith(_LOCAL_SUFFIXES)

    def matches(self, pattern: str) -> bool:
        """Whether this is the host `pattern`, or below it when that is `*.example.com` (subdomains only)."""
        if not pattern.startswith("*."):
            return self == parse_host(pattern)
        suffix = "." + _parent_domain(pattern).text
        return self.ip is None and self.text.endswith(suffix)


def _parent_domain(pattern: str) -> Host:
    parent = parse_host(pattern[2:])
    if parent.is_ip:
        raise ambiguous(pattern, "is a wildcard below an IP address")
    return parent


@remembered
def parse_host(text: str) -> Host:
    """Read a host: a name, an IPv4 address in any spelling, or an IPv6 address with or without brackets.

    Raises `Ambiguous` for what cannot be looked up, and for spellings that programs resolve differently.
    """
    require_bounded(text, MAX_SHORT)
    require_visible(text)
    if ":" in text or text[:1] == "[":
        ip = _bracketed(text)
        return Host(ip.text, ip=ip)
    name = (text if text.isascii() else _to_ascii(text)).lower()
    name = name.removesuffix(".")
    if _is_number(name.rpartition(".")[2]):
        ip = _inet_aton(name, text)
        return Host(ip.text, ip=ip)
    _require_name(name, text)
    return Host(name, ip=None)


def _bracketed(text: str) -> Ip:
    inner = text[1:-1] if text[0] == "[" and text[-1] == "]" else text
    if ":" not in inner or "[" in inner:
        raise ambiguous(text, "is neither a host name nor an IPv6 address")
    return parse_ip(inner)


def _is_number(label: str) -> bool:
    """Whether the last label makes a host an IPv4 address (WHATWG URL, "ends in a number")."""
    return is_decimal(label) or (label[:2] == "0x" and all(c in "0123456789abcdef" for c in label[2:]))


def _inet_aton(name: str, text: str) -> Ip:
    """The IPv4 address that `inet_aton` and browsers read: up to four numbers, the last fills the rest."""
    from ipaddress import IPv4Address

    parts = [_number(part, text) for part in name.split(".")]
    *heads, last = parts
    room = 4 - len(heads)
    if len(parts) > 4 or any(head > 255 for head in heads) or last >= 256**room:
        raise ambiguous(text, "ends in a number but is not an IPv4 address")
    number = sum(head << (24 - 8 * place) for place, head in enumerate(heads)) + last
    return address(IPv4Address(number), text)


def _number(part: str, text: str) -> int:
    if is_decimal(part) and len(part) <= 10:
        if part[0] == "0" and part != "0":
            raise ambiguous(text, "has a number with a leading zero, which is octal to some programs")
        return int(part)
    if part[:2] == "0x" and 2 < len(part) <= 12 and _is_number(part):
        return int(part, 16)
    raise ambiguous(text, "ends in a number but is not an IPv4 address")


def _require_name(name: str, text: str) -> None:
    labels = name.split(".")
    if len(name) > 253 or not all(map(_is_label, labels)):
        raise ambiguous(text, "is not a host name")
    if any(label.startswith("xn--") for label in labels):
        _require_round_trip(name, text)


def _is_label(label: str) -> bool:
    return 0 < len(label) <= 63 and _LABEL.issuperset(label) and label[0] != "-" and label[-1] != "-"


def _to_ascii(text: str) -> str:
    """The A-labels of an international name, on which both libraries agree."""
    import idna
    from ada_url import idna as ada_idna

    if not _DEVIATIONS.isdisjoint(text):
        raise ambiguous(text, "contains a letter that IDNA 2003 and 2008 map to different names")
    try:
        name = idna.encode(text, uts46=True, std3_rules=True).decode("ascii")
        other = ada_idna.encode(text).decode("ascii")
    except (idna.IDNAError, UnicodeError, ValueError):
        raise ambiguous(text, "is not a valid international host name") from None
    if name.removesuffix(".") != other.removesuffix("."):
        raise ambiguous(text, "is mapped to different names by different programs")
    return name


def _require_round_trip(name: str, text: str) -> None:
    """An A-label must be the one encoding of what it decodes to."""
    import idna

    try:
        again = idna.encode(idna.decode(name), uts46=False).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise ambiguous(text, "has a punycode label that does not decode") from None
    if again != name:
        raise ambiguous(text, "has a punycode label that is not the canonical one")
