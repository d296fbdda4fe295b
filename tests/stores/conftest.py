"""The homes that the contract is checked in, and a Redis of our own where no other is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from guardrails.stores import Store, open_store

HOMES = ["memory", "sqlite", "redis"]


@pytest.fixture(params=HOMES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "memory":
        return "memory:"
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/store.db"
    server = request.getfixturevalue("redis_url")
    return f"{server}?clock=caller&timeout=10&prefix=test-{uuid4().hex}"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    store = open_store(store_url)
    yield store
    store.close()
