"""The other commands of `guard`: what they do, and what they say when something is wrong."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest
from command_line import ANA, Command

TOOLS = Path(__file__).parents[1] / "data" / "tools"
BAD = "policy bad\non call x { allow when args.a = 1 }\n"


def test_init_writes_a_policy_that_works(guard: Command) -> None:

    starter = import_module("guardrails.cli.starter")
    assert guard("init", "new/place").code == 0
    linted = guard("lint", "new/place")
    assert (linted.code, linted.out) == (0, "no findings\n")
    assert guard("fmt", "--check", "new/place").code == 0
    tested = guard("test", "new/place", "--coverage", "--fail-under", "100")
    assert tested.code == 0, tested.out
    assert tested.out.startswith("12 passed")
    result = guard("check", "new/place/policy.guard", "--events", "new/place/events.jsonl")
    assert tuple(json.loads(line)["outcome"] for line in result.out.splitlines()) == starter.OUTCOMES


def test_init_overwrites_nothing(guard: Command, tmp_path: Path) -> None:
    (tmp_path / "tools.json").write_text("mine")
    result = guard("init")
    assert result.code == 64
    assert "`tools.json` exists already" in result.err
    assert not (tmp_path / "policy.guard").exists()
    assert (tmp_path / "tools.json").read_text() == "mine"


UGLY = "policy   a\non call x { allow  when args.n>3 } # why\n"


def test_fmt_formats_in_place(guard: Command, tmp_path: Path) -> None:
    path = tmp_path / "ugly.guard"
    path.write_text(UGLY)
    assert guard("fmt", "--check", "ugly.guard").code == 1
    assert guard("fmt", "--diff", "ugly.guard").out.startswith("--- ugly.guard\n+++ ugly.guard\n")
    assert path.read_text() == UGLY
    result = guard("fmt", "ugly.guard")
    assert (result.code, result.out) == (0, "formatted ugly.guard\n")
    assert path.read_text() != UGLY
    assert "# why" in path.read_text()
    assert guard("fmt", "--check", "ugly.guard").code == 0


def test_fmt_formats_standard_input(guard: Command) -> None:
    result = guard("fmt", "-", stdin=UGLY)
    assert (result.code, "args.n > 3" in result.out) == (0, True)
    assert guard("fmt", "-", stdin="policy").code == 1


def test_fmt_leaves_what_it_cannot_read(guard: Command, tmp_path: Path) -> None:
    (tmp_path / "bad.guard").write_text(BAD)
    result = guard("fmt", "bad.guard")
    assert result.code == 1
    assert "bad.guard:2:" in result.err
    assert (tmp_path / "bad.guard").read_text() == BAD


def test_explain_a_decision(guard: Command) -> None:
    args = '{"customer_id": "c9", "amount": 400}'
    words = ("explain", "--decision", "p.guard", "--call", "issue_refund", "--args", args, "--principal", ANA)
    result = guard(*words)
    assert result.code == 20
    assert "on call issue_refund  (p.guard:9:1)" in result.out
    assert "is violated: deny" in result.out
    assert 'args.customer_id = "c9"' in result.out
    assert 'principal.customers = ["c1"]' in result.out
    assert "applies: ask" in result.out
    assert "on output" not in result.out


def test_explain_a_decision_as_json(guard: Command) -> None:
    words = ("explain", "--decision", "p.guard", "--output", "fine", "--format", "json")
    statements = json.loads(guard(*words).out)["statements"]
    assert [(found["span"]["line"], found["state"]) for found in statements] == [
        (36, "applies"), (37, "does not apply"),
    ]  # fmt: skip
    assert statements[1]["reads"] == {"text": '"fine"'}


def test_explain_says_what_could_not_be_evaluated(guard: Command) -> None:
    result = guard("explain", "--decision", "p.guard", "--call", "mail.send")
    assert "could not be evaluated: `args.to` is missing; it grants nothing" in result.out
    assert "args.to = missing" in result.out


def test_explain_an_event_nobody_speaks_of(guard: Command) -> None:
    result = guard("explain", "--decision", "p.guard", "--call", "unheard_of")
    assert result.code == 20
    assert "no statement of the policy speaks of this event" in result.out


def test_tools_are_pinned_and_compared(guard: Command) -> None:
    assert guard("tools", "import", TOOLS / "mcp.json", "-o", "pinned.json").code == 0
    same = guard("tools", "import", TOOLS / "mcp.json", "--check", "pinned.json")
    assert (same.code, same.out) == (0, "every tool is as it was pinned\n")
    pinned = json.loads(Path("pinned.json").read_text())
    again = json.loads(guard("tools", "import", "-", stdin=Path("pinned.json").read_bytes()).out)
    assert again["tools"] == pinned["tools"]


def test_changed_tools_are_found(guard: Command, tmp_path: Path) -> None:
    tools = [{"name": name, "description": "d", "inputSchema": {"type": "object"}} for name in "abc"]
    (tmp_path / "before.json").write_text(json.dumps(tools))
    tools[1]["description"] = "another"
    tools[2]["name"] = "new"
    (tmp_path / "after.json").write_text(json.dumps(tools))
    result = guard("tools", "import", "after.json", "--check", "before.json")
    assert (result.code, result.out) == (1, "new new\nremoved c\nchanged b: description\n")
    report = json.loads(
        guard("tools", "import", "after.json", "--check", "before.json", "--format", "json").out
    )
    assert report == {"new": {"new": []}, "removed": {"c": []}, "changed": {"b": ["description"]}}


def test_a_bad_tool_file_is_malformed(guard: Command, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('{"tools": [}')
    result = guard("tools", "import", "t.json")
    assert result.code == 65
    assert "t.json:1:12" in result.err


def test_compile_fills_the_cache(guard: Command, tmp_path: Path) -> None:
    report = json.loads(guard("compile", "p.guard", "--format", "json").out)
    assert Path(report["program"]).parent == tmp_path / "cache"
    assert report["units"] > 0
    assert guard("compile", "p.guard").out.startswith("compiled ")


def test_compile_says_when_there_is_no_cache(guard: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARD_CACHE", "off")
    assert "the cache is off" in guard("compile", "p.guard").out


def test_compile_complains_when_the_cache_cannot_be_written(
    guard: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GUARD_CACHE", str(tmp_path / "file"))
    assert guard("compile", "p.guard").code == 74
    assert guard.refund(40).code == 0


def test_version(guard: Command) -> None:
    from guardrails.version import VERSION

    assert guard("version").out.startswith(f"guard {VERSION} ")
    assert json.loads(guard("version", "--format", "json").out)["guard"] == VERSION


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(guard: Command, shell: str) -> None:
    result = guard("completion", shell)
    assert result.code == 0
    assert "_GUARD_COMPLETE" in result.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("lnt",), "did you mean `lint`?"),
        (("frobnicate",), "there is no command `frobnicate`"),
        (("lint", "--fromat", "json", "."), "did you mean `--format`?"),
        (("lint", "--format", "xml", "."), "`xml` is not one of"),
        (("completion", "powershell"), "`powershell` is not one of"),
        (("completion",), "missing argument"),
        (("explain", "no-such-rule"), "there is no rule `no-such-rule`"),
        (("fmt",), "a file or folder to format is needed"),
        (("compile",), "a policy file is needed"),
        (("tools", "import", "nowhere.json"), "there is no file `nowhere.json`"),
        (("explain", "--decision", "p.guard", "--events", "-"), "one decision is explained at a time"),
    ],
)
def test_a_wrong_command_is_a_usage_error(guard: Command, words: tuple[str, ...], message: str) -> None:
    result = guard(*words)
    assert (result.code, result.out) == (64, "")
    assert message in result.err


def test_help_lists_every_exit_code(guard: Command) -> None:

    exits = import_module("guardrails.cli.exits")
    result = guard("--help")
    assert result.code == 0
    for code, meaning in exits.MEANINGS.items():
        assert f"{code}  {meaning}" in result.out


def test_nothing_to_do_shows_the_help(guard: Command) -> None:
    result = guard()
    assert (result.code, result.out) == (64, "")
    assert "Commands:" in result.err
