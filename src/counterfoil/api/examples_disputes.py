"""Example answers about disputes, for the OpenAPI document."""

from typing import Any, Final

SUFFIX: Final = "01h455vb4pex5vsknk084sn02q"
AT: Final = "2026-06-14T04:04:00.000Z"

DISPUTES: Final[dict[str, Any]] = {
    "Dispute": {
        "id": f"dspt_{SUFFIX}",
        "object": "dispute",
        "customer": f"cust_{SUFFIX}",
        "payment": f"pmt_{SUFFIX}",
        "leg": f"leg_{SUFFIX}",
        "invoices": [f"inv_{SUFFIX}"],
        "status": "open",
        "reason": "fraudulent",
        "amount": {"amount": 5000, "currency": "USD", "formatted": "$50.00"},
        "lost": {"amount": 0, "currency": "USD", "formatted": "$0.00"},
        "provider_fee_minor": 1500,
        "held": [
            {
                "wallet": f"wlt_{SUFFIX}",
                "grant": f"grant_{SUFFIX}",
                "credits": {"quantity": "2400", "unit": "credits"},
            }
        ],
        "blocks_spending": False,
        "evidence_due_at": "2026-06-23T04:04:00.000Z",
        "provider_ref": "du_1PqTxUcPNvn8f2S4d0",
        "provider_status": "needs_response",
        "opened_at": AT,
        "closed_at": None,
    }
}
