"""Requests and answers of LiteLLM, as guard reads and writes them.

Takes the body of a request, or an answer, gives it as it may go on; raises what a refusal is. The one idea: a gateway sees
both ends of an agent's tools. The calls are in the model's answer, and are judged there; the results are in the next
request, and are judged there.
"""

from __future__ import annotations

from collections import OrderedDict
from weakref import WeakKeyDictionary

from litellm.types.utils import (
    EmbeddingResponse,
    ImageResponse,
    ModelResponse,
    TextCompletionResponse,
    TranscriptionResponse,
)

from guardrails.errors import Denied, EvaluationError, Halted
from guardrails.integrations.words import words_in
from guardrails.strict_json import write_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from guardrails.integrations.mediation import Mediation
    from guardrails.integrations.passages import Checked

MOST_TEXTS = 10_000
"""Texts of a session that are remembered: clients send the whole conversation with each request."""

JUDGED = frozenset({"role", "content", "tool_calls", "function_call"})
"""Fields of a message that are judged as what they are."""

FACTS = frozenset(
    {"id", "created", "model", "object", "system_fingerprint", "service_tier", "choices", "usage", "finish_reason",
     "index", "message", "logprobs"}
)  # fmt: skip
"""Fields of an answer that hold no words of it, or are looked at one by one."""

OPAQUE = frozenset({"type", "id", "index", "data", "signature", "b64_json", "encrypted_content"})
TEXTS = frozenset({"text", "input_text", "output_text"})
WORDLESS = (EmbeddingResponse, ImageResponse)

_JUDGED: WeakKeyDictionary[Mediation, OrderedDict[str, str]] = WeakKeyDictionary()


def raise_refused(checked: Checked) -> None:
    """Raise what a refused text is to the host: `Halted`, `Denied`, or an error where guard could not decide."""
    checked.raise_if_halted()
    if checked.allowed:
        return
    if checked.decision is None:
        raise EvaluationError(str(checked.value))
    raise Denied(checked.decision)


# --- requests ------------------------------------------------------------------------------------


def judged_request(mediation: Mediation, data: dict[str, Any]) -> dict[str, Any]:
    """The request as it may go to the model. Raises `Denied` where its newest message is refused, `Halted`,
    `Unmediated` for the result of a call that was refused, and `EvaluationError` for what cannot be judged."""
    halted = getattr(mediation.session, "halted", None)
    if halted is not None:
        raise Halted(halted)
    request = dict(data)
    if request.get("messages") is not None:
        request["messages"] = _messages(mediation, request["messages"])
    for field in ("prompt", "input"):
        if request.get(field) is not None:
            request[field] = _texts(mediation, request[field])
    return request


def _texts(mediation: Mediation, value: Any) -> Any:
    if isinstance(value, str):
        return _said(mediation, value, is_new=True)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return [_said(mediation, each, is_new=True) for each in value]
    raise EvaluationError("the request has its text in a form that guard cannot read, and is refused")


def _messages(mediation: Mediation, messages: Any) -> list[Any]:
    if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
        raise EvaluationError("`messages` is not a list of objects")
    newest = max((at + 1 for at, each in enumerate(messages) if each.get("role") == "assistant"), default=0)
    names = {id: name for message in messages for id, name in _called(message)}
    return [_message(mediation, each, names, is_new=at >= newest) for at, each in enumerate(messages)]


def _called(message: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        yield str(call.get("id")), str(function.get("name") or "")


def _message(
    mediation: Mediation, message: dict[str, Any], names: dict[str, str], *, is_new: bool
) -> dict[str, Any]:
    content = message.get("content")
    if not content:
        return message
    if message.get("role") in ("tool", "function"):
        id = str(message.get("tool_call_id") or "")
        tool = names.get(id) or message.get("name")
        if not tool:
            raise EvaluationError(f"there is a result without its call ({id or 'no id'})")
        return {**message, "content": _changed(content, _result(mediation, id, str(tool), text_of(content)))}
    if message.get("role") != "user":
        return message
    return {**message, "content": _changed(content, _said(mediation, text_of(content), is_new=is_new))}


def _said(mediation: Mediation, text: str, *, is_new: bool) -> str:
    """What somebody said, as it may be read; judged once."""
    known = _known(mediation, "said", text)
    if known is None:
        checked = mediation.input(text)
        if is_new:
            raise_refused(checked)
        checked.raise_if_halted()
        known = _keep(mediation, "said", text, str(checked.value))
    return known


def _result(mediation: Mediation, id: str, tool: str, text: str) -> str:
    """A result, as the model may read it; judged once. That of a call which another worker judged is known here by
    nothing but its id."""
    known = _known(mediation, id, text)
    if known is None:
        check = mediation.result if mediation.receipts.knows(id) else mediation.error
        checked = check(id, tool, text)
        checked.raise_if_halted()
        known = _keep(mediation, id, text, str(checked.value))
    return known


def _known(mediation: Mediation, about: str, text: str) -> str | None:
    return _JUDGED.setdefault(mediation, OrderedDict()).get(_key(about, text))


def _keep(mediation: Mediation, about: str, text: str, value: str) -> str:
    kept = _JUDGED.setdefault(mediation, OrderedDict())
    kept[_key(about, text)] = value
    while len(kept) > MOST_TEXTS:
        kept.popitem(last=False)
    return value


def _key(about: str, text: str) -> str:
    from hashlib import blake2b

    return f"{about}:{blake2b(text.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"


# --- contents ------------------------------------------------------------------------------------


def text_of(content: Any) -> str:
    """All texts of a content. Raises `EvaluationError` for one that is neither text nor blocks."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        raise EvaluationError("the content of a message is neither a text nor a list of blocks")
    return "".join(str(block.get("text") or "") for block in content if block.get("type") in TEXTS)


def _changed(content: Any, text: str) -> Any:
    """The content with another text, in the place of its first."""
    if isinstance(content, str):
        return text
    if text == text_of(content):
        return content
    first = next((block for block in content if block.get("type") in TEXTS), None)
    rest = [block for block in content if block.get("type") not in TEXTS]
    return [{"type": first["type"] if first else "text", "text": text}, *rest]


# --- answers -------------------------------------------------------------------------------------


def judged_response(mediation: Mediation, response: Any) -> Any:
    """An answer as it may leave, changed in place. A text that is refused is the reason instead; a call that may not
    run is taken out, and the reason is in the text. Raises `Halted`, and `EvaluationError` for what it cannot read."""
    if isinstance(response, ModelResponse):
        charge(mediation, response)
        _judge_fields(mediation, response, FACTS)
        for choice in response.choices:
            _choice(mediation, choice)
    elif isinstance(response, TextCompletionResponse):
        charge(mediation, response)
        for text in response.choices:
            text.text, text.logprobs = _left(mediation, text.text or ""), None
    elif isinstance(response, TranscriptionResponse):
        response.text = _left(mediation, response.text or "")
    elif not isinstance(response, WORDLESS):
        raise EvaluationError(f"guard cannot read an answer of the kind {type(response).__name__}")
    return response


def _left(mediation: Mediation, text: str) -> str:
    if not text:
        return text
    checked = mediation.output(text)
    checked.raise_if_halted()
    return str(checked.value)


def _choice(mediation: Mediation, choice: Any) -> None:
    message = choice.message
    _judge_fields(mediation, choice, FACTS)
    before = message.content
    texts = [_left(mediation, before or "")]
    reasons = judge_beside(mediation, message)
    if reasons and not message.tool_calls:
        choice.finish_reason = "stop"
    message.content = "\n".join(each for each in (*texts, *reasons) if each) or before
    if message.content != before:
        choice.logprobs = None


def judge_beside(mediation: Mediation, message: Any) -> list[str]:
    """Judge the calls of an answer, and what stands beside its text; gives why calls were taken out."""
    _judge_fields(mediation, message, JUDGED)
    kept, reasons = [], []
    for call in message.tool_calls or ():
        why = _call(mediation, call, str(call.id or ""))
        if why:
            reasons.append(why)
        else:
            kept.append(call)
    message.tool_calls = kept or None
    if getattr(message, "function_call", None) is not None:
        why = _function(mediation, message.function_call, None)
        if why:
            reasons.append(why)
            message.function_call = None
    return reasons


def _judge_fields(mediation: Mediation, holder: Any, known: frozenset[str]) -> None:
    """Take out the other fields, those of providers among them, in which the policy has anything against a word."""
    for field, value in {**vars(holder), **(holder.model_extra or {})}.items():
        words = "\n".join(words_in(value, OPAQUE)) if field not in known and not field.startswith("_") else ""
        if words and _left(mediation, words) != words:
            delattr(holder, field)


def _call(mediation: Mediation, call: Any, id: str) -> str:
    function = getattr(call, "function", None)
    if function is None or not function.name:
        return "A call that guard cannot read was taken out."
    return _function(mediation, function, id)


def _function(mediation: Mediation, function: Any, id: str | None) -> str:
    """Why a call may not run; empty where it may, with the arguments that the policy gave it."""
    passage = mediation.call(str(function.name), function.arguments, id or None)
    passage.raise_if_halted()
    if not passage.allowed:
        return passage.text
    if passage.is_changed:
        function.arguments = write_json(passage.args)
    return ""


def charge(mediation: Mediation, response: Any) -> None:
    """Tell what an answer used."""
    usage = getattr(response, "usage", None)
    if usage is None:
        return
    details = getattr(usage, "prompt_tokens_details", None)
    mediation.used(
        getattr(response, "model", None),
        input=usage.prompt_tokens or 0,
        output=usage.completion_tokens or 0,
        cached=getattr(details, "cached_tokens", None) or 0,
    )
