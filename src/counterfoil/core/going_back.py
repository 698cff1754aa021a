"""The journal's templates for money that goes back: refunds, and disputes. Their keys are the provider's own ids."""

from collections.abc import Iterable
from datetime import datetime

from counterfoil.core.facts import DisputeMoveFact
from counterfoil.core.ids import AccountId
from counterfoil.core.journal import (
    DISPUTE_LOSSES,
    DISPUTED,
    EXCHANGE,
    FEES,
    REFUND_DUE,
    Account,
    Entry,
    Posting,
    clearing,
)
from counterfoil.core.money import Money


def refund_paid(key: str, account: AccountId, subject: str, money: Money, now: datetime) -> Entry:
    """The provider paid a refund: what was owed back is."""
    posting = Posting(REFUND_DUE, clearing(account), money.currency, money.minor)
    return Entry(key, subject, now, (posting,))


def refund_returned(key: str, account: AccountId, subject: str, money: Money, now: datetime) -> Entry:
    """A refund came back to the provider: it is owed again."""
    posting = Posting(clearing(account), REFUND_DUE, money.currency, money.minor)
    return Entry(f"{key}:failed", subject, now, (posting,))


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
