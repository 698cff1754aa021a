"""The database that everything is measured on: one of its own, on an embedded server or the one of DATABASE_URL."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from bench import slow_disk
from bench.slow_disk import NoCompiler, SlowDisk
from counterfoil.store.migrate import migrate
from counterfoil.store.server import EmbeddedPostgres, Running, find_postgres, server_for

NAME: Final = "counterfoil_bench"


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything is measured. `disk` is None where its flushes can't be made slower; `why` says why."""

    dsn: str
    disk: SlowDisk | None
    stack: ExitStack
    why: str = ""

    def beside(self, name: str) -> str:
        """Give the address of another fresh database on the same server."""
        return self.stack.enter_context(_fresh(self.dsn, f"{NAME}_{name}"))


@contextmanager
def database(env: Mapping[str, str], *, slowable: bool) -> Iterator[Place]:
    """Give a fresh database with our schema; it is dropped afterwards. Durability is Postgres's own."""
    with tempfile.TemporaryDirectory(prefix="counterfoil-bench-") as home:
        os.chmod(home, 0o711)  # as root the server runs as somebody else, who has to get in
        server = server_for(env, Path(home))
        if isinstance(server, Running):
            with _fresh(server.dsn, NAME) as dsn, ExitStack() as stack:
                yield Place(dsn, None, stack, "the server of DATABASE_URL is not ours to load a library into")
            return
        disk, why = _slowable(env, Path(home)) if slowable else (None, "")
        server = EmbeddedPostgres(Path(home), disk.installation if disk else None, env=env)
        with server as running, _fresh(running.dsn, NAME) as dsn, ExitStack() as stack:
            yield Place(dsn, disk, stack, why)


def _slowable(env: Mapping[str, str], home: Path) -> tuple[SlowDisk | None, str]:
    try:
        return slow_disk.prepare(find_postgres(env), home), ""
    except NoCompiler as missing:
        return None, str(missing)


@contextmanager
def _fresh(server: str, called: str) -> Iterator[str]:
    dsn = urlunsplit(urlsplit(server)._replace(path=f"/{called}"))
    with psycopg.connect(server, autocommit=True) as owner:
        name = sql.Identifier(called)
        owner.execute(sql.SQL("drop database if exists {} with (force)").format(name))
        owner.execute(sql.SQL("create database {}").format(name))
        try:
            migrate(dsn)
            yield dsn
        finally:
            owner.execute(sql.SQL("drop database {} with (force)").format(name))
