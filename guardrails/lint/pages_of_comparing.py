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
