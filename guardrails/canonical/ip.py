"""IP addresses and networks: text → `Ip` or `Cidr`, in the dotted or compressed form of the standards.

The one idea: an address that travels inside another (IPv4 mapped into IPv6) is the inner one; the forms that
reach an IPv4 address through a translator are refused, because a network decides where they end.
"""

from __future__ import annotations

from guardrails.canonical.text import MAX_SHORT, ambiguous, is_decimal, require_bounded
from guardrails.canonical.value import Canonical, remembered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

_RESERVED = """
0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24
192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4
2001::/23 2001:db8::/32 3fff::/20
"""
"""The IANA special-purpose registries: everything that is not a unicast address of the public internet.
For IPv6 only the exceptions inside 2000::/3 are listed; all the rest is special. Kept here and not taken from
`ipaddress`, whose answer changes between Python releases."""

_TRANSLATED = """
64:ff9b::/96 64:ff9b:1::/48 2002::/16 2001::/32 ::/96 0:0:0:0:ffff::/96
"""
"""NAT64, 6to4, Teredo, IPv4-compatible, IPv4-translated."""


class Ip(Canonical):
    """One address."""

    __slots__ = ("number", "version")
    number: int
    version: int
    """4 or 6."""

    @property
    def private(self) -> bool:
        """Whether this is anything but a unicast address of the public internet: private, loopback,
        link-local, shared, multicast, documentation, unspecified or reserved."""
        if self.version == 6 and self.number >> 125 != 1:
            return True
        return any(self.within(network) for network in _networks(_RESERVED))

    def within(self, network: Cidr) -> bool:
        """Whether the address lies in `network`; never across versions."""
        bits = network.bits - network.prefix
        return self.version == network.version and self.number >> bits == network.number >> bits


class Cidr(Canonical):
    """A network in prefix notation."""

    __slots__ = ("number", "prefix", "version")
    number: int
    prefix: int
    version: int

    @property
    def bits(self) -> int:
        """How long an address of this version is."""
        return 32 if self.version == 4 else 128


@remembered
def parse_ip(text: str) -> Ip:
    """Read one address in strict spelling: no leading zeros, short, hexadecimal or zoned forms."""
    from ipaddress import ip_address

    try:
        return address(ip_address(_checked(text)), text)
    except ValueError:
        raise ambiguous(text, "is not an IP address in its usual spelling") from None


@remembered
def parse_cidr(text: str) -> Cidr:
    """Read a network such as `10.0.0.0/8`; an address alone is the network of just itself."""
    from ipaddress import ip_network

    host, slash, length = _checked(text).partition("/")
    if slash and (not is_decimal(length) or (length[0] == "0" and length != "0")):
        raise ambiguous(text, "has no prefix length such as `/8`")
    try:
        network = ip_network(f"{host}{slash}{length}")
    except ValueError:
        raise ambiguous(text, "is not a network, or has bits set beyond its prefix") from None
    return _cidr(network)


def address(found: IPv4Address | IPv6Address, text: str) -> Ip:
    """The canonical value of an address of the standard library; `text` is what to name in an error."""
    mapped = found.ipv4_mapped if found.version == 6 else None
    if mapped is not None:
        return address(mapped, text)
    ip = Ip(str(found), number=int(found), version=int(found.version))
    if ip.version == 6 and ip.number > 1 and any(map(ip.within, _networks(_TRANSLATED))):
        raise ambiguous(text, "carries an IPv4 address, which a translator on the way may or may not reach")
    return ip


def _checked(text: str) -> str:
    require_bounded(text, MAX_SHORT)
    if not text.isascii() or "%" in text:
        raise ambiguous(text, "is not an IP address in its usual spelling")
    return text


def _cidr(network: IPv4Network | IPv6Network) -> Cidr:
    mapped = network.network_address.ipv4_mapped if network.version == 6 else None
    if mapped is not None and network.prefixlen >= 96:
        return parse_cidr(f"{mapped}/{network.prefixlen - 96}")
    number = int(network.network_address)
    return Cidr(str(network), number=number, prefix=network.prefixlen, version=int(network.version))


@remembered
def _networks(table: str) -> tuple[Cidr, ...]:
    return tuple(map(parse_cidr, table.split()))
