"""Keeps the planner's picture of young tables fresh.

Postgres looks at its tables once a minute. Until it has, it takes one tenant for a few rows of them, finds every index
as good as the key's, and a connection keeps the plans that it made then, those of foreign keys among them: a fresh
installation that takes a burst would read whole tables for each row of it.
"""

from collections.abc import Sequence
from typing import Final

from psycopg.sql import SQL, Identifier

from counterfoil.store.database import Tx

TAKEN_IN: Final = ("inbox", "raw_body", "work")
"""Tables that grow with the webhooks that are taken in."""
DECIDED: Final = (
    "inbox decision decision_about provider_object provider_order posting event command work "
    "customer method wallet grant_lot hold invoice invoice_line payment leg allocation"
).split()
"""Tables that grow with what is decided, or that are read to decide."""


YOUNG: Final = 20_000
"""Tables that had more rows than this when they were last looked at are left to autovacuum."""


def analyze(tx: Tx, tables: Sequence[str]) -> None:
    """Look at young tables as autovacuum does, but briefly, and only at those that are twice as large as they were when
    they were last looked at. Needs a transaction of the role that owns the schema.
    """
    rows = tx.rows(
        """
        select relname from pg_class
        where relnamespace = current_schema()::regnamespace and relname = any (%(tables)s) and reltuples < %(young)s
            and pg_relation_size(oid) > 2 * relpages::bigint * current_setting('block_size')::int
        order by relname
        """,
        tables=list(tables),
        young=YOUNG,
    )
    if rows:
        tx.run("set local default_statistics_target = 10")
        tx.composed(SQL("analyze {}").format(SQL(", ").join(Identifier(row["relname"]) for row in rows)), {})
