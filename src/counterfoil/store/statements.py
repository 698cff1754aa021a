"""What a wallet held at any instant, and what moved it, read from the journal alone."""

from datetime import datetime
from typing import Final, LiteralString

from counterfoil.store.database import Row, Tx
from counterfoil.store.pages import Page

MOVED: Final[LiteralString] = """
    with account as (
        select 'grant:' || id as name from grant_lot where tenant = %(tenant)s and wallet = %(wallet)s
        union all
        select 'debt:' || %(wallet)s
    ),
    moved as (
        select p.position, p.decision, p.entry, p.credit, p.effective_at, p.recorded_at, p.amount
        from posting p join account on p.credit = account.name
        where p.tenant = %(tenant)s
        union all
        select p.position, p.decision, p.entry, p.credit, p.effective_at, p.recorded_at, -p.amount
        from posting p join account on p.debit = account.name
        where p.tenant = %(tenant)s
        union all
        select d.position, d.spend, 'spend:' || d.spend, d.credit, d.recorded_at, d.recorded_at, -d.amount
        from draw d
        where d.tenant = %(tenant)s and d.wallet = %(wallet)s and d.debit <> 'overage_written_off'
    )
"""
"""Every movement of a wallet's lots and of its debt; what is owed to the customer grows with what is credited."""

BALANCE: Final[LiteralString] = "select coalesce(sum(amount), 0) as held from moved where effective_at <= %(at)s"
ROWS: Final[LiteralString] = """,
    step as (
        select decision, min(position) as position, max(effective_at) as effective_at,
            max(recorded_at) as recorded_at, sum(amount) as change,
            jsonb_agg(jsonb_build_array(entry, credit) order by position) as entries
        from moved
        group by decision
    ),
    running as (select *, sum(change) over (order by position) as balance from step)
    select * from running
    where %(after)s::text is null or position < (select position from running where decision = %(after)s)
    order by position desc
    limit %(limit)s + 1
"""


def balance_at(tx: Tx, wallet: str, at: datetime) -> int:
    """Give what a wallet held at an instant, lots less debt, in scaled units: as the books count it today."""
    row = tx.one(MOVED + BALANCE, wallet=wallet, at=at)
    return int(row["held"]) if row else 0


def statement(tx: Tx, wallet: str, page: Page) -> list[Row]:
    """Give what moved a wallet, one row per decision with the balance after it, the newest first.

    Rows run in the order in which they were written, so that a balance once given never changes.
    """
    return tx.rows(MOVED + ROWS, wallet=wallet, after=page.after, limit=page.limit)
