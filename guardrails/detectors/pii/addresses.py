"""E-mail addresses, URLs, IP and MAC addresses.

Takes a plain text, gives candidates. The one idea: each is found at the mark that it cannot do without (`@`,
`://`, a dot before an ending, a colon) and grown both ways by a bounded amount, so that no text is slow.
"""

from __future__ import annotations

import re

from guardrails.detectors.pii.candidates import Candidate
from guardrails.detectors.pii.endings import is_file_type, is_known_ending, stands_alone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_URL = 2048
"""Characters of a URL that are looked at; what follows is not part of the match."""

LONGEST_LOCAL = 128
_LONGEST_HOST = 253

_LOCAL_BACKWARDS = re.compile(rf"[\w.+%'~\-]{{1,{LONGEST_LOCAL}}}")
_AT = re.compile(r"@(?=[\w\[])")
_LABEL = r"[^\W_](?:[\w\-]{0,61}[^\W_])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL}){{1,9}}")
_LITERAL = re.compile(r"\[(?:IPv6:)?[0-9A-Fa-f.:]{2,45}\]")
_HOST_BACKWARDS = re.compile(rf"[\w.\-]{{1,{_LONGEST_HOST}}}")
_HOST = re.compile(rf"(?:{_LABEL}\.){{1,9}}[^\W\d_]{{2,24}}|(?:{_LABEL}\.){{1,9}}xn--[A-Za-z0-9\-]{{2,59}}")
_ENDING = re.compile(r"\.([^\W\d_]{2,24}|xn--[A-Za-z0-9\-]{2,59})(?![\w@\-])(?!\.\w)")
_SCHEME = re.compile(r"(?<![A-Za-z0-9])(?:https?|ftps?|wss?|sftp)\Z", re.IGNORECASE)
_URL_TAIL = rf"[^\s\"'<>{{}}|\\^`\u3000-\U0010ffff]{{0,{LONGEST_URL}}}"
_AFTER_SCHEME = re.compile(rf"(?=[\w\[]){_URL_TAIL}")
_AFTER_HOST = re.compile(rf"(?::[0-9]{{1,5}}(?![0-9]))?(?:[/?#]{_URL_TAIL})?")
_TRAILING = ".,;:!?'*_~"

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|0?[0-9]?[0-9])"
_LONGEST_IP = 46
_OCTETS = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]")
_COLONS = re.compile(":[0-9A-Fa-f]{0,4}:")
_IPV4 = re.compile(
    rf"(?<![\w.])(?:{_OCTET}\.){{3}}{_OCTET}(?:/(?:3[0-2]|[12]?[0-9])(?![0-9]))?(?![\w]|\.[0-9])"
)
_IPV6 = re.compile(
    r"(?<![\w:.])(?=[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:)"
    r"([0-9A-Fa-f:]{2,39}(?::[0-9]{1,3}(?:\.[0-9]{1,3}){3})?)(?:%[0-9A-Za-z]{1,16})?(?:/[0-9]{1,3})?(?![\w:]|\.[0-9])"
)
_MAPPED = re.compile(
    r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?:/[0-9]{1,3})?(?![\w:]|\.[0-9])"
)
_PAIR = "[0-9A-Fa-f]{2}"
_BYTES = re.compile(rf"{_PAIR}(?:[:\-]{_PAIR}[:\-]|{_PAIR}\.)")
_MAC = re.compile(
    rf"(?<![\w:\-])(?:{_PAIR}([:-])(?:{_PAIR}\1){{4}}{_PAIR}(?![\w]|\1{_PAIR})"
    r"|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}(?![\w]|\.[0-9A-Fa-f]))"
)


def emails(text: str) -> Iterator[Candidate]:
    """What stands around each `@`, if the right side can be the name of a host."""
    for mark in _AT.finditer(text):
        found = _email_at(text, mark.start())
        if found:
            yield found


def _email_at(text: str, at: int) -> Candidate | None:
    before = text[max(0, at - LONGEST_LOCAL) : at]
    local = None if before[-1:] in ("", "@", " ") else _LOCAL_BACKWARDS.match(before[::-1])
    if local is None:
        return None
    name = before[len(before) - local.end() :].lstrip(".+%'~-")
    end, score = _mail_host_end(text, at + 1)
    if not name.strip("._") or name.endswith((".", "'")) or not end:
        return None
    return Candidate((at - len(name), end), "EMAIL_ADDRESS", (score, score), "a name at a host")


def _mail_host_end(text: str, start: int) -> tuple[int, float]:
    """Where the host of an address ends, and how sure it is one; `(0, 0)` if there is none."""
    literal = _LITERAL.match(text, start)
    if literal:
        return literal.end(), 0.8
    found = _DOMAIN.match(text, start)
    if not found:
        return 0, 0.0
    labels = found.group().split(".")
    for count in range(len(labels), 1, -1):
        if _is_ending(labels[count - 1]) and is_known_ending(labels[count - 1]):
            return start + len(".".join(labels[:count])), 1.0
    last = labels[-1]
    if not _is_ending(last) or is_file_type(last):
        return 0, 0.0
    return found.end(), 0.7


def _is_ending(label: str) -> bool:
    return len(label) >= 2 and (label.isalpha() or label.lower().startswith("xn--"))


def urls(text: str) -> Iterator[Candidate]:
    """Addresses with a scheme, and names of hosts that stand by themselves."""
    yield from _with_scheme(text)
    for found in _ENDING.finditer(text):
        candidate = _bare(text, found)
        if candidate:
            yield candidate


def _with_scheme(text: str) -> Iterator[Candidate]:
    mark = text.find("://")
    while mark >= 0:
        scheme = _SCHEME.search(text, max(0, mark - 6), mark)
        rest = _AFTER_SCHEME.match(text, mark + 3) if scheme else None
        if scheme and rest:
            end = _trimmed(text, mark + 3, rest.end())
            yield Candidate((scheme.start(), end), "URL", (0.9, 0.9), "an address with its scheme")
        mark = text.find("://", mark + 1)


def _bare(text: str, ending: re.Match[str]) -> Candidate | None:
    stop = ending.end()
    before = text[max(0, stop - _LONGEST_HOST) : stop]
    run = _HOST_BACKWARDS.match(before[::-1])
    if run is None:
        return None
    start = stop - run.end()
    if text[max(0, start - 1) : start] in ("@", "/", "\\", "~", "%") or not _HOST.fullmatch(
        text, start, stop
    ):
        return None
    tail = _AFTER_HOST.match(text, stop)
    end = _trimmed(text, stop, tail.end()) if tail else stop
    score = _bare_score(text[start:stop], ending.group(1), end - stop)
    return Candidate((start, end), "URL", (score, max(score, 0.6)), "the name of a host") if score else None


def _bare_score(host: str, ending: str, tail: int) -> float:
    """A name without a scheme counts when its ending is an ending and little else, or when it has a path."""
    if ending != ending.lower() and host != host.upper():
        return 0.0
    if stands_alone(ending) or host[:4].lower() == "www.":
        return 0.6
    if not is_known_ending(ending) or is_file_type(ending):
        return 0.0
    return 0.55 if tail > 2 else 0.2


def _trimmed(text: str, start: int, end: int) -> int:
    """The end without punctuation of the sentence and without brackets that the address does not open."""
    while end > start:
        last = text[end - 1]
        if last in _TRAILING or (
            last in ")]" and text.count(last, start, end) > _opened(text, start, end, last)
        ):
            end -= 1
        else:
            break
    return end


def _opened(text: str, start: int, end: int, closing: str) -> int:
    return text.count("(" if closing == ")" else "[", start, end)


def ips(text: str) -> Iterator[Candidate]:
    """IP addresses of both versions, with their prefix length."""
    for start in _OCTETS.finditer(text):
        found = _IPV4.match(text, start.start())
        if found:
            yield Candidate(found.span(), "IP_ADDRESS", (0.75, 0.95), "four octets")
    for begin in sorted({_token_start(text, mark.start()) for mark in _COLONS.finditer(text)}):
        found = _MAPPED.match(text, begin) or _IPV6.match(text, begin)
        if found and _is_version_6(found.group()):
            yield Candidate(found.span(), "IP_ADDRESS", (0.75, 0.95), "an address of version 6")


def _token_start(text: str, place: int) -> int:
    """Where the run of hexadecimal digits and colons begins that `place` is in, if it is not too long."""
    before = text[max(0, place - _LONGEST_IP) : place]
    return place - (len(before) - len(before.rstrip("0123456789abcdefABCDEF:")))


def _is_version_6(text: str) -> bool:
    import ipaddress

    if not any(c.isdigit() for c in text) or text.startswith("::/"):
        return False
    try:
        ipaddress.IPv6Interface(text)
    except ValueError:
        return False
    return True


def macs(text: str) -> Iterator[Candidate]:
    """Hardware addresses, but not longer chains of bytes such as fingerprints."""
    for start in _BYTES.finditer(text):
        found = _MAC.match(text, start.start())
        digits = "" if not found else re.sub("[:.-]", "", found.group()).upper()
        if found and len(set(digits)) > 1:
            yield Candidate(found.span(), "MAC_ADDRESS", (0.8, 0.8), "six bytes of hexadecimal digits")
