"""Several API processes serve one wallet: nobody gets what somebody else got, and nobody stands in anybody's way."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from doors.cli.api import Refused, call
from doors.cli.commands import data_directory, ended, started
from doors.spending.till import Till, busy

MANY: Final = 50
ENV: Final = {
    "COUNTERFOIL_MASTER_KEY": "a-master-key-of-tests",
    "COUNTERFOIL_STRIPE_API_KEY": "sk_test_mine",
    "COUNTERFOIL_STRIPE_API_BASE": "http://127.0.0.1:9",
    "COUNTERFOIL_STRIPE_WEBHOOK_SECRET": "whsec_mine",
}

Open = Callable[[int], Till]


@pytest.fixture
def home() -> Iterator[Path]:
    with data_directory() as place:
        yield place


@pytest.fixture
def open_till(home: Path, database: str) -> Iterator[Open]:
    """Starts so many API processes on one database."""
    env = {"DATABASE_URL": database, **ENV}
    with ExitStack() as stack:

        def open_till(processes: int) -> Till:
            running = [stack.enter_context(started(home, "api", "--port", "0", **env)) for _ in range(processes)]
            key = ended(home, "keys", "create", "--scopes", "read,write,spend", **env).out.strip()
            return Till(key, [each.url for each in running])

        yield open_till


def all_at_once(till: Till, path: str, body: Callable[[int], dict[str, Any]]) -> Counter[int]:
    """Send so many requests in one moment, each to one of the processes; count their answers by status."""
    together = threading.Barrier(MANY)

    def send(number: int) -> int:
        together.wait()
        url = till.urls[number % len(till.urls)]
        try:
            call(url, till.key, "POST", path, body(number))
        except Refused as refused:
            return refused.status
        return 201

    with ThreadPoolExecutor(MANY) as crowd:
        return Counter(crowd.map(send, range(MANY)))


def test_of_fifty_who_want_the_last_unit_one_gets_it_whichever_process_they_ask(open_till: Open) -> None:
    """Incident: parallel answers of an assistant each checked the balance and then spent it."""
    till = open_till(2)
    wallet = till.open_wallet("dana", ("1",), random.Random(1))

    answers = all_at_once(till, "/v1/spends", lambda n: {"key": f"last-{n}", "wallet": wallet.id, "amount": "1"})

    assert answers == {201: 1, 402: MANY - 1}


def test_of_fifty_who_hold_the_last_unit_one_holds_it_and_its_release_frees_it(open_till: Open) -> None:
    till = open_till(2)
    wallet = till.open_wallet("dana", ("1",), random.Random(1))
    held: list[str] = []

    def hold(n: int) -> dict[str, Any]:
        return {"key": f"hold-{n}", "wallet": wallet.id, "amount": "1"}

    first = all_at_once(till, "/v1/holds", hold)
    spent = all_at_once(till, "/v1/spends", lambda n: {"key": f"early-{n}", "wallet": wallet.id, "amount": "1"})
    held += [each["id"] for each in call(till.urls[0], till.key, "GET", f"/v1/holds?wallet={wallet.id}")["data"]]
    call(till.urls[1], till.key, "POST", f"/v1/holds/{held[0]}/release", {})
    after = all_at_once(till, "/v1/spends", lambda n: {"key": f"late-{n}", "wallet": wallet.id, "amount": "1"})

    assert first == {201: 1, 402: MANY - 1}
    assert spent == {402: MANY}
    assert len(held) == 1
    assert after == {201: 1, 402: MANY - 1}


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_side_by_side_on_one_wallet_give_no_wrong_answer_and_never_deadlock(
    open_till: Open, database: str, processes: int
) -> None:
    chance, stop = random.Random(processes), threading.Event()
    till = open_till(processes)
    wallets = [till.open_wallet("hot", ("100", "200", "100000"), chance)]

    threads = busy(till, wallets, 2 * processes, processes, stop)
    stop.wait(4.0)
    stop.set()
    for each in threads:
        each.join(60)

    assert not till.failures, till.failures
    assert not till.refused
    balances = [Decimal(each["balance_after"]) for each in till.accepted.values()]
    total = sum(Decimal(each["amount"]) for each in till.accepted.values())
    assert len(set(balances)) == len(balances)
    assert min(balances) == Decimal("100300") - total
    with psycopg.connect(database) as connection:
        row = connection.execute(
            "select (select count(distinct spend) from draw), deadlocks from pg_stat_database "
            "where datname = current_database()"
        ).fetchone()
    assert row == (len(till.accepted), 0)
