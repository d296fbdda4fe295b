"""A decision as plain JSON data, in one stable shape.

    {"outcome": "deny", "policy": "sha256:...", "message": "...",
     "applied": [{"statement": "refunds.own_customer", "policy": "refunds", "label": "own_customer",
                  "effect": "require", "outcome": "deny", "message": "...", "kept_by_error": false,
                  "span": {"file": "refunds.guard", "line": 12, "column": 3, "end_line": 12, "end_column": 60}}],
     "errors": [{"statement", "kind", "message", "span"}],
     "transforms": [{"statement", "kind", "paths"}], "payload": null,
     "obligations": [{"statement", "kind", "details"}],
     "approvals": [{"statement", "reviewers", "quorum", "within", "otherwise"}],
     "request": null or the id under which people are asked, "approval": null or the id of the one that was used,
     "reviews": ids of the reviews that were queued,
     "denial": null or {"kind", "message", "counterfactual", "retry_after"},
     "shadow": as `applied`, "reservation": null or "...", "labels": ["untrusted"],
     "origins": [{"what", "test", "answer", "span", "parts": [{"text", "weak", "sources": [{"event", "point",
                  "tool", "path", "labels", "words", "exact"}]}]}]}

Every key is always there; but an approval that is good for more than one call has `reuse` as well:
{"calls": 3, "bounds": [{"amount": "args.amount", "most": "200", "unit": "", "per": "each" or "total"}]}.
`payload` replaces the event's own arguments, result or text where `transforms` is not empty; `within` and
`retry_after` are seconds; a span is null where no text of the policy is meant. `reservation` names what limits
and budgets hold for the call, for the event that reports what became of it. `labels` are those that statements
gave to what comes in, `origins` the questions about where a value came from, with the events and words that the
answers rest on (`answer` is null where it could not be known).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from guardrails.model import (
        Applied,
        Approval,
        Decision,
        Denial,
        Failure,
        Obligation,
        Place,
        Reuse,
        Transform,
    )
    from guardrails.provenance.parts import Source
    from guardrails.runtime.provenance import Finding


def decision_as_json(decision: Decision) -> dict[str, Any]:
    """The decision in the shape above, ready for `guardrails.strict_json.write_json`."""
    return {
        "outcome": decision.outcome.value,
        "policy": decision.policy,
        "message": decision.message,
        "applied": [_applied(each) for each in decision.applied],
        "errors": [_failure(each) for each in decision.errors],
        "transforms": [_transform(each) for each in decision.transforms],
        "payload": decision.payload,
        "obligations": [_obligation(each) for each in decision.obligations],
        "approvals": [_approval(each) for each in decision.approvals],
        "request": decision.request,
        "approval": decision.approval,
        "reviews": list(decision.reviews),
        "denial": _denial(decision.denial) if decision.denial else None,
        "shadow": [_applied(each) for each in decision.shadow],
        "reservation": decision.reservation or None,
        "labels": list(decision.labels),
        "origins": [_finding(each) for each in decision.origins],
    }


def _span(place: Place) -> dict[str, Any] | None:
    if not place.line:
        return None
    return {
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "end_line": place.end_line,
        "end_column": place.end_column,
    }


def _applied(applied: Applied) -> dict[str, Any]:
    return {
        "statement": applied.name,
        "policy": applied.policy,
        "label": applied.label,
        "effect": applied.effect,
        "outcome": applied.outcome.value if applied.outcome else None,
        "message": applied.message,
        "kept_by_error": applied.kept_by_error,
        "span": _span(applied.place),
    }


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "statement": failure.statement,
        "kind": failure.kind,
        "message": failure.message,
        "span": _span(failure.place),
    }


def _transform(transform: Transform) -> dict[str, Any]:
    return {"statement": transform.statement, "kind": transform.kind, "paths": list(transform.paths)}


def _obligation(obligation: Obligation) -> dict[str, Any]:
    details = dict(obligation.details)
    return {"statement": obligation.statement, "kind": obligation.kind, "details": details}


def _approval(approval: Approval) -> dict[str, Any]:
    reuse = approval.reuse
    return {
        "statement": approval.statement,
        "reviewers": list(approval.reviewers),
        "quorum": approval.quorum,
        "within": approval.within,
        "otherwise": list(approval.otherwise),
        **({} if reuse is None else {"reuse": _reuse(reuse)}),
    }


def _reuse(reuse: Reuse) -> dict[str, Any]:
    names = ("amount", "most", "unit", "per")
    bounds = [{name: getattr(bound, name) for name in names} for bound in reuse.bounds]
    return {"calls": reuse.calls, "bounds": bounds}


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "what": finding.what or None,
        "test": finding.test,
        "answer": finding.answer,
        "span": _span(finding.place),
        "parts": [
            {"text": part.text, "weak": part.weak, "sources": [_source(each) for each in part.sources]}
            for part in finding.parts
        ],
    }


def _source(source: Source) -> dict[str, Any]:
    return {
        "event": source.event,
        "point": source.point,
        "tool": source.tool,
        "path": source.path,
        "labels": sorted(source.labels),
        "words": source.words,
        "exact": source.exact,
    }


def _denial(denial: Denial) -> dict[str, Any]:
    return {
        "kind": denial.kind,
        "message": denial.message,
        "counterfactual": denial.counterfactual,
        "retry_after": denial.retry_after,
    }
