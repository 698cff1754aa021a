"""The spend door's engine: uses and holds that wait together share one commit, each as if it came alone.

A flush begins as soon as the lane is idle; what arrives meanwhile is in the next one. Everybody is answered after the
commit. What is refused leaves nothing behind, and the same key may succeed later.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from types import TracebackType
from typing import Any, Final, TypeVar

from counterfoil.core.spending import Refusal
from counterfoil.engine.asking import (
    AnyAsk,
    HoldRequest,
    SettleRequest,
    SpendRequest,
    read_hold,
    read_release,
    read_settle,
    read_spend,
)
from counterfoil.engine.flush import Answer, Flush, Places
from counterfoil.engine.house import TRIES_MAX, House
from counterfoil.engine.lanes import Lane, Limits, Waiting
from counterfoil.engine.pending import Pending
from counterfoil.store import holds
from counterfoil.store.database import TRANSIENT, CommitUnknown, DatabaseUnavailable

__all__ = ["Answer", "HoldRequest", "SettleRequest", "SpendRequest", "Spender"]

T = TypeVar("T")
ITEMS_MAX: Final = 1000
"""How many uses one request may bring."""
LIMITS: Final = Limits(batch=1024, batch_bytes=2048, waiting=8192)
"""Of a lane. A request weighs as much as it has uses."""
BUSY: Final = Refusal(503, "busy", "Too many uses wait to be decided; send this one again later.")
EXPIRED_MAX: Final = 200
"""How many holds' wallets one flush of a sweep locks."""


class Spender:
    """Decides uses and holds for as long as a door is open.

    Its calls may be made by any number of callers at once, and from an event loop: none waits for the database, but
    for the dry runs. Close it, or leave its `with` block, to finish what has been taken in.
    """

    def __init__(self, house: House, *, limits: Limits = LIMITS) -> None:
        self._house = house
        self._limits = limits
        self._hands = ThreadPoolExecutor(1, thread_name_prefix="spender")
        self._opening = Lock()
        self._lanes: dict[str, Lane[Any, Any]] = {}
        self._places: dict[str, Places] = {}

    def spend(self, tenant: str, request: SpendRequest) -> Pending[Answer]:
        """Have a use paid for. The answer is there after the commit: the spend, or why it was refused."""
        return self._one(tenant, read_spend(tenant, request))

    def spend_all(self, tenant: str, requests: Sequence[SpendRequest | Refusal]) -> Pending[list[Answer]]:
        """Have several uses paid for, each by itself, in this order; give the answer of each in the same order."""
        return self._several(tenant, _each(requests, lambda request: read_spend(tenant, request)))

    def hold(self, tenant: str, request: HoldRequest) -> Pending[Answer]:
        """Have credits reserved for a use that comes."""
        return self._one(tenant, read_hold(tenant, request))

    def hold_all(self, tenant: str, requests: Sequence[HoldRequest | Refusal]) -> Pending[list[Answer]]:
        """Have several holds placed, each by itself."""
        return self._several(tenant, _each(requests, lambda request: read_hold(tenant, request)))

    def settle(self, tenant: str, hold: str, request: SettleRequest) -> Pending[Answer]:
        """Use what a hold reserves, and let the rest of it go."""
        return self._one(tenant, read_settle(hold, request))

    def release(self, tenant: str, hold: str) -> Pending[Answer]:
        """Let a hold go."""
        return self._one(tenant, read_release(hold))

    def dry_spend(self, tenant: str, requests: Sequence[SpendRequest | Refusal]) -> list[Answer]:
        """Decide uses without doing them. Waits for the database."""
        return self._dry(tenant, _each(requests, lambda request: read_spend(tenant, request)))

    def dry_hold(self, tenant: str, requests: Sequence[HoldRequest | Refusal]) -> list[Answer]:
        """Decide holds without placing them. Waits for the database."""
        return self._dry(tenant, _each(requests, lambda request: read_hold(tenant, request)))

    def close(self) -> None:
        """Decide what has been taken in, answer it, and take in nothing more."""
        self._hands.shutdown(wait=True)

    def __enter__(self) -> "Spender":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # --- on the way ---

    def _one(self, tenant: str, ask: AnyAsk | Refusal) -> Pending[Answer]:
        answer: Pending[Answer] = Pending()
        if isinstance(ask, Refusal):
            answer.set_result(ask)
        elif not self._lane(tenant).put(Waiting(ask, 1, answer)):
            answer.set_result(BUSY)
        return answer

    def _several(self, tenant: str, asks: Sequence[AnyAsk | Refusal]) -> Pending[list[Answer]]:
        answer: Pending[list[Answer]] = Pending()
        good = [each for each in asks if not isinstance(each, Refusal)]
        if not good:
            answer.set_result([each for each in asks if isinstance(each, Refusal)])
            return answer
        decided: Pending[list[Answer]] = Pending()
        decided.add_done_callback(lambda done: _complete(answer, asks, done))
        if not self._lane(tenant).put(Waiting(good, len(good), decided)):
            decided.set_result([BUSY] * len(good))
        return answer

    def _lane(self, tenant: str) -> "Lane[Any, Any]":
        """Give the tenant's lane: one database transaction touches one tenant."""
        lane = self._lanes.get(tenant)
        if lane is None:
            with self._opening:
                self._places.setdefault(tenant, Places())
                made: Lane[Any, Any] = Lane(lambda batch: self._flush(tenant, batch), self._hands, self._limits)
                lane = self._lanes.setdefault(tenant, made)
        return lane

    def _flush(self, tenant: str, batch: Sequence[Any]) -> list[Any]:
        """Decide what waits: single asks and lists of them, each answered in kind."""
        if not any(type(item) is list for item in batch):
            return self._transact(tenant, batch)
        asks = [ask for item in batch for ask in (item if type(item) is list else (item,))]
        given = iter(self._decided(tenant, asks, alone=len(batch) == 1))
        return [[next(given) for _ in item] if type(item) is list else next(given) for item in batch]

    def _decided(self, tenant: str, asks: Sequence[AnyAsk], *, alone: bool) -> list[Answer]:
        """Decide asks; in a list that is decided alone, one that can't be decided does not take the others with it."""
        try:
            return self._transact(tenant, asks)
        except (DatabaseUnavailable, CommitUnknown):
            raise
        except Exception:
            if not alone or len(asks) == 1:
                raise
            return [answer for ask in asks for answer in self._decided_singly(tenant, ask)]

    def _decided_singly(self, tenant: str, ask: AnyAsk) -> list[Answer]:
        try:
            return self._transact(tenant, [ask])
        except (DatabaseUnavailable, CommitUnknown):
            raise
        except Exception:
            # The outer loop of one of many: a fault of ours is told for the one that it struck.
            return [Refusal(500, "internal_error", "This one could not be decided, and nothing of it was done.")]

    def _transact(self, tenant: str, asks: Sequence[AnyAsk]) -> list[Answer]:
        """Do one flush in one transaction; do it again, with every key looked up, when it lost a race."""
        for attempt in range(1, TRIES_MAX + 1):
            try:
                with self._house.database.transaction(tenant) as tx:
                    return Flush(tx, self._house, self._places[tenant]).run(asks, look_up=attempt > 1)
            except (*TRANSIENT, CommitUnknown):
                if attempt == TRIES_MAX:
                    raise
        raise AssertionError("unreachable")

    def _dry(self, tenant: str, asks: Sequence[AnyAsk | Refusal]) -> list[Answer]:
        given: list[Answer] = []
        try:
            with self._house.database.transaction(tenant) as tx:
                good = [each for each in asks if not isinstance(each, Refusal)]
                given += Flush(tx, self._house, Places()).run(good, look_up=True, keep=False)
                raise _Undone
        except _Undone:
            return _in_order(asks, given)


def expire_holds(house: House, tenant: str) -> int:
    """End a page of holds whose time is up, and give how many ended."""

    def work() -> int:
        with house.database.transaction(tenant) as tx:
            wallets = holds.wallets_with_over(tx, house.clock.now(), EXPIRED_MAX)
            return Flush(tx, house, Places()).expire(wallets) if wallets else 0

    for attempt in range(1, TRIES_MAX + 1):
        try:
            return work()
        except (*TRANSIENT, CommitUnknown):
            if attempt == TRIES_MAX:
                raise
    raise AssertionError("unreachable")


class _Undone(Exception):
    """A dry run is over."""


def _each(requests: Sequence[T | Refusal], read: Callable[[T], AnyAsk | Refusal]) -> list[AnyAsk | Refusal]:
    return [each if isinstance(each, Refusal) else read(each) for each in requests]


def _complete(answer: Pending[list[Answer]], asks: Sequence[AnyAsk | Refusal], done: Future[list[Answer]]) -> None:
    error = done.exception()
    if error:
        answer.set_exception(error)
    else:
        answer.set_result(_in_order(asks, done.result()))


def _in_order(asks: Sequence[AnyAsk | Refusal], answers: Sequence[Answer]) -> list[Answer]:
    """Put the answers of what was decided among what was refused before."""
    given = iter(answers)
    return [each if isinstance(each, Refusal) else next(given) for each in asks]
