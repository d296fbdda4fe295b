"""Corrections as tests: a denied request or a reviewed event becomes a case of a test file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from guardrails.approvals.request import Request
from guardrails.testing.writing import case_text, flow

HEAD = """\
# What people corrected, as tests. Arguments are as people were shown them: what a policy redacts
# is redacted here too, so such a case may need the original.
"""


def test_file(requests: Iterable[Request], paths: Sequence[str]) -> str:
    """A test file with a case for each; without `paths` whoever keeps it names the policy."""
    found = list(requests)
    policy = flow(list(paths) if len(paths) > 1 else paths[0] if paths else "policy.guard")
    head = f"{HEAD}policy: {policy}\n\ncases:"
    if not found:
        return f"{head} []\n"
    return f"{head}\n" + "\n".join(case_text(_case(each), note=_note(each)) for each in found)


def _case(request: Request) -> dict[str, Any]:
    subject = request.subject
    case: dict[str, Any] = {"name": f"{subject.tool or subject.point} {request.id[:10]}"}
    if subject.point == "call":
        case |= {"call": subject.tool, "args": subject.args}
    elif subject.point == "result":
        case |= {"result": subject.tool, "value": subject.args}
    else:
        case |= {subject.point: subject.args}
    for name in ("principal", "agent"):
        if getattr(subject, name) is not None:
            case[name] = {"id": getattr(subject, name)}
    return case | {"expect": _expected(request)}


def _expected(request: Request) -> str:
    """What should have come out: a review that was upheld confirms what did, all else should have been denied."""
    return request.outcome if request.state == "upheld" else "deny"


def _note(request: Request) -> str:
    answer = request.answers[-1] if request.answers else None
    words = f"{answer.by} said {answer.verdict}" if answer else request.state
    reason = f": {answer.reason}" if answer and answer.reason else ""
    return " ".join(f"{words}{reason}".split())
