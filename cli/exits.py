"""The exit codes of `guard`, in one place. 64 to 74 are those of BSD's sysexits."""

from __future__ import annotations

ALLOW = 0
FINDINGS = 1
ASK = 10
DENY = 20
HALT = 30
USAGE = 64
DATA = 65
POLICY = 66
INTERNAL = 70
IO = 74
INTERRUPTED = 130

OUTCOMES = {"allow": ALLOW, "ask": ASK, "deny": DENY, "halt": HALT}

MEANINGS = {
    ALLOW: "done; `check`: allowed",
    FINDINGS: "`lint`, `test`, `eval`, `replay`, `fmt --check`, `tools import --check` or `scan` found something; "
    "`audit verify` or `audit repair` found damage; `audit show` or `audit erase` found nothing of that name; "
    "`resume` found nothing halted; an answer to `approvals` did not count",
    ASK: "`check`: a person has to approve",
    DENY: "`check`: denied",
    HALT: "`check`: denied, and the session is halted",
    USAGE: "the command line is wrong",
    DATA: "an event, or a file of data or tests, is malformed",
    POLICY: "the policy does not load",
    INTERNAL: "a mistake in guard itself (GUARD_DEBUG=1 shows where)",
    IO: "a file or store cannot be read or written",
}
"""Exit code -> what it means; `guard --help` shows it."""
