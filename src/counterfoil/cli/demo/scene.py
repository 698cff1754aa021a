"""What stories about credits begin with: customers with wallets, and many who ask at the same moment."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from counterfoil.cli.demo.caller import CallRefused
from counterfoil.cli.demo.waiting import until

if TYPE_CHECKING:
    from counterfoil.cli.demo.stage import Stage

UNIT: Final = "demo-credits"
SCALE: Final = 6
ONE: Final = 10**SCALE
"""One credit, in the units of the books."""


def customer(stage: "Stage", name: str, *, card: str | None = None) -> str:
    """Bring in a customer, with a saved card where one is named."""
    mark = stage.house.new_id("customer")[-6:]
    made = stage.caller.post("/v1/customers", {"name": f"{name} {mark}", "email": f"{name.lower()}-{mark}@example.com"})
    identity: str = made["id"]
    if card:
        method(stage, identity, card)
    return identity


def method(stage: "Stage", customer: str, token: str) -> str:
    """Save a card or a bank account, as the default."""
    wanted = {"customer": customer, "token": token, "default": True}
    saved: str = stage.caller.post("/v1/payment-methods", wanted)["id"]
    until(lambda: stage.caller.get(f"/v1/payment-methods/{saved}")["status"] == "saved", "the method is saved")
    return saved


def invoice(stage: "Stage", customer: str, minor: int) -> str:
    """Bill a customer, in dollars."""
    line = {"description": "Pro plan", "net": minor}
    identity: str = stage.caller.post("/v1/invoices", {"customer": customer, "currency": "USD", "lines": [line]})["id"]
    stage.caller.post(f"/v1/invoices/{identity}/finalize", key=f"demo-finalize-{identity}")
    return identity


def pegged_wallet(stage: "Stage", customer: str, amount: str) -> str:
    """Open a wallet of credits that pay invoices, a dollar each, with a gift in it."""
    identity: str = stage.caller.post("/v1/wallets", {"customer": customer, "unit": "usd-credit"})["id"]
    gift = {"amount": amount, "source": "promotional"}
    stage.caller.post(f"/v1/wallets/{identity}/grants", gift, key=f"demo-gift-{identity}")
    return identity


def wallet(stage: "Stage", customer: str, amount: str | None = None) -> str:
    """Open a wallet of credits, with a gift in it where one is named."""
    stage.caller.post("/v1/units", {"code": UNIT, "scale": SCALE})
    identity: str = stage.caller.post("/v1/wallets", {"customer": customer, "unit": UNIT})["id"]
    if amount:
        gift = {"amount": amount, "source": "promotional"}
        stage.caller.post(f"/v1/wallets/{identity}/grants", gift, key=f"demo-gift-{identity}")
    return identity


def available(stage: "Stage", wallet: str) -> str:
    """Give what a wallet can spend."""
    return plain(stage.caller.get(f"/v1/wallets/{wallet}")["available"]["quantity"])


def plain(quantity: str) -> str:
    """Write a quantity without the zeros that a fine scale leaves behind."""
    return f"{Decimal(quantity).normalize():f}"


def statement(stage: "Stage", wallet: str, kind: str) -> list[dict[str, Any]]:
    """Give the movements of a kind in a wallet."""
    rows = stage.caller.get(f"/v1/wallets/{wallet}/statement?limit=200")["data"]
    return [row for row in rows if kind in row["kinds"]]


def at_once(count: int, ask: Callable[[int], Any]) -> list[Any]:
    """Have many ask at the same moment. Gives each answer, or the refusal as a value, in the order of their numbers."""
    gate = threading.Barrier(count)

    def one(number: int) -> Any:
        gate.wait()
        try:
            return ask(number)
        except CallRefused as refused:
            return refused

    with ThreadPoolExecutor(count) as crowd:
        return list(crowd.map(one, range(count)))
