"""A server on standard input and output that behaves as its argument says. Nothing but the standard library."""

import json
import os
import sys
import time

TOOL = {"name": "do", "description": "Does.", "inputSchema": {"type": "object"}}


def send(message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def answer(id: object, result: object) -> None:
    send({"jsonrpc": "2.0", "id": id, "result": result})


def text(said: str) -> dict[str, object]:
    return {"content": [{"type": "text", "text": said}]}


def call(id: object, how: str, arguments: dict[str, object]) -> None:
    if how == "dies":
        os._exit(3)
    if how == "hangs":
        return
    if how == "nan":
        sys.stdout.write(f'{{"jsonrpc":"2.0","id":{id},"result":{{"content":[],"x":NaN}}}}\n')
        sys.stdout.flush()
        return
    if how == "twice":
        sys.stdout.write(f'{{"jsonrpc":"2.0","id":{id},"result":{{"content":[],"content":[]}}}}\n')
        sys.stdout.flush()
        return
    if how == "huge":
        send({"jsonrpc": "2.0", "id": id, "result": text("x" * 20_000_000)})
        return
    if how == "garbage":
        print("Starting up...")
        print("[1, 2]")
        print('{"jsonrpc": "2.0"')
    if how == "shapeless":
        answer(id, {"content": "SECRET"})
        return
    answer(id, text(json.dumps(arguments)))


def main(how: str) -> None:
    for line in sys.stdin:
        message = json.loads(line)
        method, id = message.get("method"), message.get("id")
        if method == "initialize" and how == "mute":
            continue
        if method == "initialize":
            params = message["params"]
            answer(id, {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}},
                        "serverInfo": {"name": how, "version": "1"}})  # fmt: skip
        elif method == "tools/list":
            answer(id, {"tools": [TOOL]})
            if how == "deaf":
                time.sleep(600)
        elif method == "tools/call":
            call(id, how, message["params"].get("arguments") or {})
        elif id is not None and method is not None:
            send({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "no " + method}})
    if how == "stays":
        time.sleep(600)


main(sys.argv[1])
