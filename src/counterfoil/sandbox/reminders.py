"""Reminders: a sent invoice whose day comes near is told, as an account's automation would have it."""

from __future__ import annotations

from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc

DAY_S = 86_400


def watch(call: Call, invoice: Doc) -> None:
    """A finalized invoice that is sent, and due later than the reminder, will be told in time."""
    moment = _moment(call, invoice)
    if moment is not None and moment > call.now:
        call.schedule(moment, "tell_will_be_due", invoice)


def tell_will_be_due(call: Call, identifier: str) -> None:
    """The time to remind has come, unless the invoice was paid or closed since, or its day moved."""
    invoice = call.shelf.get("invoice", identifier)
    if invoice is None or invoice.get("deleted") or invoice["status"] != "open" or not invoice["amount_remaining"]:
        return
    moment = _moment(call, invoice)
    if moment is not None and moment <= call.now:
        call.emit("invoice.will_be_due", invoice)


def _moment(call: Call, invoice: Doc) -> int | None:
    if invoice["collection_method"] != "send_invoice" or invoice["due_date"] is None:
        return None
    return int(invoice["due_date"]) - call.world.settings.due_reminder_days * DAY_S


TIMERS = {"tell_will_be_due": tell_will_be_due}
