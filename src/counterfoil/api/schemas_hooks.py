"""What is answered about webhooks to host applications, for the OpenAPI document."""

from typing import Any, Literal

from counterfoil.api.schemas import Answer, Time


class WebhookEndpoint(Answer):
    """Where a host application is told of events. `why` says why it was switched off by itself."""

    id: str
    object: Literal["webhook_endpoint"]
    url: str
    description: str
    kinds: list[str]
    payload: Literal["full", "thin"]
    schedule: Literal["standard", "short"]
    status: Literal["active", "paused", "disabled", "deleted"]
    why: str | None
    failing_since: Time | None
    old_secret_ends_at: Time | None
    pending: int
    failed: int
    created_at: Time


class OpenedWebhookEndpoint(WebhookEndpoint):
    """An endpoint with its new signing secret, which is shown this once."""

    secret: str


class Try(Answer):
    """One try of a delivery. Without an outcome it is under way, or its process died."""

    n: int
    outcome: Literal["delivered", "refused", "no_reply", "not_sent", "unknown"] | None
    status_code: int | None
    why: str | None
    duration_ms: int | None
    started_at: Time
    ended_at: Time | None


class Delivery(Answer):
    """One event on its way to one endpoint."""

    id: str
    object: Literal["delivery"]
    endpoint: str
    url: str
    event: str
    kind: str
    customer: str | None
    subject: str
    sequence: int
    status: Literal["pending", "delivered", "failed"]
    tries: int
    last_try: dict[str, Any] | None
    next_at: Time | None
    delivered_at: Time | None
    created_at: Time


class DeliveryWithTries(Delivery):
    """A delivery with what is sent and every try. What was answered is shown to keys with the scope `admin` only."""

    body: str | None
    attempts: list[Try]


class Activity(Answer):
    """Something that happened to a customer: what, when, why, who caused it, and how many were told."""

    id: str
    object: Literal["activity"]
    kind: str
    customer: str
    subject: str
    sequence: int
    sentence: str
    who: dict[str, str | None]
    data: dict[str, Any]
    decision: str
    deliveries: int
    delivered: int
    at: Time
