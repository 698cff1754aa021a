"""Bill a customer: 30 credits first, the card for the rest. Needs `make up` and its key in COUNTERFOIL_KEY."""

import os

import httpx2

api = httpx2.Client(
    base_url=os.environ.get("COUNTERFOIL_URL", "http://127.0.0.1:4747"),
    headers={"Authorization": f"Bearer {os.environ['COUNTERFOIL_KEY']}"},
    timeout=30,
)


def post(path: str, key: str, **body: object) -> dict[str, object]:
    """Send a command; the same key never does it twice."""
    response = api.post(path, json=body, headers={"Idempotency-Key": key, "Prefer": "wait=10"})
    return dict(response.raise_for_status().json())


dana = post("/v1/customers", "dana", name="Dana", email="dana@example.com", external_id="user-1")
post("/v1/payment-methods", "dana-card", customer=dana["id"], token="pm_card_visa", default=True)
wallet = post("/v1/wallets", "dana-wallet", customer=dana["id"], unit="usd-credit")
post(f"/v1/wallets/{wallet['id']}/grants", "gift", source="promotional", amount="30")
line = {"kind": "flat_fee", "description": "Pro, June", "net": 10000}
invoice = post("/v1/invoices", "june", customer=dana["id"], currency="USD", lines=[line])
post(f"/v1/invoices/{invoice['id']}/finalize", "june-final")
payment = post(f"/v1/invoices/{invoice['id']}/pay", "june-pay")
print(payment["status"], "-", api.get(f"/v1/explain/{invoice['id']}").json()["finding"])
