"""API processes and the database are killed again and again while people spend from wallets that run dry.

Nothing that was accepted is lost, nothing is spent twice, nothing goes below zero: the answers that people hold, the
journal and the lots say the same.
"""

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from counterfoil.store.server import EmbeddedPostgres
from doors.cli.commands import Process, data_directory, ended, started
from doors.spending.till import Till, Wallet, busy

ENV: Final = {
    "COUNTERFOIL_STRIPE_API_KEY": "sk_test_mine",
    "COUNTERFOIL_STRIPE_API_BASE": "http://127.0.0.1:9",
    "COUNTERFOIL_STRIPE_WEBHOOK_SECRET": "whsec_mine",
}
PROCESSES: Final = 2
LOTS: Final = ("20", "35.5", "60")
GRANTED: Final = sum(map(Decimal, LOTS))
AGAIN: Final = 60
"""How many of the accepted keys are sent once more when all is over."""
SCALE: Final = 10**6


@dataclass(slots=True)
class Premises:
    """API processes on one embedded database, each of which may be killed and comes back."""

    home: Path
    stack: ExitStack
    processes: list[Process] = field(default_factory=list)

    def open(self, number: int) -> None:
        """Start processes side by side."""
        self.processes = [self._start() for _ in range(number)]

    def _start(self) -> Process:
        return self.stack.enter_context(started(self.home, "api", "--port", "0", **ENV))

    @property
    def urls(self) -> list[str]:
        """Where they answer."""
        return [each.url for each in self.processes]

    def kill_one(self, till: Till, number: int) -> None:
        """Kill a process and start another in its place."""
        self.processes[number].stop(signal.SIGKILL)
        self.processes[number] = self._start()
        till.urls[number] = self.processes[number].url

    def kill_database(self) -> None:
        """Kill the server. The processes that use it start it again by themselves."""
        pid = int((EmbeddedPostgres(self.home).layout.cluster / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)


def live(premises: Premises, till: Till, kills: int, chance: random.Random) -> None:
    """Let the spending go on for a while before each kill, and after the last."""
    for number in range(kills):
        time.sleep(chance.uniform(0.5, 1.2))
        if number % 3 == 1:
            premises.kill_database()
            time.sleep(1.0)
        else:
            premises.kill_one(till, number % PROCESSES)
    time.sleep(1.0)


def drawn_from(home: Path) -> list[dict[str, Any]]:
    """Give every row of the journal that a spend wrote, as the export tells it."""
    exported = ended(home, "export", "journal", "--format", "jsonl", **ENV)
    rows = [json.loads(line) for line in exported.out.splitlines()]
    return [row for row in rows if row["credit"] == "used"]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("kills", "people"), [(3, 4), pytest.param(60, 12, marks=pytest.mark.soak)])
def test_whoever_is_killed_every_accepted_use_is_in_the_journal_once(kills: int, people: int) -> None:
    chance, stop = random.Random(kills), threading.Event()
    with data_directory() as home, ExitStack() as stack:
        premises = Premises(home, stack)
        premises.open(PROCESSES)
        key = ended(home, "keys", "create", "--scopes", "read,write,spend", **ENV).out.strip()
        till = Till(key, premises.urls)
        wallets = [till.open_wallet(f"w{n}", LOTS, chance) for n in range(max(3, kills // 3))]
        threads = busy(till, wallets, people, kills, stop)
        live(premises, till, kills, chance)
        stop.set()
        for each in threads:
            each.join(120)
        assert not till.failures, till.failures
        for name in chance.sample(sorted(till.accepted), min(len(till.accepted), AGAIN)):
            till.again(name, chance)
        check_journal(till, wallets, drawn_from(home))
        verified = ended(home, "verify", "--json", **ENV)

    assert verified.code == 0, verified.out
    assert till.accepted
    assert till.replayed


def check_journal(till: Till, wallets: list[Wallet], rows: list[dict[str, Any]]) -> None:
    """What people were told is what is booked: each use once, no more than was granted, and all of its draws."""
    spent = {answer["id"]: Decimal(answer["amount"]) for answer in till.accepted.values()}
    booked: Counter[str] = Counter()
    for row in rows:
        booked[row["subject"]] += row["amount"]
    assert {name: Decimal(units) / SCALE for name, units in booked.items()} == spent
    for wallet in wallets:
        of_wallet = [each for each in till.accepted.values() if each["wallet"] == wallet.id]
        total = sum(Decimal(each["amount"]) for each in of_wallet)
        assert total <= GRANTED
        # Every use saw a balance of its own, and the last one is what was left.
        balances = [Decimal(each["balance_after"]) for each in of_wallet]
        assert len(set(balances)) == len(balances)
        assert min(balances, default=GRANTED) == GRANTED - total
