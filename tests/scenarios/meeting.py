"""Two transactions that meet: what a lock keeps apart, and what only hope does."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from counterfoil.store.database import Database, Tx


@dataclass(slots=True)
class Meeting:
    """A database whose transactions wait for each other before they commit, unless a lock keeps them apart."""

    database: Database
    barrier: threading.Barrier

    @contextmanager
    def transaction(self, tenant: str) -> Iterator[Tx]:
        with self.database.transaction(tenant) as tx:
            yield tx
            self._meet()

    @contextmanager
    def claims(self) -> Iterator[Tx]:
        with self.database.claims() as tx:
            yield tx

    @contextmanager
    def owner(self, tenant: str) -> Iterator[Tx]:
        with self.database.owner(tenant) as tx:
            yield tx

    @contextmanager
    def snapshot(self, tenant: str) -> Iterator[Tx]:
        with self.database.snapshot(tenant) as tx:
            yield tx

    def _meet(self) -> None:
        try:
            self.barrier.wait(0.5)
        except threading.BrokenBarrierError:
            self.barrier.reset()
