"""Jobs of the claim queue that do nothing: what the queue itself costs."""

from dataclasses import dataclass
from time import perf_counter

import psycopg

from bench.template import build
from counterfoil.worker import loop
from counterfoil.worker.crew import Crew

THREADS = 10


@dataclass(slots=True)
class Queueing:
    """Claims, leases and fences as the worker does it, of news that does not exist: each is claimed, looked up, and
    taken off the queue under its fence."""

    dsn: str
    tenant: str
    amount: int
    name: str = "no-op jobs of the claim queue"

    def once(self) -> float:
        """Work them all off."""
        with psycopg.connect(self.dsn) as connection:
            connection.execute(
                "insert into work (queue, tenant, id, due_at) "
                "select 'inbox', %s, 'job_' || n, '2026-01-01T00:00:00Z' from generate_series(1, %s) as n",
                (self.tenant, self.amount),
            )
        house = build(self.dsn)
        try:
            with Crew(house, THREADS) as crew:
                began = perf_counter()
                while loop.round_of_work(house, crew):
                    pass
                seconds = perf_counter() - began
        finally:
            house.database.close()  # type: ignore[attr-defined]
        with psycopg.connect(self.dsn) as connection:
            left = connection.execute("select count(*) from work where queue = 'inbox'").fetchone()
        assert left == (0,), "jobs were left on the queue"
        return self.amount / seconds
