"""A provider account for tests: the adapter opened on it, orders for it, and trouble on request."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, TypeAlias

import pytest

from counterfoil.core.facts import CustomerFact, Done, IntentFact, MethodFact, Outcome
from counterfoil.core.ids import AccountId, CustomerId, LegId, MethodId, OrderId
from counterfoil.core.lifecycle import OrderStatus
from counterfoil.core.money import Money
from counterfoil.core.orders import (
    AttachMethod,
    CancelIntent,
    ConfirmIntent,
    CreateCustomer,
    CreateIntent,
    Instruction,
    Order,
)
from counterfoil.providers.port import Credentials, Refs
from counterfoil.providers.stripe.adapter import StripePort, over_the_network
from counterfoil.providers.stripe.inprocess import InProcessClient
from counterfoil.providers.stripe.provider import StripeProvider
from counterfoil.sandbox.ports import SeededIds, SteppingClock
from counterfoil.sandbox.sandbox import Sandbox
from counterfoil.sandbox.server import SandboxServer
from counterfoil.sandbox.wire import Request, Response

QUEUED_AT = datetime(2026, 6, 14, 4, 4, tzinfo=UTC)
MINE = CustomerId("cust_01h455vb4pex5vsknk084sn02q")
CARD = MethodId("pmeth_01h455vb4pex5vsknk084sn02q")
USD_70 = Money(7000, "USD")

Options: TypeAlias = Mapping[str, object]
AS_IT_COMES: Options = {}
Control: TypeAlias = Callable[[str, str, Mapping[str, Any]], Any]
"""The sandbox's control plane: method, path under /_sandbox/ and body give the JSON answer."""


@dataclass
class ProviderHouse:
    """One account at a provider, and everything that a test does with it."""

    port: StripePort
    credentials: Credentials
    control: Control | None
    run: str = "1"
    """Differs from run to run where keys and marks outlive it."""
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    @property
    def provider(self) -> StripeProvider:
        return self.port.open(self.credentials)

    def trouble(self, do: str, path: str, options: Options = AS_IT_COMES, method: str = "POST") -> None:
        """Have the next matching request go wrong. Only the sandbox can; elsewhere the test is skipped."""
        if self.control is None:
            pytest.skip("trouble on request needs the sandbox")
        match = {"method": method, "path": path, "nth": 1}
        self.control("POST", "faults", {"match": match, "do": do, **options})

    def charges(self) -> int:
        """How often money was taken, as the sandbox's journal has it."""
        assert self.control is not None
        account = self.control("POST", "accounts", {"api_key": self.credentials.secret_key})
        journal = self.control("GET", f"journal?kind=charge&account={account['id']}", {})
        return len(journal)

    def order(self, instruction: Instruction, try_no: int = 1) -> Order:
        """A fresh order. Two orders never share a key."""
        number = OrderId(f"ordr_{self.run}_{next(self.numbers)}")
        account = self.credentials.account
        return Order(number, account, MINE, "subject", instruction, OrderStatus.SENT, QUEUED_AT, try_no)

    def leg(self) -> LegId:
        return LegId(f"leg_{self.run}_{next(self.numbers)}")

    def customer(self) -> CustomerFact:
        fact = done(self.provider.execute(self.order(CreateCustomer(MINE)), Refs(email="ada@example.com")))
        assert isinstance(fact, CustomerFact)
        return fact

    def saved(self, token: str = "pm_card_visa") -> Refs:
        """The refs of a new customer with a saved method."""
        customer = self.customer()
        refs = Refs(customer_ref=customer.ref)
        attached = done(self.provider.execute(self.order(AttachMethod(MINE, token, make_default=False)), refs))
        assert isinstance(attached, MethodFact)
        return Refs(customer_ref=customer.ref, method_ref=attached.ref)

    def intent_order(self, amount: Money = USD_70, *, by_us: bool = True) -> Order:
        return self.order(CreateIntent(self.leg(), MINE, amount, CARD if by_us else None, "Invoice 7"))

    def intent(self, refs: Refs, amount: Money = USD_70) -> IntentFact:
        fact = done(self.provider.execute(self.intent_order(amount), refs))
        assert isinstance(fact, IntentFact)
        return fact

    def confirm_order(self, intent: IntentFact) -> Order:
        return self.order(ConfirmIntent(LegId(intent.metadata["counterfoil_leg"]), intent.ref, CARD))

    def cancel_order(self, intent: IntentFact) -> Order:
        return self.order(CancelIntent(LegId(intent.metadata["counterfoil_leg"]), intent.ref))


def done(outcome: Outcome) -> Any:
    """The fact of an outcome that has to be a success."""
    assert isinstance(outcome, Done), outcome
    return outcome.fact


def over_sockets(server: SandboxServer, key: str, read_s: float = 10.0) -> ProviderHouse:
    """An account of a listening sandbox, through the real HTTP client."""

    def control(method: str, path: str, body: Mapping[str, Any]) -> Any:
        return read(server.handle(Request(method, f"/_sandbox/{path}", {}, json.dumps(body).encode())))

    port = StripePort(over_the_network(connect_s=5.0, read_s=read_s))
    return ProviderHouse(port, credentials(key, server.url), control)


def in_process() -> ProviderHouse:
    """An account of a sandbox in this process, with no network at all."""
    sandbox = Sandbox(SteppingClock(), SeededIds(7))

    def control(method: str, path: str, body: Mapping[str, Any]) -> Any:
        return read(sandbox.handle(Request(method, f"/_sandbox/{path}", {}, json.dumps(body).encode())))

    port = StripePort(lambda: InProcessClient(transport_to(sandbox)))
    return ProviderHouse(port, credentials("sk_test_in_process", "http://sandbox.test"), control)


def live(key: str, base: str | None) -> ProviderHouse:
    """Stripe's own test mode. Never a live key."""
    assert key.startswith(("sk_test_", "rk_test_")), "the contract suite moves money: test keys only"
    run = datetime.now(UTC).strftime("%Y%m%d%H%M%S%f")  # noqa: TID251  # Stripe remembers keys for a day
    return ProviderHouse(StripePort(), credentials(key, base), None, run)


def credentials(key: str, base: str | None) -> Credentials:
    return Credentials(AccountId("pacc_1"), key, livemode=False, base_url=base)


def transport_to(
    sandbox: Sandbox,
) -> Callable[[str, str, Mapping[str, str], bytes], tuple[int, Mapping[str, str], bytes]]:
    """What the wiring of a seeded world does: requests as values, broken connections as the errors they are."""

    def transport(
        method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        path = url.removeprefix("http://sandbox.test")
        response = sandbox.handle(Request(method, path, headers, body))
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


def read(response: Response) -> Any:
    """The JSON of a control-plane answer; the journal comes in lines."""
    if response.headers["Content-Type"] == "application/x-ndjson":
        return [json.loads(line) for line in response.body.splitlines()]
    answer = json.loads(response.body)
    assert response.status == 200, answer
    return answer
