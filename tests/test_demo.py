"""The demo tells what it should, and notices when something happened that was not allowed."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from docs.blocks import ROOT

DEMO = ROOT / "policies" / "demo"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The demo as a module, next to the modules that it is made of."""
    monkeypatch.syspath_prepend(str(DEMO))
    return import_module("run")


def test_it_runs_from_anywhere_and_succeeds(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(DEMO / "run.py")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == (
        "The database and the folder hold exactly what was allowed, and nothing else."
    )
    assert "\x1b" not in done.stdout


def test_it_shows_every_outcome_with_its_reason(run: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main() == 0
    told = capsys.readouterr().out
    for outcome in ("allowed", "changed", "asked", "denied"):
        assert f"\n{outcome}" in told
    assert "waits for finance, and is not run before" in told
    assert "own_customer: require args.customer_id in principal.customers" in told
    assert "left out: margin, risk_score" in told


def test_a_refund_that_was_not_allowed_is_noticed(run: ModuleType, tmp_path: Path) -> None:
    shop = run.Shop(tmp_path / "shop.db")
    shop.issue_refund("c-17", "ORD-104233", 40, "EUR", "damaged")
    shop.send_email("lena@mail.test", "Your lamp", "40 EUR, to card ***1111.")
    assert all(expected == found for _, expected, found in run.compare_shop(shop))
    shop.issue_refund("c-99", "ORD-300777", 40, "EUR", "damaged")
    wrong = run.compare_shop(shop)
    assert [what for what, expected, found in wrong if expected != found] == ["refunds"]
    assert run.conclude(run.Story(), wrong) == 1


def test_a_file_that_was_not_allowed_is_noticed(run: ModuleType, tmp_path: Path) -> None:
    checkout = run.Checkout(tmp_path)
    before = checkout.files()
    checkout.write_file("src/app.py", 'print("hello")\n')
    checkout.write_file("docs/salaries.csv", "name,salary\neve,1\n")
    wrong = run.compare_checkout(checkout, before)
    assert [what for what, expected, found in wrong if expected != found] == ["files", "commands and pushes"]


def test_without_the_hook_the_tools_do_anything(run: ModuleType, tmp_path: Path) -> None:
    shop, checkout = run.Shop(tmp_path / "shop.db"), run.Checkout(tmp_path)
    shop.query_catalog("DROP TABLE orders; SELECT 1")
    assert shop.rows("select name from sqlite_master where name = 'orders'") == []
    assert checkout.read_file("docs/salaries.csv") == "name,salary\n"
