"""The families of rules. Importing this package enters all of them in the registry."""

from __future__ import annotations

from guardrails.lint import suppressions
from guardrails.lint.rules import (
    amounts,
    approvals,
    conflicts,
    content,
    dead,
    grants,
    names,
    origins,
    patterns,
    structure,
    texts,
    thresholds,
    tools,
    wording,
)

FAMILIES = (
    dead, conflicts, thresholds, approvals, grants, patterns, texts, names, tools, structure, wording, amounts, content,
    origins, suppressions,
)  # fmt: skip
