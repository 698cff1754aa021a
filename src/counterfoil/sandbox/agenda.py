"""What is due when: a heap over the rows of a table, so that waiting rows cost nothing until their time comes."""

from __future__ import annotations

import heapq

from counterfoil.sandbox.documents import Doc, Tables


class Agenda:
    """The rows of one table by their `due`. Rows that are not `queued`, where they have a state, are not on it."""

    def __init__(self, tables: Tables, table: str) -> None:
        self._tables = tables
        self._table = table
        self._heap: list[tuple[float, int, str]] = []
        self._generation = -1

    def put(self, key: str, row: Doc) -> None:
        """Store a row, new or with another time."""
        self._tables.put(self._table, key, row)
        if self._generation == self._tables.generation:
            heapq.heappush(self._heap, (row["due"], row["number"], key))

    def take(self, limit: float) -> list[Doc]:
        """The rows due by `limit`, earliest first. Each is given once: the caller drops it, or puts it again."""
        taken: list[Doc] = []
        while (head := self._head()) is not None and head["due"] <= limit:
            heapq.heappop(self._heap)
            if head not in taken[-1:]:
                taken.append(head)
        return taken

    def next_due(self) -> float | None:
        head = self._head()
        return None if head is None else float(head["due"])

    def _head(self) -> Doc | None:
        """The earliest row, after throwing away entries whose row has moved on."""
        self._rebuild()
        while self._heap:
            due, _, key = self._heap[0]
            row = self._tables.get(self._table, key)
            if row is not None and row["due"] == due and row.get("state", "queued") == "queued":
                return row
            heapq.heappop(self._heap)
        return None

    def _rebuild(self) -> None:
        """Read the table again when its rows came from a snapshot or a file."""
        if self._generation == self._tables.generation:
            return
        rows = self._tables.items(self._table)
        self._heap = [(row["due"], row["number"], key) for key, row in rows]
        heapq.heapify(self._heap)
        self._generation = self._tables.generation
