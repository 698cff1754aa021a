"""Hosted pages as a person uses them, in a browser."""

from typing import Any

import pytest
import stripe
from playwright.sync_api import Page, expect

from counterfoil.sandbox.wire import Request
from sandbox.covering import covers
from sandbox.harness import CheckedServer

SHOP = "https://shop.example/"
VISA = "4242 4242 4242 4242"
REFUSED = "4000 0000 0000 0002"
CHALLENGED = "4000 0027 6000 3184"


@pytest.fixture
def page(page: Page) -> Page:
    """A browser that finds a shop wherever it is sent."""
    page.route(f"{SHOP}**", lambda route: route.fulfill(body="<h1>The shop</h1>", content_type="text/html"))
    return page


def fill_card(page: Page, number: str) -> None:
    page.get_by_label("Card number").fill(number)
    page.get_by_label("Expiration").fill("12 / 34")
    page.get_by_label("CVC").fill("123")


def open_session(api: stripe.StripeClient, **more: Any) -> stripe.checkout.Session:
    item: Any = {"price_data": {"currency": "usd", "unit_amount": 2_000, "product_data": {"name": "Seat"}}}
    params: Any = {
        "mode": "payment",
        "success_url": SHOP + "thanks?session={CHECKOUT_SESSION_ID}",
        "cancel_url": SHOP + "cart",
        "line_items": [{**item, "quantity": 3}],
    }
    return api.v1.checkout.sessions.create(params | more)


def open_invoice(api: stripe.StripeClient) -> stripe.Invoice:
    customer = api.v1.customers.create({"email": "ada@example.com"}).id
    api.v1.invoice_items.create({"customer": customer, "amount": 2_500, "currency": "usd", "description": "Credits"})
    draft = api.v1.invoices.create({"customer": customer, "pending_invoice_items_behavior": "include"})
    return api.v1.invoices.finalize_invoice(draft.id)


@covers("pages.checkout")
def test_a_person_pays_a_session_after_a_refused_card(api: stripe.StripeClient, page: Page) -> None:
    session = open_session(api)
    page.goto(str(session.url))
    page.get_by_label("Email").fill("ada@example.com")
    fill_card(page, REFUSED)
    page.get_by_role("button", name="Pay $60.00 USD").click()
    expect(page.get_by_role("alert")).to_have_text("Your card was declined.")

    fill_card(page, VISA)
    page.get_by_role("button", name="Pay $60.00 USD").click()

    expect(page).to_have_url(f"{SHOP}thanks?session={session.id}")
    paid = api.v1.checkout.sessions.retrieve(session.id)
    assert (paid.status, paid.payment_status) == ("complete", "paid")


@covers("pages.checkout", "pages.challenge")
def test_a_person_passes_a_challenge_on_the_way(api: stripe.StripeClient, page: Page) -> None:
    session = open_session(api)
    page.goto(str(session.url))
    page.get_by_label("Email").fill("ada@example.com")
    fill_card(page, CHALLENGED)
    page.get_by_role("button", name="Pay").click()

    page.get_by_role("button", name="Complete authentication").click()

    expect(page).to_have_url(f"{SHOP}thanks?session={session.id}")
    assert api.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"


@covers("pages.checkout")
def test_a_person_pays_by_bank(api: stripe.StripeClient, page: Page) -> None:
    session = open_session(api, allowed_payment_method_types=["card", "us_bank_account"])
    page.goto(str(session.url))
    page.get_by_label("Email").fill("ada@example.com")
    page.get_by_label("US bank account", exact=True).check()
    expect(page.get_by_label("Card number")).to_be_hidden()
    page.get_by_label("Routing number").fill("110000000")
    page.get_by_label("Account number").fill("000123456789")
    page.get_by_role("button", name="Pay").click()

    expect(page).to_have_url(f"{SHOP}thanks?session={session.id}")
    assert api.v1.checkout.sessions.retrieve(session.id).payment_status == "unpaid"


@covers("pages.challenge")
@pytest.mark.parametrize(
    ("pressed", "outcome"), [("Complete authentication", "succeeded"), ("Fail authentication", "failed")]
)
def test_a_person_answers_a_challenge(api: stripe.StripeClient, page: Page, pressed: str, outcome: str) -> None:
    intent = api.v1.payment_intents.create(
        {
            "amount": 900,
            "currency": "usd",
            "payment_method": "pm_card_authenticationRequired",
            "confirm": True,
            "return_url": SHOP + "back",
        }
    )
    assert intent.next_action is not None
    assert intent.next_action.redirect_to_url is not None
    page.goto(str(intent.next_action.redirect_to_url.url))

    page.get_by_role("button", name=pressed).click()

    page.wait_for_url(f"{SHOP}back?*redirect_status={outcome}*")


@covers("pages.bank-verification")
def test_a_person_verifies_a_bank_account(api: stripe.StripeClient, page: Page) -> None:
    bank: Any = {
        "account_holder_type": "individual",
        "account_number": "000123456789",
        "routing_number": "110000000",
    }
    setup = api.v1.setup_intents.create(
        {
            "customer": api.v1.customers.create({}).id,
            "confirm": True,
            "payment_method_data": {"type": "us_bank_account", "us_bank_account": bank},
            "payment_method_options": {"us_bank_account": {"verification_method": "microdeposits"}},
        }
    )
    assert setup.next_action is not None
    assert setup.next_action.verify_with_microdeposits is not None
    page.goto(setup.next_action.verify_with_microdeposits.hosted_verification_url)
    page.get_by_label("Code on the statement").fill("SM00XX")
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_role("alert")).to_contain_text("does not match")

    page.get_by_label("Code on the statement").fill("SM11AA")
    page.get_by_role("button", name="Verify").click()

    expect(page.get_by_text("Your bank account is verified")).to_be_visible()
    assert api.v1.setup_intents.retrieve(setup.id).status == "succeeded"


@covers("pages.invoice")
def test_a_person_pays_an_open_invoice(api: stripe.StripeClient, page: Page) -> None:
    invoice = open_invoice(api)
    page.goto(str(invoice.hosted_invoice_url))
    expect(page.get_by_role("heading", name=f"Invoice {invoice.number}")).to_be_visible()
    fill_card(page, REFUSED)
    page.get_by_role("button", name="Pay $25.00 USD").click()
    expect(page.get_by_role("alert")).to_have_text("Your card was declined.")

    fill_card(page, CHALLENGED)
    page.get_by_role("button", name="Pay $25.00 USD").click()
    page.get_by_role("button", name="Complete authentication").click()

    expect(page.get_by_text("This invoice is paid.")).to_be_visible()
    assert api.v1.invoices.retrieve(invoice.id).status == "paid"


@covers("pages.invoice")
def test_an_invoice_that_nobody_owes_takes_no_payment(server: CheckedServer, api: stripe.StripeClient) -> None:
    invoice = open_invoice(api)
    api.v1.invoices.void_invoice(invoice.id)

    shown = server.handle(Request("POST", f"/_sandbox/invoice/{invoice.id}", {}, b"number=4242424242424242"))

    assert "nothing is owed" in shown.body.decode()
    assert "<form" not in shown.body.decode()
    assert api.v1.invoices.retrieve(invoice.id).status == "void"


@covers("pages.receipt")
def test_a_receipt_says_what_was_paid_and_given_back(api: stripe.StripeClient, page: Page) -> None:
    paid = api.v1.payment_intents.create(
        {"amount": 900, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True, "description": "Coffee"}
    )
    api.v1.refunds.create({"payment_intent": paid.id, "amount": 300})

    page.goto(str(api.v1.charges.retrieve(str(paid.latest_charge)).receipt_url))

    for text in ("$9.00 USD", "visa •••• 4242", "Coffee", "$3.00 USD"):
        expect(page.get_by_text(text)).to_be_visible()
