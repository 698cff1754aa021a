"""Papers that are given out: their kinds, and the gap-free series that number them."""

from enum import StrEnum
from typing import Final


class PaperKind(StrEnum):
    """What a document is. Each kind has a series of its own, per tenant."""

    INVOICE = "invoice"
    RECEIPT = "receipt"
    CREDIT_NOTE = "credit_note"


PREFIXES: Final = {PaperKind.INVOICE: "INV-", PaperKind.RECEIPT: "RCT-", PaperKind.CREDIT_NOTE: "CN-"}
"""What a series' numbers begin with until a tenant says otherwise."""


def numbered(prefix: str, place: int) -> str:
    """Write the number of a place in a series: six digits, more where they are needed."""
    return f"{prefix}{place:06d}"


def place_of(number: str) -> int:
    """Read back the place in the series: the digits at the end, for a prefix never ends in one."""
    digits = len(number) - len(number.rstrip("0123456789"))
    return int(number[-digits:])
