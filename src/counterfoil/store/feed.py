"""Decisions in the order they were made, for whoever watches."""

from datetime import datetime

from counterfoil.store.database import Row, Tx


def newest(tx: Tx, limit: int) -> list[Row]:
    """Give the newest decisions with their news, oldest first."""
    return tx.rows(
        """
        select * from (
            select d.id, d.inbox, d.outcome, d.rule, d.reason, d.sentence, d.customer, d.decided_at, i.source, i.kind,
                i.subject_ref, i.deliveries
            from decision d
            join inbox i on i.tenant = d.tenant and i.id = d.inbox
            where d.tenant = %(tenant)s
            order by d.decided_at desc, d.id desc
            limit %(limit)s
        ) as newest
        order by decided_at, id
        """,
        limit=limit,
    )


def since(tx: Tx, at: datetime, limit: int) -> list[Row]:
    """Give the decisions made at `at` or later with their news, oldest first."""
    return tx.rows(
        """
        select d.id, d.inbox, d.outcome, d.rule, d.reason, d.sentence, d.customer, d.decided_at, i.source, i.kind,
            i.subject_ref, i.deliveries
        from decision d
        join inbox i on i.tenant = d.tenant and i.id = d.inbox
        where d.tenant = %(tenant)s and d.decided_at >= %(at)s
        order by d.decided_at, d.id
        limit %(limit)s
        """,
        at=at,
        limit=limit,
    )


def outcomes_after(tx: Tx, inbox: str) -> dict[str, int]:
    """Count the decisions by outcome about news that came after a given piece of it."""
    rows = tx.rows(
        "select outcome, count(*) as n from decision where tenant = %(tenant)s and inbox > %(inbox)s group by outcome",
        inbox=inbox,
    )
    return {row["outcome"]: row["n"] for row in rows}


def undecided_after(tx: Tx, inbox: str) -> int:
    """Count the news that came after a given piece of it and have no decision yet. A timer that wakes later is none."""
    row = tx.one(
        """
        select count(*) as n from inbox
        where tenant = %(tenant)s and id > %(inbox)s and status in ('received', 'waiting') and source <> 'timer'
        """,
        inbox=inbox,
    )
    return row["n"] if row else 0
