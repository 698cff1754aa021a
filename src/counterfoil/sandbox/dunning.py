"""Dunning: when the invoice of a subscription that could not be collected is tried again, and what follows the last
try.
"""

from __future__ import annotations

from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import invalid

ENDS = ("canceled", "past_due", "unpaid")
_COLLECTED = ("active", "past_due", "trialing")
"""Subscriptions whose invoices are tried again."""


def plan_retry(call: Call, invoice: Doc) -> None:
    """After a failed try: say when the next one is, where there is to be one. The invoice is the caller's to save."""
    if not _is_retried(call, invoice):
        return
    delays = call.world.settings.dunning_delays_s
    tries = invoice["attempt_count"]
    if tries > len(delays):
        invoice |= {"auto_advance": False, "next_payment_attempt": None, "_exhausted": True}
        return
    invoice |= {"auto_advance": True, "next_payment_attempt": call.now + int(delays[tries - 1])}
    call.schedule(invoice["next_payment_attempt"], "advance_invoice", invoice)


def end_of(call: Call) -> str:
    """What becomes of a subscription when the last try has failed: the account's choice, else the sandbox's."""
    chosen: str = call.shelf.account.get("dunning_ends") or call.world.settings.dunning_ends
    return chosen


def check_end(end: str) -> str:
    if end not in ENDS:
        raise invalid(f"Invalid dunning_ends: must be one of {', '.join(ENDS)}", "dunning_ends")
    return end


def _is_retried(call: Call, invoice: Doc) -> bool:
    subscription = call.shelf.get("subscription", invoice["subscription"] or "")
    if subscription is None or subscription["status"] not in _COLLECTED:
        return False
    return bool(invoice["collection_method"] == "charge_automatically" and not invoice.get("_exhausted"))
