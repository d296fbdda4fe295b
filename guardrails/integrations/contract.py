"""The contract between policies and hosts: points, what a host can do at them, and how decisions are fitted to that.

Takes a `Verdict` (the decision of the policy) and the abilities of a host at a point; gives an `Answer`, which
the host's own module puts into its words. The one idea is `fitted`: where an ability is missing, the next stricter
form is taken, never a looser one.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

POINTS = (
    "session_start", "input", "pre_model", "post_model", "pre_tool", "post_tool", "output", "session_end",
)  # fmt: skip
"""Where a host may ask, in the order in which an agent passes them."""

ABILITIES = {
    "refuse": "keep the text or call from going on",
    "change": "let it go on with other arguments, or another result of the same shape",
    "replace": "give the model a text instead of the result",
    "ask": "ask the person in front of it, and wait",
    "retry": "let the model write another answer",
    "stop": "end the agent's run",
}
"""What a host may be able to do at a point."""

FORMS = ("go", "change", "ask", "refuse", "replace", "retry", "stop", "seal")
"""What an answer may be. `seal`: nothing can be done here, so no later call of the session is allowed."""


class Call:
    """A tool call in the words that all hosts share. `keys` says which field of the host's input an argument
    came from, for those that can be written back as they are."""

    __slots__ = ("args", "keys", "tool")

    def __init__(self, tool: str, args: dict[str, Any], keys: Mapping[str, str] | None = None) -> None:
        self.tool = tool
        self.args = args
        self.keys = keys or {}

    def written_back(self, changed: Mapping[str, Any], host: Mapping[str, Any]) -> dict[str, Any] | None:
        """The host's own input with the arguments as a policy changed them; None where that cannot be said."""
        if changed.keys() != self.args.keys():
            return None
        differing = [name for name in changed if changed[name] != self.args[name]]
        if any(name not in self.keys for name in differing):
            return None
        return {**host, **{self.keys[name]: changed[name] for name in differing}}


NOTHING_KEPT: Mapping[str, frozenset[str]] = {}
OWN = "(of the call)"
"""Among the words that are kept of a field: whatever stands in the arguments of the call."""


class Moment:
    """What a host told: which point, in which session, about which call or text.

    `calls` are the calls that one call of the host means (a patch touches several files), `payload` the result or
    text, `host_input` the host's own arguments. `failed`: the call ran and failed. `last`: the model was sent
    back already. `kept` are words that say what a result is, by the fields that they stand in: those are not withheld.
    """

    __slots__ = (
        "call_id", "calls", "event", "failed", "host_input", "kept", "last", "payload", "point", "session",
    )  # fmt: skip

    def __init__(
        self,
        point: str,
        event: str,
        session: str,
        *,
        call_id: str | None = None,
        calls: tuple[Call, ...] = (),
        payload: Any = None,
        host_input: Any = None,
        failed: bool = False,
        last: bool = False,
        kept: Mapping[str, frozenset[str]] = NOTHING_KEPT,
    ) -> None:
        self.point = point
        self.event = event
        self.session = session
        self.call_id = call_id
        self.calls = calls
        self.payload = payload
        self.host_input = host_input
        self.failed = failed
        self.last = last
        self.kept = kept


class Verdict:
    """A decision as far as hosts are concerned: the outcome, its reason, what the payload becomes (`changed`
    when it becomes something else; None there: it cannot be written in the host's shape), and the `question` to
    the person at the host; empty where that person is not the one to answer."""

    __slots__ = ("changed", "outcome", "payload", "question", "reason")

    def __init__(
        self,
        outcome: str,
        reason: str = "",
        *,
        changed: bool = False,
        payload: Any = None,
        question: str = "",
    ) -> None:
        self.outcome = outcome
        self.reason = reason
        self.changed = changed
        self.payload = payload
        self.question = question


class Answer:
    """What a host shall do: one of FORMS, why, and the changed arguments or result where there are any."""

    __slots__ = ("form", "reason", "value")

    def __init__(self, form: str, reason: str = "", value: Any = None) -> None:
        self.form = form
        self.reason = reason
        self.value = value


GO = Answer("go")


def fitted(verdict: Verdict, moment: Moment, able: frozenset[str]) -> Answer:
    """The answer that a host can give: the decision, or the next stricter thing where it cannot express that."""
    if verdict.outcome == "allow" and not verdict.changed:
        return GO
    return _FITTERS[moment.point](verdict, moment, able)


def _call(verdict: Verdict, moment: Moment, able: frozenset[str]) -> Answer:
    lost = verdict.changed and (verdict.payload is None or "change" not in able)
    if verdict.outcome == "allow" and lost:
        return _refused("The policy changes the arguments of this call, which cannot be done here.", able)
    if verdict.outcome == "allow":
        return Answer("change", verdict.reason, verdict.payload)
    if verdict.outcome == "ask" and verdict.question and "ask" in able and not lost:
        return Answer("ask", verdict.question, verdict.payload)
    if verdict.outcome == "halt" and "stop" in able:
        return Answer("stop", verdict.reason)
    return _refused(verdict.reason, able)


def _refused(reason: str, able: frozenset[str]) -> Answer:
    return Answer("refuse" if "refuse" in able else "seal", reason)


def _result(verdict: Verdict, moment: Moment, able: frozenset[str]) -> Answer:
    if verdict.outcome == "halt" and "stop" in able:
        return Answer("stop", verdict.reason, withheld(moment, verdict.reason) if "change" in able else None)
    if verdict.outcome == "allow" and "change" in able:
        return Answer("change", verdict.reason, verdict.payload)
    if verdict.outcome == "allow" and "replace" in able:
        return Answer("replace", _as_text(verdict.payload))
    if verdict.outcome != "allow" and "change" in able:
        return Answer("change", verdict.reason, withheld(moment, verdict.reason))
    if verdict.outcome != "allow" and "replace" in able:
        return Answer("replace", verdict.reason)
    reason = verdict.reason or "A result had to be redacted."
    return Answer("seal", f"{reason} This host has shown it to the model, so the session ends here.")


def _input(verdict: Verdict, moment: Moment, able: frozenset[str]) -> Answer:
    if verdict.outcome == "allow" and "change" in able:
        return Answer("change", verdict.reason, verdict.payload)
    if verdict.outcome == "halt" and "stop" in able:
        return Answer("stop", verdict.reason)
    reason = (
        verdict.reason or "This text holds what the policy redacts; please take it out and send it again."
    )
    return _refused(reason, able)


def _output(verdict: Verdict, moment: Moment, able: frozenset[str]) -> Answer:
    reason = verdict.reason or (
        "This answer holds what the policy redacts (personal data, secrets or the like); write it again without."
    )
    if verdict.outcome != "halt" and not moment.last and "retry" in able:
        return Answer("retry", reason)
    return Answer("stop" if "stop" in able else "seal", reason)


_FITTERS = {"pre_tool": _call, "post_tool": _result, "input": _input, "output": _output}


def withheld(moment: Moment, reason: str) -> Any:
    """The result in its own shape, with every text and number in it taken out."""
    said: list[str] = []

    def blank(value: Any, name: str) -> Any:
        if value.__class__ is str and not _is_kept(value, moment, name):
            said.append("")
            return f"[withheld: {reason}]" if len(said) == 1 else ""
        if value.__class__ is dict:
            return {key: blank(part, key) for key, part in value.items()}
        if value.__class__ is list:
            return [blank(part, name) for part in value]
        return 0 if value.__class__ in (int, float) else value

    return blank(moment.payload, "")


def _is_kept(text: str, moment: Moment, name: str) -> bool:
    words = moment.kept.get(name, ())
    given = moment.host_input
    return text in words or (OWN in words and given.__class__ is dict and text in given.values())


def _as_text(payload: Any) -> str:
    """A result as the one text that takes its place; never empty, because some hosts pass over an empty one."""
    from guardrails.strict_json import write_json

    text = payload if payload.__class__ is str else write_json(payload)
    return text if text.strip() else "[redacted]"
