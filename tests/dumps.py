"""Everything that a database holds, to look for what must not be there."""

from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row


def places_of(dsn: str, text: str) -> set[str]:
    """Give every `table.column` of a database that holds a text, whatever the column's type."""
    found = set()
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        names = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        for each in names:
            name = each["tablename"]
            for row in connection.execute(sql.SQL("select * from {}").format(sql.Identifier(name))):
                found |= {f"{name}.{column}" for column, value in row.items() if text in _written(value)}
    return found


def _written(value: Any) -> str:
    """Write a value so that every text in it can be found: bytes as the texts that they may be."""
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
