"""People who spend through real API processes, and remember every answer they were given."""

import json
import random
import threading
import time
import urllib.error
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from doors.cli.api import Refused, call

UNIT: Final = "usd-credit"
GIVE_UP_S: Final = 240.0
TRY_AGAIN: Final = (409, 500, 503)


@dataclass(frozen=True, slots=True)
class Wallet:
    """A wallet and its customer."""

    id: str
    customer: str


@dataclass(slots=True)
class Till:
    """Where the API answers now, and what was spent as far as people were told."""

    key: str
    urls: list[str]
    accepted: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: int = 0
    replayed: int = 0
    failures: list[BaseException] = field(default_factory=list)

    def ask(self, path: str, body: dict[str, Any], chance: random.Random, key: str | None = None) -> dict[str, Any]:
        """Send one request until it is answered, each try to whichever process: any may be gone, or go meanwhile."""
        told = {"Idempotency_Key": key} if key else {}
        end = time.monotonic() + GIVE_UP_S
        while True:
            try:
                answer: dict[str, Any] = call(chance.choice(self.urls), self.key, "POST", path, body, **told)
            except Refused as refused:
                if refused.status not in TRY_AGAIN:
                    raise
            except (urllib.error.URLError, ConnectionError, TimeoutError, json.JSONDecodeError, OSError):
                pass
            else:
                return answer
            assert time.monotonic() < end, f"{body} was never answered"
            time.sleep(0.05)

    def open_wallet(self, name: str, lots: Sequence[str], chance: random.Random) -> Wallet:
        """Make a customer with a wallet of several lots."""
        customer = self.ask("/v1/customers", {"name": name}, chance, f"customer-{name}")["id"]
        wallet = self.ask("/v1/wallets", {"customer": customer, "unit": UNIT}, chance, f"wallet-{name}")["id"]
        for n, amount in enumerate(lots):
            lot = {"source": "promotional", "amount": amount, "priority": 10 * (n + 1)}
            self.ask(f"/v1/wallets/{wallet}/grants", lot, chance, f"lot-{name}-{n}")
        return Wallet(wallet, customer)

    def spend(self, wallet: Wallet, key: str, amount: str, chance: random.Random) -> bool:
        """Spend once, and again with the same key until it is answered. False when it was refused."""
        body = {"key": key, "wallet": wallet.id, "amount": amount}
        self.asked[key] = body
        try:
            answer = self.ask("/v1/spends", body, chance)
        except Refused as refused:
            self._refuse(key, refused.status)
            return False
        self._keep(key, answer)
        return True

    def spend_together(self, wallet: Wallet, keys: Sequence[str], amount: str, chance: random.Random) -> None:
        """Spend several times by one request; each has an answer of its own."""
        bodies = [{"key": key, "wallet": wallet.id, "amount": amount} for key in keys]
        self.asked |= {body["key"]: body for body in bodies}
        answers = self.ask("/v1/spends", {"spends": bodies}, chance)["data"]
        assert [each["key"] for each in answers] == list(keys)
        for each in answers:
            if each["status"] == 201:
                self._keep(each["key"], each["spend"])
            else:
                self._refuse(each["key"], each["status"])

    def again(self, key: str, chance: random.Random) -> None:
        """Send what was accepted once more: the answer is the first one, whatever the wallet holds by now."""
        answer = self.ask("/v1/spends", self.asked[key], chance)
        assert answer == self.accepted[key], f"{key} was answered {self.accepted[key]}, and now {answer}"
        self.replayed += 1

    def _refuse(self, key: str, status: int) -> None:
        """A use may be refused for lack of credits, and never once it was accepted."""
        assert status == 402, f"{key} was refused with {status}"
        assert key not in self.accepted, f"{key} was accepted before"
        self.refused += 1

    def _keep(self, key: str, answer: dict[str, Any]) -> None:
        first = self.accepted.setdefault(key, answer)
        assert first == answer, f"{key} was answered {first}, and now {answer}"


@dataclass(slots=True)
class Spender:
    """One person who spends, sends things again, and now and then several at once, until told to stop."""

    till: Till
    wallets: Sequence[Wallet]
    name: str
    chance: random.Random
    stop: threading.Event
    number: int = 0

    def run(self) -> None:
        """Spend. What goes wrong is kept for the test."""
        try:
            while not self.stop.is_set():
                self._act()
        except BaseException as failure:
            self.till.failures.append(failure)

    def _act(self) -> None:
        wallet, amount = self.chance.choice(self.wallets), self.chance.choice(("1", "2.5", "0.000001", "7"))
        mine = [key for key in list(self.till.accepted) if key.startswith(f"{self.name}-")]
        if mine and self.chance.random() < 0.3:
            self.till.again(self.chance.choice(mine), self.chance)
        elif self.chance.random() < 0.2:
            self.till.spend_together(wallet, [self._key() for _ in range(5)], amount, self.chance)
        else:
            self.till.spend(wallet, self._key(), amount, self.chance)

    def _key(self) -> str:
        self.number += 1
        return f"{self.name}-{self.number}"


def busy(
    till: Till, wallets: Sequence[Wallet], people: int, seed: int, stop: threading.Event
) -> list[threading.Thread]:
    """Let so many people spend at once."""
    crew = [Spender(till, wallets, f"p{n}", random.Random(f"{seed}-{n}"), stop) for n in range(people)]
    threads = [threading.Thread(target=each.run) for each in crew]
    for each in threads:
        each.start()
    return threads
