"""Number series: per tenant and kind of paper, without a gap and without a number that is given out twice."""

from counterfoil.core.papers import PREFIXES, PaperKind, numbered
from counterfoil.store.database import Row, Tx


def take(tx: Tx, series: PaperKind) -> str:
    """Take the next number of a series, in the transaction that uses it.

    Gap-free: the series' row is held until that transaction ends, and if it is rolled back the number was not taken.
    Take it last, for whoever wants the next one waits.
    """
    row = tx.one(
        """
        insert into number_series (tenant, series, prefix, last) values (%(tenant)s, %(series)s, %(prefix)s, 1)
        on conflict (tenant, series) do update set last = number_series.last + 1
        returning prefix, last
        """,
        series=series,
        prefix=PREFIXES[series],
    )
    assert row is not None
    return numbered(row["prefix"], row["last"])


def set_prefix(tx: Tx, series: PaperKind, prefix: str) -> None:
    """Let the numbers to come begin otherwise. The series goes on counting where it was."""
    tx.run(
        """
        insert into number_series (tenant, series, prefix, last) values (%(tenant)s, %(series)s, %(prefix)s, 0)
        on conflict (tenant, series) do update set prefix = excluded.prefix
        """,
        series=series,
        prefix=prefix,
    )


def all_series(tx: Tx) -> list[Row]:
    """Give every series that was begun: series, prefix, last."""
    return tx.rows("select series, prefix, last from number_series where tenant = %(tenant)s order by series")
