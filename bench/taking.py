"""Webhooks taken in: signed, checked, stored, committed, answered. In process, and over HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from threading import Semaphore
from time import perf_counter
from typing import Final

import psycopg

from bench.sender import exchange, post
from bench.serving import served
from bench.template import SECRET, SLUG, Template, build
from counterfoil.engine.clock import SystemClock
from counterfoil.engine.intake import Accepted, IntakeLane, Rejected
from counterfoil.providers.stripe.signature import sign

AT_ONCE: Final = 256
"""How many webhooks are under way at a time, as a provider sends them after an outage."""
CONNECTIONS: Final = 64
FIRST: Final = 5_000_000
"""Copies that only webhooks name have numbers from here on; their payments are strangers to us."""

Signed = tuple[dict[str, str], bytes]


@dataclass(slots=True)
class Webhooks:
    """An endless supply of different webhooks, signed ahead of time: signing is the sender's work."""

    template: Template
    numbers: "count[int]"

    def take(self, amount: int) -> list[Signed]:
        """Give fresh webhooks."""
        return [signed(self.template.webhook(number)) for _, number in zip(range(amount), self.numbers, strict=False)]


def signed(body: bytes) -> Signed:
    """Sign a body as the provider does."""
    seconds = int(SystemClock().wall().timestamp())
    return {"Stripe-Signature": f"t={seconds},v1={sign(body, SECRET, seconds)}"}, body


def stored(dsn: str) -> int:
    """Count the webhooks that are stored whole: row, body and place in the queue, delivered once."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            """
            select count(*) from inbox i
            join raw_body b on b.tenant = i.tenant and b.inbox = i.id
            join work w on w.queue = 'inbox' and w.tenant = i.tenant and w.id = i.id
            where i.source = 'webhook' and i.deliveries = 1
            """
        ).fetchone()
    assert row
    return int(row[0])


def clear_queue(dsn: str) -> None:
    """Take what was accepted off the queue: others measure deciding."""
    with psycopg.connect(dsn) as connection:
        connection.execute("delete from work where queue = 'inbox'")


@dataclass(slots=True)
class InProcess:
    """The intake lane alone, with many webhooks under way."""

    dsn: str
    webhooks: Webhooks
    amount: int
    name: str = "webhooks accepted, in process"

    def once(self) -> float:
        """Accept them all."""
        sent = self.webhooks.take(self.amount)
        clear_queue(self.dsn)
        house = build(self.dsn)
        try:
            with IntakeLane(house) as lane:
                seconds = _accept_all(lane, sent)
        finally:
            house.database.close()  # type: ignore[attr-defined]
        assert stored(self.dsn) == self.amount, "not every webhook was stored once"
        clear_queue(self.dsn)
        return self.amount / seconds


def _accept_all(lane: IntakeLane, sent: Sequence[Signed]) -> float:
    under_way = Semaphore(AT_ONCE)
    answers = []
    began = perf_counter()
    for headers, body in sent:
        under_way.acquire()
        answer = lane.submit(SLUG, headers, body)
        answer.add_done_callback(lambda _: under_way.release())
        answers.append(answer)
    taken: list[Accepted | Rejected] = [answer.result() for answer in answers]
    seconds = perf_counter() - began
    assert all(isinstance(each, Accepted) and each.new for each in taken), "a webhook was turned away"
    return seconds


@dataclass(slots=True)
class OverHttp:
    """The webhook door of the application, served by one process, with a connection per sender."""

    dsn: str
    webhooks: Webhooks
    amount: int
    name: str = "webhooks accepted, over HTTP"

    def once(self) -> float:
        """Post them all."""
        clear_queue(self.dsn)
        with served("bench.serving", self.dsn) as port:
            sent = [_request(*each) for each in self.webhooks.take(self.amount)]
            answers = exchange(port, sent, CONNECTIONS)
        assert set(answers.statuses) == {200}, "a webhook was turned away"
        assert stored(self.dsn) == self.amount, "not every webhook was stored once"
        clear_queue(self.dsn)
        return self.amount / answers.seconds


def _request(headers: dict[str, str], body: bytes) -> bytes:
    return post(f"/webhooks/stripe/{SLUG}", body, **headers)
