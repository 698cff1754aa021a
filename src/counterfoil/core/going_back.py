"""The journal's templates for money that goes back: refunds, and disputes. Their keys are the provider's own ids."""

from collections.abc import Iterable
from datetime import datetime

from counterfoil.core.facts import DisputeMoveFact
from counterfoil.core.ids import AccountId
from counterfoil.core.journal import DISPUTED, FEES, REFUND_DUE, Account, Entry, Posting, clearing
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
    """Contested money is gone for good: it is what the customer was owed back."""
    return Entry(key, subject, now, (Posting(REFUND_DUE, DISPUTED, money.currency, money.minor),))


def dispute_moved(move: DisputeMoveFact, account: AccountId, subject: str, now: datetime) -> Entry:
    """The provider took contested money, with its fee, or gave it back."""
    ours = clearing(account)
    taken, given = max(0, -move.minor), max(0, move.minor)
    parts = (
        Posting(DISPUTED, ours, move.currency, taken),
        Posting(ours, DISPUTED, move.currency, given),
        Posting(FEES, ours, move.currency, max(0, move.fee_minor)),
        Posting(ours, FEES, move.currency, max(0, -move.fee_minor)),
    )
    return Entry(f"dispute:{move.ref}", subject, now, tuple(each for each in parts if each.amount))
