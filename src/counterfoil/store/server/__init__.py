"""The embedded Postgres server: for evaluation, for tests, and for small installations that trust one machine."""

from counterfoil.store.server.embedded import NOT_DURABLE, EmbeddedPostgres, Listener, Running, server_for
from counterfoil.store.server.errors import PostgresUnusable
from counterfoil.store.server.installation import Installation, find_postgres

__all__ = [
    "NOT_DURABLE",
    "EmbeddedPostgres",
    "Installation",
    "Listener",
    "PostgresUnusable",
    "Running",
    "find_postgres",
    "server_for",
]
