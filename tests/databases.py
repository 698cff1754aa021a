"""Databases for tests: each one fresh, on the server of this session."""

import os
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql


@dataclass(slots=True)
class Databases:
    """Makes databases on one server, and drops them all at the end.

    `server` is the address of a database to administrate from. It is never written to.
    """

    server: str
    _numbers: "count[int]" = field(default_factory=count)
    _made: list[str] = field(default_factory=list)
    _template: str | None = None

    def empty(self) -> str:
        """Return the address of a new database with nothing in it."""
        return self._create("template0")

    def migrated(self) -> str:
        """Return the address of a new database that holds the product's schema, and no rows."""
        if self._template is None:
            from counterfoil.store.migrate import migrate

            address = self.empty()
            migrate(address)
            self._template = _name_of(address)
        return self._create(self._template)

    def copy(self, address: str) -> str:
        """Return the address of a copy of a database that nobody is connected to."""
        return self._create(_name_of(address))

    def drop(self, address: str) -> None:
        name = _name_of(address)
        self._administrate(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        self._made.remove(name)

    def drop_all(self) -> None:
        for name in tuple(self._made):
            self.drop(_with_name(self.server, name))

    def _create(self, template: str) -> str:
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        # A killed run may have left one of this name on a server that outlives the run.
        self._administrate(
            sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)),
            sql.SQL("create database {} template {} encoding 'UTF8' locale 'C'").format(
                sql.Identifier(name), sql.Identifier(template)
            ),
        )
        self._made.append(name)
        return _with_name(self.server, name)

    def _administrate(self, *statements: sql.Composed) -> None:
        with psycopg.connect(self.server, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)


def _name_of(address: str) -> str:
    return urlsplit(address).path.lstrip("/")


def _with_name(address: str, name: str) -> str:
    return urlunsplit(urlsplit(address)._replace(path=f"/{name}"))
