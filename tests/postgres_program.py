"""Starting a PostgreSQL of a test's own, or saying what is missing for it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import mkdtemp

import pytest
from redis_program import free_port

CURE = "no PostgreSQL: install `postgresql`, or name a server in GUARD_TEST_POSTGRES"


def postgres_programs() -> Path:
    """The folder with `initdb` and `pg_ctl`."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    named = shutil.which("initdb")
    if not found and named is None:
        if os.environ.get("CI") == "true":
            pytest.fail(CURE)
        pytest.skip(CURE)
    return found[-1].parent if found else Path(str(named)).resolve().parent


class Postgres:
    """A server on a port of its own, whose data nobody needs afterwards. It refuses to run as root, so its folder
    is none of pytest's, which only their owner may enter."""

    def __init__(self) -> None:
        self._programs = postgres_programs()
        self._user = "postgres" if os.geteuid() == 0 else None
        self._folder = Path(mkdtemp(prefix="guard-postgres-"))
        self._data = self._folder / "data"
        self.port = free_port()
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        self._run("initdb", "-D", str(self._data), "-U", "guard", "--auth=trust", "-E", "UTF8", "--locale=C")
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=50"
        self._options = options
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql://guard@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        log = str(self._data / "server.log")
        self._run("pg_ctl", "-D", str(self._data), "-w", "-l", log, "-o", self._options, "start")

    def stop(self, how: str = "immediate") -> None:
        self._run("pg_ctl", "-D", str(self._data), "-m", how, "-w", "stop")

    def remove(self) -> None:
        """Stop, and leave nothing behind."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *words], user=self._user, cwd="/", stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"`{program}` failed with {done.returncode}")
