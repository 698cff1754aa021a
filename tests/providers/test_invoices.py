"""The provider's own invoices, through the adapter: each step under its key, and looked at for what it became."""

from dataclasses import replace
from typing import Any

import pytest

from counterfoil.core.facts import (
    BalanceFact,
    ChangedFact,
    CustomerFact,
    Done,
    IntentFact,
    IntentStatus,
    MissingFact,
    ProviderInvoiceFact,
    Refused,
    Unknown,
    balance_ref,
)
from counterfoil.core.ids import InvoiceId, LineId, ProviderRef
from counterfoil.core.money import Money
from counterfoil.core.orders import (
    STORED_ERROR,
    AddInvoiceLine,
    CreateInvoice,
    DeleteDraft,
    FinalizeInvoice,
    OnInvoice,
    Order,
    PayInvoice,
    SetDefaultMethod,
    VoidInvoice,
    confirmed_by,
)
from counterfoil.providers.port import Refs
from counterfoil.providers.stripe.calls import Reply
from providers.provider_house import CARD, MINE, ProviderHouse, done

USD_50 = Money(5000, "USD")
BILL = InvoiceId("inv_01h455vb4pex5vsknk084sn02q")
LINE = LineId("line_01h455vb4pex5vsknk084sn02q")


def create_order(house: ProviderHouse) -> Order:
    return house.order(CreateInvoice(BILL, MINE, "USD", "2,500 credits"))


def draft(house: ProviderHouse, refs: Refs) -> ProviderInvoiceFact:
    fact = done(house.provider.execute(create_order(house), refs))
    assert isinstance(fact, ProviderInvoiceFact)
    return fact


def add(ref: ProviderRef, amount: Money = USD_50) -> AddInvoiceLine:
    return AddInvoiceLine(BILL, ref, LINE, amount, "2,500 credits")


def act(house: ProviderHouse, refs: Refs, instruction: OnInvoice) -> ProviderInvoiceFact:
    """Do something to an invoice, and look at it afterwards."""
    assert done(house.provider.execute(house.order(instruction), refs)) == ChangedFact(instruction.ref)
    return look(house, instruction.ref)


def look(house: ProviderHouse, ref: ProviderRef) -> ProviderInvoiceFact:
    fact = house.provider.fetch("invoice", ref)
    assert isinstance(fact, ProviderInvoiceFact)
    return fact


def billed(house: ProviderHouse, refs: Refs) -> ProviderInvoiceFact:
    """A draft with its line."""
    return act(house, refs, add(draft(house, refs).ref))


def opened(house: ProviderHouse, refs: Refs) -> ProviderInvoiceFact:
    """A finalized invoice."""
    return act(house, refs, FinalizeInvoice(BILL, billed(house, refs).ref))


def give_credit(house: ProviderHouse, refs: Refs, minor: int) -> None:
    """Credit the customer at the provider, as a downgrade's proration does."""
    path = f"/v1/customers/{refs.customer_ref}/balance_transactions"
    answer = house.port.caller(house.credentials).post(path, {"amount": -minor, "currency": "usd"}, f"bal{minor}")
    assert isinstance(answer, Reply)


def test_an_invoice_is_made_step_by_step_and_nothing_advances_by_itself(house: ProviderHouse) -> None:
    refs = house.saved()

    empty = draft(house, refs)
    with_line = act(house, refs, add(empty.ref))
    final = act(house, refs, FinalizeInvoice(BILL, empty.ref))
    paid = act(house, refs, PayInvoice(BILL, empty.ref, CARD))

    assert (empty.status, empty.lines, empty.metadata["counterfoil_invoice"]) == ("draft", (), BILL)
    assert [(each.minor, each.mark) for each in with_line.lines] == [(5000, LINE)]
    assert (with_line.status, with_line.due_minor) == ("draft", 5000)
    assert (final.status, final.remaining_minor, final.number is not None) == ("open", 5000, True)
    assert [(each.status, each.minor) for each in final.payments] == [("open", 0)]
    assert (paid.status, paid.paid_minor, paid.applied_minor) == ("paid", 5000, 0)
    (payment,) = paid.payments
    assert (payment.status, payment.minor) == ("paid", 5000)
    assert isinstance(payment.intent, IntentFact)
    assert (payment.intent.status, payment.intent.received) == (IntentStatus.SUCCEEDED, USD_50)
    assert payment.intent.charge_ref
    assert payment.intent.charge_fee is not None
    assert payment.intent.means == "visa 4242"
    assert house.charges() == 1


def test_the_payment_of_an_invoice_says_which(house: ProviderHouse) -> None:
    paid = act(house, refs := house.saved(), FinalizeInvoice(BILL, billed(house, refs).ref))
    intent = paid.payments[0].intent
    assert intent is not None

    fact = house.provider.fetch("payment_intent", intent.ref)

    assert isinstance(fact, IntentFact)
    assert (fact.pays_provider_invoice, fact.invoice_ref) == (True, paid.ref)


@pytest.mark.parametrize(
    ("credit", "status", "applied", "remaining", "left"),
    [(6000, "paid", 5000, 0, 1000), (5000, "paid", 5000, 0, 0), (2000, "open", 2000, 3000, 0)],
)
def test_the_customers_balance_is_applied_when_an_invoice_is_finalized(
    house: ProviderHouse, credit: int, status: str, applied: int, remaining: int, left: int
) -> None:
    refs = house.saved()
    give_credit(house, refs, credit)

    final = opened(house, refs)

    assert (final.status, final.applied_minor, final.remaining_minor) == (status, applied, remaining)
    assert refs.customer_ref
    customer = house.provider.fetch("customer", refs.customer_ref)
    assert isinstance(customer, CustomerFact)
    assert (customer.balance_minor, customer.currency) == (-left, "USD")


def test_what_is_too_little_to_charge_is_paid_and_owed_on_the_balance(house: ProviderHouse) -> None:
    refs = house.saved()
    give_credit(house, refs, 4980)

    final = opened(house, refs)

    assert (final.status, final.applied_minor, final.due_minor) == ("paid", 5000, 0)
    assert (final.starting_balance, final.ending_balance) == (-4980, 20)


def test_every_movement_of_a_balance_is_listed_oldest_first(house: ProviderHouse) -> None:
    refs = house.saved()
    give_credit(house, refs, 2000)
    final = opened(house, refs)
    act(house, refs, VoidInvoice(BILL, final.ref))
    assert refs.customer_ref

    fact = house.provider.fetch("customer_balance", balance_ref(refs.customer_ref))

    assert isinstance(fact, BalanceFact)
    assert [(each.kind, each.minor, each.invoice_ref) for each in fact.moves] == [
        ("adjustment", -2000, None),
        ("applied_to_invoice", 2000, final.ref),
        ("unapplied_from_invoice", -2000, final.ref),
    ]


def test_the_balance_of_nobody_is_missing(house: ProviderHouse) -> None:
    gone = balance_ref(ProviderRef("cus_nobody"))

    assert house.provider.fetch("customer_balance", gone) == MissingFact(gone)


def test_paying_a_paid_invoice_is_refused_and_the_look_says_paid(house: ProviderHouse) -> None:
    refs = house.saved()
    give_credit(house, refs, 5000)
    final = opened(house, refs)

    outcome = house.provider.execute(house.order(PayInvoice(BILL, final.ref, CARD)), refs)

    assert isinstance(outcome, Refused)
    assert look(house, final.ref).status == "paid"
    assert house.charges() == 0


def test_a_declined_invoice_stays_open_and_says_why(house: ProviderHouse) -> None:
    refs = house.saved("pm_card_chargeCustomerFail")
    final = opened(house, refs)

    outcome = house.provider.execute(house.order(PayInvoice(BILL, final.ref, CARD)), refs)

    assert isinstance(outcome, Refused)
    assert outcome.refusal.code == "card_declined"
    intent = look(house, final.ref).payments[0].intent
    assert intent is not None
    assert intent.refusal is not None


def test_a_draft_can_be_dropped_and_is_gone_then(house: ProviderHouse) -> None:
    refs = house.saved()
    ref = billed(house, refs).ref

    for _ in range(2):
        assert done(house.provider.execute(house.order(DeleteDraft(BILL, ref)), refs)) == ChangedFact(ref)

    assert house.provider.fetch("invoice", ref) == MissingFact(ref)


def test_a_method_is_made_the_default(house: ProviderHouse) -> None:
    refs = house.saved()
    assert refs.customer_ref

    fact = done(house.provider.execute(house.order(SetDefaultMethod(MINE, CARD)), refs))

    assert isinstance(fact, CustomerFact)
    assert fact.default_method_ref == refs.method_ref


def test_a_create_whose_reply_was_lost_is_found_by_our_mark(house: ProviderHouse) -> None:
    refs = house.saved()
    order = create_order(house)
    assert house.provider.find(order, refs) is None
    house.trouble("timeout_after", "/v1/invoices")
    assert house.provider.execute(order, refs) == Unknown("no_reply")

    found = house.provider.find(order, refs)

    assert isinstance(found, ProviderInvoiceFact)
    assert confirmed_by(order, found)
    assert done(house.provider.execute(order, refs)).ref == found.ref


def test_a_line_whose_reply_was_lost_is_found_on_its_draft(house: ProviderHouse) -> None:
    refs = house.saved()
    order = house.order(add(draft(house, refs).ref))
    assert house.provider.find(order, refs) is None
    house.trouble("timeout_after", "/v1/invoiceitems")
    assert isinstance(house.provider.execute(order, refs), Unknown)

    found = house.provider.find(order, refs)

    assert isinstance(found, ProviderInvoiceFact)
    assert [each.mark for each in found.lines] == [LINE]
    assert done(house.provider.execute(order, refs)) == ChangedFact(found.ref)
    assert len(look(house, found.ref).lines) == 1


@pytest.mark.parametrize(("do", "options"), [("timeout_after", {}), ("status", {"status": 500, "when": "after"})])
def test_a_pay_whose_reply_was_lost_is_proved_by_a_look(house: ProviderHouse, do: str, options: Any) -> None:
    refs = house.saved()
    order = house.order(PayInvoice(BILL, opened(house, refs).ref, CARD))
    house.trouble(do, "/v1/invoices/*/pay", options)

    outcome = house.provider.execute(order, refs)

    assert outcome == Unknown("no_reply" if do == "timeout_after" else STORED_ERROR)
    found = house.provider.find(order, refs)
    assert found is not None
    assert confirmed_by(order, found)
    assert house.charges() == 1


def test_what_was_not_done_is_not_proved(house: ProviderHouse) -> None:
    refs = house.saved()
    ref = billed(house, refs).ref
    undone = (FinalizeInvoice(BILL, ref), PayInvoice(BILL, ref, CARD), VoidInvoice(BILL, ref), DeleteDraft(BILL, ref))

    facts = [(house.order(each), house.provider.find(house.order(each), refs)) for each in undone]

    assert not any(fact and confirmed_by(order, fact) for order, fact in facts)


@pytest.mark.parametrize("version", ["2025-02-24.acacia", "2025-03-31.basil", "2026-10-28.endive"])
def test_both_shapes_say_the_same(house: ProviderHouse, version: str) -> None:
    """Until 2025-03-31 an invoice named its payment, after it the payments are a list of their own."""
    refs = house.saved()
    give_credit(house, refs, 2000)
    paid = act(house, refs, PayInvoice(BILL, opened(house, refs).ref, CARD))

    provider = house.port.open(replace(house.credentials, api_version=version))
    fact = provider.fetch("invoice", paid.ref)

    assert isinstance(fact, ProviderInvoiceFact)
    assert (fact.status, fact.total_minor, fact.applied_minor) == ("paid", 5000, 2000)
    assert (fact.paid_minor, fact.remaining_minor) == (3000, 0)
    assert [(each.status, each.minor) for each in fact.payments] == [("paid", 3000)]
    intent = fact.payments[0].intent
    assert intent is not None
    assert intent.charge_ref
    assert fact.metadata["counterfoil_invoice"] == BILL


def test_an_outcome_of_a_step_never_says_what_the_invoice_is_now(house: ProviderHouse) -> None:
    refs = house.saved()
    ref = billed(house, refs).ref

    assert house.provider.execute(house.order(FinalizeInvoice(BILL, ref)), refs) == Done(ChangedFact(ref))
