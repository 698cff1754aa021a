"""Lanes: what waits together is committed together.

A commit costs more than what is in it. So whatever arrives while a lane is writing is collected and written in one
transaction as soon as that write is done. There is no timer: an idle lane writes at once, a busy one collects.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

from counterfoil.engine.pending import Pending
from counterfoil.store.database import CommitUnknown, DatabaseUnavailable

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one batch may hold, and how many items may wait for theirs."""

    batch: int = 256
    batch_bytes: int = 4 * 1024 * 1024
    waiting: int = 4096


@dataclass(frozen=True, slots=True)
class Waiting(Generic[Item, Answer]):
    """An item on its way into a batch, what it weighs in bytes, and where its answer goes."""

    item: Item
    weight: int
    answer: "Future[Answer]"


class Lane(Generic[Item, Answer]):
    """Writes items in batches, in the order they came; each is answered after its commit.

    One batch at a time, unless `hands` says that more may be under way: one more begins when half a batch waits.

    `write` stores a batch in one transaction and gives an answer for each item. When it fails, the items are written
    one by one, so that only what can't be written fails. A database that is gone is told to everyone who waits.
    `deliver` gives a batch its answers, each into its own future when nothing else is said.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Sequence[Answer]],
        executor: Executor,
        limits: Limits,
        deliver: "Callable[[Sequence[Waiting[Item, Answer]], Sequence[Answer]], None] | None" = None,
        hands: int = 1,
    ) -> None:
        self._write = write
        self._deliver = deliver or _deliver_singly
        self._executor = executor
        self._limits = limits
        self._queue: deque[Waiting[Item, Answer]] = deque()
        self._lock = Lock()
        self._hands = hands
        self._busy = 0

    def put(self, waiting: Waiting[Item, Answer]) -> bool:
        """Let an item into the lane. False when too many wait already; it is then not written."""
        return self.put_all([waiting])

    def put_all(self, items: Sequence[Waiting[Item, Answer]]) -> bool:
        """Let items into the lane side by side. False when too many wait already; none of them is then written."""
        with self._lock:
            if len(self._queue) + len(items) > self._limits.waiting:
                return False
            if self._needs_hand(len(self._queue) + len(items)):
                # First, because it raises when the lane's owner is closing: then nothing has been taken in.
                self._executor.submit(self._drain)
                self._busy += 1
            self._queue.extend(items)
        return True

    def _needs_hand(self, waiting: int) -> bool:
        return not self._busy or (self._busy < self._hands and 2 * waiting >= self._limits.batch)

    def _drain(self) -> None:
        while batch := self._take():
            self._flush(batch)

    def _take(self) -> list[Waiting[Item, Answer]]:
        """Take the next batch; an empty one lets the hand go."""
        batch: list[Waiting[Item, Answer]] = []
        weight = 0
        with self._lock:
            while self._queue and len(batch) < self._limits.batch:
                weight += self._queue[0].weight
                if batch and weight > self._limits.batch_bytes:
                    break
                batch.append(self._queue.popleft())
            self._busy -= not batch
        return batch

    def _flush(self, batch: list[Waiting[Item, Answer]]) -> None:
        try:
            answers = self._write([each.item for each in batch])
        except (DatabaseUnavailable, CommitUnknown) as error:
            _fail(batch, error)
        except Exception as error:
            # Whatever it is, it belongs to one of the items: the others must not suffer for it.
            if len(batch) == 1:
                _fail(batch, error)
            else:
                self._flush_singly(batch)
        else:
            self._deliver(batch, answers)

    def _flush_singly(self, batch: list[Waiting[Item, Answer]]) -> None:
        for index, each in enumerate(batch):
            self._flush([each])
            gone = each.answer.exception() if each.answer.done() else None
            if isinstance(gone, DatabaseUnavailable):
                _fail(batch[index + 1 :], gone)
                return


def _deliver_singly(batch: Sequence[Waiting[Item, Answer]], answers: Sequence[Answer]) -> None:
    for each, answer in zip(batch, answers, strict=True):
        each.answer.set_result(answer)


def _fail(batch: Sequence[Waiting[Item, Answer]], error: Exception) -> None:
    for each in batch:
        each.answer.set_exception(error)


def pending() -> "Future[Answer]":
    """Give a place for an answer that nobody can call off: what has been taken in is written."""
    return Pending()
