"""One story in every order of its events, with a kill at every border between two phases.

The story: an invoice of 100, 30 of it by credits and 70 by card. The provider tells of it by four events; our own call
has a reply. Each run is a tenant of its own in one database.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count, permutations
from typing import Final

from counterfoil.core.invariants import Breach, differences
from counterfoil.sim.crew import Flow, Step, Worker
from counterfoil.sim.desk import Desk, read
from counterfoil.sim.judge import books_of, check_rest
from counterfoil.sim.post import Parcel, Post
from counterfoil.sim.site import Site, open_site
from counterfoil.store import census
from counterfoil.store.database import Database, Row

EVENTS: Final = ("payment_intent.created", "charge.succeeded", "charge.updated", "payment_intent.succeeded")
REPLY: Final = "reply"


@dataclass(frozen=True, slots=True)
class Case:
    """An order of the news, and the border at which the process is killed; None for no kill."""

    news: tuple[str, ...]
    kill: int | None = None


def canonical() -> list[tuple[str, ...]]:
    """Every event once, in every order, with the reply before them all and after them all."""
    return [order for each in permutations(EVENTS) for order in ((REPLY, *each), (*each, REPLY))]


def with_one_missing() -> list[tuple[str, ...]]:
    """One event is lost for ever, the others come in every order."""
    return [(REPLY, *each) for each in permutations(EVENTS, len(EVENTS) - 1)]


def with_one_twice() -> list[tuple[str, ...]]:
    """One event comes twice, among the others in every order."""
    orders = {(REPLY, *each) for twice in EVENTS for each in permutations((*EVENTS, twice))}
    return sorted(orders)


def everything() -> list[tuple[str, ...]]:
    """Every order there is."""
    return [*canonical(), *with_one_missing(), *with_one_twice()]


@dataclass(slots=True)
class Run:
    """One case under way: a worker that counts the borders it crosses, and dies at one of them."""

    site: Site
    kill: int | None
    worker: Worker
    post: Post
    borders: int = 0
    kept: dict[str, Parcel] = field(default_factory=dict)

    def play(self, news: tuple[str, ...]) -> None:
        """Play the story; what is not told of is lost for ever."""
        desk = Desk(self.site)
        customer = self._customer(desk)
        wallet = read(desk.wallet(customer))["id"]
        desk.grant(customer, wallet, 3000)
        invoice = read(desk.draft(customer, 10000))["id"]
        desk.finalize(invoice)
        desk.pay(invoice, key="pay")
        self._work(hold_reply=True)
        for each in news:
            self._hear(each)
        self._end()

    def _customer(self, desk: Desk) -> str:
        customer: str = read(desk.customer("dana"))["id"]
        desk.method(customer, "pm_card_visa")
        while self.post.bring_all() + self.worker.work():
            pass
        self.site.pass_time(timedelta(seconds=1))
        while self.post.bring_all() + self.worker.work():
            pass
        return customer

    def _hear(self, item: str) -> None:
        if item == REPLY:
            self._work(hold_reply=False)
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
        """Say whether this is the reply that tells of the money: the record of the confirmation."""
        return flow.name == "order.record" and bool(self.site.provider.charges())

    def _end(self) -> None:
        """Let everything come to rest: leases run out, a sweep looks at what was never told."""
        for _ in range(2):
            self._work(hold_reply=False)
            self._collect()
            self.site.pass_time(timedelta(hours=1, seconds=1))
        self._work(hold_reply=False)


@dataclass(slots=True)
class Matrix:
    """Runs cases, and compares the books that each ends in with those of the first."""

    database: Database
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    books: list[Row] | None = None
    runs: int = 0

    def run(self, case: Case) -> tuple[int, list[Breach]]:
        """Run a case; give the number of its borders and what is wrong with its end."""
        site = open_site(self.database, next(self.numbers))
        run = Run(site, case.kill, Worker(site.house), Post(site))
        run.play(case.news)
        self.runs += 1
        ends = books_of(self.database, site)
        self.books = self.books or ends
        breaches = [*check_rest(self.database, site), *differences(self.books, ends)]
        with self.database.transaction(site.tenant) as tx:
            census.take_off_the_queue(tx)
        return run.borders, breaches

    def with_every_kill(self, news: tuple[str, ...]) -> list[tuple[Case, list[Breach]]]:
        """Run an order without a kill and with a kill at each of its borders; give the cases that went wrong."""
        borders, breaches = self.run(Case(news))
        wrong = [(Case(news), breaches)] if breaches else []
        for kill in range(1, borders + 1):
            case = Case(news, kill)
            _, breaches = self.run(case)
            wrong += [(case, breaches)] if breaches else []
        return wrong
