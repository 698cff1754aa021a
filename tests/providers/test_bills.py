"""Invoices of the provider become facts in every shape they come in, or an unreadable fact that says why."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.core.facts import (
    BalanceFact,
    InvoiceLineFact,
    ProviderInvoiceFact,
    UnreadableFact,
    balance_ref,
)
from counterfoil.core.ids import ProviderRef
from counterfoil.providers.port import ProviderUnavailable
from counterfoil.providers.stripe.bills import balance_fact, invoice_fact, named_payments
from providers.recorded import recorded_events
from providers.scripted import Asked, Says, Scripted, says

ASKED = ProviderRef("in_asked")


def invoice(**fields: object) -> dict[str, Any]:
    """An open invoice in the shape of the newest API version: 50, 20 of it by balance."""
    return {
        "id": "in_1",
        "object": "invoice",
        "status": "open",
        "currency": "usd",
        "customer": "cus_1",
        "number": "ABC-0001",
        "subtotal": 5000,
        "total": 5000,
        "total_discount_amounts": [],
        "amount_due": 3000,
        "amount_paid": 0,
        "amount_remaining": 3000,
        "starting_balance": -2000,
        "ending_balance": 0,
        "hosted_invoice_url": "https://invoice.example/in_1",
        "lines": {
            "data": [
                {"id": "il_1", "amount": 5000, "description": "Credits", "metadata": {"counterfoil_line": "line_1"}}
            ]
        },
        "metadata": {"counterfoil_invoice": "inv_1"},
    } | fields


def parsed(**fields: object) -> ProviderInvoiceFact:
    fact = invoice_fact(invoice(**fields), ASKED, (), {})
    assert isinstance(fact, ProviderInvoiceFact), fact
    return fact


def why(**fields: object) -> str:
    fact = invoice_fact(invoice(**fields), ASKED, (), {})
    assert isinstance(fact, UnreadableFact)
    return fact.why


def test_an_open_invoice_is_read_whole() -> None:
    assert parsed() == ProviderInvoiceFact(
        ref=ProviderRef("in_1"),
        status="open",
        currency="USD",
        subtotal_minor=5000,
        total_minor=5000,
        due_minor=3000,
        remaining_minor=3000,
        starting_balance=-2000,
        ending_balance=0,
        customer_ref=ProviderRef("cus_1"),
        number="ABC-0001",
        url="https://invoice.example/in_1",
        lines=(InvoiceLineFact(ProviderRef("il_1"), 5000, "line_1"),),
        metadata={"counterfoil_invoice": "inv_1"},
    )


@pytest.mark.parametrize(
    ("start", "end", "applied"),
    [(-2000, 0, 2000), (-6000, -1000, 5000), (-4980, 20, 5000), (500, 0, -500), (0, None, 0), (0, 0, 0)],
)
def test_what_the_balance_paid_is_what_moved_of_it(start: int, end: int | None, applied: int) -> None:
    assert parsed(starting_balance=start, ending_balance=end).applied_minor == applied


def test_coupons_and_taxes_are_what_the_sums_say() -> None:
    fact = parsed(total=4800, total_discount_amounts=[{"amount": 1000}])

    assert (fact.discount_minor, fact.tax_minor) == (1000, 800)


def test_money_from_outside_counts_as_paid_in_both_shapes() -> None:
    """Before 2025-03-31 an invoice that was paid elsewhere said so, and that nothing was paid."""
    older = parsed(status="paid", amount_paid=0, amount_remaining=0, paid_out_of_band=True)
    newer = parsed(status="paid", amount_paid=3000, amount_remaining=0)

    assert older.paid_minor == newer.paid_minor == 3000


@pytest.mark.parametrize(
    ("status", "named"),
    [("paid", [("pi_1", "paid", 3000)]), ("open", [("pi_1", "open", 0)]), ("void", [("pi_1", "canceled", 0)])],
)
def test_an_older_invoice_names_its_one_payment(status: str, named: list[tuple[str, str, int]]) -> None:
    rows = named_payments(invoice(status=status, payment_intent="pi_1", amount_paid=3000))

    assert rows is not None
    assert [(each["id"], each["status"], each["amount_paid"]) for each in rows] == named


def test_a_newer_invoice_does_not_say_what_paid_it() -> None:
    assert named_payments(invoice()) is None
    assert named_payments(invoice(payment_intent=None)) == []


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"total": "5000"}, "total"),
        ({"amount_due": 12.5}, "amount_due"),
        ({"currency": None}, "currency"),
        ({"currency": "zzz"}, "ZZZ"),
        ({"id": None}, "id is missing"),
        ({"starting_balance": None}, "starting_balance"),
        ({"lines": {"data": [{"id": "il_1"}]}}, "amount"),
    ],
)
def test_what_can_not_be_booked_says_why(fields: dict[str, object], told: str) -> None:
    assert told in why(**fields)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "", None, 7])
def test_only_web_addresses_become_links(url: object) -> None:
    assert parsed(hosted_invoice_url=url).url is None


INVOICES = [path for path in recorded_events() if path.stem.startswith("invoice_") and "payment_paid" not in path.stem]


@pytest.mark.parametrize("path", INVOICES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_recorded_invoices_of_every_version_are_read(path: Path) -> None:
    recorded = json.loads(path.read_bytes())["data"]["object"]

    fact = invoice_fact(recorded, ASKED, (), {})

    assert isinstance(fact, ProviderInvoiceFact)
    assert (fact.ref, fact.status, fact.total_minor) == (recorded["id"], recorded["status"], recorded["total"])
    assert fact.total_minor == fact.subtotal_minor - fact.discount_minor + fact.tax_minor
    assert len(fact.lines) == len(recorded["lines"]["data"])


def test_a_dropped_draft_is_deleted() -> None:
    fact = invoice_fact({"id": "in_1", "object": "invoice", "deleted": True}, ASKED, (), {})

    assert isinstance(fact, ProviderInvoiceFact)
    assert fact.status == "deleted"


def test_a_movement_that_can_not_be_read_makes_the_balance_unreadable() -> None:
    moves = [{"id": "cbtxn_1", "amount": -2000, "currency": "usd", "type": "adjustment", "invoice": None}]

    assert isinstance(balance_fact(ProviderRef("cus_1"), moves), BalanceFact)
    fact = balance_fact(ProviderRef("cus_1"), [*moves, {"id": "cbtxn_2", "amount": None, "currency": "usd"}])
    assert fact == UnreadableFact(balance_ref(ProviderRef("cus_1")), "amount is not a whole number")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*invoice(), "payment_intent", "paid_out_of_band"]), JSON))
@settings(max_examples=150, deadline=None)
def test_whatever_comes_is_a_fact(fields: dict[str, object]) -> None:
    assert isinstance(invoice_fact(invoice(**fields), ASKED, (), {}), ProviderInvoiceFact | UnreadableFact)


def _paid_in_between(looks: list[str]) -> Scripted:
    """A provider that says what `looks` say, one after the other, and that the payment is made."""
    left = list(looks)

    def script(asked: Asked) -> Says:
        if asked.path == "/v1/invoices/in_1":
            status = left.pop(0)
            paid = 3000 if status == "paid" else 0
            return says(200, invoice(status=status, amount_paid=paid, amount_remaining=3000 - paid))
        row = {"id": "inpay_1", "status": "paid", "amount_paid": 3000, "payment": {"payment_intent": "pi_1"}}
        if asked.path == "/v1/invoice_payments":
            return says(200, {"data": [row], "has_more": False})
        paid_by = {"id": "pi_1", "object": "payment_intent", "status": "succeeded", "currency": "usd"}
        return says(200, paid_by | {"amount": 3000, "amount_received": 3000, "metadata": {}})

    return Scripted(script)


def test_an_invoice_that_is_paid_while_it_is_read_is_read_again() -> None:
    """An invoice of one moment with the payments of another would be neither."""
    fact = _paid_in_between(["open", "paid"]).provider().fetch("invoice", ProviderRef("in_1"))

    assert isinstance(fact, ProviderInvoiceFact)
    assert (fact.status, fact.paid_minor, [each.minor for each in fact.payments]) == ("paid", 3000, [3000])


def test_an_invoice_that_changes_each_time_is_not_guessed_at() -> None:
    with pytest.raises(ProviderUnavailable):
        _paid_in_between(["open"] * 3).provider().fetch("invoice", ProviderRef("in_1"))
