"""Webhooks as a provider sends them: one event each, signed."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from counterfoil.providers.stripe.signature import sign
from houses import SECRET, START


def event(number: int, **changed: Any) -> bytes:
    """An event about a payment that is nobody's."""
    subject = {"id": f"pi_{number}", "object": "payment_intent"}
    body = {
        "id": f"evt_{number}",
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": int(START.timestamp()),
        "livemode": False,
        "api_version": "2025-02-24.acacia",
        "data": {"object": subject},
    }
    return json.dumps({**body, **changed}).encode()


def signed(body: bytes, secret: str = SECRET, at: datetime = START) -> Mapping[str, str]:
    """The headers of a webhook that was signed just now."""
    seconds = int(at.timestamp())
    return {"Stripe-Signature": f"t={seconds},v1={sign(body, secret, seconds)}"}
