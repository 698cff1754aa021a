"""What must hold of papers and months at any moment: an auditor counts the numbers, and handed-on figures stay."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def papers_are_complete(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Rows: kind, last (the place that its series has reached), documents, distinct, highest (their places); changed
    (whose hash is not that of their bytes), bare (finalized invoices of ours without their document)."""
    for row in rows:
        if (row["documents"], row["distinct"], row["highest"]) != (row["last"],) * 3:
            yield row["kind"], f"reached {row['last']}, with {row['documents']} documents up to {row['highest']}"
        for document in row["changed"]:
            yield document, "is not what was given out"
        for invoice in row["bare"]:
            yield invoice, "was finalized and has no document of its number"


def closed_months_stay(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Rows: month, closed and found: how many postings it had when it was closed, and how many it has."""
    for row in rows:
        if row["closed"] != row["found"]:
            yield row["month"], f"had {row['closed']} postings when it was closed, and has {row['found']}"
