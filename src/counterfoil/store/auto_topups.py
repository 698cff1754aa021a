"""Auto top-ups as rows, and which of them want to be looked at."""

from collections.abc import Iterable
from datetime import datetime

from counterfoil.core.agreed import AutoTopup
from counterfoil.core.bought import Purchase
from counterfoil.store.database import Row, Tx
from counterfoil.store.subjects import from_row


def of_wallets(tx: Tx, wallets: Iterable[str]) -> tuple[AutoTopup, ...]:
    """Give the auto top-ups of wallets."""
    rows = tx.rows(
        "select * from auto_topup where tenant = %(tenant)s and wallet = any (%(wallets)s) order by id",
        wallets=list(wallets),
    )
    return tuple(from_row(AutoTopup, row) for row in rows)


def by_id(tx: Tx, ids: Iterable[str]) -> tuple[AutoTopup, ...]:
    """Give auto top-ups. Their customer's lock guards them."""
    rows = tx.rows(
        "select * from auto_topup where tenant = %(tenant)s and id = any (%(ids)s) order by id", ids=list(ids)
    )
    return tuple(from_row(AutoTopup, row) for row in rows)


def bought(tx: Tx, wallets: Iterable[str], since: datetime) -> tuple[Purchase, ...]:
    """Give what was bought for wallets and is not over, and whatever was bought since an instant."""
    rows = tx.rows(
        """
        select * from purchase
        where tenant = %(tenant)s and wallet = any (%(wallets)s)
            and (created_at >= %(since)s or status in ('scheduled', 'pending', 'authorized', 'failed', 'held'))
        order by id
        """,
        wallets=list(wallets),
        since=since,
    )
    return tuple(from_row(Purchase, row) for row in rows)


def idle(tx: Tx, wallets: Iterable[str], now: datetime) -> list[Row]:
    """Give the auto top-ups of wallets, each with its customer, that are on and wait for nothing."""
    return tx.rows(
        """
        select id, customer from auto_topup
        where tenant = %(tenant)s and wallet = any (%(wallets)s) and status = 'on' and attempt is null
            and (retry_at is null or retry_at <= %(now)s)
        order by id
        """,
        wallets=list(wallets),
        now=now,
    )


def low(tx: Tx, wallets: Iterable[str], now: datetime) -> list[Row]:
    """Give the auto top-ups, each with its customer, of those of these wallets that hold less than they watch for."""
    return tx.rows(
        """
        select t.id, t.customer
        from wallet w
        join auto_topup t on t.tenant = w.tenant and t.wallet = w.id
        where w.tenant = %(tenant)s and w.id = any (%(wallets)s) and w.watch_below is not null
            and w.status = 'active' and t.attempt is null and (t.retry_at is null or t.retry_at <= %(now)s)
            and w.watch_below > coalesce((
                select sum(g.remaining - g.held) from grant_lot g
                where g.tenant = w.tenant and g.wallet = w.id and g.remaining > 0 and g.voided_at is null
                    and g.effective_at <= %(now)s and (g.expires_at is null or g.expires_at > %(now)s)
                    and g.features = '{}' and g.pool = ''
            ), 0) - w.debt
        order by t.id
        """,
        wallets=list(wallets),
        now=now,
    )


MOST = 500
"""So many in one sweep; the next one takes those that were left."""


def forgotten(tx: Tx, account: str, now: datetime) -> list[Row]:
    """Give the auto top-ups of an account's customers that have something to do, each with its customer.

    Nothing should be among them, because whatever gives them something to do wakes them. This is for what was lost.
    """
    return tx.rows(
        """
        select t.id, t.customer
        from auto_topup t
        join customer c on c.tenant = t.tenant and c.id = t.customer
        join wallet w on w.tenant = t.tenant and w.id = t.wallet
        left join purchase p on p.tenant = t.tenant and p.id = t.attempt
        left join invoice i on i.tenant = p.tenant and i.id = p.invoice
        where t.tenant = %(tenant)s and c.account = %(account)s and (t.status = 'on' or t.attempt is not null)
            and case
                when t.attempt is not null then p.status in ('settled', 'voided', 'canceled')
                    or i.payment_status in ('pending', 'failed') and t.action_by is null
                    or t.action_by <= %(now)s and i.payment_status in ('pending', 'failed', 'requires_action')
                when w.status = 'closed' or c.erased_at is not null then true
                when w.status <> 'active' or c.paused or t.retry_at > %(now)s then false
                when t.every_s is not null then t.due_at <= %(now)s
                else t.below > coalesce((
                    select sum(g.remaining - g.held) from grant_lot g
                    where g.tenant = w.tenant and g.wallet = w.id and g.remaining > 0 and g.voided_at is null
                        and g.effective_at <= %(now)s and (g.expires_at is null or g.expires_at > %(now)s)
                        and g.features = '{}' and g.pool = ''
                ), 0) - w.debt + coalesce((
                    select sum(o.quantity) from purchase o
                    where o.tenant = w.tenant and o.wallet = w.id and o.grant_lot is null
                        and o.status in ('scheduled', 'pending', 'authorized')
                ), 0)
            end
        order by t.id
        limit %(most)s
        """,
        account=account,
        now=now,
        most=MOST,
    )
