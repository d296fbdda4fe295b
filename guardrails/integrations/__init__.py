"""Where agents already work: one policy behind the hooks of many hosts.

A host (Claude Code, Codex, ...) tells of a `Moment` at one of the points of `contract`; `judging` asks the policy;
`contract.fitted` turns the decision into the strictest thing that the host can do about it; the host's own
module in `hosts` reads what it says and writes what it wants to hear. The one idea: what a host cannot express
degrades downward only, so no host makes a policy weaker.
"""
