"""Arguments of a call while a model writes them: what of them can be shown by now.

Takes pieces of JSON text, gives pieces that joined are JSON of the arguments without what the policy redacts in
that call. It is for showing: it decides nothing, charges nothing and turns no token back. The call itself is
checked once its arguments are complete.

    stream = session.stream_args("send_email")
    for piece in model:
        show(stream.feed(piece))
    show(stream.close())

Where it depends on the arguments which redactions hold, or on the session's past, all is held back until the end.
"""

from __future__ import annotations

from guardrails.errors import EvaluationError, WrongType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from guardrails.redaction.json_streams import JsonRedactingStream
    from guardrails.redaction.redactor import Redactor
    from guardrails.runtime.program import Effect, Unit
    from guardrails.session import Session

WITHHELD = "(withheld, because it could not be checked)"


class ArgumentStream:
    """The arguments of one call in pieces. Not for several threads at once.

    `hold`: the most characters that are ever held back; None where all are, until the end. `error`: why the rest
    was withheld, if it was; then what was shown is closed as JSON, and the rest never comes. Raises `EvaluationError`
    for what cannot be the name of a tool.
    """

    def __init__(self, session: Session, tool: str) -> None:
        from guardrails.stream_parameters import check_tool

        check_tool(tool)
        self._sessions = _chain(session)
        self._tool = tool
        self._pieces: list[str] = []
        self._stream: JsonRedactingStream | None = None
        self._is_over = False
        self.error: EvaluationError | None = None
        if len(self._sessions) == 1 and _is_known_early(self._sessions[0], tool):
            try:
                self._stream = _redactor(self._sessions[0], tool, {}).json_stream()
            except EvaluationError as error:
                self.error = error
        self.hold = self._stream.hold if self._stream else None

    def feed(self, piece: str) -> str:
        """What can be shown by now; nothing once there is an `error`. Raises `EvaluationError` for what is no text, and
        stays as it was."""
        if piece.__class__ is not str:
            piece = _text_of(piece)
        return "" if self._is_over else self._passed(piece, is_last=False)

    def close(self) -> str:
        """The rest, once nothing more comes."""
        if self._is_over:
            return ""
        out = self._passed("", is_last=True)
        self._is_over = True
        return out

    def _passed(self, piece: str, *, is_last: bool) -> str:
        try:
            if self.error is not None:
                raise self.error
            return self._redacted(piece, is_last=is_last)
        except EvaluationError as error:
            self.error = error
            self._is_over = True
            return self._stream.close_denied(WITHHELD) if self._stream else "null"

    def _redacted(self, piece: str, *, is_last: bool) -> str:
        if self._stream is None:
            self._pieces.append(piece)
            return self._whole("".join(self._pieces)) if is_last else ""
        out = self._stream.feed(piece) + (self._stream.close() if is_last else "")
        _save_tokens(self._sessions[0])
        return out

    def _whole(self, text: str) -> str:
        for session in self._sessions:
            stream = _redactor(session, self._tool, _read(text)).json_stream()
            text = stream.feed(text) + stream.close()
            _save_tokens(session)
        return text


def _text_of(piece: Any) -> str:
    from guardrails.stream_parameters import piece_of

    return piece_of(piece)


def _chain(session: Any) -> list[Session]:
    """The sessions whose policies change a call: a delegated one's own, then those that it answers to."""
    parent = getattr(session, "parent", None)
    if parent is None:
        return [session]
    return [*(_chain(session.own) if session.own is not None else ()), *_chain(parent)]


def _is_known_early(session: Session, tool: str) -> bool:
    """Whether the redactions of the call are the same for all arguments."""
    uses_trace = session.guard.engine.program.head["uses_trace"]
    return not uses_trace and not any(each.reads_args for each in _redactions(_unit(session, tool).effects))


def _redactor(session: Session, tool: str, args: Any) -> Redactor:
    """The redactions of a call. Raises `EvaluationError` where they cannot be made."""
    from guardrails.runtime.engine import Draft
    from guardrails.runtime.program import taken_apart
    from guardrails.runtime.redacting import redactor_for

    session._before()
    if args.__class__ is not dict:
        raise WrongType("the arguments are no object")
    _catch_up(session)
    unit = _unit(session, tool)
    now = session.guard.clock.now()
    mask, failed, _ = taken_apart(unit.check(args, session._subject, args, now, tool))
    changes = Draft(session.guard.engine.program, unit, mask, failed or ()).changes
    return redactor_for(tuple(each.change for each in _redactions(changes) if each.change), session._subject)


def _unit(session: Session, tool: str) -> Unit:
    return session.guard.engine.program.unit("call", tool)


def _redactions(effects: Any) -> list[Effect]:
    return [effect for effect in effects if effect.change and effect.change[0] == "redact"]


def _catch_up(session: Session) -> None:
    """Learn the session's past and its tokens, where the policy asks for them."""
    from guardrails.runtime.accounts import driven

    ledger = session._ledger
    if ledger is None:
        return
    now, accounts = session.guard.clock.now(), ledger.accounts
    if accounts.uses_trace:
        driven(accounts._catch_up(now), ledger.state.store)
    if accounts.tokens is not None:
        driven(accounts.tokens.catch_up(now), ledger.state.store)


def _save_tokens(session: Session) -> None:
    if session._ledger is not None:
        session._ledger.save_tokens()


def _read(text: str) -> Any:
    from guardrails.json_positions import JsonError
    from guardrails.strict_json import read_json

    try:
        return read_json(text)
    except JsonError as error:
        raise WrongType(f"the arguments are no JSON: {error}") from error
