"""A whole house for tests: real Postgres, the real sandbox in this process, and a worker that is driven by hand.

Nothing runs by itself and no time passes by itself, so a story plays the same way every time. `pump` lets everything
happen that is due: deliveries of webhooks, notices, orders, sweeps.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

from counterfoil.core.books import GrantSource, LineKind
from counterfoil.core.ids import PREFIXES, InvoiceId, WalletId, typeid
from counterfoil.core.invoicing import NewLine
from counterfoil.core.launch import Launch
from counterfoil.core.wallets import Issue
from counterfoil.engine import claims, commands, intake, operations, phases, setup
from counterfoil.engine.house import House, Settings
from counterfoil.providers.stripe.adapter import StripePort
from counterfoil.providers.stripe.inprocess import InProcessClient
from counterfoil.sandbox.deliveries import Attempt
from counterfoil.sandbox.ports import SeededIds
from counterfoil.sandbox.sandbox import Sandbox
from counterfoil.sandbox.wire import Request
from counterfoil.sim.host import Host
from counterfoil.store import accounts
from counterfoil.store.accounts import Tenant
from counterfoil.store.database import Database
from counterfoil.store.secrets import SecretBox
from counterfoil.store.work import Claim

START: Final = datetime(2026, 6, 14, 4, 4, tzinfo=UTC)
SECRET: Final = "whsec_of_tests"
STRIPE_KEY: Final = "sk_test_house"
SANDBOX: Final = "http://sandbox.test"
SWEEP_EVERY: Final = timedelta(hours=1)
PATIENCE: Final = timedelta(seconds=30)
ROUNDS_MAX: Final = 1000
ONE_CREDIT: Final = 1_000_000


@dataclass(slots=True)
class HandClock:
    """A clock that only the test moves. The house and its sandbox share it; `offset` is business time alone."""

    at: datetime = START
    offset: timedelta = timedelta()

    def now(self) -> datetime:
        return self.at + self.offset

    def wall(self) -> datetime:
        return self.at

    def step(self, by: timedelta) -> None:
        self.at += by

    def __call__(self) -> float:
        return self.at.timestamp()


@dataclass(slots=True)
class CountedIds:
    """Ids that count up over all nouns, so that they are the same in every run."""

    numbers: "count[int]" = field(default_factory=lambda: count(1))

    def new(self, noun: str) -> str:
        return typeid(PREFIXES[noun], next(self.numbers))

    def secret(self) -> str:
        return f"secret{next(self.numbers)}"


@dataclass(slots=True)
class World:
    """A running house and its provider, with the hands that drive them.

    `key` is an API key with every scope. `charges()` is the provider's own word on what it took.
    """

    house: House
    tenant: Tenant
    key: str
    account: accounts.Account
    sandbox: Sandbox
    clock: HandClock
    lock: threading.RLock
    host: Host
    slug: str = "default"
    turned_away: list[intake.Rejected] = field(default_factory=list)

    # --- time and work ---

    def pump(self, patience: timedelta = PATIENCE) -> None:
        """Let everything happen that is due, and what is due within `patience` after that, until nothing is."""
        until = self.clock.at + patience
        for _ in range(ROUNDS_MAX):
            if self.deliver() + self.work():
                continue
            due = self._next_due()
            if due is None or due > until:
                return
            self.clock.step(max(due - self.clock.at, timedelta(milliseconds=1)))
        raise AssertionError(f"still busy after {ROUNDS_MAX} rounds")

    def deliver(self) -> int:
        """Hand in the webhooks that are due, and give how many."""
        with self.lock:
            attempts = [each for each in self.sandbox.due_deliveries() if each.url.endswith(f"/{self.slug}")]
        for each in attempts:
            accepted = self.hand_in(each)
            with self.lock:
                self.sandbox.record_attempt(each.delivery, 200 if accepted else 400)
        return len(attempts)

    def hand_in(self, attempt: Attempt) -> bool:
        """Post one delivery to the webhook door."""
        answer = intake.accept(self.house, self.slug, attempt.headers, attempt.body)
        if isinstance(answer, intake.Rejected):
            self.turned_away.append(answer)
        return isinstance(answer, intake.Accepted)

    def work(self) -> int:
        """Claim what is due and run it to its end, one flow after the other; give how many."""
        due = claims.claim_due(self.house)
        for each in due:
            self.run(each)
        return len(due)

    def run(self, claim: Claim) -> None:
        """Run the flow of one claim to its end."""
        phases.run(self.house, claims.begin(claim))

    def _next_due(self) -> datetime | None:
        with self.lock:
            theirs = self.sandbox.next_due()
            late = theirs - self.sandbox.world.now() if theirs is not None else None
        with self.house.database.claims() as tx:
            row = tx.one("select min(due_at) as due_at from work where queue not in ('sweep', 'reconcile')")
        times = [] if late is None else [self.clock.at + timedelta(seconds=late)]
        if row and row["due_at"]:
            times.append(row["due_at"] - self.clock.offset)
        return min(times, default=None)

    # --- the provider ---

    def charges(self) -> list[int]:
        """Give the amounts that the provider took, in order."""
        with self.lock:
            return [line["amount"] for line in self.sandbox.journal() if line["kind"] == "charge"]

    def control(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Call the sandbox's control plane under /_sandbox/."""
        with self.lock:
            answer = self.sandbox.handle(Request(method, f"/_sandbox/{path}", {}, json.dumps(body or {}).encode()))
        assert answer.status == 200, answer
        return answer.json()

    # --- a customer's story, through the same commands as the doors use ---

    def ask(
        self, route: str, idempotency_key: str | None = None, body: bytes = b"{}", *, dry_run: bool = False
    ) -> operations.Asked:
        """A command as a door hands it in."""
        request = commands.Request(route, "key_of_tests", idempotency_key, body, dry_run=dry_run)
        return operations.Asked(self.house, self.tenant.id, request)

    def customer(self, external_id: str | None = "dana", token: str | None = "pm_card_visa") -> str:
        """A customer who is known at the provider, with a saved card unless `token` is None."""
        wanted = operations.NewCustomer(external_id=external_id, name="Dana", email="dana@example.com")
        customer: str = body_of(operations.create_customer(self.ask("customer"), wanted))["id"]
        if token:
            operations.add_method(self.ask("method"), customer, token, make_default=True)
        self.pump()
        return customer

    def credits(self, customer: str, whole: int, cost_minor: int = 0) -> str:
        """A wallet in usd-credit with one lot; bought when it has a cost, else promotional."""
        wallet: str = body_of(operations.open_wallet(self.ask("wallet"), customer, "usd-credit"))["id"]
        source = GrantSource.PURCHASE if cost_minor else GrantSource.PROMOTIONAL
        issue = Issue(WalletId(wallet), source, whole * ONE_CREDIT, cost_minor, None, self.clock.now())
        body_of(operations.issue_grant(self.ask("grant"), customer, issue))
        return wallet

    def draft(self, customer: str, minor: int = 10_000, currency: str = "USD") -> str:
        """A draft of one line."""
        lines = (NewLine(LineKind.FLAT_FEE, "Pro plan", minor),)
        wanted = operations.NewInvoice(customer, currency, lines)
        invoice: str = body_of(operations.create_invoice(self.ask("invoice"), wanted))["id"]
        return invoice

    def invoice(self, customer: str, minor: int = 10_000, currency: str = "USD") -> str:
        """A finalized invoice of one line."""
        invoice = self.draft(customer, minor, currency)
        body_of(operations.finalize_invoice(self.ask("finalize"), invoice))
        return invoice

    def pay(self, invoice: str, idempotency_key: str | None = None) -> commands.Result:
        """Launch the payment of an invoice. Nothing is sent to the provider before `pump`."""
        return operations.pay(self.ask("pay", idempotency_key), Launch((InvoiceId(invoice),)))


def body_of(result: commands.Result) -> Any:
    """The body of a command that has to be a success."""
    assert result.answer.status < 300, result.answer
    return json.loads(result.answer.body)


@contextmanager
def house_with_sandbox(
    database: str, settings: Settings | None = None, *, pool_size: int = 10, timeout_s: float = 10.0
) -> Iterator[World]:
    """Open a house on a migrated database, connected to a sandbox of its own."""
    clock, lock = HandClock(), threading.RLock()
    sandbox = Sandbox(clock, SeededIds(7))
    opened, host = Database(database, size=pool_size, timeout_s=timeout_s), Host()
    house = House(
        database=opened,
        providers=StripePort(lambda: InProcessClient(transport_to(sandbox, lock))),
        clock=clock,
        ids=CountedIds(),
        box=SecretBox("a-master-key-of-tests"),
        sender=host,
        settings=settings or Settings(sweep_every=SWEEP_EVERY, allow_clock=True),
    )
    try:
        yield _furnished(house, sandbox, clock, lock, host)
    finally:
        opened.close()


def _furnished(house: House, sandbox: Sandbox, clock: HandClock, lock: threading.RLock, host: Host) -> World:
    tenant = setup.ensure_tenant(house, "default", "test", setup.DEFAULT_TENANT)
    wanted = setup.Connection(STRIPE_KEY, (SECRET,), base_url=SANDBOX)
    account = setup.connect(house, tenant.id, wanted)
    _, key = setup.create_key(house, tenant, tuple(setup.SCOPES))
    sandbox.add_webhook(STRIPE_KEY, "http://house.test/webhooks/stripe/default", SECRET)
    return World(house, tenant, key, account, sandbox, clock, lock, host)


def transport_to(sandbox: Sandbox, lock: threading.RLock) -> Any:
    """Requests as values instead of a network; broken connections as the errors they are."""

    def transport(
        method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        with lock:
            response = sandbox.handle(Request(method, url.removeprefix(SANDBOX), headers, body))
        match response.fault:
            case "refused":
                raise ConnectionRefusedError
            case "timeout":
                raise TimeoutError
            case "reset":
                raise ConnectionResetError
            case None:
                return response.status, response.headers, response.body

    return transport
