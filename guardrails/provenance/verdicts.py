"""Verdicts on where a value came from: its parts and the labels around them in, true, false or unknown out.

The one idea: each part of a value has alternatives, the sources that hold it. One trusted source is enough to
vouch for a part, and every part needs one; a part that nobody supplied was written by the model, and what the
model writes has the labels of all that it read.

    in {A}   every part has a source with one of the labels
    is L     some part has no source without the label
    has L    some part has a source with the label

A part too short or common to prove anything is known only as far as nothing in the session speaks otherwise
(law L2: an unknown takes a grant away and keeps a restriction).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from guardrails.provenance.parts import Part

VOUCHING = frozenset({"user", "records", "policy", "model"})
"""Labels that let somebody vouch for a value; `untrusted` takes them away."""


def joined(labels: Iterable[str], default: str) -> frozenset[str]:
    """The labels of one place, by all that was said of it: `untrusted` wins over whoever vouches, and where
    nobody said where it comes from, `default` does."""
    found = frozenset(labels)
    if "untrusted" in found:
        return found - VOUCHING
    return found if found & VOUCHING else joined(found | {default}, default)


def verdict(op: str, wanted: frozenset[str], parts: Sequence[Part], context: frozenset[str]) -> bool | None:
    """Whether the origin of a value is as asked; None where that cannot be known. `context` holds the labels
    of all that came into the session."""
    written = joined((context - VOUCHING) | {"model"}, "model")
    answers = [_ONE[op](wanted, part, written, context) for part in parts]
    decisive = op != "in"
    if decisive in answers:
        return decisive
    return None if None in answers else not decisive


def _vouched(
    wanted: frozenset[str], part: Part, written: frozenset[str], context: frozenset[str]
) -> bool | None:
    holders = _holders(part, written)
    found = any(labels & wanted for labels in holders)
    return None if found and part.weak else found


def _only(
    wanted: frozenset[str], part: Part, written: frozenset[str], context: frozenset[str]
) -> bool | None:
    if part.weak and not (context | written) & wanted:
        return False
    found = all(labels & wanted for labels in _holders(part, written))
    return None if part.weak and not found else found


def _some(
    wanted: frozenset[str], part: Part, written: frozenset[str], context: frozenset[str]
) -> bool | None:
    """What only untrusted text holds may still have been chosen by the model, out of many that were offered, for
    what it read in confidence; so it has the model's labels as well, unless somebody vouches for it."""
    if any(source.labels & wanted for source in part.sources):
        return True
    vouched = any(source.exact and source.labels & VOUCHING for source in part.sources)
    found = any(labels & wanted for labels in _holders(part, written))
    found = found or (not vouched and bool(written & wanted))
    return None if part.weak and not found and (context | written) & wanted else found


def _holders(part: Part, written: frozenset[str]) -> list[frozenset[str]]:
    """The labels of everybody who supplied the part as it is; the model's, where nobody did. What it was only
    made from is among what the model read."""
    exact = [source.labels for source in part.sources if source.exact]
    if exact:
        return exact
    related = frozenset().union(*(source.labels for source in part.sources)) - VOUCHING
    return [joined(written | related, "model")]


_ONE = {"in": _vouched, "is": _only, "has": _some}
