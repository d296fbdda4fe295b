"""A real audit log for the tests of queries: several sessions of several people, over several segments."""

from __future__ import annotations

from pathlib import Path

from guardrails import Guard
from guardrails.audit.log import AuditLog
from guardrails.runtime.usage import Usage

KEY = "a key for tests that nobody uses"

POLICY = """\
policy shop
type principal { id: string }
on call refund {
  small: allow when args.amount < 100
  big: deny when args.amount >= 100
}
on call "mail.*" { mails: allow }
on call wait { someone: ask finance }
on output { hidden: redact pii(EMAIL_ADDRESS) }
"""

SECRETS = ("lena@mail.test", "c-4711-private")


def filled(url: str, *, sessions: int = 4) -> None:
    """Write what some sessions do to the log at `url`."""
    log = AuditLog.open(url, key=KEY)
    guard = Guard.from_text(POLICY, audit=log)
    for number in range(sessions):
        session = guard.session(
            principal={"id": f"person-{number % 2}"}, agent={"id": f"bot{number % 3}"}, id=f"s-{number}"
        )
        decision = session.check_call("refund", {"amount": 5, "note": SECRETS[1]}, call_id="c1")
        session.check_result(
            "refund", {"ok": True}, args={"amount": 5}, call_id="c1", reservation=decision.reservation
        )
        session.check_call("refund", {"amount": 500}, call_id="c2")
        session.check_call("refund", {"amount": "many"}, call_id="c3")
        session.failed(
            "mail.send", {}, decision=session.check_call("mail.send", {}, call_id="c4"), call_id="c4"
        )
        session.check_call("wait", {}, call_id="c5")
        session.report(Usage("small", input_tokens=100, output_tokens=20))
        session.check_output(f"write to {SECRETS[0]}")
    guard.halt("tool:refund", by="ana", why="it pays twice")
    guard.resume("tool:refund")
    log.close()


def folder_of(path: Path) -> Path:
    """A log in segments of 4 KiB below `path`."""
    folder = path / "log"
    filled(f"file://{folder}?rotate=4096")
    return folder
