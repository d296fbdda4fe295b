"""The detector of secrets: the gate, the rules behind it, and how far a growing text is settled."""

from __future__ import annotations

import re

from guardrails.detectors.entropy import LABEL, is_hex, is_identifier, is_labelled_digest, is_random
from guardrails.detectors.matches import Match
from guardrails.detectors.normalise import REACH, is_plain, normalised
from guardrails.detectors.secrets import assignments, blocks, places, tokens
from guardrails.detectors.secrets.names import STEMS, kind_of
from guardrails.detectors.secrets.scanning import literals
from guardrails.errors import Ambiguous

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

ENTITIES = frozenset({"API_KEY", "AUTHORIZATION", "HIGH_ENTROPY", "JWT", "PASSWORD", "PRIVATE_KEY", "SECRET"})

RUN = 6_100
"""Characters of one unbroken run that a rule can look at: those of the longest signed token and its edges."""

_TAIL = 2 * REACH
_UNBROKEN = re.compile(r"[^\s\"'`<>]*\Z")
_RANDOM = re.compile(r"[A-Za-z0-9+/_\-]{24,}={0,2}")
_LONGEST_RANDOM = 128
_PATH = re.compile(r"(?:^|/)[a-z]{3,}(?:/|$)|[-_][a-z]{3,}[-_]")
_RULES = (
    tokens.tokens, assignments.assignments, places.url_passwords, places.headers, places.json_web_tokens,
    places.json_keys, blocks.private_keys,
)  # fmt: skip


class SecretDetector:
    """Finds keys, tokens, passwords and private keys, as the entities `ENTITIES`.

    `entities` are those to report (None: all). `threshold` is the least score that is reported, from 0 to 1;
    at 0.4 and below, unnamed random texts (`HIGH_ENTROPY`) and doubtful values are reported as well.
    """

    name = "secrets"
    hold = blocks.LONGEST + blocks.FIRST_LINE + RUN
    left = 640

    def __init__(self, entities: frozenset[str] | None = None, *, threshold: float = 0.5) -> None:
        self.entities = ENTITIES if entities is None else entities
        self.threshold = threshold
        self._rules = (*_RULES, _random) if threshold <= _DOUBT else _RULES

    def find(self, text: str, context: Sequence[str] = ()) -> list[Match]:
        """The matches, by start, then longest first. `context` holds names that the text goes by, such as the
        key of a JSON field. Raises `Ambiguous` on half of a surrogate pair."""
        found = set(assignments.named(text, context)) if context else set()
        found |= self._found(text)
        if not is_plain(text):
            found |= self._found_in_plain_spelling(text)
        if not found:
            return []
        kept = (match for match in found if match.score >= self.threshold and match.entity in self.entities)
        return sorted(_nearest(kept), key=_order)

    def judged_whole(self, context: Sequence[str] = ()) -> int:
        """See `Detector`: under the name of a secret, a text that is short enough is one as a whole."""
        return assignments.LONGEST if any(kind_of(word) for word in context) else 0

    def goes_on(self, match: Match) -> str:
        """See `Detector`: a private key of which the end was not looked at."""
        return blocks.RUN if match.reason == blocks.CUT else ""

    def settled(self, text: str) -> int:
        """Up to where a growing text is settled; see `Detector.settled`."""
        offset = _unsettled(text)
        if not is_plain(text[-_TAIL:]) or text.endswith("&"):
            offset = min(offset, max(0, len(text) - _TAIL))
        begin = max(0, offset - self.hold - self.left)
        return self._uncut(text[begin:], offset - begin) + begin

    def _uncut(self, text: str, offset: int) -> int:
        """The last place up to `offset` that no match spans."""
        for match in reversed(self.find(text)):
            if match.start < offset < match.end:
                offset = match.start
        return offset

    def _found(self, text: str) -> set[Match]:
        readable(text)
        if self.threshold > _DOUBT and not literals(_GATE).search(text):
            return set()
        return {match for rule in self._rules for match in rule(text)}

    def _found_in_plain_spelling(self, text: str) -> set[Match]:
        plain = normalised(text)
        if not plain.changed:
            return set()
        return {
            Match(*plain.span(match.start, match.end), match.entity, match.score, match.reason)
            for match in self._found(plain.text)
        }


_DOUBT = 0.4


def _order(match: Match) -> tuple[int, int, str]:
    return (match.start, -match.end, match.entity)


def _nearest(matches: Any) -> list[Match]:
    """One match for each span and entity: the surest."""
    best: dict[tuple[int, int, str], Match] = {}
    for match in matches:
        key = (match.start, match.end, match.entity)
        if key not in best or (match.score, match.reason) > (best[key].score, best[key].reason):
            best[key] = match
    return [match for match in best.values() if match.reason != blocks.CUT or not _is_seen_whole(match, best)]


def _is_seen_whole(cut: Match, found: Iterable[tuple[int, int, str]]) -> bool:
    """Whether the end of a key that was cut is known in the other spelling of the text."""
    return any(start == cut.start and end > cut.end and entity == cut.entity for start, end, entity in found)


def _unsettled(text: str) -> int:
    """Where the first thing begins that more text could complete or change."""
    run = _UNBROKEN.search(text, max(0, len(text) - RUN))
    return min(run.start() if run else len(text), blocks.open_from(text), assignments.open_from(text))


def readable(text: str) -> str:
    """The text itself; half of a surrogate pair is no character."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Ambiguous("the text holds half of a surrogate pair, which is no character") from error
    return text


_GATE = "|".join(
    (tokens.LITERALS, rf"(?i:{STEMS}|basic|bearer|negotiate|-u |--user)",
     r"://[^\s/:@]*:|eyJ|-----BEGIN |Private-Lines|\"(?:d|p|q|dp|dq|qi|k)\\?\"")
)  # fmt: skip
"""What stands in every text in which any rule could match."""


def _random(text: str) -> list[Match]:
    """Random texts without a name, the least sure of all."""
    found = []
    for run in _RANDOM.finditer(text):
        value = run.group()
        if len(value) <= _LONGEST_RANDOM and is_random(value) and not _is_known(text, run):
            found.append(Match(*run.span(), "HIGH_ENTROPY", _DOUBT, "a random text without a name"))
    return found


def _is_known(text: str, run: re.Match[str]) -> bool:
    value = run.group()
    before = text[max(0, run.start() - LABEL) : run.start()]
    return (
        is_hex(value)
        or is_identifier(value)
        or is_labelled_digest(text, run.start())
        or "base64," in before
        or _PATH.search(value) is not None
    )
