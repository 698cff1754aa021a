"""What the sandbox stores: JSON documents in named tables, and the only place where they change.

A document is kept in one canonical form (the newest shape, references as ids, private keys starting with `_`).
Everything that must survive a restart is a row of `Tables`, so that a snapshot is one JSON text and a restart
replays rows, not requests.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias, cast

import msgspec

Doc: TypeAlias = dict[str, Any]
Change: TypeAlias = tuple[str, str, Doc | msgspec.Raw | None]


def copy_of(doc: Doc) -> Doc:
    """A deep copy; documents are JSON, so this needs none of the care (and time) of the general one."""
    return {name: _copy(value) for name, value in doc.items()}


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copy(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_copy(item) for item in value]
    return value


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Read many rows without the garbage collector looking through them again and again: none of them is garbage."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Tables:
    """Named tables of documents in order of creation; remembers which rows changed since they were last written out.

    Rows that came from a snapshot or a file stay as they were written until somebody looks at them, so that bringing
    back a large state costs little more than reading it.
    """

    def __init__(self) -> None:
        self._tables: dict[str, dict[str, Doc | msgspec.Raw]] = {}
        self._sealed: set[str] = set()
        """The tables in which rows may be as they were written."""
        self._changed: dict[tuple[str, str], None] = {}
        self.generation = 0
        """Grows when rows come or go other than one by one, so that whoever keeps an index reads them again."""

    def get(self, table: str, key: str) -> Doc | None:
        rows = self._tables.get(table, {})
        row = rows.get(key)
        if isinstance(row, msgspec.Raw):
            row = rows[key] = _read(row)
        return row

    def put(self, table: str, key: str, doc: Doc) -> Doc:
        """Store a row, new or changed in place; an existing row keeps its position."""
        self._tables.setdefault(table, {})[key] = doc
        self._changed[table, key] = None
        return doc

    def drop(self, table: str, key: str) -> None:
        if self._tables.get(table, {}).pop(key, None) is not None:
            self._changed[table, key] = None

    def rows(self, table: str) -> list[Doc]:
        """All rows, oldest first."""
        return list(self._opened(table).values())

    def newest_first(self, table: str) -> Iterator[tuple[str, Doc]]:
        return reversed(self._opened(table).items())

    def items(self, table: str) -> list[tuple[str, Doc]]:
        return list(self._opened(table).items())

    def keys(self, table: str) -> list[str]:
        return list(self._tables.get(table, {}))

    def count(self, table: str) -> int:
        return len(self._tables.get(table, {}))

    def names(self) -> list[str]:
        return sorted(self._tables)

    def clear(self) -> None:
        self.generation += 1
        for table, rows in self._tables.items():
            self._changed.update(dict.fromkeys((table, key) for key in rows))
        self._tables = {}
        self._sealed = set()

    def dump(self) -> bytes:
        return msgspec.json.encode(self._tables)

    def load(self, snapshot: bytes) -> None:
        """Replace everything by the content of a snapshot."""
        self.clear()
        with uncollected():
            self._tables = msgspec.json.decode(snapshot, type=dict[str, dict[str, msgspec.Raw]])
        self._sealed = set(self._tables)
        for table, rows in self._tables.items():
            self._changed.update(dict.fromkeys((table, key) for key in rows))

    def copied(self, names: Iterable[str], wanted: Callable[[Doc], bool]) -> Tables:
        """Other tables with copies of those rows of some of these that are wanted, to try on what must not happen
        here.
        """
        apart = Tables()
        for name in names:
            apart._tables[name] = {key: copy_of(doc) for key, doc in self.items(name) if wanted(doc)}
        return apart

    def take_changes(self) -> list[Change]:
        """The rows changed since the last call, each with its present content, None where it is gone."""
        changed, self._changed = self._changed, {}
        return [(table, key, self._tables.get(table, {}).get(key)) for table, key in changed]

    def everything(self) -> Iterator[Change]:
        """Every row as it would be written."""
        for table in self.names():
            yield from ((table, key, row) for key, row in self._tables[table].items())

    def apply(self, changes: list[tuple[str, str, msgspec.Raw]]) -> None:
        """Bring in rows that an earlier process wrote out."""
        self.generation += 1
        for table, key, row in changes:
            if bytes(row) == b"null":
                self._tables.get(table, {}).pop(key, None)
            else:
                self._tables.setdefault(table, {})[key] = row
                self._sealed.add(table)

    def _opened(self, table: str) -> dict[str, Doc]:
        """A table with all its rows as documents."""
        rows = self._tables.get(table, {})
        if table in self._sealed:
            self._sealed.discard(table)
            with uncollected():
                for key, row in rows.items():
                    if isinstance(row, msgspec.Raw):
                        rows[key] = _read(row)
        return cast("dict[str, Doc]", rows)


def _read(row: msgspec.Raw) -> Doc:
    doc: Doc = msgspec.json.decode(row)
    return doc
