"""What sweeps remember, and what they look for."""

from datetime import datetime

from counterfoil.store.database import Row, Tx


def cursor(tx: Tx, account: str) -> str | None:
    """Give how far the provider's events of an account were read."""
    row = tx.one("select cursor from sweep where tenant = %(tenant)s and account = %(account)s", account=account)
    return row["cursor"] if row else None


def last(tx: Tx, account: str) -> Row | None:
    """Give the last sweep of an account: when it ran, how far it read, what it found."""
    return tx.one("select * from sweep where tenant = %(tenant)s and account = %(account)s", account=account)


def due(tx: Tx, account: str) -> datetime | None:
    """Say when an account is swept next; None when it never is, as before it is connected."""
    row = tx.one("select due_at from work where queue = 'sweep' and tenant = %(tenant)s and id = %(id)s", id=account)
    return row["due_at"] if row else None


def remember(tx: Tx, account: str, cursor: str | None, now: datetime, report: str) -> None:
    """Store how far a sweep has read and what it found."""
    tx.run(
        """
        insert into sweep (tenant, account, cursor, ran_at, report)
        values (%(tenant)s, %(account)s, %(cursor)s, %(now)s, %(report)s)
        on conflict (tenant, account) do update set
            cursor = excluded.cursor, ran_at = excluded.ran_at, report = excluded.report
        """,
        account=account,
        cursor=cursor,
        now=now,
        report=report,
    )


def open_legs(tx: Tx, account: str) -> list[Row]:
    """Give the provider legs that may still capture and have a handle, oldest first, however old."""
    return tx.rows(
        """
        select id, provider_ref from leg
        where tenant = %(tenant)s and account = %(account)s and kind = 'provider'
            and status in ('processing', 'requires_action') and provider_ref is not null
        order by created_at, id
        """,
        account=account,
    )


def requeue_lost(tx: Tx, account: str, now: datetime) -> int:
    """Make open orders and undecided news due that have lost their place in the claim table."""
    lost_orders = tx.run(
        """
        insert into work (queue, tenant, id, due_at)
        select 'order', tenant, id, %(now)s from provider_order
        where tenant = %(tenant)s and account = %(account)s and status in ('queued', 'sent', 'unknown')
        on conflict do nothing
        """,
        account=account,
        now=now,
    )
    lost_news = tx.run(
        """
        insert into work (queue, tenant, id, due_at)
        select 'inbox', tenant, id, greatest(%(now)s, occurred_at) from inbox
        where tenant = %(tenant)s and status in ('received', 'waiting') and source <> 'api'
        on conflict do nothing
        """,
        now=now,
    )
    return lost_orders + lost_news
