"""Questions to a server as JSON, which hold what was given and nothing that was made of it.

Takes a question, gives its bytes. Exact decimals are written as texts and sets as sorted lists, as everywhere. Whatever else
JSON has no form for is an error: its text may say something else than it holds, and that is what would be judged.
"""

from __future__ import annotations

from decimal import Decimal
from json import JSONEncoder
from typing import Any

from guardrails.errors import EventError
from guardrails.parameters import shown


def written(question: Any) -> bytes:
    """Raises `EventError` for what cannot be written."""
    try:
        return _ENCODER.encode(question).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise EventError(f"the event cannot be written as JSON: {error}") from None


def _form_of(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    if isinstance(value, Decimal):
        return str(value)
    raise EventError(
        f"the event cannot be written as JSON: there is {shown(value)} in it, and only numbers, texts, lists and objects are"
        " judged elsewhere as they are"
    )


_ENCODER = JSONEncoder(default=_form_of, allow_nan=False)
