"""The database that everything is measured on: one of its own, on an embedded server or the one of DATABASE_URL."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from counterfoil.store.migrate import migrate
from counterfoil.store.server import Running, server_for

NAME: Final = "counterfoil_bench"


@contextmanager
def database(env: Mapping[str, str]) -> Iterator[str]:
    """Give the address of a fresh database with our schema; it is dropped afterwards. Durability is Postgres's own."""
    with tempfile.TemporaryDirectory(prefix="counterfoil-bench-") as home:
        os.chmod(home, 0o711)  # as root the server runs as somebody else, who has to get in
        server = server_for(env, Path(home))
        if isinstance(server, Running):
            yield from _fresh(server.dsn)
        else:
            with server as running:
                yield from _fresh(running.dsn)


def _fresh(server: str) -> Iterator[str]:
    dsn = urlunsplit(urlsplit(server)._replace(path=f"/{NAME}"))
    with psycopg.connect(server, autocommit=True) as owner:
        name = sql.Identifier(NAME)
        owner.execute(sql.SQL("drop database if exists {} with (force)").format(name))
        owner.execute(sql.SQL("create database {}").format(name))
        try:
            migrate(dsn)
            yield dsn
        finally:
            owner.execute(sql.SQL("drop database {} with (force)").format(name))
