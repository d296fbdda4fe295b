"""Claude Agent SDK: decisions in the words of Claude Code.

Takes what the policy decided on the parts of a call, a result or a text; gives the JSON that Claude Code takes from a
hook, and from hooks that break. The one idea: the words themselves are those of `guard hook claude-code`, which are
proved against Claude Code; nothing is encoded twice.
"""

from __future__ import annotations

from json import loads
from logging import getLogger

from guardrails.integrations.contract import Moment, Verdict, fitted, withheld
from guardrails.integrations.hosts import claude_code
from guardrails.integrations.judging import RANKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from guardrails.integrations.contract import Call
    from guardrails.integrations.passages import Checked, Passage

CHANGES = ("updatedInput", "updatedToolOutput", "updatedMCPToolOutput")

LOG = getLogger("guardrails.integrations")

# --- decisions as verdicts ---------------------------------------------------------------------


def verdict_of_calls(
    passages: Sequence[Passage], calls: tuple[Call, ...], host: Mapping[str, Any], *, can_ask: bool
) -> Verdict:
    """The strictest decision on any part of a call is the decision on the whole."""
    worst = max(passages, key=lambda passage: RANKS.index(passage.outcome))
    changed = [passage for passage in passages if passage.is_changed]
    payload = None
    if changed and len(calls) == 1:
        payload = calls[0].written_back(changed[0].args, host)
    question = worst.text if can_ask and worst.outcome == "ask" else ""
    return Verdict(worst.outcome, worst.text, changed=bool(changed), payload=payload, question=question)


def verdict_of_checks(checks: list[Checked]) -> Verdict:
    bad = [checked for checked in checks if not checked.allowed]
    if bad:
        worst = max(bad, key=lambda checked: RANKS.index(_outcome(checked)))
        return Verdict(_outcome(worst), str(worst.value))
    changed = [checked for checked in checks if checked.is_changed]
    if len(changed) > 1:
        return Verdict(
            "deny", "The policy changes this result in several ways, which cannot be done at once."
        )
    return Verdict("allow", changed=bool(changed), payload=changed[0].value if changed else None)


def _outcome(checked: Checked) -> str:
    return "deny" if checked.decision is None else str(checked.decision.outcome.value)


def written(moment: Moment, verdict: Verdict) -> dict[str, Any]:
    """A verdict in the host's words."""
    answer = fitted(verdict, moment, claude_code.ABILITIES[moment.point])
    said: dict[str, Any] = loads(claude_code.write(moment, answer).out or "{}")
    return said


def blocked(event: Any, reason: str) -> dict[str, Any]:
    """The answer where nothing could be decided: the call does not run, the text does not go on, the run ends."""
    name = event.get("hook_event_name") if isinstance(event, dict) else None
    stopped: dict[str, Any] = {"continue": False, "stopReason": reason}
    if name == "PreToolUse":
        refusal = {"hookEventName": name, "permissionDecision": "deny", "permissionDecisionReason": reason}
        return {"hookSpecificOutput": refusal}
    if name == "PostToolUse":
        blank = withheld(_moment_of(event), reason)
        return {**stopped, "hookSpecificOutput": {"hookEventName": name, "updatedToolOutput": blank}}
    return {**stopped, "decision": "block", "reason": reason} if name == "UserPromptSubmit" else stopped


def _moment_of(event: dict[str, Any]) -> Moment:
    return Moment("post_tool", "PostToolUse", "", payload=event.get("tool_response"), kept=claude_code.KEPT)


# --- hooks of the application ----------------------------------------------------------------------


def beside(callback: Any) -> Any:
    """A hook of the application beside guard's: it may refuse, and may not change what guard has judged."""

    async def kept(event: Any, tool_use_id: str | None, context: Any) -> Any:
        said = await callback(event, tool_use_id, context)
        return _unchanging(event, said) if isinstance(said, dict) else said

    return kept


def _unchanging(event: Any, said: dict[str, Any]) -> dict[str, Any]:
    specific = said.get("hookSpecificOutput")
    if not isinstance(specific, dict):
        return said
    decision = specific.get("decision")
    inner = decision if isinstance(decision, dict) else {}
    found = [key for key in CHANGES if key in specific or key in inner]
    if not found and specific.get("permissionDecision") != "defer":
        return said
    reason = f"A hook of the application says `{(found or ['defer'])[0]}`, and guard could not judge what comes of it."
    LOG.error(reason)
    return blocked(event, reason)


__all__ = ["beside", "blocked", "verdict_of_calls", "verdict_of_checks", "written"]
