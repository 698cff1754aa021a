"""The end of a purchase that nobody paid: given up, never made, or dropped at the provider.

What the provider made for it is taken back there first; only that ends the purchase.
"""

from dataclasses import replace
from datetime import datetime
from typing import Final

from counterfoil.core import mirrors
from counterfoil.core.books import Books, Invoice
from counterfoil.core.bought import Purchase
from counterfoil.core.effects import Act, Change, Decision, Observe, Reason, Skip, Why
from counterfoil.core.facts import ProviderInvoiceFact, Refusal
from counterfoil.core.ids import InvoiceId, NewId, ProviderRef, PurchaseId
from counterfoil.core.lifecycle import OrderStatus
from counterfoil.core.mirrors import Steps
from counterfoil.core.orders import DeleteDraft
from counterfoil.core.provider_invoices import RULE, WANTED, end_purchase

GIVE_UP: Final = "give-up-purchase@1"


def decide_give_up(books: Books, purchase: PurchaseId, now: datetime, new_id: NewId) -> Decision:
    """Give a purchase up that is not paid. Its invoice is taken back at the provider first; only that ends it."""
    held = next((each for each in books.purchases if each.id == purchase), None)
    if held is None or held.status not in WANTED or held.invoice is None or held.given_up_at:
        sentence = "The purchase is settled or over, or was given up before."
        return Skip(Why(GIVE_UP, Reason.TIMER_OBSOLETE, sentence, (purchase,)))
    steps = Steps(books, now, new_id)
    given_up = replace(held, given_up_at=now)
    steps.add(Change(held, given_up))
    invoice = steps.invoice(held.invoice)
    if invoice.provider_ref:
        steps.add(Observe(invoice.account, "invoice", invoice.provider_ref, now, "its purchase was given up"))
    _end_unsent(steps, given_up, invoice)
    sentence = "The purchase was not paid in time; what the provider made for it is taken back."
    return Act(Why(GIVE_UP, Reason.PROVIDER_INVOICE_UNWANTED, sentence, (purchase, invoice.id)), tuple(steps.effects))


def _end_unsent(steps: Steps, purchase: Purchase, invoice: Invoice) -> None:
    """End a purchase at once whose draft was never asked for."""
    creates = [each for each in steps.books.orders if each.subject == invoice.id]
    unsent = [each for each in creates if each.status is OrderStatus.QUEUED and each.sent_at is None]
    if invoice.provider_ref or len(unsent) != len(creates):
        return
    steps.add(*(Change(each, replace(each, status=OrderStatus.CANCELED)) for each in unsent))
    mirrors.take_back(steps, invoice.id)
    end_purchase(steps, purchase, None)


def decide_create_refused(books: Books, invoice: InvoiceId, refusal: Refusal, now: datetime, new_id: NewId) -> Decision:
    """The provider would not even make the draft: the purchase failed, and nothing is there."""
    steps = Steps(books, now, new_id)
    code = refusal.decline_code or refusal.code
    purchase = next(each for each in books.purchases if each.invoice == invoice)
    mirrors.take_back(steps, invoice)
    end_purchase(steps, purchase, (code, refusal.message))
    sentence = f"The provider refused to make the invoice ({code}); nothing was charged."
    why = Why(RULE, Reason.PROVIDER_INVOICE_GONE, sentence, (purchase.id, invoice))
    return Act(why, tuple(steps.effects)) if steps.effects else Skip(why)


def gone(books: Books, ref: ProviderRef) -> ProviderInvoiceFact | None:
    """Read that the provider does not know an invoice as what it means: dropped, if that was asked for. Else None."""
    invoice = next((each for each in books.invoices if each.provider_ref == ref), None)
    asked = any(
        invoice and each.subject == invoice.id and isinstance(each.instruction, DeleteDraft) for each in books.orders
    )
    return ProviderInvoiceFact(ref, "deleted", invoice.currency) if invoice and asked else None
