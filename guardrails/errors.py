"""The exceptions of Guard: what can go wrong while a value is read, and what a host catches.

Takes and gives nothing but words. Evaluation errors never leave the engine as exceptions: a decision
lists them (law L2). Only the edge raises: `PolicyError` when a policy does not load, `Denied`,
`ApprovalRequired` and `Halted` when a host asked for a call to be enforced.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from guardrails.diagnostics import Diagnostic
    from guardrails.model import Decision


class GuardError(Exception):
    """Root of every exception that Guard raises on purpose."""


class EvaluationError(GuardError):
    """An expression could not be evaluated; law L2 decides what its statement still does."""

    kind = "error"


class MissingField(EvaluationError):
    """A field that the policy reads is absent or null."""

    kind = "missing"


class WrongType(EvaluationError):
    """A value is not of the type that the policy or the tool's schema says."""

    kind = "type"


class NotANumber(WrongType):
    """NaN or an infinity stood where a number is needed."""

    kind = "number"


class Ambiguous(EvaluationError):
    """A text has more than one reading, so no canonical form can be trusted (law L5)."""

    kind = "ambiguous"


class TooLarge(EvaluationError):
    """An input is beyond the size or depth that the engine accepts (law L4)."""

    kind = "size"


class Unavailable(EvaluationError):
    """A detector, store or host function failed or ran out of its time budget."""

    kind = "unavailable"


class PolicyError(GuardError):
    """A policy does not load. `diagnostics` says why, each with its place."""

    def __init__(self, diagnostics: Sequence[Diagnostic], text: str) -> None:
        super().__init__(text)
        self.diagnostics = tuple(diagnostics)


class EventError(GuardError):
    """An event from the host is malformed. `pointer` is the JSON pointer of the place."""

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(f"{message} (at {pointer})" if pointer else message)
        self.message = message
        self.pointer = pointer


class Refused(GuardError):
    """A decision that is not an allow; `decision` holds it, `str()` is written for the model."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.message)
        self.decision = decision


class Denied(Refused):
    """The event is denied."""


class Halted(Denied):
    """The event is denied and the session has been stopped."""


class ApprovalRequired(Refused):
    """The event waits for a person; `request` is what they were asked under, where somebody was asked."""

    @property
    def request(self) -> str | None:
        return self.decision.request
