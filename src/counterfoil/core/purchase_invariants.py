"""What must hold of purchases at any moment: each brings its credits once, was meant first, and is billed once."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from counterfoil.core.bought import Settlement
from counterfoil.core.lifecycle import PurchaseStatus

PAID: Final = frozenset({PurchaseStatus.SETTLED, PurchaseStatus.VOIDED})
MEANT_BY: Final = frozenset({"api", "operator", "timer"})
"""Where the wish to buy comes from; news of the provider never is one."""


def credits_follow_the_money(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Rows: purchase, status, early (whether its credits were given before the money), quantity, net, and lots: amount,
    cost and whether it was voided, of each lot that it brought."""
    for row in rows:
        live = [each for each in row["lots"] if not each[2]]
        if len(row["lots"]) > 1:
            yield row["purchase"], f"brought {len(row['lots'])} lots"
        # A coupon at the provider lowers what was paid, never what is given.
        fits = [each for each in row["lots"] if each[0] == row["quantity"] and each[1] <= row["net"]]
        if row["status"] in PAID and len(fits) != 1:
            yield row["purchase"], f"is {row['status']} over {row['quantity']} for {row['net']}, and has {row['lots']}"
        if live and row["status"] not in PAID and not row["early"]:
            yield row["purchase"], f"is {row['status']} and brought {live}"
        if live and row["status"] == PurchaseStatus.CANCELED:
            yield row["purchase"], f"was given up and keeps {live}"


def purchases_were_meant(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Rows: purchase, source (of the news that made it, None when no decision did), billed_first (its invoice is older
    than itself)."""
    for row in rows:
        if row["source"] not in MEANT_BY:
            yield row["purchase"], f"was made by {row['source'] or 'nobody'}"
        if row["billed_first"]:
            yield row["purchase"], "is younger than the invoice that bills it"


def purchases_are_billed_once(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Rows: purchase, settlement, ours (whether an invoice of ours collects it), customer, invoice, line, status,
    authorized_at, settled_at; lines: id, invoice and customer of each line that bills it; waiting: status and line of
    each pending line of it; steps: the words of its own entries."""
    for row in rows:
        billed = [[row["line"], row["invoice"], row["customer"]]] if row["line"] else []
        if row["lines"] != billed:
            yield row["purchase"], f"is billed by {row['lines'] or 'nothing'}, and says {billed or 'nothing'}"
        if row["ours"]:
            yield from ((row["purchase"], fault) for fault in _of_waiting(row))
        if row["settled_at"] and not (row["authorized_at"] and row["authorized_at"] <= row["settled_at"]):
            yield row["purchase"], "was settled before it was authorized"
        if set(row["steps"]) - {"canceled"} != _booked(row):
            yield row["purchase"], f"is {row['status']}, its own entries are {sorted(row['steps']) or 'none'}"


def _of_waiting(row: Mapping[str, Any]) -> Iterator[str]:
    """One pending line for ever, which waits exactly while its purchase does."""
    if len(row["waiting"]) != 1:
        yield f"has {len(row['waiting'])} pending lines"
        return
    ((status, line),) = row["waiting"]
    if line != row["line"] or (status == "waiting") != (row["status"] == PurchaseStatus.SCHEDULED):
        yield f"is {row['status']}, its pending line is {status} and became {line}"


def _booked(row: Mapping[str, Any]) -> set[str]:
    """Give the steps that a purchase books itself: an invoice books what it bills, others book each step."""
    if row["settlement"] != Settlement.EXTERNAL:
        return set()
    return {word for word in ("authorized", "settled") if row[f"{word}_at"]}
