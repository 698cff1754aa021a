"""How host applications are told: the schedule, the end of an endpoint, and the exact signature."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from counterfoil.core.deliveries import (
    SCHEDULES,
    Answered,
    Delivery,
    HookEndpoint,
    Payload,
    TryResult,
    Unanswered,
    after_try,
    asked_again,
    begun,
    decide_off,
    endpoint_after,
    is_for,
    signed_headers,
    signing_secret,
)
from counterfoil.core.effects import Act, Notify, changes_of
from counterfoil.core.ids import DeliveryId, EndpointId
from counterfoil.core.lifecycle import DeliveryStatus, EndpointStatus

NOW = datetime(2026, 6, 14, 4, 4, tzinfo=UTC)
ENDPOINT = HookEndpoint(
    EndpointId("whep"), "https://host.test", (), Payload.FULL, "standard", EndpointStatus.ACTIVE, 0, NOW
)
NEW = Delivery(DeliveryId("dlvr"), EndpointId("whep"), "evnt", DeliveryStatus.PENDING, NOW, next_at=NOW)
DOWN = Answered(503, 5)


def pauses(schedule: str) -> list[float]:
    """The pauses between the tries of a delivery that nobody takes, in seconds, and then how it ends."""
    delivery, endpoint, now, seen = NEW, replace(ENDPOINT, schedule=schedule), NOW, []
    while delivery.status is DeliveryStatus.PENDING:
        delivery = after_try(begun(delivery), endpoint, DOWN, now)
        if delivery.next_at:
            seen.append((delivery.next_at - now).total_seconds())
            now = delivery.next_at
    assert delivery.status is DeliveryStatus.FAILED
    assert delivery.tries == len(SCHEDULES[schedule])
    return seen


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_pause_is_that_of_the_schedule_and_at_most_a_tenth_longer(schedule: str) -> None:
    wanted = SCHEDULES[schedule]

    seen = pauses(schedule)

    assert wanted[0] == 0
    assert len(seen) == len(wanted) - 1
    assert all(least <= pause <= least * 1.1 for least, pause in zip(wanted[1:], seen, strict=True))


def test_the_schedules_are_those_that_are_published() -> None:
    """Standard Webhooks' example, and five tries after 2, 4, 8 and 16 minutes."""
    minutes = [each / 60 for each in SCHEDULES["short"][1:]]

    assert SCHEDULES["standard"] == (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    assert minutes == [2, 4, 8, 16]


def test_an_endpoint_that_asks_to_be_left_alone_is_for_as_long_as_a_day() -> None:
    politely = after_try(begun(NEW), ENDPOINT, Answered(429, 1, retry_after_s=3600), NOW)
    sooner = after_try(begun(NEW), ENDPOINT, Answered(429, 1, retry_after_s=1), NOW)
    for_ever = after_try(begun(NEW), ENDPOINT, Answered(503, 1, retry_after_s=10**9), NOW)

    assert politely.next_at == NOW + timedelta(hours=1)
    assert sooner.next_at is not None
    assert sooner.next_at >= NOW + timedelta(seconds=5)
    assert for_ever.next_at == NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (Answered(200, 1), DeliveryStatus.DELIVERED),
        (Answered(204, 1), DeliveryStatus.DELIVERED),
        (Answered(302, 1), DeliveryStatus.PENDING),
        (Answered(400, 1), DeliveryStatus.PENDING),
        (Answered(500, 1), DeliveryStatus.PENDING),
        (Unanswered("timeout", 10_000, is_sent=True), DeliveryStatus.PENDING),
        (Unanswered("address_refused", 0, is_sent=False), DeliveryStatus.PENDING),
    ],
)
def test_only_2xx_says_that_it_was_taken(result: TryResult, status: DeliveryStatus) -> None:
    assert after_try(begun(NEW), ENDPOINT, result, NOW).status is status


def test_what_is_asked_for_again_begins_anew() -> None:
    failed = replace(NEW, status=DeliveryStatus.FAILED, tries=10, in_round=10, next_at=None)

    again = after_try(begun(asked_again(failed, NOW)), ENDPOINT, DOWN, NOW)

    assert (again.status, again.tries, again.in_round) == (DeliveryStatus.PENDING, 11, 1)


def test_an_endpoint_is_off_only_after_three_days_without_one_success() -> None:
    failing = endpoint_after(ENDPOINT, DOWN, NOW)
    nearly = endpoint_after(failing, DOWN, NOW + timedelta(days=3) - timedelta(seconds=1))
    healed = endpoint_after(nearly, Answered(200, 1), NOW + timedelta(days=2))
    off = endpoint_after(nearly, DOWN, NOW + timedelta(days=3))

    assert (failing.status, nearly.status) == (EndpointStatus.ACTIVE, EndpointStatus.ACTIVE)
    assert healed.failing_since is None
    assert (off.status, off.why) == (EndpointStatus.DISABLED, "hook_endpoint_failing")


def test_one_that_says_that_it_is_gone_is_off_at_once() -> None:
    off = endpoint_after(ENDPOINT, Answered(410, 1), NOW)

    assert (off.status, off.why) == (EndpointStatus.DISABLED, "hook_endpoint_gone")


def test_a_person_is_asked_about_an_endpoint_that_is_off_and_whoever_listens_is_told() -> None:
    off = endpoint_after(ENDPOINT, Answered(410, 1), NOW)

    decision = decide_off(off, begun(NEW), NOW, lambda noun: f"{noun}_1")

    assert isinstance(decision, Act)
    (case,) = changes_of(decision.effects)
    (told,) = [each for each in decision.effects if isinstance(each, Notify)]
    assert case.id == "case_1"
    assert (told.kind, told.customer, told.subject) == ("webhook_endpoint.disabled", None, "whep")


def test_an_endpoint_is_told_of_what_it_asked_for() -> None:
    assert is_for("whep", (), "invoice.paid", "inv")
    assert is_for("whep", ("invoice.paid",), "invoice.paid", "inv")
    assert is_for("whep", ("invoice.*",), "invoice.paid", "inv")
    assert not is_for("whep", ("payment.*", "invoice.voided"), "invoice.paid", "inv")
    assert is_for("whep", ("invoice.*",), "webhook_endpoint.tested", "whep")
    assert not is_for("whep", (), "webhook_endpoint.tested", "another")


SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_signature_is_that_of_the_published_example() -> None:
    """The vector that the libraries of Standard Webhooks are tested by."""
    body = '{"test": 2432232314}'
    at = datetime.fromtimestamp(1614265330, UTC)

    headers = signed_headers([SECRET], "msg_p5jXN8AQM9LWM0D4loKWxJek", body, at)

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_while_a_secret_is_changed_both_sign() -> None:
    other = signing_secret(bytes(range(32)))

    both = signed_headers([other, SECRET], "evnt", "{}", NOW)["webhook-signature"].split(" ")

    assert both == [signed_headers([each], "evnt", "{}", NOW)["webhook-signature"] for each in (other, SECRET)]


def test_a_secret_that_is_too_short_is_none() -> None:
    with pytest.raises(ValueError, match="24 to 64"):
        signing_secret(b"x" * 23)
