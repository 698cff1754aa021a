"""Webhooks as an application takes them: is this one Counterfoil's, and was it sent just now?

    event = verify_webhook(request.body, request.headers, os.environ["COUNTERFOIL_WEBHOOK_SECRET"])
    if not seen_before(event.id):
        ...

The same event may come twice, and events may overtake each other: keep the ids that you acted on, in the transaction
that acts; and where order matters, look at `sequence`, which counts each customer's events without a gap.
"""

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from counterfoil.client.ambient import Ambient, RealAmbient
from counterfoil.client.errors import CounterfoilError

TOLERANCE: Final = timedelta(minutes=5)
PREFIX: Final = "whsec_"


class WebhookRefused(CounterfoilError):
    """This is no webhook of Counterfoil's, or an old one that somebody sends again. Answer 400, and act on none of it.

    `code` is one of headers_missing, timestamp_invalid, timestamp_expired, signature_invalid, not_an_event.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """One event. `id` is the same each time it is sent; `customer` is None for what concerns your organization."""

    id: str
    type: str
    customer: str | None
    sequence: int
    subject: str
    at: datetime
    data: Mapping[str, Any]


def verify_webhook(
    body: bytes | str,
    headers: Mapping[str, str],
    *secrets: str,
    tolerance: timedelta = TOLERANCE,
    ambient: Ambient | None = None,
) -> WebhookEvent:
    """Check a webhook over the exact bytes that came in, and read it. Raises WebhookRefused.

    While a secret is being changed give both, though one is enough: each webhook is then signed with both.
    """
    if not secrets or not all(secrets):
        raise ValueError("give the endpoint's signing secret")
    raw = body.encode() if isinstance(body, str) else bytes(body)
    given = {name.lower(): value for name, value in headers.items()}
    try:
        identity, timestamp, signatures = (given[f"webhook-{each}"] for each in ("id", "timestamp", "signature"))
    except KeyError as missing:
        raise WebhookRefused("headers_missing", f"the header {missing} is missing") from None
    _check_time(timestamp, tolerance, (ambient or RealAmbient()).now())
    content = b".".join((identity.encode(), timestamp.encode(), raw))
    wanted = [_signature(each, content) for each in secrets]
    offered = [each.partition(",")[2] for each in signatures.split(" ") if each.startswith("v1,")]
    if not any(hmac.compare_digest(ours.encode(), theirs.encode()) for ours in wanted for theirs in offered):
        raise WebhookRefused("signature_invalid", "no signature is one that this secret makes over this body")
    return _read(identity, raw)


def _check_time(timestamp: str, tolerance: timedelta, now: datetime) -> None:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 11):
        raise WebhookRefused("timestamp_invalid", "the timestamp is no whole number of seconds")
    if abs(now - datetime.fromtimestamp(int(timestamp), UTC)) > tolerance:
        raise WebhookRefused("timestamp_expired", "the timestamp is too far from the time of this machine")


def _signature(secret: str, content: bytes) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("a signing secret begins with whsec_ and goes on in base64") from None
    return base64.b64encode(hmac.digest(key, content, "sha256")).decode()


def _read(identity: str, raw: bytes) -> WebhookEvent:
    try:
        said = json.loads(raw)
        return WebhookEvent(
            id=identity,
            type=said["type"],
            customer=said["customer"],
            sequence=said["sequence"],
            subject=said["subject"],
            at=datetime.fromisoformat(said["timestamp"].replace("Z", "+00:00")),
            data=said["data"],
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WebhookRefused("not_an_event", f"the body is signed and is no event: {error!r}") from None
