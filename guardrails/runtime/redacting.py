"""Redacting: the `redact` statements of a decision as one redactor.

Takes the changes as the program holds them, gives a redactor for texts, values and streams. Redactors without
tokens are made once and used again, because they know nothing of a session.
"""

from __future__ import annotations

from functools import lru_cache

from guardrails.errors import Unavailable
from guardrails.redaction.methods import Method, Rule, last, replace
from guardrails.redaction.redactor import Redactor
from guardrails.runtime.content import detector_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from guardrails.runtime.engine import Subject

NO_KEY = "`redact ... with {}` needs a key: give it with `Guard.load(key=...)`, or in GUARD_KEY"


def redactor_for(changes: tuple[tuple[Any, ...], ...], subject: Subject) -> Redactor:
    """The redactor of these changes. Raises `Unavailable` for a method whose key or vault is missing."""
    host, methods = subject.host, {change[3] for change in changes}
    for method in ("hash", "token"):
        if method in methods and host.key is None:
            raise Unavailable(NO_KEY.format(method))
    if "token" in methods:
        if subject.vault is None:
            raise Unavailable("the tokens of this session are not known here; give the session a store")
        return Redactor(_rules(changes, subject), key=host.key, vault=subject.vault)
    if host.detectors:
        return Redactor(_rules(changes, subject), key=host.key)
    return _shared(changes, host.key)


@lru_cache(maxsize=1_024)
def _shared(changes: tuple[tuple[Any, ...], ...], key: bytes | None) -> Redactor:
    return Redactor(_rules(changes, None), key=key)


def _rules(changes: tuple[tuple[Any, ...], ...], subject: Subject | None) -> Iterator[Rule]:
    for change in changes:
        _, paths, pattern, method, argument, _, spec = change
        for path in paths:
            yield Rule(_detector(pattern, spec, subject), _method(method, argument), path=path)


def _detector(pattern: str | None, spec: tuple[Any, ...] | None, subject: Subject | None) -> Any:
    if spec is not None:
        from guardrails.runtime.content import detector_of

        return detector_of(spec) if subject is None else detector_for(subject, spec)
    return None if pattern is None else _pattern(pattern)


@lru_cache(maxsize=1_024)
def _pattern(pattern: str) -> Any:
    from guardrails.redaction.patterns import PatternDetector

    return PatternDetector(pattern)


def _method(kind: str, argument: Any) -> Method:
    if kind == "last":
        return last(int(argument))
    return replace(argument) if kind == "replace" else Method(kind)
