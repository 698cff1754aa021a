"""What the adapter asks the provider, and what it makes of answers that the sandbox never gives."""

import pytest

from counterfoil.core.facts import IntentFact, MissingFact, Refused, SessionFact, Unfinished, UnreadableFact
from counterfoil.core.ids import AccountId, LegId, MethodId, OrderId, ProviderRef
from counterfoil.core.lifecycle import OrderStatus
from counterfoil.core.money import Money
from counterfoil.core.orders import AttachMethod, ConfirmIntent, CreateIntent, Instruction, Order
from counterfoil.providers.port import ProviderUnavailable, Refs
from counterfoil.providers.stripe.provider import is_method_id
from providers.provider_house import CARD, MINE, QUEUED_AT
from providers.scripted import Asked, Says, Scripted, always, says

PI = ProviderRef("pi_1")
THEIRS = {
    "id": "pi_1",
    "object": "payment_intent",
    "amount": 7900,
    "amount_received": 7900,
    "currency": "usd",
    "status": "succeeded",
    "metadata": {},
}
OURS = THEIRS | {"metadata": {"counterfoil_leg": "leg_1"}}
ROW = {"id": "inpay_1", "object": "invoice_payment", "invoice": "in_1", "status": "open"}
NOT_COVERED = {"error": {"type": "invalid_request_error", "message": "Unrecognized request URL"}}


def order(instruction: Instruction) -> Order:
    return Order(OrderId("ordr_1"), AccountId("pacc_1"), MINE, "subject", instruction, OrderStatus.SENT, QUEUED_AT)


def with_invoice_payments(answer: Says, intent: dict[str, object] = THEIRS) -> Scripted:
    return Scripted(lambda asked: answer if asked.path == "/v1/invoice_payments" else says(200, intent))


@pytest.mark.parametrize(("rows", "pays"), [([], False), ([ROW], True), ([ROW | {"status": "paid"}], True)])
def test_a_strangers_payment_is_looked_up_among_the_invoice_payments(rows: list[dict[str, str]], pays: bool) -> None:
    """Incident: a failed renewal was booked as a top-up, because the payment no longer names its invoice."""
    provider = with_invoice_payments(says(200, {"object": "list", "data": rows, "has_more": False}))

    fact = provider.provider().fetch("payment_intent", PI)

    assert isinstance(fact, IntentFact)
    assert fact.pays_provider_invoice is pays
    assert provider.asked[1].params == {
        "payment[type]": "payment_intent",
        "payment[payment_intent]": "pi_1",
        "limit": "1",
    }


@pytest.mark.parametrize(
    "failed",
    [
        TimeoutError(),
        says(500, {"error": {"type": "api_error"}}),
        says(429, {"error": {"code": "rate_limit"}}),
        says(404, {"error": {"type": "invalid_request_error", "code": "resource_missing"}}),
        says(404, {}),
        says(400, {"error": {"type": "invalid_request_error", "code": "parameter_unknown"}}),
    ],
    ids=repr,
)
def test_when_that_lookup_fails_the_payment_is_not_taken_to_stand_alone(failed: Says) -> None:
    """Falling through to "stand-alone" is how one payment is credited twice."""
    with pytest.raises(ProviderUnavailable):
        with_invoice_payments(failed).provider().fetch("payment_intent", PI)


def test_a_provider_without_that_list_has_no_such_invoices() -> None:
    fact = with_invoice_payments(says(404, NOT_COVERED)).provider().fetch("payment_intent", PI)

    assert isinstance(fact, IntentFact)
    assert not fact.pays_provider_invoice


@pytest.mark.parametrize("intent", [OURS, THEIRS | {"invoice": None}, THEIRS | {"invoice": "in_1"}])
def test_a_payment_that_is_ours_or_says_it_itself_is_not_looked_up(intent: dict[str, object]) -> None:
    provider = always(says(200, intent))

    fact = provider.provider().fetch("payment_intent", PI)

    assert len(provider.asked) == 1
    assert isinstance(fact, IntentFact)
    assert fact.pays_provider_invoice is (intent.get("invoice") == "in_1")


def test_a_hosted_checkout_is_fetched_with_its_payment_inside() -> None:
    session = {"id": "cs_1", "object": "checkout.session", "payment_intent": THEIRS, "status": "complete"}
    row = says(200, {"object": "list", "data": [ROW]})
    provider = Scripted(lambda asked: row if asked.path == "/v1/invoice_payments" else says(200, session))

    fact = provider.provider().fetch("checkout.session", ProviderRef("cs_1"))

    assert provider.asked[0].path == "/v1/checkout/sessions/cs_1"
    assert provider.asked[0].params == {
        "expand[0]": "payment_intent.latest_charge.balance_transaction",
        "expand[1]": "setup_intent",
    }
    assert isinstance(fact, IntentFact)
    assert (fact.ref, fact.session_ref, fact.pays_provider_invoice) == ("pi_1", "cs_1", True)


def test_a_hosted_checkout_without_a_payment_asks_nothing_more() -> None:
    session = {"id": "cs_1", "object": "checkout.session", "payment_intent": None, "status": "expired"}
    provider = always(says(200, session))

    fact = provider.provider().fetch("checkout.session", ProviderRef("cs_1"))

    assert isinstance(fact, SessionFact)
    assert len(provider.asked) == 1


@pytest.mark.parametrize("kind", ["refund", "dispute", "charge", "invoiceitem", "balance", "x" * 300])
def test_what_is_not_fetched_costs_no_call(kind: str) -> None:
    provider = always(TimeoutError())

    assert isinstance(provider.provider().fetch(kind, ProviderRef("re_1")), UnreadableFact)
    assert provider.asked == []


def test_an_address_that_the_provider_does_not_know_is_not_a_missing_object() -> None:
    with pytest.raises(ProviderUnavailable):
        always(says(404, NOT_COVERED)).provider().fetch("customer", ProviderRef("cus_1"))
    missing = says(404, {"error": {"type": "invalid_request_error", "code": "resource_missing"}})
    assert always(missing).provider().fetch("customer", ProviderRef("cus_1")) == MissingFact(ProviderRef("cus_1"))


def created(method: MethodId | None) -> Asked:
    provider = always(says(200, OURS | {"status": "requires_confirmation"}))
    instruction = CreateIntent(LegId("leg_1"), MINE, Money(7000, "USD"), method, "Invoice 7")

    provider.provider().execute(order(instruction), Refs(ProviderRef("cus_1"), ProviderRef("pm_1")))

    (asked,) = provider.asked
    return asked


def test_a_payment_confirmed_by_us_takes_no_method_that_redirects() -> None:
    assert created(CARD).params == {
        "amount": "7000",
        "currency": "usd",
        "customer": "cus_1",
        "description": "Invoice 7",
        "payment_method": "pm_1",
        "metadata[counterfoil_leg]": "leg_1",
        "metadata[counterfoil_customer]": MINE,
        "automatic_payment_methods[enabled]": "true",
        "automatic_payment_methods[allow_redirects]": "never",
    }


def test_a_payment_confirmed_in_the_browser_leaves_the_method_to_the_customer() -> None:
    params = created(None).params

    assert "payment_method" not in params
    assert "automatic_payment_methods[allow_redirects]" not in params


@pytest.mark.parametrize("method", [CARD, None])
def test_nothing_that_newer_versions_refuse_is_sent(method: MethodId | None) -> None:
    assert not [name for name in created(method).params if name.startswith("payment_method_types")]


def test_a_confirmation_collects_off_session_and_asks_for_the_fee() -> None:
    provider = always(says(200, OURS))

    provider.provider().execute(order(ConfirmIntent(LegId("leg_1"), PI, CARD)), Refs(method_ref=ProviderRef("pm_1")))

    (asked,) = provider.asked
    assert asked.path == "/v1/payment_intents/pi_1/confirm"
    assert asked.headers["Idempotency-Key"] == "ordr_1:1"
    assert asked.params == {
        "payment_method": "pm_1",
        "off_session": "true",
        "expand[0]": "latest_charge.balance_transaction",
    }


def test_saving_a_token_as_the_default_is_three_calls_under_three_keys() -> None:
    provider = always(says(200, {"id": "pm_1", "object": "payment_method", "type": "card"}))

    provider.provider().execute(order(AttachMethod(MINE, "tok_visa", make_default=True)), Refs(ProviderRef("cus_1")))

    assert [(asked.path, asked.headers["Idempotency-Key"]) for asked in provider.asked] == [
        ("/v1/payment_methods", "ordr_1:1:method"),
        ("/v1/payment_methods/pm_1/attach", "ordr_1:1"),
        ("/v1/customers/cus_1", "ordr_1:1:default"),
    ]


@pytest.mark.parametrize("path", ["/v1/payment_methods", "/v1/payment_methods/pm_1/attach", "/v1/customers/cus_1"])
def test_the_first_of_several_calls_that_is_not_done_is_the_answer(path: str) -> None:
    method = says(200, {"id": "pm_1", "object": "payment_method", "type": "card"})
    refused = says(402, {"error": {"type": "card_error", "code": "card_declined"}})
    provider = Scripted(lambda asked: refused if asked.path == path else method)

    outcome = provider.provider().execute(
        order(AttachMethod(MINE, "tok_visa", make_default=True)), Refs(ProviderRef("cus_1"))
    )

    assert isinstance(outcome, Refused)
    assert provider.asked[-1].path == path


def test_an_order_whose_references_are_not_resolved_is_a_bug() -> None:
    instruction = CreateIntent(LegId("leg_1"), MINE, Money(7000, "USD"), CARD, "")

    with pytest.raises(AssertionError, match="customer"):
        always(says(200, OURS)).provider().execute(order(instruction), Refs())


def test_a_refused_connection_is_told_from_a_lost_reply() -> None:
    instruction = ConfirmIntent(LegId("leg_1"), PI, CARD)

    outcome = (
        always(ConnectionRefusedError()).provider().execute(order(instruction), Refs(method_ref=ProviderRef("pm_1")))
    )

    assert isinstance(outcome, Unfinished)


def test_a_lookup_gives_up_loudly_on_a_list_without_an_end() -> None:
    page = says(200, {"object": "list", "data": [OURS | {"metadata": {}}], "has_more": True})
    provider = always(page)
    instruction = CreateIntent(LegId("leg_1"), MINE, Money(7000, "USD"), CARD, "")

    with pytest.raises(ProviderUnavailable):
        provider.provider().find(order(instruction), Refs(ProviderRef("cus_1")))
    assert len(provider.asked) == 10


@pytest.mark.parametrize(
    ("token", "is_id"),
    [
        ("pm_1MqLiJLkdIwHu7ixUEgbFdYF", True),
        ("pm_card_visa", False),
        ("pm_usBankAccount_success", False),
        ("tok_visa", False),
        ("card_1", False),
        ("", False),
    ],
)
def test_a_test_token_is_not_the_id_of_one_method(token: str, is_id: bool) -> None:
    assert is_method_id(token) is is_id
