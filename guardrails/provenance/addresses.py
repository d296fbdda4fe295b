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

_EMAIL = re.compile(
    r"(?<![\w.+%~!#$*/^`{|}@\\-])'?([\w.+%~'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,10})(?![\w@-]|\.[\w.-])"
)
_URL = re.compile(r"(?<![\w+.-])[A-Za-z][A-Za-z0-9+.-]{1,15}://[^\s\x00<>\"`{}|\\^\[\]]{1,2000}")
_HOST = re.compile(r"(?<![\w@.:/+%~'\\-])(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w@/\\%~+-]|\.[\w.-]|:\w)")
_URL_HOST = re.compile(
    r"(?<![\w+.-])[A-Za-z][A-Za-z0-9+.-]{1,15}://([\w.-]{1,253})(?::\d{1,5})?(?=[/?#\s\x00]|$)"
)
_FILES_ROWS = """
bak bash bat bin bmp bz2 c cc cfg class conf cpp cs css csv dat db dll doc docx env eps exe gif go gz h
hpp htm html ico ini ipynb jar java jpeg jpg js json jsonl key lock log lua md mov mp3 mp4 odt pdf pem php
pl png ppt pptx ps psd py rar rb rs rtf sh so sql svg tar tgz tif tiff toml tsv txt wav webp xls xlsx xml
yaml yml zip
"""
_FILES = frozenset(_FILES_ROWS.split())


def email_spans(text: str) -> Iterator[tuple[int, int, str]]:
    """E-mail addresses; the same in any case."""
    if "@" not in text:
        return
    for found in _EMAIL.finditer(text):
        end = found.end(1)
        local = found.group(1).lstrip("'")
        if not local.startswith(("@", ".")) and not local.endswith("-"):
            yield end - len(local), end, composed(local).lower()


def url_spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Absolute URLs; the key is the canonical URL, or the URL itself where programs read it in several ways."""
    if "://" not in text:
        return
    for found in _URL.finditer(text):
        url = _without_stops(found.group())
        yield found.start(), found.start() + len(url), canonical_url(url)


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


def host_spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Host names that stand alone, and the hosts of URLs without user information."""
    if "." not in text:
        return
    for found in _HOST.finditer(text):
        if found.group().rpartition(".")[2].lower() not in _FILES:
            yield (*found.span(), found.group().lower())
    for found in _URL_HOST.finditer(text):
        yield (*found.span(1), found.group(1).lower())
