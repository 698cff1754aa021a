"""One example per answer, by the name of its schema. Tests check that each fits its schema."""

from typing import Any, Final

from counterfoil.engine.views import money

AT: Final = "2026-06-14T04:04:00.000Z"
SUFFIX: Final = "01h455vb4pex5vsknk084sn02q"
CUSTOMER_ID, INVOICE_ID, PAYMENT_ID = f"cust_{SUFFIX}", f"inv_{SUFFIX}", f"pmt_{SUFFIX}"
DECISION_ID, NEWS_ID, WALLET_ID = f"dec_{SUFFIX}", f"pevt_{SUFFIX}", f"wlt_{SUFFIX}"


def _usd(minor: int) -> dict[str, Any]:
    return money(minor, "USD")


def _credits(quantity: str) -> dict[str, str]:
    return {"quantity": quantity, "unit": "usd-credit"}


CUSTOMER: Final = {
    "id": CUSTOMER_ID,
    "object": "customer",
    "external_id": "user-7012",
    "name": "Dana",
    "email": "dana@example.com",
    "metadata": {},
    "provider_account": f"pacc_{SUFFIX}",
    "provider_ref": "cus_TxUcPNvn8f2S4d",
    "paused": False,
    "deleted_at_provider": False,
    "erased_at": None,
    "created_at": AT,
}
METHOD: Final = {
    "id": f"pmeth_{SUFFIX}",
    "object": "payment_method",
    "customer": CUSTOMER_ID,
    "status": "saved",
    "kind": "card",
    "brand": "visa",
    "last4": "4242",
    "default": True,
}
WALLET: Final = {
    "id": WALLET_ID,
    "object": "wallet",
    "customer": CUSTOMER_ID,
    "unit": "usd-credit",
    "status": "active",
    "balance": _credits("30.000000"),
    "held": _credits("0.000000"),
    "debt": _credits("0.000000"),
    "available": _credits("30.000000"),
    "overdraft": "debt",
    "debt_limit": _credits("5.000000"),
    "shortfall": "debt",
    "alert_percents": [20, 5],
    "alert_below": [_credits("1.000000")],
    "created_at": AT,
}
GRANT: Final = {
    "id": f"grant_{SUFFIX}",
    "object": "grant",
    "wallet": WALLET_ID,
    "source": "purchase",
    "amount": _credits("30.000000"),
    "remaining": _credits("30.000000"),
    "used": _credits("0.000000"),
    "held": _credits("0.000000"),
    "gone": _credits("0.000000"),
    "cost_basis": _usd(3000),
    "priority": 50,
    "features": ["chat"],
    "pool": None,
    "effective_at": AT,
    "expires_at": None,
    "voided_at": None,
    "created_at": AT,
}
INVOICE: Final = {
    "id": INVOICE_ID,
    "object": "invoice",
    "customer": CUSTOMER_ID,
    "number": "INV-000001",
    "status": "open",
    "payment_status": "pending",
    "currency": "USD",
    "total": _usd(10000),
    "amount_paid": _usd(0),
    "amount_reserved": _usd(0),
    "amount_due": _usd(10000),
    "lines": [
        {
            "id": f"line_{SUFFIX}",
            "kind": "flat_fee",
            "description": "Pro plan, June",
            "net": _usd(10000),
            "tax": _usd(0),
            "gross": _usd(10000),
        }
    ],
    "due_at": None,
    "created_at": AT,
}
PURCHASE: Final = {
    "id": f"prch_{SUFFIX}",
    "object": "purchase",
    "customer": CUSTOMER_ID,
    "wallet": WALLET_ID,
    "external_id": None,
    "status": "settled",
    "settlement": "invoice",
    "collector": "ours",
    "pack": "pack-2500",
    "pack_version": 1,
    "credits": {"quantity": "2500", "unit": "credits"},
    "price": _usd(5000),
    "fee": _usd(0),
    "tax": _usd(0),
    "total": _usd(5000),
    "paid": {"balance": _usd(0), "card": _usd(5000), "external": _usd(0), "discount": _usd(0)},
    "description": "2,500 credits",
    "grant": f"grant_{SUFFIX}",
    "invoice": INVOICE_ID,
    "invoice_at": None,
    "failure": None,
    "settled_at": AT,
    "fulfilled_at": AT,
    "created_at": AT,
}
AUTO_TOPUP: Final = {
    "id": f"atop_{SUFFIX}",
    "object": "auto_topup",
    "wallet": WALLET_ID,
    "customer": CUSTOMER_ID,
    "status": "on",
    "trigger": {"kind": "threshold", "below": "10.000000", "target": None, "every_s": None, "next_at": None},
    "buy": {"pack": None, "amount": "10.000000", "price": _usd(1000)},
    "limits": {"per_attempt": _usd(1000), "per_month": _usd(10000)},
    "payment_method": None,
    "consent": {"given_by": "user-7012", "given_at": AT, "text_version": "2026-01"},
    "spent_this_month": _usd(0),
    "waiting_for": "threshold",
    "attempt": None,
    "action_by": None,
    "failures": 0,
    "failing_since": None,
    "last_failure": None,
    "retry_at": None,
    "created_at": AT,
}
PENDING_LINE: Final = {
    "id": f"pline_{SUFFIX}",
    "object": "pending_line",
    "customer": CUSTOMER_ID,
    "status": "waiting",
    "description": "Support, July",
    "net": _usd(2500),
    "fee": _usd(0),
    "tax": _usd(0),
    "gross": _usd(2500),
    "invoice_at": AT,
    "invoice_description": "",
    "purchase": None,
    "invoice": None,
    "created_at": AT,
}
PACK: Final = {
    "code": "pack-2500",
    "object": "pack",
    "version": 1,
    "name": "2,500 credits",
    "credits": {"quantity": "2500", "unit": "credits"},
    "prices": [_usd(5000)],
    "fee_bp": 0,
    "expires_after_s": None,
    "plans": [],
    "on_sale": True,
}
POLICY: Final = {
    "object": "purchase_policy",
    "version": 1,
    "custom": [],
    "caps": [_usd(100000)],
    "needs_provider_customer": False,
    "gives_up_after_s": 86400,
    "home_countries": ["US"],
    "foreign_card_bp": 150,
}
CATALOGUE: Final = {"object": "catalogue", "packs": [PACK], "policy": POLICY, "added": ["pack-2500"]}
PAYMENT: Final = {
    "id": PAYMENT_ID,
    "object": "payment",
    "customer": CUSTOMER_ID,
    "status": "succeeded",
    "amount": _usd(10000),
    "confirm": "server",
    "legs": [
        {"id": f"leg_{SUFFIX}", "kind": "credit", "status": "settled", "amount": _usd(3000)},
        {"id": "leg_01h455vb4pex5vsknk084sn02r", "kind": "provider", "status": "settled", "amount": _usd(7000)},
    ],
    "next_action": None,
    "created_at": AT,
}
SENTENCE: Final = "Invoice INV-000001 is paid: 30.00 USD by credits, 70.00 USD by the provider."
DECISION: Final = {
    "id": DECISION_ID,
    "object": "decision",
    "outcome": "applied",
    "reason": "intent_settled",
    "sentence": SENTENCE,
    "rule": "settle-intent@1",
    "customer": CUSTOMER_ID,
    "news": {"id": NEWS_ID, "source": "webhook", "kind": "payment_intent.succeeded"},
    "decided_at": AT,
}
BALANCE: Final = {"object": "wallet_balance", "wallet": WALLET_ID, "at": AT, "balance": _credits("30.000000")}
STATEMENT_ROW: Final = {
    "id": f"dec_{SUFFIX}",
    "object": "statement_row",
    "kinds": ["granted"],
    "change": _credits("30.000000"),
    "balance": _credits("30.000000"),
    "entries": [f"grant:grant_{SUFFIX}:issued"],
    "effective_at": AT,
    "recorded_at": AT,
    "explain": f"/v1/decisions/dec_{SUFFIX}",
}
SPEND: Final[dict[str, Any]] = {
    "id": "spnd_4xqmz4tv8e9m3fbhx7k2rcw6ya",
    "object": "spend",
    "key": "message-81",
    "wallet": "wlt_01h455vb4pex5vsknk084sn02q",
    "unit": "usd-credit",
    "amount": "12.500000",
    "draws": [{"grant": "grant_01h455vb4pex5vsknk084sn02q", "amount": "12.500000"}],
    "debt": "0.000000",
    "written_off": "0.000000",
    "balance_after": "17.500000",
    "feature": "chat",
    "hold": None,
    "rule": "draw-order@2",
    "occurred_at": "2026-06-14T04:04:00.000Z",
    "recorded_at": "2026-06-14T04:04:00.000Z",
}
HOLD: Final[dict[str, Any]] = {
    "id": "hold_4xqmz4tv8e9m3fbhx7k2rcw6ya",
    "object": "hold",
    "key": "message-83",
    "wallet": "wlt_01h455vb4pex5vsknk084sn02q",
    "unit": "usd-credit",
    "amount": "5.000000",
    "reserved": [{"grant": "grant_01h455vb4pex5vsknk084sn02q", "amount": "5.000000"}],
    "settled": None,
    "status": "open",
    "feature": "chat",
    "rule": "draw-order@2",
    "spend": None,
    "expires_at": "2026-06-14T05:04:00.000Z",
    "created_at": "2026-06-14T04:04:00.000Z",
    "ended_at": None,
}
REFUSED_SPEND: Final[dict[str, Any]] = {
    "type": "/docs/errors#insufficient_credits",
    "title": "Insufficient credits",
    "status": 402,
    "code": "insufficient_credits",
    "detail": "20.000000 usd-credit were asked for; 17.500000 usd-credit can be spent on it.",
    "retryable": False,
    "param": "amount",
    "remedy": "Let the customer buy credits, then send the same request again.",
}
CORRECTION: Final = {
    "object": "correction",
    "spend": f"spnd_{SUFFIX}",
    "number": 1,
    "wallet": WALLET_ID,
    "unit": "usd-credit",
    "amount": "2.500000",
    "returns": [{"grant": f"grant_{SUFFIX}", "amount": "2.500000"}],
    "debt": "0.000000",
    "written_off": "0.000000",
    "left": "10.000000",
    "explain": f"/v1/decisions/{DECISION_ID}",
}
EXAMPLES: Final[dict[str, Any]] = {
    "Spend": SPEND,
    "Correction": CORRECTION,
    "Hold": HOLD,
    "HoldAnswers": {
        "data": [
            {"key": "message-83", "status": 201, "hold": HOLD},
            {"key": "message-82", "status": 402, "error": REFUSED_SPEND},
        ]
    },
    "SpendAnswers": {
        "data": [
            {"key": "message-81", "status": 201, "spend": SPEND},
            {"key": "message-82", "status": 402, "error": REFUSED_SPEND},
        ]
    },
    "WalletBalance": BALANCE,
    "StatementRow": STATEMENT_ROW,
    "Customer": CUSTOMER,
    "PaymentMethod": METHOD,
    "Wallet": WALLET,
    "Grant": GRANT,
    "Unit": {"code": "usd-credit", "object": "unit", "scale": 6, "face": _usd(100)},
    "Invoice": INVOICE,
    "Payment": PAYMENT,
    "Purchase": PURCHASE,
    "PendingLine": PENDING_LINE,
    "AutoTopup": AUTO_TOPUP,
    "Pack": PACK,
    "PurchasePolicy": POLICY,
    "Catalogue": CATALOGUE,
    "CustomerState": {
        "object": "customer_state",
        "customer": CUSTOMER,
        "payment_methods": [METHOD],
        "wallets": [WALLET],
        "auto_topups": [AUTO_TOPUP],
        "open_invoices": [INVOICE],
        "amounts_due": [_usd(10000)],
        "restrictions": [],
    },
    "Decision": DECISION,
    "ProviderEvent": {
        "id": NEWS_ID,
        "object": "provider_event",
        "source": "webhook",
        "kind": "payment_intent.succeeded",
        "status": "decided",
        "deliveries": 2,
        "decision": {"id": DECISION_ID, "outcome": "applied", "reason": "intent_settled", "sentence": SENTENCE},
        "received_at": AT,
    },
    "Event": {
        "id": f"evnt_{SUFFIX}",
        "object": "event",
        "kind": "invoice.paid",
        "customer": CUSTOMER_ID,
        "sequence": 4,
        "subject": INVOICE_ID,
        "data": {"total_minor": 10000, "currency": "USD"},
        "created_at": AT,
    },
    "Case": {
        "id": f"case_{SUFFIX}",
        "object": "case",
        "question": "money_unexplained",
        "subject": "pi_3PqTxUcPNvn8f2S4d0",
        "detail": "A payment of 12.00 USD belongs to no invoice of ours.",
        "status": "open",
        "customer": None,
        "opened_at": AT,
        "resolved_at": None,
        "resolution": None,
        "note": None,
    },
    "Explanation": {
        "object": "explanation",
        "id": INVOICE_ID,
        "subject": INVOICE,
        "finding": SENTENCE,
        "equation": {"terms": []},
        "entries": [],
        "timeline": [],
        "as_of": AT,
    },
    "TestClock": {"object": "test_clock", "now": AT, "ahead_s": 172800},
    "Preview": {
        "object": "preview",
        "outcome": "act",
        "reason": "payment_launched",
        "sentence": "Credits reserve 30.00 USD of INV-000001; the provider is asked for the remaining 70.00 USD.",
        "entries": [],
        "messages": [],
        "effects": [],
    },
}
LISTED: Final = {f"List_{name}_": {"data": [example], "next_cursor": None} for name, example in EXAMPLES.items()}
