"""Ids of decisions differ, among threads and processes too."""

from __future__ import annotations

import os
import re

from guardrails.audit.ids import new_id


def test_ids_are_of_one_shape_and_differ() -> None:
    found = [new_id() for _ in range(5_000)]
    assert all(re.fullmatch("[0-9a-f]{32}", id) for id in found)
    assert len({id[:16] for id in found}) == len(set(found)) == len(found)


def test_a_child_process_has_ids_of_its_own() -> None:
    new_id()  # so that some are drawn already
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, new_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 64).decode() not in {new_id() for _ in range(1_000)}
