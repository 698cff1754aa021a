"""What collecting is held to, what is kept for customers, and the payments that others took."""

from collections.abc import Iterable
from datetime import datetime

from counterfoil.core.terms import UNDECLARED, CollectionPolicy
from counterfoil.store.codec import decode, to_json
from counterfoil.store.database import Row, Tx


def policy(tx: Tx) -> CollectionPolicy:
    """Give the policy that holds: the last one, or what holds before any was declared."""
    row = tx.one("select terms from collection_policy where tenant = %(tenant)s order by version desc limit 1")
    found = decode(row["terms"]) if row else UNDECLARED
    assert isinstance(found, CollectionPolicy)
    return found


def put_policy(tx: Tx, wanted: CollectionPolicy, now: datetime) -> None:
    """Add a version of the policy."""
    tx.run(
        """
        insert into collection_policy (tenant, version, terms, created_at)
        values (%(tenant)s, %(version)s, %(terms)s, %(now)s)
        """,
        version=wanted.version,
        terms=to_json(wanted),
        now=now,
    )


def balances(tx: Tx, customers: Iterable[str]) -> list[Row]:
    """Give what is kept for customers, per currency: all of it, and what legs have reserved of it.

    The customers are locked by whoever decides by it, and every booking of their balances is made under that lock.
    """
    ids = sorted(customers)
    return tx.rows(
        """
        select customer, currency, sum(minor)::bigint as minor, sum(reserved)::bigint as reserved
        from (
            select split_part(credit, ':', 2) as customer, unit as currency, amount as minor, 0 as reserved from posting
            where tenant = %(tenant)s and credit = any (%(accounts)s)
            union all
            select split_part(debit, ':', 2), unit, -amount, 0 from posting
            where tenant = %(tenant)s and debit = any (%(accounts)s)
            union all
            select p.customer, l.currency, 0, l.amount_minor
            from payment p
            join leg l on l.tenant = p.tenant and l.payment = p.id and l.kind = 'balance' and l.status = 'reserved'
            where p.tenant = %(tenant)s and p.customer = any (%(customers)s)
        ) as moved
        group by customer, currency
        order by customer, currency
        """,
        customers=ids,
        accounts=[f"customer_balance:{each}" for each in ids],
    )


def payment_of_reference(tx: Tx, reference: str) -> str | None:
    """Find the payment that was recorded under a reference of the bank's or the cashier's."""
    row = tx.one("select payment from leg where tenant = %(tenant)s and reference = %(reference)s", reference=reference)
    return str(row["payment"]) if row else None
