"""Calls about the provider's own invoices and its customers' balances: looking, instructing, finding."""

from collections.abc import Callable
from typing import Final, TypeAlias, assert_never

from counterfoil.core.facts import (
    INVOICE_MARK,
    LINE_MARK,
    ChangedFact,
    Done,
    Fact,
    MissingFact,
    Outcome,
    ProviderInvoiceFact,
    UnreadableFact,
    balance_ref,
)
from counterfoil.core.ids import ProviderRef
from counterfoil.core.orders import (
    AddInvoiceLine,
    CreateInvoice,
    DeleteDraft,
    FinalizeInvoice,
    OnInvoice,
    PayInvoice,
    VoidInvoice,
)
from counterfoil.providers.port import ProviderUnavailable, Refs
from counterfoil.providers.stripe.bills import (
    balance_fact,
    intent_refs,
    invoice_fact,
    named_payments,
    paid_by,
)
from counterfoil.providers.stripe.calls import Answer, Caller, Failure, Reply, object_path, path_of
from counterfoil.providers.stripe.fields import Doc, Unreadable, labels, lenient_ref, text
from counterfoil.providers.stripe.instructions import invoice_params, line_params, needed
from counterfoil.providers.stripe.lists import ListMissing, doc_of, listed
from counterfoil.providers.stripe.outcomes import is_missing, outcome_of

Look: TypeAlias = Callable[[ProviderRef], Fact]
"""How a payment is looked at."""

LOOKS_MAX: Final = 3
"""How often an invoice is read again that was paid while it was being read."""


class Invoicing:
    """The invoices of one account."""

    def __init__(self, caller: Caller, look: Look) -> None:
        self._caller, self._look = caller, look

    def fetch(self, ref: ProviderRef) -> Fact:
        """Give an invoice with what paid it. Raises ProviderUnavailable.

        That takes several questions, and the invoice may be paid between two of them: then it is asked for again.
        """
        for _ in range(LOOKS_MAX):
            answer = self._caller.get(object_path("invoices", ref))
            if isinstance(answer, Failure) and is_missing(answer):
                return MissingFact(ref)
            fact = self._read(doc_of(answer), ref)
            if fact is not None:
                return fact
        raise ProviderUnavailable("the invoice changed each time while it was being read")

    def _read(self, invoice: Doc, ref: ProviderRef) -> Fact | None:
        """Read an invoice and its payments, None when they are not of the same moment."""
        try:
            payments = self._payments(invoice, ref)
            intents = {str(each): self._look(each) for each in intent_refs(payments)}
            paid = paid_by(payments)
        except Unreadable as error:
            return UnreadableFact(ref, str(error)[:200])
        fact = invoice_fact(invoice, ref, payments, intents)
        is_torn = isinstance(fact, ProviderInvoiceFact) and fact.paid_minor < paid
        return None if is_torn else fact

    def _payments(self, invoice: Doc, ref: ProviderRef) -> list[Doc]:
        if text(invoice, "status") in ("draft", None):
            return []
        named = named_payments(invoice)
        if named is not None:
            return named
        return list(listed(self._caller, path_of("invoice_payments"), {"invoice": ref}))

    def balance(self, customer_ref: ProviderRef) -> Fact:
        """Give the movements of a customer's balance. Raises ProviderUnavailable."""
        try:
            moves = list(listed(self._caller, object_path("customers", customer_ref, "balance_transactions"), {}))
        except ListMissing:
            return MissingFact(balance_ref(customer_ref))
        return balance_fact(customer_ref, moves)

    def create(self, create: CreateInvoice, refs: Refs, key: str) -> Outcome:
        """Make the empty draft."""
        answer = self._caller.post(path_of("invoices"), invoice_params(create, refs), key)
        if isinstance(answer, Reply):
            return Done(invoice_fact(answer.doc, ProviderRef(""), (), {}))
        return outcome_of(answer, ProviderRef(""))

    def execute(self, instruction: OnInvoice, refs: Refs, key: str) -> Outcome:
        """Do something to an invoice. What it is afterwards has to be looked at: the reply is only its beginning."""
        answer = self._sent(instruction, refs, key)
        is_gone = isinstance(instruction, DeleteDraft) and isinstance(answer, Failure) and is_missing(answer)
        if isinstance(answer, Reply) or is_gone:
            return Done(ChangedFact(instruction.ref))
        return outcome_of(answer, instruction.ref)

    def _sent(self, instruction: OnInvoice, refs: Refs, key: str) -> Answer:
        ref = instruction.ref
        match instruction:
            case AddInvoiceLine() as add:
                return self._caller.post(path_of("invoiceitems"), line_params(add, refs), key)
            case FinalizeInvoice():
                return self._caller.post(object_path("invoices", ref, "finalize"), {"auto_advance": False}, key)
            case PayInvoice():
                method = needed(refs.method_ref, "payment method")
                params = {"payment_method": method, "off_session": True}
                return self._caller.post(object_path("invoices", ref, "pay"), params, key)
            case VoidInvoice():
                return self._caller.post(object_path("invoices", ref, "void"), {}, key)
            case DeleteDraft():
                return self._caller.delete(object_path("invoices", ref))
            case other:
                assert_never(other)

    def find(self, create: CreateInvoice, refs: Refs) -> Fact | None:
        """Look for a draft whose create was lost, by our mark among the customer's invoices."""
        params = {"customer": needed(refs.customer_ref, "customer")}
        for each in listed(self._caller, path_of("invoices"), params):
            found = lenient_ref(each, "id")
            if labels(each).get(INVOICE_MARK) == create.invoice and found:
                return self.fetch(found)
        return None

    def find_line(self, add: AddInvoiceLine) -> Fact | None:
        """Look for a line whose create was lost, by our mark among the lines of its draft."""
        lines = listed(self._caller, path_of("invoiceitems"), {"invoice": add.ref})
        is_there = any(labels(each).get(LINE_MARK) == add.line for each in lines)
        return self.fetch(add.ref) if is_there else None
