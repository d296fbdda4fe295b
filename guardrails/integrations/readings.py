"""Readings: what a policy sees of a result that a framework hands over as text.

Frameworks turn what a tool gave back into text before anybody can look at it: a record becomes its JSON. Takes
such a text, gives the value that a policy judges, and writes what the policy made of it in the form that it had. A text
that is a JSON object or list is that value; any other text is itself.
"""

from __future__ import annotations

from guardrails.json_positions import JsonError
from guardrails.strict_json import read_json, write_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Reading:
    """A result as a policy sees it (`value`), and how it is written back."""

    __slots__ = ("_is_written", "value")

    def __init__(self, result: Any) -> None:
        self.value = result
        self._is_written = False
        if result.__class__ is str and result[:1] in ("{", "["):
            self._read(result)

    def _read(self, text: str) -> None:
        try:
            self.value = read_json(text)
        except (JsonError, ValueError, RecursionError):
            return  # it only begins like JSON: it is judged as the text that it is
        self._is_written = True

    def written(self, payload: Any) -> Any:
        """A payload in the form of the result: text where that was text."""
        return write_json(payload) if self._is_written and payload.__class__ is not str else payload
