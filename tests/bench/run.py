"""`make bench`: figures side by side, as medians and ratios of one run. Nothing here fails for being slow.

python tests/bench/run.py [SECTION ...] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib import import_module
from pathlib import Path

SECTIONS = {
    "decision": "one decision against the same checks by hand",
    "scale": "10 rules against 10,000",
    "parse": "reading large policies",
    "cold": "`guard check` as a cold process",
    "peers": "the same decision in other engines",
    "limits": "a decision with limits against one without",
    "stores": "limits in memory and in a file",
    "redis": "limits in Redis beside a bare script",
    "content": "outputs with redaction against outputs without",
    "redaction": "redaction of texts and streams",
    "detect": "detectors of secrets and of injection",
    "canonical": "reading paths, URLs, addresses, commands and queries",
    "formatter": "formatting policies",
    "provenance": "where values came from",
    "audit": "a durable log beside a bare group commit, a buffered one beside none",
    "audit-query": "queries of an audit log",
    "telemetry": "a decision with telemetry against one without",
    "server": "`guard serve` beside a bare application on the same server",
    "mcp": "a call through `guard mcp` beside a pump that passes lines on unread",
    "replay": "recorded events a second, beside reading and deciding them only",
    "suites": "`guard test`: its start, and cases a second",
}
MODULES = {
    "redis": "redis_store",
    "parse": "parsing",
    "canonical": "micro_canonical",
    "formatter": "micro_formatter",
    "audit-query": "audit_query",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Measure Guard, side by side with other ways to decide.",
        epilog="sections: " + "; ".join(f"{name}: {about}" for name, about in SECTIONS.items()),
    )
    parser.add_argument(
        "sections", nargs="*", metavar="SECTION", help="what to measure; all of it by default"
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    unknown = [name for name in options.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"there is no section `{unknown[0]}`; there are {', '.join(SECTIONS)}")
    figures = {name: measured(name) for name in options.sections or SECTIONS}
    if options.json:
        found = {"machine": machine(), "sections": figures}
        Path(options.json).write_text(
            json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def measured(name: str) -> list[dict[str, object]]:
    """Run one section, print its tables, and give them as data."""
    tables = import_module(MODULES.get(name, name)).run()
    for table in tables:
        print(f"[{name}] {table.text()}", flush=True)
    return [table.data() for table in tables]


def machine() -> dict[str, object]:
    return {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count()}


if __name__ == "__main__":
    main()
