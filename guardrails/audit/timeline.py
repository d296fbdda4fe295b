"""Time lines: the records of a session, a trace or a decision as a person reads them after an incident.

Takes records in order, gives lines of text: a head that says who and what in numbers, then one line for each
event with the time since the first, its outcome and the statements that decided; errors, changes and what became
of a call stand below it. Everything that came from outside is printed so that it cannot act on a terminal.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    Record = Mapping[str, Any]

LONGEST = 600
"""Characters of a body that are shown."""

INDENT = " " * 28
LOUD = ("deny", "halt")


def timeline(
    records: Sequence[Record], reveal: Callable[[Record], dict[str, Any] | None] | None = None
) -> Iterator[str]:
    """The lines. `reveal` opens bodies, where somebody may see them."""
    if not records:
        return
    yield from _head(records)
    yield ""
    begun = records[0]["us"]
    known = {record["id"]: record for record in records if record.get("id")}
    for record in records:
        yield _line(record, begun, known)
        yield from (f"{INDENT}{plain(text)}" for text in _details(record))
        body = reveal(record) if reveal is not None else None
        if body:
            yield f"{INDENT}{plain(_shown(body))}"


# --- the head ----------------------------------------------------------------------------------


def _head(records: Sequence[Record]) -> Iterator[str]:
    for name, field in (
        ("session", "session"), ("trace", "trace"), ("principal", "principal"), ("agent", "agent"), ("policy", "policy"),
    ):  # fmt: skip
        found = list(dict.fromkeys(str(record[field]) for record in records if record.get(field)))
        if found:
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""
            yield f"{name:<10}{plain(', '.join(found[:3]))}{more}"
    first, last = records[0], records[-1]
    yield f"{'time':<10}{first['at']} to {last['at']} ({_span(last['us'] - first['us'])})"
    yield f"{'records':<10}{len(records)}: {_tally(records)}"


def _tally(records: Iterable[Record]) -> str:
    counts = Counter(
        f"{record['point']} {record['outcome']}"
        if record.get("outcome") and record.get("point")
        else str(record["kind"])
        for record in records
    )
    return plain(", ".join(f"{number} {name}" for name, number in sorted(counts.items())))


# --- one record --------------------------------------------------------------------------------


def _line(record: Record, begun: int, known: Mapping[str, Record]) -> str:
    clock = str(record["at"])[11:23]
    since = f"+{_span(record['us'] - begun)}"
    return f"{clock}  {since:>10}    {plain(_said(record, known))}".rstrip()


def _said(record: Record, known: Mapping[str, Record]) -> str:
    """One event in words."""
    kind, outcome = record["kind"], record.get("outcome")
    if kind == "outcome" and not outcome:
        return _became(record, known)
    if outcome:
        return _decided(record)
    facts = record.get("facts")
    if kind == "approval" and isinstance(facts, dict) and "what" in facts:
        return _answered(record, facts)
    return f"{kind}{f': {_facts(facts)}' if facts else ''}"


def _answered(record: Record, facts: dict[str, Any]) -> str:
    """What people, or the time, did to a request."""
    what, by = str(facts["what"]), facts.get("by")
    about = f"{record.get('request', '')[:10]} ({record.get('tool') or record.get('point') or 'a text'})"
    if what == "asked":
        return f"  request {about}: {_names(facts.get('of'))} asked"
    if by is None:
        whom = (
            f" to {_names(facts['to'])}" if facts.get("to") else f", {facts['why']}" if "why" in facts else ""
        )
        return f"  request {about}: {what}{whom}"
    if what == "not counted":
        return f"  request {about}: {facts.get('verdict')} by {by} did not count, {facts.get('why')}"
    unread = "" if facts.get("read") else ", unread"
    others = f", with {facts['together'] - 1} more" if facts.get("together", 1) > 1 else ""
    far = f", good for {facts['good for']}" if "good for" in facts else ""
    return f"  request {about}: {what} by {by}, now {facts.get('state')}{far}{unread}{others}"


def _names(names: Any) -> str:
    return " and ".join(map(str, names)) if isinstance(names, list) else str(names)


def _decided(record: Record) -> str:
    outcome = record["outcome"]
    what = " ".join(filter(None, [record.get("point", record["kind"]), record.get("tool")]))
    call = f" ({record['call_id']})" if record.get("call_id") else ""
    verdict = outcome.upper() if outcome in LOUD else outcome
    reasons = record.get("reasons") or []
    by = f" by {', '.join(reasons)}" if reasons else " by default" if outcome != "allow" else ""
    took = f", {_span(record['latency_us'])}" if record.get("latency_us") is not None else ""
    above = record.get("answers_to")
    for_whom = f" [{record.get('session')}, for {' for '.join(above)}]" if above else ""
    status = f" [{record['status']}]" if record.get("status") else ""
    facts = f", {_facts(record['facts'])}" if record.get("facts") else ""
    return f"{what}{call}{for_whom}{status}: {verdict}{by}{facts}{took}"


def _became(record: Record, known: Mapping[str, Record]) -> str:
    call = known.get(record.get("ref", ""), {})
    tool = record.get("tool") or call.get("tool") or "a call"
    facts = record.get("facts")
    return f"  {tool}: {record.get('status', 'done')}{f', {_facts(facts)}' if facts else ''}"


def _details(record: Record) -> Iterator[str]:
    for error in record.get("errors") or ():
        yield f"error in {error.get('statement')}: {error.get('message') or error.get('kind')}"
    if record.get("parts") and len(record["parts"]) + len(record.get("answers_to") or ()) > 1:
        yield from map(_part, record["parts"])
    for change in record.get("transforms") or ():
        places = ", ".join(change.get("paths") or ())
        yield f"changed by {change.get('statement')}: {change.get('kind')}{f' at {places}' if places else ''}"
    for owed in record.get("obligations") or ():
        yield f"owed by {owed.get('statement')}: {owed.get('kind')}"
    if record.get("shadow"):
        yield f"in shadow: {', '.join(record['shadow'])}"
    if record.get("approval"):
        yield f"with approval {record['approval']}"
    if record.get("request") and record["kind"] != "approval":
        yield f"asked by request {record['request']}"
    if record.get("labels"):
        yield f"labelled {', '.join(record['labels'])}"
    yield from map(_origin, record.get("origins") or ())
    if record.get("cleaned"):
        yield f"{record['cleaned']} secrets were taken out before it was written"


def _part(part: Record) -> str:
    """What one of those decided whom a sub-agent's event concerned."""
    if part.get("unasked"):
        return f"policy of {part.get('session')}: not asked"
    whose = "policy" if part.get("policy") else "delegation"
    reasons = part.get("reasons") or []
    by = f" by {', '.join(reasons)}" if reasons else " by default" if part.get("outcome") != "allow" else ""
    digest = f" ({str(part['policy'])[:19]})" if part.get("policy") else ""
    return f"{whose} of {part.get('session')}{digest}: {part.get('outcome')}{by}"


def _origin(found: Record) -> str:
    answers: dict[Any, str] = {True: "yes", False: "no"}
    answer = answers.get(found.get("answer"), "not known")
    events = ", ".join(map(str, found.get("events") or ()))
    rests = f", by event {events} of the session" if events else ""
    return f"origin of {found.get('what') or 'the context'} {found.get('test')}: {answer}{rests}"


def _facts(facts: Any) -> str:
    if not isinstance(facts, dict):
        return _shown(facts)
    return ", ".join(
        f"{name} {value if isinstance(value, str) else _shown(value)}" for name, value in facts.items()
    )


def _shown(value: Any) -> str:
    from json import dumps

    text = dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"


def _span(us: int) -> str:
    """A stretch of time, short enough for a column."""
    if us < 1_000:
        return f"{us}µs"
    if us < 1_000_000:
        return f"{us / 1_000:.1f}ms"
    seconds = us // 1_000_000
    if seconds < 60:
        return f"{us / 1_000_000:.1f}s"
    hours, rest = divmod(seconds, 3_600)
    return f"{hours}h{rest // 60:02d}m" if hours else f"{rest // 60}m{rest % 60:02d}s"


def plain(text: str) -> str:
    """Text that cannot act on a terminal."""
    return (
        text if text.isprintable() else "".join(c if c.isprintable() else f"<U+{ord(c):04X}>" for c in text)
    )
