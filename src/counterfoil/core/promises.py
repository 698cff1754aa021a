"""Credits as the rules see them: wallets, their lots, what is reserved of a lot. Plain values, as all of `books`."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from counterfoil.core.ids import CustomerId, DisputeId, GrantId, HoldId, LegId, PurchaseId, WalletId
from counterfoil.core.lifecycle import HoldStatus, WalletStatus
from counterfoil.core.money import ServiceUnit
from counterfoil.core.terms import Overdraft, Shortfall


@dataclass(frozen=True, slots=True)
class Wallet:
    """A customer's prepaid promises in one service unit. `moves` counts how often it was moved: its status, its debt.

    `debt` is use that no lot covered, in scaled units; `debt_limit` how much of it may be owed, None is any amount.
    Somebody is told when the balance falls below a share of the last top-up (`alert_percents`) or below a level
    (`alert_levels`); `topups` counts the cycles of that, and `alert_at` is the next threshold, None when all have told.
    `watch_below` is what its auto top-up wants to be told of: that less than this can be spent. None is nothing.
    `overflow` says whether the use of a plan may go on to credits of no pool once the plan's are used up.
    """

    id: WalletId
    customer: CustomerId
    unit: ServiceUnit
    status: WalletStatus
    created_at: datetime
    moves: int = 0
    overdraft: Overdraft = Overdraft.REFUSE
    debt_limit: int | None = None
    debt: int = 0
    shortfall: Shortfall = Shortfall.DEBT
    alert_percents: tuple[int, ...] = (20, 5)
    alert_levels: tuple[int, ...] = ()
    last_topup: int = 0
    topups: int = 0
    alert_at: int | None = None
    watch_below: int | None = None
    contested: int = 0  # open disputes that keep it from being spent from
    overflow: bool = True


class GrantSource(StrEnum):
    """Where a lot came from."""

    PURCHASE = "purchase"
    ALLOWANCE = "allowance"
    PROMOTIONAL = "promotional"
    BONUS = "bonus"
    ADJUSTMENT = "adjustment"
    REFUND = "refund"


FREE_SOURCES: Final = frozenset({GrantSource.PROMOTIONAL, GrantSource.BONUS})
"""Lots that nobody paid for: their cost basis is zero, and what they cover is our promotion cost."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A lot in a wallet. `remaining` counts what is not used; `held` is the part of it that holds reserve.

    `cost_minor` is what the lot was bought for, net; `released_minor` the part of it already recognised.
    A lower `priority` is drawn first. `effective_at` is inclusive, `expires_at` exclusive. `gone` is what left the lot
    unused, because it expired or was voided.

    `features` are what it may be used for, empty is anything. `pool` names the plan or the plan family whose use it
    serves, '' is none. `steps` counts the lot's own entries, so that each has a key. `clawed` is the part of what was
    used that was taken back since, because its price was refunded.
    """

    id: GrantId
    wallet: WalletId
    source: GrantSource
    amount: int
    remaining: int
    cost_minor: int
    cost_currency: str
    effective_at: datetime
    created_at: datetime
    held: int = 0
    released_minor: int = 0
    priority: int = 50
    expires_at: datetime | None = None
    gone: int = 0
    voided_at: datetime | None = None
    features: tuple[str, ...] = ()
    pool: str = ""
    steps: int = 0
    clawed: int = 0
    purchase: PurchaseId | None = None
    """What bought it; a purchase has one lot, for ever."""

    def over_at(self, now: datetime) -> bool:
        """Say whether the lot has ended: it expired, or was voided."""
        return self.voided_at is not None or (self.expires_at is not None and self.expires_at <= now)

    @property
    def free(self) -> int:
        """What can be drawn or reserved now."""
        return self.remaining - self.held

    @property
    def used(self) -> int:
        """What was drawn of the lot, whatever for."""
        return self.amount - self.remaining - self.gone

    @property
    def is_kept_apart(self) -> bool:
        """Say whether it is kept for some features, or for a plan: such a lot pays no invoice."""
        return bool(self.features or self.pool)


@dataclass(frozen=True, slots=True)
class Hold:
    """A share of one lot, reserved for one credit leg, or kept while the leg that paid for the lot is disputed."""

    id: HoldId
    leg: LegId
    wallet: WalletId
    grant: GrantId
    quantity: int
    minor: int
    status: HoldStatus
    released_minor: int = 0
    """The cost basis that using this share released; set when it settles, so that a return gives exactly it back."""
    returned_minor: int = 0  # what of `minor` was refunded since: the same share of quantity and cost basis went back
    dispute: DisputeId | None = None  # the dispute of the leg that it waits for
