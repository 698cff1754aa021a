"""Everything is killed again and again while customers pay, and the provider's calls and events go wrong meanwhile.

Real processes, a real Postgres, HTTP on both sides. In the end each invoice was paid once, and the provider agrees.
"""

import json
import random
import signal
import threading
import time
import urllib.error
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from doors.cli.api import Refused, call, control
from doors.cli.commands import ended, started

INVOICES: Final = 2
CREDITS, PRICE = 3000, 5000
GIVE_UP_S: Final = 240.0
TROUBLE: Final = ("drop", "duplicate", "duplicate_as_new")
LOST: Final = ("timeout_after", "timeout_before", "reset")


@dataclass(slots=True)
class Shop:
    """Where the program answers now, and what customers got."""

    url: str = ""
    key: str = ""
    paid: list[str] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)

    def ask(self, path: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send a command under one key until it is answered: the program may be gone, or be killed in the middle."""
        end = time.monotonic() + GIVE_UP_S
        while True:
            try:
                answer: dict[str, Any] = call(self.url, self.key, "POST", path, body, Idempotency_Key=name)
            except Refused as refused:
                if refused.status not in (409, 500, 503):
                    raise
            except (urllib.error.URLError, ConnectionError, TimeoutError, json.JSONDecodeError):
                pass
            else:
                return answer
            assert time.monotonic() < end, f"{name} was never answered"
            time.sleep(0.3)

    def buy(self, number: int) -> None:
        """A customer comes, and pays invoices by a gift of credits and a card."""
        try:
            self._buy(number)
        except BaseException as failure:
            self.failures.append(failure)

    def _buy(self, number: int) -> None:
        customer = self.ask("/v1/customers", f"customer-{number}", {"name": f"Customer {number}"})["id"]
        card = {"customer": customer, "token": "pm_card_visa", "default": True}
        self.ask("/v1/payment-methods", f"card-{number}", card)
        wallet = self.ask("/v1/wallets", f"wallet-{number}", {"customer": customer, "unit": "usd-credit"})["id"]
        self.ask(f"/v1/wallets/{wallet}/grants", f"gift-{number}", {"source": "promotional", "amount": "30"})
        for each in range(INVOICES):
            lines = [{"kind": "flat_fee", "description": "Pro", "net": PRICE}]
            draft = {"customer": customer, "currency": "USD", "lines": lines}
            invoice = self.ask("/v1/invoices", f"invoice-{number}-{each}", draft)["id"]
            self.ask(f"/v1/invoices/{invoice}/finalize", f"final-{number}-{each}", {})
            self._settle(invoice, f"pay-{number}-{each}")

    def _settle(self, invoice: str, name: str) -> None:
        """Pay, and ask again with the same key until the answer is final."""
        end = time.monotonic() + GIVE_UP_S
        while True:
            try:
                status = self.ask(f"/v1/invoices/{invoice}/pay", name, {})["status"]
            except Refused as refused:
                if "no_payment_method" not in str(refused):
                    raise
                # The card is still being saved. What was refused stays refused under its key.
                name += "+"
                status = ""
            if status == "succeeded":
                self.paid.append(invoice)
                return
            assert time.monotonic() < end, f"{invoice} was never paid"
            time.sleep(0.3)


def make_trouble(sandbox: str, chance: random.Random) -> None:
    """Let one of the next events and one of the next calls go wrong."""
    event = {"match": {"event": "*", "nth": chance.randint(1, 5)}, "do": chance.choice(TROUBLE)}
    lost = {"match": {"method": "POST", "path": "/v1/payment_intents*", "nth": chance.randint(1, 3)}}
    control(sandbox, "POST", "/_sandbox/faults", event)
    control(sandbox, "POST", "/_sandbox/faults", {**lost, "do": chance.choice(LOST), "hang_s": 0})


def run(home: Path, shop: Shop, kills: int, customers: int, chance: random.Random) -> None:
    """Start the program, let it live for a while and kill it, and again; the last time it stays until all is paid."""
    buyers: list[threading.Thread] = []
    for life in range(kills + 1):
        with started(home, "up", "--port", "0", "--sandbox-port", "0", "--json") as up:
            told = json.loads(up.line(""))
            shop.url, shop.key = up.url, told["api_key"]
            if life < kills:
                make_trouble(told["sandbox"], chance)
                buyers = buyers or open_doors(shop, customers)
                time.sleep(chance.uniform(2.0, 6.0))
                up.stop(signal.SIGKILL)
                continue
            for each in buyers:
                each.join(GIVE_UP_S)
            control(told["sandbox"], "DELETE", "/_sandbox/faults")
            assert ended(home, "reconcile", "--json").code == 0
            charges = control(told["sandbox"], "GET", "/_sandbox/journal?kind=charge")
            assert up.stop() == 0
    assert not shop.failures, shop.failures
    assert len(shop.paid) == len(buyers) * INVOICES
    assert sum(each["amount"] for each in charges) == len(buyers) * (INVOICES * PRICE - CREDITS)


def open_doors(shop: Shop, customers: int) -> list[threading.Thread]:
    """Let customers in."""
    buyers = [threading.Thread(target=shop.buy, args=(number,)) for number in range(customers)]
    for each in buyers:
        each.start()
    return buyers


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("kills", "customers"), [(2, 4), pytest.param(40, 24, marks=pytest.mark.soak)])
def test_whoever_is_killed_every_invoice_is_paid_once_and_the_provider_agrees(
    home: Path, kills: int, customers: int
) -> None:
    run(home, Shop(), kills, customers, random.Random(kills))

    verified = ended(home, "verify", "--json")
    assert verified.code == 0, verified.out
