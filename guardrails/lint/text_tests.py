"""Tests of texts: every way in which a policy looks at a string, as one kind of thing.

Takes a checked expression, gives what is looked at, how, and for which constant. What a text holds (a path, a
URL, SQL) is told by its type or else by the name of its field; that is how people read it, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from guardrails.language import core
from guardrails.language import types as t
from guardrails.lint.policy import Policy, Use
from guardrails.lint.uses import Role

_KINDS: Final = {
    "path": "path paths file files filename filepath folder dir directory cwd src dst destination",
    "url": "url urls uri link href endpoint website page",
    "email": "to cc bcc email emails mail recipient recipients sender from attendee attendees participants",
    "host": "host hostname domain server",
    "sql": "sql query statement",
    "shell": "command cmd shell script bash",
    "prose": "text body content message comment description note notes subject prompt title summary",
}
_KIND_OF: Final = {word: kind for kind, words in _KINDS.items() for word in words.split()}
_FUNCTIONS: Final = frozenset({"starts_with", "ends_with"})
_FOLDING: Final = frozenset({"lower", "upper"})


@dataclass(frozen=True, slots=True)
class TextTest:
    """`op`: matches, finds (a pattern anywhere), like, contains, starts_with or ends_with. `kind`: path, url,
    email, host, sql, shell, prose or empty. `canonical`: the text is a typed value's own, in one spelling.
    `folded`: lower, upper or empty."""

    use: Use
    op: str
    subject: core.Core
    constant: core.Const
    kind: str
    canonical: bool
    folded: str

    @property
    def policy(self) -> Policy:
        return self.use.policy

    @property
    def role(self) -> Role:
        return self.use.role

    @property
    def node(self) -> core.Core:
        return self.use.node

    @property
    def value(self) -> str:
        return str(self.constant.value)

    @property
    def written(self) -> str:
        """The subject as the policy writes it."""
        return self.policy.source(self.subject.span) or "..."


def text_test_of(use: Use) -> TextTest | None:
    """The expression as a test of a text against a constant, if it is one."""
    node = use.node
    if isinstance(node, core.Test) and node.op != "in" and node.op != "within":
        return _made(use, node.op, node.left, node.right)
    if isinstance(node, core.Invoke) and node.function in _FUNCTIONS and len(node.arguments) == 2:
        return _made(use, node.function, *node.arguments)
    return None


def _made(use: Use, op: str, subject: core.Core, constant: core.Core) -> TextTest | None:
    if not isinstance(constant, core.Const) or not isinstance(constant.value, str):
        return None
    inner, folded = _unfolded(subject)
    text = _unwrapped(inner)
    if isinstance(text.type, t.ListOf | t.SetOf | t.MapOf):
        return None
    return TextTest(use, op, text, constant, _kind(text), inner is not text, folded)


def _unfolded(node: core.Core) -> tuple[core.Core, str]:
    """Without `lower(...)`, `upper(...)` and `trim(...)`, and which of the first two there was."""
    folded = ""
    while isinstance(node, core.Invoke) and node.function in (*_FOLDING, "trim"):
        folded = node.function if node.function in _FOLDING else folded
        node = node.arguments[0]
    return node, folded


def _unwrapped(node: core.Core) -> core.Core:
    """The value whose canonical text is looked at; the node itself where it is a plain text."""
    while isinstance(node, core.Property) and node.name == "text":
        node = node.base
    return node


def _kind(node: core.Core) -> str:
    if node.type in t.CANONICAL:
        return str(node.type)
    if isinstance(node, core.Load):
        return kind_of_name((node.path or (node.root,))[-1])
    if isinstance(node, core.Var):
        return kind_of_name(node.name.rpartition("_")[0])
    return kind_of_name(node.name) if isinstance(node, core.Field) else ""


def kind_of_name(name: str) -> str:
    """What a field of this name holds, by its last word that tells."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]
    return next((_KIND_OF[word] for word in reversed(words) if word in _KIND_OF), "")
