"""Answers: what people say to a request, and what that makes of it.

Takes a request, who answers and when; gives the next request, or a `Rejected` that says why the answer does not
count. The rules are here and nowhere else: who may answer is in a group that is asked now, is not the one who
asks (four eyes), answers once, and is in time. Any one of them can deny, and take back an approval of which
something is left.
"""

from __future__ import annotations

from dataclasses import replace

from guardrails.approvals.groups import Groups, same_person
from guardrails.approvals.request import WAITING, Answer, Request
from guardrails.errors import GuardError

VERDICTS = {"ask": ("approve", "deny"), "review": ("upheld", "wrong")}


class Rejected(GuardError):
    """An answer that does not count, and why."""


def answered(
    request: Request, answer: Answer, groups: Groups, *, lasting: int | None = None, once: bool = False
) -> Request:
    """The request after an answer. An approval holds for `lasting` microseconds at most; with `once` it is about
    the one call that the request shows, whatever the policy would let it be good for. Raises `Rejected`."""
    _check_verdict(request, answer)
    if answer.verdict == "deny" and request.state_at(answer.at) == "approved":
        return _withdrawn(request, answer, groups)
    _check_open(request, answer)
    _check_person(request, answer.by)
    if once and request.reuse is not None:
        request = replace(request, alone=f"{answer.by} answered for this call only")
    counts = _counts(request, answer, groups)
    _check_first(request, answer, counts)
    answer = replace(answer, counts=counts, shown=request.shown.get(answer.by))
    following = replace(request, answers=(*request.answers, answer))
    if answer.verdict == "deny":
        return following.closed("denied", answer.at, answer.reason)
    if answer.verdict != "approve":
        return following.closed(answer.verdict, answer.at, answer.reason)
    if lasting is not None:
        if lasting <= 0:
            raise Rejected("an approval has to hold for some time: give more than 0 seconds")
        following = replace(following, lasting=min(lasting, following.lasting))
    if following.unmet:
        return following
    return replace(following, state="approved", ended=answer.at, until=answer.at + following.lasting)


def _withdrawn(request: Request, answer: Answer, groups: Groups) -> Request:
    """An approval that is not used up, taken back by somebody who was asked for it."""
    _check_person(request, answer.by)
    names = tuple(
        dict.fromkeys(name for need in request.needs for name in (*need.reviewers, *need.otherwise))
    )
    if not any(
        answer.by in groups.of(need.asked(stage)) for need in request.needs for stage in range(need.stages)
    ):
        raise Rejected(_not_asked(answer.by, names, groups))
    answer = replace(answer, shown=request.shown.get(answer.by))
    return replace(request, answers=(*request.answers, answer)).closed("denied", answer.at, answer.reason)


def noted_as_shown(request: Request, by: str, now: int) -> Request:
    """The request, shown to somebody; the first time counts."""
    return request if by in request.shown else replace(request, shown={**request.shown, by: now})


def nobody(request: Request, groups: Groups, now: int) -> str:
    """Why a request can only run out, as things are; empty when enough people could answer it."""
    for need in request.unmet:
        names = need.asked(need.stage(request.created, now))
        able = [person for person in groups.of(names) if not _is_requester(request, person)]
        if len(able) < need.quorum:
            unknown = groups.unknown(names)
            group = ", ".join(f"`{name}`" for name in unknown or names) or "the reviewers"
            known = f"nobody is known in {group}" if unknown or not able else f"too few people are in {group}"
            return f"{known}: name {need.quorum} or more who are not the requester"
    return ""


def _check_verdict(request: Request, answer: Answer) -> None:
    if answer.verdict not in VERDICTS[request.kind]:
        allowed = " or ".join(f"`{verdict}`" for verdict in VERDICTS[request.kind])
        what = "a review" if request.kind == "review" else "a request"
        raise Rejected(f"{what} is answered with {allowed}, not with `{answer.verdict}`")


def _check_open(request: Request, answer: Answer) -> None:
    state = request.state_at(answer.at)
    if state not in WAITING:
        who = request.answers[-1].by if request.answers and state in ("approved", "denied") else ""
        raise Rejected(f"request {request.id} is {state} already{f' (by {who})' if who else ''}")


def _check_person(request: Request, by: str) -> None:
    if not isinstance(by, str) or not by.strip():
        raise Rejected("an answer needs the name of who gives it")
    if _is_requester(request, by):
        raise Rejected(f"`{by}` asks for it, and cannot answer it as well: four eyes are needed")


def _check_first(request: Request, answer: Answer, counts: tuple[tuple[int, int], ...]) -> None:
    """Nobody counts twice for the same; a change of mind is a denial."""
    before = {
        count for other in request.answers if same_person(answer.by, other.by) for count in other.counts
    }
    if answer.verdict == "approve" and before.issuperset(counts):
        raise Rejected(f"`{answer.by}` has approved request {request.id} already; somebody else is needed")


def _is_requester(request: Request, person: str) -> bool:
    asking = (request.subject.principal, request.subject.agent)
    return any(name is not None and same_person(person, name) for name in asking)


def _counts(request: Request, answer: Answer, groups: Groups) -> tuple[tuple[int, int], ...]:
    """The needs, at their present stage, that this person is asked for."""
    found: list[tuple[int, int]] = []
    asked: list[str] = []
    for index, need in enumerate(request.needs):
        stage = need.stage(request.created, answer.at)
        if answer.at >= need.ends(request.created):
            continue
        if answer.by in groups.of(need.asked(stage)):
            found.append((index, stage))
        asked += need.asked(stage)
    if not found:
        raise Rejected(_not_asked(answer.by, tuple(dict.fromkeys(asked)), groups))
    return tuple(found)


def _not_asked(by: str, names: tuple[str, ...], groups: Groups) -> str:
    if not groups.members:
        return (
            "nobody can answer: no reviewers are known; name them with `Guard.load(..., reviewers=...)`, "
            "`--reviewers FILE` or GUARD_REVIEWERS"
        )
    unknown = groups.unknown(names)
    if unknown:
        missing = ", ".join(f"`{name}`" for name in unknown)
        return f"`{by}` cannot answer: nobody is known in {missing}; add it to the reviewers"
    return (
        f"`{by}` is not asked: it takes somebody of {', '.join(f'`{name}`' for name in names) or 'a group'}"
    )
