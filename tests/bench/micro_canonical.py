"""What it costs to read a text into its canonical value, new or seen before; for information."""

from __future__ import annotations

from typing import Any

from measuring import Contender, compare
from tables import Seconds, Table

from guardrails.errors import EvaluationError
from guardrails.functions import read

SAMPLES = {
    "path": ("/workspace/notes/{}.md", "/workspace/../etc/{}"),
    "url": ("https://acme.com/orders?id={}", "HTTPS://ACME.com:443/a/../{}"),
    "host": ("w{}.acme.com", "xn--bcher-kva.w{}.de"),
    "email": ("ann{}@acme.com", '"Ann, B" <ann{}@acme.com>'),
    "sql": (
        "SELECT id FROM orders WHERE id = {}",
        "SELECT a.id FROM a JOIN b ON a.id = b.id; DROP TABLE c{}",
    ),
    "shell": ("ls -la /workspace/{}", "cat a{}.txt | grep b && rm -rf /tmp"),
}
"""Type -> a plain text and an awkward one, each to be filled in with a number."""

DIFFERENT = 20_000
"""Texts of each kind, more than any cache holds."""


def run() -> list[Table]:
    table = Table("reading a text as a type", ("type", "text", "new", "seen before"))
    for kind, samples in SAMPLES.items():
        for sample in samples:
            new = Contender("new", reading, [(kind, sample.format(number)) for number in range(DIFFERENT)])
            seen = Contender("seen", reading, [(kind, sample.format(0))])
            compare([new, seen])
            table.add(kind, sample.format(5), Seconds(new.cost), Seconds(seen.cost))
    return [table]


def reading(kind: str, text: str) -> Any:
    """The value, or the error that says why there is none."""
    try:
        return read(kind, text)
    except EvaluationError as error:
        return error
