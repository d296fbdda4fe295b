"""Values that are called secrets: `password = "..."`, `"api_key": "..."`, `--token ...`, `<secret>...</secret>`.

Takes a text, gives matches of the values. The one idea: the name is found by its stem, read to both sides and
judged by `names`, and the value that follows by `values`. A value never reaches over the next assignment.
"""

from __future__ import annotations

import re

from guardrails.detectors.entropy import is_labelled_digest
from guardrails.detectors.matches import Match
from guardrails.detectors.secrets import names
from guardrails.detectors.secrets.names import STEMS, kind_of
from guardrails.detectors.secrets.scanning import places
from guardrails.detectors.secrets.values import Value, sureness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LONGEST = 512
"""Characters of a value that are looked at."""

ENTITIES = {"password": "PASSWORD", "token": "SECRET"}

_STEM = f"(?i){STEMS}"
_REST = re.compile(
    r"[\w.\-]{0,40}(?P<after>\\{0,3}[\"'`]|[\"']?\])?(?P<separator>\s{0,3}(?:=>|:=|===?|[:=])|>|\s{1,3}(?:is|ist|est|es|è)\b:?"
    r"|：|=%22|\s)(?P<space>\s{0,8})(?P<quote>\\{0,3}[\"'`]|%22)?",
)
_BARE = re.compile(rf"(?:[^\s\"'`,;&<>)\]}}|，；。]|&(?!\w{{1,40}}=)){{1,{LONGEST}}}")
_LOOSE = re.compile(rf"[^\s\"'`,<>，；。]{{1,{LONGEST}}}")
_LINE = re.compile(rf"[^\r\n]{{0,{LONGEST}}}")
_NEXT = re.compile(rf"(?i)\w{{0,20}}(?:{STEMS})\w{{0,20}}[=:]")
_OPTION = re.compile(r"--?[\w\-]*\Z")
_LOGIN = re.compile(r"(?i)login\s{1,4}\S{1,60}\s{1,4}\Z")
_TAG = re.compile(r"<(?:\w+:)?\Z")
_NAME = re.compile(r"[\w.\-$]*\Z")


def assignments(text: str) -> Iterator[Match]:
    """Every value that follows the name of a secret. One value has one name, the nearest."""
    seen = set()
    for stem in places(_STEM, text):
        rest = _REST.match(text, stem[1])
        if rest and rest.end() not in seen:
            seen.add(rest.end())
            match = _assigned(text, stem, rest)
            if match:
                yield match


def _assigned(text: str, stem: tuple[int, int], rest: re.Match[str]) -> Match | None:
    before = text[max(0, stem[0] - names.LONGEST) : stem[0]]
    left = _NAME.search(before)
    name = (
        (left.group() if left else "")
        + text[stem[0] : rest.start()]
        + rest.group().split(rest["separator"])[0]
    )
    kind = kind_of(name.strip("\"'`]\\"))
    separator = rest["separator"].strip()
    if not kind or not _is_written_so(name, separator, before):
        return None
    value = _value(text, rest)
    if separator.startswith("i") or separator in ("est", "es", "è"):
        return _told(value, rest.end())
    score = sureness(value, kind)
    if not score or is_labelled_digest(text, rest.end()):
        return None
    return Match(
        rest.end(), rest.end() + len(value.text), ENTITIES[kind], score, f"the value of `{_shown(name)}`"
    )


def _shown(name: str) -> str:
    return name.strip("\"'`]\\ ")[-40:]


def _is_written_so(name: str, separator: str, before: str) -> bool:
    """Whether a name and what follows it assign something at all; a space does so only for an option of a
    command, or in a file of logins."""
    if separator:
        return separator != ">" or _TAG.search(_before_name(before)) is not None
    return (bool(_OPTION.match(name)) and name.startswith("--")) or bool(_LOGIN.search(before))


def _before_name(before: str) -> str:
    return _NAME.sub("", before)


def _value(text: str, rest: re.Match[str]) -> Value:
    start, quote = rest.end(), rest["quote"]
    spaced = bool(rest["space"]) or rest["separator"][-1:] not in "=>2"
    if quote:
        line = _LINE.match(text, start)
        inside = _until(line.group() if line else "", quote)
        if inside is not None:
            return Value(inside, quoted=True, spaced=spaced)
    bare = (_LOOSE if spaced else _BARE).match(text, start)
    return Value(_before_next(bare.group()) if bare else "", quoted=False, spaced=spaced)


def _until(line: str, quote: str) -> str | None:
    """What stands before the closing quote; a backslash keeps a quote from closing."""
    at = line.find(quote)
    while at > 0 and len(quote) == 1 and line[at - 1] == "\\":
        at = line.find(quote, at + 1)
    return line[:at] if at >= 0 else None


def _before_next(run: str) -> str:
    """The part of a run of characters that ends where the next assignment begins."""
    following = _NEXT.search(run) if "=" in run or ":" in run else None
    run = run[: following.start()] if following else run
    return run.rstrip(".:!?;)]}|") if len(run) > 8 else run.rstrip(";)]}")


def open_from(text: str) -> int:
    """Where a quoted value that is not closed yet begins; the length of the text without one."""
    length = len(text)
    line = text.rfind("\n", max(0, length - LONGEST - names.LONGEST)) + 1
    begin = max(line, length - LONGEST - 2 * names.LONGEST, 0)
    for _, end in places(_STEM, text[begin:]):
        rest = _REST.match(text, begin + end)
        if (
            rest
            and rest["quote"]
            and length - rest.end() < LONGEST
            and _until(text[rest.end() :], rest["quote"]) is None
        ):
            return rest.end()
    return length


def _told(value: Value, start: int) -> Match | None:
    """`the password is ...` in prose: only for what no word looks like."""
    text = value.text.rstrip(".,:!?")
    marked = sum((any(c.isdigit() for c in text), any(c.isalpha() for c in text), not text.isalnum()))
    if marked < 2 or sureness(Value(text, quoted=True, spaced=False), "password") < 0.6:
        return None
    if not any(c.isdigit() for c in text) and not value.quoted:
        return None
    return Match(start, start + len(text), "PASSWORD", 0.7, "said to be a secret")


def named(text: str, context: Sequence[str]) -> Iterator[Match]:
    """The whole of `text`, when it is a single value and `context` names a secret."""
    kinds = [(word, kind) for word in context if (kind := kind_of(word))]
    if not kinds or len(text) > LONGEST or "\n" in text.strip():
        return
    word, kind = kinds[0]
    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    score = sureness(Value(text[start:end], quoted=True, spaced=False), kind)
    if score:
        yield Match(start, end, ENTITIES[kind], score, f"the value of `{word[-40:]}`")
