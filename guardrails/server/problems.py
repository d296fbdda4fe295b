"""Problems: a request that gets no decision, told as a status, a name, what happened, where, and what to do.

    {"error": {"code": "malformed_event", "message": "...", "at": "/args/amount", "help": "..."}}

A dialect may put the same words into its own shape; none of them turns a problem into an allow.
"""

from __future__ import annotations

from typing import Any

from guardrails.approvals.answering import Rejected
from guardrails.errors import EvaluationError, EventError, PolicyError, TooLarge, Unavailable
from guardrails.json_positions import JsonError


class Problem(Exception):
    """Why a request got no decision. `at` is a JSON pointer, or a place in words; both may be empty."""

    def __init__(self, status: int, code: str, message: str, *, at: str = "", advice: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.at = at
        self.advice = advice

    def as_json(self) -> dict[str, Any]:
        return {
            "error": {
                "code": self.code,
                "message": self.message,
                "at": self.at or None,
                "help": self.advice or None,
            }
        }

    def __str__(self) -> str:
        where = f" (at {self.at})" if self.at else ""
        return f"{self.message}{where}{f': {self.advice}' if self.advice else ''}"


UNAVAILABLE = "try again later; until it answers, nothing that needs it is allowed"


def problem_of(error: Exception) -> Problem | None:
    """The problem that an error of the engine is; None for a mistake of the server itself."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, EventError):
        advice = "`/openapi.json` shows what an event may have"
        return Problem(400, "malformed_event", error.message, at=error.pointer, advice=advice)
    if isinstance(error, Unavailable):
        return Problem(503, "unavailable", str(error), advice=UNAVAILABLE)
    if isinstance(error, Rejected):
        return Problem(409, "answer_rejected", str(error), advice="`GET /v1/approvals` lists what waits")
    if isinstance(error, TooLarge):
        return Problem(413, "too_large", str(error), advice="send less")
    if isinstance(error, PolicyError):
        return Problem(422, "policy_error", str(error), advice="the policy in force stays as it was")
    if isinstance(error, EvaluationError):
        return Problem(400, "bad_request", str(error))
    return None


def not_json(error: JsonError, text: str) -> Problem:
    """The problem of a body that is no JSON, with the place of the mistake."""
    before = text[: error.extent.start]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    place = f"line {line}, column {column}" + (f", in {error.pointer}" if error.pointer else "")
    return Problem(400, "not_json", f"the body is not valid JSON: {error.message}", at=place)
