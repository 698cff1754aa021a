"""Every trouble of webhooks, over HTTP and by the wall clock, as an endpoint that uses the official SDK sees it."""

import time
from collections.abc import Iterator

import pytest
import stripe

from counterfoil.sandbox.ports import SeededIds, SteppingClock
from counterfoil.sandbox.sandbox import Sandbox
from counterfoil.sandbox.settings import Settings
from counterfoil.sandbox.versions import ACACIA
from counterfoil.sandbox.wire import Request
from sandbox.covering import covers
from sandbox.harness import KEY, CheckedServer, Hook, Receiver

SECRET = "whsec_trouble"
MADE = {"event": "customer.created"}


@pytest.fixture
def server(receiver: Receiver) -> Iterator[CheckedServer]:
    """A sandbox that lives by the wall clock, since signatures are checked against it, with one endpoint."""
    settings = Settings(retry_delays_s=(0.1,) * 5, retry_compression=1.0, delivery_timeout_s=0.3)
    with CheckedServer(settings=settings) as running:
        with running.locked() as sandbox:
            sandbox.add_webhook(KEY, receiver.url, SECRET)
        yield running
    assert running.check_everything() == []


def event_of(hook: Hook, secret: str = SECRET) -> stripe.Event:
    """What the official SDK makes of a delivery, with its usual tolerance; it refuses what is not signed well."""
    return stripe.Webhook.construct_event(hook.body, hook.signature, secret)  # type: ignore[no-any-return]


def names(hooks: list[Hook]) -> list[str]:
    return [hook.json()["data"]["object"]["name"] for hook in hooks]


def settled(server: CheckedServer) -> None:
    """Wait until nothing is on its way and nothing is due."""
    end = time.monotonic() + 5
    while server.control("GET", "deliveries")["waiting"]:
        assert time.monotonic() < end, "a delivery never ended"
        time.sleep(0.01)


@covers("webhooks.signed", "webhooks.fresh-timestamp")
def test_an_event_arrives_once_and_the_sdk_accepts_it(
    server: CheckedServer, api: stripe.StripeClient, receiver: Receiver
) -> None:
    customer = api.v1.customers.create({"name": "Ada"})

    (hook,) = receiver.wait_for(1)
    settled(server)

    assert event_of(hook).data.object["id"] == customer.id
    assert len(receiver.hooks) == 1
    assert api.v1.events.retrieve(event_of(hook).id).pending_webhooks == 0


@covers("webhook-fault.drop")
def test_a_dropped_event_never_arrives_but_can_be_listed(
    server: CheckedServer, api: stripe.StripeClient, receiver: Receiver
) -> None:
    server.fault(MADE | {"nth": 1}, "drop")
    for name in ("a", "b"):
        api.v1.customers.create({"name": name})

    settled(server)

    assert names(receiver.wait_for(1)) == ["b"]
    assert [event.pending_webhooks for event in api.v1.events.list().data] == [0, 1]


@covers("webhook-fault.duplicate")
def test_a_duplicate_is_the_same_event_again(
    server: CheckedServer, api: stripe.StripeClient, receiver: Receiver
) -> None:
    server.fault(MADE, "duplicate", copies=2)
    api.v1.customers.create({"name": "Ada"})

    hooks = receiver.wait_for(3)

    assert len({event_of(hook).id for hook in hooks}) == 1
    assert len(api.v1.events.list().data) == 1


@covers("webhook-fault.duplicate-as-new")
def test_a_duplicate_as_new_is_a_second_event_about_the_same_change(
    server: CheckedServer, api: stripe.StripeClient, receiver: Receiver
) -> None:
    server.fault(MADE, "duplicate_as_new")
    api.v1.customers.create({"name": "Ada"})

    first, second = (event_of(hook) for hook in receiver.wait_for(2))

    assert first.id != second.id
    assert first.data.to_dict() == second.data.to_dict()
    assert {event.id for event in api.v1.events.list().data} == {first.id, second.id}


@covers("webhook-fault.delay")
def test_a_delayed_event_comes_late_with_a_fresh_signature(
    server: CheckedServer, api: stripe.StripeClient, receiver: Receiver
) -> None:
    server.fault(MADE, "delay", delay_s=600)
    api.v1.customers.create({"name": "Ada"})
    server.control("POST", "clock", {"advance_s": 599})
    assert receiver.hooks == []

    server.control("POST", "clock", {"advance_s": 2})

    assert event_of(receiver.wait_for(1)[0]).type == "customer.created"


@covers("webhook-fault.reorder")
def test_a_reordered_event_arrives_behind_its_whole_window(
    server: CheckedServer, api: stripe.StripeClient, receiver: Receiver
) -> None:
    server.fault(MADE | {"nth": 1}, "reorder", window=3, delay_s=60)
    for name in ("a", "b", "c", "d"):
        api.v1.customers.create({"name": name})

    hooks = receiver.wait_for(4)

    assert names(hooks)[-1] == "a"
    assert sorted(names(hooks)) == ["a", "b", "c", "d"]


@covers("webhook-fault.burst")
def test_after_an_outage_everything_comes_at_once(
    server: CheckedServer, api: stripe.StripeClient, receiver: Receiver
) -> None:
    server.fault({"event": "*"}, "burst", delay_s=3_600)
    for name in ("a", "b", "c"):
        api.v1.customers.create({"name": name})
    server.control("POST", "clock", {"advance_s": 3_599})
    assert receiver.hooks == []

    server.control("POST", "clock", {"advance_s": 2})

    assert sorted(names(receiver.wait_for(3))) == ["a", "b", "c"]


@covers("webhook-fault.burst")
def test_clearing_the_rule_ends_the_outage(server: CheckedServer, api: stripe.StripeClient, receiver: Receiver) -> None:
    server.fault({"event": "*"}, "burst", delay_s=3_600)
    for name in ("a", "b"):
        api.v1.customers.create({"name": name})

    server.control("DELETE", "faults")

    assert sorted(names(receiver.wait_for(2))) == ["a", "b"]


@covers("webhook-fault.wrong-signature")
def test_a_forged_event_is_refused_by_the_sdk(
    server: CheckedServer, api: stripe.StripeClient, receiver: Receiver
) -> None:
    server.fault(MADE, "forge")
    api.v1.customers.create({"name": "Ada"})

    with pytest.raises(stripe.SignatureVerificationError, match="No signatures found"):
        event_of(receiver.wait_for(1)[0])


@covers("webhook-fault.stale-timestamp")
def test_a_stale_timestamp_is_refused_by_the_sdk_though_rightly_signed(
    server: CheckedServer, api: stripe.StripeClient, receiver: Receiver
) -> None:
    server.fault(MADE, "stale_timestamp", age_s=301)
    api.v1.customers.create({"name": "Ada"})
    (hook,) = receiver.wait_for(1)

    assert stripe.WebhookSignature.verify_header(hook.body.decode(), hook.signature, SECRET, 600)
    with pytest.raises(stripe.SignatureVerificationError, match="outside the tolerance zone"):
        event_of(hook)


@covers("webhook-fault.other-api-version")
def test_an_event_may_come_in_another_version_than_the_endpoints(
    server: CheckedServer, api: stripe.StripeClient, receiver: Receiver
) -> None:
    server.fault({"event": "payment_intent.created"}, "api_version", version=ACACIA)
    api.v1.payment_intents.create({"amount": 900, "currency": "usd"})

    event = receiver.wait_for(1)[0].json()

    assert event["api_version"] == ACACIA
    assert "invoice" in event["data"]["object"]


@covers("webhook-fault.other-livemode")
def test_an_event_may_claim_the_other_mode(server: CheckedServer, api: stripe.StripeClient, receiver: Receiver) -> None:
    server.fault(MADE, "livemode")
    api.v1.customers.create({"name": "Ada"})

    assert event_of(receiver.wait_for(1)[0]).livemode


@covers("webhook-fault.non-json")
def test_a_body_that_is_no_json_is_rightly_signed(
    server: CheckedServer, api: stripe.StripeClient, receiver: Receiver
) -> None:
    server.fault(MADE, "non_json")
    api.v1.customers.create({"name": "Ada"})
    (hook,) = receiver.wait_for(1)

    assert stripe.WebhookSignature.verify_header(hook.body.decode(), hook.signature, SECRET, 300)
    with pytest.raises(ValueError, match="Expecting value"):
        event_of(hook)


@covers("webhook-fault.endpoint-too-slow")
def test_an_endpoint_that_answers_too_late_is_sent_the_event_again(
    server: CheckedServer, api: stripe.StripeClient, receiver: Receiver
) -> None:
    receiver.answers_after_s = 0.6
    api.v1.customers.create({"name": "Ada"})
    receiver.wait_for(1)
    receiver.answers_after_s = 0.0

    first, second = receiver.wait_for(2)

    assert event_of(first).id == event_of(second).id


@covers("webhook-fault.endpoint-too-slow")
def test_an_answer_can_be_made_late_without_waiting_for_it(
    server: CheckedServer, api: stripe.StripeClient, receiver: Receiver
) -> None:
    server.fault(MADE, "unanswered", attempts=2)
    api.v1.customers.create({"name": "Ada"})

    hooks = receiver.wait_for(3)
    settled(server)

    assert len({event_of(hook).id for hook in hooks}) == 1
    assert len(receiver.hooks) == 3


@covers("webhooks.retries", "webhooks.pending-counts-down")
def test_a_refused_event_stays_pending_until_it_is_accepted(
    server: CheckedServer, api: stripe.StripeClient, receiver: Receiver
) -> None:
    receiver.status = 500
    api.v1.customers.create({"name": "Ada"})
    event = event_of(receiver.wait_for(2)[0])
    assert api.v1.events.retrieve(event.id).pending_webhooks == 1

    receiver.status = 200
    settled(server)

    assert api.v1.events.retrieve(event.id).pending_webhooks == 0


@covers("webhooks.retries")
@pytest.mark.parametrize(
    ("key", "attempts"), [("sk_test_suite", 4), ("sk_live_suite", 10)], ids=["test mode", "live mode"]
)
def test_by_default_test_mode_tries_for_hours_and_live_mode_for_three_days(
    clock: SteppingClock, key: str, attempts: int
) -> None:
    sandbox = Sandbox(clock, SeededIds(3), Settings(retry_compression=1.0))
    sandbox.add_webhook(key, "https://shop.example/hook", SECRET)
    sandbox.handle(Request("POST", "/v1/customers", {"Authorization": f"Bearer {key}"}))

    made = []
    while (due := sandbox.next_due()) is not None:
        sandbox.advance(due - sandbox.world.now())
        for attempt in sandbox.due_deliveries():
            made.append(sandbox.world.now() - clock())
            sandbox.record_attempt(attempt.delivery, 500)

    assert len(made) == attempts
    assert 3 * 3_600 <= made[-1] <= 3 * 86_400
