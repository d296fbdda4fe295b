"""One session in several threads: what any of them brought in, all of them know."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from guardrails import Guard
from guardrails.model import Outcome

POLICY = """
on call read { allow }
on result read { label untrusted }
on result book { label records }
on call wipe { allow; tainted: deny when context has untrusted }
on call pay { allow; payee: require origin(args.iban) in {user, records} }
on call count { allow; deny when count(result book) < 8 }
"""
THREADS = 8


def iban(number: int) -> str:
    return f"DE{number % 90 + 10}{370400440532013000 + number}"


@pytest.fixture(autouse=True)
def _often() -> Iterator[None]:
    """Threads take turns as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.parametrize("turn", range(6))
def test_results_that_come_at_once_are_all_known(turn: int) -> None:
    session = Guard.from_text(POLICY).session()
    session.check_input("Good morning")
    barrier = Barrier(THREADS)

    def work(number: int) -> tuple[bool, Outcome, Outcome]:
        barrier.wait(timeout=60)
        noted = session.check_result("book", [{"iban": iban(turn * 100 + number), "text": "word " * 200}])
        paid = session.check_call("pay", {"iban": iban(turn * 100 + number)})
        session.check_result("read", {"body": "hello there"})
        return noted.allowed, paid.outcome, session.check_call("wipe", {}).outcome

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(work, range(THREADS)))
    assert found == [(True, Outcome.ALLOW, Outcome.DENY)] * THREADS
    later = session.check_call("pay", {"iban": iban(turn * 100)})
    assert (later.outcome, later.errors) == (Outcome.ALLOW, ())
    assert session.check_call("count", {}).errors == ()
