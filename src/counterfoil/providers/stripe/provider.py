"""One Stripe account behind the provider port. Each verb makes its calls once and gives their answer as a value."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, assert_never

from counterfoil.core.facts import (
    LEG_MARK,
    Done,
    Fact,
    IntentFact,
    MarkedFact,
    MissingFact,
    Outcome,
    Refusal,
    Refused,
    UnreadableFact,
    marked_ref,
)
from counterfoil.core.ids import LegId, ProviderRef
from counterfoil.core.orders import (
    AddInvoiceLine,
    AttachMethod,
    CancelIntent,
    CancelSetup,
    ConfirmIntent,
    CreateCheckout,
    CreateCustomer,
    CreateIntent,
    CreateInvoice,
    CreateRefund,
    CreateSetup,
    DeleteDraft,
    ExpireCheckout,
    FinalizeInvoice,
    Order,
    PayInvoice,
    SetDefaultMethod,
    UpdateCustomer,
    VoidInvoice,
)
from counterfoil.providers.port import Changes, Listing, Refs
from counterfoil.providers.stripe import history, listing
from counterfoil.providers.stripe.bills import BALANCE, INVOICE
from counterfoil.providers.stripe.calls import Caller, Failure, Params, object_path, path_of
from counterfoil.providers.stripe.fields import Doc, child, is_ref, labels, lenient_ref, rows
from counterfoil.providers.stripe.going_back import MONEY_BACK, fetch_money_back, find_refund
from counterfoil.providers.stripe.instructions import (
    CUSTOMER_MARK,
    WITH_FEE,
    attach_params,
    confirm_params,
    customer_params,
    customer_update_params,
    default_params,
    intent_params,
    needed,
    refund_params,
    token_params,
)
from counterfoil.providers.stripe.invoicing import Invoicing
from counterfoil.providers.stripe.lists import doc_of, listed
from counterfoil.providers.stripe.outcomes import RESOURCE_MISSING, is_missing, is_not_covered, outcome_of
from counterfoil.providers.stripe.pages import Pages
from counterfoil.providers.stripe.parse import (
    CUSTOMER,
    INTENT,
    METHOD,
    SESSION,
    SETUP,
    fact_of,
    intent_of,
    says_its_invoice,
)

COLLECTIONS: Final = {
    INTENT: "payment_intents",
    SESSION: "checkout/sessions",
    CUSTOMER: "customers",
    METHOD: "payment_methods",
    SETUP: "setup_intents",
}
EXPANDED: Final = {INTENT: WITH_FEE, SESSION: (*(f"payment_intent.{field}" for field in WITH_FEE), SETUP)}
OF_A_PAYMENT: Final = frozenset({"charge", "refund", "dispute"})
"""Kinds of subject that are looked at through their payment, whose id is then the subject's."""

MARKED: Final = "marked"
"""The kind of what carries the mark of a leg of ours among a customer's payments."""
MONEY_BACK_SUFFIX: Final = ":back"
"""How the name of what went back of a payment ends, after the payment's id."""
BALANCE_SUFFIX: Final = ":balance"
"""How the name of a customer's balance ends, after the customer's id."""
UNNAMED: Final = ProviderRef("")
"""The id of an object that was to be made and came back without one."""
CLOCKS_APART: Final = timedelta(hours=1)
"""How much earlier than ours the provider's clock may say that something was made."""


class StripeProvider:
    """One Stripe account, ready to be called from any thread."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._invoicing = Invoicing(caller, self._look)
        self._pages = Pages(caller)

    def fetch(self, kind: str, ref: ProviderRef) -> Fact:
        """Give the current object: a payment, hosted checkout, customer or method, or the payment of a charge, refund
        or dispute. Other kinds are unreadable without a call. Raises ProviderUnavailable."""
        if not is_ref(ref):
            return MissingFact(ref)
        if kind in OF_A_PAYMENT and ref.startswith("pi_"):
            return self.fetch(INTENT, ref)
        if kind == INVOICE:
            return self._invoicing.fetch(ref)
        if kind == BALANCE:
            return self._invoicing.balance(ProviderRef(ref.removesuffix(BALANCE_SUFFIX)))
        if kind == MARKED:
            return self._marked(ref)
        if kind == MONEY_BACK:
            return fetch_money_back(self._caller, ProviderRef(ref.removesuffix(MONEY_BACK_SUFFIX)))
        if kind not in COLLECTIONS:
            return UnreadableFact(ref, f"objects of kind {kind[:40]} are not fetched")
        expand = EXPANDED.get(kind)
        answer = self._caller.get(object_path(COLLECTIONS[kind], ref), {"expand": expand} if expand else {})
        if isinstance(answer, Failure) and is_missing(answer):
            return MissingFact(ref)
        doc = doc_of(answer)
        intent = doc if kind == INTENT else intent_of(doc)
        return fact_of(doc, ref, pays=self._invoice_paid_by(intent) if intent is not None else None)

    def execute(self, order: Order, refs: Refs) -> Outcome:
        """Send an order under its key."""
        match order.instruction:
            case CreateCustomer() as create:
                return without_words(self._post(path_of("customers"), customer_params(create, refs), order.key))
            case UpdateCustomer():
                ref = needed(refs.customer_ref, "customer")
                path = object_path("customers", ref)
                return without_words(self._post(path, customer_update_params(refs), order.key, ref))
            case AttachMethod() as attach:
                return self._attach(attach, refs, order.key)
            case CreateIntent() as intent:
                return self._post(path_of("payment_intents"), intent_params(intent, refs), order.key)
            case ConfirmIntent() as confirm:
                path = object_path("payment_intents", confirm.ref, "confirm")
                return self._post(path, confirm_params(confirm, refs), order.key, confirm.ref)
            case CancelIntent() as cancel:
                path = object_path("payment_intents", cancel.ref, "cancel")
                return self._post(path, {"expand": WITH_FEE}, order.key, cancel.ref)
            case SetDefaultMethod():
                path = object_path("customers", needed(refs.customer_ref, "customer"))
                return without_words(self._post(path, default_params(needed(refs.method_ref, "method")), order.key))
            case CreateInvoice() as invoice:
                return self._invoicing.create(invoice, refs, order.key)
            case AddInvoiceLine() | FinalizeInvoice() | PayInvoice() | VoidInvoice() | DeleteDraft():
                return self._invoicing.execute(order.instruction, refs, order.key)
            case CreateCheckout() | ExpireCheckout() | CreateSetup() | CancelSetup():
                return self._pages.execute(order.instruction, refs, order.key)
            case CreateRefund() as refund:
                return self._post(path_of("refunds"), refund_params(refund), order.key)
            case other:
                assert_never(other)

    def find(self, order: Order, refs: Refs) -> Fact | None:
        """Look an order's object up by lists, never by search, which lags. Raises ProviderUnavailable.

        A payment is found by our mark among the customer's payments, a customer by our mark among those with its
        e-mail address, else among those made since. A saved method is found when its token is the method's own id;
        what a test or card token became can't be told from a list, so the answer is None.
        """
        match order.instruction:
            case CreateCustomer() as create:
                return self._find_customer(create, order, refs)
            case UpdateCustomer() | SetDefaultMethod():
                return self.fetch(CUSTOMER, needed(refs.customer_ref, "customer"))
            case AttachMethod() as attach:
                return self._find_method(attach, refs)
            case CreateIntent() as intent:
                return self._find_intent(intent, order, refs)
            case ConfirmIntent(ref=intent_ref) | CancelIntent(ref=intent_ref):
                return self.fetch(INTENT, intent_ref)
            case CreateInvoice() as invoice:
                return self._invoicing.find(invoice, refs)
            case AddInvoiceLine() as line:
                return self._invoicing.find_line(line)
            case FinalizeInvoice() | PayInvoice() | VoidInvoice() | DeleteDraft():
                return self._invoicing.fetch(order.instruction.ref)
            case CreateCheckout() | CreateSetup():
                return self._pages.find(order.instruction, refs)
            case ExpireCheckout(ref=page_ref) | CancelSetup(ref=page_ref):
                return self.fetch(SETUP if isinstance(order.instruction, CancelSetup) else SESSION, page_ref)
            case CreateRefund() as refund:
                return find_refund(self._caller, refund.ref, refund.refund)
            case other:
                assert_never(other)

    def changes_since(self, cursor: str | None) -> Changes:
        """Give the next page of events, oldest first; None starts with the oldest that the provider still has."""
        return history.changes_since(self._caller, cursor)

    def made_since(self, kind: str, since: datetime | None, after: ProviderRef | None) -> Listing:
        """Give a page of what was made since an instant, newest first. Raises ProviderUnavailable."""
        return listing.made_since(self._caller, kind, since, after)

    def _post(self, path: str, params: Params, key: str, asked: ProviderRef = UNNAMED) -> Outcome:
        return outcome_of(self._caller.post(path, params, key), asked)

    def _attach(self, attach: AttachMethod, refs: Refs, key: str) -> Outcome:
        """Save a method, and make it the default when asked: up to three calls, each under a key of its own.

        One Outcome for all: the first call that is not done is the answer, and a replay repeats those before it
        without effect.
        """
        method_ref = ProviderRef(attach.token)
        if not is_ref(attach.token):
            return Refused(Refusal(RESOURCE_MISSING, message="the token can't be one of the provider's"))
        if attach.token.startswith("tok_"):
            made = self._caller.post(path_of("payment_methods"), token_params(attach), f"{key}:method")
            if isinstance(made, Failure):
                return outcome_of(made, method_ref)
            method_ref = lenient_ref(made.doc, "id") or method_ref
        saved = self._post(object_path("payment_methods", method_ref, "attach"), attach_params(refs), key, method_ref)
        if not attach.make_default or not isinstance(saved, Done) or isinstance(saved.fact, UnreadableFact):
            return saved
        return self._make_default(saved, refs, f"{key}:default")

    def _make_default(self, saved: Done, refs: Refs, key: str) -> Outcome:
        path = object_path("customers", needed(refs.customer_ref, "customer"))
        outcome = self._post(path, default_params(saved.fact.ref), key)
        return saved if isinstance(outcome, Done) else outcome

    def _find_customer(self, create: CreateCustomer, order: Order, refs: Refs) -> Fact | None:
        """Look among those with the address first, which are few; it may have changed or gone since the try."""
        since = int((order.queued_at - CLOCKS_APART).timestamp())
        params: list[Params] = [{"email": refs.email}] if refs.email else []
        for wanted in (*params, {"created": {"gte": since}}):
            for customer in listed(self._caller, path_of("customers"), wanted):
                if labels(customer).get(CUSTOMER_MARK) == create.customer:
                    return fact_of(customer, UNNAMED)
        return None

    def _find_method(self, attach: AttachMethod, refs: Refs) -> Fact | None:
        """Give the method when all that was asked is so; half of it is answered as nothing, and is sent again."""
        if not is_method_id(attach.token) or not is_ref(attach.token):
            return None
        customer_ref = needed(refs.customer_ref, "customer")
        answer = self._caller.get(object_path("payment_methods", ProviderRef(attach.token)))
        if isinstance(answer, Failure) and is_missing(answer):
            return None
        method = doc_of(answer)
        if lenient_ref(method, "customer") != customer_ref:
            return None
        if attach.make_default and not self._is_default(attach.token, customer_ref):
            return None
        return fact_of(method, ProviderRef(attach.token))

    def _is_default(self, method: str, customer_ref: ProviderRef) -> bool:
        customer = doc_of(self._caller.get(object_path("customers", customer_ref)))
        return lenient_ref(child(customer, "invoice_settings"), "default_payment_method") == method

    def _find_intent(self, intent: CreateIntent, order: Order, refs: Refs) -> Fact | None:
        """Look among what was made since the order was; several payments with one mark are given as they are."""
        since = {"created": {"gte": int((order.queued_at - CLOCKS_APART).timestamp())}}
        customer_ref = needed(refs.customer_ref, "customer")
        found = self._carrying(customer_ref, intent.leg, since)
        if len(found) > 1:
            return MarkedFact(marked_ref(customer_ref, intent.leg), found)
        return found[0] if found else None

    def _marked(self, ref: ProviderRef) -> Fact:
        customer_ref, _, leg = ref.partition(":")
        return MarkedFact(ref, self._carrying(ProviderRef(customer_ref), LegId(leg), {}))

    def _carrying(self, customer_ref: ProviderRef, leg: LegId, narrowed: Params) -> tuple[IntentFact, ...]:
        """Give the payments of a customer that carry a leg's mark, oldest first."""
        found = listed(self._caller, path_of("payment_intents"), {"customer": customer_ref, **narrowed})
        refs = [lenient_ref(each, "id") for each in found if labels(each).get(LEG_MARK) == leg]
        facts = [self.fetch(INTENT, each) for each in refs[::-1] if each]
        return tuple(each for each in facts if isinstance(each, IntentFact))

    def _look(self, ref: ProviderRef) -> Fact:
        """Look at a payment of a provider's invoice."""
        answer = self._caller.get(object_path(COLLECTIONS[INTENT], ref), {"expand": WITH_FEE})
        if isinstance(answer, Failure) and is_missing(answer):
            return MissingFact(ref)
        return fact_of(doc_of(answer), ref)

    def _invoice_paid_by(self, intent: Doc) -> Doc | None:
        """Give the row that says which invoice of the provider a payment belongs to, paid or not, None when to none.

        Payments that we made carry our mark and never do. From 2025-03-31 on others don't say it themselves, so the
        list of invoice payments is asked. When that fails the question stays open: to go on as if the payment stood
        alone is how money is credited twice. Only a provider that has no such list has no such invoices.
        """
        if says_its_invoice(intent) or LEG_MARK in labels(intent):
            return None
        payment = {"type": INTENT, "payment_intent": intent.get("id")}
        answer = self._caller.get(path_of("invoice_payments"), {"payment": payment, "limit": 1})
        if isinstance(answer, Failure) and is_not_covered(answer):
            return None
        return next(iter(rows(doc_of(answer), "data")), None)


def is_method_id(token: str) -> bool:
    """Say whether a token is the id of one payment method, and not a test token such as `pm_card_visa`."""
    return token.startswith("pm_") and "_" not in token.removeprefix("pm_")


def without_words(outcome: Outcome) -> Outcome:
    """Leave out what the provider says to people when it refuses a customer: it quotes the e-mail address."""
    if isinstance(outcome, Refused):
        return replace(outcome, refusal=replace(outcome.refusal, message=""))
    return outcome
