"""Servers of a test's own: one that can be killed, paused and started again, one with TLS, and a Cluster."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import redis
from redis_program import answers, free_port, redis_program, start_redis

SECOND = 1_000_000


class Server:
    """A Redis that writes down what it does before it says so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.start()

    def start(self) -> None:
        self.process = start_redis(redis_program(), self.port, self.folder)
        with redis.Redis(port=self.port, socket_timeout=5) as client:
            wait_until(lambda: _loaded(client))

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.go_on()
        self.process.kill()
        self.process.wait()

    def url(self, timeout: float) -> str:
        return f"redis://127.0.0.1:{self.port}/0?timeout={timeout}"


class Cluster:
    """Three nodes without replicas, each with a third of the slots."""

    def __init__(self, folder: Path) -> None:
        self.ports = [_cluster_port() for _ in range(3)]
        program = redis_program()
        self.processes = []
        for port in self.ports:
            place = folder / str(port)
            place.mkdir()
            self.processes.append(start_redis(program, port, place, "--cluster-enabled", "yes"))
        _join(self.ports)
        self.clients = [redis.Redis(port=port) for port in self.ports]
        for client in self.clients:
            wait_until(lambda client=client: client.cluster("INFO")["cluster_state"] == "ok")

    def url(self, port: int) -> str:
        return f"redis://127.0.0.1:{port}/0?cluster=yes&timeout=5"

    def owner(self, slot: int) -> int:
        """The place of the node that has the slot."""
        for start, end, node, *_ in self.clients[0].execute_command("CLUSTER SLOTS"):
            if start <= slot <= end:
                return self.ports.index(int(node[1]))
        raise LookupError(slot)

    def name(self, place: int) -> str:
        name: bytes = self.clients[place].execute_command("CLUSTER MYID")
        return name.decode()

    def begin_to_move(self, slot: int, source: int, target: int) -> None:
        self.clients[target].execute_command(f"CLUSTER SETSLOT {slot} IMPORTING {self.name(source)}")
        self.clients[source].execute_command(f"CLUSTER SETSLOT {slot} MIGRATING {self.name(target)}")

    def move_keys(self, slot: int, source: int, target: int, *, most: int = 1_000) -> None:
        keys = self.clients[source].execute_command(f"CLUSTER GETKEYSINSLOT {slot} {most}")
        port = self.ports[target]
        self.clients[source].execute_command("MIGRATE", "127.0.0.1", port, "", 0, 5_000, "KEYS", *keys)

    def finish_move(self, slot: int, target: int) -> None:
        name = self.name(target)
        for client in self.clients:
            client.execute_command(f"CLUSTER SETSLOT {slot} NODE {name}")

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


class Sealed:
    """A server that only talks TLS, with a certificate made for the day."""

    def __init__(self, folder: Path) -> None:
        openssl = shutil.which("openssl")
        if openssl is None:
            missing("no openssl: install `openssl` to test TLS")
        self.certificate, key = folder / "guard.crt", folder / "guard.key"
        subprocess.run(
            [str(openssl), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key),
             "-out", str(self.certificate), "-days", "2", "-subj", "/CN=guard test",
             "-addext", "subjectAltName=IP:127.0.0.1"],
            check=True, capture_output=True,
        )  # fmt: skip
        self.port = free_port()
        self.process = start_redis(
            redis_program(), self.port, folder, "--port", "0", "--tls-port", str(self.port), "--tls-cert-file",
            str(self.certificate), "--tls-key-file", str(key), "--tls-auth-clients", "no",
        )  # fmt: skip

    def url(self, *, trusted: bool = True) -> str:
        trust = f"&ssl_ca_certs={self.certificate}" if trusted else ""
        return f"rediss://127.0.0.1:{self.port}/0?timeout=5{trust}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def missing(cure: str) -> None:
    """Skip for want of something, which nobody may do where all tests have to run."""
    if os.environ.get("CI") == "true":
        pytest.fail(cure)
    pytest.skip(cure)


def wait_until(done: Any) -> None:
    for _ in range(400):
        if done():
            return
        time.sleep(0.05)
    raise RuntimeError("the server is not ready")


def _loaded(client: Any) -> bool:
    try:
        return bool(client.ping())
    except redis.exceptions.RedisError:
        return False


def _cluster_port() -> int:
    """A port whose neighbour 10,000 above, where nodes talk to each other, is free too."""
    for _ in range(100):
        port = free_port()
        port = port if port < 55_000 else port - 20_000
        if not answers(port) and not answers(port + 10_000):
            return port
    raise RuntimeError("no free ports")


def _join(ports: list[int]) -> None:
    program = shutil.which("redis-cli") or shutil.which("valkey-cli")
    if program is None:
        missing("no redis-cli: install `redis-tools` or `valkey-tools` to test a Cluster")
    nodes = [f"127.0.0.1:{port}" for port in ports]
    subprocess.run(
        [str(program), "--cluster", "create", *nodes, "--cluster-yes"], check=True, capture_output=True
    )
