"""What a use draws: the rules of the spend door, over plain records, because machines hammer it.

The records hold what the flush has read under the wallets' locks and change as it goes on, so that the next use sees
what the one before it took. The order of the lots is the one of `credits.draw_key`; nothing here ranks anything.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from counterfoil.core.credits import draw_key, serves
from counterfoil.core.lifecycle import WalletStatus
from counterfoil.core.money import plain
from counterfoil.core.terms import Overdraft

EARLY_MAX: Final = timedelta(minutes=5)
"""How far ahead of us a caller's clock may run."""
WRITTEN_OFF: Final = "overage_written_off"
USED: Final = "used"


@dataclass(slots=True)
class Lot:
    """A lot that still holds something, with the fields of `books.Grant` that its rank and its use depend on."""

    id: str
    source: str
    priority: int
    effective_at: datetime
    expires_at: datetime | None
    created_at: datetime
    remaining: int
    held: int
    features: tuple[str, ...] = ()
    pool: str = ""

    @property
    def free(self) -> int:
        """What can be drawn or reserved now."""
        return self.remaining - self.held

    def is_live(self, at: datetime) -> bool:
        """Say whether the lot may be used for what happened at an instant."""
        return self.effective_at <= at and (self.expires_at is None or at < self.expires_at)


@dataclass(slots=True)
class Purse:
    """A wallet as a use sees it: may it be spent from, and its lots in draw order. `balance` is lots less debt, now."""

    id: str
    customer: str
    unit: str
    scale: int
    status: str
    paused: bool
    overdraft: str = Overdraft.REFUSE
    debt_limit: int | None = None
    debt: int = 0
    alert_at: int | None = None
    topups: int = 0
    watch_below: int | None = None
    overflow: bool = True
    contested: int = 0
    lots: list[Lot] = field(default_factory=list)
    balance: int = 0

    @property
    def is_low(self) -> bool:
        """Say whether somebody is to be told that little is left."""
        return self.alert_at is not None and self.balance < self.alert_at

    def fill(self, lots: Iterable[Lot], now: datetime) -> None:
        """Put the lots in, in whatever order they were read."""
        self.lots = sorted(lots, key=draw_key)
        self.balance = sum(lot.remaining for lot in self.lots if lot.is_live(now)) - self.debt

    def spendable(self, now: datetime) -> int:
        """Give what any use could draw now, less what is owed: as `watching.spendable` does."""
        lots = (lot for lot in self.lots if lot.is_live(now) and not lot.features and not lot.pool)
        return sum(lot.remaining - lot.held for lot in lots) - self.debt

    def written(self, units: int) -> str:
        """Write scaled units as people do."""
        return f"{plain(units, self.scale)} {self.unit}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing was drawn and nothing is stored: the same request may succeed later. `code` is in the table of errors.

    `balance` is what could be spent on it and `needed` what was asked for, where there was too little. `remedy` is what
    to do about it, where the table's is not the one.
    """

    status: int
    code: str
    detail: str
    param: str | None = None
    balance: str | None = None
    needed: str | None = None
    remedy: str | None = None


@dataclass(slots=True)
class Cover:
    """What pays for a use, in draw order: so much of each account, which is a lot's, the wallet's debt or nobody's."""

    draws: list[tuple[str, int]]
    balance_after: int


Covered: TypeAlias = Cover | Refusal


def decide_spend(
    purse: Purse,
    amount: int,
    feature: str | None,
    at: datetime,
    now: datetime,
    pools: tuple[str, ...] = (),
    *,
    begun: bool = False,
) -> Covered:
    """Draw a use that happened at `at` from the lots that were live then, and take it out of the purse.

    What expired meanwhile may still be drawn as long as it was not booked away. No lot goes below zero: what the lots
    do not cover is refused, owed or given away, as the wallet says. What is owed blocks every use but those that may
    be owed too. `pools` are those that the use may draw on before credits of no pool, the matching plan's first;
    `begun` says that a plan has paid for a part of it already.
    """
    refusal = refuse_closed(purse) or _impossible(amount, at, now)
    if refusal:
        return refusal
    shares, left = shares_of(purse, amount, feature, at, pools)
    beyond = _beyond(purse, left, _stays(purse, pools), begun or bool(shares)) if left else None
    if left and beyond is None:
        return short(purse, amount, amount - left, pools) if at >= now else _late(purse, amount, amount - left, at)
    draws = take(purse, shares, now)
    if beyond:
        draws.append((beyond, left))
        if beyond != WRITTEN_OFF:
            purse.debt += left
            purse.balance -= left
    return Cover(draws, purse.balance)


def take(purse: Purse, shares: Iterable[tuple[Lot, int]], now: datetime) -> list[tuple[str, int]]:
    """Take shares out of their lots, and name the accounts that they come from."""
    draws = []
    for lot, share in shares:
        lot.remaining -= share
        if lot.is_live(now):
            purse.balance -= share
        draws.append((f"grant:{lot.id}", share))
    return draws


def refuse_closed(purse: Purse) -> Refusal | None:
    """Refuse whatever a wallet is not open for."""
    if purse.status != WalletStatus.ACTIVE:
        return Refusal(402, "wallet_not_active", f"The wallet {purse.id} is {purse.status}.", "wallet")
    if purse.paused:
        return Refusal(402, "customer_paused", f"The customer {purse.customer} is paused.", "customer")
    if purse.contested:
        return Refusal(
            402, "wallet_disputed", f"A payment for credits of the wallet {purse.id} is contested.", "wallet"
        )
    if purse.debt and purse.overdraft != Overdraft.DEBT:
        return Refusal(402, "wallet_in_debt", f"{purse.written(purse.debt)} are owed; nothing is spent before that.")
    return None


def _impossible(amount: int, at: datetime, now: datetime) -> Refusal | None:
    if amount <= 0:
        return Refusal(422, "invalid_request", "amount: must be more than zero", "amount")
    if at > now + EARLY_MAX:
        return Refusal(422, "invalid_request", "occurred_at: lies in the future", "occurred_at")
    return None


def shares_of(
    purse: Purse, amount: int, feature: str | None, at: datetime, pools: tuple[str, ...] = ()
) -> tuple[list[tuple[Lot, int]], int]:
    """Give what each lot contributes, and what they leave uncovered."""
    shares: list[tuple[Lot, int]] = []
    for lot in _in_reach(purse, pools) if pools else purse.lots:
        free = lot.remaining - lot.held
        if free <= 0 or lot.effective_at > at or (lot.expires_at is not None and lot.expires_at <= at):
            continue
        if (lot.features or lot.pool) and not serves(lot, feature, pools):
            continue
        if free >= amount:
            shares.append((lot, amount))
            return shares, 0
        shares.append((lot, free))
        amount -= free
    return shares, amount


def _in_reach(purse: Purse, pools: tuple[str, ...]) -> list[Lot]:
    """Give the lots that the use of a plan may draw on, in its order: without consent, those of its pools alone."""
    lots = [lot for lot in purse.lots if lot.pool] if _stays(purse, pools) else purse.lots
    return sorted(lots, key=lambda lot: draw_key(lot, pools))


def _stays(purse: Purse, pools: tuple[str, ...]) -> bool:
    """Say whether a use stays on its plan: its owner did not agree that it may go on to other credits."""
    return bool(pools) and not purse.overflow


def over_limit(purse: Purse, left: int, pools: tuple[str, ...], begun: bool) -> bool:
    """Say whether nobody would pay for so much that no lot covers."""
    return _beyond(purse, left, _stays(purse, pools), begun) is None


def _beyond(purse: Purse, left: int, stays: bool, begun: bool) -> str | None:
    """Name the account that pays for what no lot covers, None when nobody does.

    What a use goes beyond the plan that it stays on is never owed: the next allowance would pay for it. One use may go
    beyond it, which is given away; the next finds the plan used up.
    """
    if purse.overdraft == Overdraft.WRITE_OFF:
        return WRITTEN_OFF
    if purse.overdraft == Overdraft.DEBT and (purse.debt_limit is None or purse.debt + left <= purse.debt_limit):
        if not stays:
            return f"debt:{purse.id}"
        return WRITTEN_OFF if begun else None
    return None


def short(purse: Purse, amount: int, available: int, pools: tuple[str, ...] = ()) -> Refusal:
    """Refuse what the lots can't pay for."""
    if _stays(purse, pools):
        return _plan_short(purse, amount, available)
    detail = f"{purse.written(amount)} were asked for; {purse.written(available)} can be spent on it."
    return _insufficient(purse, amount, available, detail, None)


def _plan_short(purse: Purse, amount: int, available: int) -> Refusal:
    """Refuse what a plan can't pay for, when nobody agreed that other credits may."""
    detail = (
        f"{purse.written(amount)} were asked for; the plan has {purse.written(available)} left for it, and other "
        "credits may not be used."
    )
    balance, needed = plain(available, purse.scale), plain(amount, purse.scale)
    return Refusal(402, "allowance_used_up", detail, "amount", balance, needed)


def _late(purse: Purse, amount: int, available: int, at: datetime) -> Refusal:
    """Refuse what the lots that were live then can't pay for; what was issued since does not count."""
    then = f"{at:%-d %B %Y, %H:%M:%S} UTC"
    detail = f"{purse.written(amount)} were asked for; {purse.written(available)} were live for it on {then}."
    return _insufficient(purse, amount, available, detail, LATE_REMEDY)


LATE_REMEDY: Final = (
    "Lots pay for what happened while they were live. Leave `occurred_at` out to have it paid for by what is live now, "
    "or issue a lot whose `effective_at` lies before it."
)


def _insufficient(purse: Purse, amount: int, available: int, detail: str, remedy: str | None) -> Refusal:
    balance, needed = plain(available, purse.scale), plain(amount, purse.scale)
    return Refusal(402, "insufficient_credits", detail, "amount", balance, needed, remedy)
