"""Months: what moved until their end, and which of them are closed."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, LiteralString

from counterfoil.core.ids import GrantId
from counterfoil.core.months import Flow, Month
from counterfoil.store.codec import document
from counterfoil.store.database import Row, Tx

FLOWS: Final[LiteralString] = """
    select unit, split_part(debit, ':', 1) as debit, split_part(credit, ':', 1) as credit,
        split_part(entry, ':', 1) as family,
        debit = 'issued' and exists (
            select from grant_lot g
            where g.tenant = j.tenant and g.id = split_part(j.credit, ':', 2) and g.cost_minor = 0
        ) as is_free,
        coalesce(sum(amount) filter (where effective_at < %(starts_at)s), 0)::numeric as before,
        coalesce(sum(amount) filter (where effective_at >= %(starts_at)s), 0)::numeric as during,
        count(*) filter (where effective_at >= %(starts_at)s) as postings
    from journal j
    where tenant = %(tenant)s and effective_at < %(ends_at)s
    group by 1, 2, 3, 4, 5
    order by 1, 2, 3, 4, 5
"""


def flows(tx: Tx, month: Month) -> list[Flow]:
    """Give what moved between kinds of accounts before and in a month."""
    rows = tx.rows(FLOWS, starts_at=month.starts_at, ends_at=month.ends_at)
    return [Flow(**{**row, "before": int(row["before"]), "during": int(row["during"])}) for row in rows]


def postings(tx: Tx, month: Month, account: str, unit: str, after: int, limit: int) -> list[Row]:
    """Give the postings of a month that move an account kind in one unit, in the order they were written."""
    return tx.rows(
        """
        select entry, n, of_n, debit, credit, unit, amount, subject, decision, occurred_at, effective_at, recorded_at,
            position
        from journal
        where tenant = %(tenant)s and unit = %(unit)s and effective_at >= %(starts_at)s and effective_at < %(ends_at)s
            and position > %(after)s
            and (split_part(debit, ':', 1) = %(account)s or split_part(credit, ':', 1) = %(account)s)
        order by position
        limit %(limit)s + 1
        """,
        starts_at=month.starts_at,
        ends_at=month.ends_at,
        account=account,
        unit=unit,
        after=after,
        limit=limit,
    )


def exported(tx: Tx, month: Month | None) -> Iterator[Row]:
    """Stream the postings of a month, or all of them, each with the decimal places of its service unit."""
    return tx.stream(
        """
        select j.*, u.scale
        from journal j
        left join service_unit u on u.tenant = j.tenant and u.code = j.unit
        where j.tenant = %(tenant)s
            and (%(starts_at)s::timestamptz is null or j.effective_at >= %(starts_at)s)
            and (%(ends_at)s::timestamptz is null or j.effective_at < %(ends_at)s)
        order by j.position
        """,
        starts_at=month.starts_at if month else None,
        ends_at=month.ends_at if month else None,
    )


# --- closing ---


def hold_all(tx: Tx) -> None:
    """Wait for every transaction of the tenant that posts, and let none begin to until this one ends."""
    tx.run("select pg_advisory_xact_lock(20261031, hashtext(%(tenant)s))")


def closed_until(tx: Tx) -> datetime | None:
    """Give the end of the last closed month, None when none is closed."""
    row = tx.one("select max(ends_at) as at from closed_month where tenant = %(tenant)s")
    return row["at"] if row else None


def put(tx: Tx, month: Month, figures: Any, now: datetime) -> None:
    """Close a month for good, with its figures as they are."""
    tx.run(
        """
        insert into closed_month (tenant, month, ends_at, figures, closed_at)
        values (%(tenant)s, %(month)s, %(ends_at)s, %(figures)s, %(now)s)
        """,
        month=month.name,
        ends_at=month.ends_at,
        figures=document(figures),
        now=now,
    )


def closed(tx: Tx) -> list[Row]:
    """Give the closed months with their figures, the newest first."""
    return tx.rows("select * from closed_month where tenant = %(tenant)s order by month desc")


def moved_since(tx: Tx, lots: tuple[str, ...], at: datetime) -> dict[GrantId, int]:
    """Give how much has left these lots from an instant on, in scaled units, less what came back."""
    accounts = [f"grant:{lot}" for lot in lots]
    rows = tx.rows(
        """
        select account, sum(amount) as moved
        from (
            select debit as account, amount from posting
            where tenant = %(tenant)s and debit = any (%(accounts)s) and effective_at >= %(at)s
            union all
            select debit, amount from draw
            where tenant = %(tenant)s and debit = any (%(accounts)s) and recorded_at >= %(at)s
            union all
            select credit, -amount from posting
            where tenant = %(tenant)s and credit = any (%(accounts)s) and debit <> 'issued' and effective_at >= %(at)s
        ) as moved
        group by account
        """,
        accounts=accounts,
        at=at,
    )
    return {GrantId(row["account"].partition(":")[2]): int(row["moved"]) for row in rows}
