"""Failures: an exception inside a condition, as a fact of the decision with its place in the policy.

Compiled code carries the policy's own lines and columns, so the traceback knows which part of which
condition raised.
"""

from __future__ import annotations

from itertools import islice

from guardrails.errors import EvaluationError
from guardrails.model import Failure, Place


def failure_of(error: Exception, statement: str, place: Place) -> Failure:
    """What could not be evaluated in the statement `statement`, which stands at `place`."""
    kind, message = (error.kind, str(error)) if isinstance(error, EvaluationError) else _unexpected(error)
    return Failure(statement, kind, message, place_of(error, place))


def _unexpected(error: Exception) -> tuple[str, str]:
    """A Python error inside a condition: the value had a shape that no check foresaw."""
    if isinstance(error, RecursionError):
        return "size", "a value is nested too deeply"
    if isinstance(error, OverflowError):
        return "size", "a number is too large"
    return "type", f"the value does not fit here ({error})"


def place_of(error: Exception, statement: Place) -> Place:
    """The part of the policy that raised: the innermost frame that lies in the policy's file."""
    found = statement
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename == statement.file:
            at = trace.tb_lasti // 2
            line, end_line, column, end_column = next(islice(code.co_positions(), at, None))
            if (
                line
                and end_line
                and column is not None
                and end_column
                and (line, column) != (end_line, end_column)
            ):
                found = Place(statement.file, line, column + 1, end_line, end_column + 1)
        trace = trace.tb_next
    return found
