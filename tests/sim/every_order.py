"""A tale in every order of its news, with a kill at every border between two phases.

The reply to our own call may be read before all news or after it. Each run is a tenant of its own in one database.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count, permutations
from typing import Final

from counterfoil.core.invariants import Breach, differences
from counterfoil.sim.crew import Flow, Step, Worker
from counterfoil.sim.desk import Desk
from counterfoil.sim.judge import books_of, check_rest
from counterfoil.sim.post import Parcel, Post
from counterfoil.sim.site import Site, open_site
from counterfoil.store import census
from counterfoil.store.database import Database, Row
from sim.tales import PART_BY_CREDITS, Tale, Teller

REPLY: Final = "reply"
HELD: Final = frozenset({"order.record", "order.look"})
"""The phases before which a reply lies unread."""


@dataclass(frozen=True, slots=True)
class Case:
    """A tale, an order of its news, and the border at which the process is killed; None for no kill."""

    news: tuple[str, ...]
    kill: int | None = None
    tale: Tale = PART_BY_CREDITS


def canonical(tale: Tale) -> list[tuple[str, ...]]:
    """Everything once, in every order, with the reply before all of it and after it."""
    return [order for each in permutations(tale.events) for order in ((REPLY, *each), (*each, REPLY))]


def with_one_missing(tale: Tale) -> list[tuple[str, ...]]:
    """One piece of news is lost for ever, the others come in every order."""
    return [
        (REPLY, *each)
        for lost in tale.losable
        for each in permutations(tuple(other for other in tale.events if other != lost))
    ]


def with_one_twice(tale: Tale) -> list[tuple[str, ...]]:
    """One piece of news comes twice, among the others in every order."""
    orders = {(REPLY, *each) for twice in tale.events for each in permutations((*tale.events, twice))}
    return sorted(orders)


def in_silence(tale: Tale) -> tuple[str, ...]:
    """Nothing that the provider sends arrives: our own calls are answered, and others still act."""
    return (REPLY, *tale.acts)


def everything(tale: Tale) -> list[tuple[str, ...]]:
    """Every order there is."""
    return [*canonical(tale), *with_one_missing(tale), *with_one_twice(tale)]


@dataclass(slots=True)
class Run:
    """One case under way: a worker that counts the borders it crosses, and dies at one of them."""

    site: Site
    tale: Tale
    kill: int | None
    worker: Worker
    post: Post
    about: str = ""
    borders: int = 0
    kept: dict[str, Parcel] = field(default_factory=dict)

    def play(self, news: tuple[str, ...]) -> None:
        """Play the tale; what is not told of is lost for ever."""
        self.about = self.tale.begin(Teller(self.site, Desk(self.site), self._quiet))
        self._work(hold_reply=True)
        for each in news:
            self._hear(each)
        self._end()

    def _quiet(self) -> None:
        """Let everything that is asked for be done and told, a second later too."""
        for _ in range(2):
            while self.post.bring_all() + self.worker.work():
                pass
            self.site.pass_time(timedelta(seconds=1))

    def _hear(self, item: str) -> None:
        if item == REPLY:
            self._work(hold_reply=False)
            return
        if item in self.tale.acts:
            self.tale.acts[item](self.site, self.about)
            self._work(hold_reply=True)
            return
        self._collect()
        if item not in self.kept:
            return  # The process died before the call that this event tells of; it is told of at the end.
        attempt = self.kept[item].attempt
        # Signed again each time, as the provider does: the kill may have cost a minute.
        self.site.provider.sandbox.record_attempt(attempt.delivery, None)
        self.site.deliver(attempt.headers, attempt.body)
        self._work(hold_reply=True)

    def _collect(self) -> None:
        self.post.collect()
        for parcel in self.post.under_way:
            self.kept.setdefault(parcel.attempt.event_type, parcel)
        self.post.under_way.clear()

    def _work(self, *, hold_reply: bool) -> None:
        """Work off what is due, but leave the reply to the confirmation unread while it is held."""
        while True:
            self.worker.claim()
            ready = [each for each in self.worker.flows if not (hold_reply and self._is_reply(each))]
            if not ready:
                return
            self._step(ready[0])

    def _step(self, flow: Flow) -> None:
        self.borders += 1
        if self.borders == self.kill:
            self.worker.crash()
            self.site.pass_time(self.site.house.settings.lease + timedelta(seconds=1))
            return
        step = self.worker.step(flow)
        assert step in (Step.WENT_ON, Step.ENDED), step

    def _is_reply(self, flow: Flow) -> bool:
        """Say whether this is a reply that tells of the money."""
        order = getattr(flow.phase, "order", None)
        return flow.name in HELD and order is not None and isinstance(order.instruction, self.tale.replies)

    def _end(self) -> None:
        """Let everything come to rest: leases run out, a sweep looks at what was never told."""
        for _ in range(2):
            self._work(hold_reply=False)
            self._collect()
            self.site.pass_time(timedelta(hours=1, seconds=1))
        self._work(hold_reply=False)


@dataclass(slots=True)
class Matrix:
    """Runs cases, and compares the books that each ends in with those of the first of its tale."""

    database: Database
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    books: dict[str, list[Row]] = field(default_factory=dict)
    runs: int = 0

    def run(self, case: Case) -> tuple[int, list[Breach]]:
        """Run a case; give the number of its borders and what is wrong with its end."""
        site = open_site(self.database, next(self.numbers))
        run = Run(site, case.tale, case.kill, Worker(site.house), Post(site))
        run.play(case.news)
        self.runs += 1
        ends = books_of(self.database, site)
        first = self.books.setdefault(case.tale.name, ends)
        breaches = [*check_rest(self.database, site), *differences(first, ends)]
        with self.database.transaction(site.tenant) as tx:
            census.take_off_the_queue(tx)
        return run.borders, breaches

    def with_every_kill(self, tale: Tale, news: tuple[str, ...]) -> list[tuple[Case, list[Breach]]]:
        """Run an order without a kill and with a kill at each of its borders; give the cases that went wrong."""
        borders, breaches = self.run(Case(news, tale=tale))
        wrong = [(Case(news, tale=tale), breaches)] if breaches else []
        for kill in range(1, borders + 1):
            case = Case(news, kill, tale)
            _, breaches = self.run(case)
            wrong += [(case, breaches)] if breaches else []
        return wrong
