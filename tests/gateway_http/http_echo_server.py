"""A small MCP server over stdio, of the old era, that needs no SDK: it adds, and it sleeps (and makes a file then).

It does not begin while the file that its command line names is not there.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

TOOLS = [
    {"name": "add", "inputSchema": {"type": "object"}},
    {"name": "sleep", "inputSchema": {"type": "object"}},
    {"name": "change", "inputSchema": {"type": "object"}},
    {"name": "stop", "inputSchema": {"type": "object"}},
]


def result_of(method: str, params: dict[str, Any]) -> dict[str, Any]:
    if method == "initialize":
        info = {"name": "echo", "version": "1"}
        return {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {"listChanged": True}},
            "serverInfo": info,
        }
    if method == "tools/list":
        return {"tools": TOOLS}
    args = params.get("arguments", {})
    if params["name"] == "sleep":
        Path(args["begun"]).touch()
        time.sleep(60)
    if params["name"] == "change":
        say({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
    if params["name"] == "stop":
        raise SystemExit
    return {"content": [{"type": "text", "text": str(args.get("a", 0) + args.get("b", 0))}]}


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main() -> None:
    if sys.argv[1:] and not Path(sys.argv[1]).exists():
        raise SystemExit
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            continue
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": message["id"]}
        if message["method"] in ("initialize", "tools/list", "tools/call"):
            answer["result"] = result_of(message["method"], message.get("params") or {})
        else:
            answer["error"] = {"code": -32601, "message": "unknown"}
        say(answer)


if __name__ == "__main__":
    main()
