"""What must hold of refunds at any moment: bounded by what came, booked as they say, and credits go with the money."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from counterfoil.core.lifecycle import LegStatus, RefundStatus
from counterfoil.core.money import share

GOES: Final = frozenset({RefundStatus.PROCESSING, RefundStatus.SUCCEEDED})
BROUGHT: Final = frozenset({LegStatus.SETTLED, LegStatus.RETURNED})
"""What can have been refunded; a bank may return a debit after that."""
ROUNDED: Final = 1
"""By how much of the smallest unit a share may differ that was refunded in parts, some of which came back."""


def refunds_are_bounded(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Rows: leg, status, received, counted (what it says goes back), refunded (what its refunds come to)."""
    for row in rows:
        if row["counted"] != row["refunded"]:
            yield row["leg"], f"says that {row['counted']} went back, its refunds come to {row['refunded']}"
        if row["refunded"] > row["received"] or (row["refunded"] and row["status"] not in BROUGHT):
            yield row["leg"], f"is {row['status']} with {row['received']}, and {row['refunded']} of it go back"


def refunds_are_booked(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Rows: refund, status, amount, of_lots (what the lots that it took back gave), and what its own entries come to:
    given, undone (given and taken back), paid, returned (paid and come back)."""
    for row in rows:
        goes, made_of = row["status"] in GOES, row["given"] + row["of_lots"]
        # One that was tried at the provider and never went is on record, and nothing was booked for it.
        if made_of != row["amount"] and (goes or made_of):
            yield row["refund"], f"is of {row['amount']}, and gives {made_of} back"
        if row["undone"] != (0 if goes else row["given"]):
            yield row["refund"], f"is {row['status']}: {row['given']} was given back for it, {row['undone']} undone"
        left = row["amount"] if row["status"] == RefundStatus.SUCCEEDED else 0
        if row["paid"] - row["returned"] != left:
            yield row["refund"], f"is {row['status']} over {row['amount']}, {row['paid'] - row['returned']} is paid"


def credits_go_with_the_money(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Rows: purchase, quantity, clawed (taken back), refunded and paid (in minor units), is_given (it has its lot)."""
    for row in rows:
        refunded = min(row["refunded"], row["paid"])
        due = share(row["quantity"], refunded, row["paid"]) if row["paid"] and row["is_given"] else 0
        if row["is_given"] and abs(row["clawed"] - due) > ROUNDED:
            told = f"{row['refunded']} of {row['paid']} went back, which stands for {due}"
            yield row["purchase"], f"had {row['clawed']} of {row['quantity']} taken back; {told}"
