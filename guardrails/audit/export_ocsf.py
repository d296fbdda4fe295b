"""OCSF: records as events of the Open Cybersecurity Schema Framework, for a SIEM.

Takes a record, gives an event of version 1.8.0. Decisions, and what the log says of itself, are API Activity
(6003) with the profiles `security_control` and `trace`: what was asked is the operation, and what was decided is the
action and disposition. A halt is a Detection Finding (2004), because somebody has to look at it.

Sealed bodies stay sealed: an event holds names, pseudonyms and digests. What has no place in the schema stands
under `unmapped`, so nothing of a record's own words is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Record = Mapping[str, Any]

SCHEMA = "1.8.0"
API_ACTIVITY, DETECTION_FINDING = 6003, 2004
PRODUCT = {"name": "Guard", "vendor_name": "guard-policy", "version": VERSION}

SEVERITY = {"allow": (1, "Informational"), "ask": (2, "Low"), "deny": (3, "Medium"), "halt": (4, "High")}
ACTION = {
    "allow": (1, "Allowed"),
    "ask": (99, "Approval required"),
    "deny": (2, "Denied"),
    "halt": (2, "Denied"),
}
DISPOSITION = {
    "allow": (1, "Allowed"),
    "ask": (14, "Delayed"),
    "deny": (2, "Blocked"),
    "halt": (24, "Access Revoked"),
}
MODIFIED, REDACTED = (4, "Modified"), (99, "Modified by the policy")

ACTIVITY = {"opened": (1, "Create"), "erased": (4, "Delete"), "repaired": (3, "Update")}
"""Of records of the log about itself. What a tool does to data is not known here: that is `Other`."""

UNMAPPED = (
    "kind", "ref", "point", "status", "statements", "shadow", "errors", "transforms", "obligations", "reservation",
    "approval", "request", "answers_to", "parts", "labels", "origins", "facts", "digest", "cleaned", "chain",
)  # fmt: skip


def ocsf_events(records: Iterable[Record]) -> Iterator[dict[str, Any]]:
    """One event for each record."""
    return map(ocsf_event, records)


def ocsf_event(record: Record) -> dict[str, Any]:
    """The event of a record."""
    is_finding = record["kind"] == "halt"
    event = _finding(record) if is_finding else _activity(record)
    return event | _common(record) | {"unmapped": _unmapped(record)}


def _common(record: Record) -> dict[str, Any]:
    severity, name = _severity(record)
    common: dict[str, Any] = {
        "time": record["us"] // 1_000,
        "severity_id": severity,
        "severity": name,
        "metadata": _metadata(record),
        "message": _message(record),
    }
    reasons = record.get("reasons")
    return common | ({"status_detail": ", ".join(reasons)} if reasons else {})


def _severity(record: Record) -> tuple[int, str]:
    halts = record["kind"] == "halt" and "halt" in (record.get("facts") or {})
    return SEVERITY["halt"] if halts else SEVERITY.get(record.get("outcome", "allow"), SEVERITY["allow"])


def _metadata(record: Record) -> dict[str, Any]:
    found: dict[str, Any] = {
        "version": SCHEMA,
        "product": PRODUCT | ({"version": record["engine"]} if record.get("engine") else {}),
        "profiles": ["security_control"] + ([] if record["kind"] == "halt" else ["trace"]),
        "event_code": record["kind"],
        "original_time": record["at"],
        "sequence": record["seq"],
    }
    if record.get("id"):
        found["uid"] = found["original_event_uid"] = record["id"]
    if record.get("session"):
        found["correlation_uid"] = record["session"]
    return found


def _activity(record: Record) -> dict[str, Any]:
    activity, name = ACTIVITY.get(record["kind"], (99, _operation(record)))
    outcome = record.get("outcome")
    event: dict[str, Any] = {
        "category_uid": 6,
        "category_name": "Application Activity",
        "class_uid": API_ACTIVITY,
        "class_name": "API Activity",
        "activity_id": activity,
        "activity_name": name,
        "type_uid": API_ACTIVITY * 100 + activity,
        "actor": _actor(record),
        "api": _api(record),
        "src_endpoint": {"name": record.get("agent") or "agent"},
    }
    if outcome:
        event |= _control(record, outcome) | _status(outcome)
    elif record.get("status"):
        failed = record["status"] == "failed"
        event |= {"status_id": 2 if failed else 1, "status": "Failure" if failed else "Success"}
    if record.get("trace"):
        event["trace"] = _trace(record)
    return event


def _actor(record: Record) -> dict[str, Any]:
    actor: dict[str, Any] = {"app_name": record.get("agent") or "guard"}
    if record.get("principal"):
        actor["user"] = {"uid": record["principal"]}
    if record.get("session"):
        actor["session"] = {"uid": record["session"]}
    return actor


def _api(record: Record) -> dict[str, Any]:
    api: dict[str, Any] = {"operation": _operation(record)}
    request = record.get("call_id") or record.get("id")
    if request:
        api["request"] = {"uid": request}
    if record.get("outcome"):
        api["response"] = {"message": record["outcome"]}
    return api


def _operation(record: Record) -> str:
    """What was asked: the tool, or the text that was checked, or what the log did."""
    return str(record.get("tool") or record.get("point") or f"audit {record['kind']}")


def _control(record: Record, outcome: str) -> dict[str, Any]:
    action, disposition = ACTION.get(outcome, (0, "Unknown")), DISPOSITION.get(outcome, (0, "Unknown"))
    if outcome == "allow" and record.get("transforms"):
        action, disposition = MODIFIED, REDACTED
    control: dict[str, Any] = {
        "action_id": action[0],
        "action": action[1],
        "disposition_id": disposition[0],
        "disposition": disposition[1],
        "is_alert": outcome in ("deny", "halt"),
    }
    if record.get("policy"):
        control["policy"] = {"uid": record["policy"], "is_applied": True}
    return control


def _status(outcome: str) -> dict[str, Any]:
    found = {"allow": (1, "Success"), "ask": (99, "Pending")}.get(outcome, (2, "Failure"))
    return {"status_id": found[0], "status": found[1], "status_code": outcome}


def _trace(record: Record) -> dict[str, Any]:
    end = record["us"] // 1_000
    trace: dict[str, Any] = {"uid": record["trace"]}
    if record.get("span"):
        begin = (record["us"] - record.get("latency_us", 0)) // 1_000
        trace["span"] = {
            "uid": record["span"],
            "start_time": begin,
            "end_time": end,
            "operation": _operation(record),
        }
    return trace


def _finding(record: Record) -> dict[str, Any]:
    facts = record.get("facts") or {}
    resumed = "resume" in facts
    activity = (3, "Close") if resumed else (1, "Create")
    scope = str(facts.get("resume" if resumed else "halt", "all"))
    return {
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": DETECTION_FINDING,
        "class_name": "Detection Finding",
        "activity_id": activity[0],
        "activity_name": activity[1],
        "type_uid": DETECTION_FINDING * 100 + activity[0],
        "finding_info": {"uid": scope, "title": f"{'resumed' if resumed else 'halted'}: {scope}"},
        "status_id": 4 if resumed else 1,
        "status": "Resolved" if resumed else "New",
        "is_alert": not resumed,
    }


def _message(record: Record) -> str:
    if record["kind"] == "halt":
        return str(_finding(record)["finding_info"]["title"])
    outcome = record.get("outcome") or record.get("status")
    return f"{_operation(record)}: {outcome}" if outcome else _operation(record)


def _unmapped(record: Record) -> dict[str, Any]:
    return {name: record[name] for name in UNMAPPED if name in record}
