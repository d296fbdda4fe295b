"""Google ADK: the texts of messages, and what the policy makes of them.

Takes the parts of a content, gives parts with the texts as they may go on. The one idea: a text that comes in several
parts is one text, because whoever shows them puts them together; it is judged as a whole, whether its parts come at
once or one after the other.
"""

from __future__ import annotations

from google.genai import types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from google.adk.events.event import Event

    from guardrails.integrations.mediation import Mediation
    from guardrails.integrations.model_streams import ModelStream
    from guardrails.integrations.passages import Checked

KINDS = (False, True)
"""Whether a text is a thought."""


def is_text(part: types.Part, kind: bool) -> bool:  # noqa: FBT001 - one of KINDS
    return bool(part.text) and bool(part.thought) is kind


def text_of(parts: list[types.Part], kind: bool) -> str:  # noqa: FBT001 - one of KINDS
    """All texts of a kind, as one."""
    return "".join(part.text or "" for part in parts if is_text(part, kind))


def with_text(parts: list[types.Part], kind: bool, text: str) -> list[types.Part]:  # noqa: FBT001 - one of KINDS
    """The parts with another text in the place of all texts of a kind."""
    found: list[types.Part] = []
    for part in parts:
        if not is_text(part, kind):
            found.append(part)
        elif text is not None and not any(is_text(each, kind) for each in found):
            found.append(part.model_copy(update={"text": text}))
    return found


async def judged(
    parts: list[types.Part], judge: Callable[[str], Awaitable[Checked]]
) -> tuple[list[types.Part], list[Checked]]:
    """The parts as they may go on, and what was decided on each of their texts."""
    checks: list[Checked] = []
    for kind in KINDS:
        text = text_of(parts, kind)
        if not text:
            continue
        checks.append(await judge(text))
        if checks[-1].is_changed:
            parts = with_text(parts, kind, str(checks[-1].value))
    return [await _code(part, judge, checks) for part in parts], checks


async def _code(
    part: types.Part, judge: Callable[[str], Awaitable[Checked]], checks: list[Checked]
) -> types.Part:
    """A part with code that the provider runs, or what came of it."""
    for name, field in (("executable_code", "code"), ("code_execution_result", "output")):
        held: Any = getattr(part, name)
        text = getattr(held, field, None)
        if not text:
            continue
        checks.append(await judge(text))
        if checks[-1].is_changed:
            changed = held.model_copy(update={field: str(checks[-1].value)})
            part = part.model_copy(update={name: changed})
    return part


class Written:
    """The texts that one agent's model is writing."""

    def __init__(self, seat: Mediation, mode: str) -> None:
        self._seat = seat
        self._mode = mode
        self._streams: dict[bool, ModelStream] = {}
        self._given: dict[bool, str] = {}

    def piece(self, parts: list[types.Part]) -> list[types.Part]:
        """The next parts, with what may be shown by now."""
        for kind in KINDS:
            text = text_of(parts, kind)
            if not text:
                continue
            stream = self._streams.get(kind) or self._streams.setdefault(kind, self._seat.stream(self._mode))
            self._given[kind] = self._given.get(kind, "") + text
            parts = with_text(parts, kind, stream.feed(text))
        return parts

    async def whole(self, parts: list[types.Part]) -> tuple[list[types.Part], list[Checked]]:
        """The whole at the end. A text that was shown in pieces stays as it was shown."""
        return await judged(parts, self._end)

    async def _end(self, text: str) -> Checked:
        for kind, given in list(self._given.items()):
            if given == text:
                stream = self._streams.pop(kind)
                del self._given[kind]
                return _closed(stream, text)
        return await self._seat.aoutput(text)


def _closed(stream: ModelStream, text: str) -> Checked:
    from guardrails.integrations.passages import Checked

    stream.close()
    checked = stream.checked
    decision = checked.decision if checked is not None else None
    return Checked(decision, stream.text, is_changed=stream.text != text)


# --- events and results ----------------------------------------------------------------------------


def results_of(events: list[Any]) -> list[tuple[str, str]]:
    """The results in a history, as `(id, tool)`; not those of requests that ADK makes itself."""
    return [
        (each.id or "", each.name or "")
        for event in events
        for each in event.get_function_responses()
        if not (each.name or "").startswith("adk_request_")
    ]


def answered(part: types.Part, checked: Checked) -> types.Part:
    if not checked.is_changed:
        return part
    given: Any = part.function_response
    value = checked.value if checked.allowed else {"error": checked.value}
    response = value if isinstance(value, dict) else {"result": value}
    return part.model_copy(update={"function_response": given.model_copy(update={"response": response})})


def emptied(event: Event, content: types.Content) -> Event:
    """A partial event whose text no check has seen: the text comes with the whole."""
    parts = [part for part in content.parts or [] if not part.text]
    return event.model_copy(update={"content": content.model_copy(update={"parts": parts})})
