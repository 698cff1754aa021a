"""What a wallet held at any instant, and what moved it, read from the journal alone.

A wallet is drawn from far more often than anything else happens to it. So every so many draws there is a mark that says
how much was drawn up to there, and no question reads more of a wallet's draws than lie between two marks.
"""

from datetime import datetime, timedelta
from typing import Final, LiteralString

from counterfoil.store.database import Row, Tx
from counterfoil.store.pages import Page

MARK_EVERY: Final = 256
"""So many draws of a wallet lie between two marks."""
READ_MAX: Final = 25_600
"""So many draws of one wallet are read at once for making marks."""
OUT_OF_ORDER_MAX: Final = timedelta(minutes=1)
"""Draws of a wallet are written one flush after the other; the times that they carry may differ by less than this."""

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
    )
"""
"""Every movement of a wallet's lots and of its debt but the draws; what is owed to the customer grows with a credit."""

MARK_AT: Final[LiteralString] = """
    select (
            select array[position, drawn] from draw_mark
            where tenant = %(tenant)s and wallet = %(wallet)s and recorded_at <= %(at)s
            order by recorded_at desc, position desc
            limit 1
        ) as mark, (
            select position from draw_mark
            where tenant = %(tenant)s and wallet = %(wallet)s and recorded_at > %(clearly_later)s
            order by recorded_at, position
            limit 1
        ) as later
"""
MARK_TO: Final[LiteralString] = """
    select array[position, drawn] as mark from draw_mark
    where tenant = %(tenant)s and wallet = %(wallet)s and position <= %(position)s
    order by position desc
    limit 1
"""
HELD: Final[LiteralString] = """
    select (
            select coalesce(sum(amount), 0) from moved
            where (%(at)s::timestamptz is null or effective_at <= %(at)s) and position <= %(last)s
        ) - %(drawn)s - (
            select coalesce(sum(amount), 0) from draw
            where tenant = %(tenant)s and wallet = %(wallet)s and debit <> 'overage_written_off'
                and position > %(position)s and position <= %(until)s
                and (%(at)s::timestamptz is null or recorded_at <= %(at)s)
        ) as held
"""
"""The marks are asked for before, so that the database knows how little is to be read between them."""
END: Final = 2**63 - 1
"""After every position."""

ROWS: Final[LiteralString] = """,
    step as (
        select decision, min(position) as position, max(position) as last, max(effective_at) as effective_at,
            max(recorded_at) as recorded_at, sum(amount) as change,
            jsonb_agg(jsonb_build_array(entry, credit) order by position) as entries
        from moved
        group by decision
    ),
    start as (
        select coalesce(
            (select position from step where decision = %(after)s),
            (select position from draw where tenant = %(tenant)s and spend = %(after)s and n = 1),
            %(end)s
        ) as position
    ),
    use as materialized (
        select spend, position from draw
        where tenant = %(tenant)s and wallet = %(wallet)s and position < (select position from start)
            and n = 1 and debit <> 'overage_written_off'
        order by position desc
        limit %(limit)s + 1
    )
    select * from step where position < (select position from start)
    union all
    select d.spend, use.position, max(d.position), max(d.recorded_at), max(d.recorded_at), -sum(d.amount),
        jsonb_build_array(jsonb_build_array('spend:' || d.spend, 'used'))
    from use
    join draw d on d.tenant = %(tenant)s and d.spend = use.spend
    where d.debit <> 'overage_written_off'
    group by d.spend, use.position
    order by position desc
    limit %(limit)s + 1
"""


def balance_at(tx: Tx, wallet: str, at: datetime) -> int:
    """Give what a wallet held at an instant, lots less debt, in scaled units: as the books count it today."""
    row = tx.one(MARK_AT, wallet=wallet, at=at, clearly_later=at + OUT_OF_ORDER_MAX)
    assert row is not None
    return _held(tx, wallet, row["mark"], at=at, until=row["later"] or END)


def _balance_to(tx: Tx, wallet: str, position: int) -> int:
    """Give what a wallet held after a movement."""
    row = tx.one(MARK_TO, wallet=wallet, position=position)
    return _held(tx, wallet, row["mark"] if row else None, last=position, until=position)


def _held(
    tx: Tx, wallet: str, mark: list[int] | None, *, until: int, at: datetime | None = None, last: int = END
) -> int:
    """Sum up: what is no draw whole, the draws from their mark on. `mark` is a position and what was drawn to there."""
    position, drawn = mark or (0, 0)
    row = tx.one(MOVED + HELD, wallet=wallet, position=position, drawn=drawn, until=until, at=at, last=last)
    return int(row["held"]) if row else 0


def statement(tx: Tx, wallet: str, page: Page) -> list[Row]:
    """Give what moved a wallet, one row per decision or spend with the balance after it, the newest first.

    Rows run in the order in which they were written, so that a balance once given never changes.
    """
    # Never null: for a spend that is null the database would start workers to read every draw, and then not read them.
    rows = tx.rows(MOVED + ROWS, wallet=wallet, after=page.after or "", limit=page.limit, end=END)
    balance = _balance_to(tx, wallet, rows[0]["last"]) if rows else 0
    for row in rows:
        row["balance"] = balance
        balance -= int(row["change"])
    return rows


def mark(tx: Tx, after: str, limit: int, every: int = MARK_EVERY) -> str | None:
    """Make the marks that are due of one page of wallets, and give the last of them, None when the pages end here.

    A wallet with more to read than is read at once is not passed: its page is given again.
    """
    row = tx.one(
        """
        with page as materialized (
            select id from wallet where tenant = %(tenant)s and id > %(after)s order by id limit %(limit)s
        ),
        done as (
            select page.id, coalesce(m.position, 0) as position, coalesce(m.drawn, 0) as drawn, m.recorded_at
            from page
            left join lateral (
                select position, drawn, recorded_at from draw_mark
                where tenant = %(tenant)s and wallet = page.id
                order by position desc
                limit 1
            ) as m on true
        ),
        read as (
            select done.id as wallet, d.position, row_number() over so_far as nth,
                done.drawn + sum(case d.debit when 'overage_written_off' then 0 else d.amount end) over so_far as drawn,
                greatest(done.recorded_at, max(d.recorded_at) over so_far) as recorded_at
            from done
            cross join lateral (
                select position, debit, amount, recorded_at from draw
                where tenant = %(tenant)s and wallet = done.id and position > done.position
                order by position
                limit %(most)s
            ) as d
            window so_far as (partition by done.id order by d.position)
        ),
        made as (
            insert into draw_mark (tenant, wallet, position, drawn, recorded_at)
            select %(tenant)s, wallet, position, drawn, recorded_at from read where nth %% %(every)s = 0
        )
        select (select max(id) from page) as last, (select count(*) from page) as pages,
            (select min(wallet) from read where nth = %(most)s) as unread
        """,
        after=after,
        limit=limit,
        every=every,
        most=READ_MAX,
    )
    assert row is not None
    if row["unread"]:
        return after
    return str(row["last"]) if row["pages"] == limit else None
