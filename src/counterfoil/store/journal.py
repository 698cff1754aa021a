"""Entries in and out of the database. Nothing here updates or deletes: the database would refuse it.

The journal has two halves in one shape and one order: postings, whose entries are decided, and draws, which carry their
own decision (see `store.spends`). The view `journal` is both; read it wherever all of the books are wanted.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from counterfoil.core.journal import Entry, Posting, read_account
from counterfoil.store.codec import document
from counterfoil.store.database import Row, Tx


def post(tx: Tx, entries: Iterable[Entry], decision: str, recorded_at: datetime) -> None:
    """Insert entries, each whole. Raises UniqueViolation when a key was used before."""
    post_all(tx, [(entry, decision) for entry in entries], recorded_at)


def post_all(tx: Tx, entries: Sequence[tuple[Entry, str]], recorded_at: datetime) -> None:
    """Insert entries, each with the decision that caused it, in one statement. Raises UniqueViolation.

    What would be effective in a closed month is effective in the open one, from its beginning, and keeps its own
    `occurred_at`.
    """
    rows = [row for entry, decision in entries for row in _rows_of(entry, decision)]
    if rows:
        tx.run(
            """
            insert into posting (tenant, entry, n, of_n, debit, credit, unit, amount, subject, decision,
                occurred_at, effective_at, recorded_at)
            select %(tenant)s, entry, n, of_n, debit, credit, unit, amount, subject, decision,
                occurred_at, greatest(coalesce(effective_at, %(recorded_at)s), closed.until), %(recorded_at)s
            from (select max(ends_at) as until from closed_month where tenant = %(tenant)s) as closed, rows from (
                jsonb_to_recordset(%(rows)s::jsonb) as (entry text, n smallint, of_n smallint, debit text, credit text,
                    unit text, amount bigint, subject text, decision text, occurred_at timestamptz,
                    effective_at timestamptz)
            ) with ordinality
            order by ordinality
            """,
            recorded_at=recorded_at,
            rows=document(rows),
        )


def _rows_of(entry: Entry, decision: str) -> list[dict[str, str | int | None]]:
    assert entry.postings, f"entry {entry.key} is empty"
    shared = {
        "entry": entry.key,
        "subject": entry.subject,
        "decision": decision,
        "occurred_at": entry.occurred_at.isoformat(),
        "effective_at": entry.effective_at.isoformat() if entry.effective_at else None,
    }
    return [
        {
            **shared,
            "n": n,
            "of_n": len(entry.postings),
            "debit": str(each.debit),
            "credit": str(each.credit),
            "unit": each.unit,
            "amount": each.amount,
        }
        for n, each in enumerate(entry.postings, 1)
    ]


def suspense_of(tx: Tx, refs: Iterable[str]) -> list[tuple[str, int]]:
    """Give how much money waits in suspense for each of these provider objects."""
    accounts = [f"suspense:{ref}" for ref in refs]
    rows = tx.rows(
        """
        select account, sum(amount) as minor
        from (
            select credit as account, amount from posting where tenant = %(tenant)s and credit = any (%(accounts)s)
            union all
            select debit, -amount from posting where tenant = %(tenant)s and debit = any (%(accounts)s)
        ) as moved
        group by account
        """,
        accounts=accounts,
    )
    return [(read_account(row["account"]).owner, int(row["minor"])) for row in rows]


def booked(tx: Tx, keys: Iterable[str]) -> set[str]:
    """Give which of these entries exist."""
    rows = tx.rows(
        "select entry from posting where tenant = %(tenant)s and entry = any (%(keys)s) and n = 1", keys=list(keys)
    )
    return {row["entry"] for row in rows}


def all_postings(tx: Tx) -> Iterator[Row]:
    """Stream the whole journal of the tenant, postings and draws, in the order it was written."""
    return tx.stream("select * from journal where tenant = %(tenant)s order by position")


def postings_about(tx: Tx, subjects: Iterable[str]) -> list[Row]:
    """Give the postings whose entries these subjects caused, in the order they were written."""
    return tx.rows(
        "select * from posting where tenant = %(tenant)s and subject = any (%(subjects)s) order by position",
        subjects=list(subjects),
    )


def balance(tx: Tx, account: str, unit: str, until: datetime | None = None) -> int:
    """Give debits less credits of an account, of all that was effective by `until` (all of it when None)."""
    row = tx.one(
        """
        select coalesce(sum(case when debit = %(account)s then amount else -amount end), 0) as balance
        from journal
        where tenant = %(tenant)s and unit = %(unit)s and (debit = %(account)s or credit = %(account)s)
            and (%(until)s::timestamptz is null or effective_at <= %(until)s)
        """,
        account=account,
        unit=unit,
        until=until,
    )
    return int(row["balance"]) if row else 0


def trial_balance(tx: Tx) -> list[Row]:
    """Give every account's debits and credits, per unit."""
    return tx.rows(
        """
        select account, unit, sum(debit)::numeric as debit, sum(credit)::numeric as credit
        from (
            select debit as account, unit, amount as debit, 0 as credit from journal where tenant = %(tenant)s
            union all
            select credit, unit, 0, amount from journal where tenant = %(tenant)s
        ) as moved
        group by account, unit
        order by unit, account
        """
    )


def posting_of(row: Row) -> Posting:
    """Read a posting from its row."""
    return Posting(read_account(row["debit"]), read_account(row["credit"]), row["unit"], row["amount"])
