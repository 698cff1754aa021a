"""Example answers about papers, for the OpenAPI document."""

from typing import Any, Final

from counterfoil.engine.views import money

SUFFIX: Final = "01h455vb4pex5vsknk084sn02q"
AT: Final = "2026-06-14T04:04:00.000Z"


def _usd(minor: int) -> dict[str, Any]:
    return money(minor, "USD")


PAPERS: Final[dict[str, Any]] = {
    "Document": {
        "id": f"doc_{SUFFIX}",
        "object": "document",
        "kind": "invoice",
        "number": "INV-000001",
        "subject": f"inv_{SUFFIX}",
        "customer": f"cust_{SUFFIX}",
        "language": "en",
        "sha256": "6e9b3f316e9b3f316e9b3f316e9b3f316e9b3f316e9b3f316e9b3f316e9b3f31",
        "size": 2191,
        "created_at": AT,
    },
    "Seller": {
        "object": "seller",
        "version": 1,
        "name": "Acme GmbH",
        "address": ["Lange Strasse 12", "10115 Berlin"],
        "tax_id": "DE123456788",
        "email": "billing@acme.example",
        "colour": "#1f4f46",
        "note": "",
    },
    "ClosedMonth": {
        "object": "closed_month",
        "month": "2026-05",
        "ends_at": "2026-06-01T00:00:00.000Z",
        "closed_at": AT,
        "postings": 1,
    },
    "MonthFigures": {
        "object": "month",
        "month": "2026-05",
        "starts_at": "2026-05-01T00:00:00.000Z",
        "ends_at": "2026-06-01T00:00:00.000Z",
        "status": "closed",
        "closed_at": AT,
        "trial_balance": [
            {
                "account": "deferred_revenue",
                "unit": "USD",
                "opening": _usd(0),
                "debits": _usd(0),
                "credits": _usd(5000),
                "closing": _usd(-5000),
                "entries": "/v1/months/2026-05/entries?account=deferred_revenue&unit=USD",
            },
            {
                "account": "receivable",
                "unit": "USD",
                "opening": _usd(0),
                "debits": _usd(5000),
                "credits": _usd(0),
                "closing": _usd(5000),
                "entries": "/v1/months/2026-05/entries?account=receivable&unit=USD",
            },
        ],
        "totals": [{"unit": "USD", "debits": _usd(5000), "credits": _usd(5000), "fits": True}],
        "roll_forwards": [
            {
                "kind": "deferred_revenue",
                "unit": "USD",
                "opening": _usd(0),
                "lines": [{"line": "billed", "amount": _usd(5000)}],
                "closing": _usd(5000),
                "fits": True,
            }
        ],
        "postings": 1,
    },
    "MonthEntries": {
        "data": [
            {
                "object": "posting",
                "entry": f"invoice:inv_{SUFFIX}:finalized",
                "n": 1,
                "debit": f"receivable:cust_{SUFFIX}",
                "credit": "deferred_revenue",
                "amount": _usd(5000),
                "subject": f"inv_{SUFFIX}",
                "decision": f"dec_{SUFFIX}",
                "occurred_at": "2026-05-04T09:00:00.000Z",
                "effective_at": "2026-05-04T09:00:00.000Z",
                "recorded_at": "2026-05-04T09:00:00.000Z",
            }
        ],
        "next_after": None,
    },
    "NumberSeries": {"object": "number_series", "series": "invoice", "prefix": "INV-", "last": 41},
}
