"""Example answers about papers, for the OpenAPI document."""

from typing import Any, Final

SUFFIX: Final = "01h455vb4pex5vsknk084sn02q"
AT: Final = "2026-06-14T04:04:00.000Z"

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
    "NumberSeries": {"object": "number_series", "series": "invoice", "prefix": "INV-", "last": 41},
}
