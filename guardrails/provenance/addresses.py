"""Addresses in texts: e-mail addresses, URLs and hosts.

Takes a text, gives stretches with keys (see `forms`). The one idea: an address ends where it could not go on.
`bob@x.com` inside `bob@x.com.evil.io` is no address at all.
"""

from __future__ import annotations

import re

from guardrails.canonical.url import parse_url
from guardrails.errors import Ambiguous
from guardrails.provenance.words import composed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    Span: TypeAlias = tuple[int, int, str]

_LOCAL = re.compile(r"[\w.+%~'-]{1,64}$")
_DOMAIN = re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63}){1,10}(?![\w@-]|\.[\w.-]|[/:+%~\\]\w)")
_NOT_BEFORE = frozenset("!#$*/^`{|}@\\")
_SCHEME = re.compile(r"(?<![\w+.-])[A-Za-z][A-Za-z0-9+.-]{1,15}$")
_REST = re.compile(r"[^\s\x00<>\"`{}|\\^\[\]]{1,2000}")
_HOST = re.compile(r"(?<![\w@.:/+%~'\\-])(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w@/\\%~+-]|\.[\w.-]|:\w)")
_URL_HOST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,15}://([\w.-]{1,253})(?::\d{1,5})?(?=[/?#\s\x00]|$)")
_HEX = re.compile(
    r"(?<![\w-])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![\w-])|(?<![\w-])[0-9A-Fa-f]{12,128}(?![\w-])"
)
_JOINED = frozenset("@/.+%\\~")
_FILES_ROWS = """
bak bash bat bin bmp bz2 c cc cfg class conf cpp cs css csv dat db dll doc docx env eps exe gif go gz h
hpp htm html ico ini ipynb jar java jpeg jpg js json jsonl key lock log lua md mov mp3 mp4 odt pdf pem php
pl png ppt pptx ps psd py rar rb rs rtf sh so sql svg tar tgz tif tiff toml tsv txt wav webp xls xlsx xml
yaml yml zip
"""
_FILES = frozenset(_FILES_ROWS.split())


def email_spans(text: str, start: int = 0, end: int | None = None) -> Iterator[Span]:
    """E-mail addresses; the same in any case."""
    end = len(text) if end is None else end
    at = text.find("@", start, end)
    while at >= 0:
        local = _LOCAL.search(text, max(0, at - 64), at)
        domain = local and _DOMAIN.match(text, at + 1)
        if local and domain and _is_whole(text, local):
            first = local.start() + (local.group()[0] == "'")
            yield first, domain.end(), composed(text[first : domain.end()]).lower()
        at = text.find("@", at + 1, end)


def _is_whole(text: str, local: re.Match[str]) -> bool:
    before = text[local.start() - 1 : local.start()]
    return not (before.isalnum() or before in _NOT_BEFORE) and local.group().lstrip("'")[:1] not in ("", ".")


def url_spans(text: str, start: int = 0, end: int | None = None) -> Iterator[Span]:
    """Absolute URLs; the key is the canonical URL, or the URL itself where programs read it in several ways."""
    end = len(text) if end is None else end
    marks = text.find("://", start, end)
    while marks >= 0:
        scheme = _SCHEME.search(text, max(0, marks - 16), marks)
        rest = scheme and _REST.match(text, marks + 3)
        if scheme and rest:
            url = _without_stops(text[scheme.start() : rest.end()])
            yield scheme.start(), scheme.start() + len(url), canonical_url(url)
        marks = text.find("://", marks + 3, end)


def _without_stops(url: str) -> str:
    url = url.rstrip(".,;:!?'*")
    while url.endswith(")") and url.count(")") > url.count("("):
        url = url[:-1].rstrip(".,;:!?'*")
    return url


def canonical_url(url: str) -> str:
    try:
        return parse_url(url).text
    except Ambiguous:
        return url


def hex_spans(text: str, start: int = 0, end: int | None = None) -> Iterator[Span]:
    """Codes of hexadecimal digits, such as UUIDs and digests; the same in any case."""
    for found in _HEX.finditer(text, start, len(text) if end is None else end):
        key = found.group().lower()
        if not key.isdigit() and not key.isalpha() and text[found.start() - 1 : found.start()] not in _JOINED:
            yield (*found.span(), key)


def host_spans(text: str, start: int = 0, end: int | None = None) -> Iterator[Span]:
    """Host names that stand alone, and the hosts of URLs without user information."""
    end = len(text) if end is None else end
    if "." not in text:
        return
    for found in _HOST.finditer(text, start, end):
        if found.group().rpartition(".")[2].lower() not in _FILES:
            yield (*found.span(), found.group().lower())
    for found in _URL_HOST.finditer(text, start, end):
        yield (*found.span(1), found.group(1).lower())
