"""A few calls of the HTTP API, as an application makes them."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

WITHIN_S = 30.0


class Refused(Exception):
    """The API answered with an error."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"{status}: {body.decode(errors='replace')}")
        self.status = status


def call(url: str, key: str, method: str, path: str, body: dict[str, Any] | None = None, **headers: str) -> Any:
    """Make one call and read its answer. Raises Refused."""
    data = None if body is None else json.dumps(body).encode()
    told = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url + path, data, told, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            raise Refused(error.code, error.read()) from None


def control(url: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Ask a sandbox's control plane; lines of JSON come as a list."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url + path, data, method=method), timeout=30) as answer:
        text = answer.read().decode()
    if path.startswith("/_sandbox/journal"):
        return [json.loads(line) for line in text.splitlines()]
    return json.loads(text)


def customer_with_invoice(url: str, key: str, net: int = 10_000) -> tuple[str, str]:
    """Make a customer with a saved card and a finalized invoice; give both ids."""
    customer = call(url, key, "POST", "/v1/customers", {"name": "Dana"})["id"]
    wanted = {"customer": customer, "token": "pm_card_visa", "default": True}
    method = call(url, key, "POST", "/v1/payment-methods", wanted)["id"]
    eventually(lambda: call(url, key, "GET", f"/v1/payment-methods/{method}")["status"] == "saved")
    lines = [{"kind": "flat_fee", "description": "Pro", "net": net}]
    invoice = call(url, key, "POST", "/v1/invoices", {"customer": customer, "currency": "USD", "lines": lines})["id"]
    call(url, key, "POST", f"/v1/invoices/{invoice}/finalize", {}, Idempotency_Key=f"finalize-{invoice}")
    return customer, invoice


def pay(url: str, key: str, invoice: str) -> Any:
    """Pay an invoice."""
    return call(url, key, "POST", "/v1/payments", {"invoices": [invoice]}, Idempotency_Key=f"pay-{invoice}")


def eventually(holds: Callable[[], object]) -> None:
    """Wait until something holds; fail after half a minute."""
    end = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.05)
