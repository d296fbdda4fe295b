"""OTLP over HTTP, to a real receiver: what a collector gets from a process of its own."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from os import environ
from threading import Thread
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from telemetry_guards import POLICY

PROGRAM = f"""
from guardrails import Guard
guard = Guard.from_text({POLICY!r}, telemetry="otlp")
session = guard.session(principal={{"id": "ana"}}, agent={{"id": "bot"}}, id="s-1")
session.check_call("refund", {{"amount": 500, "note": "hunter2"}})
session.check_output("write to lena@mail.test")
"""


class Receiver:
    """Takes what is posted to it."""

    def __init__(self) -> None:
        self.got: dict[str, list[bytes]] = {}
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                receiver.got.setdefault(self.path, []).append(body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def messages(self, path: str, kind: Any) -> list[Any]:
        return [kind.FromString(body) for body in self.got.get(path, ())]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


def _run(receiver: Receiver, program: str, **more: str) -> None:
    named = {name: value for name, value in environ.items() if not name.startswith("OTEL_")}
    env = named | {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url} | more
    subprocess.run([sys.executable, "-c", program], env=env, check=True)


@pytest.mark.parametrize("ending", ["", "guard.telemetry.close()"])
def test_a_collector_gets_spans_and_numbers(receiver: Receiver, ending: str) -> None:
    _run(receiver, PROGRAM + ending)
    spans = [
        (span.name, {found.key: found.value.string_value for found in span.attributes})
        for message in receiver.messages("/v1/traces", ExportTraceServiceRequest)
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert [name for name, _ in spans] == ["apply_guardrail shop"] * 2
    assert spans[0][1]["guard.outcome"] == "deny"
    metrics = {
        metric.name: metric
        for message in receiver.messages("/v1/metrics", ExportMetricsServiceRequest)
        for resource in message.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    assert sum(point.as_int or point.as_double for point in metrics["guard.decisions"].sum.data_points) == 2
    assert metrics["guard.decision.duration"].histogram.data_points[0].count == 1
    assert b"hunter2" not in b"".join(body for bodies in receiver.got.values() for body in bodies)


def test_the_service_has_a_name(receiver: Receiver) -> None:
    _run(receiver, PROGRAM)
    (message,) = receiver.messages("/v1/traces", ExportTraceServiceRequest)
    named = {found.key: found.value.string_value for found in message.resource_spans[0].resource.attributes}
    assert named["service.name"] == "guard"
    receiver.got.clear()
    _run(receiver, PROGRAM, OTEL_SERVICE_NAME="support-agent")
    (message,) = receiver.messages("/v1/traces", ExportTraceServiceRequest)
    named = {found.key: found.value.string_value for found in message.resource_spans[0].resource.attributes}
    assert named["service.name"] == "support-agent"


def test_alarms_are_log_records(receiver: Receiver) -> None:
    program = f"""
from guardrails import Guard, telemetry
from guardrails.telemetry.otlp import exporting
watching = exporting(sensitivity=telemetry.Sensitivity(window=20, baseline=100, least=60))
guard = Guard.from_text({POLICY!r}, telemetry=watching)
session = guard.session(principal={{"id": "ana"}}, agent={{"id": "bot"}})
for _ in range(100): session.check_call("mail.send", {{}})
for _ in range(20): session.check_call("refund", {{"amount": 500}})
"""
    _run(receiver, program)
    events = {
        record.event_name
        for message in receiver.messages("/v1/logs", ExportLogsServiceRequest)
        for resource in message.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    }
    assert events == {"guard.alarm"}
