"""Checkout sessions: created, paid on their page or through it, expired, and what they tell."""

from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import stripe

from counterfoil.sandbox.ports import SteppingClock
from counterfoil.sandbox.versions import ACACIA
from counterfoil.sandbox.wire import Request, Response
from sandbox.covering import covers
from sandbox.harness import KEY, CheckedServer, code_of

DAY = 86_400
ITEM: dict[str, Any] = {
    "price_data": {"currency": "usd", "unit_amount": 1_500, "product_data": {"name": "tea"}},
    "quantity": 2,
}


def opened(api: stripe.StripeClient, **more: Any) -> stripe.checkout.Session:
    params: dict[str, Any] = {
        "mode": "payment",
        "line_items": [ITEM],
        "success_url": "https://shop.example/thanks?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://shop.example/cart",
        **more,
    }
    return api.v1.checkout.sessions.create(params)  # type: ignore[arg-type]


def setup(api: stripe.StripeClient, **more: Any) -> stripe.checkout.Session:
    params: dict[str, Any] = {"mode": "setup", "currency": "usd", "success_url": "https://shop.example/ok", **more}
    return api.v1.checkout.sessions.create(params)  # type: ignore[arg-type]


def confirm(server: CheckedServer, session: str, method: str = "pm_card_visa", status: int = 200, **more: Any) -> Any:
    """Pay as the Stripe CLI does."""
    form = urlencode({"payment_method": method, **more})
    headers = {"Authorization": f"Bearer {KEY}"}
    reply = server.handle(Request("POST", f"/v1/payment_pages/{session}/confirm", headers, form.encode()))
    assert reply.status == status, reply.body.decode()
    return reply.json()


def visit(server: CheckedServer, url: str, **form: str) -> Response:
    """Open a page, or send its form."""
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}"
    if not form:
        return server.handle(Request("GET", path))
    return server.handle(Request("POST", path, {}, urlencode(form).encode()))


def retrieved(api: stripe.StripeClient, session: stripe.checkout.Session, *expand: str) -> Any:
    return api.v1.checkout.sessions.retrieve(session.id, {"expand": list(expand)}).to_dict()


def test_a_session_is_paid_and_tells_it(server: CheckedServer, api: stripe.StripeClient) -> None:
    session = opened(
        api,
        client_reference_id="order-7",
        metadata={"order": "7"},
        payment_intent_data={"metadata": {"purchase": "p1"}, "description": "tea", "receipt_email": "a@b.co"},
    )
    assert (session.status, session.payment_status, session.amount_total) == ("open", "unpaid", 3_000)
    assert (session.payment_intent, session.expires_at - session.created) == (None, DAY)

    page = confirm(server, session.id, expected_amount=3_000)

    assert (page["status"], page["payment_intent"]["status"]) == ("complete", "succeeded")
    done = retrieved(api, session, "payment_intent.latest_charge", "line_items.data.price.product")
    assert (done["status"], done["payment_status"], done["url"]) == ("complete", "paid", None)
    intent = done["payment_intent"]
    assert (intent["metadata"], intent["description"], intent["amount_received"]) == ({"purchase": "p1"}, "tea", 3_000)
    assert intent["latest_charge"]["receipt_email"] == "a@b.co"
    item = done["line_items"]["data"][0]
    assert (item["description"], item["quantity"], item["price"]["product"]["name"]) == ("tea", 2, "tea")
    assert not item["price"]["active"]
    assert server.event_types() == [
        "product.created",
        "price.created",
        "payment_intent.created",
        "charge.succeeded",
        "charge.updated",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]
    event = api.v1.events.list({"type": "checkout.session.completed"}).data[0].to_dict()
    told = event["data"]["object"]
    assert (told["metadata"], told["client_reference_id"]) == ({"order": "7"}, "order-7")
    assert (told["payment_intent"], event["request"]["id"] is not None) == (intent["id"], True)


def test_an_older_version_sees_the_session_in_its_shape(server: CheckedServer) -> None:
    older = server.client(version=ACACIA)
    session = opened(older, payment_method_types=["card"])

    assert (session.ui_mode, session.payment_method_types) == ("hosted", ["card"])
    assert "shipping_details" in session.to_dict()
    assert server.client().v1.checkout.sessions.retrieve(session.id).ui_mode == "hosted_page"


def test_payment_method_types_can_not_be_written_since_endive(api: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        opened(api, payment_method_types=["card"])

    assert code_of(refusal.value) == "payment_method_types_no_longer_supported"
    assert opened(api, allowed_payment_method_types=["card"]).payment_method_types == ["card"]
    assert opened(api, excluded_payment_method_types=["card"]).payment_method_types == ["us_bank_account"]


def test_a_refused_card_leaves_the_session_open_for_another(server: CheckedServer, api: stripe.StripeClient) -> None:
    session = opened(api)

    refused = confirm(server, session.id, "pm_card_visa_chargeDeclinedInsufficientFunds", 402)
    assert refused["error"]["decline_code"] == "insufficient_funds"
    between = retrieved(api, session)
    assert (between["status"], between["payment_status"]) == ("open", "unpaid")

    confirm(server, session.id)
    assert retrieved(api, session)["payment_intent"] == between["payment_intent"]
    assert len(server.journal("charge")) == 1
    assert server.event_types().count("checkout.session.completed") == 1


def test_a_complete_session_takes_no_second_payment(server: CheckedServer, api: stripe.StripeClient) -> None:
    session = opened(api)
    confirm(server, session.id)

    again = confirm(server, session.id, status=400)

    assert again["error"]["code"] == "checkout_not_active_session"
    with pytest.raises(stripe.InvalidRequestError, match="complete"):
        api.v1.checkout.sessions.expire(session.id)
    assert len(server.journal("charge")) == 1


def test_the_amount_that_the_page_expects_must_be_the_sessions(server: CheckedServer, api: stripe.StripeClient) -> None:
    refused = confirm(server, opened(api).id, status=400, expected_amount=2_999)

    assert refused["error"]["code"] == "checkout_amount_mismatch"


def test_an_expired_session_cancels_its_payment(server: CheckedServer, api: stripe.StripeClient) -> None:
    session = opened(api)
    page = confirm(server, session.id, "pm_card_authenticationRequired")
    assert page["payment_intent"]["next_action"]["type"] == "use_stripe_sdk"

    expired = api.v1.checkout.sessions.expire(session.id)

    assert (expired.status, expired.url, expired.payment_status) == ("expired", None, "unpaid")
    assert api.v1.payment_intents.retrieve(str(expired.payment_intent)).status == "canceled"
    assert server.event_types()[-2:] == ["payment_intent.canceled", "checkout.session.expired"]
    assert confirm(server, session.id, status=400)["error"]["code"] == "checkout_not_active_session"


def test_a_session_expires_by_itself(server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock) -> None:
    session = opened(api, expires_at=int(clock()) + 1_800)
    paid = opened(api, expires_at=int(clock()) + 1_800)
    confirm(server, paid.id)

    server.control("POST", "clock", {"advance_s": 1_799})
    assert retrieved(api, session)["status"] == "open"
    server.control("POST", "clock", {"advance_s": 1})

    assert retrieved(api, session)["status"] == "expired"
    assert retrieved(api, paid)["status"] == "complete"
    assert server.event_types().count("checkout.session.expired") == 1


@pytest.mark.parametrize("after_s", [1_799, DAY + 1])
def test_a_session_lives_between_half_an_hour_and_a_day(
    api: stripe.StripeClient, clock: SteppingClock, after_s: int
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        opened(api, expires_at=int(clock()) + after_s)

    assert refusal.value.param == "expires_at"


@pytest.mark.parametrize(
    ("account", "later", "status"),
    [
        ("pm_usBankAccount_success", "checkout.session.async_payment_succeeded", "paid"),
        ("pm_usBankAccount_insufficientFunds", "checkout.session.async_payment_failed", "unpaid"),
    ],
)
def test_a_bank_debit_completes_the_session_unpaid_and_tells_its_end_days_later(
    server: CheckedServer, api: stripe.StripeClient, account: str, later: str, status: str
) -> None:
    session = opened(api)
    confirm(server, session.id, account)
    done = retrieved(api, session)
    assert (done["status"], done["payment_status"]) == ("complete", "unpaid")
    assert server.event_types()[-1] == "checkout.session.completed"

    server.control("POST", "clock", {"advance_s": 5 * DAY})

    assert retrieved(api, session)["payment_status"] == status
    assert later in server.event_types()


def test_an_authorization_completes_the_session_unpaid_until_it_is_captured(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    session = opened(api, payment_intent_data={"capture_method": "manual"})
    confirm(server, session.id)
    done = retrieved(api, session)
    assert (done["status"], done["payment_status"]) == ("complete", "unpaid")

    api.v1.payment_intents.capture(done["payment_intent"])

    assert retrieved(api, session)["payment_status"] == "paid"
    assert "checkout.session.async_payment_succeeded" not in server.event_types()


def test_a_customer_is_made_where_the_session_asks_for_one(server: CheckedServer, api: stripe.StripeClient) -> None:
    asked = opened(
        api,
        customer_creation="always",
        customer_email="ada@example.com",
        payment_intent_data={"setup_future_usage": "off_session"},
    )
    guest = opened(api, customer_email="guest@example.com")
    confirm(server, asked.id)
    confirm(server, guest.id)

    done = retrieved(api, asked, "customer", "payment_intent")
    assert (done["customer"]["email"], done["customer_details"]["email"]) == ("ada@example.com", "ada@example.com")
    assert done["payment_intent"]["customer"] == done["customer"]["id"]
    assert len(api.v1.customers.payment_methods.list(done["customer"]["id"]).data) == 1
    assert retrieved(api, guest)["customer"] is None
    assert retrieved(api, guest)["customer_details"]["email"] == "guest@example.com"


def test_a_session_of_a_customer_is_found_by_them(server: CheckedServer, api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({"email": "ada@example.com"})
    session = opened(api, customer=customer.id)
    opened(api)
    confirm(server, session.id)
    intent = retrieved(api, session)["payment_intent"]

    def found(**params: Any) -> list[str]:
        return [one.id for one in api.v1.checkout.sessions.list(params).data]  # type: ignore[arg-type]

    assert found(customer=customer.id) == [session.id]
    assert found(payment_intent=intent) == [session.id]
    assert found(status="complete") == [session.id]
    assert found(customer_details={"email": "ada@example.com"}) == [session.id]
    assert len(found()) == 2


def test_line_items_are_listed_in_their_order(api: stripe.StripeClient) -> None:
    price = api.v1.prices.create({"currency": "usd", "unit_amount": 200, "product_data": {"name": "milk"}})
    session = opened(api, line_items=[ITEM, {"price": price.id, "quantity": 3}])

    items = api.v1.checkout.sessions.line_items.list(session.id, {"limit": 1})

    assert session.amount_total == 3_600
    assert (items.data[0].description, items.has_more) == ("tea", True)
    names = [item.description for item in items.auto_paging_iter()]
    assert names == ["tea", "milk"]


def test_nothing_due_needs_no_payment(server: CheckedServer, api: stripe.StripeClient) -> None:
    free = {**ITEM, "price_data": {**ITEM["price_data"], "unit_amount": 0}}
    session = opened(api, line_items=[free])

    visit(server, str(session.url), email="ada@example.com")

    done = retrieved(api, session)
    assert (done["status"], done["payment_status"]) == ("complete", "no_payment_required")
    assert done["payment_intent"] is None


def test_setup_saves_a_card_for_its_customer(server: CheckedServer, api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({"email": "ada@example.com"})
    session = setup(api, customer=customer.id, setup_intent_data={"metadata": {"why": "later"}})
    assert (session.payment_status, session.amount_total) == ("no_payment_required", None)
    assert str(session.setup_intent).startswith("seti_")

    confirm(server, session.id)

    done = retrieved(api, session, "setup_intent")
    assert (done["status"], done["setup_intent"]["status"]) == ("complete", "succeeded")
    assert done["setup_intent"]["metadata"] == {"why": "later"}
    saved = api.v1.customers.payment_methods.list(customer.id).data
    assert [method.id for method in saved] == [done["setup_intent"]["payment_method"]]
    assert server.event_types()[-2:] == ["setup_intent.succeeded", "checkout.session.completed"]


def test_an_abandoned_setup_is_canceled(api: stripe.StripeClient) -> None:
    session = setup(api)

    api.v1.checkout.sessions.expire(session.id)

    assert api.v1.setup_intents.retrieve(str(session.setup_intent)).status == "canceled"


def test_the_intent_of_an_open_session_is_out_of_reach(server: CheckedServer, api: stripe.StripeClient) -> None:
    session = opened(api)
    confirm(server, session.id, "pm_card_chargeDeclined", 402)
    intent = retrieved(api, session)["payment_intent"]

    with pytest.raises(stripe.InvalidRequestError, match="created by a Checkout Session"):
        api.v1.payment_intents.cancel(intent)
    with pytest.raises(stripe.InvalidRequestError, match="created by a Checkout Session"):
        api.v1.payment_intents.confirm(intent, {"payment_method": "pm_card_visa"})
    with pytest.raises(stripe.InvalidRequestError, match="created by a Checkout Session"):
        api.v1.setup_intents.cancel(str(setup(api).setup_intent))


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"line_items": []}, "line_items"),
        ({"line_items": [{"price": "price_none", "quantity": 1}]}, "line_items[0][price]"),
        ({"line_items": [{"quantity": 1}]}, "line_items[0][price]"),
        ({"line_items": [{**ITEM, "quantity": 0}]}, "line_items[0][quantity]"),
        ({"success_url": ""}, "success_url"),
        ({"customer_email": "ada"}, "customer_email"),
        ({"customer": "cus_none"}, "customer"),
        ({"ui_mode": "embedded_page"}, "ui_mode"),
        ({"ui_mode": "hosted"}, "ui_mode"),
        ({"mode": "subscription"}, "line_items"),
        ({"setup_intent_data": {"description": "x"}}, "setup_intent_data"),
        ({"allowed_payment_method_types": ["sepa_debit"]}, "payment_method_types[0]"),
        ({"discounts": [{"coupon": "x"}]}, "discounts"),
    ],
)
def test_what_can_not_be_or_is_not_covered_is_refused_by_name(
    api: stripe.StripeClient, more: dict[str, Any], param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        opened(api, **more)

    assert str(refusal.value.param).startswith(param)
    assert api.v1.checkout.sessions.list().data == []


def test_prices_must_fit_the_session(api: stripe.StripeClient) -> None:
    data = ITEM["price_data"]
    euros = {**ITEM, "price_data": {**data, "currency": "eur"}}
    monthly = {**ITEM, "price_data": {**data, "recurring": {"interval": "month"}}}
    little = {"price_data": {**data, "unit_amount": 10}, "quantity": 1}
    price = api.v1.prices.create({"currency": "usd", "unit_amount": 200, "product_data": {"name": "milk"}})
    api.v1.prices.update(price.id, {"active": False})

    for items, words in (
        ([ITEM, euros], "same currency"),
        ([monthly], "recurring price"),
        ([little], "at least \\$0.50 usd"),
        ([{"price": price.id, "quantity": 1}], "inactive"),
    ):
        with pytest.raises(stripe.InvalidRequestError, match=words):
            opened(api, line_items=items)
    assert len(api.v1.prices.list().data) == 1


def test_a_session_is_created_once_per_key(server: CheckedServer, api: stripe.StripeClient) -> None:
    params: Any = {"mode": "payment", "line_items": [ITEM], "success_url": "https://shop.example/ok"}
    first = api.v1.checkout.sessions.create(params, {"idempotency_key": "k"})
    second = api.v1.checkout.sessions.create(params, {"idempotency_key": "k"})

    assert first.id == second.id
    assert len(server.journal("checkout.session")) == 1


def test_metadata_of_a_session_can_be_changed(api: stripe.StripeClient) -> None:
    session = opened(api, metadata={"a": "1"})

    api.v1.checkout.sessions.update(session.id, {"metadata": {"b": "2"}})

    assert retrieved(api, session)["metadata"] == {"a": "1", "b": "2"}


CARD = {
    "email": "ada@example.com",
    "method": "card",
    "number": "4242 4242 4242 4242",
    "expiry": "12 / 34",
    "cvc": "123",
}


def test_a_person_pays_on_the_page(server: CheckedServer, api: stripe.StripeClient) -> None:
    session = opened(api)
    shown = visit(server, str(session.url))
    assert "2 × tea" in shown.body.decode()
    assert "Pay $30.00 USD" in shown.body.decode()

    left = visit(server, str(session.url), **CARD, name="Ada")

    assert (left.status, left.headers["Location"]) == (303, f"https://shop.example/thanks?session={session.id}")
    done = retrieved(api, session)
    assert (done["payment_status"], done["customer_details"]["name"]) == ("paid", "Ada")
    event = api.v1.events.list({"type": "checkout.session.completed"}).data[0].to_dict()
    assert event["request"]["id"] is None
    assert "all done" in visit(server, str(session.url)).body.decode()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"number": "4000000000000002"}, "Your card was declined."),
        ({"number": "4242424242424241"}, "Your card number is incorrect."),
        ({"expiry": "13 / 34"}, "expiration date is incomplete"),
        ({"expiry": "12 / 20"}, "expiration year is invalid"),
    ],
)
def test_the_page_says_what_is_wrong_and_asks_again(
    server: CheckedServer, api: stripe.StripeClient, wrong: dict[str, str], words: str
) -> None:
    session = opened(api)

    shown = visit(server, str(session.url), **{**CARD, **wrong})

    assert shown.status == 402
    assert f'role="alert">{words}' in shown.body.decode() or words in shown.body.decode()
    assert visit(server, str(session.url), **CARD).status == 303
    assert retrieved(api, session)["payment_status"] == "paid"


@pytest.mark.parametrize(("outcome", "status"), [("succeed", "complete"), ("fail", "open")])
def test_a_challenge_leads_through_its_own_page(
    server: CheckedServer, api: stripe.StripeClient, outcome: str, status: str
) -> None:
    session = opened(api)
    challenge = visit(server, str(session.url), **{**CARD, "number": "4000002760003184"})
    assert "/_sandbox/challenge/pi_" in challenge.headers["Location"]

    back = visit(server, challenge.headers["Location"], outcome=outcome)
    after = visit(server, back.headers["Location"])

    assert retrieved(api, session)["status"] == status
    if outcome == "succeed":
        assert after.headers["Location"] == f"https://shop.example/thanks?session={session.id}"
    else:
        assert "failed authentication" in after.body.decode()


def test_a_bank_account_pays_on_the_page(server: CheckedServer, api: stripe.StripeClient) -> None:
    session = opened(api)

    left = visit(server, str(session.url), method="us_bank_account", account_number="000123456789")

    assert left.status == 303
    assert retrieved(api, session)["payment_status"] == "unpaid"


def test_the_page_of_an_expired_session_leads_back_to_the_shop(server: CheckedServer, api: stripe.StripeClient) -> None:
    session = opened(api)
    api.v1.checkout.sessions.expire(session.id)

    shown = visit(server, str(session.url), **CARD)

    assert "has expired" in shown.body.decode()
    assert 'href="https://shop.example/cart"' in shown.body.decode()
    assert server.journal("charge") == []


def test_setup_on_the_page_may_need_a_challenge(server: CheckedServer, api: stripe.StripeClient) -> None:
    session = setup(api)
    challenge = visit(server, str(session.url), **{**CARD, "number": "4000002500003155"})

    back = visit(server, challenge.headers["Location"], outcome="succeed")

    assert visit(server, back.headers["Location"]).headers["Location"] == "https://shop.example/ok"
    assert retrieved(api, session)["status"] == "complete"


@covers("payment_pages.retrieve")
def test_the_private_page_tells_what_is_due(server: CheckedServer, api: stripe.StripeClient) -> None:
    session = opened(api)

    page = server.handle(
        Request("GET", f"/v1/payment_pages/{session.id}", {"Authorization": "Bearer pk_test_suite"})
    ).json()

    assert (page["total_summary"]["due"], page["payment_method_types"]) == (3_000, ["card", "us_bank_account"])
