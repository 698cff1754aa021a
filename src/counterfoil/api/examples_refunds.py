"""Examples of what is answered about money that goes back."""

from typing import Any, Final

from counterfoil.engine.views import money

AT: Final = "2026-06-14T04:04:00.000Z"
SUFFIX: Final = "01h455vb4pex5vsknk084sn02q"
CUSTOMER_ID, INVOICE_ID, PAYMENT_ID = f"cust_{SUFFIX}", f"inv_{SUFFIX}", f"pmt_{SUFFIX}"


def _usd(minor: int) -> dict[str, Any]:
    return money(minor, "USD")


REFUND: Final = {
    "id": f"rfnd_{SUFFIX}",
    "object": "refund",
    "customer": CUSTOMER_ID,
    "payment": PAYMENT_ID,
    "leg": f"leg_{SUFFIX}",
    "purchases": [],
    "status": "succeeded",
    "amount": _usd(1000),
    "tax": _usd(100),
    "destination": "source",
    "made_by": "counterfoil",
    "reason": "requested_by_customer",
    "lines": [{"invoice_line": f"line_{SUFFIX}", "net": _usd(900), "tax": _usd(100)}],
    "wallet": None,
    "grant": None,
    "provider_ref": "re_3PqTxUcPNvn8f2S4d0",
    "failure": None,
    "fallbacks": [],
    "succeeded_at": AT,
    "ended_at": None,
    "created_at": AT,
}
GOING_BACK: Final[dict[str, Any]] = {
    "Refund": REFUND,
    "RefundGroup": {
        "id": REFUND["id"],
        "object": "refund_group",
        "payment": PAYMENT_ID,
        "status": "succeeded",
        "refunds": [REFUND],
    },
    "CreditNote": {
        "id": f"cnote_{SUFFIX}",
        "object": "credit_note",
        "customer": CUSTOMER_ID,
        "invoice": INVOICE_ID,
        "number": "CN-000001",
        "total": _usd(1000),
        "tax": _usd(100),
        "debt_reduced": _usd(1000),
        "to_balance": _usd(0),
        "lines": [{"invoice_line": f"line_{SUFFIX}", "net": _usd(900), "tax": _usd(100)}],
        "reason": "Two seats less",
        "created_at": AT,
    },
}
