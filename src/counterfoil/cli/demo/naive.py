"""The same tape against `examples/naive_handler.py`, on a sandbox account of its own: the guard "if it is not paid yet,
book it", read and then written. What became of it is read from its own store and from the provider's journal.
"""

import contextlib
import json
import sqlite3
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from counterfoil.cli import serving, stand_in
from counterfoil.cli.demo.mortal import Mortal
from counterfoil.cli.demo.tape import Tape
from counterfoil.cli.demo.waiting import DemoStuck, until
from counterfoil.cli.serving import progress

if TYPE_CHECKING:
    from counterfoil.cli.demo.sums import Sums
    from counterfoil.sandbox.server import SandboxServer

KEY: Final = "sk_test_naive"
CHARGE: Final = "/v1/payment_intents"
INVOICE: Final = "in_1"
RETRIES: Final = {"retry_delays_s": [3.0, 3.0, 3.0, 3.0], "retry_compression": 1.0}
HANDLER: Final = "naive_handler.py"


@dataclass(frozen=True, slots=True)
class Ending:
    """What really happened to the handler. Amounts are in minor units."""

    tape: Tape
    total: int
    charged: tuple[int, ...]
    bookings: tuple[int, ...]
    is_paid: bool
    credits_before: int
    credits_after: int
    calls: tuple[tuple[str, str], ...]
    deliveries: int
    restarts: int

    @property
    def damage(self) -> tuple[str, ...]:
        """Say what is wrong in the end, from the customer's and from the books' side."""
        taken, booked = sum(self.charged), sum(self.bookings)
        spent = self.credits_before - self.credits_after
        wrong = {
            f"the customer paid {_money(taken + spent)} for an invoice of {_money(self.total)}": taken + spent
            != self.total,
            f"the card was charged {len(self.charged)} times": len(self.charged) != 1,
            f"{_money(taken - booked)} that the provider took is in no book": taken > booked,
            f"{_money(booked - taken)} is booked that nobody paid": booked > taken,
            f"the credits went to {_money(self.credits_after)}": self.credits_after < 0,
            "the invoice is still open": not self.is_paid,
        }
        return tuple(what for what, holds in wrong.items() if holds)


def play(tape: Tape, sums: "Sums") -> Ending:
    """Play the tape against the handler to its end."""
    from counterfoil.sandbox.server import SandboxServer

    with tempfile.TemporaryDirectory(prefix="counterfoil-naive-") as home, SandboxServer() as server:
        store = Path(home) / "naive.sqlite"
        port = _free_port()
        account = _introduce(server, store, sums, port)
        handler = _handler(server.url, store, port, Path(home))
        handler.launch()
        try:
            handler.await_ready()
            for rule in (*tape.notices(account), *tape.charge(account, CHARGE)):
                _ask(server, "POST", "/_sandbox/faults", dict(rule))
            _act(server, handler, tape, port)
            return _read(server, store, tape, sums, handler)
        finally:
            handler.stop()


def _act(server: "SandboxServer", handler: Mortal, tape: Tape, port: int) -> None:
    """Pay, kill the handler between charge and booking, start it again; the shop asks until it is answered."""
    progress("The shop asks the handler to charge the card …")
    with _shop(f"http://127.0.0.1:{port}/pay"):
        until(lambda: _charges(server), "the provider charges the card")
        handler.kill()
        _ask(server, "DELETE", "/_sandbox/faults")
        progress(f"Killed the handler {tape.kill}; starting it again …")
        handler.restart()
    progress("Waiting for the last of the news …")
    until(lambda: not _ask(server, "GET", "/_sandbox/deliveries")["waiting"], "every event is delivered")


@contextlib.contextmanager
def _shop(url: str) -> Iterator[None]:
    """An application that asks to be paid, and asks again when its connection breaks. Most do."""
    stop, answered = threading.Event(), threading.Event()

    def ask() -> None:
        body = json.dumps({"invoice": INVOICE}).encode()
        while not stop.is_set() and not answered.is_set():
            try:
                with urllib.request.urlopen(url, body, timeout=30):  # noqa: S310 -- the handler that we started
                    answered.set()
            except OSError:
                stop.wait(0.02)

    thread = threading.Thread(target=ask, name="shop")
    thread.start()
    try:
        yield
        until(answered.is_set, "the handler answers the shop")
    finally:
        stop.set()
        thread.join()


def _introduce(server: "SandboxServer", store: Path, sums: "Sums", port: int) -> str:
    """Give the handler a customer with a card, credits and an invoice, and have its events sent to it."""
    customer = _ask(server, "POST", "/v1/customers", {"email": "dana@example.com"})["id"]
    card = _ask(server, "POST", "/v1/payment_methods/pm_card_visa/attach", {"customer": customer})["id"]
    with contextlib.closing(sqlite3.connect(store)) as db, db:
        db.execute("pragma journal_mode = wal")
        db.execute("create table invoice (total integer, paid integer, customer text, card text)")
        db.execute("create table wallet (balance integer)")
        db.execute("create table booking (intent text, amount integer)")
        db.execute("create table log (kind text, event text, did text)")
        db.execute("insert into invoice values (?, 0, ?, ?)", (sums.total, customer, card))
        db.execute("insert into wallet values (?)", (sums.credits,))
    _ask(server, "POST", "/_sandbox/settings", RETRIES)
    hook = {"api_key": KEY, "url": f"http://127.0.0.1:{port}/webhook", "enabled_events": ["*"]}
    _ask(server, "POST", "/_sandbox/webhook_endpoints", hook)
    return str(_ask(server, "GET", "/v1/account")["id"])


def _handler(url: str, store: Path, port: int, home: Path) -> Mortal:
    env = {"STRIPE_API_KEY": KEY, "STRIPE_API_BASE": url, "NAIVE_DB": str(store), "PORT": str(port)}
    return Mortal((sys.executable, str(handler_path())), env, home / "handler.log")


def handler_path() -> Path:
    """Find the example: inside an installed package, or beside its sources. Raises DemoStuck."""
    packaged = Path(str(files("counterfoil.cli.demo") / HANDLER))
    beside = Path(__file__).parents[4] / "examples" / HANDLER
    found = next((place for place in (packaged, beside) if place.is_file()), None)
    if found is None:
        raise DemoStuck(f"{HANDLER} is not installed with this program")
    return found


def _read(server: "SandboxServer", store: Path, tape: Tape, sums: "Sums", handler: Mortal) -> Ending:
    with contextlib.closing(sqlite3.connect(store)) as db:
        (paid,) = db.execute("select paid from invoice").fetchone()
        (balance,) = db.execute("select balance from wallet").fetchone()
        bookings = tuple(amount for (amount,) in db.execute("select amount from booking order by rowid"))
        calls = tuple(db.execute("select kind, did from log order by rowid"))
    finished = _ask(server, "GET", "/_sandbox/deliveries")["finished"]
    return Ending(
        tape=tape,
        total=sums.total,
        charged=tuple(line["amount"] for line in _charges(server)),
        bookings=bookings,
        is_paid=bool(paid),
        credits_before=sums.credits,
        credits_after=balance,
        calls=calls,
        deliveries=sum(each["attempts"] for each in finished),
        restarts=handler.restarts,
    )


def _charges(server: "SandboxServer") -> list[dict[str, Any]]:
    with server.locked() as core:
        return [line for line in core.journal() if line["kind"] == "charge"]


def _ask(server: "SandboxServer", method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    with server.locked() as core:
        return stand_in.ask(core, method, path, body, KEY)


def _free_port() -> int:
    listener = serving.listen("127.0.0.1", 0)
    with contextlib.closing(listener):
        return int(listener.getsockname()[1])


def _money(minor: int) -> str:
    return f"{'−' if minor < 0 else ''}${abs(minor) / 100:,.2f}"
