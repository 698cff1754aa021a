"""A state file, so that a restarted sandbox still has its accounts: one line per unit of work with the rows that it
changed.

A line is written whole before the answer leaves, so a killed process loses nothing it had answered; a torn last line
is dropped on the next start.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

import msgspec

from counterfoil.sandbox.documents import Tables, uncollected

GROWTH = 4
GROWTH_MIN_BYTES = 16 * 1024 * 1024


class StateFile:
    """Rows of `tables` on disk. Open it before the sandbox starts, call `write` after each unit of work."""

    def __init__(self, path: Path, tables: Tables) -> None:
        self._path = path
        self._tables = tables
        path.parent.mkdir(parents=True, exist_ok=True)
        with uncollected():
            _replay(path, tables)
        self._file, self._size, self._size_max = self._compacted()

    def write(self) -> None:
        """Append what changed since the last call, as one line."""
        changes = self._tables.take_changes()
        if not changes:
            return
        line = msgspec.json.encode(changes) + b"\n"
        self._file.write(line)
        self._file.flush()
        self._size += len(line)
        if self._size > self._size_max:
            self._file.close()
            self._file, self._size, self._size_max = self._compacted()

    def close(self) -> None:
        self.write()
        self._file.close()

    def _compacted(self) -> tuple[IO[bytes], int, int]:
        """Replace the file by its present content, in one step; returns it opened, its size and that of its limit."""
        self._tables.take_changes()
        draft = self._path.with_suffix(self._path.suffix + ".new")
        with draft.open("wb") as file:
            for change in self._tables.everything():
                file.write(msgspec.json.encode([change]) + b"\n")
            size = file.tell()
        os.replace(draft, self._path)
        return self._path.open("ab"), size, max(GROWTH_MIN_BYTES, GROWTH * size)


def _replay(path: Path, tables: Tables) -> None:
    if not path.exists():
        return
    for line in path.read_bytes().split(b"\n")[:-1]:
        try:
            changes = msgspec.json.decode(line, type=list[tuple[str, str, msgspec.Raw]])
        except msgspec.DecodeError:
            # Only the last line can be torn: the process was killed while it wrote what nobody had been told yet.
            return
        tables.apply(changes)
