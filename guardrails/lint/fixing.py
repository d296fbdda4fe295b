"""Fixes: diagnostics in, changed texts out.

A fix is applied as a whole or not at all, and never where another one has changed the text already; what is
left waits for the next round, after the policy was linted again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from guardrails.diagnostics import Diagnostic, Edit, Fix


def apply_fixes(
    texts: Mapping[str, str], diagnostics: Iterable[Diagnostic], *, safe_only: bool = True
) -> dict[str, str]:
    """The texts after every fix that fits beside the others. `safe_only` leaves out those that need a look."""
    chosen: dict[str, list[Edit]] = defaultdict(list)
    for fix in _in_order(diagnostics):
        if safe_only and fix.safety != "safe":
            continue
        if all(_is_free(edit, chosen[edit.span.file], texts) for edit in fix.edits):
            for edit in fix.edits:
                chosen[edit.span.file].append(edit)
    return {path: _edited(text, chosen.get(path, [])) for path, text in texts.items()}


def _in_order(diagnostics: Iterable[Diagnostic]) -> list[Fix]:
    """Each fix once, by the place of its first edit."""
    fixes = dict.fromkeys(found.fix for found in diagnostics if found.fix and found.fix.edits)
    return sorted(fixes, key=lambda fix: (fix.edits[0].span.file, fix.edits[0].span.start))


def _is_free(edit: Edit, taken: Iterable[Edit], texts: Mapping[str, str]) -> bool:
    span = edit.span
    if not 0 <= span.start <= span.end <= len(texts.get(span.file, "")) or span.file not in texts:
        return False
    return all(span.start > other.span.end or span.end < other.span.start for other in taken)


def _edited(text: str, edits: Iterable[Edit]) -> str:
    for edit in sorted(edits, key=lambda edit: edit.span.start, reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text
