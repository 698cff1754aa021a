"""Notices decided and applied by one worker: a payment settles, with its state, journal, decision and event."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from time import perf_counter
from typing import Any, Final

import psycopg

from bench.taking import signed
from bench.template import AMOUNT, NEWS, SANDBOX, SLUG, Template, build, copy, renamed
from counterfoil.engine.intake import Accepted, IntakeLane
from counterfoil.providers.stripe.adapter import StripePort
from counterfoil.worker import loop
from counterfoil.worker.crew import Crew

REST_PATH: Final = "/v1/payment_intents/"


@dataclass(slots=True)
class Deciding:
    """So many payments settle, each by the news of `kinds`.

    The provider is asked by the real adapter, over a function that answers at once: requests, parsing and our own work
    count, the network and somebody else's server do not.
    """

    dsn: str
    template: Template
    numbers: "count[int]"
    amount: int
    name: str
    kinds: tuple[str, ...] = (NEWS,)

    def once(self) -> float:
        """Decide all of their news."""
        numbers = self._numbers()
        copy(self.dsn, self.template, numbers)
        house = build(self.dsn, instant_provider(self.template, numbers))
        before = _books(self.dsn)
        try:
            with IntakeLane(house) as lane:
                sent = [signed(self.template.webhook(number, kind)) for number in numbers for kind in self.kinds]
                answers = [lane.submit(SLUG, *each) for each in sent]
                assert all(isinstance(each.result(), Accepted) for each in answers)
            threads = loop.Pace().threads
            with Crew(house, threads) as crew:
                began = perf_counter()
                while loop.round_of_work(house, crew):
                    pass
                seconds = perf_counter() - began
        finally:
            house.database.close()  # type: ignore[attr-defined]
        self._check(before, _books(self.dsn))
        return len(sent) / seconds

    def _numbers(self) -> range:
        first = next(self.numbers)
        for _ in range(self.amount - 1):
            next(self.numbers)
        return range(first, first + self.amount)

    def _check(self, before: Mapping[str, int], after: Mapping[str, int]) -> None:
        """Every payment settled once, whatever the number of its news; every news has one decision."""
        grown = {name: after[name] - before[name] for name in after}
        assert grown == {
            "decided": self.amount * len(self.kinds),
            "decisions": self.amount * len(self.kinds),
            "applied": self.amount,
            "paid": self.amount,
            "received": self.amount * AMOUNT,
            "told": self.amount,
        }, grown


def _books(dsn: str) -> dict[str, int]:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            """
            select (select count(*) from inbox where source = 'webhook' and status = 'decided'),
                (select count(*) from decision d join inbox i on i.tenant = d.tenant and i.id = d.inbox
                    where i.source = 'webhook'),
                (select count(*) from decision d join inbox i on i.tenant = d.tenant and i.id = d.inbox
                    where i.source = 'webhook' and d.outcome = 'applied'),
                (select count(*) from invoice where status = 'paid'),
                (select coalesce(sum(amount), 0) from posting where debit like 'clearing:%' and entry like '%settled%'),
                (select count(*) from event where kind = 'invoice.paid')
            """
        ).fetchone()
    assert row
    names = ("decided", "decisions", "applied", "paid", "received", "told")
    return {name: int(value) for name, value in zip(names, row, strict=True)}


def instant_provider(template: Template, numbers: range) -> StripePort:
    """Give the real adapter over a provider that knows these copies' payments and answers at once."""
    from counterfoil.providers.stripe.inprocess import InProcessClient

    known = {renamed(template.ref, number): template.copied(template.intent, number).encode() for number in numbers}

    def answer(method: str, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        path = url.removeprefix(SANDBOX).partition("?")[0]
        assert (method, path[: len(REST_PATH)]) == ("GET", REST_PATH), url
        return 200, {}, known[path.removeprefix(REST_PATH)]

    client: Any = InProcessClient(answer)
    return StripePort(lambda: client)
