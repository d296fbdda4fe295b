"""Calls: what a client wants a server to do or to tell, checked before and after.

`tools/call`, `resources/read`, `prompts/get`, `completion/complete` and `resources/subscribe` take the same way: the
call is decided, people are asked where the policy asks for them, the server is called with what the policy made of
the arguments, and what comes back is decided part by part. A tool's refusal is a result that the model can read;
the others' is an error with the same facts.
"""

from __future__ import annotations

from os import urandom
from typing import TYPE_CHECKING, Any

from guardrails.gateway.flights import Declined
from guardrails.gateway.judging import plain, told, tool_error
from guardrails.gateway.links import LINK_FAILED
from guardrails.gateway.passing import Withheld, declined, excuse, merged, passed, stop_if_halted
from guardrails.gateway.results import (
    Part,
    Unwritable,
    parts_of_completion,
    parts_of_prompt,
    parts_of_resource,
    parts_of_tool,
)
from guardrails.gateway.rounds import Rounds, Unfinished
from guardrails.gateway.upstream import ServerError, Unanswered, Unsent, Upstream
from guardrails.model import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from guardrails.gateway.exchange import Exchange
    from guardrails.gateway.flights import Flight
    from guardrails.model import Decision

MEMBERS = {
    "tools/call": ("content", "structuredContent", "isError", "_meta"),
    "resources/read": ("contents", "_meta"),
    "prompts/get": ("description", "messages", "_meta"),
    "completion/complete": ("completion", "_meta"),
    "resources/subscribe": (),
}
"""Method -> the members of its results; others do not pass, because nobody judged them."""


class Call:
    """One call: of what server, as policies see it (`tool` and `args`), and as the server does (`method`, and
    `params` of the arguments)."""

    __slots__ = ("args", "digest", "id", "method", "params", "parts", "server", "tool")

    def __init__(
        self,
        server: str,
        method: str,
        tool: str,
        args: dict[str, Any],
        params: Callable[[dict[str, Any]], dict[str, Any]],
        parts: Callable[[dict[str, Any]], list[Part]],
    ) -> None:
        self.server = server
        self.method = method
        self.tool = tool
        self.args = args
        self.params = params
        self.parts = parts
        self.digest = ""
        self.id = urandom(12).hex()

    @property
    def is_tool(self) -> bool:
        return self.method == "tools/call"


# --- what is called ----------------------------------------------------------------------------


async def call_tool(exchange: Exchange, flight: Flight) -> dict[str, Any]:
    params = flight.params
    found = exchange.naming.inward(params.get("name"))
    args = {} if params.get("arguments") is None else params["arguments"]
    if params.get("name").__class__ is not str or args.__class__ is not dict:
        raise Declined("`name` names a tool of this gateway, and `arguments` is an object")
    if found is None:
        return tool_error(f"The call was not made: {_unknown(exchange, params['name'])}.")
    if "task" in params:
        raise Declined("tasks do not pass this gateway: make the call without `task`")
    server, name = found
    try:
        upstream = await exchange.server(server)
        offered = await exchange.catalogues[server].tool(name)
    except ServerError as error:
        return tool_error(f"The call was not made: {await excuse(exchange, 'tools/list', error)}.")
    except Unanswered as error:
        return tool_error(f"The call was not made: {error}.")
    if offered is None:
        return tool_error(f"The call was not made: {_unknown(exchange, params['name'])}.")
    call = Call(
        server, "tools/call", offered.policy_name, args,
        lambda given: {"name": name, "arguments": given}, parts_of_tool,
    )  # fmt: skip
    call.digest = offered.digest
    if offered.trouble:
        why = f"the call of `{call.tool}` is denied: {offered.trouble}"
        refusal = exchange.judge.refusal(why, kind="changed_tool")
        return tool_error(told(refusal), refusal)
    return await _made(exchange, flight, upstream, call)


def _unknown(exchange: Exchange, name: str) -> str:
    """What a model is told that calls a tool by a name that nothing has."""
    text = f"there is no tool `{name[:100]}`"
    if len(exchange.upstreams) == 1:
        return text
    servers = ", ".join(f"`{each}__...`" for each in sorted(exchange.upstreams))
    return f"{text}; the tools here are called {servers}, after their servers"


async def read_resource(exchange: Exchange, flight: Flight) -> dict[str, Any]:
    server, uri = _place(exchange, flight)
    call = _call(exchange, server, "resources/read", {"uri": uri}, parts_of_resource)
    return await _made(exchange, flight, await exchange.server(server), call)


async def get_prompt(exchange: Exchange, flight: Flight) -> dict[str, Any]:
    found = exchange.naming.inward(flight.params.get("name"))
    given = flight.params.get("arguments")
    if found is None or (given is not None and given.__class__ is not dict):
        raise Declined("`name` names a prompt of this gateway, and `arguments` is an object")
    args = {"name": found[1], "arguments": given or {}}
    call = _call(exchange, found[0], "prompts/get", args, parts_of_prompt)
    return await _made(exchange, flight, await exchange.server(found[0]), call)


async def complete(exchange: Exchange, flight: Flight) -> dict[str, Any]:
    params = flight.params
    ref = params.get("ref")
    if ref.__class__ is not dict or params.get("argument").__class__ is not dict:
        raise Declined("`ref` and `argument` are objects")
    key = "uri" if ref.get("type") == "ref/resource" else "name"
    found = exchange.naming.uri_inward(ref.get(key)) if key == "uri" else exchange.naming.inward(ref.get(key))
    if found is None:
        raise Declined(f"`ref` has the `{key}` of something at this gateway")
    args = {"ref": {"type": ref.get("type"), key: found[1]}, "argument": params["argument"]}
    if params.get("context").__class__ is dict:
        args["context"] = params["context"]
    call = _call(exchange, found[0], "completion/complete", args, parts_of_completion)
    return await _made(exchange, flight, await exchange.server(found[0]), call)


async def subscribe(exchange: Exchange, flight: Flight) -> dict[str, Any]:
    """Hear when a resource changes: closed, as reading it is."""
    server, uri = _place(exchange, flight)
    upstream = await exchange.server(server)
    await subscribed(exchange, flight, upstream, uri)
    if upstream.new:
        exchange.teller.watch(upstream, uri)
    else:
        await upstream.ask("resources/subscribe", {"uri": uri}, flight)
    return {}


async def subscribed(exchange: Exchange, flight: Flight, upstream: Upstream, uri: str) -> None:
    """Raise `Declined` where a policy does not allow to hear of a resource."""
    call = _call(exchange, upstream.name, "resources/subscribe", {"uri": uri}, lambda _: [])
    decision = await exchange.judge.call(call.tool, call.args, call_id=call.id)
    stop_if_halted(exchange, decision)
    if decision.outcome is not Outcome.ALLOW or decision.transforms:
        raise declined(decision)
    exchange.teller.uris.add((upstream.name, uri))


async def unsubscribe(exchange: Exchange, flight: Flight) -> dict[str, Any]:
    """Hearing less needs no permission."""
    server, uri = _place(exchange, flight)
    upstream = await exchange.server(server)
    exchange.teller.uris.discard((server, uri))
    if upstream.new:
        exchange.teller.unwatch(upstream, uri)
    else:
        await upstream.ask("resources/unsubscribe", {"uri": uri}, flight)
    return {}


def _place(exchange: Exchange, flight: Flight) -> tuple[str, str]:
    found = exchange.naming.uri_inward(flight.params.get("uri"))
    if found is None:
        raise Declined("`uri` names a resource of this gateway")
    return found


def _call(
    exchange: Exchange,
    server: str,
    method: str,
    args: dict[str, Any],
    parts: Callable[[dict[str, Any]], list[Part]],
) -> Call:
    """A call whose arguments are the server's own parameters."""
    return Call(server, method, exchange.naming.in_policy(server, method), args, lambda given: given, parts)


# --- how ---------------------------------------------------------------------------------------


async def _made(exchange: Exchange, flight: Flight, upstream: Upstream, call: Call) -> dict[str, Any]:
    """The result of a call, or what is told in its place."""
    rounds = Rounds(exchange, flight, upstream, call)
    try:
        decision = await rounds.decided()
        stop_if_halted(exchange, decision)
        if decision.outcome is not Outcome.ALLOW:
            raise Withheld(decision)
        return await _answered(exchange, flight, rounds, decision)
    except Unfinished as unfinished:
        return unfinished.result
    except Withheld as withheld:
        if call.is_tool:
            return tool_error(str(withheld), withheld.decision)
        raise declined(withheld.decision) from None


async def _answered(exchange: Exchange, flight: Flight, rounds: Rounds, decision: Decision) -> dict[str, Any]:
    call = rounds.call
    args = plain(decision.payload) if decision.transforms else call.args
    if args.__class__ is not dict:
        await exchange.judge.release(decision)
        raise Withheld(
            exchange.judge.refusal(f"the policy leaves no arguments for `{call.tool}`", kind="type")
        )
    flight.tool, flight.args = call.tool, call.args
    try:
        result = await rounds.result(call.params(args))
    except ServerError as error:
        return await _failed(exchange, call, decision, error)
    except Unsent as error:
        await exchange.judge.release(decision)
        if call.is_tool:
            return tool_error(f"The call was not made: {error}.")
        raise
    except Unanswered as error:
        if call.is_tool:
            return tool_error(f"{_began(str(error))}. {UNKNOWN}")
        raise
    return await _judged(exchange, call, decision, result)


async def _judged(
    exchange: Exchange, call: Call, decision: Decision, result: dict[str, Any]
) -> dict[str, Any]:
    """A server's result as the policy lets it through."""
    kept = {name: result[name] for name in MEMBERS[call.method] if name in result}
    _check_shape(call, kept)
    held = decision.reservation
    if call.is_tool and kept.get("isError") is True:
        await exchange.judge.failed(call.tool, call.args, decision, call.id)
        held = ""
    changed = await passed(exchange, call.tool, call.args, call.parts(kept), (call.id, held))
    return outward(exchange, call.server, merged(kept, changed))


def _check_shape(call: Call, result: dict[str, Any]) -> None:
    kinds = {
        "content": list,
        "isError": bool,
        "contents": list,
        "messages": list,
        "completion": dict,
        "_meta": dict,
    }
    wrong = [name for name, kind in kinds.items() if result.get(name, kind()).__class__ is not kind]
    if call.is_tool and "content" not in result:
        wrong.append("content")
    if wrong:
        raise ServerError(-32603, f"the server `{call.server}` sent a result with a malformed `{wrong[0]}`")


async def _failed(exchange: Exchange, call: Call, decision: Decision, error: ServerError) -> dict[str, Any]:
    """What becomes of a server's error. Where the link says that the answer was lost, the call may have run: it stays
    charged, and the model is told."""
    if error.code != LINK_FAILED:
        await exchange.judge.failed(call.tool, call.args, decision, call.id)
    said = await _judged_error(exchange, call, error)
    if call.is_tool and said.code == LINK_FAILED:
        return tool_error(f"{_began(str(said))}. {UNKNOWN}")
    raise said


UNKNOWN = "Whether the call had an effect is not known."


async def _judged_error(exchange: Exchange, call: Call, error: ServerError) -> Declined:
    """A server's error; its text goes to the model, so it is judged like a result."""
    said: dict[str, Any] = {"message": error.message} | ({} if error.data is None else {"data": error.data})
    alone = Part(error.message, lambda value: {"message": _text(value)})
    part = alone if error.data is None else Part(said, _object)
    try:
        said |= await passed(exchange, call.tool, call.args, [part], (call.id, ""))
    except Withheld as withheld:
        return declined(withheld.decision)
    return Declined(said["message"], error.code, said.get("data"))


def _text(value: Any) -> str:
    if value.__class__ is not str:
        raise Unwritable("the text of an error stays a text")
    return str(value)


def _object(value: Any) -> dict[str, Any]:
    if value.__class__ is not dict or value.get("message").__class__ is not str:
        raise Unwritable("an error keeps its message")
    return dict(value)


def _began(text: str) -> str:
    return text[:1].upper() + text[1:]


def outward(exchange: Exchange, server: str, result: dict[str, Any]) -> dict[str, Any]:
    """Places of resources in a result as clients name them."""
    return {name: _relocated(exchange, server, value) for name, value in result.items() if name in BLOCKS} | {
        name: value for name, value in result.items() if name not in BLOCKS
    }


BLOCKS = ("content", "contents", "messages")


def _relocated(exchange: Exchange, server: str, value: Any) -> Any:
    if value.__class__ is list:
        return [_relocated(exchange, server, each) for each in value]
    if value.__class__ is not dict:
        return value
    return {
        key: exchange.naming.uri_outward(server, each)
        if key == "uri"
        else _relocated(exchange, server, each)
        if key in ("content", "resource")
        else each
        for key, each in value.items()
    }


CALLS = {
    "tools/call": call_tool,
    "resources/read": read_resource,
    "prompts/get": get_prompt,
    "completion/complete": complete,
    "resources/subscribe": subscribe,
    "resources/unsubscribe": unsubscribe,
}
