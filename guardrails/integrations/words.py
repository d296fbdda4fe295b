"""Words: all texts below a value of a framework, for a policy to be asked about what has no form that guard knows.

Takes a value and the names of fields that hold no words (ids, kinds, data); gives every other text, however deep it
lies, also in models of pydantic.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def words_in(value: Any, opaque: frozenset[str]) -> Iterator[str]:
    """All words below a value, besides those in fields named in `opaque`."""
    if hasattr(value, "model_dump"):
        value = value.model_dump()
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            if key not in opaque:
                yield from words_in(each, opaque)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from words_in(each, opaque)
