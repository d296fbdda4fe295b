"""Guard in LiteLLM: a guardrail for its proxy, and completions for programs that use its SDK.

Takes a session (or a function from who asks to one), gives what LiteLLM calls around each request. The calls that a model
writes are judged in its answer: one that may not run is taken out, and the reason is in the text. LiteLLM cannot pause:
a call that people have to approve is taken out with the id of its request, and passes when the model writes it again.
The one idea: the keys of a proxy are who asks, and nothing that a client writes into its request turns a check off.

    # guard_proxy.py, beside the proxy's config.yaml with `guardrail: guard_proxy.Guarded`
    guard = Guard.load("support.guard")
    Guarded = guardrail(one_for_each_key(guard))
"""

from __future__ import annotations

from asyncio import to_thread
from collections import Counter, OrderedDict
from threading import Lock
from typing import Any

try:
    import litellm
    from litellm.integrations.custom_guardrail import CustomGuardrail
    from litellm.types.utils import ModelResponse
except ImportError as error:
    from guardrails.integrations.needing import missing

    raise ImportError(missing("litellm")) from error

from guardrails.errors import EvaluationError, GuardError
from guardrails.integrations.litellm.bodies import judged_request, judged_response
from guardrails.integrations.litellm.streams import Relay
from guardrails.integrations.model_streams import MODES
from guardrails.integrations.receipts import Unmediated
from guardrails.integrations.seats import MOST_SESSIONS, Seats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator

    from guardrails.guard import Guard
    from guardrails.integrations.mediation import AnySession, Mediation
    from guardrails.session import Session

    Source = AnySession | Callable[["Caller"], AnySession]

READABLE = frozenset(
    {"completion", "acompletion", "text_completion", "atext_completion", "embeddings", "embedding", "aembedding",
     "moderation", "image_generation", "audio_transcription", "transcription", "atranscription"}
)  # fmt: skip
"""Kinds of requests whose bodies and answers guard reads; another one is refused before it is made."""

MCP_CALL = "call_mcp_tool"
MOST_REQUESTS = 100_000


class Caller:
    """Who asks. All of it comes from the key, besides `end_user` and `data`, the request, which the client wrote."""

    __slots__ = ("alias", "data", "end_user", "key", "team", "user")

    def __init__(self, auth: Any, data: dict[str, Any]) -> None:
        told = auth if isinstance(auth, dict) else {}
        self.key = told.get("api_key") or getattr(auth, "api_key", None) or ""
        self.alias = told.get("key_alias") or getattr(auth, "key_alias", None) or ""
        self.user = told.get("user_id") or getattr(auth, "user_id", None) or ""
        self.team = told.get("team_id") or getattr(auth, "team_id", None) or ""
        self.end_user = told.get("end_user_id") or getattr(auth, "end_user_id", None) or ""
        self.data = data

    @property
    def principal(self) -> dict[str, str]:
        """For `guard.session(principal=...)`: `id` is the user of the key, else its alias, else its hash."""
        told = {
            "id": self.user or self.alias or self.key,
            "user": self.user,
            "key": self.key,
            "team": self.team,
        }
        return {name: each for name, each in told.items() if each}

    @property
    def name(self) -> str:
        """The same for the same key and user; the id of their session."""
        from hashlib import blake2b

        return "litellm-" + blake2b(f"{self.key}\0{self.user}".encode(), digest_size=12).hexdigest()


def one_for_each_key(guard: Guard) -> Callable[[Caller], Session]:
    """A session for each key and user of a proxy, the same in all its workers where the guard has a store."""
    if not hasattr(guard, "session"):
        raise EvaluationError(f"`one_for_each_key` takes a guard, not `{type(guard).__name__}`")
    sessions: OrderedDict[str, Session] = OrderedDict()
    lock = Lock()

    def session_of(caller: Caller) -> Session:
        if not caller.principal:
            raise EvaluationError("the request comes without a key: guard does not know who asks")
        with lock:
            found = sessions.get(caller.name)
            if found is None:
                found = sessions[caller.name] = guard.session(principal=caller.principal, id=caller.name)
            sessions.move_to_end(caller.name)
            while len(sessions) > MOST_SESSIONS:
                sessions.popitem(last=False)
            return found

    return session_of


def guardrail(session: Source, *, streaming: str = "whole") -> type[LiteLLMGuard]:
    """A class for the configuration of a proxy, which makes the guardrail from it."""

    class Guarded(LiteLLMGuard):
        def __init__(self, **litellm: Any) -> None:
            super().__init__(session, streaming=streaming, **litellm)

    return Guarded


HOOKS = (
    "async_pre_call_hook", "async_post_call_success_hook", "async_post_call_streaming_hook",
    "async_post_call_streaming_iterator_hook", "should_run_guardrail",
)  # fmt: skip


class LiteLLMGuard(CustomGuardrail):
    """The guardrail itself. It runs for every request, whatever `mode`, `default_on` and the request say."""

    def __init_subclass__(cls, **more: Any) -> None:
        """LiteLLM looks for hooks in the class of a guardrail itself and skips those that it only inherits."""
        super().__init_subclass__(**more)
        for hook in HOOKS:
            if hook not in cls.__dict__:
                setattr(cls, hook, getattr(cls, hook))

    def __init__(self, session: Source, *, streaming: str = "whole", **litellm: Any) -> None:
        super().__init__(**{"guardrail_name": "guard", **litellm})
        self.seats = Seats(session)
        self.pace = _pace(streaming)
        self._asked: OrderedDict[str, None] = OrderedDict()
        self._streams: Counter[str] = Counter()

    def should_run_guardrail(self, data: Any, event_type: Any) -> bool:
        return str(getattr(event_type, "value", event_type)) != "logging_only"

    async def async_pre_call_deployment_hook(self, kwargs: Any, call_type: Any) -> Any:
        return kwargs  # the proxy asked already

    async def async_post_call_success_deployment_hook(
        self, request_data: Any, response: Any, call_type: Any
    ) -> Any:
        return response

    # --- before ----------------------------------------------------------------------------------

    async def async_pre_call_hook(self, user_api_key_dict: Any, cache: Any, data: Any, call_type: Any) -> Any:
        """The request as it may be made. Raises an HTTP error 403."""
        try:
            judged = await to_thread(self._request, user_api_key_dict, data, str(call_type))
        except GuardError as error:
            raise _refusal(error) from None
        if not judged.get("litellm_call_id"):
            from uuid import uuid4

            judged["litellm_call_id"] = str(uuid4())
        self._note(judged["litellm_call_id"])
        return judged

    def _request(self, auth: Any, data: dict[str, Any], kind: str) -> dict[str, Any]:
        mediation = self.seats.of(Caller(auth, data))
        if kind == MCP_CALL:
            return _mcp_call(mediation, data)
        if kind not in READABLE:
            raise EvaluationError(f"guard cannot read requests of the kind `{kind}`, and lets none through")
        return judged_request(mediation, data)

    def _note(self, id: str) -> None:
        self._asked[id] = None
        while len(self._asked) > MOST_REQUESTS:
            self._asked.popitem(last=False)

    def _raise_unasked(self, data: Any) -> None:
        if data.get("litellm_call_id") not in self._asked:
            raise Unmediated("an answer leaves whose request no check has seen")

    # --- after -----------------------------------------------------------------------------------

    async def async_post_call_success_hook(self, data: Any, user_api_key_dict: Any, response: Any) -> Any:
        """The answer as it may leave. Raises an HTTP error 403."""
        try:
            self._raise_unasked(data)
            mediation = self.seats.of(Caller(user_api_key_dict, data))
            return await to_thread(judged_response, mediation, response)
        except GuardError as error:
            raise _refusal(error) from None

    async def async_post_call_streaming_iterator_hook(
        self, user_api_key_dict: Any, response: Any, request_data: Any
    ) -> AsyncGenerator[Any, None]:
        """The pieces of an answer as they may leave. Raises an HTTP error 403."""
        caller = Caller(user_api_key_dict, request_data)
        self._streams[caller.name] += 1
        try:
            self._raise_unasked(request_data)
            async for chunk in apieces(self.seats.of(caller), response, self.pace):
                yield chunk
        except GuardError as error:
            raise _refusal(error) from None
        finally:
            self._streams -= Counter({caller.name: 1})

    async def async_post_call_streaming_hook(self, user_api_key_dict: Any, response: str) -> None:
        """LiteLLM is about to send a piece: one of a stream that came through here. Raises an HTTP error 403."""
        if not self._streams[Caller(user_api_key_dict, {}).name]:
            raise _refusal(Unmediated("a piece of an answer leaves that no check has seen"))


def _mcp_call(mediation: Mediation, data: dict[str, Any]) -> dict[str, Any]:
    """A call of an MCP tool that the proxy runs. Its result goes to the client past all guardrails: a call whose result
    the policy has something to say of is refused."""
    tool, args = str(data.get("mcp_tool_name") or ""), data.get("mcp_arguments")
    if not tool:
        raise EvaluationError("there is a call of an MCP tool without its name")
    if _says_of_results(mediation.session, tool):
        raise EvaluationError(
            f"the policy has rules for results of `{tool}`, and LiteLLM shows guard none of its MCP tools': "
            "run that server behind guard's own MCP gateway"
        )
    passage = mediation.call(tool, args)
    passage.raise_if_halted()
    if not passage.allowed:
        raise EvaluationError(passage.text)
    mediation.receipts.closed(passage.id)
    if not passage.is_changed:
        return data
    if not passage.args:
        raise EvaluationError(f"the policy leaves no arguments of `{tool}`, which LiteLLM would not pass on")
    return {**data, "modified_arguments": passage.args}


def _says_of_results(session: Any, tool: str) -> bool:
    try:
        return bool(session.guard.engine.program.unit("result", tool).effects)
    except AttributeError:
        return True  # the policy is elsewhere, and may


def _refusal(error: GuardError) -> Exception:
    try:
        from fastapi import HTTPException
    except ImportError:
        return error
    return HTTPException(status_code=403, detail={"error": str(error), "type": "guard"})


# --- programs --------------------------------------------------------------------------------------


class GuardedLiteLLM:
    """`completion` and `acompletion` of LiteLLM under a policy, with or without `stream=True`. They raise `Denied` for a
    request that is refused, and `Halted`; otherwise they answer as those of LiteLLM do. `session` may be a function
    from a `Caller`, of which only `data`, the request, is known here."""

    def __init__(self, session: Source, *, streaming: str = "whole") -> None:
        self.seats = Seats(session)
        self.pace = _pace(streaming)

    def completion(self, **request: Any) -> Any:
        mediation = self.seats.of(Caller(None, request))
        response = litellm.completion(**judged_request(mediation, request))
        if isinstance(response, ModelResponse):
            return judged_response(mediation, response)
        return pieces(mediation, response, self.pace)

    async def acompletion(self, **request: Any) -> Any:
        mediation = await to_thread(self.seats.of, Caller(None, request))
        response = await litellm.acompletion(**await to_thread(judged_request, mediation, request))
        if isinstance(response, ModelResponse):
            return await to_thread(judged_response, mediation, response)
        return apieces(mediation, response, self.pace)


def pieces(mediation: Mediation, response: Any, pace: str) -> Iterator[Any]:
    """The chunks of an answer as they may leave. Raises `Halted`."""
    relay = Relay(mediation, pace)
    for chunk in response:
        yield from relay.fed(chunk)
    yield from relay.closed()


async def apieces(mediation: Mediation, response: Any, pace: str) -> AsyncIterator[Any]:
    relay = Relay(mediation, pace)
    async for chunk in response:
        for each in relay.fed(chunk):
            yield each
    for each in await to_thread(lambda: list(relay.closed())):
        yield each


def _pace(streaming: str) -> str:
    if streaming not in MODES:
        raise EvaluationError(f"streaming is `whole` or `pieces`, not `{streaming}`")
    return streaming


__all__ = ["Caller", "GuardedLiteLLM", "LiteLLMGuard", "guardrail", "one_for_each_key"]
