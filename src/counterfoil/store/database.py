"""The database port: transactions that belong to one tenant and run as a role that owns nothing.

Everything a transaction needs is set inside it (role and tenant are local to it), so that any pooler may stand between.
READ COMMITTED with row locks; a transaction is one unit of work and nobody else commits it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import count
from typing import Any, Final, LiteralString, Protocol, TypeAlias

import msgspec
import psycopg
from psycopg.rows import DictRow, dict_row, tuple_row
from psycopg.sql import SQL, Literal
from psycopg.types.json import set_json_loads
from psycopg_pool import ConnectionPool

APP_ROLE: Final = "counterfoil_app"
ENTER: Final = "select set_config('role', {role}, true), set_config('counterfoil.tenant', {tenant}, true)"
BY_INDEX: Final = ", set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)"
"""Every row that a transaction wants is found by a key. Without this, plans that are made while a table is small, those
of foreign keys among them, read the whole of it, and a connection keeps them while the table grows."""
BEGIN: Final = "begin; " + ENTER + BY_INDEX
BEGIN_SNAPSHOT: Final = "begin transaction isolation level repeatable read, read only; " + ENTER
"""One round trip each: the transaction begins, becomes the role that owns nothing, and enters one tenant."""
Row = DictRow

Statement: TypeAlias = tuple[LiteralString, Mapping[str, Any]]
"""A statement and its named parameters, to be run later."""

TRANSIENT: Final = (
    psycopg.errors.SerializationFailure,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.UniqueViolation,
)
"""Errors after which the same unit of work may simply be done again. A unique violation is among them because the
second reading then finds the row that was in the way."""


OUT_OF_RESOURCES: Final = "53"
"""The class of SQLSTATEs that say so (PostgreSQL, appendix A): the statement had no effect, and may pass later."""


class DatabaseUnavailable(Exception):
    """Postgres can't be reached or is refusing connections. Nothing was lost: try again when it is back."""

    code = "database_unavailable"


class CommitUnknown(Exception):
    """The connection broke while the transaction was being committed: it may or may not have taken effect.

    Read again by the natural key; if nothing is there, do it again.
    """

    code = "commit_unknown"


class Tx:
    """One transaction of one tenant. Made by Database.transaction; never kept."""

    def __init__(self, connection: psycopg.Connection[DictRow], tenant: str) -> None:
        self._connection = connection
        self._streams = count()
        self.tenant = tenant

    def _named(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Give the parameters of a statement. Lists of texts are written here, in a fraction of the driver's time."""
        named = {name: as_array(each) if type(each) is list else each for name, each in values.items()}
        return {"tenant": self.tenant, **named}

    def rows(self, sql: LiteralString, **values: Any) -> list[Row]:
        """Run a query with named parameters; `tenant` is always among them."""
        return self._connection.execute(sql, self._named(values)).fetchall()

    def tuples(self, sql: LiteralString, **values: Any) -> list[tuple[Any, ...]]:
        """Run a query with named parameters, and give its rows as tuples: where rows are many, names cost more."""
        with self._connection.cursor(row_factory=tuple_row) as cursor:
            return cursor.execute(sql, self._named(values)).fetchall()

    def together(self, *statements: Statement) -> list[list[tuple[Any, ...]]]:
        """Run statements one after the other in one round trip, and give the rows of each as tuples.

        Each sees what those before it have waited for.
        """
        with self._connection.pipeline():
            cursors = [self._sent(sql, values) for sql, values in statements]
        return [cursor.fetchall() if cursor.description else [] for cursor in cursors]

    def finish(self, statements: Sequence[Statement]) -> None:
        """Run statements and commit, in one round trip. The last act of a transaction: nothing may follow it."""
        with self._connection.pipeline():
            for sql, values in statements:
                self._sent(sql, values)
            self._connection.execute("commit")

    def _sent(self, sql: LiteralString, values: Mapping[str, Any]) -> psycopg.Cursor[tuple[Any, ...]]:
        return self._connection.cursor(row_factory=tuple_row).execute(sql, self._named(values))

    def one(self, sql: LiteralString, **values: Any) -> Row | None:
        """Run a query that gives at most one row."""
        return self._connection.execute(sql, self._named(values)).fetchone()

    def run(self, sql: LiteralString, **values: Any) -> int:
        """Run a statement and give the number of rows it touched."""
        return self._connection.execute(sql, self._named(values)).rowcount

    def first(self, sql: psycopg.sql.Composed, values: Mapping[str, Any]) -> Row | None:
        """Run a query composed of checked identifiers, and give its first row."""
        return self._connection.execute(sql, self._named(values)).fetchone()

    def composed_rows(self, sql: psycopg.sql.Composed, values: Mapping[str, Any]) -> list[Row]:
        """Run a query composed of checked identifiers, and give its rows."""
        return self._connection.execute(sql, self._named(values)).fetchall()

    def composed(self, sql: psycopg.sql.Composed, values: Mapping[str, Any]) -> int:
        """Run a statement composed of checked identifiers, and give the number of rows it touched."""
        return self._connection.execute(sql, self._named(values)).rowcount

    def stream(self, sql: LiteralString, **values: Any) -> Iterator[Row]:
        """Run a query whose rows are read in constant memory."""
        # Named apart, so that several streams may be read side by side.
        with self._connection.cursor(name=f"stream_{next(self._streams)}") as cursor:
            cursor.itersize = 1000
            cursor.execute(sql, self._named(values))
            yield from cursor

    def many(self, sql: LiteralString, values: Sequence[Mapping[str, Any]]) -> None:
        """Run a statement once per set of values."""
        with self._connection.cursor() as cursor:
            cursor.executemany(sql, [{"tenant": self.tenant, **each} for each in values])


def as_array(items: list[Any]) -> list[Any] | str:
    """Write a list of texts as Postgres reads a text[]; other lists are left to the driver."""
    if not items or not all(type(each) is str for each in items):
        return items
    joined = '","'.join(items)
    if "\\" in joined or joined.count('"') != 2 * (len(items) - 1):
        return items
    return f'{{"{joined}"}}'


class Transactions(Protocol):
    """What the engine needs of a database. The real one pools connections; a simulated one may crash between them."""

    @contextmanager
    def transaction(self, tenant: str) -> Iterator[Tx]:
        """Open a transaction of one tenant. Commits when the block ends, rolls back when it raises."""

    @contextmanager
    def claims(self) -> Iterator[Tx]:
        """Open a transaction that sees no tenant's data: only the claim and route tables."""

    @contextmanager
    def owner(self, tenant: str) -> Iterator[Tx]:
        """Open a transaction as the role that owns the schema: for what the application itself may not do."""

    @contextmanager
    def snapshot(self, tenant: str) -> Iterator[Tx]:
        """Open a transaction that only reads, and sees one tenant's books as they are at one instant."""


class Database:
    """A pool of connections to one Postgres."""

    def __init__(self, dsn: str, *, size: int = 10, timeout_s: float = 10.0) -> None:
        self.dsn = dsn
        self._timeout_s = timeout_s
        self._size = size
        self._pool: ConnectionPool[psycopg.Connection[DictRow]] = ConnectionPool(
            dsn,
            min_size=1,
            max_size=size,
            open=False,
            timeout=timeout_s,
            # A pool that backs off for minutes would keep a server that is back waiting for just as long.
            reconnect_timeout=timeout_s,
            connection_class=psycopg.Connection[DictRow],
            configure=_read_fast,
            kwargs={"row_factory": dict_row, "autocommit": True},
        )
        self._pool.open(wait=False)

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()

    @contextmanager
    def transaction(self, tenant: str) -> Iterator[Tx]:
        """Open a transaction of one tenant. Commits when the block ends, rolls back when it raises."""
        with self._begun(BEGIN, tenant, APP_ROLE) as connection:
            yield Tx(connection, tenant)

    @contextmanager
    def owner(self, tenant: str) -> Iterator[Tx]:
        """Open a transaction as the role that owns the schema: for what the application itself may not do."""
        with self._begun(BEGIN, tenant, "none") as connection:
            yield Tx(connection, tenant)

    @contextmanager
    def claims(self) -> Iterator[Tx]:
        """Open a transaction that sees no tenant's data: only the claim and route tables."""
        with self.transaction("") as tx:
            yield tx

    @contextmanager
    def snapshot(self, tenant: str) -> Iterator[Tx]:
        """Open a transaction that only reads, and sees one tenant's books as they are at one instant."""
        with self._begun(BEGIN_SNAPSHOT, tenant, APP_ROLE) as connection:
            yield Tx(connection, tenant)

    @contextmanager
    def _begun(self, begin: LiteralString, tenant: str, role: str) -> Iterator[psycopg.Connection[DictRow]]:
        """Begin a transaction on a living connection, and commit it unless the block raises."""
        connection = self._living(_written(begin, role, tenant))
        try:
            with _committed(connection):
                yield connection
        finally:
            self._pool.putconn(connection)

    def _living(self, begin: bytes) -> psycopg.Connection[DictRow]:
        """Give a connection on which the transaction has begun.

        Beginning it is what tries the connection: one that died in the pool is put back, which replaces it.
        """
        for _ in range(self._size + 1):
            try:
                connection = self._pool.getconn()
            except psycopg.OperationalError as error:
                raise DatabaseUnavailable(f"no connection to Postgres within {self._timeout_s:g} s") from error
            try:
                connection.execute(begin, prepare=False)
            except psycopg.OperationalError as error:
                is_dead = connection.broken or connection.closed
                self._pool.putconn(connection)
                if not is_dead:
                    raise DatabaseUnavailable("Postgres lets no transaction begin") from error
            else:
                return connection
        raise DatabaseUnavailable("every connection to Postgres was lost")


@lru_cache(maxsize=4096)
def _written(begin: LiteralString, role: str, tenant: str) -> bytes:
    """Write how a transaction begins: composing it costs as much as half a statement."""
    return SQL(begin).format(role=Literal(role), tenant=Literal(tenant)).as_bytes(None)


def _read_fast(connection: psycopg.Connection[DictRow]) -> None:
    """Have JSON columns read by the faster of two readers; what Postgres gives is JSON, whoever wrote it."""
    set_json_loads(msgspec.json.decode, connection)


@contextmanager
def _committed(connection: psycopg.Connection[DictRow]) -> Iterator[None]:
    """Commit at the end, roll back what raises, and tell a broken connection from a refused statement.

    After a broken one nobody knows what was committed.
    """
    try:
        yield
        connection.commit()
    except psycopg.OperationalError as error:
        if connection.broken or connection.closed:
            raise CommitUnknown("the connection to Postgres broke inside a transaction") from error
        connection.rollback()
        if (error.sqlstate or "").startswith(OUT_OF_RESOURCES):
            raise DatabaseUnavailable("Postgres has no disk space, memory or connections left") from error
        raise
    except BaseException:
        with suppress(psycopg.OperationalError):
            connection.rollback()
        raise
