"""One flush of the spend door: what waits together, decided in its order, in one transaction.

It locks the wallets, reads their lots in the next statement, decides by the rules of `core.spending` and
`core.holding`, and writes one statement per table. A wallet's lock is held by one flush at a time, so any number of
processes may do this side by side.

A use has no inbox row: its id is made from its key, and its draws are its decision. So keys are looked up only where
it matters: for what is refused, and for all when the primary key says that one was used before.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, TypeAlias

from counterfoil.core.alerts import ALERT_TIMER
from counterfoil.core.credits import DRAW_ORDER
from counterfoil.core.effects import Timer
from counterfoil.core.facts import Source
from counterfoil.core.holding import SpendHold, decide_hold, decide_settle, let_go, refuse_ended
from counterfoil.core.ids import CustomerId, GrantId
from counterfoil.core.lifecycle import SpendHoldStatus
from counterfoil.core.money import MoneyError, parse_decimal
from counterfoil.core.spending import Lot, Purse, Refusal, decide_spend
from counterfoil.core.wallets import END_TIMER
from counterfoil.engine.apply import apply_effect, enqueue_news, wake
from counterfoil.engine.asking import (
    EXTERNAL,
    AnyAsk,
    Ask,
    EndAsk,
    HoldAsk,
    id_of,
    invalid,
    is_visible,
    no_hold,
    unknown,
)
from counterfoil.engine.house import House
from counterfoil.store import auto_topups, holds, spends
from counterfoil.store.database import Statement, Tx
from counterfoil.store.inbox import News
from counterfoil.store.spends import Spend

PLACES_MAX: Final = 100_000
"""How many customers' wallets are remembered."""
REUSED: Final = Refusal(
    422, "idempotency_key_reused", "This key was used before for another request. Nothing was done.", "key"
)


@dataclass(slots=True)
class Held:
    """A hold as it is now, with the spend that settled it."""

    hold: SpendHold
    spend: Spend | None = None
    replayed: bool = False


def hold_of(tx: Tx, identity: str) -> Held | None:
    """Give a hold as it is, without locking anything."""
    hold = holds.by_id(tx, [identity]).get(identity)
    if hold is None:
        return None
    return Held(hold, spends.by_id(tx, [hold.spend]).get(hold.spend) if hold.spend else None)


Answer: TypeAlias = Spend | Held | Refusal


class Places:
    """Remembers where customers' uses go. A wallet that was closed since is looked for again."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], str] = {}
        self.told: set[str] = set()
        """What was said of wallets that run low, and committed: of one that stays low nothing is said every flush."""

    def find(self, tx: Tx, asks: Iterable[Ask | HoldAsk]) -> tuple[dict[tuple[str, str], str], set[str]]:
        """Give the wallets of those that name a customer and a unit, and the customers that there are among those
        whose wallet was not known."""
        wanted = {(ask.customer, ask.unit) for ask in asks if ask.customer is not None and ask.unit is not None}
        places = {where: self._held[where] for where in wanted if where in self._held}
        asked = {customer for customer, unit in wanted if (customer, unit) not in places}
        if not asked:
            return places, asked
        customers = [each for each in asked if not each.startswith(EXTERNAL)]
        externals = [each[len(EXTERNAL) :] for each in asked if each.startswith(EXTERNAL)]
        names, found = spends.addresses(tx, customers, externals)
        if len(self._held) > PLACES_MAX:
            self._held.clear()
        self._held.update(found)
        return {**places, **{where: wallet for where, wallet in found.items() if where in wanted}}, names

    def note_told(self, identities: Iterable[str]) -> None:
        """Remember what was told, once it is committed."""
        if len(self.told) > PLACES_MAX:
            self.told.clear()
        self.told.update(identities)

    def forget(self, ask: Ask | HoldAsk) -> None:
        """Look for a wallet again."""
        if ask.customer is not None and ask.unit is not None:
            self._held.pop((ask.customer, ask.unit), None)


class Flush:
    """What was read, what was decided so far, and what is to be written."""

    def __init__(self, tx: Tx, house: House, places: Places) -> None:
        self._tx = tx
        self._house = house
        self._places = places
        self._id = house.new_id("flush")
        self._made: dict[str, Spend] = {}
        self._known: Mapping[str, Spend | SpendHold] = {}
        self._placed: dict[str, SpendHold] = {}
        self._ended: dict[str, SpendHold] = {}
        self._freed: dict[str, tuple[Purse, Lot]] = {}
        self._telling: list[str] = []

    def run(self, asks: Sequence[AnyAsk], *, look_up: bool, keep: bool = True) -> list[Answer]:
        """Decide what is asked in its order, write what was accepted and, unless told not to `keep` it, commit.

        `look_up` looks every key up before.
        """
        wallets, names = self._wallets(asks)
        self._lock(sorted({each for each in wallets if each}))
        self._read_holds([ask.id for ask in asks if type(ask) is EndAsk])
        if look_up:
            self._known = self._kept(asks)
        answers = [self._decide(ask, wallet, names) for ask, wallet in zip(asks, wallets, strict=True)]
        if not look_up:
            answers = self._second_look(asks, answers)
        self._write(keep=keep)
        return answers

    def expire(self, wallets: Sequence[str]) -> int:
        """End what holds of these wallets are over, and give how many."""
        self._lock(sorted(wallets))
        self._read_holds(())
        self._write(keep=True)
        return len(self._ended)

    # --- what is there ---

    def _wallets(self, asks: Sequence[AnyAsk]) -> tuple[list[str | None], set[str]]:
        """Give the wallet of each ask, None where there is none, and the customers that there are."""
        ends = [ask.id for ask in asks if type(ask) is EndAsk]
        of_holds = holds.wallets_of(self._tx, ends) if ends else {}
        found, names = self._places.find(self._tx, [ask for ask in asks if not isinstance(ask, EndAsk)])
        wallets = [
            of_holds.get(ask.id)
            if isinstance(ask, EndAsk)
            else ask.wallet or found.get((ask.customer or "", ask.unit or ""))
            for ask in asks
        ]
        return wallets, names

    def _lock(self, wallets: Sequence[str]) -> None:
        found = spends.locked(self._tx, wallets) if wallets else ()
        # After the lock, so that a wallet's draws are recorded in the order in which they were taken.
        self.now = self._house.clock.now()
        for purse, lots in found:
            purse.fill(lots, self.now)
        self._purses = {purse.id: purse for purse, _ in found}
        self._owed = [(purse, purse.debt) for purse in self._purses.values()]
        watched = (purse for purse in self._purses.values() if purse.watch_below is not None)
        self._watched = [purse for purse in watched if purse.spendable(self.now) >= (purse.watch_below or 0)]
        self._before = {lot.id: (lot, lot.remaining, lot.held) for purse in self._purses.values() for lot in purse.lots}

    def _read_holds(self, ends: Sequence[str]) -> None:
        """Read the holds that are to end, and end those whose time is up."""
        self._holds = holds.by_id(self._tx, ends) if ends else {}
        held = [purse.id for purse in self._purses.values() if any(lot.held for lot in purse.lots)]
        for each in holds.over(self._tx, held, self.now) if held else ():
            hold = self._holds.get(each.id, each)
            self._end(self._purses[hold.wallet], hold, SpendHoldStatus.EXPIRED)

    def _kept(self, asks: Iterable[AnyAsk]) -> Mapping[str, Spend | SpendHold]:
        """Give what was accepted before under the keys of these asks."""
        spent = [ask.id for ask in asks if type(ask) is Ask]
        held = [ask.id for ask in asks if type(ask) is HoldAsk]
        known: dict[str, Spend | SpendHold] = {}
        known |= spends.by_id(self._tx, spent) if spent else {}
        known |= holds.by_id(self._tx, held) if held else {}
        return known

    # --- deciding ---

    def _decide(self, ask: AnyAsk, wallet: str | None, names: set[str]) -> Answer:
        if isinstance(ask, EndAsk):
            return self._decide_end(ask)
        known = self._made.get(ask.id) or self._placed.get(ask.id) or self._known.get(ask.id)
        if known:
            return _replay(known, ask)
        purse = self._purses.get(wallet) if wallet else None
        if purse is None:
            return _nowhere(ask, names)
        amount = scaled(ask.amount, purse.scale)
        if isinstance(amount, Refusal):
            return amount
        answer = self._spend(ask, purse, amount) if isinstance(ask, Ask) else self._hold(ask, purse, amount)
        if isinstance(answer, Refusal) and purse.status == "closed":
            self._places.forget(ask)
        return answer

    def _spend(self, ask: Ask, purse: Purse, amount: int) -> Answer:
        now = self.now
        at = ask.occurred_at or now
        covered = decide_spend(purse, amount, ask.feature, at, now, ask.pools)
        if isinstance(covered, Refusal):
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
            ask.pools,
            None,
            at,
            now,
        )
        return made

    def _hold(self, ask: HoldAsk, purse: Purse, amount: int) -> Answer:
        reserved = decide_hold(purse, amount, ask.feature, self.now, ask.pools)
        if isinstance(reserved, Refusal):
            return reserved
        placed = self._placed[ask.id] = SpendHold(
            id=ask.id,
            key=ask.key,
            request_hash=ask.request_hash,
            wallet=purse.id,
            unit=purse.unit,
            scale=purse.scale,
            amount=amount,
            reserved=reserved,
            feature=ask.feature,
            pools=ask.pools,
            rule=DRAW_ORDER,
            status=SpendHoldStatus.OPEN,
            settled=None,
            spend=None,
            flush=self._id,
            expires_at=self.now + ask.expires_in,
            created_at=self.now,
        )
        return Held(placed)

    def _decide_end(self, ask: EndAsk) -> Answer:
        hold = self._holds.get(ask.id)
        if hold is None:
            return no_hold(ask.id)
        if ask.amount is None:
            return self._release(hold)
        amount = scaled(ask.amount, hold.scale)
        if isinstance(amount, Refusal):
            return amount
        if hold.status == SpendHoldStatus.SETTLED and hold.settled == amount:
            return Held(hold, self._spend_of(hold), replayed=True)
        return refuse_ended(hold, self.now) or self._settle(hold, amount, ask.refuse_more)

    def _release(self, hold: SpendHold) -> Answer:
        if hold.status in (SpendHoldStatus.RELEASED, SpendHoldStatus.EXPIRED):
            return Held(hold, replayed=True)
        refusal = refuse_ended(hold, self.now)
        if refusal:
            return refusal
        self._end(self._purses[hold.wallet], hold, SpendHoldStatus.RELEASED)
        return Held(hold)

    def _settle(self, hold: SpendHold, amount: int, refuse_more: bool) -> Answer:
        purse = self._purses[hold.wallet]
        covered = decide_settle(purse, hold, amount, refuse_more, self.now)
        if isinstance(covered, Refusal):
            return covered
        identity = id_of("spend", self._tx.tenant, f"settle\0{hold.id}")
        if covered.draws:
            self._made[identity] = Spend(
                id=identity,
                key=hold.key,
                request_hash=hold.request_hash,
                wallet=hold.wallet,
                unit=hold.unit,
                scale=hold.scale,
                draws=covered.draws,
                rule=DRAW_ORDER,
                flush=self._id,
                balance_after=covered.balance_after,
                feature=hold.feature,
                pools=hold.pools,
                hold=hold.id,
                occurred_at=self.now,
                recorded_at=self.now,
            )
        hold.settled, hold.spend = amount, identity if covered.draws else None
        self._note_end(purse, hold, SpendHoldStatus.SETTLED)
        return Held(hold, self._made.get(identity))

    def _end(self, purse: Purse, hold: SpendHold, status: SpendHoldStatus) -> None:
        let_go(purse, hold)
        self._note_end(purse, hold, status)

    def _note_end(self, purse: Purse, hold: SpendHold, status: SpendHoldStatus) -> None:
        hold.status, hold.ended_at = status, self.now
        self._ended[hold.id] = hold
        lots = {lot.id: lot for lot in purse.lots}
        self._freed.update({identity: (purse, lots[identity]) for identity, _ in hold.reserved})

    def _spend_of(self, hold: SpendHold) -> Spend | None:
        if hold.spend is None:
            return None
        return self._made.get(hold.spend) or spends.by_id(self._tx, [hold.spend])[hold.spend]

    def _second_look(self, asks: Sequence[AnyAsk], answers: list[Answer]) -> list[Answer]:
        """Look the keys of what was refused up: what was accepted once is accepted for ever, also when the wallet is
        dry by now."""
        refused = [
            ask
            for ask, answer in zip(asks, answers, strict=True)
            if type(answer) is Refusal and type(ask) is not EndAsk
        ]
        known = self._kept([ask for ask in refused if ask.id not in self._made and ask.id not in self._placed])
        if not known:
            return answers
        return [
            _replay(known[ask.id], ask) if type(ask) is not EndAsk and ask.id in known else answer
            for ask, answer in zip(asks, answers, strict=True)
        ]

    # --- writing ---

    def _write(self, *, keep: bool) -> None:
        """Write what was decided and, to keep it, commit. Nothing is committed when a row is not as it was read."""
        self._end_lots()
        self._tell_low()
        if self._watched:
            self._wake_low()
        statements = self._statements()
        if keep:
            self._tx.finish(statements)
            self._places.note_told(self._telling)
        elif statements:
            self._tx.together(*statements)

    def _statements(self) -> list[Statement]:
        moved = [each for each in self._before.values() if each[0].remaining != each[1] or each[0].held != each[2]]
        owing = [(purse, owed) for purse, owed in self._owed if purse.debt != owed]
        made, placed, ended = list(self._made.values()), list(self._placed.values()), list(self._ended.values())
        statements: list[Statement] = []
        statements += [spends.move(moved)] if moved else []
        statements += [spends.owe(owing)] if owing else []
        statements += [holds.put(placed)] if placed else []
        statements += [holds.end(ended)] if ended else []
        statements += [spends.put(made, DRAW_ORDER, self._id, self.now)] if made else []
        return statements

    def _wake_low(self) -> None:
        """Wake the auto top-ups of wallets that this flush took below what they watch for: once per crossing."""
        low = [purse.id for purse in self._watched if purse.spendable(self.now) < (purse.watch_below or 0)]
        if low:
            wake(self._tx, auto_topups.idle(self._tx, low, self.now), self._id, self.now, self._house.new_id)

    def _end_lots(self) -> None:
        """Have what came back to a lot after its end booked away: a reserved share does not expire before its hold."""
        for purse, lot in self._freed.values():
            if lot.free > 0 and lot.expires_at is not None and lot.expires_at <= self.now:
                timer = Timer(END_TIMER, GrantId(lot.id), CustomerId(purse.customer), self.now)
                apply_effect(self._tx, timer, "", self.now, self._house.new_id)

    def _tell_low(self) -> None:
        """Have somebody told of wallets that run low. It is asked for once an hour, however much is spent."""
        for purse in self._purses.values():
            if purse.is_low:
                nth = f"{purse.topups}:{purse.alert_at}:{self.now:%Y-%m-%dT%H}"
                self._tell(purse, f"timer:{ALERT_TIMER}:{purse.id}:{nth}")

    def _tell(self, purse: Purse, identity: str) -> None:
        if identity in self._places.told:
            return
        self._telling.append(identity)
        news = News(
            id=self._house.new_id("inbox"),
            source=Source.TIMER,
            kind=ALERT_TIMER,
            identity=identity,
            occurred_at=self.now,
            received_at=self.now,
            subject_kind="wallet",
            subject_ref=purse.id,
            customer=purse.customer,
        )
        enqueue_news(self._tx, news, self.now)


def _replay(known: Spend | SpendHold, ask: AnyAsk) -> Answer:
    """Answer what was accepted before as it was then."""
    assert not isinstance(ask, EndAsk)
    if known.request_hash != ask.request_hash:
        return REUSED
    if isinstance(known, Spend):
        return replace(known, replayed=True)
    first = replace(known, status=SpendHoldStatus.OPEN, settled=None, spend=None, ended_at=None)
    return Held(first, replayed=True)


def _nowhere(ask: Ask | HoldAsk, names: set[str]) -> Refusal:
    if ask.wallet is not None:
        return unknown("wallet", ask.wallet)
    if ask.customer not in names:
        return unknown("customer", ask.customer or "")
    named = repr(ask.unit) if is_visible(ask.unit or "") else "this unit"
    return Refusal(404, "not_found", f"The customer has no wallet in {named}.", "unit")


@lru_cache(maxsize=4096)
def scaled(amount: str, scale: int) -> int | Refusal:
    """Read an amount."""
    try:
        return parse_decimal(amount, scale)
    except MoneyError:
        return invalid("amount", f"must be a decimal number with at most {scale} places")
