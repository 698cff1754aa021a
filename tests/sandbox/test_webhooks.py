"""Webhooks: who gets an event, in which version, signed how, and tried how often. Deliveries are pumped by hand."""

import json
from typing import Any

import pytest
import stripe

from counterfoil.sandbox.deliveries import Attempt
from counterfoil.sandbox.ports import SeededIds, SteppingClock
from counterfoil.sandbox.sandbox import Sandbox
from counterfoil.sandbox.settings import Settings
from counterfoil.sandbox.versions import ACACIA, NEWEST
from counterfoil.sandbox.wire import Request
from sandbox.covering import covers
from sandbox.harness import KEY, CheckedServer, Receiver
from sandbox.shapes import problems_of

SECRET = "whsec_suite"


@pytest.fixture
def sandbox(clock: SteppingClock) -> Sandbox:
    """A sandbox with one endpoint, which nobody pumps."""
    made = Sandbox(clock, SeededIds(3), Settings(retry_delays_s=(10.0, 20.0), retry_compression=1.0))
    made.add_webhook(KEY, "https://shop.example/hook", SECRET)
    return made


def call(sandbox: Sandbox, method: str, path: str, form: str = "", key: str = KEY, **headers: str) -> dict[str, Any]:
    response = sandbox.handle(Request(method, path, {"Authorization": f"Bearer {key}"} | headers, form.encode()))
    assert response.status == 200, response.body.decode()
    reply: dict[str, Any] = response.json()
    return reply


def control(sandbox: Sandbox, path: str, **body: Any) -> Any:
    response = sandbox.handle(Request("POST", f"/_sandbox/{path}", {}, json.dumps(body).encode()))
    assert response.status == 200, response.body.decode()
    return response.json()


def fault(sandbox: Sandbox, match: dict[str, Any], do: str, **options: Any) -> None:
    control(sandbox, "faults", match=match, do=do, **options)


def customer(sandbox: Sandbox, name: str = "Ada") -> str:
    return str(call(sandbox, "POST", "/v1/customers", f"name={name}")["id"])


def verified(attempt: Attempt, clock: SteppingClock, secret: str = SECRET) -> dict[str, Any]:
    """The event, after the official SDK has checked its signature at the clock's time."""
    timestamp = int(attempt.headers["Stripe-Signature"].split(",")[0].removeprefix("t="))
    assert abs(clock() - timestamp) <= 300
    assert stripe.WebhookSignature.verify_header(
        attempt.body.decode(), attempt.headers["Stripe-Signature"], secret, None
    )
    event: dict[str, Any] = json.loads(attempt.body)
    assert problems_of(event, event["api_version"]) == []
    return event


def test_an_event_is_signed_and_delivered_once(sandbox: Sandbox, clock: SteppingClock) -> None:
    made = customer(sandbox)

    attempts = sandbox.due_deliveries()

    event = verified(attempts[0], clock)
    assert (len(attempts), event["type"], event["data"]["object"]["id"]) == (1, "customer.created", made)
    assert event["pending_webhooks"] == 1
    assert event["request"]["id"].startswith("req_")
    assert attempts[0].url == "https://shop.example/hook"
    assert sandbox.due_deliveries() == []


def test_an_accepted_event_counts_its_pending_webhooks_down(sandbox: Sandbox) -> None:
    customer(sandbox)
    attempt = sandbox.due_deliveries()[0]

    sandbox.record_attempt(attempt.delivery, 204)

    assert call(sandbox, "GET", f"/v1/events/{attempt.event}")["pending_webhooks"] == 0
    assert sandbox.due_deliveries() == []


@covers("webhooks.fresh-timestamp")
@pytest.mark.parametrize("status", [500, 404, 301, None])
def test_a_refused_event_is_tried_again_with_a_fresh_timestamp_until_it_is_given_up(
    sandbox: Sandbox, clock: SteppingClock, status: int | None
) -> None:
    customer(sandbox)
    stamps = []
    for pause in (0, 10, 20):
        clock.step(pause)
        (attempt,) = sandbox.due_deliveries()
        verified(attempt, clock)
        stamps.append(attempt.headers["Stripe-Signature"].split(",")[0])
        sandbox.record_attempt(attempt.delivery, status)

    clock.step(1_000_000)

    assert len(set(stamps)) == 3
    assert sandbox.due_deliveries() == []


def test_retries_follow_a_schedule_that_can_be_compressed(clock: SteppingClock) -> None:
    sandbox = Sandbox(clock, SeededIds(3), Settings(retry_delays_s=(300.0,), retry_compression=60.0))
    sandbox.add_webhook(KEY, "https://shop.example/hook", SECRET)
    customer(sandbox)
    (attempt,) = sandbox.due_deliveries()

    sandbox.record_attempt(attempt.delivery, 500)

    assert sandbox.next_due() == clock() + 5


def test_the_business_clock_makes_retries_due_but_signatures_carry_the_wall_clock(
    sandbox: Sandbox, clock: SteppingClock
) -> None:
    customer(sandbox)
    sandbox.record_attempt(sandbox.due_deliveries()[0].delivery, 500)

    sandbox.advance(86_400)

    (attempt,) = sandbox.due_deliveries()
    verified(attempt, clock)


@covers("webhooks.two-signatures")
def test_while_a_secret_rolls_both_secrets_sign(sandbox: Sandbox, clock: SteppingClock) -> None:
    endpoint = call(sandbox, "GET", "/v1/webhook_endpoints")["data"][0]["id"]
    control(sandbox, f"webhook_endpoints/{endpoint}/roll_secret", expires_in_s=100, secret="whsec_new")
    customer(sandbox)
    (rolling,) = sandbox.due_deliveries()
    sandbox.record_attempt(rolling.delivery, 500)
    clock.step(101)
    (rolled,) = sandbox.due_deliveries()

    verified(rolling, clock, SECRET)
    verified(rolling, clock, "whsec_new")
    verified(rolled, clock, "whsec_new")
    assert rolled.headers["Stripe-Signature"].count("v1=") == 1


@covers("webhooks.version", "webhooks.filter")
def test_an_endpoint_gets_its_own_version_and_only_the_events_it_asked_for(clock: SteppingClock) -> None:
    sandbox = Sandbox(clock, SeededIds(3))
    sandbox.add_webhook(KEY, "https://shop.example/old", SECRET, ("payment_intent.succeeded",), ACACIA)
    sandbox.add_webhook(KEY, "https://shop.example/new", SECRET, ("payment_intent.succeeded", "charge.succeeded"))
    call(sandbox, "POST", "/v1/payment_intents", "amount=900&currency=usd&confirm=true&payment_method=pm_card_visa")

    attempts = sandbox.due_deliveries()

    events = [(attempt.url.rpartition("/")[2], verified(attempt, clock)) for attempt in attempts]
    assert [(name, event["type"], event["api_version"]) for name, event in events] == [
        ("new", "charge.succeeded", NEWEST),
        ("old", "payment_intent.succeeded", ACACIA),
        ("new", "payment_intent.succeeded", NEWEST),
    ]
    assert "invoice" in events[1][1]["data"]["object"]
    assert "invoice" not in events[2][1]["data"]["object"]


@covers("webhooks.filter")
def test_a_disabled_endpoint_gets_nothing(sandbox: Sandbox) -> None:
    endpoint = call(sandbox, "GET", "/v1/webhook_endpoints")["data"][0]["id"]
    customer(sandbox)
    call(sandbox, "POST", f"/v1/webhook_endpoints/{endpoint}", "disabled=true")
    customer(sandbox)

    assert sandbox.due_deliveries() == []


def test_an_endpoint_shows_its_secret_only_when_it_is_created(server: CheckedServer, api: stripe.StripeClient) -> None:
    created = api.v1.webhook_endpoints.create(
        {"url": "https://shop.example/hook", "enabled_events": ["*"], "api_version": "2025-02-24.acacia"}
    )
    retrieved = api.v1.webhook_endpoints.retrieve(created.id)

    assert str(created.secret).startswith("whsec_")
    assert "secret" not in retrieved.to_dict()
    assert (retrieved.api_version, retrieved.status) == (ACACIA, "enabled")
    updated = api.v1.webhook_endpoints.update(
        created.id, {"enabled_events": ["charge.succeeded"], "description": "main", "disabled": True}
    )
    assert (updated.enabled_events, updated.status) == (["charge.succeeded"], "disabled")
    assert api.v1.webhook_endpoints.delete(created.id).to_dict()["deleted"]
    assert api.v1.webhook_endpoints.list().data == []


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"url": "shop.example/hook", "enabled_events": ["*"]}, "url"),
        ({"url": "https://shop.example", "enabled_events": ["nonsense"]}, "enabled_events[0]"),
        ({"url": "https://shop.example", "enabled_events": ["*"], "api_version": "2031-01-01.zebra"}, "api_version"),
    ],
)
def test_an_endpoint_that_can_not_work_is_refused(api: stripe.StripeClient, params: dict[str, Any], param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.webhook_endpoints.create(params)  # type: ignore[arg-type]

    assert refusal.value.param == param


def test_events_are_listed_by_type_and_time(api: stripe.StripeClient, clock: SteppingClock) -> None:
    api.v1.customers.create({})
    clock.step(100)
    api.v1.payment_intents.create({"amount": 900, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True})

    def types(**params: Any) -> list[str]:
        return [event.type for event in api.v1.events.list({"limit": 100, **params}).data]  # type: ignore[arg-type]

    assert types(type="customer.created") == ["customer.created"]
    assert types(type="payment_intent.*") == ["payment_intent.succeeded", "payment_intent.created"]
    assert types(types=["charge.succeeded", "customer.created"]) == ["charge.succeeded", "customer.created"]
    assert types(created={"lt": int(clock())}) == ["customer.created"]
    event = api.v1.events.list({"limit": 1}).data[0]
    assert api.v1.events.retrieve(event.id).to_dict() == event.to_dict()


def test_an_event_keeps_what_its_object_was_then(api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({"name": "Ada"})
    api.v1.customers.update(customer.id, {"name": "Eve"})

    event = api.v1.events.list({"type": "customer.created"}).data[0]

    assert event.data.object["name"] == "Ada"


@covers("webhooks.connect")
def test_a_connected_accounts_events_reach_the_platforms_connect_endpoint(clock: SteppingClock) -> None:
    sandbox = Sandbox(clock, SeededIds(3))
    sandbox.add_webhook(KEY, "https://shop.example/own", SECRET)
    sandbox.add_webhook(KEY, "https://shop.example/connect", SECRET, connect=True)
    headers = {"Stripe-Account": "acct_seller"}
    call(sandbox, "POST", "/v1/customers", "name=Ada", **headers)

    (attempt,) = sandbox.due_deliveries()

    event = verified(attempt, clock)
    assert (attempt.url, event["account"]) == ("https://shop.example/connect", "acct_seller")


def test_drop_loses_the_event_for_ever(sandbox: Sandbox, clock: SteppingClock) -> None:
    fault(sandbox, {"event": "customer.*", "nth": 2}, "drop")
    for name in ("a", "b", "c"):
        customer(sandbox, name)

    names = [verified(attempt, clock)["data"]["object"]["name"] for attempt in sandbox.due_deliveries()]

    assert names == ["a", "c"]
    clock.step(1_000_000)
    assert sandbox.due_deliveries() == []


def test_a_delivery_can_be_lost_by_hand(sandbox: Sandbox, clock: SteppingClock) -> None:
    customer(sandbox)
    (attempt,) = sandbox.due_deliveries()

    sandbox.lose_delivery(attempt.delivery)

    clock.step(1_000_000)
    assert sandbox.due_deliveries() == []
    assert sandbox.next_due() is None


def test_duplicate_sends_the_same_event_twice(sandbox: Sandbox) -> None:
    fault(sandbox, {"event": "customer.created"}, "duplicate")
    customer(sandbox)

    attempts = sandbox.due_deliveries()

    assert len(attempts) == 2
    assert len({attempt.event for attempt in attempts}) == 1


def test_duplicate_as_new_tells_the_same_change_in_a_second_event(sandbox: Sandbox) -> None:
    fault(sandbox, {"event": "customer.created"}, "duplicate_as_new")
    customer(sandbox)

    bodies = [json.loads(attempt.body) for attempt in sandbox.due_deliveries()]

    assert len({body["id"] for body in bodies}) == 2
    assert bodies[0]["data"] == bodies[1]["data"]
    assert len(call(sandbox, "GET", "/v1/events")["data"]) == 2


def test_delay_makes_an_event_late(sandbox: Sandbox, clock: SteppingClock) -> None:
    fault(sandbox, {"event": "customer.created"}, "delay", delay_s=30)
    customer(sandbox)
    assert sandbox.due_deliveries() == []

    clock.step(30)

    assert len(sandbox.due_deliveries()) == 1


def test_reorder_lets_later_events_overtake(sandbox: Sandbox, clock: SteppingClock) -> None:
    fault(sandbox, {"event": "customer.created", "nth": 1}, "reorder", window=2)
    names = []
    for name in ("a", "b", "c"):
        customer(sandbox, name)
        for attempt in sandbox.due_deliveries():
            names.append(json.loads(attempt.body)["data"]["object"]["name"])
            sandbox.record_attempt(attempt.delivery, 200)

    names += [json.loads(attempt.body)["data"]["object"]["name"] for attempt in sandbox.due_deliveries()]

    assert names == ["b", "c", "a"]
    assert clock() == sandbox.world.now()


def test_a_reordered_event_that_nothing_overtakes_comes_all_the_same(sandbox: Sandbox, clock: SteppingClock) -> None:
    fault(sandbox, {"event": "customer.created"}, "reorder")
    customer(sandbox)

    clock.step(6)

    assert len(sandbox.due_deliveries()) == 1


def test_hold_keeps_events_back_and_lets_them_go_in_a_burst(sandbox: Sandbox, clock: SteppingClock) -> None:
    fault(sandbox, {"event": "*"}, "hold", delay_s=60)
    for name in ("a", "b", "c"):
        customer(sandbox, name)
        clock.step(10)
    assert sandbox.due_deliveries() == []

    clock.step(30)

    assert len(sandbox.due_deliveries()) == 3


def test_forge_signs_with_a_wrong_secret(sandbox: Sandbox) -> None:
    fault(sandbox, {"event": "customer.created"}, "forge")
    customer(sandbox)
    (attempt,) = sandbox.due_deliveries()

    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(attempt.body.decode(), attempt.headers["Stripe-Signature"], SECRET, None)


def test_stale_carries_an_old_timestamp_with_a_right_signature(sandbox: Sandbox, clock: SteppingClock) -> None:
    fault(sandbox, {"event": "customer.created"}, "stale", age_s=900)
    customer(sandbox)
    (attempt,) = sandbox.due_deliveries()

    assert attempt.headers["Stripe-Signature"].startswith(f"t={int(clock()) - 900},")
    assert stripe.WebhookSignature.verify_header(
        attempt.body.decode(), attempt.headers["Stripe-Signature"], SECRET, None
    )


def test_other_version_other_mode_and_a_body_that_is_no_json(sandbox: Sandbox) -> None:
    fault(sandbox, {"event": "customer.created", "nth": 1}, "api_version", version=ACACIA)
    fault(sandbox, {"event": "customer.created", "nth": 2}, "livemode")
    fault(sandbox, {"event": "customer.created", "nth": 3}, "non_json")
    for name in ("a", "b", "c"):
        customer(sandbox, name)

    old, live, torn = sandbox.due_deliveries()

    assert json.loads(old.body)["api_version"] == ACACIA
    assert json.loads(live.body)["livemode"]
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(torn.body)
    assert stripe.WebhookSignature.verify_header(torn.body.decode(), torn.headers["Stripe-Signature"], SECRET, None)


@covers("fault.rules")
def test_rules_are_listed_journalled_and_cleared(sandbox: Sandbox) -> None:
    fault(sandbox, {"event": "customer.created"}, "drop", times=1)
    customer(sandbox)
    customer(sandbox)

    rules = sandbox.handle(Request("GET", "/_sandbox/faults")).json()["data"]
    assert (rules[0]["seen"], rules[0]["struck"]) == (2, 1)
    assert [line["do"] for line in sandbox.journal() if line["kind"] == "fault"] == ["drop"]
    assert sandbox.handle(Request("DELETE", "/_sandbox/faults")).json() == {"cleared": 1}
    assert sandbox.handle(Request("GET", "/_sandbox/faults")).json() == {"data": []}


def test_webhooks_travel_over_http_and_are_retried(
    server: CheckedServer, api: stripe.StripeClient, receiver: Receiver, clock: SteppingClock
) -> None:
    with server.locked() as sandbox:
        sandbox.add_webhook(KEY, receiver.url, SECRET)
    receiver.status = 503
    api.v1.customers.create({"name": "Ada"})
    receiver.wait_for(1)
    server.wait_until_answered()
    receiver.status = 200

    server.control("POST", "clock", {"advance_s": 10})

    first, second = receiver.wait_for(2)
    assert first.json()["id"] == second.json()["id"]
    assert stripe.WebhookSignature.verify_header(second.body.decode(), second.signature, SECRET, None)


def test_over_http_a_reordered_event_arrives_after_the_one_that_overtakes_it(
    server: CheckedServer, api: stripe.StripeClient, receiver: Receiver
) -> None:
    with server.locked() as sandbox:
        sandbox.add_webhook(KEY, receiver.url, SECRET)
    server.fault({"event": "customer.created", "nth": 1}, "reorder")
    server.fault({"event": "customer.created", "nth": 2}, "duplicate")
    for name in ("a", "b"):
        api.v1.customers.create({"name": name})

    hooks = receiver.wait_for(3)

    names = [hook.json()["data"]["object"]["name"] for hook in hooks]
    assert names[0] == "b"
    assert sorted(names) == ["a", "b", "b"]


def test_an_endpoint_that_is_not_there_costs_nothing_but_retries(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    with server.locked() as sandbox:
        sandbox.add_webhook(KEY, "http://127.0.0.1:1/hook", SECRET)

    assert api.v1.customers.create({"name": "Ada"}).name == "Ada"
