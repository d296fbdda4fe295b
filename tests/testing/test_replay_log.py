"""Replaying a log under the policy that wrote it changes no decision: in one process, in many, and on clusters.

The log is a real one, of agents at work under limits, budgets, a breaker, redactions, labels, approvals and halts.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from guardrails.cli.replay import command
from replay_logs import KEY, POLICY, STEPS, Shop
from replay_pools import recipe
from test_replay_parts import told

from guardrails.testing.replay_files import chunks_of, recording
from guardrails.testing.replay_items import APPROVED, REDACTED, REJECTED, SEALED
from guardrails.testing.replay_opening import segments
from guardrails.testing.replay_running import Account, Order, Pool, Processes, replay

pytest.importorskip("cryptography", reason="an audit log seals its bodies")

FEW = 2_500
MANY = 100_000


@pytest.fixture(scope="module")
def key() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GUARD_AUDIT_KEY", KEY)
        yield KEY


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory, key: str) -> Path:
    return written(tmp_path_factory.mktemp("log") / "log", FEW, sessions=20)


def written(folder: Path, steps: int, *, sessions: int) -> Path:
    shop = Shop(folder, 7, sessions=sessions)
    shop.work(steps)
    outcomes = {what.split()[1] for what in shop.seen}
    assert outcomes == {"allow", "ask", "deny", "halt"}
    assert {what.split()[0] for what in shop.seen} == set(STEPS)
    return folder


def order(log: Path, policy: str = POLICY, *, old: str | None = None) -> Order:
    files = segments(str(log))
    assert files is not None
    recordings = tuple(replace(recording(file, "audit"), log=f"file://{log}") for file in files)
    return Order(recordings, recipe(policy), None if old is None else recipe(old), old is None)


def in_pool(log: Path, pool: AbstractContextManager[Pool], *, stretch: int = 200_000) -> Account:
    with pytest.MonkeyPatch.context() as patch, pool as opened:
        patch.setitem(chunks_of.__kwdefaults__, "size", stretch)
        return replay(order(log), opened)


@pytest.fixture(scope="module")
def account(log: Path) -> Account:
    """What comes out of it in this process, under the policy that wrote it."""
    return replay(order(log))


def test_no_decision_changes(account: Account) -> None:
    review = account.review
    assert account.bad == []
    assert review.altered == 0, review.changes
    assert review.moves.total() == 0
    assert review.events >= FEW
    assert review.compared > 0.9 * FEW
    assert {REDACTED, APPROVED, REJECTED} <= set(review.reasons)
    assert not review.unlike, "what is redacted, approved, rejected or sealed comes out as it was"


def test_another_policy_is_told_from_it(log: Path) -> None:
    """The comparison can fail: each of these policies decides some of the log otherwise."""
    for before, after in (
        ("limit 60 calls", "limit 12 calls"),
        ("args.amount > 90", "args.amount > 80"),
        ("to 300 per 1d", "to 200 per 1d"),
        ("  planted: deny", "  planted: flag seen"),
        ('session.mode == "closed"', 'session.mode == "open"'),
        ("limit 20 per 1h by agent.tier", "limit 20 per 1h by agent.id"),
        ("in {user}", "in {records}"),
        ("limit 3 per 1d by args.room", "limit 2 per 1d by args.room"),
    ):
        changed = POLICY.replace(before, after)
        assert changed != POLICY
        assert replay(order(log, changed)).review.altered > 0, after


def test_processes(log: Path, account: Account) -> None:
    found = in_pool(log, Processes(2))
    assert told(found.review) == told(account.review)
    assert found.parts == 8
    assert found.largest > 1


def dask() -> AbstractContextManager[Any]:
    from guardrails.testing.replay_dask import Dask

    return Dask(size=2)


def ray() -> AbstractContextManager[Any]:
    from guardrails.testing.replay_ray import Ray

    return Ray(size=2)


CLUSTERS: dict[str, tuple[str, Callable[[], AbstractContextManager[Any]]]] = {
    "dask": ("distributed", dask),
    "ray": ("ray", ray),
}


def cluster(name: str) -> AbstractContextManager[Any]:
    """A real one, started here."""
    package, made = CLUSTERS[name]
    if find_spec(package) is None:
        pytest.skip(f"the package `{package}` is not installed: pip install 'guard-policy[{name}]'")
    return made()


@pytest.mark.parametrize("name", CLUSTERS)
def test_clusters(log: Path, account: Account, name: str) -> None:
    assert told(in_pool(log, cluster(name)).review) == told(account.review)


def test_a_change_is_reviewed_by_a_log(log: Path) -> None:
    """Both policies decide what is recorded; people's answers hold for both."""
    looser = POLICY.replace("limit 6 per 1m", "limit 60 per 1m")
    review = replay(order(log, looser, old=POLICY)).review
    assert review.changed["tightened"] == 0
    assert {change.statement for change in review.changes} == {"shop.pace"}
    assert review.reasons[APPROVED] > 0


def test_without_the_key_bodies_stay_sealed(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARD_AUDIT_KEY", "another key, which fits nothing")
    policy = tmp_path / "shop.guard"
    policy.write_text(POLICY, encoding="utf-8")
    words = [str(log), "--policy", str(policy), "--against", "recorded", "--max-changes", "0"]
    result = CliRunner().invoke(command, words, standalone_mode=False)
    assert result.return_value == 0, result.output
    assert f"({SEALED})" in result.output


def test_the_command(log: Path, key: str, tmp_path: Path) -> None:
    policy = tmp_path / "shop.guard"
    policy.write_text(POLICY, encoding="utf-8")
    words = [str(log), "--policy", str(policy), "--against", "recorded", "--max-changes", "0", "--jobs", "1"]
    result = CliRunner().invoke(command, words, standalone_mode=False)
    assert result.return_value == 0, result.output
    assert "no event is decided otherwise" in result.output
    policy.write_text(POLICY.replace("args.amount > 90", "args.amount > 80"), encoding="utf-8")
    result = CliRunner().invoke(command, words, standalone_mode=False)
    assert result.return_value == 1
    assert "FAILED: " in result.output


@pytest.mark.soak
def test_a_hundred_thousand(tmp_path: Path, key: str) -> None:
    """Everywhere: the log of 100,000 steps, in one process, in all of them, over Dask and over Ray."""
    log = written(tmp_path / "log", MANY, sessions=400)
    whole = replay(order(log)).review
    assert whole.events >= MANY
    assert whole.altered == 0, whole.changes
    assert not whole.unlike
    assert {REDACTED, APPROVED, REJECTED, SEALED} == set(whole.reasons)
    assert told(in_pool(log, Processes(os.cpu_count() or 2), stretch=4 << 20).review) == told(whole)
    for name, (package, _) in CLUSTERS.items():
        if find_spec(package) is not None:
            assert told(in_pool(log, cluster(name), stretch=4 << 20).review) == told(whole), name
