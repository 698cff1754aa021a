"""Refunds and credit notes as the outside sees them."""

from collections.abc import Sequence
from typing import Final

from counterfoil.core.lifecycle import RefundStatus
from counterfoil.core.refunded import CreditNote, Destination, LineBack, Refund
from counterfoil.engine.views import View, instant, money

FALLBACKS: Final = (Destination.BALANCE, Destination.WALLET, Destination.MANUAL)
"""Where money can go instead that the provider would not give back."""


def refund_view(refund: Refund) -> View:
    """Show a refund: of what, where to, how far it is; one that failed names what can be done instead."""
    failed = refund.status is RefundStatus.FAILED
    currency = refund.currency
    return {
        "id": refund.id,
        "object": "refund",
        "customer": refund.customer,
        "payment": refund.payment,
        "leg": refund.leg,
        "purchases": list(_purchases(refund)),
        "status": refund.status,
        "amount": money(refund.amount_minor, currency),
        "tax": money(refund.given.tax_minor, currency),
        "destination": refund.destination,
        "made_by": "counterfoil" if refund.made_by == "us" else "provider",
        "reason": refund.reason,
        "lines": [_line_view(each, currency) for each in refund.given.lines],
        "wallet": refund.wallet,
        "grant": refund.grant,
        "provider_ref": refund.provider_ref,
        "failure": {"code": refund.failure_code, "message": refund.failure_text} if refund.failure_code else None,
        "fallbacks": [str(each) for each in FALLBACKS] if failed else [],
        "succeeded_at": instant(refund.succeeded_at),
        "ended_at": instant(refund.ended_at),
        "created_at": instant(refund.created_at),
    }


def _purchases(refund: Refund) -> Sequence[str]:
    own = (refund.purchase,) if refund.purchase else ()
    return tuple(dict.fromkeys((*own, *(each.purchase for each in refund.given.lots))))


def _line_view(back: LineBack, currency: str) -> View:
    return {
        "invoice_line": back.line,
        "net": money(back.net_minor, currency),
        "tax": money(back.tax_minor, currency),
    }


def group_view(refunds: Sequence[Refund]) -> View:
    """Show the refunds of one command, and how they are together."""
    return {
        "id": refunds[0].id,
        "object": "refund_group",
        "payment": refunds[0].payment,
        "status": group_status(refunds),
        "refunds": [refund_view(each) for each in refunds],
    }


def group_status(refunds: Sequence[Refund]) -> RefundStatus:
    """Say how several refunds are: under way while one is, failed once one did not go."""
    statuses = {each.status for each in refunds}
    order = (RefundStatus.PROCESSING, RefundStatus.FAILED, RefundStatus.CANCELED)
    return next((each for each in order if each in statuses), RefundStatus.SUCCEEDED)


def group_answer(refunds: Sequence[Refund]) -> int:
    """Say how a command about refunds is answered: 201 they went, 402 one was refused, 202 one is under way."""
    status = group_status(refunds)
    if status is RefundStatus.PROCESSING:
        return 202
    return 201 if status is RefundStatus.SUCCEEDED else 402


def note_view(note: CreditNote) -> View:
    """Show a credit note: what it takes off an invoice, line by line."""
    return {
        "id": note.id,
        "object": "credit_note",
        "customer": note.customer,
        "invoice": note.invoice,
        "number": note.number,
        "total": money(note.total_minor, note.currency),
        "tax": money(note.tax_minor, note.currency),
        "debt_reduced": money(note.reduced_minor, note.currency),
        "to_balance": money(note.balance_minor, note.currency),
        "lines": [_line_view(each, note.currency) for each in note.lines],
        "reason": note.reason,
        "created_at": instant(note.created_at),
    }
