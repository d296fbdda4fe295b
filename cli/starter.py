"""What `guard init` writes: a small support agent's policy, its tools, its tests, and events to try it on."""

from __future__ import annotations

POLICY = """\
# What the support agent may do. Every call is denied unless a statement here allows it.
#
#   guard lint .                                        is the policy sound?
#   guard test                                          does it decide what its tests expect?
#   guard check policy.guard --events events.jsonl      what does it decide?
policy support

# The tools' own definitions: they give every argument its type, so that a typing error in a field's name is
# found when the policy is linted, and not when money has left.
use tools "tools.json"

# Whom the agent works for; the application says so in every session.
type principal {
  id: string
  customers: set<string>
}

# Parameters can be set where the policy is used, without editing it.
param max_refund: decimal = 500

let our_domains = {"example.com", "example.org"}

on call get_order {
  allow
}

on call issue_refund {
  # A restriction holds whatever else allows the call, and also when a field is missing.
  own_customer: require args.customer_id in principal.customers
    because "The agent may only touch customers that are assigned to it."

  currency: require args.currency == "EUR" because "Refunds are paid in euros."

  threshold args.amount {
    up to 100: allow
    up to max_refund: ask finance within 4h else head_of_finance
    above: deny because "Refunds of this size are not delegated to agents."
  }
}

on call send_email {
  internal: allow when args.to.domain in our_domains
  outside: ask support_lead within 1h unless args.to.domain in our_domains
}

# Card numbers do not leave in answers.
on output {
  redact /[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}/
}
"""

TOOLS = """\
{
  "tools": [
    {
      "name": "get_order",
      "description": "Look up an order.",
      "inputSchema": {
        "type": "object",
        "properties": {"order_id": {"type": "string"}},
        "required": ["order_id"]
      },
      "annotations": {"readOnlyHint": true}
    },
    {
      "name": "issue_refund",
      "description": "Pay money back to a customer.",
      "inputSchema": {
        "type": "object",
        "properties": {
          "customer_id": {"type": "string"},
          "amount": {"type": "number", "minimum": 0},
          "currency": {"type": "string", "enum": ["EUR", "USD"]}
        },
        "required": ["customer_id", "amount", "currency"]
      },
      "annotations": {"readOnlyHint": false, "destructiveHint": true}
    },
    {
      "name": "send_email",
      "description": "Send an e-mail to one person.",
      "inputSchema": {
        "type": "object",
        "properties": {
          "to": {"type": "string", "format": "email"},
          "subject": {"type": "string"},
          "body": {"type": "string"}
        },
        "required": ["to", "subject", "body"]
      },
      "annotations": {"readOnlyHint": false}
    }
  ]
}
"""

TESTS = """\
# What the policy has to decide, case by case. Run it with `guard test`; with `--coverage` it also says what of the
# policy no case shows, and `guard test --generate` writes cases for that.
policy: policy.guard

principals:
  ana: {id: ana, customers: [c-17, c-18]}
defaults: {principal: ana}

cases:
  - name: everybody may look up orders
    call: get_order
    args: {order_id: o-1}
    expect: allow

  - name: a tool that no statement allows
    call: delete_order
    args: {order_id: o-1}
    expect: deny

  # A table stands for one case for each of its rows: here the last value of each step, and the first one after it.
  - name: refunds by their size
    call: issue_refund
    args: {customer_id: c-17, amount: "${amount}", currency: EUR}
    expect: "${outcome}"
    table:
      - {amount: 100, outcome: allow}
      - {amount: 100.01, outcome: ask}
      - {amount: 500, outcome: ask}
      - {amount: 500.01, outcome: deny}

  - name: somebody else's customer
    call: issue_refund
    args: {customer_id: c-99, amount: 40, currency: EUR}
    expect:
      outcome: deny
      by: [own_customer]
      message: {contains: assigned to it}

  - name: another currency
    call: issue_refund
    args: {customer_id: c-17, amount: 40, currency: USD}
    expect: {outcome: deny, by: [currency]}

  # What cannot be evaluated never loosens a decision. An error that is expected is named.
  - name: a refund of nobody knows how much
    call: issue_refund
    args: {customer_id: c-17, currency: EUR}
    expect: {outcome: deny, errors: [missing]}

  - name: mail within the company
    call: send_email
    args: {to: bo@example.com, subject: Hello, body: "..."}
    expect: {outcome: allow, applied: [internal]}

  - name: mail to anybody else
    call: send_email
    args: {to: bo@elsewhere.test, subject: Hello, body: "..."}
    expect: {outcome: ask, by: [outside], approvals: [{reviewers: [support_lead], within: 1h}]}

  - name: card numbers do not leave
    output: "The card 4111 1111 1111 1111 was charged."
    expect: {outcome: allow, payload: "The card [REDACTED] was charged."}
"""

_EVENTS = (
    ("get_order", '{"order_id": "o-1"}'),
    ("issue_refund", '{"customer_id": "c-17", "amount": 40, "currency": "EUR"}'),
    ("issue_refund", '{"customer_id": "c-17", "amount": 250, "currency": "EUR"}'),
    ("issue_refund", '{"customer_id": "c-99", "amount": 40, "currency": "EUR"}'),
    ("delete_order", '{"order_id": "o-1"}'),
    ("send_email", '{"to": "bo@example.com", "subject": "Hello", "body": "..."}'),
)
_ANA = '{"id": "ana", "customers": ["c-17", "c-18"]}'
_CALL = '{{"type": "call", "tool": "{tool}", "args": {args}, "principal": {principal}}}\n'
_OUTPUT = '{"type": "output", "text": "The card 4111 1111 1111 1111 was charged."}\n'

EVENTS = "".join(_CALL.format(tool=tool, args=args, principal=_ANA) for tool, args in _EVENTS) + _OUTPUT

OUTCOMES = ("allow", "allow", "ask", "deny", "deny", "allow", "allow")
"""What the starter policy decides about its events."""

FILES = {"policy.guard": POLICY, "tools.json": TOOLS, "policy.test.yaml": TESTS, "events.jsonl": EVENTS}

NEXT = """
next:
  {place}guard lint .
  guard test
  guard check policy.guard --events events.jsonl --format text
  guard explain --decision policy.guard --call issue_refund --args '{{"customer_id": "c-99", "amount": 40}}'
"""
