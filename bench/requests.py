"""Spends over HTTP: one or many per request, from 256 connections; and the route that most would write."""

import json
from dataclasses import dataclass
from itertools import count, islice
from typing import Any, Final

import psycopg

from bench.sender import exchange, post
from bench.serving import served
from bench.spending import AMOUNT, EACH
from bench.wallets import Shop, Use, check, open_wallets

CONNECTIONS: Final = 256
PLAIN_CONNECTIONS: Final = (16, 64, 256)
PLAIN: Final = "FastAPI, one SQL call a spend"
RUNS: Final = count(1)


def http_name(per_request: int) -> str:
    """Give the name of a measurement of so many spends per request."""
    return f"spends over HTTP, one wallet, {per_request} a request"


@dataclass(slots=True)
class OverHttp:
    """The spend door of the application, served by one process, everybody drawing from one wallet."""

    shop: Shop
    per_request: int
    times: int

    @property
    def name(self) -> str:
        return http_name(self.per_request)

    def once(self) -> float:
        """Send them all, and check the wallet."""
        wallets = open_wallets(self.shop, 1, first_lots=self.times)
        run = next(RUNS)
        keys = iter([f"http-{run}-{number:06}" for number in range(self.times)])
        sent = [self._request(wallets[0], batch) for batch in iter(lambda: list(islice(keys, self.per_request)), [])]
        with served("bench.serving", self.shop.dsn) as port:
            answers = exchange(port, sent, CONNECTIONS)
        accepted = sum(
            self._accepted(status, body) for status, body in zip(answers.statuses, answers.bodies, strict=True)
        )
        assert accepted == self.times, f"{accepted} of {self.times} spends were accepted"
        check(self.shop, Use(wallets, self.times, EACH))
        return self.times / answers.seconds

    def _request(self, wallet: str, keys: list[str]) -> bytes:
        spends: list[dict[str, Any]] = [{"key": key, "wallet": wallet, "amount": AMOUNT} for key in keys]
        body = spends[0] if self.per_request == 1 else {"spends": spends}
        return post("/v1/spends", json.dumps(body).encode(), Authorization=f"Bearer {self.shop.key}")

    def _accepted(self, status: int, body: bytes) -> int:
        if self.per_request == 1:
            return status == 201
        return sum(each["status"] == 201 for each in json.loads(body)["data"]) if status == 200 else 0


@dataclass(slots=True)
class Plain:
    """FastAPI with one SQL call per spend: at its best of several numbers of connections."""

    dsn: str
    times: int
    spent: int = 0
    name: str = PLAIN

    def once(self) -> float:
        """Spend with few and with many connections, and give the best rate."""
        with served("bench.plain_api", self.dsn) as port:
            rates = [self._rate(port, connections) for connections in PLAIN_CONNECTIONS]
        self._check()
        return max(rates)

    def _rate(self, port: int, connections: int) -> float:
        body, run = json.dumps({"wallet": 1, "amount": EACH}).encode(), next(RUNS)
        sent = [post("/spends", body, Idempotency_Key=f"plain-{run}-{number:08}") for number in range(self.times)]
        answers = exchange(port, sent, connections)
        assert set(answers.statuses) == {201}, "a spend was refused"
        self.spent += self.times
        return self.times / answers.seconds

    def _check(self) -> None:
        with psycopg.connect(self.dsn) as connection:
            row = connection.execute(
                """
                select (select count(*) from bench_spend),
                    (select sum(amount) from bench_spend_entry where amount > 0),
                    (select sum(amount) from bench_spend_entry)
                """
            ).fetchone()
        assert row == (self.spent, self.spent * EACH, 0), f"the rival's books: {row}"
