"""The homes that the contract is checked in, and a Redis of our own where no other is named."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from guardrails.stores import Store, open_store

HOMES = ["memory", "sqlite", "redis"]
CURE = "no Redis: install `redis-server` or `valkey-server`, or name one in GUARD_TEST_REDIS"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start_redis(program: str, port: int, folder: Path, *options: str) -> subprocess.Popen[bytes]:
    server = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes",
         "--appendfsync", "always", "--dir", str(folder), *options],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    for _ in range(200):
        if answers(port):
            return server
        time.sleep(0.05)
    server.kill()
    raise RuntimeError(f"{program} does not answer on port {port}")


def redis_program() -> str:
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail(CURE)
        pytest.skip(CURE)
    return program


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


@pytest.fixture(params=HOMES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "memory":
        return "memory:"
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/store.db"
    server = request.getfixturevalue("redis_url")
    return f"{server}?clock=caller&timeout=10&prefix=test-{uuid4().hex}"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    store = open_store(store_url)
    yield store
    store.close()
