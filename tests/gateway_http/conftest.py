"""Endpoints for tests: one that the tests of a module share, and others for those that need their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from http_scripted import Running


@pytest.fixture(scope="module")
def scripted() -> Iterator[Running]:
    running = Running()
    yield running
    running.stop()


@pytest.fixture
def run() -> Iterator[Callable[..., Running]]:
    """Starts endpoints of the test's own."""
    started: list[Running] = []

    def start(*args: Any, **options: Any) -> Running:
        started.append(Running(*args, **options))
        return started[-1]

    yield start
    for each in started:
        each.stop()
