"""Answers of LiteLLM in pieces.

Takes the chunks of an answer, gives chunks that may leave. Texts go on as the policy lets them; calls, thoughts and
whatever else are held until the end, when they are whole and can be judged.
"""

from __future__ import annotations

from litellm.types.utils import (
    ChatCompletionMessageToolCall,
    Delta,
    Message,
    ModelResponseStream,
    StreamingChoices,
)

from guardrails.errors import EvaluationError
from guardrails.integrations.litellm.bodies import charge, judge_beside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from guardrails.integrations.mediation import Mediation


class Voice:
    """One of the answers in a stream."""

    def __init__(self, mediation: Mediation, mode: str) -> None:
        self._mediation = mediation
        self._stream = mediation.stream(mode)
        self._calls: dict[int, dict[str, str]] = {}
        self._function: dict[str, str] = {}
        self._thoughts = ""
        self.finish: Any = None

    def fed(self, choice: Any) -> str:
        """What of its text may leave by now."""
        delta = choice.delta
        self.finish = choice.finish_reason or self.finish
        self._thoughts += getattr(delta, "reasoning_content", None) or ""
        for call in delta.tool_calls or ():
            self._grow(self._calls.setdefault(call.index or 0, {}), call.function, call.id)
        if delta.function_call is not None:
            self._grow(self._function, delta.function_call, None)
        return self._stream.feed(delta.content) if delta.content else ""

    @staticmethod
    def _grow(call: dict[str, str], function: Any, id: str | None) -> None:
        call["id"] = call.get("id") or id or ""
        call["name"] = call.get("name", "") + (getattr(function, "name", None) or "")
        call["arguments"] = call.get("arguments", "") + (getattr(function, "arguments", None) or "")

    def closed(self) -> Delta:
        """The rest: its text, its calls, and what is beside them. Raises `Halted`."""
        text = self._stream.close()
        if self._stream.checked is not None:
            self._stream.checked.raise_if_halted()
        message = self._message()
        reasons = judge_beside(self._mediation, message)
        if reasons and not message.tool_calls:
            self.finish = "stop"
        said = "\n".join(each for each in (text, *reasons) if each)
        if reasons and self._stream.text and not text:
            said = f"\n{said}"
        return Delta(
            role="assistant",
            content=said or None,
            tool_calls=[
                {"index": at, **call.model_dump()} for at, call in enumerate(message.tool_calls or ())
            ]
            or None,
            function_call=message.function_call.model_dump() if message.function_call else None,
            reasoning_content=getattr(message, "reasoning_content", None),
        )

    def _message(self) -> Message:
        calls = [
            ChatCompletionMessageToolCall(
                id=call["id"],
                type="function",
                function={"name": call["name"], "arguments": call["arguments"]},
            )
            for _, call in sorted(self._calls.items())
        ]
        function = {key: each for key, each in self._function.items() if key != "id"}
        return Message(
            content=None,
            tool_calls=calls,
            function_call=function or None,
            reasoning_content=self._thoughts or None,
        )


class Relay:
    """A stream on its way out. `fed` and `closed` give chunks. Not for several threads at once."""

    def __init__(self, mediation: Mediation, mode: str) -> None:
        self._mediation = mediation
        self._mode = mode
        self._voices: dict[int, Voice] = {}
        self._first: Any = None
        self._usage: Any = None

    def fed(self, chunk: Any) -> Iterator[Any]:
        if not isinstance(chunk, ModelResponseStream):
            raise EvaluationError(f"guard cannot read a stream of {type(chunk).__name__}")
        self._first = self._first or chunk
        self._usage = getattr(chunk, "usage", None) or self._usage
        for choice in chunk.choices:
            if choice.index not in self._voices:
                self._voices[choice.index] = Voice(self._mediation, self._mode)
            out = self._voices[choice.index].fed(choice)
            if out:
                yield self._chunk(choice.index, Delta(role="assistant", content=out))

    def closed(self) -> Iterator[Any]:
        """The rest. Raises `Halted`."""
        if self._first is None:
            return
        charge(self._mediation, _Used(self._first.model, self._usage))
        for index, voice in self._voices.items():
            yield self._chunk(index, voice.closed())
            yield self._chunk(index, Delta(), voice.finish or "stop")
        if self._usage is not None:
            last = self._chunk(0, Delta())
            last.choices, last.usage = [], self._usage
            yield last

    def _chunk(self, index: int, delta: Delta, finish: str | None = None) -> Any:
        first = self._first
        return ModelResponseStream(
            id=first.id,
            created=first.created,
            model=first.model,
            choices=[StreamingChoices(index=index, delta=delta, finish_reason=finish)],
        )


class _Used:
    def __init__(self, model: Any, usage: Any) -> None:
        self.model = model
        self.usage = usage
