"""One example per answer about webhooks to host applications, by the name of its schema."""

from typing import Any, Final

AT: Final = "2026-06-14T04:04:00.000Z"
SUFFIX: Final = "01h455vb4pex5vsknk084sn02q"
CUSTOMER_ID, INVOICE_ID, DECISION_ID = f"cust_{SUFFIX}", f"inv_{SUFFIX}", f"dec_{SUFFIX}"
EVENT_ID: Final = f"evnt_{SUFFIX}"
WEBHOOK_ENDPOINT: Final = {
    "id": f"whep_{SUFFIX}",
    "object": "webhook_endpoint",
    "url": "https://app.example.com/hooks",
    "description": "",
    "kinds": ["invoice.*"],
    "payload": "full",
    "schedule": "standard",
    "status": "active",
    "why": None,
    "failing_since": None,
    "old_secret_ends_at": None,
    "pending": 0,
    "failed": 0,
    "created_at": AT,
}
DELIVERY: Final = {
    "id": f"dlvr_{SUFFIX}",
    "object": "delivery",
    "endpoint": f"whep_{SUFFIX}",
    "url": "https://app.example.com/hooks",
    "event": EVENT_ID,
    "kind": "invoice.paid",
    "customer": CUSTOMER_ID,
    "subject": INVOICE_ID,
    "sequence": 4,
    "status": "delivered",
    "tries": 1,
    "last_try": {"outcome": "delivered", "status_code": 204, "why": None, "started_at": AT},
    "next_at": None,
    "delivered_at": AT,
    "created_at": AT,
}
HOOKS: Final[dict[str, Any]] = {
    "Activity": {
        "id": EVENT_ID,
        "object": "activity",
        "kind": "invoice.paid",
        "customer": CUSTOMER_ID,
        "subject": INVOICE_ID,
        "sequence": 4,
        "sentence": "INV-000001 is paid: 100.00 USD.",
        "who": {"source": "webhook", "caller": None, "news": "payment_intent.succeeded"},
        "data": {"total_minor": 10000, "currency": "USD"},
        "decision": DECISION_ID,
        "deliveries": 1,
        "delivered": 1,
        "at": AT,
    },
    "WebhookEndpoint": WEBHOOK_ENDPOINT,
    "OpenedWebhookEndpoint": {**WEBHOOK_ENDPOINT, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
    "Delivery": DELIVERY,
    "DeliveryWithTries": {
        **DELIVERY,
        "body": '{"type":"invoice.paid"}',
        "attempts": [
            {
                "n": 1,
                "outcome": "delivered",
                "status_code": 204,
                "why": None,
                "duration_ms": 41,
                "started_at": AT,
                "ended_at": AT,
            }
        ],
    },
}
