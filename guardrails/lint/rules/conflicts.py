"""Statements that stand in each other's way, or say what another one said.

The order of statements means nothing and the strictest one wins, so a grant that a restriction always
overrules can never take effect; people who come from first-match rules write it all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from guardrails.diagnostics import Note
from guardrails.language import core, syntax
from guardrails.language.checked import Lowered, Requirement, Steps, keyword_of
from guardrails.lint.policy import Policy, Stated
from guardrails.lint.reach import Reach, patterns_of
from guardrails.lint.reasoning import Claim, Contradiction, contradiction
from guardrails.lint.registry import Finding, rule

MOST_OTHERS = 16
"""Restrictions that a statement is held against."""


@rule("G111", Policy)
def shadowed_allow(policy: Policy) -> Iterator[Finding]:
    """A grant that a restriction always overrules.

    **What.** Whenever the `allow` or `ask` applies, a `deny`, `halt` or `require` for the same tools refuses
    the call.

    **Why.** The strictest statement wins, wherever it stands; a more specific block does not override a
    general one. The grant looks like a permission and is none.

    **Avoid**
    ```guard
    on call "mail.*" { deny because "Mail is not sent by agents." }
    on call "mail.draft" { allow }
    ```

    **Prefer**
    ```guard
    on call "mail.*" { deny unless tool.name == "mail.draft" because "Mail is not sent by agents." }
    on call "mail.draft" { allow }
    ```
    """
    restrictions = Reach(stated for stated in policy.enforced if _restricts(stated))
    for stated in policy.enforced:
        if not isinstance(stated.effect, syntax.Allow | syntax.Ask):
            continue
        found = [_overruled(stated, others) for others in restrictions.covering(stated.block)]
        notes = [note for note in found if note is not None]
        if len(notes) == len(found):
            word = keyword_of(stated.effect)
            help = "the strictest statement wins, in whatever order they stand"
            yield Finding(stated.statement.span, f"this `{word}` never takes effect", help, (notes[0],))


def _restricts(stated: Stated) -> bool:
    return isinstance(stated.effect, syntax.Deny | syntax.Halt | syntax.Require)


def _overruled(stated: Stated, others: list[Stated]) -> Note | None:
    """The restriction that refuses whenever `stated` applies, as a note."""
    for other in others:
        if other.unconditional and not isinstance(other.effect, syntax.Require):
            return Note(other.statement.span, "this refuses every such call")
    condition = _condition(stated)
    if condition is None:
        return None
    reads = stated.policy.reads
    own = reads[stated.rule.index]
    near = [other for other in islice(others, MOST_OTHERS) if not own.isdisjoint(reads[other.rule.index])]
    if not near or contradiction([Claim(condition, True)], stated.policy.is_fixed):
        return None
    for other in near:
        left = _claim_left_by(other)
        if left is not None and _excludes(stated.policy, left, condition):
            return Note(other.statement.span, "this refuses whatever it would let through")
    return None


def _excludes(policy: Policy, left: Claim, condition: core.Core) -> bool:
    """Whether the two never hold together, though each of them may."""
    if contradiction([left], policy.is_fixed):
        return False
    return contradiction([Claim(condition, True), left], policy.is_fixed) is not None


def _condition(stated: Stated) -> core.Core | None:
    return stated.forms[0][1].condition if stated.forms else None


def _claim_left_by(other: Stated) -> Claim | None:
    """What must hold for a call that `other` lets through."""
    if not other.forms:
        return None
    form = other.forms[0][1]
    if isinstance(form.meaning, Requirement):
        return Claim(form.meaning.condition, True) if form.condition is None else None
    return Claim(form.condition, False) if form.condition is not None else None


@rule("G112", Policy)
def pointless_allow(policy: Policy) -> Iterator[Finding]:
    """An `allow` for calls that always need approval.

    **What.** An `ask` without a condition speaks of the same tools as the `allow`.

    **Why.** The strictest statement wins: every call is asked about, so the `allow` changes nothing. To free
    some calls from approval, the `ask` needs the condition.

    **Avoid**
    ```guard
    on call transfer {
      ask finance within 4h
      allow when args.amount < 10
    }
    ```

    **Prefer**
    ```guard
    on call transfer {
      ask finance within 4h unless args.amount < 10
      allow when args.amount < 10
    }
    ```
    """
    asks = Reach(s for s in policy.enforced if isinstance(s.effect, syntax.Ask) and s.unconditional)
    for stated in policy.enforced:
        covering = asks.covering(stated.block) if isinstance(stated.effect, syntax.Allow) else []
        if covering and all(covering):
            note = Note(covering[0][0].statement.span, "every call is asked about here")
            help = "put a condition on the `ask`, or remove the `allow`"
            yield Finding(stated.statement.span, "this `allow` changes nothing", help, (note,))


@rule("G113", Policy)
def redundant_allow(policy: Policy) -> Iterator[Finding]:
    """An `allow` with a condition beside one without.

    **What.** Another `allow`, without any condition, speaks of the same tools.

    **Why.** The condition is meant to limit what is allowed and limits nothing, because the other statement
    allows every call.

    **Avoid**
    ```guard
    on call search {
      allow
      allow when args.limit <= 10
    }
    ```

    **Prefer**
    ```guard
    on call search {
      allow when args.limit <= 10
    }
    ```
    """
    free = Reach(s for s in policy.enforced if isinstance(s.effect, syntax.Allow) and s.unconditional)
    for stated in policy.enforced:
        if not isinstance(stated.effect, syntax.Allow) or stated.unconditional:
            continue
        covering = free.covering(stated.block)
        if all(covering):
            note = Note(covering[0][0].statement.span, "every call is allowed here")
            help = "to limit what is allowed, put the condition on the other `allow` or into a `require`"
            yield Finding(
                stated.statement.span, "the condition of this `allow` limits nothing", help, (note,)
            )


@rule("G114", Policy)
def duplicate_statement(policy: Policy) -> Iterator[Finding]:
    """A statement that stands twice.

    **What.** Two statements for the same tools have the same conditions and the same effect.

    **Why.** One of them says nothing. Whoever changes one will miss the other, and for a restriction the
    older, stricter one then goes on to hold.

    **Avoid**
    ```guard
    on call transfer {
      allow when args.amount < 100
    }
    on call transfer {
      allow when args.amount < 100
    }
    ```

    **Prefer**
    ```guard
    on call transfer {
      allow when args.amount < 100
    }
    ```
    """
    seen: dict[object, Stated] = {}
    for stated in policy.stated:
        if not stated.forms:
            continue
        first = seen.setdefault(_identity(stated), stated)
        if first is not stated:
            note = Note(first.statement.span, "it stands here already")
            yield Finding(stated.statement.span, "this statement stands twice", "remove one of them", (note,))


def _identity(stated: Stated) -> object:
    form = stated.forms[0][1]
    patterns = frozenset(patterns_of(stated.block))
    return stated.block.point, patterns, stated.rule.shadow, form.condition, _meaning(form)


def _meaning(form: Lowered) -> object:
    """What a statement does, without places; bounds of a threshold are compared without its value."""
    if isinstance(form.meaning, Steps):
        return form.meaning.value, tuple((row.bound, row.verdict) for row in form.meaning.rows)
    return form.meaning


@rule("G115", Policy)
def contradictory_require(policy: Policy) -> Iterator[Finding]:
    """Requirements that no call can meet.

    **What.** A `require` is never true, or two of them for the same tools exclude each other.

    **Why.** Every call is denied, whatever its arguments are. A tool that is not to be used is better denied
    in so many words.

    **Avoid**
    ```guard
    on call transfer {
      ask finance within 4h
      require args.amount < 100 because "The amount is small."
      require args.amount > 500 because "Small amounts are not worth a transfer."
    }
    ```

    **Prefer**
    ```guard
    on call transfer {
      ask finance within 4h
      require args.amount < 500 because "The amount is small."
      require args.amount > 100 because "Small amounts are not worth a transfer."
    }
    ```
    """
    required = [s for s in policy.enforced if isinstance(s.effect, syntax.Require) and s.unconditional]
    reach = Reach(required)
    for stated in required:
        for others in reach.covering(stated.block):
            yield from _excluded(stated, [other for other in others if _stands_before(other, stated)])


def _stands_before(other: Stated, stated: Stated) -> bool:
    return other.rule.index < stated.rule.index


def _excluded(stated: Stated, others: Iterable[Stated]) -> Iterator[Finding]:
    fixed = stated.policy.is_fixed
    own = _claim_left_by(stated)
    if own is None:
        return
    alone = contradiction([own], fixed)
    if alone is not None:
        yield _never_met(alone)
        return
    for other in islice(others, MOST_OTHERS):
        left = _claim_left_by(other)
        if left is not None and _excludes(stated.policy, left, own.node):
            note = Note(other.statement.span, "this excludes it")
            yield Finding(
                stated.statement.span, "no call can meet this requirement and another one", "", (note,)
            )
            return


def _never_met(why: Contradiction) -> Finding:
    notes = (Note(why.second, "it excludes this condition"),) if why.second else ()
    return Finding(why.first, "no call can meet this requirement", "to refuse every call write `deny`", notes)
