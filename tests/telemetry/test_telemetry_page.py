"""The page about telemetry is true: its examples run, and its table is the catalogue."""

from __future__ import annotations

from pathlib import Path

import pytest
from docs.blocks import ROOT, blocks_of

from guardrails.telemetry import catalogue as of

PAGE = "grammar/TELEMETRY.md"


def row(measure: of.Measure) -> str:
    labels = ", ".join(f"`{label}`" for label in measure.labels)
    return f"| `{measure.name}` | `{measure.exposed}` | {measure.kind} | {labels} | {measure.about} |"


def test_the_examples_of_the_page_print_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    printed = ""
    for block in blocks_of(PAGE):
        if block.note.startswith("file: "):
            (tmp_path / block.note.removeprefix("file: ")).write_text(block.text)
        elif block.kind == "python":
            code = compile("\n" * block.line + block.text, str(ROOT / PAGE), "exec")
            exec(code, names)
            printed = capsys.readouterr().out
        elif block.kind == "text":
            assert printed == block.text, f"{PAGE}:{block.line}"
            printed = ""
    assert printed == "", "what the last example prints stands below it"


def test_the_table_of_numbers_is_the_catalogue() -> None:
    lines = (ROOT / PAGE).read_text(encoding="utf-8").splitlines()
    begin = lines.index("| OpenTelemetry | Prometheus | kind | labels | what it says |") + 2
    table = [line for line in lines[begin:] if line.startswith("| `")][: len(of.MEASURES)]
    assert table == [row(measure) for measure in of.MEASURES]
    assert not lines[begin + len(table)].startswith("|")


def test_links_within_the_page_lead_somewhere() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    import re

    headings = {
        re.sub(r"[^\w -]", "", line[3:]).lower().replace(" ", "-")
        for line in text.splitlines()
        if line.startswith("## ")
    }
    assert set(re.findall(r"\]\(#([\w-]+)\)", text)) == headings
