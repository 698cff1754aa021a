"""Small operations that no longer story touches, and many accounts at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

from sandbox.covering import covers
from sandbox.harness import CheckedServer


def test_the_balance_shows_what_is_pending_per_currency(api: stripe.StripeClient) -> None:
    for currency in ("usd", "eur"):
        api.v1.payment_intents.create(
            {"amount": 1_000, "currency": currency, "payment_method": "pm_card_visa", "confirm": True}
        )

    pending = {part.currency: part.amount for part in api.v1.balance.retrieve().pending}

    assert pending["usd"] > 0
    assert sum(pending.values()) == sum(line.net for line in api.v1.balance_transactions.list().data)


def test_an_invoice_payment_is_found_by_its_id(api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({"payment_method": "pm_card_visa"})
    method = api.v1.customers.payment_methods.list(customer.id).data[0].id
    api.v1.invoice_items.create({"customer": customer.id, "amount": 2_500, "currency": "usd"})
    draft = api.v1.invoices.create({"customer": customer.id, "pending_invoice_items_behavior": "include"})
    api.v1.invoices.pay(draft.id, {"payment_method": method})
    (row,) = api.v1.invoice_payments.list({"invoice": draft.id}).data

    found = api.v1.invoice_payments.retrieve(row.id)

    assert (found.status, found.amount_paid, found.invoice) == ("paid", 2_500, draft.id)


def test_a_tax_rate_is_found_by_its_id(api: stripe.StripeClient) -> None:
    made = api.v1.tax_rates.create({"display_name": "VAT", "percentage": 19, "inclusive": False})

    assert api.v1.tax_rates.retrieve(made.id).to_dict() == made.to_dict()


@covers("setup_intent.created", "setup_intent.requires_action")
def test_a_setup_that_needs_its_customer_says_so(server: CheckedServer, api: stripe.StripeClient) -> None:
    api.v1.setup_intents.create({"payment_method": "pm_card_authenticationRequired", "confirm": True})

    assert server.event_types() == ["setup_intent.created", "setup_intent.requires_action"]


@covers("alone.many")
@pytest.mark.parametrize("accounts", [40])
def test_many_accounts_work_at_once_and_keep_their_own(server: CheckedServer, accounts: int) -> None:
    def work(number: int) -> tuple[int, int]:
        api = server.client(f"sk_test_tenant{number}")
        for _ in range(3):
            api.v1.payment_intents.create(
                {"amount": 1_000 + number, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
            )
        charges = api.v1.charges.list().data
        return len(charges), sum(charge.amount for charge in charges)

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(work, range(accounts)))

    assert found == [(3, 3 * (1_000 + number)) for number in range(accounts)]
