"""The journal's templates for money that goes back: refunds, under our own ids, and disputes, under the provider's."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from counterfoil.core.facts import DisputeMoveFact
from counterfoil.core.ids import AccountId
from counterfoil.core.journal import (
    DEFERRED,
    DISPUTE_LOSSES,
    DISPUTED,
    EXCHANGE,
    FEES,
    PROMOTION,
    REFUND_DUE,
    REVENUE,
    USED,
    Account,
    Entry,
    Posting,
    clearing,
    lot,
)
from counterfoil.core.money import Money, ServiceUnit, share
from counterfoil.core.promises import FREE_SOURCES, Grant, Hold
from counterfoil.core.refunded import Refund


def refund_paid(refund: Refund, source: Account, now: datetime) -> Entry:
    """What was owed back is paid, out of `source`."""
    posting = Posting(REFUND_DUE, source, refund.currency, refund.amount_minor)
    return Entry(f"refund:{refund.id}:paid", refund.id, now, (posting,))


def refund_returned(refund: Refund, source: Account, now: datetime) -> Entry:
    """What was paid came back to where it had been."""
    posting = Posting(source, REFUND_DUE, refund.currency, refund.amount_minor)
    return Entry(f"refund:{refund.id}:returned", refund.id, now, (posting,))


@dataclass(frozen=True, slots=True)
class Share:
    """What of one hold of a credit leg goes back to its lot: so much of its worth, from `before` on, in minor units."""

    hold: Hold
    lot: Grant
    minor: int

    @property
    def quantity(self) -> int:
        """The units that go back."""
        return self._between(self.hold.quantity)

    @property
    def released_minor(self) -> int:
        """The cost basis that is owed as service again."""
        return self._between(self.hold.released_minor)

    @property
    def deferred_minor(self) -> int:
        """What of its worth its cost basis had paid; the rest was promotion."""
        if self.lot.source in FREE_SOURCES:
            return 0
        before, after = self.hold.returned_minor, self.hold.returned_minor + self.minor
        earlier, later = (min(share(self.hold.released_minor, at, self.hold.minor), at) for at in (before, after))
        return later - earlier

    def _between(self, total: int) -> int:
        before, after = self.hold.returned_minor, self.hold.returned_minor + self.minor
        return share(total, after, self.hold.minor) - share(total, before, self.hold.minor)


def credits_returned(refund: Refund, shares: Iterable[Share], unit: ServiceUnit, now: datetime) -> Entry:
    """Credits that had paid are in their lots again: what they were bought for is owed as service again."""
    postings = [posting for each in shares for posting in _returned(each, refund.currency, unit) if posting.amount]
    return Entry(f"refund:{refund.id}:paid", refund.id, now, tuple(postings))


def _returned(each: Share, currency: str, unit: ServiceUnit) -> tuple[Posting, ...]:
    released = 0 if each.lot.source in FREE_SOURCES else each.released_minor
    return (
        Posting(USED, lot(each.lot.id), unit.code, each.quantity),
        Posting(REFUND_DUE, DEFERRED, currency, each.deferred_minor),
        Posting(REFUND_DUE, PROMOTION, currency, each.minor - each.deferred_minor),
        Posting(REVENUE, DEFERRED, currency, released - each.deferred_minor),
    )


def price_given_back(
    key: str, subject: str, parts: Iterable[tuple[int, Account]], to: Account, currency: str, now: datetime
) -> Entry:
    """What a refund or a lost dispute gives back beside the price of goods: fees, taxes, and what was never ours."""
    postings = tuple(Posting(account, to, currency, minor) for minor, account in parts if minor > 0)
    return Entry(key, subject, now, postings)


def dispute_lost(key: str, subject: str, money: Money, now: datetime) -> Entry:
    """Contested money is gone for good, and nothing that was given for it can be taken back."""
    return Entry(key, subject, now, (Posting(DISPUTE_LOSSES, DISPUTED, money.currency, money.minor),))


def dispute_overturned(key: str, subject: str, money: Money, now: datetime) -> Entry:
    """What was lost was won after all: the provider is to give it back."""
    return Entry(key, subject, now, (Posting(DISPUTED, DISPUTE_LOSSES, money.currency, money.minor),))


def dispute_moved(move: DisputeMoveFact, money: Money, account: AccountId, subject: str, now: datetime) -> Entry:
    """The provider took contested money, with its fee, or gave it back. `money` is what is contested: where that is in
    another currency than the provider's books, the difference is one of exchange."""
    ours = clearing(account)
    if move.currency == money.currency:
        parts = _between(DISPUTED, ours, move.currency, -move.minor)
    else:
        contested = money.minor if move.minor < 0 else -money.minor
        parts = (
            *_between(DISPUTED, EXCHANGE, money.currency, contested),
            *_between(EXCHANGE, ours, move.currency, -move.minor),
        )
    return Entry(f"dispute:{move.ref}", subject, now, (*parts, *_between(FEES, ours, move.currency, move.fee_minor)))


def _between(debit: Account, credit: Account, unit: str, minor: int) -> tuple[Posting, ...]:
    """Move an amount, the other way round when it is below zero."""
    if minor < 0:
        return (Posting(credit, debit, unit, -minor),)
    return (Posting(debit, credit, unit, minor),) if minor else ()
