"""Lots of credits, and the one total order in which they are drawn.

`DRAW_ORDER` is published and versioned: the same lots, the same instant and the same use give the same draws, in
whatever order the rows were read.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Protocol, TypeAlias

from counterfoil.core.books import FREE_SOURCES, Books, Grant, Hold, Leg, Wallet
from counterfoil.core.effects import Change, Effect, Post
from counterfoil.core.ids import HoldId, NewId, WalletId
from counterfoil.core.journal import Covered, Drawn, Ended, debt_covered
from counterfoil.core.lifecycle import HoldStatus, WalletStatus
from counterfoil.core.money import face_value, quantity_for
from counterfoil.core.recognition import owed_no_more

DRAW_ORDER: Final = "draw-order@2"
NEVER: Final = datetime.max.replace(tzinfo=UTC)

DrawKey: TypeAlias = tuple[int, int, bool, datetime, bool, datetime, str]


class Ranked(Protocol):
    """What the order of lots depends on: the fields of a `Grant`, and of the spend door's plain record of one."""

    @property
    def id(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def expires_at(self) -> datetime | None: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def features(self) -> tuple[str, ...]: ...
    @property
    def pool(self) -> str: ...


def draw_key(grant: Ranked, pools: tuple[str, ...] = ()) -> DrawKey:
    """Rank a lot: pool, priority, kept for features first, soonest expiry, free before paid, oldest, id.

    Total, because ids differ. `pools` are those that the use may draw on, the matching plan's first; lots of no pool
    come after them.
    """
    rank = pools.index(grant.pool) if grant.pool in pools else len(pools)
    paid = grant.source not in FREE_SOURCES
    return (
        rank,
        grant.priority,
        not grant.features,
        grant.expires_at or NEVER,
        paid,
        grant.created_at,
        grant.id,
    )


def serves(grant: Ranked, feature: str | None, pools: tuple[str, ...] = ()) -> bool:
    """Say whether a lot may be used for a feature (None is none in particular) by what may draw on these pools."""
    return (not grant.features or feature in grant.features) and (not grant.pool or grant.pool in pools)


def is_live(grant: Grant, at: datetime) -> bool:
    """Say whether a lot may be used at an instant: from `effective_at` on, before `expires_at`, and not once voided."""
    return grant.effective_at <= at and not grant.over_at(at)


def eligible(
    grants: Iterable[Grant], at: datetime, feature: str | None = None, pools: tuple[str, ...] = ()
) -> tuple[Grant, ...]:
    """Give those of a wallet's lots that may be used for this at an instant and have something free, in draw order."""
    usable = (each for each in grants if each.free > 0 and is_live(each, at) and serves(each, feature, pools))
    return tuple(sorted(usable, key=lambda grant: draw_key(grant, pools)))


def lots_of(books: Books, wallet: WalletId) -> tuple[Grant, ...]:
    """Give the lots of one wallet."""
    return tuple(each for each in books.grants if each.wallet == wallet)


@dataclass(frozen=True, slots=True)
class Share:
    """What one lot contributes: `quantity` scaled units, worth `minor` minor units of the invoice."""

    grant: Grant
    quantity: int
    minor: int


def cover(books: Books, wallet: Wallet, minor: int, at: datetime) -> tuple[Share, ...]:
    """Take as much of `minor` as a wallet's free lots are worth, lot by lot in draw order.

    Lots kept for features or for a plan pay no invoice. A lot gives whole minor units only, for the fewest units that
    are worth them; what is worth less than one minor unit stays in the lot.
    """
    shares: list[Share] = []
    left = minor
    for grant in eligible(lots_of(books, wallet.id), at):
        worth = min(left, face_value(grant.free, wallet.unit))
        if worth > 0:
            shares.append(Share(grant, quantity_for(worth, wallet.unit), worth))
            left -= worth
    return tuple(shares)


def paying_wallets(books: Books, currency: str) -> tuple[Wallet, ...]:
    """Give the wallets that may pay in a currency: active, pegged to it, oldest first."""
    usable = (
        wallet
        for wallet in books.wallets
        if wallet.status is WalletStatus.ACTIVE and not wallet.contested and wallet.unit.face_currency == currency
    )
    return tuple(sorted(usable, key=lambda wallet: (wallet.created_at, wallet.id)))


def reserve(leg: Leg, shares: Iterable[Share], new_id: NewId) -> tuple[tuple[Hold, ...], tuple[Grant, ...]]:
    """Reserve shares for a leg: one hold per lot, and the lots with that much more held."""
    holds, grants = [], []
    for each in shares:
        identity = HoldId(new_id("hold"))
        holds.append(
            Hold(identity, leg.id, each.grant.wallet, each.grant.id, each.quantity, each.minor, HoldStatus.OPEN)
        )
        grants.append(replace(each.grant, held=each.grant.held + each.quantity))
    return tuple(holds), tuple(grants)


def release(books: Books, leg: Leg) -> tuple[tuple[Hold, ...], tuple[Grant, ...]]:
    """Give a leg's open holds back to their lots."""
    holds = open_holds(books, leg)
    grants = tuple(replace(_lot(books, hold), held=_lot(books, hold).held - hold.quantity) for hold in holds)
    return tuple(replace(hold, status=HoldStatus.RELEASED) for hold in holds), grants


def settle(books: Books, leg: Leg) -> tuple[tuple[Hold, ...], tuple[Grant, ...], tuple[Drawn, ...]]:
    """Use a leg's open holds up: the holds settled, the lots after it, and what was drawn of each.

    The lots are recognised before, so that the leg pays with what it drew itself.
    """
    holds = open_holds(books, leg)
    drawn = tuple(_drawn(_lot(books, hold), hold) for hold in holds)
    grants = tuple(
        replace(
            each.grant,
            remaining=each.grant.remaining - each.quantity,
            held=each.grant.held - each.quantity,
            released_minor=each.grant.released_minor + each.released_minor,
        )
        for each in drawn
    )
    settled = tuple(
        replace(hold, status=HoldStatus.SETTLED, released_minor=each.released_minor)
        for hold, each in zip(holds, drawn, strict=True)
    )
    return settled, grants, drawn


def _drawn(grant: Grant, hold: Hold) -> Drawn:
    return Drawn(grant, hold.quantity, hold.minor, _released(replace(grant, remaining=grant.remaining - hold.quantity)))


def open_holds(books: Books, leg: Leg) -> tuple[Hold, ...]:
    """Give a leg's holds that still reserve, by id."""
    return tuple(hold for hold in books.holds if hold.leg == leg.id and hold.status is HoldStatus.OPEN)


def put_back(books: Books, leg: Leg) -> tuple[tuple[Grant, ...], tuple[Drawn, ...]]:
    """Give the lots after a settled leg was returned to them, and what had been drawn of each."""
    settled = [hold for hold in books.holds if hold.leg == leg.id and hold.status is HoldStatus.SETTLED]
    drawn = tuple(Drawn(_lot(books, each), each.quantity, each.minor, each.released_minor) for each in settled)
    grants = tuple(
        replace(
            each.grant,
            remaining=each.grant.remaining + each.quantity,
            released_minor=each.grant.released_minor - each.released_minor,
        )
        for each in drawn
    )
    return grants, drawn


def covering(grant: Grant, wallet: Wallet) -> Covered | None:
    """Let a lot cover what its wallet owes, as far as it goes. None when nothing is owed or nothing is free.

    The use has happened: the share is used as any other, and is recognised with the rest of the lot. Debt does not say
    what it was for, so a lot that is kept for some features covers it as well. An allowance does not: what was used
    beyond one is never taken out of the next.
    """
    quantity = 0 if grant.pool else min(grant.free, wallet.debt)
    if quantity == 0:
        return None
    lot = replace(grant, remaining=grant.remaining - quantity, steps=grant.steps + 1)
    return Covered(lot, replace(wallet, debt=wallet.debt - quantity), quantity)


def settle_debt(books: Books, wallet: WalletId, at: datetime) -> tuple[Effect, ...]:
    """Let what is free in a wallet cover what it owes, in draw order: nobody is blocked by a debt that he can pay."""
    effects: tuple[Effect, ...] = ()
    owing = next(each for each in books.wallets if each.id == wallet)
    for lot in sorted((each for each in lots_of(books, wallet) if each.free and is_live(each, at)), key=draw_key):
        cover = covering(lot, owing)
        if cover is None:
            continue
        effects += (Change(lot, cover.lot), Change(owing, cover.wallet), Post(debt_covered(cover, at)))
        owing = cover.wallet
    return effects


def ending(grant: Grant) -> Ended:
    """Take the free part out of a lot that is recognised. The last of it takes the rest of what the lot cost."""
    after = replace(grant, remaining=grant.held, gone=grant.gone + grant.free)
    released = _released(after)
    return Ended(replace(after, released_minor=grant.released_minor + released), grant.free, released)


def _released(after: Grant) -> int:
    """Give the price of what has just left a lot. Everything before it was recognised first, so that it is its own."""
    released = owed_no_more(after) - after.released_minor
    assert released >= 0, "a lot was not recognised before this"
    return released


def _lot(books: Books, hold: Hold) -> Grant:
    return next(grant for grant in books.grants if grant.id == hold.grant)
