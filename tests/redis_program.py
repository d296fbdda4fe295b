"""Starting a Redis of a test's own, or saying what is missing for it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

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
