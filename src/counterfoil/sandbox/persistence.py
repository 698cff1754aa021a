"""A state file, so that a restarted sandbox still has its accounts: one line per unit of work with the rows that it
changed.

A line is written whole before the answer leaves, so a killed process loses nothing it had answered; a torn last line
is dropped on the next start.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO

from counterfoil.sandbox.documents import Change, Tables


class StateFile:
    """Rows of `tables` on disk. Open it before the sandbox starts, call `write` after each unit of work."""

    def __init__(self, path: Path, tables: Tables) -> None:
        self._path = path
        self._tables = tables
        _replay(path, tables)
        self._compact()
        self._file: IO[str] = path.open("a", encoding="utf-8")

    def write(self) -> None:
        """Append what changed since the last call, as one line."""
        changes = self._tables.take_changes()
        if changes:
            self._file.write(json.dumps(changes, separators=(",", ":")) + "\n")
            self._file.flush()

    def close(self) -> None:
        self.write()
        self._file.close()

    def _compact(self) -> None:
        """Replace the file by its present content, in one step."""
        self._tables.take_changes()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        rows: list[Change] = [
            (table, key, doc) for table in self._tables.names() for key, doc in self._tables.items(table)
        ]
        draft = self._path.with_suffix(self._path.suffix + ".new")
        draft.write_text("".join(json.dumps([row], separators=(",", ":")) + "\n" for row in rows), encoding="utf-8")
        os.replace(draft, self._path)


def _replay(path: Path, tables: Tables) -> None:
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            changes = json.loads(line)
        except ValueError:
            # Only the last line can be torn: the process was killed while it wrote what nobody had been told yet.
            return
        tables.apply([(table, key, doc) for table, key, doc in changes])
