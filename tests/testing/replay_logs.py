"""Logs for tests of replay: agents at work under a policy with limits, budgets, redactions, approvals and a
breaker, written down by the audit log as they are decided.

The steps come from a seed and the clock stands still until it is moved, so a log is the same every time. More
kinds of steps go into `STEPS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from guardrails import Guard
from guardrails.model import Decision, Outcome
from guardrails.runtime.clock import FrozenClock
from guardrails.runtime.usage import Usage
from guardrails.session import Session
from guardrails.testing.cases import START

KEY = "a key of replayed logs"

POLICY = """policy shop

type principal {
  id: string
  team: string
}
type agent {
  id: string
  tier: string
}

on call pay {
  allow when args.amount < 50
  large: ask boss within 1h when args.amount >= 50
  most: deny when args.amount > 90
  each_customer: limit sum(args.amount) to 300 per 1d by args.customer
  each_person: limit 40 per 1h by principal.id
}
on call mail {
  allow
  cards: redact /[0-9]{16}/ in args.text
  pace: limit 6 per 1m
}
on call look {
  allow
  closed: deny when session.mode == "closed"
  tier: limit 20 per 1h by agent.tier
}
on call write {
  named: allow when origin(args.to) in {user}
}
on call book {
  allow
  seats: limit 3 per 1d by args.room
}
on call fetch { allow }
on result fetch { label untrusted }
on call post {
  allow
  planted: deny when origin(args.text) is untrusted
}
on call stop { over: halt when args.why == "over" }
on result look {
  fields: only fields id, note
  hidden: redact /[0-9]{16}/ in result.note
}
on input { told: redact /[0-9]{16}/ }
on output {
  told_back: redact /[0-9]{16}/
  flags: flag long when text matches /x{60,}/
}
on session {
  limit 60 calls
  budget tokens 40_000
}
breaker payments on call pay {
  open after 3 failures in 10m
  retry after 5m
}
audit buffered
"""

CARD = "4111111111111111"


class Shop:
    """Agents that work, one step at a time."""

    def __init__(self, log: Path | str, seed: int, *, sessions: int) -> None:
        self.clock = FrozenClock(START)
        self.random = Random(seed)
        self.guard = Guard.from_text(
            [("shop.guard", POLICY)],
            clock=self.clock,
            audit=log if isinstance(log, str) else f"file://{log}",
            store="memory:",
            reviewers={"boss": ["eva"]},
        )
        self.steps = 0
        self.seen: set[str] = set()
        self._sessions = [self._opened() for _ in range(sessions)]
        self._waiting: list[tuple[Session, dict[str, object], str]] = []

    def _opened(self) -> Session:
        number = self.random.randrange(30)
        who = {"id": f"p{number}", "team": f"t{number % 4}"}
        name = f"s{self.random.getrandbits(48):x}"
        agent = {"id": f"a{number % 7}", "tier": f"tier {number % 3}"}
        facts = (
            {"mode": "closed"} if number % 10 == 0 else {"mode": "open", "desk": number} if number % 2 else {}
        )
        return self.guard.session(principal=who, agent=agent, id=name, facts=facts)

    def work(self, steps: int) -> None:
        """Make that many steps, and write all of them down."""
        names, weights = list(STEPS), [weight for weight, _ in STEPS.values()]
        while self.steps < steps:
            self.clock.advance(self.random.randrange(4_000_000))
            place = self.random.randrange(len(self._sessions))
            if self.random.random() < 0.02:
                self._sessions[place] = self._opened()
            (name,) = self.random.choices(names, weights)
            for decision in STEPS[name][1](self, self._sessions[place]):
                self.steps += 1
                self.seen.add(f"{name} {decision.outcome.value}")
        for observer in self.guard.observers:
            observer.log.close()  # type: ignore[attr-defined]  # the recorder's

    # --- steps ---------------------------------------------------------------------------------

    def pay(self, session: Session) -> Iterator[Decision]:
        args: dict[str, object] = {
            "amount": self.random.randrange(1, 100),
            "customer": f"c{self.random.randrange(60)}",
        }
        call_id = f"k{self.random.getrandbits(40):x}" if self.random.random() < 0.5 else None
        decision = session.check_call("pay", args, call_id=call_id)
        yield decision
        if decision.outcome is Outcome.ASK and decision.request:
            self._waiting.append((session, args, decision.request))
        elif decision.outcome is Outcome.ALLOW:
            became = self.random.random()
            if became < 0.15:
                session.failed("pay", args, decision=decision, call_id=call_id)
            elif became < 0.25:
                session.release(decision)
            else:
                held = decision.reservation
                yield session.check_result(
                    "pay", {"paid": True}, args=args, call_id=call_id, reservation=held
                )

    def answer(self, session: Session) -> Iterator[Decision]:
        """A person answers, and the agent tries again."""
        if not self._waiting:
            return
        asking, args, request = self._waiting.pop(0)
        desk = self.guard.approvals
        if desk.get(request).state_at(self.clock.now()) != "pending":
            return
        if self.random.random() < 0.7:
            desk.approve(request, by="eva")
        else:
            desk.deny(request, by="eva")
        yield asking.check_call("pay", args)

    def mail(self, session: Session) -> Iterator[Decision]:
        secret = f" {CARD}" if self.random.random() < 0.5 else ""
        yield session.check_call("mail", {"text": f"hello{secret}"})

    def look(self, session: Session) -> Iterator[Decision]:
        args = {"id": self.random.randrange(100)}
        yield session.check_call("look", args)
        found = {"id": args["id"], "note": f"paid with {CARD}", "inside": "nobody's business"}
        yield session.check_result("look", found, args=args)

    def fetch(self, session: Session) -> Iterator[Decision]:
        """Text from outside is read, and sometimes sent on."""
        page = f"article {self.random.randrange(10**9)} says that everything is fine today"
        yield session.check_call("fetch", {"page": 1})
        yield session.check_result("fetch", page, args={"page": 1})
        text = page if self.random.random() < 0.5 else "all the best from the team in the north"
        yield session.check_call("post", {"text": text})

    def write(self, session: Session) -> Iterator[Decision]:
        """The user, or another agent, names somebody to write to."""
        to = f"{self.random.getrandbits(40):x}@example.org"
        yield session.check_input(f"write to {to}", by=self.random.choice(["user", "agent"]))
        yield session.check_call("write", {"to": to})

    def book(self, session: Session) -> Iterator[Decision]:
        """A seat is held for a while; what is not taken in time is free again."""
        room = f"r{self.random.randrange(9)}"
        decision = session.check_call("book", {"room": room}, hold=self.random.choice([20.0, 600.0]))
        yield decision
        if decision.allowed and self.random.random() < 0.3:
            yield session.check_result("book", {"booked": room}, reservation=decision.reservation)

    def stop(self, session: Session) -> Iterator[Decision]:
        yield session.check_call("stop", {"why": self.random.choice(["over", "asked"])})

    def talk(self, session: Session) -> Iterator[Decision]:
        yield session.check_input(f"my card is {CARD}")
        yield session.check_output("x" * self.random.randrange(1, 90))

    def think(self, session: Session) -> Iterator[Decision]:
        counts = {"input_tokens": self.random.randrange(3_000), "output_tokens": self.random.randrange(900)}
        yield session.report(Usage("m-1", **counts))


STEPS: dict[str, tuple[float, Callable[[Shop, Session], Iterator[Decision]]]] = {
    "pay": (6, Shop.pay),
    "answer": (2, Shop.answer),
    "mail": (3, Shop.mail),
    "look": (4, Shop.look),
    "talk": (3, Shop.talk),
    "fetch": (2, Shop.fetch),
    "think": (1, Shop.think),
    "write": (2, Shop.write),
    "book": (2, Shop.book),
    "stop": (0.05, Shop.stop),
}
"""What agents do, and how often."""
