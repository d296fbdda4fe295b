"""Pages: for every name that a diagnostic can carry, what it means, why it matters and what to write instead.

The page of a lint rule is the docstring of its function; those of the language's own errors stand in
`pages_of_syntax`, `pages_of_names` and `pages_of_values`, and those of comparisons in `pages_of_comparing`, in the
same form.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from inspect import cleandoc

from guardrails.diagnostics import Severity
from guardrails.lint.pages_of_comparing import COMPARING
from guardrails.lint.pages_of_names import NAMES
from guardrails.lint.pages_of_syntax import SYNTAX
from guardrails.lint.pages_of_values import VALUES
from guardrails.lint.registry import all_rules


def page(name: str) -> str:
    """The page of a rule, as Markdown. Raises KeyError for a name that no rule has."""
    code, severity, text = _pages()[name]
    return f"# {name} ({code}, {severity})\n\n{text}\n"


def page_names() -> tuple[str, ...]:
    """Every name that has a page, in the order of the codes."""
    return tuple(_pages())


def code_of(name: str) -> str:
    """The code of a rule; an empty string for a name that no rule has."""
    return _pages()[name][0] if name in _pages() else ""


@cache
def _pages() -> dict[str, tuple[str, str, str]]:
    errors = _written({**SYNTAX, **NAMES, **VALUES}, "error")
    compared = _written(COMPARING, "warning")
    rules = {entry.name: (entry.code, entry.severity, entry.page) for entry in all_rules()}
    return dict(sorted((errors | compared | rules).items(), key=lambda known: known[1][0]))


def _written(pages: Mapping[str, tuple[str, str]], severity: Severity) -> dict[str, tuple[str, str, str]]:
    return {name: (code, severity, cleandoc(text)) for name, (code, text) in pages.items()}
