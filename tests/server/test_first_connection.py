"""What whoever sets a server up for the first time does wrong, and what they are told."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from served import ENVIRONMENT, SCRIPT, make_key

from guardrails import Guard, Outcome
from guardrails.errors import EvaluationError
from guardrails.server.connection import ServerUnavailable


def refused(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(SCRIPT), "serve", *words]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=60, env=ENVIRONMENT
    )


def test_a_socket_whose_path_is_too_long_is_told_how_long_it_may_be(folder: Path) -> None:
    path = f"{folder}/{'a' * 120}.sock"
    done = refused(folder, "plain.guard", "--bind", f"unix:{path}")
    assert (done.returncode, done.stdout) == (64, "")
    assert f"has {len(path)} bytes" in done.stderr
    with pytest.raises(EvaluationError, match=f"has {len(path)} bytes"):
        Guard.connect(f"unix:{path}")


def test_an_address_with_its_scheme_is_told_how_to_write_it(folder: Path) -> None:
    done = refused(folder, "plain.guard", "--bind", "http://127.0.0.1:8181")
    assert done.returncode == 64
    assert "write `127.0.0.1:8181`" in done.stderr


def test_certificates_are_looked_at_before_anything_is_served(folder: Path) -> None:
    (folder / "cert.pem").write_text("no certificate\n")
    words = ("--tls-cert", "cert.pem", "--tls-key", "cert.pem", "--bind", "127.0.0.1:0")
    done = refused(folder, "plain.guard", *words)
    assert (done.returncode, done.stdout) == (74, "")
    assert "`cert.pem`" in done.stderr
    assert "_ssl.c" not in done.stderr


def test_a_store_that_does_not_answer_is_told_at_once(serve: Any) -> None:
    server = serve("plain.guard", "--store", "sqlite:/nowhere/at/all.db")
    assert server.get("/ready").status == 503
    code, err = server.stop()
    assert code == 0
    assert "guard serve: the store does not answer" in err
    assert "/nowhere/at/all.db" in err


def test_a_key_of_another_role_hears_all_roles_that_would_do(serve: Any, folder: Path) -> None:
    key = make_key(folder, "chat", "--role", "monitor")
    server = serve("plain.guard", "--keys", "keys.json")
    server.key = key
    for method, path, roles in (
        ("GET", "/v1/approvals", "desk or operator"),
        ("POST", "/v1/reload", "operator"),
        ("POST", "/v1/check", "agent or operator"),
    ):
        reply = server.ask(method, path, {} if method == "POST" else None)
        message = reply.json["error"]["message"]
        assert (reply.status, message) == (
            403,
            f"the key `chat` has the role monitor, and this takes {roles}",
        )


def test_frames_tell_who_sent_no_key_and_who_needs_none(serve: Any, folder: Path) -> None:
    key = make_key(folder, "bot")
    closed, open_ = f"unix:{folder}/closed.sock", f"unix:{folder}/open.sock"
    serve("plain.guard", "--keys", "keys.json", "--frames", closed)
    serve("plain.guard", "--frames", open_)
    assert Guard.connect(closed, key=key).session().check_call("ping", {}).outcome is Outcome.ALLOW
    assert Guard.connect(open_).session().check_call("ping", {}).outcome is Outcome.ALLOW
    with pytest.raises(ServerUnavailable, match="the server wants a key, and none was sent"):
        Guard.connect(closed).session().check_call("ping", {})
    with pytest.raises(ServerUnavailable, match="the key is not known"):
        Guard.connect(closed, key="guess").session().check_call("ping", {})
    with pytest.raises(ServerUnavailable, match="the server has no keys: leave the key out"):
        Guard.connect(open_, key=key).session().check_call("ping", {})


@pytest.mark.parametrize("word", ["principal", "agent"])
def test_a_name_is_no_principal(word: str) -> None:
    for guard in (Guard.from_text("policy p"), Guard.connect("unix:/nowhere.sock")):
        with pytest.raises(EvaluationError, match=f'`{word}` is a mapping, such as {{"id": "ana"}}'):
            guard.session(**{word: "ana"})  # type: ignore[arg-type]  # that is the mistake
