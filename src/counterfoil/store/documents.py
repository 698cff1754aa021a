"""Papers as they were given out, who sells, and what papers say of a buyer."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from counterfoil.core.papers import PaperKind, Seller, place_of
from counterfoil.store.codec import decode, to_json
from counterfoil.store.database import Row, Tx
from counterfoil.store.pages import Page


@dataclass(frozen=True, slots=True)
class Document:
    """One paper, its bytes among it. `digest` is made by the database from the bytes, never from elsewhere."""

    id: str
    kind: PaperKind
    subject: str
    customer: str
    number: str
    language: str
    bytes: bytes


def put(tx: Tx, document: Document, now: datetime) -> None:
    """Store a paper for good. Raises UniqueViolation when its subject has one of this kind."""
    tx.run(
        """
        insert into document (tenant, id, kind, subject, customer, number, place, language, bytes, sha256, created_at)
        values (%(tenant)s, %(id)s, %(kind)s, %(subject)s, %(customer)s, %(number)s, %(place)s, %(language)s,
            %(bytes)s, sha256(%(bytes)s), %(now)s)
        """,
        id=document.id,
        kind=document.kind,
        subject=document.subject,
        customer=document.customer,
        number=document.number,
        place=place_of(document.number),
        language=document.language,
        bytes=document.bytes,
        now=now,
    )


def of_subject(tx: Tx, kind: PaperKind, subject: str) -> Row | None:
    """Give the paper of an invoice, a payment or a credit note, with its bytes."""
    return tx.one(
        "select * from document where tenant = %(tenant)s and kind = %(kind)s and subject = %(subject)s",
        kind=kind,
        subject=subject,
    )


def by_id(tx: Tx, identity: str) -> Row | None:
    """Give a paper with its bytes."""
    return tx.one("select * from document where tenant = %(tenant)s and id = %(id)s", id=identity)


def listed(tx: Tx, page: Page, customer: str | None = None, kind: str | None = None) -> list[Row]:
    """Give papers without their bytes, the newest first."""
    return tx.rows(
        """
        select id, kind, subject, customer, number, language, sha256, octet_length(bytes) as size, created_at
        from document
        where tenant = %(tenant)s and (%(after)s::text is null or id < %(after)s)
            and (%(customer)s::text is null or customer = %(customer)s)
            and (%(kind)s::text is null or kind = %(kind)s)
        order by id desc
        limit %(limit)s + 1
        """,
        after=page.after,
        customer=customer,
        kind=kind,
        limit=page.limit,
    )


def about(tx: Tx, subjects: Iterable[str]) -> list[Row]:
    """Give the papers of these subjects, without their bytes."""
    return tx.rows(
        """
        select id, kind, subject, customer, number, language, sha256, octet_length(bytes) as size, created_at
        from document
        where tenant = %(tenant)s and subject = any (%(subjects)s)
        order by id
        """,
        subjects=list(subjects),
    )


# --- who sells, who buys ---


def seller(tx: Tx) -> Seller:
    """Give the seller's details that hold: the last version, or nothing when none was said."""
    row = tx.one("select details from seller_version where tenant = %(tenant)s order by version desc limit 1")
    found = decode(row["details"]) if row else Seller()
    assert isinstance(found, Seller)
    return found


def put_seller(tx: Tx, wanted: Seller, now: datetime) -> None:
    """Add a version of the seller's details."""
    tx.run(
        """
        insert into seller_version (tenant, version, details, created_at)
        values (%(tenant)s, %(version)s, %(details)s, %(now)s)
        """,
        version=wanted.version,
        details=to_json(wanted),
        now=now,
    )


def put_billing(tx: Tx, customer: str, billing: dict[str, Any]) -> None:
    """Store what papers are to say of a customer. It is personal, and erased with the rest."""
    tx.run(
        """
        insert into customer_person (tenant, customer, billing) values (%(tenant)s, %(customer)s, %(billing)s)
        on conflict (tenant, customer) do update set billing = excluded.billing
        """,
        customer=customer,
        billing=json.dumps(billing, ensure_ascii=False),
    )


def buyers(tx: Tx, customers: Iterable[str]) -> dict[str, Row]:
    """Give what is known of customers as persons: name, email, locale, billing."""
    rows = tx.rows(
        """
        select customer, name, email, locale, billing from customer_person
        where tenant = %(tenant)s and customer = any (%(customers)s)
        """,
        customers=list(customers),
    )
    return {row["customer"]: row for row in rows}


# --- what a receipt says ---


def payment(tx: Tx, identity: str) -> Row | None:
    """Give a payment that has succeeded and is of ours to acknowledge, locked against a second receipt.

    None when it did not succeed, or when it pays an invoice that the provider collects: then the provider's receipt is.
    """
    return tx.one(
        """
        select id, customer, amount_minor, currency, settled_at from payment p
        where tenant = %(tenant)s and id = %(id)s and settled_at is not null and not exists (
            select from leg l
            join allocation a on a.tenant = l.tenant and a.leg = l.id
            join invoice i on i.tenant = a.tenant and i.id = a.invoice
            where l.tenant = p.tenant and l.payment = p.id and i.collector = 'provider'
        )
        for no key update
        """,
        id=identity,
    )


def paid_parts(tx: Tx, payment: str) -> list[Row]:
    """Give what settled legs paid of the invoices of a payment, those of other payments too, oldest first."""
    return tx.rows(
        """
        select l.id as leg, l.payment, l.kind, l.means, l.settled_at, a.invoice, a.minor, i.number, i.currency
        from allocation a
        join leg l on l.tenant = a.tenant and l.id = a.leg
        join invoice i on i.tenant = a.tenant and i.id = a.invoice
        where a.tenant = %(tenant)s and l.status = 'settled' and a.invoice in (
            select b.invoice from allocation b
            join leg m on m.tenant = b.tenant and m.id = b.leg
            where b.tenant = %(tenant)s and m.payment = %(payment)s
        )
        order by a.invoice, l.settled_at, l.id
        """,
        payment=payment,
    )
