"""Whatever is done in whatever order, the sums hold: a state machine over the sandbox's own door."""

from typing import Any
from urllib.parse import urlencode

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from counterfoil.sandbox.ports import SeededIds, SteppingClock
from counterfoil.sandbox.sandbox import Sandbox
from counterfoil.sandbox.wire import Request
from sandbox.harness import KEY

CARDS = (
    "pm_card_visa",
    "pm_card_bypassPending",
    "pm_card_chargeDeclined",
    "pm_card_createDispute",
    "pm_card_createDisputeInquiry",
    "pm_card_refundFail",
    "pm_card_pendingRefund",
    "pm_card_authenticationRequired",
    "pm_usBankAccount_success",
    "pm_usBankAccount_insufficientFunds",
)


class Money(RuleBasedStateMachine):
    """Pays, captures, cancels, refunds, disputes and lets time pass; then adds everything up."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = SteppingClock()
        self.sandbox = Sandbox(self.clock, SeededIds(1))
        self.keys = 0
        self.last: tuple[Request, bytes] | None = None

    @rule(amount=st.integers(50, 5_000), card=st.sampled_from(CARDS), capture=st.sampled_from(["automatic", "manual"]))
    def pay(self, amount: int, card: str, capture: str) -> None:
        self.post(
            "/v1/payment_intents",
            amount=amount,
            currency="usd",
            payment_method=card,
            confirm="true",
            capture_method=capture,
        )

    @rule(pick=st.integers(0, 50), part=st.integers(1, 6_000))
    def capture(self, pick: int, part: int) -> None:
        self.post(f"/v1/payment_intents/{self.picked('payment_intents', pick)}/capture", amount_to_capture=part)

    @rule(pick=st.integers(0, 50))
    def cancel(self, pick: int) -> None:
        self.post(f"/v1/payment_intents/{self.picked('payment_intents', pick)}/cancel")

    @rule(pick=st.integers(0, 50), outcome=st.sampled_from(["succeed", "fail"]))
    def authenticate(self, pick: int, outcome: str) -> None:
        intent = self.picked("payment_intents", pick)
        self.sandbox.handle(
            Request(
                "POST", f"/_sandbox/payment_intents/{intent}/authenticate", {}, f'{{"outcome": "{outcome}"}}'.encode()
            )
        )

    @rule(pick=st.integers(0, 50), part=st.integers(1, 6_000))
    def refund(self, pick: int, part: int) -> None:
        self.post("/v1/refunds", payment_intent=self.picked("payment_intents", pick), amount=part)

    @rule(pick=st.integers(0, 50), text=st.sampled_from(["winning_evidence", "losing_evidence", "maybe"]))
    def defend(self, pick: int, text: str) -> None:
        self.post(f"/v1/disputes/{self.picked('disputes', pick)}", **{"evidence[uncategorized_text]": text})

    @rule()
    def replay(self) -> None:
        """The last POST again, under its key: the same answer, and nothing new."""
        if self.last is None:
            return
        before = self.sandbox.journal()
        request, body = self.last
        again = self.sandbox.handle(request)
        if not again.headers.get("Idempotent-Replayed"):
            # Refused before it began, or a day old: this was a first execution.
            self.last = (request, again.body)
            return
        assert again.body == body
        assert self.sandbox.journal() == before

    @rule(hours=st.integers(1, 200))
    def time_passes(self, hours: int) -> None:
        self.sandbox.advance(hours * 3_600)

    @rule()
    def restart(self) -> None:
        saved = self.sandbox.snapshot()
        self.sandbox = Sandbox(self.clock, SeededIds(1))
        self.sandbox.restore(saved)

    @invariant()
    def the_balance_is_the_sum_of_its_transactions(self) -> None:
        balance = self.get("/v1/balance")
        transactions = self.all("balance_transactions")
        for state in ("pending", "available"):
            shown = sum(part["amount"] for part in balance[state])
            assert shown == sum(one["net"] for one in transactions if one["status"] == state)
        assert all(one["net"] == one["amount"] - one["fee"] for one in transactions)

    @invariant()
    def a_charge_was_refunded_by_its_refunds_and_never_beyond_itself(self) -> None:
        refunds = self.all("refunds")
        for charge in self.all("charges"):
            assert 0 <= charge["amount_refunded"] <= charge["amount"]
            if charge["captured"]:
                own = [one["amount"] for one in refunds if one["charge"] == charge["id"] and one["status"] != "failed"]
                released = charge["amount"] - charge["amount_captured"]
                assert charge["amount_refunded"] - released == sum(own) <= charge["amount_captured"]

    @invariant()
    def an_intent_received_what_its_one_good_charge_took(self) -> None:
        charges = self.all("charges")
        for intent in self.all("payment_intents"):
            taken = [
                one["amount_captured"] for one in charges if one["payment_intent"] == intent["id"] and one["captured"]
            ]
            assert len(taken) <= 1
            assert intent["amount_received"] == sum(taken)
            assert (intent["status"] == "succeeded") == bool(taken)

    @invariant()
    def the_journal_tells_every_charge_once(self) -> None:
        told = {line["object"]: line["amount"] for line in self.sandbox.journal() if line["kind"] == "charge"}
        taken = {one["id"]: one["amount_captured"] for one in self.all("charges") if one["captured"]}
        assert told == taken

    def post(self, path: str, **params: Any) -> None:
        self.keys += 1
        headers = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": f"key-{self.keys}"}
        request = Request("POST", path, headers, urlencode(params).encode())
        reply = self.sandbox.handle(request)
        assert reply.status in (200, 400, 402, 404), reply.body
        self.last = (request, reply.body)

    def get(self, path: str) -> Any:
        reply = self.sandbox.handle(Request("GET", path, {"Authorization": f"Bearer {KEY}"}))
        assert reply.status == 200, reply.body
        return reply.json()

    def all(self, kind: str) -> list[Any]:
        page: list[Any] = self.get(f"/v1/{kind}?limit=100")["data"]
        return page

    def picked(self, kind: str, pick: int) -> str:
        found = self.all(kind)
        return str(found[pick % len(found)]["id"]) if found else "none_yet"


TestMoney = Money.TestCase
TestMoney.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
