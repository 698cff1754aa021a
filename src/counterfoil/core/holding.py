"""Holds: credits reserved for a use whose size is not known yet, later settled, released, or expired by themselves.

Over the plain records of `spending`, in the same flushes: a hold is one conditional act, so of many who want the last
unit one gets it. What is reserved can't be drawn by anybody else, and does not expire before its hold ends.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from counterfoil.core.lifecycle import SpendHoldStatus
from counterfoil.core.spending import (
    Cover,
    Covered,
    Lot,
    Purse,
    Refusal,
    decide_spend,
    over_limit,
    refuse_closed,
    shares_of,
    short,
    take,
)

OPEN: Final = SpendHoldStatus.OPEN


@dataclass(slots=True)
class SpendHold:
    """A hold: how much was asked for, and what each lot reserves of it, in draw order. Amounts are scaled units.

    What a wallet with an overdraft may owe or give away is part of `amount` and is reserved nowhere. `settled` and
    `spend` are there once it was settled with something.
    """

    id: str
    key: str
    request_hash: str
    wallet: str
    unit: str
    scale: int
    amount: int
    reserved: list[tuple[str, int]]
    feature: str | None
    rule: str
    status: str
    settled: int | None
    spend: str | None
    flush: str
    expires_at: datetime
    created_at: datetime
    pools: tuple[str, ...] = ()
    ended_at: datetime | None = None
    replayed: bool = False

    def is_over(self, now: datetime) -> bool:
        """Say whether its time is up, although nothing has ended it yet."""
        return self.status == OPEN and self.expires_at <= now


def decide_hold(
    purse: Purse, amount: int, feature: str | None, now: datetime, pools: tuple[str, ...] = ()
) -> list[tuple[str, int]] | Refusal:
    """Reserve credits for a use: what each lot gives, in draw order, the lots with that much more held."""
    refusal = refuse_closed(purse)
    if refusal:
        return refusal
    if amount <= 0:
        return Refusal(422, "invalid_request", "amount: must be more than zero", "amount")
    shares, left = shares_of(purse, amount, feature, now, pools)
    if left and over_limit(purse, left, pools, bool(shares)):
        return short(purse, amount, amount - left, pools)
    for lot, share in shares:
        lot.held += share
    return [(lot.id, share) for lot, share in shares]


def let_go(purse: Purse, hold: SpendHold) -> list[Lot]:
    """Give back what a hold reserves, and name the lots."""
    lots = {lot.id: lot for lot in purse.lots}
    freed = []
    for identity, share in hold.reserved:
        lot = lots[identity]
        lot.held -= share
        freed.append(lot)
    return freed


def refuse_ended(hold: SpendHold, now: datetime) -> Refusal | None:
    """Refuse to end a hold that has ended."""
    if hold.status == OPEN and not hold.is_over(now):
        return None
    how = "expired" if hold.is_over(now) else hold.status
    return Refusal(409, "hold_not_open", f"The hold {hold.id} is {how}.")


def decide_settle(purse: Purse, hold: SpendHold, amount: int, refuse_more: bool, now: datetime) -> Covered:
    """Use what a hold reserves, and let the rest of it go. More than that is drawn as a use would, or refused.

    An amount of zero uses nothing. The hold stays open when this is refused.
    """
    if amount < 0:
        return Refusal(422, "invalid_request", "amount: must not be negative", "amount")
    if amount > hold.amount and refuse_more:
        detail = f"{purse.written(amount)} are more than the {purse.written(hold.amount)} that are held."
        return Refusal(409, "hold_exceeded", detail, "amount")
    shares, left = _first_of(purse, hold, amount)
    before = [(lot, lot.remaining, lot.held) for lot in purse.lots]
    balance, debt = purse.balance, purse.debt
    let_go(purse, hold)
    draws = take(purse, shares, now)
    if left:
        rest = decide_spend(purse, left, hold.feature, now, now, hold.pools, begun=bool(shares))
        if isinstance(rest, Refusal):
            for lot, lot_remaining, lot_held in before:
                lot.remaining, lot.held = lot_remaining, lot_held
            purse.balance, purse.debt = balance, debt
            return rest
        draws = joined(draws, rest.draws)
    return Cover(draws, purse.balance)


def _first_of(purse: Purse, hold: SpendHold, amount: int) -> tuple[list[tuple[Lot, int]], int]:
    """Give what of a hold's shares an amount uses, in draw order, and what they leave uncovered."""
    lots = {lot.id: lot for lot in purse.lots}
    shares = []
    for identity, reserved in hold.reserved:
        share = min(reserved, amount)
        if share:
            shares.append((lots[identity], share))
            amount -= share
    return shares, amount


def joined(first: list[tuple[str, int]], second: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Add draws up, each account once, in the order of its first draw."""
    sums: dict[str, int] = {}
    for account, amount in (*first, *second):
        sums[account] = sums.get(account, 0) + amount
    return list(sums.items())
