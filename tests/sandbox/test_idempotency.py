"""Idempotency keys replay what was executed, and only that."""

import pytest
import stripe

from counterfoil.sandbox.ports import SteppingClock
from counterfoil.sandbox.wire import Request
from sandbox.covering import covers
from sandbox.harness import KEY, CheckedServer


@covers("idempotency.replay")
def test_the_same_key_and_parameters_replay_the_first_answer(server: CheckedServer, api: stripe.StripeClient) -> None:
    first = api.v1.customers.create({"email": "a@example.com"}, {"idempotency_key": "once"})
    again = api.v1.customers.create({"email": "a@example.com"}, {"idempotency_key": "once"})

    assert first.id == again.id
    assert first.last_response is not None
    assert again.last_response is not None
    assert again.last_response.headers["idempotent-replayed"] == "true"
    assert again.last_response.headers["original-request"] == first.last_response.headers["request-id"]
    assert len(server.journal("customer")) == 1


@covers("idempotency.other-parameters")
def test_other_parameters_under_a_used_key_are_refused(api: stripe.StripeClient) -> None:
    api.v1.customers.create({"email": "a@example.com"}, {"idempotency_key": "once"})

    with pytest.raises(stripe.IdempotencyError) as refusal:
        api.v1.customers.create({"email": "b@example.com"}, {"idempotency_key": "once"})

    assert refusal.value.http_status == 400
    assert refusal.value.error is not None
    assert refusal.value.error.type == "idempotency_error"


@covers("idempotency.other-parameters")
def test_another_endpoint_under_a_used_key_is_refused(api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({}, {"idempotency_key": "once"})

    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        api.v1.customers.update(customer.id, {}, {"idempotency_key": "once"})


@covers("idempotency.kept")
def test_a_decline_is_replayed_and_charges_nobody_again(server: CheckedServer, api: stripe.StripeClient) -> None:
    declined = {"amount": 900, "currency": "usd", "payment_method": "pm_card_chargeDeclined", "confirm": True}

    with pytest.raises(stripe.CardError) as first:
        api.v1.payment_intents.create(declined, {"idempotency_key": "pay"})  # type: ignore[arg-type]
    with pytest.raises(stripe.CardError) as again:
        api.v1.payment_intents.create(declined, {"idempotency_key": "pay"})  # type: ignore[arg-type]

    assert first.value.json_body == again.value.json_body
    assert len(server.journal("charge_failed")) == 1


@covers("idempotency.kept")
def test_a_refusal_before_execution_is_not_kept(api: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        api.v1.customers.create({"email": "nonsense"}, {"idempotency_key": "once"})

    assert api.v1.customers.create({"email": "a@example.com"}, {"idempotency_key": "once"}).email == "a@example.com"


@covers("idempotency.lifetime")
def test_a_key_lapses_after_a_day(server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock) -> None:
    first = api.v1.customers.create({}, {"idempotency_key": "once"})
    clock.step(86_399)
    assert api.v1.customers.create({}, {"idempotency_key": "once"}).id == first.id

    clock.step(2)

    assert api.v1.customers.create({}, {"idempotency_key": "once"}).id != first.id


@covers("idempotency.lifetime")
def test_keys_of_different_accounts_never_meet(server: CheckedServer) -> None:
    mine = server.client("sk_test_mine").v1.customers.create({}, {"idempotency_key": "once"})
    yours = server.client("sk_test_yours").v1.customers.create({}, {"idempotency_key": "once"})

    assert mine.id != yours.id


@covers("idempotency.in-use")
def test_a_key_still_in_use_is_a_409_that_asks_to_retry(server: CheckedServer, clock: SteppingClock) -> None:
    server.fault({"method": "POST", "path": "/v1/customers", "nth": 1}, "slow", delay_s=30)
    request = Request("POST", "/v1/customers", {"Authorization": f"Bearer {KEY}", "Idempotency-Key": "once"}, b"")
    slow = server.handle(request)

    meanwhile = server.handle(request)
    clock.step(31)
    afterwards = server.handle(request)

    assert slow.delay_s == 30
    assert meanwhile.status == 409
    assert meanwhile.json()["error"]["code"] == "idempotency_key_in_use"
    assert meanwhile.headers["Stripe-Should-Retry"] == "true"
    assert afterwards.json()["id"] == slow.json()["id"]


def test_a_key_that_is_too_long_is_refused(server: CheckedServer) -> None:
    reply = server.handle(
        Request("POST", "/v1/customers", {"Authorization": f"Bearer {KEY}", "Idempotency-Key": "k" * 256}, b"")
    )

    assert reply.status == 400
