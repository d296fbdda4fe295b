"""Links: the addresses that a text leads or loads to, wherever a reader's program would find one.

Takes a text, gives its links in the order in which they stand, each once. The one idea: a program that shows a text
fetches what Markdown and HTML say before anybody clicks, so their targets count as much as addresses that are
written out. A target that two programs could read as two places is an error, never left out.

Addresses of mail and telephone, and targets without a host (`#top`, `page.html`), lead to no other host and are no
links.
"""

from __future__ import annotations

import re
from collections import Counter
from html import unescape

from guardrails.canonical.url import Url, parse_url
from guardrails.errors import Ambiguous, TooLarge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST = 10_000
"""Links of a text; one with more is an error."""

NO_LINKS = frozenset({"mailto", "tel", "sms", "cid", "about"})
"""Schemes that lead to no host."""

_MARKDOWN = re.compile(
    r"\]\(\s{0,64}(?:<(?P<angled>[^<>\n]*)>|(?P<inline>[^\s()<>]*(?:\([^\s()]*\)[^\s()<>]*)*))"
    r"|\]:\s{0,64}(?:<(?P<defined_angled>[^<>\n]*)>|(?P<defined>[^\s<>]+))"
)
_HTML = re.compile(
    r"(?i)\b(?P<name>href|src|srcset|action|formaction|poster|background|cite|data|ping|longdesc|manifest)\s{0,64}=\s{0,64}"
    r"(?:\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'|(?P<bare>[^\s\"'>]+))"
)
_STYLE = re.compile(r"(?i)\burl\s{0,64}[(=]\s{0,64}[\"']?(?P<target>[/\\]{2}[^\s\"'<>)]+)")
_WRITTEN = re.compile(r"(?i)\b(?:[a-z][a-z0-9+.\-]{0,30}://|www\.(?=[^\s.]))[^\s<>\"'`]+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_ENDS = frozenset(".,;:!?*_~|\\…。，；：！？、")
_CLOSING = {")": "(", "]": "[", "}": "{", "）": "（", "」": "「", "』": "『", "】": "【"}
_BRACKETS = frozenset((*_CLOSING, *_CLOSING.values()))


def links(text: str) -> list[Url]:
    """The links in `text`. Raises `Ambiguous` for one that could lead to two places, and `TooLarge` beyond MOST."""
    found: dict[str, Url] = {}
    for _, target in sorted(_targets(text)):
        link = _read(target)
        if link is not None:
            found.setdefault(link.text, link)
        if len(found) > MOST:
            raise TooLarge(f"there are more than {MOST:,} links in the text")
    return list(found.values())


def _targets(text: str) -> Iterator[tuple[int, str]]:
    """What the text names as an address, with its place."""
    taken: list[tuple[int, int]] = []
    for pattern, spelled in _FORMS:
        for match in pattern.finditer(text):
            kind = match.lastgroup or ""
            start, end = match.span(kind)
            taken.append((start, end))
            several = (match.groupdict().get("name") or "").lower() == "srcset"
            for part in _of_srcset(match[kind]) if several else [match[kind]]:
                yield start, spelled(part)
    yield from _written(text, taken)


def _of_srcset(value: str) -> list[str]:
    """The addresses of a list such as `a.png 1x, b.png 2x`."""
    return [words[0] for part in value.split(",") if (words := part.split())]


def _in_markdown(target: str) -> str:
    return unescape(_ESCAPED.sub(r"\1", target))


_FORMS: tuple[tuple[re.Pattern[str], Callable[[str], str]], ...] = (
    (_MARKDOWN, _in_markdown), (_HTML, unescape), (_STYLE, unescape),
)  # fmt: skip


def _written(text: str, taken: list[tuple[int, int]]) -> Iterator[tuple[int, str]]:
    """Addresses that are written out, outside of those that are targets already."""
    ends = iter(sorted(taken))
    start, end = next(ends, (len(text), len(text)))
    for match in _WRITTEN.finditer(text):
        while end <= match.start() and start < len(text):
            start, end = next(ends, (len(text), len(text)))
        if not start <= match.start() < end:
            yield match.start(), unescape(_without_end(match.group()))


def _without_end(address: str) -> str:
    """An address without the punctuation of the sentence that it ends; a bracket that it opens itself stays."""
    counts = Counter(character for character in address if character in _BRACKETS)
    end = len(address)
    while end:
        last = address[end - 1]
        opening = _CLOSING.get(last)
        if last not in _ENDS and (opening is None or counts[last] <= counts[opening]):
            break
        counts[last] -= 1
        end -= 1
    return address[:end]


def _read(target: str) -> Url | None:
    """The link that a target is; None for one that leads to no host."""
    target = target.strip()
    scheme = _SCHEME.match(target)
    if scheme is not None:
        return None if scheme.group()[:-1].lower() in NO_LINKS else parse_url(target)
    if target[:2] == "//":
        return parse_url(f"https:{target}")
    if target[:4].lower() == "www.":
        return parse_url(f"http://{target}")
    if target[:1] in ("/", "\\") and target[1:2] in ("/", "\\"):
        raise Ambiguous(f"`{target[:80]}` leads to a host in some programs and to a path in others")
    return None
