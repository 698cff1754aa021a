"""What is measured of the road, over one tenant's rows or over the queues of all."""

from datetime import datetime

from counterfoil.store.database import Row, Tx


def decisions(tx: Tx) -> dict[tuple[str, str], int]:
    """Count a tenant's decisions by outcome and reason."""
    rows = tx.rows(
        """
        select outcome, reason, count(*) as n from decision
        where tenant = %(tenant)s
        group by outcome, reason
        """
    )
    return {(row["outcome"], row["reason"]): row["n"] for row in rows}


def open_cases(tx: Tx) -> dict[str, int]:
    """Count a tenant's open questions by what they ask."""
    rows = tx.rows(
        """
        select question, count(*) as n from review_case
        where tenant = %(tenant)s and status = 'open'
        group by question
        """
    )
    return {row["question"]: row["n"] for row in rows}


def open_orders(tx: Tx) -> dict[str, int]:
    """Count a tenant's orders whose end is not known yet, by status."""
    rows = tx.rows(
        """
        select status, count(*) as n from provider_order
        where tenant = %(tenant)s and status in ('queued', 'sent', 'unknown')
        group by status
        """
    )
    return {row["status"]: row["n"] for row in rows}


def hooks(tx: Tx) -> dict[str, int]:
    """Count a tenant's deliveries that are pending or failed, and its endpoints that are failing or disabled."""
    row = tx.one(
        """
        select
            (select count(*) from delivery where tenant = %(tenant)s and status = 'pending') as pending,
            (select count(*) from delivery where tenant = %(tenant)s and status = 'failed') as failed,
            count(*) filter (where status = 'active' and failing_since is not null) as failing,
            count(*) filter (where status = 'disabled') as disabled
        from hook_endpoint
        where tenant = %(tenant)s
        """
    )
    assert row is not None
    return {name: int(n) for name, n in row.items()}


def kept(tx: Tx) -> Row:
    """Give when a tenant's oldest raw body came, and what retention has dropped and when it last ran."""
    row = tx.one(
        """
        select
            (
                select i.received_at from inbox i
                where i.tenant = %(tenant)s
                    and i.id = (select min(inbox) from raw_body where tenant = %(tenant)s)
            ) as oldest_body_at,
            u.ran_at, u.bodies_dropped, u.keys_dropped
        from (select 1) as one
        left join upkeep u on u.tenant = %(tenant)s
        """
    )
    assert row is not None
    return row


def due(tx: Tx, now: datetime) -> dict[str, tuple[int, datetime]]:
    """Give, per queue, how much is due over all tenants and since when."""
    rows = tx.rows(
        """
        select queue, count(*) as n, min(due_at) as since from work
        where due_at <= %(now)s
        group by queue
        """,
        now=now,
    )
    return {row["queue"]: (row["n"], row["since"]) for row in rows}
