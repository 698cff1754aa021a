"""Turn the provider's invoices and customers' balances into facts, whatever API version rendered them.

From 2025-03-31 on an invoice does not say what paid it: the list of invoice payments does. Before, it named its one
payment itself. Both come together here, so that no rule ever asks which it was.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from counterfoil.core.facts import (
    LINE_MARK,
    BalanceFact,
    BalanceMoveFact,
    Fact,
    IntentFact,
    InvoiceLineFact,
    InvoicePaymentFact,
    ProviderInvoiceFact,
    UnreadableFact,
    balance_ref,
)
from counterfoil.core.ids import ProviderRef
from counterfoil.core.money import Money, MoneyError
from counterfoil.providers.stripe.fields import Doc, Unreadable, child, labels, lenient_ref, ref, rows, text, whole

INVOICE: Final = "invoice"
BALANCE: Final = "customer_balance"


def invoice_fact(doc: Doc, asked: ProviderRef, payments: Iterable[Doc], intents: Mapping[str, Fact]) -> Fact:
    """Give the fact that an invoice states. `payments` are its rows of the payments' list, `intents` the payments."""
    try:
        return _invoice(doc, tuple(payments), intents)
    except (Unreadable, MoneyError) as error:
        return UnreadableFact(lenient_ref(doc, "id") or asked, str(error)[:200])


def balance_fact(customer_ref: ProviderRef, moves: Iterable[Doc]) -> Fact:
    """Give the movements of a customer's balance. The list comes newest first."""
    try:
        read = tuple(_move(each) for each in moves)
    except (Unreadable, MoneyError) as error:
        return UnreadableFact(balance_ref(customer_ref), str(error)[:200])
    return BalanceFact(balance_ref(customer_ref), customer_ref, read[::-1])


def named_payments(invoice: Doc) -> list[Doc] | None:
    """Give the payments of an invoice as rows of the list, from an invoice of the time when it named its own.

    None for one that does not: then the list has to be asked.
    """
    if "payment_intent" not in invoice:
        return None
    intent = ref(invoice, "payment_intent")
    if intent is None:
        return []
    is_paid = invoice.get("status") == "paid" and invoice.get("paid_out_of_band") is not True
    paid = whole(invoice, "amount_paid") if is_paid else 0
    status = "paid" if is_paid else "canceled" if invoice.get("status") == "void" else "open"
    payment = {"type": "payment_intent", "payment_intent": intent}
    return [{"id": intent, "status": status, "amount_paid": paid, "payment": payment}]


def intent_refs(payments: Iterable[Doc]) -> list[ProviderRef]:
    """Give the payments that rows of the list are about, as far as they can have moved money or still may."""
    found = (lenient_ref(child(each, "payment"), "payment_intent") for each in payments if _counts(each))
    return [each for each in found if each]


def paid_by(payments: Iterable[Doc]) -> int:
    """Give how much of an invoice the rows of the list have paid."""
    return sum(_paid(each) for each in payments)


def _counts(row: Doc) -> bool:
    return text(row, "status") in ("open", "paid")


def _paid(row: Doc) -> int:
    return whole(row, "amount_paid") if text(row, "status") == "paid" else 0


def _invoice(doc: Doc, payments: tuple[Doc, ...], intents: Mapping[str, Fact]) -> ProviderInvoiceFact:
    own = _required(doc)
    if doc.get("deleted") is True:
        return ProviderInvoiceFact(own, "deleted", "")
    currency = _currency(doc)
    total, subtotal = whole(doc, "total"), whole(doc, "subtotal")
    discount = sum(whole(each, "amount") for each in rows(doc, "total_discount_amounts"))
    due, remaining = Money(whole(doc, "amount_due"), currency), Money(whole(doc, "amount_remaining"), currency)
    return ProviderInvoiceFact(
        ref=own,
        status=text(doc, "status") or "",
        currency=currency,
        subtotal_minor=subtotal,
        discount_minor=discount,
        # Tax that is in the prices already adds nothing; what adds to the lines is what the sums differ by.
        tax_minor=total - subtotal + discount,
        total_minor=total,
        due_minor=due.minor,
        paid_minor=_paid_in_all(doc),
        remaining_minor=remaining.minor,
        starting_balance=whole(doc, "starting_balance"),
        ending_balance=None if doc.get("ending_balance") is None else whole(doc, "ending_balance"),
        customer_ref=ref(doc, "customer"),
        number=text(doc, "number"),
        url=_page(doc),
        lines=tuple(_line(each) for each in rows(child(doc, "lines"), "data")),
        payments=tuple(_payment(each, intents) for each in payments),
        metadata=labels(doc),
    )


def _paid_in_all(doc: Doc) -> int:
    """Give what was paid, also outside the provider: before 2025-03-31 that is not counted, only said."""
    if "paid_out_of_band" in doc and doc["paid_out_of_band"] is True:
        return whole(doc, "amount_due")
    return whole(doc, "amount_paid")


def _line(doc: Doc) -> InvoiceLineFact:
    return InvoiceLineFact(_required(doc), whole(doc, "amount"), labels(doc).get(LINE_MARK))


def _payment(row: Doc, intents: Mapping[str, Fact]) -> InvoicePaymentFact:
    intent_ref = ref(child(row, "payment"), "payment_intent")
    intent = intents.get(intent_ref) if intent_ref else None
    if isinstance(intent, UnreadableFact):
        raise Unreadable(intent.why)
    paying = intent if isinstance(intent, IntentFact) else None
    return InvoicePaymentFact(_required(row), text(row, "status") or "", _paid(row), paying)


def _move(doc: Doc) -> BalanceMoveFact:
    currency = _currency(doc)
    minor = whole(doc, "amount")
    Money(abs(minor), currency)  # what no book could hold is refused here
    return BalanceMoveFact(_required(doc), text(doc, "type") or "", minor, currency, ref(doc, "invoice"))


def _page(doc: Doc) -> str | None:
    """Give the page where a customer can pay. Only web addresses: it ends up in a link."""
    url = text(doc, "hosted_invoice_url")
    return url if url and url.startswith(("https://", "http://")) else None


def _currency(doc: Doc) -> str:
    code = text(doc, "currency")
    if code is None or not code.isascii():
        raise Unreadable("currency is missing")
    return code.upper()


def _required(doc: Doc) -> ProviderRef:
    found = ref(doc, "id")
    if found is None:
        raise Unreadable("id is missing")
    return found
