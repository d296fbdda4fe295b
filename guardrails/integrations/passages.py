"""Passages: what became of calls, results and texts on their way through a session, in a framework's terms.

Takes decisions, and errors where there is none; gives a `Passage` for a call and a `Checked` for a result or text, with the
words for the model. What could not be decided is a refusal like any other.
"""

from __future__ import annotations

from logging import getLogger

from guardrails.errors import EvaluationError, GuardError, Halted
from guardrails.model import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from guardrails.integrations.readings import Reading
    from guardrails.model import Decision

LOG = getLogger("guardrails.integrations")


class Passage:
    """A tool call on its way. `given` are the arguments that the model wrote, `id` is its name in the session,
    `decision` None where guard could not decide, and `text` what the model is told where it is not allowed."""

    __slots__ = ("decision", "given", "id", "text", "tool")

    def __init__(self, tool: str, given: Any, id: str, decision: Decision | None, text: str = "") -> None:
        self.tool = tool
        self.given = given
        self.id = id
        self.decision = decision
        self.text = text

    @property
    def outcome(self) -> str:
        """`allow`, `ask`, `deny` or `halt`."""
        return "deny" if self.decision is None else str(self.decision.outcome.value)

    @property
    def allowed(self) -> bool:
        return self.outcome == "allow"

    @property
    def halted(self) -> bool:
        return self.outcome == "halt"

    @property
    def args(self) -> Any:
        """The arguments that the tool runs with."""
        decision = self.decision
        return decision.payload if decision is not None and decision.transforms else self.given

    @property
    def is_changed(self) -> bool:
        """Whether the tool runs with other arguments than the model wrote."""
        return bool(self.args != self.given)

    @property
    def request(self) -> str:
        """The id of the request that people have to approve; empty where nobody is asked."""
        return (self.decision.request or "") if self.decision is not None and self.outcome == "ask" else ""

    @property
    def question(self) -> dict[str, Any]:
        """What a host shows to whom it asks: as JSON, with the arguments as the policy lets them be shown."""
        return {
            "type": "guard.approval", "request": self.request, "tool": self.tool, "args": self.args,
            "why": self.text,
            "reviewers": sorted({name for each in self._approvals for name in each.reviewers}),
        }  # fmt: skip

    @property
    def _approvals(self) -> tuple[Any, ...]:
        return self.decision.approvals if self.decision is not None else ()

    def raise_if_halted(self) -> None:
        """Raise `Halted` where the session is over."""
        if self.halted and self.decision is not None:
            raise Halted(self.decision)


class Checked:
    """A result or text that was judged. `value` is what goes on: as it was, as the policy changed it, or the reason
    where it is refused."""

    __slots__ = ("decision", "is_changed", "value")

    def __init__(self, decision: Decision | None, value: Any, *, is_changed: bool) -> None:
        self.decision = decision
        self.value = value
        self.is_changed = is_changed

    @property
    def allowed(self) -> bool:
        return self.decision is not None and self.decision.outcome is Outcome.ALLOW

    @property
    def halted(self) -> bool:
        return self.decision is not None and self.decision.outcome is Outcome.HALT

    def raise_if_halted(self) -> None:
        """Raise `Halted` where the session is over."""
        if self.halted and self.decision is not None:
            raise Halted(self.decision)


def arguments_of(args: Any) -> Any:
    """The arguments of a call, which models write as JSON. Raises `EvaluationError`."""
    if args is None or args == "":
        return {}
    if isinstance(args, (str, bytes)):
        from guardrails.json_positions import JsonError
        from guardrails.strict_json import read_json

        try:
            args = read_json(args if isinstance(args, str) else args.decode())
        except (JsonError, UnicodeDecodeError) as error:
            raise EvaluationError(f"its arguments are not JSON: {error}") from None
    if not isinstance(args, dict):
        raise EvaluationError("its arguments are not a JSON object")
    return args


def unjudged(tool: str, given: Any, name: str, error: Exception) -> Passage:
    """The refusal of a call that guard could not decide."""
    return Passage(tool, given, name, None, f"the call of `{tool}` is denied: {told(error)}")


def withheld(error: Exception) -> Checked:
    """What stands for a result or text that guard could not judge."""
    return Checked(None, f"[withheld: {told(error)}]", is_changed=True)


def told(error: Exception) -> str:
    if isinstance(error, GuardError):
        return f"guard could not decide: {error}"
    LOG.error("a check failed", exc_info=error)
    return f"guard could not decide ({type(error).__name__}); see its log"


def passage_of(tool: str, given: Any, name: str, decision: Decision) -> Passage:
    return Passage(tool, given, name, decision, reason_of(decision))


def reason_of(decision: Decision) -> str:
    """What the model is told; empty for an allow, and never for anything else."""
    if decision.outcome is Outcome.ALLOW:
        return ""
    text = decision.message or "The policy does not allow this."
    if decision.outcome is Outcome.ASK and decision.request and decision.request not in text:
        return f"{text} It waits for people under the id {decision.request}; make the same call again once they agreed."
    return text


def still_waiting(passage: Passage, error: Exception) -> Passage:
    why = str(error) if isinstance(error, GuardError) else told(error)
    return Passage(
        passage.tool, passage.given, passage.id, passage.decision,
        f"the call of `{passage.tool}` is not approved: {why}. It waits for people under the id {passage.request}.",
    )  # fmt: skip


def checked_of(decision: Decision, reading: Reading | None, original: Any) -> Checked:
    if decision.outcome is not Outcome.ALLOW:
        return Checked(decision, reason_of(decision), is_changed=True)
    if not decision.transforms:
        return Checked(decision, original, is_changed=False)
    value = reading.written(decision.payload) if reading is not None else decision.payload
    return Checked(decision, value, is_changed=bool(value != original))
