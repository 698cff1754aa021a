"""What sweeps remember, and what they look for."""

from datetime import datetime, timedelta
from typing import Final

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


SELDOM: Final = 32
"""An open leg is looked at again once a 32nd of its age has passed: every hour or so after a day, and so on."""
LOOK_EVERY_MAX: Final = timedelta(hours=6)
"""However old it is, it is looked at as often as this."""
LOOKS_MAX: Final = 1000
"""So many in one sweep; the next one takes those that were left."""


def open_legs(tx: Tx, account: str, now: datetime) -> list[Row]:
    """Give the provider legs that may still capture, have a handle and are due to be looked at again, however old.

    The oldest trouble comes first. The older a leg is, the more rarely it changes, and the more rarely it is due: so
    the oldest don't keep the others waiting.
    """
    return tx.rows(
        """
        select leg.id, coalesce(leg.session_ref, leg.provider_ref) as provider_ref from leg
        left join provider_object o
            on o.tenant = leg.tenant and o.account = leg.account and o.ref = coalesce(leg.provider_ref, leg.session_ref)
        where leg.tenant = %(tenant)s and leg.account = %(account)s and leg.kind = 'provider'
            and leg.status in ('processing', 'requires_action')
            and (leg.provider_ref is not null or leg.session_ref is not null)
            and (o.applied_at is null
                or o.applied_at + least((%(now)s - leg.created_at) / %(seldom)s, %(every_max)s) <= %(now)s)
        order by leg.created_at, leg.id
        limit %(most)s
        """,
        account=account,
        now=now,
        seldom=SELDOM,
        every_max=LOOK_EVERY_MAX,
        most=LOOKS_MAX,
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
