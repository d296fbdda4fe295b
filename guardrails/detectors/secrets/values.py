"""Values of secret fields: which are secrets, and which stand for one, name one or compute one.

Takes the value that follows a secret's name, gives how sure it is, 0 for none.
"""

from __future__ import annotations

import re

from guardrails.detectors.entropy import entropy, is_hex, is_identifier, is_password_hash

CERTAIN, LIKELY, DOUBTFUL = 0.85, 0.65, 0.4

_EMPTY = re.compile(
    r"(?i)[x*•.…_\-#?0]*|<.*>?|\[.*|\$.*|\{.*|%.*|@.*|!.*|.*(?:\*{3}|x{4}|\.{3}|…|\$\{|\{\{|%\().*"
)
_STANDS_FOR = re.compile(
    r"(?i)(?:.*(?:change.?me|change.?this|placeholder|redacted|example|your[_\- ]|insert|dummy|replace|to.?do\b|masked"
    r"|hidden|goes.?here|fixme|encrypted|unset).*|(?:my|the|a|some|your|new|old|test|fake|db|user|api|admin)?[_\- ]?"
    r"(?:pass(?:word|wd|phrase|code)?|pwd|secret|token|api[_\- ]?key|key|credentials?|value|string|auth)s?[_\- ]?\d{0,3})"
)
_NO_VALUES = (
    "none null nil true false undefined empty blank required optional missing invalid valid wrong incorrect string str "
    "text bytes int integer number boolean bool any object secretstr unknown default not must should is was were are "
    "has will can cannot be the this that it your our their and or if for from with reset expired changed updated "
    "authentication basic bearer plain digest hashed rejected revoked denied accepted generated provided yes no off on "
    "n/a na tbd foo bar baz foobar test tests testing secretmanager vault env input output prompt hunter word"
)
_WORDS = frozenset(_NO_VALUES.split())
_CODE = re.compile(
    r"[\w$.\->\[\]'\"?!]*\w+\(.*|(?:self|this|os|process|env|config|cfg|settings|options|opts|args|params|request|req|ctx"
    r"|secrets?|var|local|data|module|event|context|state|props|user|response|res|input|vault|ssm|arn|projects?)"
    r"[.:\[/].*|[A-Za-z_]+\d{0,2}(?:\.[A-Za-z_]+\d{0,2})+(?:\[.*)?|.*=>.*|\w+\[.*|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+"
)
_URL = re.compile(r"(?i)[a-z][a-z0-9+.\-]*://|/[\w\-./]*$|\.{1,2}/|~/")
_NUMBER = re.compile(r"[\d.,:%+\-]+")
_WORDLIKE = re.compile(r"[^\W\d_]+(?:[-_ ][^\W\d_]+)*")

_SHORTEST = {"password": 4, "token": 8}


class Value:
    """What stands after a name: `text`; `quoted` says whether in quotes, `spaced` whether after a space or a
    colon, as in prose, rather than straight after `=`."""

    __slots__ = ("quoted", "spaced", "text")

    def __init__(self, text: str, *, quoted: bool, spaced: bool) -> None:
        self.text = text
        self.quoted = quoted
        self.spaced = spaced


def sureness(value: Value, kind: str) -> float:
    """How sure it is that `value` is the `password` or `token` that its name says: 0 if it is none."""
    text = value.text
    if len(text) < _SHORTEST[kind] or _is_stand_in(text) or _is_elsewhere(value):
        return 0.0
    if kind == "password":
        return _password(value)
    return _token(value)


def _is_stand_in(text: str) -> bool:
    return bool(
        _EMPTY.fullmatch(text)
        or _STANDS_FOR.fullmatch(text)
        or text.lower().rstrip(".:!?") in _WORDS
        or len(set(text)) < 3
    )


def _is_elsewhere(value: Value) -> bool:
    """Whether the value says where the secret is, computes it, or is its hash."""
    text = value.text
    if is_password_hash(text) or _URL.match(text):
        return True
    return not value.quoted and _CODE.fullmatch(text) is not None


def _password(value: Value) -> float:
    text = value.text
    if _WORDLIKE.fullmatch(text):
        if " " in text:
            return LIKELY if value.quoted and 3 <= text.count(" ") <= 7 and text.islower() else DOUBTFUL
        return DOUBTFUL if value.spaced and not value.quoted else LIKELY
    if " " in text and not value.quoted:
        return 0.0
    if _NUMBER.fullmatch(text) and value.spaced and not value.quoted:
        return DOUBTFUL
    return CERTAIN if text.count(" ") < 4 else DOUBTFUL


def _token(value: Value) -> float:
    text = value.text
    if " " in text or (_NUMBER.fullmatch(text) and len(text) < 20):
        return 0.0
    if is_identifier(text):
        return LIKELY
    mixed = any(c.isdigit() for c in text) and any(c.isalpha() for c in text)
    if is_hex(text):
        return CERTAIN if mixed and len(text) >= 16 else DOUBTFUL
    if mixed and entropy(text) >= 2.8:
        return CERTAIN
    varied = len(text) >= 20 and entropy(text) >= 3.6 and not _WORDLIKE.fullmatch(text)
    return LIKELY if varied else DOUBTFUL
