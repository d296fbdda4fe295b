"""The redactor: the rules of a decision, ready to be applied to texts, values and streams.

Takes rules with a key for hashes and a vault for tokens; gives redacted values and streams.
"""

from __future__ import annotations

from guardrails.redaction.passes import Passes
from guardrails.redaction.placeholders import Writer
from guardrails.redaction.places import Place
from guardrails.redaction.streams import RedactingStream
from guardrails.redaction.structures import Redacted, redacted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from guardrails.redaction.json_streams import JsonRedactingStream
    from guardrails.redaction.methods import Rule
    from guardrails.redaction.vault import Vault


class Redactor:
    """Applies `rules` together. Safe to share among threads; what it keeps does not grow with use.

    `key`: 16 to 64 secret bytes for `hash`; `vault` for `token`. Raises ValueError for another key.
    """

    __slots__ = ("_stream_passes", "_top")

    def __init__(
        self, rules: Iterable[Rule], *, key: bytes | None = None, vault: Vault | None = None
    ) -> None:
        all_rules, writer = tuple(rules), Writer(key, vault)
        self._top = Place(all_rules, writer)
        self._stream_passes = Passes([rule for rule in all_rules if not rule.path], writer)

    def redact(self, value: Any) -> Redacted:
        """A text or any JSON value redacted, as `guardrails.redaction.structures.redacted` says."""
        return redacted(value, self._top)

    def stream(self, context: Sequence[str] = ()) -> RedactingStream:
        """A stream for one text, by the rules that look into all texts."""
        return RedactingStream(self._stream_passes, context)

    def json_stream(self) -> JsonRedactingStream:
        """A stream for one JSON document, such as the arguments of a call while a model writes them."""
        from guardrails.redaction.json_streams import JsonRedactingStream

        return JsonRedactingStream(self._top)
