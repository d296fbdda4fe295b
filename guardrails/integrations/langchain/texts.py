"""What goes into a model of LangChain and what comes out of it, judged.

Takes conversations and answers, gives them as they may be read or leave. The one idea: each message is judged once, as it
comes in, and each answer as it leaves; what a model is about to read that no check has seen is told at once.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from langchain_core.messages import AIMessage, AIMessageChunk

from guardrails.errors import Halted
from guardrails.integrations.langchain.messages import (
    answer_with,
    is_marked,
    is_of_a_model,
    key_of,
    newest,
    people_in,
    results_in,
    text_of,
    with_call_args,
    with_text,
)
from guardrails.integrations.receipts import Unmediated
from guardrails.strict_json import read_json, write_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.messages import BaseMessage

    from guardrails.integrations.mediation import Mediation
    from guardrails.integrations.passages import Checked

_READ: WeakKeyDictionary[Mediation, set[str]] = WeakKeyDictionary()
"""The messages that were judged on their way in, for each session: each is judged once."""


class Reading:
    """A conversation on its way into a model. `messages` as they may be read, `changed` those that are others now,
    `keys` what stands for the messages that are judged by now, `refusal` what is said instead of asking the model."""

    __slots__ = ("changed", "keys", "messages", "refusal")

    def __init__(self, messages: list[BaseMessage]) -> None:
        self.messages = list(messages)
        self.changed: list[BaseMessage] = []
        self.keys: list[str] = []
        self.refusal = ""


def known_to(mediation: Mediation) -> set[str]:
    """What stands for the messages of this session that were judged."""
    return _READ.setdefault(mediation, set())


def read(mediation: Mediation, messages: list[BaseMessage], by: str = "user") -> Reading:
    """Judge the messages of people that were not yet. One that is refused is replaced by the reason, and where the
    model was about to answer it, the model is not asked. Raises `Halted`."""
    reading, known = Reading(messages), known_to(mediation)
    for at, message in people_in(reading.messages):
        text = text_of(message.content)
        if not text or key_of(message) in known:
            continue
        checked = mediation.input(text, by=by)
        checked.raise_if_halted()
        if checked.is_changed:
            message = message.model_copy(update={"content": with_text(message.content, str(checked.value))})
            reading.messages[at] = message
            reading.changed.append(message)
        reading.keys.append(key_of(message))
        if not checked.allowed and at >= newest(messages):
            reading.refusal = str(checked.value)
    known.update(reading.keys)
    return reading


def hear(
    mediation: Mediation, messages: list[BaseMessage], answers: frozenset[str], *, from_before: bool
) -> None:
    """Hold the results that the model is about to read against the receipts. Raises `Unmediated`."""
    begin = max((at for at, _ in people_in(messages)), default=0) if from_before else 0
    early = {id(message) for message in messages[:begin]}
    for message, name in results_in(messages):
        if is_marked(message) or id(message) in early:
            mediation.receipts.from_before([name])
        if message.name in answers:
            continue
        try:
            mediation.heard([(name, message.name or "?")])
        except Unmediated:
            if message.status != "error" or not _may_be_read(mediation, text_of(message.content)):
                raise


def _may_be_read(mediation: Mediation, text: str) -> bool:
    """Middleware refuses calls with results of its own: nothing ran, and what it says is a text like others."""
    checked = mediation.input(text, by="agent")
    return checked.allowed and not checked.is_changed


def raise_if_over(mediation: Mediation) -> None:
    """Raise `Halted` where the session was halted."""
    halted = getattr(mediation.session, "halted", None)
    if halted is not None:
        raise Halted(halted)


# --- what leaves -------------------------------------------------------------------------------


def leaving(
    mediation: Mediation,
    answer: Any,
    answers: frozenset[str],
    checked: Checked | None,
    *,
    is_changed: bool = False,
) -> Any:
    """An answer as it may leave. Raises `Halted`."""
    if checked is not None:
        checked.raise_if_halted()
    text = str(checked.value) if checked is not None else text_of(answer.content)
    changed = is_changed or (checked is not None and checked.is_changed)
    judge = _judge(mediation)
    left = answer_with(answer, text, judge, is_changed=changed)
    return _forms(mediation, left, answers) if answers else left


def _judge(mediation: Mediation) -> Callable[[str], str | None]:
    def judge(text: str) -> str | None:
        checked = mediation.output(text)
        checked.raise_if_halted()
        return text if checked.allowed and not checked.is_changed else None

    return judge


def _forms(mediation: Mediation, answer: Any, answers: frozenset[str]) -> Any:
    """Answers in a form leave like texts: changed where the form stays one, and otherwise not at all."""
    changed: dict[str, dict[str, Any]] = {}
    for call in answer.tool_calls:
        if call["name"] not in answers:
            continue
        written = write_json(call["args"])
        checked = mediation.output(written)
        checked.raise_if_halted()
        if not checked.is_changed:
            continue
        args = _form(checked)
        if args is None:
            return refusal(mediation, str(checked.value), like=answer)
        changed[call["id"] or ""] = args
    return with_call_args(answer, changed) if changed else answer


def _form(checked: Checked) -> dict[str, Any] | None:
    if not checked.allowed:
        return None
    try:
        args = read_json(str(checked.value))
    except Exception:
        return None
    return args if isinstance(args, dict) else None


def refusal(mediation: Mediation, text: str, like: Any = None) -> Any:
    mediation.receipts.passed(text)
    if isinstance(like, AIMessageChunk):
        return AIMessageChunk(content=text, id=like.id, usage_metadata=like.usage_metadata)
    return AIMessage(text)


def settled(mediation: Mediation, message: AIMessage, answers: frozenset[str] = frozenset()) -> AIMessage:
    """An answer that comes out of an agent: one that guard has seen stays, one that middleware wrote by hand is judged.
    Raises `Unmediated` for that of a model which guard did not stand around."""
    text = text_of(message.content)
    try:
        mediation.receipts.left(text)
    except Unmediated as error:
        if is_of_a_model(message):
            raise Unmediated(
                f"{error}: put GuardMiddleware last, so that no middleware takes another model"
            ) from None
    else:
        return message
    left: AIMessage = leaving(mediation, message, answers, mediation.output(text))
    return left


def charge(mediation: Mediation, answer: AIMessage, model: Any) -> None:
    """Tell what an answer used."""
    used = answer.usage_metadata
    if used is None:
        return
    facts = answer.response_metadata
    name = facts.get("model_name") or facts.get("model") or _model_name(model)
    cached = (used.get("input_token_details") or {}).get("cache_read") or 0
    mediation.used(name, input=used["input_tokens"], output=used["output_tokens"], cached=cached)


def _model_name(model: Any) -> str | None:
    found = getattr(model, "model_name", None) or getattr(model, "model", None)
    return found if isinstance(found, str) else None
