"""What a statement makes of a text that is still growing: nothing, something to watch for, or the whole of it.

Takes a lowered statement. A text that streams out can go on as far as nothing in it could still make a
statement apply. Where a statement restricts as soon as a detector or pattern finds something, that much is
known early; where it asks anything else of the text, it is only known at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from guardrails.language import core
from guardrails.language import types as t
from guardrails.language.checked import Change, Duty, Lowered, Verdict
from guardrails.language.checker import parts_of

Watch: TypeAlias = tuple[object, ...]
ROOTS = ("text", "json")


def watched_by(lowered: Lowered) -> tuple[Watch, ...] | None:
    """Detectors whose findings make the statement apply, as plain data; empty where the text plays no part,
    None where only the whole text can tell."""
    parts = list(parts_of(lowered))
    if not any(map(_reads_text, parts)):
        return ()
    meaning, condition = lowered.meaning, lowered.condition
    simple = isinstance(meaning, Duty) or (isinstance(meaning, Verdict) and not meaning.grants)
    if not simple or condition is None or isinstance(meaning, Change):
        return None
    found = list(_watches(condition))
    return None if None in found else tuple(dict.fromkeys(each for each in found if each))


def _reads_text(part: core.Core) -> bool:
    return any(isinstance(node, core.Load) and node.root in ROOTS for node in core.walk(part))


def _watches(node: core.Core) -> Iterator[Watch | None]:
    """What each part of a condition watches for; None for a part that may come and go as the text grows."""
    if not _reads_text(node):
        return
    if isinstance(node, core.All | core.AnyOf):
        for operand in node.operands:
            yield from _watches(operand)
    elif isinstance(node, core.Detect) and node.type == t.BOOL and _is_text(node.value):
        yield node.detector
    elif isinstance(node, core.Test) and _is_text(node.left) and isinstance(node.right, core.Const):
        yield _pattern(node)
    else:
        yield None


def _is_text(node: core.Core) -> bool:
    return isinstance(node, core.Load) and node.root == "text" and not node.path


def _pattern(node: core.Test) -> Watch | None:
    assert isinstance(node.right, core.Const)
    if node.op == "finds":
        return ("pattern", str(node.right.value))
    if node.op == "contains" and node.right.type == t.STRING and node.right.value:
        return ("pattern", "".join(map(_escaped, str(node.right.value))))
    return None


def _escaped(character: str) -> str:
    return character if character.isalnum() or character in " _" else f"\\x{{{ord(character):x}}}"
