"""Papers that are given out: their kinds, the gap-free series that number them, and what a paper says.

A paper is plain text in an order; who lays it out decides nothing. What it says is fixed when it is made, and its bytes
are stored then: it is never made again.
"""

from dataclasses import dataclass
from datetime import datetime
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


@dataclass(frozen=True, slots=True)
class Party:
    """Who sells, or who buys, as a paper says it: a name and lines below it. What is not known is left out."""

    name: str = ""
    address: tuple[str, ...] = ()
    tax_id: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Seller:
    """The seller's details, in versions, of which the last one holds. `colour` is what titles are set in, `#rrggbb`."""

    party: Party = Party()
    colour: str = "#1f4f46"
    note: str = ""
    """What stands at the foot of every paper, such as where to pay."""
    version: int = 0


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a paper: what it is, small print below it, and its columns of amounts, written out."""

    text: str
    small: tuple[str, ...]
    amounts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """A line below the rows. The last ones weigh most: `strong`."""

    label: str
    amount: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Paper:
    """What a document says, from top to bottom, in its language."""

    kind: PaperKind
    language: str
    number: str
    title: str
    issued_at: datetime
    seller: Seller
    buyer_label: str
    buyer: Party
    facts: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    items: tuple[Item, ...]
    sums: tuple[Sum, ...]
    notes: tuple[str, ...] = ()
    page: str = "{} / {}"
