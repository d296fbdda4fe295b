"""Servers for tests: one that many tests share, and others for those that change something."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from served import Served, policies


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return policies(tmp_path)


@pytest.fixture
def serve(folder: Path) -> Iterator[Callable[..., Served]]:
    """Starts servers in the test's folder."""
    started: list[Served] = []

    def start(*words: str, **options: Any) -> Served:
        started.append(Served(folder, *words, **options))
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of the support policy, without keys, that all tests of a module ask."""
    folder = policies(tmp_path_factory.mktemp("served"))
    server = Served(folder, "support.guard", "--store", "memory:", "--metrics")
    yield server
    code, err = server.stop()
    assert code == 0, err
    assert "mistake" not in err, err
