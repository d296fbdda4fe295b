"""The HTTP server: uvicorn, set up alike for whatever guard serves.

Takes an application and the protocol that reads its connections; gives a server that leaves signals to whoever
runs it, says nothing of its own accord, and believes no header about where a request comes from.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def uvicorn_server(application: Any, protocol: Any, *, grace: int, **more: Any) -> Any:
    """A server for an application. `grace` is how many seconds open requests have when it ends; `more` are
    settings of uvicorn, such as those of TLS."""
    from uvicorn import Config, Server

    class Quiet(Server):
        """Leaves signals to us."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    return Quiet(
        Config(
            application,
            http=protocol,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=grace,
            backlog=2048,
            **more,
        )
    )
