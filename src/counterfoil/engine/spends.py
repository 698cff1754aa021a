"""The spend door's engine: uses that wait together are decided together, in one transaction, each as if it came alone.

A flush locks the wallets, reads their lots in the next statement, decides each use in the order they came by the rules
of `core.spending`, writes one statement per table and commits; then everyone is answered. A wallet's lock is held by
one flush at a time, so any number of processes may do this side by side.

A use has no inbox row: its id is made from its key, and its draws are its decision. So keys are looked up only where
it matters: for what is refused, and for all when the primary key says that one was used before. What is refused leaves
nothing behind, and the same key may succeed later.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from threading import Lock
from types import TracebackType
from typing import Annotated, Any, Final, TypeAlias

import msgspec

from counterfoil.core.credits import DRAW_ORDER
from counterfoil.core.ids import PREFIXES, noun_of, typeid
from counterfoil.core.money import MoneyError, parse_decimal
from counterfoil.core.spending import Refusal, decide_spend
from counterfoil.engine.house import TRIES_MAX, House
from counterfoil.engine.lanes import Lane, Limits, Waiting, pending
from counterfoil.store import spends
from counterfoil.store.database import TRANSIENT, CommitUnknown, Tx
from counterfoil.store.spends import Spend

ITEMS_MAX: Final = 1000
"""How many uses one request may bring."""
LIMITS: Final = Limits(batch=1024, batch_bytes=2048, waiting=8192)
"""Of a lane. A request weighs as much as it has uses."""
LANES: Final = 2
"""How many flushes of one process may be under way, of a tenant's as of all."""
KEY_MAX: Final = 255
FEATURE_MAX: Final = 64
PLACES_MAX: Final = 100_000
"""How many customers' wallets are remembered."""
EXTERNAL: Final = "ext:"
TIME_MIN: Final = datetime(2000, 1, 1, tzinfo=UTC)
Aware: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]


class SpendRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A use to be paid for from a wallet, which is named itself or by its customer and unit.

    `key` names this one use: the same key with the same request has its effect once. `occurred_at` is when it
    happened, now unless told.
    """

    amount: str
    key: str | None = None
    customer: str | None = None
    wallet: str | None = None
    unit: str | None = None
    feature: str | None = None
    occurred_at: Aware | None = None


@dataclass(slots=True)
class Ask:
    """A request on its way: with the id that its key makes, and the hash of what it asks for."""

    id: str
    key: str
    request_hash: str
    amount: str
    wallet: str | None
    customer: str | None
    unit: str | None
    feature: str | None
    occurred_at: datetime | None


Answer: TypeAlias = Spend | Refusal
Answered: TypeAlias = "Future[Answer]"

BUSY: Final = Refusal(503, "busy", "Too many uses wait to be decided; send this one again later.")
REUSED: Final = Refusal(
    422, "idempotency_key_reused", "This key was used before for another request. Nothing was done.", "key"
)


def spend_id(tenant: str, key: str) -> str:
    """Make a spend's id from its key. 128 bits of a hash: the id is as unique as the key."""
    digest = blake2b(f"{tenant}\0{key}".encode(), digest_size=16, person=b"spend").digest()
    return typeid(PREFIXES["spend"], int.from_bytes(digest))


def read(tenant: str, request: SpendRequest) -> Ask | Refusal:
    """Check what can be checked without a database."""
    refusal = _malformed(request)
    if refusal:
        return refusal
    assert request.key is not None
    at = request.occurred_at.astimezone(UTC) if request.occurred_at else None
    asked = "\0".join(
        (
            request.wallet or "",
            request.customer or "",
            request.unit or "",
            request.amount,
            request.feature or "",
            at.isoformat() if at else "",
        )
    )
    return Ask(
        id=spend_id(tenant, request.key),
        key=request.key,
        request_hash=blake2b(asked.encode(), digest_size=16).hexdigest(),
        amount=request.amount,
        wallet=request.wallet,
        customer=request.customer,
        unit=request.unit,
        feature=request.feature,
        occurred_at=at,
    )


def _malformed(request: SpendRequest) -> Refusal | None:
    key, feature = request.key, request.feature
    if key is None:
        return _invalid("key", "is missing; send one of your own that names this one use")
    if not 0 < len(key) <= KEY_MAX or not _is_visible(key):
        return _invalid("key", f"must be 1 to {KEY_MAX} visible ASCII characters")
    if feature is not None and (not 0 < len(feature) <= FEATURE_MAX or not _is_visible(feature)):
        return _invalid("feature", f"must be 1 to {FEATURE_MAX} visible ASCII characters")
    if request.occurred_at is not None and request.occurred_at < TIME_MIN:
        return _invalid("occurred_at", "must not lie before the year 2000")
    if request.wallet is not None:
        if request.customer is not None or request.unit is not None:
            return _invalid("wallet", "names the wallet alone; leave customer and unit out")
        return None if noun_of(request.wallet) == "wallet" else _unknown("wallet", request.wallet)
    if request.customer is None or request.unit is None:
        return _invalid("customer" if request.customer is None else "unit", "is missing; or name the wallet")
    return _malformed_customer(request.customer)


def _malformed_customer(customer: str) -> Refusal | None:
    if customer.startswith(EXTERNAL):
        return None if len(customer) <= KEY_MAX and _is_visible(customer) else _unknown("customer", customer)
    return None if noun_of(customer) == "customer" else _unknown("customer", customer)


def _is_visible(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _invalid(param: str, message: str) -> Refusal:
    return Refusal(422, "invalid_request", f"{param}: {message}", param)


def _unknown(noun: str, text: str) -> Refusal:
    named = f" {text}" if _is_visible(text) and len(text) <= 64 else ""
    return Refusal(404, "not_found", f"There is no {noun}{named}.", noun)


class Places:
    """Remembers where customers' uses go. A wallet that was closed since is looked for again."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], str] = {}

    def find(self, tx: Tx, asks: Sequence[Ask]) -> tuple[dict[tuple[str, str], str], set[str]]:
        """Give the wallets of those that name a customer and a unit, and the customers that there are among those
        whose wallet was not known."""
        wanted = {(ask.customer, ask.unit) for ask in asks if ask.customer is not None and ask.unit is not None}
        places = {where: self._held[where] for where in wanted if where in self._held}
        unknown = {customer for customer, unit in wanted if (customer, unit) not in places}
        if not unknown:
            return places, unknown
        customers = [each for each in unknown if not each.startswith(EXTERNAL)]
        externals = [each[len(EXTERNAL) :] for each in unknown if each.startswith(EXTERNAL)]
        names, found = spends.addresses(tx, customers, externals)
        if len(self._held) > PLACES_MAX:
            self._held.clear()
        self._held.update(found)
        return {**places, **{where: wallet for where, wallet in found.items() if where in wanted}}, names

    def forget(self, ask: Ask) -> None:
        """Look for a wallet again."""
        if ask.customer is not None and ask.unit is not None:
            self._held.pop((ask.customer, ask.unit), None)


class Flush:
    """One flush: what was read, what was decided so far, and what is to be written."""

    def __init__(self, tx: Tx, house: House, places: Places) -> None:
        self._tx = tx
        self._house = house
        self._places = places
        self._id = house.new_id("flush")
        self._made: dict[str, Spend] = {}
        self._known: dict[str, Spend] = {}

    def run(self, asks: Sequence[Ask], *, look_up: bool) -> list[Answer]:
        """Decide uses in their order and write what was accepted. `look_up` looks every key up before."""
        found, names = self._places.find(self._tx, asks)
        wallets = [ask.wallet or found.get((ask.customer or "", ask.unit or "")) for ask in asks]
        self._lock(sorted({each for each in wallets if each}))
        if look_up:
            self._known = spends.by_id(self._tx, [ask.id for ask in asks])
        answers = [self._decide(ask, wallet, names) for ask, wallet in zip(asks, wallets, strict=True)]
        if not look_up:
            answers = self._second_look(asks, answers)
        self._write()
        return answers

    def _lock(self, wallets: Sequence[str]) -> None:
        if wallets:
            spends.lock(self._tx, wallets)
        # After the lock, so that a wallet's draws are recorded in the order in which they were taken.
        self.now = self._house.clock.now()
        self._purses = spends.purses(self._tx, wallets, self.now) if wallets else {}
        self._owed = [(purse, purse.debt) for purse in self._purses.values()]
        self._before = {lot.id: (lot, lot.remaining, lot.held) for purse in self._purses.values() for lot in purse.lots}

    def _decide(self, ask: Ask, wallet: str | None, names: set[str]) -> Answer:
        known = self._made.get(ask.id) or self._known.get(ask.id)
        if known:
            return _replay(known, ask)
        purse = self._purses.get(wallet) if wallet else None
        if purse is None:
            return self._nowhere(ask, names)
        try:
            amount = scaled(ask.amount, purse.scale)
        except MoneyError:
            return _invalid("amount", f"must be a decimal number with at most {purse.scale} places")
        covered = decide_spend(purse, amount, ask.feature, ask.occurred_at or self.now, self.now)
        if isinstance(covered, Refusal):
            if purse.status == "closed":
                self._places.forget(ask)
            return covered
        made = self._made[ask.id] = Spend(
            ask.id,
            ask.key,
            ask.request_hash,
            purse.id,
            purse.unit,
            purse.scale,
            covered.draws,
            DRAW_ORDER,
            self._id,
            covered.balance_after,
            ask.feature,
            None,
            ask.occurred_at or self.now,
            self.now,
        )
        return made

    def _nowhere(self, ask: Ask, names: set[str]) -> Refusal:
        if ask.wallet is not None:
            return _unknown("wallet", ask.wallet)
        if ask.customer not in names:
            return _unknown("customer", ask.customer or "")
        detail = f"The customer has no wallet in {ask.unit!r}." if _is_visible(ask.unit or "") else None
        return Refusal(404, "not_found", detail or "The customer has no wallet in this unit.", "unit")

    def _second_look(self, asks: Sequence[Ask], answers: list[Answer]) -> list[Answer]:
        """Look the keys of what was refused up: what was accepted once is accepted for ever, also when the wallet is
        dry by now."""
        refused = {ask.id for ask, answer in zip(asks, answers, strict=True) if isinstance(answer, Refusal)}
        known = spends.by_id(self._tx, refused - self._made.keys()) if refused else {}
        if not known:
            return answers
        return [
            _replay(known[ask.id], ask) if ask.id in known else answer
            for ask, answer in zip(asks, answers, strict=True)
        ]

    def _write(self) -> None:
        if not self._made:
            return
        moved = [
            (lot, remaining, held)
            for lot, remaining, held in self._before.values()
            if lot.remaining != remaining or lot.held != held
        ]
        written = spends.move(self._tx, moved) if moved else 0
        assert written == len(moved), "a lot moved although its wallet was locked"
        owing = [(purse, owed) for purse, owed in self._owed if purse.debt != owed]
        if owing:
            written = spends.owe(self._tx, owing)
            assert written == len(owing), "a wallet's debt moved although it was locked"
        spends.put(self._tx, list(self._made.values()), self._id, self.now)


def _replay(known: Spend, ask: Ask) -> Answer:
    return replace(known, replayed=True) if known.request_hash == ask.request_hash else REUSED


@lru_cache(maxsize=4096)
def scaled(amount: str, scale: int) -> int:
    """Read an amount. Raises MoneyError."""
    return parse_decimal(amount, scale)


class Spender:
    """Decides uses for as long as a door is open; those that wait together share one commit, per tenant.

    `spend` may be called by any number of callers at once, and from an event loop: it never waits for the database.
    Close it, or leave its `with` block, to finish what has been taken in.
    """

    def __init__(self, house: House, *, limits: Limits = LIMITS, lanes: int = 1) -> None:
        self._house = house
        self._limits = limits
        self._hands = ThreadPoolExecutor(lanes, thread_name_prefix="spender")
        self._opening = Lock()
        self._lanes: dict[str, Lane[Any, Any]] = {}
        self._places: dict[str, Places] = {}

    def spend(self, tenant: str, request: SpendRequest) -> Answered:
        """Have a use paid for. The future is done after the commit, with the spend or why it was refused."""
        ask = read(tenant, request)
        return _done(ask) if isinstance(ask, Refusal) else self._submit(tenant, ask, 1, BUSY)

    def spend_all(self, tenant: str, requests: "Sequence[SpendRequest | Refusal]") -> "Future[list[Answer]]":
        """Have several uses paid for, each by itself, in this order; give the answer of each in the same order."""
        asks = [each if isinstance(each, Refusal) else read(tenant, each) for each in requests]
        good = [each for each in asks if isinstance(each, Ask)]
        answer: Future[list[Answer]] = pending()

        def complete(done: "Future[list[Answer]]") -> None:
            error = done.exception()
            if error:
                answer.set_exception(error)
                return
            given = iter(done.result())
            answer.set_result([each if isinstance(each, Refusal) else next(given) for each in asks])

        if not good:
            answer.set_result([each for each in asks if isinstance(each, Refusal)])
            return answer
        self._submit(tenant, good, len(good), [BUSY] * len(good)).add_done_callback(complete)
        return answer

    def dry_run(self, tenant: str, requests: "Sequence[SpendRequest | Refusal]") -> list[Answer]:
        """Decide uses without doing them. Waits for the database."""
        asks = [each if isinstance(each, Refusal) else read(tenant, each) for each in requests]
        given: list[Answer] = []
        try:
            with self._house.database.transaction(tenant) as tx:
                good = [each for each in asks if isinstance(each, Ask)]
                given += Flush(tx, self._house, Places()).run(good, look_up=True)
                raise _Undone
        except _Undone:
            decided = iter(given)
            return [each if isinstance(each, Refusal) else next(decided) for each in asks]

    def close(self) -> None:
        """Decide what has been taken in, answer it, and take in nothing more."""
        self._hands.shutdown(wait=True)

    def __enter__(self) -> "Spender":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _submit(self, tenant: str, item: Any, weight: int, busy: Any) -> "Future[Any]":
        answer: Future[Any] = pending()
        if not self._lane(tenant).put(Waiting(item, weight, answer)):
            answer.set_result(busy)
        return answer

    def _lane(self, tenant: str) -> "Lane[Any, Any]":
        """Give the tenant's lane: one database transaction touches one tenant."""
        lane = self._lanes.get(tenant)
        if lane is None:
            with self._opening:
                self._places.setdefault(tenant, Places())
                lane = self._lanes.setdefault(
                    tenant, Lane(lambda batch: self._flush(tenant, batch), self._hands, self._limits)
                )
        return lane

    def _flush(self, tenant: str, batch: Sequence[Any]) -> list[Any]:
        """Decide what waits: single uses and lists of them, each answered in kind."""
        asks = [ask for item in batch for ask in (item if isinstance(item, list) else (item,))]
        given = iter(self._transact(tenant, asks))
        return [[next(given) for _ in item] if isinstance(item, list) else next(given) for item in batch]

    def _transact(self, tenant: str, asks: Sequence[Ask]) -> list[Answer]:
        """Do one flush in one transaction; do it again, with every key looked up, when it lost a race."""
        for attempt in range(1, TRIES_MAX + 1):
            try:
                with self._house.database.transaction(tenant) as tx:
                    return Flush(tx, self._house, self._places[tenant]).run(asks, look_up=attempt > 1)
            except (*TRANSIENT, CommitUnknown):
                if attempt == TRIES_MAX:
                    raise
        raise AssertionError("unreachable")


class _Undone(Exception):
    """A dry run is over."""


def _done(answer: Answer) -> Answered:
    known: Answered = pending()
    known.set_result(answer)
    return known
