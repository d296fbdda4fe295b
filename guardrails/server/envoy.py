"""Envoy's external authorization over HTTP (`ext_authz`), which agentgateway and others speak too.

Envoy sends the original request, with `/ext_authz` before its path. 200 lets it through; anything else is the answer that
the client gets. A request of MCP is a call of the tool that it names, in its body or, without one, in the headers
`Mcp-Method` and `Mcp-Name`: then the arguments are not known, and a rule that asks for them refuses. Any other request
is a call of `http.get`, `http.post` and so on, with its `method`, `path`, `host` and `query`. Headers that begin with
`x-guard-` are believed, so the gateway has to set them or take them away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.model import Outcome
from guardrails.server.degrading import give_back, passes, refusal
from guardrails.server.messages import Answer, told
from guardrails.server.problems import Problem
from guardrails.server.reading import json_of
from guardrails.server.routes import Route

if TYPE_CHECKING:
    from guardrails.server.messages import Request
    from guardrails.server.service import Service

PREFIX = "/ext_authz"
CALL = "tools/call"
ALLOWED = (b"x-guard-decision", b"allow")
DENIED = (b"x-guard-decision", b"deny")
HARMLESS = ("initialize", "ping", "tools/list", "server/discover")
"""Methods of MCP that do nothing, and read nothing that a policy could ask about; so do notifications."""


async def authorize(service: Service, request: Request) -> Answer:
    """Let a request through, or not."""
    event = _event(request)
    if event is None:
        return Answer(200, headers=(ALLOWED,))
    event |= _around(request)
    decision = await service.decide(event, request.caller, len(request.body))
    if passes(decision, event):
        return Answer(200, headers=(ALLOWED,))
    if decision.outcome is Outcome.ALLOW:
        await give_back(service, event, decision, request.caller)
    return _denied({"outcome": "deny", "message": refusal(decision), "request": decision.request})


def _event(request: Request) -> dict[str, Any] | None:
    """The call that a request is; None for what needs no decision. Raises `Problem` for what is not clear."""
    method, name = request.header(b"mcp-method"), request.header(b"mcp-name")
    message = _message(request, is_mcp=bool(method))
    if message is None:
        if not method:
            return _plain(request)
        return _mcp(method, name, {})
    said = message.get("method")
    if not isinstance(said, str):
        return None if {"result", "error"} & set(message) else _plain(request)
    params = message.get("params", {})
    params = params if isinstance(params, dict) else {}
    if method and (method != said or (said == CALL and name != params.get("name"))):
        raise Problem(403, "header_mismatch", "the headers of MCP do not say what the body says")
    return _mcp(said, params.get("name"), params.get("arguments", {}))


def _message(request: Request, *, is_mcp: bool) -> dict[str, Any] | None:
    """The message of JSON-RPC in the body; None where there is none."""
    if not request.body.strip():
        return None
    if not is_mcp and b'"jsonrpc"' not in request.body:
        return None
    value = json_of(request.body)
    if isinstance(value, list):
        raise Problem(403, "batch", "several messages at once are not decided", advice="send them one by one")
    if not isinstance(value, dict) or "jsonrpc" not in value:
        if is_mcp:
            raise Problem(403, "not_mcp", "the body is no message of MCP, and the headers say so")
        return None
    return value


def _mcp(method: str, name: Any, arguments: Any) -> dict[str, Any] | None:
    if method == CALL:
        return {"type": "call", "tool": name, "args": arguments}
    if method in HARMLESS or method.startswith("notifications/"):
        return None
    return {"type": "call", "tool": f"mcp.{method.replace('/', '.')}", "args": {}}


def _plain(request: Request) -> dict[str, Any]:
    path = request.path.removeprefix(PREFIX) or "/"
    args = {
        "method": request.method,
        "path": path,
        "host": request.header(b"host"),
        "query": request.scope["query_string"].decode("latin-1"),
    }
    return {"type": "call", "tool": f"http.{request.method.lower()}", "args": args}


def _around(request: Request) -> dict[str, Any]:
    found: dict[str, Any] = {}
    principal = request.header(b"x-guard-principal")
    session = request.header(b"x-guard-session") or request.header(b"mcp-session-id")
    if principal:
        found["principal"] = {"id": principal}
    if session:
        found["session"] = session
    return found


def _denied(body: dict[str, Any]) -> Answer:
    return told(body, 403, (DENIED,))


def plainly(problem: Problem, request: Request | None) -> Answer:
    """Without a decision it is denied; Envoy passes on what this says."""
    status = problem.status if problem.status in (401, 503) else 403
    return told({"outcome": "deny", "message": str(problem), "request": None}, status, (DENIED,))


ROUTES = tuple(
    Route("*", path, authorize, "agent", "Envoy: external authorization.", teller=plainly, listed=False)
    for path in (f"{PREFIX}/*", PREFIX)
)
