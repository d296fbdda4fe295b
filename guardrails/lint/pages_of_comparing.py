"""Pages of what is found when a policy is held against something else: the policy in force, or a host."""

from __future__ import annotations

from typing import Final

COMPARING: Final[dict[str, tuple[str, str]]] = {
    "degraded-at-host": (
        "G244",
        """A statement that means less at a host than it says.

        **What.** `guard lint --target HOST` looks at a policy as the hook of that host enforces it. What the host cannot
        express becomes something stricter there: a redaction a denial, a question a denial with a request to wait for.

        **Why.** Nothing gets through that the policy would stop, but an agent is stopped where its policy would let a
        changed call go on.

        **Avoid.** Relying on the changed call at that host.

        **Prefer.** A statement that the host can carry out, or another host.
        """,
    ),
    "unknown-at-host": (
        "G245",
        """A tool that a host never calls by this name.

        **What.** `guard lint --target HOST` knows what the tools of a coding agent are called in policies: `run_command`,
        `read_file` and so on, the same words in all of them, `mcp.SERVER.TOOL` for a tool of an MCP server, and
        `other.NAME` for one that guard does not know. The policy names something else. Where its own tool file
        describes that tool, it is there for another door, and the finding only says so.

        **Why.** What the policy says of it holds for nothing at that host: a `deny` for a name that no call goes by
        stops no call.

        **Avoid.** `on call Bash { ... }` or `on call mcp__shop__buy { ... }`, as the host itself calls them.

        **Prefer.** `on call run_command { ... }`, which holds in every host, and `on call "mcp.shop.buy" { ... }`, which
        holds wherever a host says whose tool it is.
        """,
    ),
    "counter-lost": (
        "G076",
        """A limit that forgets what it has counted.

        **What.** `guard lint --against OLD` compares a policy with the one in force: a limit, budget or breaker
        has another label, another `by` or another window than there.

        **Why.** A store knows a counter by these three. Under another name it begins at nothing, so whoever has
        used up a limit gets all of it once more.

        **Avoid.** Renaming `daily: limit 3 per 1d` to `per_day: limit 3 per 1d`.

        **Prefer.** `per_day: limit 3 per 1d was daily`, which takes the counter over.
        """,
    ),
}
