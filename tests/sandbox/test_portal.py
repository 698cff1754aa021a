"""The billing portal's page, and the attempts by which payment methods were saved."""

from urllib.parse import urlencode, urlsplit

import pytest
import stripe

from counterfoil.sandbox.ports import SteppingClock
from counterfoil.sandbox.wire import Request, Response
from sandbox.billing import customer, opened
from sandbox.harness import CheckedServer


def visit(server: CheckedServer, url: str, **form: str) -> Response:
    path = urlsplit(url).path
    return server.handle(Request("POST" if form else "GET", path, {}, urlencode(form).encode()))


def text(reply: Response) -> str:
    return reply.body.decode()


def test_a_customer_sees_their_invoices_and_chooses_how_to_pay(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api)
    invoice = opened(api, owner.id, 2_000)
    session = api.v1.billing_portal.sessions.create({"customer": owner.id, "return_url": "https://shop.example/me"})
    assert (session.customer, session.return_url, session.flow) == (owner.id, "https://shop.example/me", None)

    first = text(visit(server, session.url))
    added = text(visit(server, session.url, act="add", number="5555555555554444"))

    assert f"{invoice.number}: $20.00 USD, open" in first
    assert "visa ending in 4242 (default)" in first
    assert '<a href="https://shop.example/me">Back</a>' in first
    assert "mastercard ending in 4444" in added
    new = api.v1.payment_methods.list({"customer": owner.id}).data[0]
    visit(server, session.url, act="default", method=new.id)
    settings = api.v1.customers.retrieve(owner.id).invoice_settings
    assert settings is not None
    assert settings.default_payment_method == new.id
    old = api.v1.payment_methods.list({"customer": owner.id}).data[1]
    visit(server, session.url, act="remove", method=old.id)
    assert [one.id for one in api.v1.payment_methods.list({"customer": owner.id}).data] == [new.id]


def test_a_card_that_is_refused_is_told_on_the_page(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api)
    session = api.v1.billing_portal.sessions.create({"customer": owner.id})

    reply = visit(server, session.url, act="add", number="4000000000000002")

    assert (reply.status, 'role="alert">Your card was declined.' in text(reply)) == (402, True)


def test_the_link_is_good_for_some_minutes_and_for_its_customer_only(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    owner, other = customer(api), customer(api)
    used = api.v1.billing_portal.sessions.create({"customer": owner.id})
    unused = api.v1.billing_portal.sessions.create({"customer": owner.id})
    visit(server, used.url)
    foreign = api.v1.payment_methods.list({"customer": other.id}).data[0]
    visit(server, used.url, act="remove", method=foreign.id)

    clock.step(301)

    assert (visit(server, used.url).status, visit(server, unused.url).status) == (200, 410)
    assert len(api.v1.payment_methods.list({"customer": other.id}).data) == 1


def test_a_portal_that_is_not_covered_is_refused(api: stripe.StripeClient) -> None:
    owner = customer(api)

    with pytest.raises(stripe.InvalidRequestError, match="does not cover"):
        api.v1.billing_portal.sessions.create({"customer": owner.id, "configuration": "bpc_1"})
    flow = api.v1.billing_portal.sessions.create({"customer": owner.id, "flow_data": {"type": "payment_method_update"}})

    assert flow.flow is not None
    assert flow.flow.type == "payment_method_update"


def test_every_try_to_save_a_method_is_listed(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api, method=None)
    intent = api.v1.setup_intents.create({"customer": owner.id})
    with pytest.raises(stripe.CardError):
        api.v1.setup_intents.confirm(intent.id, {"payment_method": "pm_card_chargeDeclined"})
    api.v1.setup_intents.confirm(intent.id, {"payment_method": "pm_card_authenticationRequired"})
    server.control("POST", f"setup_intents/{intent.id}/authenticate", {"outcome": "succeed"})

    attempts = api.v1.setup_attempts.list({"setup_intent": intent.id}).data

    assert [one.status for one in attempts] == ["succeeded", "failed"]
    failed = attempts[1].setup_error
    assert failed is not None
    assert (failed.code, failed.decline_code) == ("card_declined", "generic_decline")
    done = api.v1.setup_intents.retrieve(intent.id, {"expand": ["latest_attempt"]}).to_dict()
    assert (done["latest_attempt"]["id"], done["latest_attempt"]["status"]) == (attempts[0].id, "succeeded")


def test_a_canceled_setup_leaves_its_attempt_abandoned(api: stripe.StripeClient) -> None:
    intent = api.v1.setup_intents.create({"confirm": True, "payment_method": "pm_card_authenticationRequired"})

    api.v1.setup_intents.cancel(intent.id)

    assert [one.status for one in api.v1.setup_attempts.list({"setup_intent": intent.id}).data] == ["abandoned"]
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.setup_attempts.list({"setup_intent": "seti_none"})
    assert refusal.value.param == "setup_intent"
