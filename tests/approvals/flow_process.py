"""One process of a flow: `python flow_process.py URL ask|resume [APPROVAL]`. It is over before the next begins."""

from __future__ import annotations

import sys

from approving import REFUND, guard_of, session_of

from guardrails.cache import prepare_parser


def main(url: str, _: str, approval: str | None = None) -> None:
    prepare_parser()
    decision = session_of(guard_of(url)).check_call("refund", REFUND, approval=approval)
    print(decision.outcome.value, decision.request or decision.approval or "")


main(*sys.argv[1:])
