"""Content: what of an event may be written down.

The rule: what the policy made of it, never what it was before; and nothing at all where the policy was not asked
or could not finish, because then nobody took out what it would have taken out.

    no transforms                          what came in
    transforms                             the payload of the decision
    a transform that failed                withheld
    tokens that were turned back           what came in, with the tokens; withheld where more was changed as well
    halted before, malformed, changed tool withheld
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from guardrails.audit.record import as_json
from guardrails.model import Outcome

if TYPE_CHECKING:
    from guardrails.model import Decision
    from guardrails.observing import Check

MOST = 1 << 20
"""Bytes of a body; of a larger one only its digest is kept."""

_MOST_WORDS = 200

ALLOW = Outcome.ALLOW


class Content:
    """What of one event is written: the JSON of its `body`, or why it is withheld; and the JSON of what it was
    before the policy changed it, of which only a digest is written."""

    __slots__ = ("body", "original", "withheld")

    def __init__(self, body: bytes | None, original: bytes, withheld: str = "") -> None:
        self.body = body
        self.original = original
        self.withheld = withheld

    @property
    def size(self) -> int:
        return len(self.original) + (len(self.body) if self.body else 0)


def content_of(check: Check, decision: Decision) -> Content:
    """The content of a check; taken at once, because the host may change its objects afterwards."""
    original = as_json(check.payload)
    if (
        decision._denial is None
        and decision.outcome is ALLOW
        and not (decision.transforms or decision.parts or check.halted or check.streamed)
        and len(original) <= MOST
    ):  # most of them
        return Content(original, original)
    if check.streamed == "begin":
        return Content(None, b"")
    if check.streamed == "end":
        return _bounded(original, original)
    if check.halted or not _is_judged(decision):
        return Content(None, original, "the policy was not asked")
    if not decision.transforms:
        return _bounded(original, original)
    return _changed(check, decision, original)


def _changed(check: Check, decision: Decision, original: bytes) -> Content:
    kinds = [transform.kind for transform in decision.transforms]
    if "reveal" in kinds or _reveals(check):
        if kinds == ["reveal"]:
            return _bounded(original, original)
        return Content(None, original, "it holds values that tokens stand for")
    if decision.payload is None:
        return Content(None, original, "what the policy takes out could not be taken out")
    return _bounded(as_json(decision.payload), original)


def _bounded(body: bytes, original: bytes) -> Content:
    if len(body) > MOST:
        return Content(None, original, f"it has more than {MOST:,} bytes")
    return Content(body, original)


def _reveals(check: Check) -> bool:
    """Whether a policy turns tokens back in this event, so that a change was made to what they stand for."""
    if check.point not in ("call", "output"):
        return False
    tool = check.tool if check.point == "call" else None
    heads = [guard.engine.program.head for guard in check.guards]
    return any(revealed == tool for head in heads for revealed, _ in head["reveals"])


def told_of_parts(check: Check, decision: Decision) -> list[dict[str, Any]]:
    """What each of the sessions that a sub-agent's event concerns decided of it. Where only one has a policy, it
    is the last one that everybody answers to."""
    if check.halted or not check.above:
        return []
    return [_part(session, part) for session, part in decision.parts or ((check.above[-1], decision),)]


def _part(session: str, decision: Decision) -> dict[str, Any]:
    names = [each.name for each in decision.applied]
    reasons = [each.name for each in decision.applied if each.outcome is decision.outcome]
    told: dict[str, Any] = {"session": session}
    if not _is_grant(decision):
        told["policy"] = decision.policy
    told |= {"outcome": decision.outcome.value, "statements": names, "reasons": reasons}
    return told if _is_grant(decision) or _is_asked(decision) else told | {"unasked": True}


def _is_judged(decision: Decision) -> bool:
    """Whether all policies that hold were asked, so that all that they take out was taken out."""
    if not decision.parts:
        return _is_asked(decision)
    return all(_is_asked(part) for _, part in decision.parts if not _is_grant(part))


def _is_grant(decision: Decision) -> bool:
    """Whether the delegation itself refused, which is no policy."""
    return any(each.effect == "delegation" and each.policy == "guard" for each in decision.applied)


def _is_asked(decision: Decision) -> bool:
    """Whether statements of a policy made this decision, and nothing that came before them."""
    denial = decision._denial
    if denial is None:
        return decision.outcome is ALLOW
    if denial.__class__ is tuple:
        return len(denial) < 3 or denial[2] is not None
    # A limit, a breaker or a person refused what the policy had judged, with its transforms.
    return any(applied.policy != "guard" for applied in decision.applied)


# --- messages ----------------------------------------------------------------------------------

_QUOTED = re.compile(r"`[^`]*`|\"[^\"]*\"|'[^']*'|[‘“«][^’”»]*[’”»]")
_WORD = re.compile(r"[^\s.,;:()\[\]{}]+")
_MESSAGES = """
    a an and are as at be been beyond by can cannot could different does expected failed false field found has have
    hour in is it length list long longer malformed map match matches may minute missing more name names negative no
    not nothing null number object of on one only or order out path policy read second seconds set short string take
    text than that the there they this time to too took true twice type unknown url value values was were which with
    without you
"""
_STANDING = frozenset(_MESSAGES.split())
"""The words that messages are made of."""


def told_safely(message: str, original: bytes) -> str:
    """An error message without anything that it quotes of the event: what stands in quotes, what has digits
    in it, and every word that the event has as well (the words that messages are made of stay)."""
    heard = original.decode("utf-8", "replace").casefold()
    plain = _QUOTED.sub("…", message[:2_000])
    words = list(_WORD.finditer(plain))[:_MOST_WORDS]
    cut = plain[: words[-1].end()] if words else ""
    for word in reversed(words):
        if not _is_safe(word.group(), heard):
            cut = cut[: word.start()] + "…" + cut[word.end() :]
    return re.sub(r"…(?:[\s…]*…)?", "…", cut)


def _is_safe(word: str, heard: str) -> bool:
    plain = word.casefold()
    if plain in _STANDING or word == "…":
        return True
    return not any(char.isdigit() for char in plain) and plain not in heard


def facts_of_usage(usage: Any) -> dict[str, Any]:
    """What a usage report says, in numbers and names."""
    found: dict[str, Any] = {}
    for name in ("model", "tool", "input_tokens", "cached_tokens", "output_tokens", "tool_time", "cost"):
        value = getattr(usage, name, None)
        if value:
            found[name] = " ".join(map(str, value)) if isinstance(value, tuple) else _number(value)
    return found


def _number(value: Any) -> Any:
    return value if isinstance(value, int | str) else str(value)
