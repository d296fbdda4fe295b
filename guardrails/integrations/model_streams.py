"""What a model writes in pieces, on its way out.

Takes pieces of one text, gives pieces that may go on. Frameworks hand pieces to people before any of their own hooks
sees the whole, so adapters stand around the model and pass each text through this. `whole` is the default: what a
policy says of an answer often needs all of it.
"""

from __future__ import annotations

from guardrails.errors import EvaluationError, GuardError
from guardrails.integrations.passages import Checked, withheld

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from guardrails.integrations.mediation import Mediation

MODES = ("whole", "pieces")


class ModelStream:
    """One text. `feed` and `close` give what may be shown by now; `checked` tells, after `close`, what became of it.
    Not for several threads at once."""

    __slots__ = ("_given", "_mediation", "_out", "_stream", "checked")

    def __init__(self, mediation: Mediation, mode: str = "whole") -> None:
        if mode not in MODES:
            raise EvaluationError(f"streaming is `whole` or `pieces`, not `{mode}`")
        self._mediation = mediation
        self._given: list[str] = []
        self._out: list[str] = []
        session: Any = mediation.session
        self._stream: Any = session.stream_output() if mode == "pieces" else None
        self.checked: Checked | None = None

    def feed(self, piece: str) -> str:
        """What may go on by now. Raises nothing: what cannot be judged is withheld."""
        if self.checked is not None:
            return ""
        if self._stream is None:
            self._given.append(piece)
            return ""
        return self._told(lambda: self._stream.feed(piece))

    def close(self) -> str:
        """The rest, once nothing more comes."""
        if self.checked is not None:
            return ""
        if self._stream is None:
            self.checked = self._mediation.output("".join(self._given))
            return str(self.checked.value)
        rest = self._told(self._stream.close)
        return rest if self.checked is not None else self._over(rest)

    @property
    def text(self) -> str:
        """All that went on."""
        return (
            "".join(self._out)
            if self._stream is not None
            else str(self.checked.value if self.checked else "")
        )

    def _told(self, work: Any) -> str:
        try:
            piece = str(work())
        except GuardError as error:
            self.checked = withheld(error)
            piece = str(self.checked.value)
        self._out.append(piece)
        if self.checked is not None:
            self._mediation.receipts.passed(self.text)
        return piece

    def _over(self, rest: str) -> str:
        self.checked = Checked(self._stream.decision, self.text, is_changed=True)
        self._mediation.receipts.passed(self.text)
        return rest
