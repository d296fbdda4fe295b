"""A minute under load while the policy changes every second: no error, no wrong verdict, no growth.

64 connections ask; two policies with different verdicts take turns. Whatever is answered has to be the whole decision of
one of the two: the verdict and the digest of the same one.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any

import pytest
from served import Served

from guardrails import Guard

SECONDS = float(os.environ.get("GUARD_SOAK_SECONDS", "60"))
CONNECTIONS = 64
MOST_GROWTH = 24_000_000
"""Bytes of memory between a quarter of the time and the end."""

ALLOWS = "policy turns\non call ping { allow }\n"
DENIES = 'policy turns\non call ping { deny because "Not now." }\n'
ASK = b'{"type": "call", "tool": "ping", "args": {"a": [1, 2, 3]}, "principal": {"id": "ana"}}'
POST = b"POST /v1/check HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(ASK) + ASK

SCRIPT = """
wrk.method = "POST"
wrk.body = %s
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init(args) seen = "" found = {} end
function response(status, headers, body)
  local outcome, policy = body:match('"outcome": "(%%a+)"'), body:match('"policy": "(sha256:%%x+)"')
  local key = status .. " " .. tostring(outcome) .. " " .. tostring(policy)
  found[key] = (found[key] or 0) + 1
  seen = ""
  for name, count in pairs(found) do seen = seen .. name .. " " .. count .. "\\n" end
end
function done(summary, latency, requests)
  for _, thread in ipairs(threads) do io.write("SEEN\\n" .. thread:get("seen")) end
  local e = summary.errors
  io.write(string.format("ERRORS %%d\\n", e.connect + e.read + e.write + e.timeout))
  io.write(string.format("P99 %%d\\n", latency:percentile(99)))
end
"""


def resident(server: Served) -> int:
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("there is no VmRSS")


@contextmanager
def changing(server: Served, path: Path, sizes: list[int]) -> Iterator[list[int]]:
    """The policy is another one every second, and the memory is looked at."""
    over, reloads = Event(), [0]

    def work() -> None:
        while not over.wait(1.0):
            reloads[0] += 1
            beside = path.with_suffix(".new")
            beside.write_text((ALLOWS, DENIES)[reloads[0] % 2])
            os.replace(beside, path)
            server.process.send_signal(signal.SIGHUP)
            sizes.append(resident(server))

    thread = Thread(target=work)
    thread.start()
    try:
        yield reloads
    finally:
        over.set()
        thread.join()


def load_by_wrk(server: Served, folder: Path) -> tuple[Counter[str], int, str]:
    """What was answered how often, the errors of connections, and more to be told."""
    script = folder / "ask.lua"
    script.write_text(SCRIPT % json.dumps(ASK.decode()))
    words = [
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{SECONDS:.0f}s",
        "--latency",
        "-s",
        str(script),
        server.address,
    ]
    done = subprocess.run(
        [*words[:-1], f"{words[-1]}/v1/check"],
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS + 60,
    )
    seen: Counter[str] = Counter()
    for line in done.stdout.partition("SEEN\n")[2].splitlines():
        name, _, count = line.rpartition(" ")
        if name.startswith(("2", "4", "5")):
            seen[name] += int(count)
    errors = int(done.stdout.partition("ERRORS ")[2].split()[0])
    return seen, errors, f"p99 {int(done.stdout.partition('P99 ')[2].split()[0]) / 1000:.1f} ms"


def load_by_hand(server: Served, folder: Path) -> tuple[Counter[str], int, str]:
    return asyncio.run(_load(server.port))


async def _load(port: int) -> tuple[Counter[str], int, str]:
    seen: Counter[str] = Counter()
    end = monotonic() + SECONDS

    async def client() -> int:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            while monotonic() < end:
                writer.write(POST)
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                body = json.loads(await reader.readexactly(length))
                seen[f"{head.split()[1].decode()} {body.get('outcome')} {body.get('policy')}"] += 1
            writer.close()
        except OSError:
            return 1
        return 0

    return seen, sum(await asyncio.gather(*(client() for _ in range(CONNECTIONS)))), ""


@pytest.mark.soak
@pytest.mark.parametrize("load", [load_by_wrk, load_by_hand], ids=["wrk", "by hand"])
def test_reloads_under_load(serve: Any, folder: Path, load: Any, capsys: pytest.CaptureFixture[str]) -> None:
    if load is load_by_wrk and shutil.which("wrk") is None:
        pytest.skip("there is no wrk here; the load by hand is the same with fewer requests")
    path, sizes = folder / "turns.guard", list[int]()
    path.write_text(ALLOWS)
    known = {
        f"200 {outcome} {Guard.from_text([('turns.guard', text)]).digest}"
        for outcome, text in (("allow", ALLOWS), ("deny", DENIES))
    }
    server = serve("turns.guard", "--no-watch")
    with changing(server, path, sizes) as reloads:
        seen, errors, more = load(server, folder)
    code, err = server.stop()
    early, late = max(sizes[: len(sizes) // 4 + 1]), max(sizes[-3:])
    with capsys.disabled():
        rate = sum(seen.values()) / SECONDS
        print(
            f"\n{load.__name__}: {sum(seen.values()):,} answers ({rate:,.0f}/s), {reloads[0]} reloads, {errors} errors,"
            f" memory {early / 1e6:.1f} MB -> {late / 1e6:.1f} MB {more}"
        )
    assert set(seen) == known, seen
    assert min(seen.values()) > 0.05 * sum(seen.values())
    assert errors == 0
    assert reloads[0] >= SECONDS * 0.5
    assert late - early < MOST_GROWTH
    assert (code, "mistake" in err) == (0, False), err
