"""Settings of all tests: random tests draw the same examples every time, so that a red run says something
about the change and not about the draw. `GUARD_SOAK=1` draws anew. And the Redis that tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from redis_program import free_port, redis_program, start_redis

SLOW_MACHINE = [HealthCheck.too_slow]

settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=SLOW_MACHINE)
settings.register_profile("soak", deadline=None, suppress_health_check=SLOW_MACHINE)
settings.load_profile("soak" if os.environ.get("GUARD_SOAK") else "steady")


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    named = os.environ.get("GUARD_TEST_REDIS")
    if named:
        yield named
        return
    port = free_port()
    server = start_redis(redis_program(), port, tmp_path_factory.mktemp("redis"))
    yield f"redis://127.0.0.1:{port}/0"
    server.terminate()
    server.wait()
