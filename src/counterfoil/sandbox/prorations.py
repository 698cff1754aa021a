"""Prorations: what is given back of an item that changes within a period, and what its successor costs until the end.

Classic billing credits the item's present price and quantity for the time that is left. Flexible billing credits what
was debited for that time: so an item remembers its debits, and a change that was made without prorations is not
credited as if it had been billed.
"""

from __future__ import annotations

from fractions import Fraction

from counterfoil.sandbox import subscription_items, subscription_lines, subscription_terms
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.subscription_lines import Span


def credit(call: Call, subscription: Doc, item: Doc, at: int, until: int | None = None) -> list[Doc]:
    """Give back the time of an item from `at` to the end of its period, as pending invoice items.

    The item is as it was billed: still with its old price and quantity.
    """
    end = until or subscription["current_period_end"]
    if is_free_time(subscription, at):
        return []
    debits = [debit for debit in item["_debits"] if debit["end"] > at]
    item["_debits"] = [debit for debit in item["_debits"] if debit["end"] <= at]
    if subscription["billing_mode"]["type"] == "classic":
        billed = subscription_items.amount_of(item)
        amount = -part_of(subscription, _paid_of(billed, debits[-1:]), (at, end))
        return [_credit(call, subscription, item, (at, end), amount, debits[-1:])]
    return [_credit_debit(call, subscription, item, debit, at) for debit in debits]


def charge(call: Call, subscription: Doc, item: Doc, at: int) -> list[Doc]:
    """Charge the time of an item from `at` to the end of its period, as a pending invoice item."""
    if is_free_time(subscription, at):
        return []
    span = (at, subscription["current_period_end"])
    gross = subscription_items.amount_of(item)
    net = subscription_terms.net_of(call, subscription, item, gross)
    amount = part_of(subscription, net, span)
    pending = subscription_lines.pending_proration(call, subscription, item, span, amount)
    remember(item, amount, span, pending=pending["id"], rate=(net, gross))
    return [pending]


def part_of(subscription: Doc, amount: int, span: Span) -> int:
    """The share of a whole period's amount that falls on a part of it, by the second."""
    rhythm = subscription_items.rhythm(subscription)
    start, end = rhythm.around(subscription["billing_cycle_anchor"], span[0])
    return rounded(Fraction(amount * (span[1] - span[0]), end - start))


def remember(
    item: Doc,
    amount: int,
    span: Span,
    pending: str | None = None,
    line: Doc | None = None,
    rate: tuple[int, int] = (1, 1),
) -> None:
    """Note what an item was debited for which time, less discounts: by an item that waits for an invoice, or by a line
    of one. `rate`: how much the discounts left of how much.

    A line is for a period that begins, so what was debited before it is over.
    """
    debit = {
        "amount": amount,
        "end": span[1],
        "rate": list(rate),
        "pending": pending,
        "price": copy_of(item["price"]),
        "quantity": item["quantity"],
        "start": span[0],
        "invoice": line["invoice"] if line else None,
        "line": line["id"] if line else None,
    }
    item["_debits"] = [*(item["_debits"] if pending else []), debit]


def is_free_time(subscription: Doc, at: int) -> bool:
    """Nothing is billed for a trial, so nothing of it is given back."""
    return subscription["trial_end"] is not None and at < subscription["trial_end"]


def rounded(exact: Fraction) -> int:
    """To the nearest whole, half away from zero."""
    doubled = 2 * abs(exact.numerator) + exact.denominator
    whole = doubled // (2 * exact.denominator)
    return whole if exact >= 0 else -whole


def _paid_of(billed: int, debits: list[Doc]) -> int:
    """What of an item's price was left by the discounts when its time was debited."""
    net, gross = debits[0].get("rate", (1, 1)) if debits else (1, 1)
    return rounded(Fraction(billed * net, gross)) if gross else billed


def _credit_debit(call: Call, subscription: Doc, item: Doc, debit: Doc, at: int) -> Doc:
    start = max(at, debit["start"])
    share = Fraction(debit["amount"] * (debit["end"] - start), debit["end"] - debit["start"])
    billed = item | {"price": debit["price"], "quantity": debit["quantity"]}
    return _credit(call, subscription, billed, (start, debit["end"]), -rounded(share), [debit])


def _credit(call: Call, subscription: Doc, item: Doc, span: Span, amount: int, debits: list[Doc]) -> Doc:
    credited = {"items": _credited(call, debits[0])} if debits else {"items": None}
    return subscription_lines.pending_proration(call, subscription, item, span, amount, credited)


def _credited(call: Call, debit: Doc) -> Doc | None:
    """The line that is given back; None while what it stands for still waits for an invoice."""
    if debit["line"]:
        return {"invoice": debit["invoice"], "invoice_line_items": [debit["line"]]}
    pending = call.shelf.get("invoiceitem", debit["pending"] or "") or {}
    invoice = call.shelf.get("invoice", pending.get("invoice") or "")
    lines = [line["id"] for line in (invoice or {}).get("_lines", []) if line.get("invoice_item") == debit["pending"]]
    return {"invoice": pending["invoice"], "invoice_line_items": lines} if lines else None
