"""How the server stands: alive, ready, and in numbers.

`/health` says that the process answers. `/ready` says that it can decide: the policy is loaded, and the store and the
audit log can be reached. Each looks anew, so that a balancer never sends work to who would only deny it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.errors import GuardError
from guardrails.server.messages import Answer, told
from guardrails.server.problems import Problem
from guardrails.server.routes import Route
from guardrails.server.schemas import ANY_OBJECT, STRING, record
from guardrails.version import VERSION

if TYPE_CHECKING:
    from guardrails.server.messages import Request
    from guardrails.server.service import Service


async def health(service: Service, request: Request) -> Answer:
    """The process answers."""
    return told({"status": "ok", "version": VERSION})


async def ready(service: Service, request: Request) -> Answer:
    """Whether it can decide."""
    parts = await service.apart(lambda: _parts(service))
    is_ready = all(part["ready"] for part in parts.values()) and not service.closing
    return told({"ready": is_ready, "closing": service.closing, **parts}, 200 if is_ready else 503)


def _parts(service: Service) -> dict[str, dict[str, Any]]:
    guard, problem = service.guard, service.problem
    policy = {"ready": True, "name": guard.name, "digest": guard.digest}
    if problem is not None:
        policy["problem"] = "the newest files do not load; the last good policy is in force"
    parts: dict[str, dict[str, Any]] = {"policy": policy}
    if guard.is_stateful:
        parts["store"] = _tried(lambda: guard.state.store.halts(now=guard.clock.now()))
    log = guard.audit
    if log is not None:
        parts["audit"] = _tried(log.home.head)
    return parts


def _tried(work: Any) -> dict[str, Any]:
    try:
        work()
    except GuardError as error:
        return {"ready": False, "problem": str(error)}
    return {"ready": True}


async def metrics(service: Service, request: Request) -> Answer:
    """All numbers, for Prometheus."""
    telemetry = service.guard.telemetry
    if telemetry is None:
        advice = "start the server with `--metrics`"
        raise Problem(404, "no_metrics", "nothing is counted here", advice=advice)
    from guardrails.telemetry import CONTENT_TYPE

    text = await service.apart(telemetry.prometheus)
    return Answer(200, text.encode(), CONTENT_TYPE.encode())


STATUS = record(("status", "version"), status=STRING, version=STRING)

ROUTES = (
    Route("GET", "/health", health, "", "The process answers.", gives=STATUS),
    Route("HEAD", "/health", health, "", "The same without a body.", listed=False),
    Route(
        "GET", "/ready", ready, "", "Policy, store and audit log are there.", gives=ANY_OBJECT, codes=(503,),
    ),
    Route(
        "GET", "/metrics", metrics, "monitor", "Numbers for Prometheus.", kind="text/plain", codes=(404,),
    ),
)  # fmt: skip
