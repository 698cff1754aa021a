"""How host applications are told of events: what is signed, when it is tried again, when an endpoint is given up.

Standard Webhooks 1.0: `webhook-id` is the event, the same for every try and every endpoint; `webhook-timestamp` is when
it was sent; `webhook-signature` holds one `v1,…` per secret that is valid then, space-separated.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeAlias

from counterfoil.core.books import Case
from counterfoil.core.effects import Act, Change, Decision, Notify, Reason, Why
from counterfoil.core.ids import CaseId, DeliveryId, EndpointId, NewId
from counterfoil.core.lifecycle import DeliveryStatus, EndpointStatus

SCHEDULES: Final[dict[str, tuple[int, ...]]] = {
    "standard": (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400),
    "short": (0, 120, 240, 480, 960),
}
"""How long each try waits for the one before, in seconds: that of Standard Webhooks, and one of five tries in half an
hour."""
JITTER: Final = 10
"""By how much of itself, in per cent, a pause may grow, so that what failed together does not come back together."""
GIVEN_UP_AFTER: Final = timedelta(days=3)
"""How long nothing may come through before an endpoint is switched off."""
RETRY_AFTER_MAX: Final = timedelta(days=1)
"""How long an endpoint may ask to be left alone."""
BOTH_VALID: Final = timedelta(hours=24)
"""How long the secret before is valid beside a new one, unless told."""
GONE: Final = 410
SECRET_PREFIX: Final = "whsec_"  # noqa: S105  # what every secret begins with
OFF: Final = "switch-endpoint-off@1"
TESTED: Final = "webhook_endpoint.tested"
SWITCHED_OFF: Final = "webhook_endpoint.disabled"
KIND: Final = re.compile(r"[a-z_]{1,40}\.([a-z_]{1,40}|\*)")
"""How a kind of event is written, or all kinds of a noun."""


class Payload(StrEnum):
    """What an endpoint is sent."""

    FULL = "full"
    """The event with what it says, and the subject as it was when the event was first sent."""
    THIN = "thin"
    """Which event it is and what it is about: the rest is to be fetched."""


class TryOutcome(StrEnum):
    """How one try ended. What was sent and never answered may have arrived."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    NO_REPLY = "no_reply"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"
    """The process died before it could say."""


@dataclass(frozen=True, slots=True)
class HookEndpoint:
    """Where a host application wants to be told of events. Its secrets stand apart, sealed."""

    id: EndpointId
    url: str
    kinds: tuple[str, ...]
    payload: Payload
    schedule: str
    status: EndpointStatus
    from_position: int
    created_at: datetime
    description: str = ""
    why: str | None = None
    failing_since: datetime | None = None


def is_for(endpoint: str, kinds: Sequence[str], kind: str, subject: str) -> bool:
    """Say whether an endpoint is told of an event: it asked for all kinds, this one, or all of its noun (`invoice.*`).

    A test is for the endpoint that it tests, whatever that asked for.
    """
    if kind == TESTED:
        return endpoint == subject
    return not kinds or kind in kinds or f"{kind.partition('.')[0]}.*" in kinds


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one endpoint. `in_round` counts the tries since it was last asked for."""

    id: DeliveryId
    endpoint: EndpointId
    event: str
    status: DeliveryStatus
    created_at: datetime
    tries: int = 0
    in_round: int = 0
    next_at: datetime | None = None
    delivered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """What the host application answered. `reply` is the beginning of it."""

    status_code: int
    duration_ms: int
    reply: bytes = b""
    retry_after_s: int | None = None

    @property
    def outcome(self) -> TryOutcome:
        """Only 2xx says that it took the event; a redirect is not followed."""
        return TryOutcome.DELIVERED if 200 <= self.status_code < 300 else TryOutcome.REFUSED


@dataclass(frozen=True, slots=True)
class Unanswered:
    """There was no answer. `is_sent` False says that surely nothing has left."""

    why: str
    duration_ms: int
    is_sent: bool

    @property
    def outcome(self) -> TryOutcome:
        """What has left may have arrived."""
        return TryOutcome.NO_REPLY if self.is_sent else TryOutcome.NOT_SENT


TryResult: TypeAlias = Answered | Unanswered


def begun(delivery: Delivery) -> Delivery:
    """Count a try, before it is sent."""
    return replace(delivery, tries=delivery.tries + 1, in_round=delivery.in_round + 1)


def after_try(delivery: Delivery, endpoint: HookEndpoint, result: TryResult, now: datetime) -> Delivery:
    """Say where a delivery stands after a try: it was taken, it is tried again, or its schedule is over."""
    if result.outcome is TryOutcome.DELIVERED:
        return replace(delivery, status=DeliveryStatus.DELIVERED, next_at=None, delivered_at=now)
    pauses = SCHEDULES[endpoint.schedule]
    if delivery.in_round >= len(pauses):
        return replace(delivery, status=DeliveryStatus.FAILED, next_at=None)
    pause = with_jitter(pauses[delivery.in_round], f"{delivery.id}:{delivery.tries}")
    return replace(delivery, next_at=now + max(pause, asked_for(result)))


def asked_for(result: TryResult) -> timedelta:
    """Give how long the endpoint asked to be left alone, within a bound."""
    asked = result.retry_after_s if isinstance(result, Answered) else None
    return min(timedelta(seconds=asked or 0), RETRY_AFTER_MAX)


def with_jitter(pause_s: int, name: str) -> timedelta:
    """Give a pause, longer by up to a tenth. The same name gives the same pause."""
    share = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest()) / 2**32
    return timedelta(seconds=pause_s * (1 + share * JITTER / 100))


def endpoint_after(endpoint: HookEndpoint, result: TryResult, now: datetime) -> HookEndpoint:
    """Say where an endpoint stands after a try: one that is gone, or that let nothing through for days, is off."""
    if result.outcome is TryOutcome.DELIVERED:
        return replace(endpoint, failing_since=None)
    since = endpoint.failing_since or now
    if endpoint.status is not EndpointStatus.ACTIVE:
        return replace(endpoint, failing_since=since)
    if isinstance(result, Answered) and result.status_code == GONE:
        return replace(
            endpoint, failing_since=since, status=EndpointStatus.DISABLED, why=str(Reason.HOOK_ENDPOINT_GONE)
        )
    if now - since >= GIVEN_UP_AFTER:
        why = str(Reason.HOOK_ENDPOINT_FAILING)
        return replace(endpoint, failing_since=since, status=EndpointStatus.DISABLED, why=why)
    return replace(endpoint, failing_since=since)


def decide_off(endpoint: HookEndpoint, delivery: Delivery, now: datetime, new_id: NewId) -> Decision:
    """Tell of an endpoint that was switched off: a person is asked to see to it, and whoever listens is told."""
    assert endpoint.status is EndpointStatus.DISABLED, "an endpoint that is on"
    reason = Reason(endpoint.why or "")
    said = "It answered 410, which means that it is gone."
    if reason is Reason.HOOK_ENDPOINT_FAILING:
        said = f"Nothing came through since {endpoint.failing_since:%Y-%m-%d %H:%M} UTC."
    sentence = f"The webhook endpoint {endpoint.id} was switched off. {said}"
    case = Case(CaseId(new_id("case")), reason, endpoint.id, sentence, now)
    nth = f"{delivery.id}:{delivery.tries}"
    told = Notify(f"{SWITCHED_OFF}:{endpoint.id}:{nth}", SWITCHED_OFF, None, endpoint.id, {"why": str(reason)})
    return Act(Why(OFF, reason, sentence, (endpoint.id,), {"url": endpoint.url}), (Change(None, case), told))


def decide_test(endpoint: HookEndpoint, nth: str) -> Decision:
    """Tell an endpoint that it is tested."""
    why = Why(
        "test-endpoint@1",
        Reason.HOOK_ENDPOINT_TESTED,
        f"A person tested the webhook endpoint {endpoint.id}.",
        (endpoint.id,),
    )
    return Act(why, (Notify(f"{TESTED}:{endpoint.id}:{nth}", TESTED, None, endpoint.id, {"url": endpoint.url}),))


def asked_again(delivery: Delivery, now: datetime) -> Delivery:
    """Begin the schedule of a delivery anew, whatever became of it before."""
    return replace(delivery, status=DeliveryStatus.PENDING, in_round=0, next_at=now)


# --- signing ---


def signing_secret(random: bytes) -> str:
    """Write a signing secret as Standard Webhooks does. Raises ValueError on fewer than 24 bytes or more than 64."""
    if not 24 <= len(random) <= 64:
        raise ValueError("a signing secret has 24 to 64 bytes")
    return SECRET_PREFIX + base64.b64encode(random).decode()


def signed_headers(secrets: Sequence[str], event: str, body: str, at: datetime) -> dict[str, str]:
    """Give the three headers of a delivery, signed with every secret that is valid."""
    timestamp = int(at.timestamp())
    content = f"{event}.{timestamp}.{body}".encode()
    return {
        "webhook-id": event,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{_signature(each, content)}" for each in secrets),
    }


def _signature(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    return base64.b64encode(hmac.digest(key, content, "sha256")).decode()
