"""The sidecar: one policy for every process and language that can speak HTTP, or frames on a Unix socket.

    service    the guard and all that belongs to it        ← keys, reading, problems
    app        a plain ASGI object: request → route → answer
    checks …   the native API                              (checks, sessions, streams, operating, standing)
    authzen …  dialects of others                          (opa, claude_code, litellm, agentgateway, envoy)
    serving    sockets, workers, signals                   (binding, patience, quick, workers, frames)
    serverless the application as a function of a gateway
    remote     a guard behind a socket                     (remote_session, remote_streams, remote_desk, connection)

The one law: whatever goes wrong is an explicit refusal, in the words of the dialect that was spoken.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from guardrails.server.app import App
    from guardrails.server.keys import Keys
    from guardrails.server.serverless import handler
    from guardrails.server.service import Service, Settings

__all__ = ["App", "Keys", "Service", "Settings", "handler"]

_HOMES = {"App": "app", "Keys": "keys", "Service": "service", "Settings": "service", "handler": "serverless"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
