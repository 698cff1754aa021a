"""News that we make ourselves of what is in doubt: looks at the provider's objects, and at our own legs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from counterfoil.core.checks import RECHECK_TIMER
from counterfoil.core.facts import Source, marked_ref
from counterfoil.core.ids import LegId, ProviderRef
from counterfoil.core.lifecycle import InvoiceStatus, LegStatus
from counterfoil.core.status import status_of_invoice, status_of_payment
from counterfoil.engine.apply import LOOKED_AT
from counterfoil.engine.house import House
from counterfoil.store import checks
from counterfoil.store.database import Row, Tx
from counterfoil.store.inbox import News

STEP: Final = timedelta(microseconds=1)
KINDS: Final = {"cs": "checkout.session", "in": "invoice", "seti": "setup_intent"}
"""What kind of object an id at the provider names, by how it begins; all others are payments."""
COUNTED_AFTER: Final = timedelta(minutes=10)
"""How old a leg without a handle has to be for its order to be missed."""


def in_order(found: Sequence[Row], now: datetime) -> list[tuple[Row, datetime]]:
    """Give what is to be looked at with when it is due: at once, and the oldest trouble, which comes first, first."""
    return [(each, now - rank * STEP) for each, rank in zip(found, range(len(found), 0, -1), strict=True)]


def kind_of(ref: str) -> str:
    """Say what kind of object of the provider an id names."""
    if ref.endswith(":back"):
        return "money_back"
    return KINDS.get(ref.partition("_")[0], "payment_intent")


def look(house: House, account: str, kind: str, ref: str, identity: str, now: datetime) -> News:
    """Make the news that has an object of the provider looked at."""
    return News(
        id=house.new_id("inbox"),
        source=Source.POLL,
        kind=f"{kind}{LOOKED_AT}",
        identity=identity,
        occurred_at=now,
        received_at=now,
        account=account,
        subject_kind=kind,
        subject_ref=ref,
    )


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something on our books that can't be as it stands. `mark` is what to look for at the provider, None when our own
    legs say what is right."""

    account: str
    subject: str
    customer: str
    since: datetime
    mark: ProviderRef | None = None

    def news(self, house: House, cause: str, now: datetime) -> News:
        """Make the news that settles it."""
        if self.mark:
            return look(house, self.account, "marked", self.mark, f"{cause}:{self.mark}", now)
        return News(
            id=house.new_id("inbox"),
            source=Source.TIMER,
            kind=RECHECK_TIMER,
            identity=f"{cause}:{self.subject}",
            occurred_at=now,
            received_at=now,
            subject_kind=RECHECK_TIMER,
            subject_ref=self.subject,
            customer=self.customer,
        )


def doubts(tx: Tx, account: str, now: datetime) -> list[Doubt]:
    """Find what is in doubt in an account's books: legs that nobody will ever hear of, and statuses that are not what
    the legs say."""
    found = [*_nameless(tx, account, now), *_invoices(tx, account), *_payments(tx, account)]
    return sorted(found, key=lambda each: (each.since, each.subject))


def _nameless(tx: Tx, account: str, now: datetime) -> Iterator[Doubt]:
    for row in checks.nameless_legs(tx, account, now - COUNTED_AFTER):
        if row["customer_ref"]:
            mark = marked_ref(ProviderRef(row["customer_ref"]), LegId(row["id"]))
            yield Doubt(account, row["id"], row["customer"], row["created_at"], mark)


def _invoices(tx: Tx, account: str) -> Iterator[Doubt]:
    after, rows = "", checks.invoices_under_way(tx, account, "")
    while rows:
        for row in rows:
            if status_of_invoice(_statuses(row), InvoiceStatus(row["status"])) != row["payment_status"]:
                yield Doubt(account, row["id"], row["customer"], row["created_at"])
        after = rows[-1]["id"]
        rows = checks.invoices_under_way(tx, account, after) if len(rows) == checks.PAGE else []


def _payments(tx: Tx, account: str) -> Iterator[Doubt]:
    after, rows = "", checks.payments_under_way(tx, account, "")
    while rows:
        for row in rows:
            if status_of_payment(_statuses(row), row["settled_minor"], row["amount_minor"]) != row["status"]:
                yield Doubt(account, row["id"], row["customer"], row["created_at"])
        after = rows[-1]["id"]
        rows = checks.payments_under_way(tx, account, after) if len(rows) == checks.PAGE else []


def _statuses(row: Row) -> frozenset[LegStatus]:
    return frozenset(LegStatus(each) for each in row["legs"])
