"""Whatever is billed, paid, voided or returned in whatever order, invoices, payments and balances add up."""

from typing import Any
from urllib.parse import urlencode

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from counterfoil.sandbox.ports import SeededIds, SteppingClock
from counterfoil.sandbox.sandbox import Sandbox
from counterfoil.sandbox.wire import Request
from sandbox.harness import KEY

METHODS = (
    "pm_card_visa",
    "pm_card_chargeCustomerFail",
    "pm_card_authenticationRequired",
    "pm_card_createDispute",
    "pm_usBankAccount_success",
    "pm_usBankAccount_insufficientFunds",
)
PICK = st.integers(0, 20)
AMOUNT = st.one_of(st.integers(-600, 600), st.integers(1, 5_000))


class Billing(RuleBasedStateMachine):
    """Bills two customers, takes their money in every way, gives up, and lets time pass; then adds everything up."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = SteppingClock()
        self.sandbox = Sandbox(self.clock, SeededIds(1))

    @initialize()
    def customers(self) -> None:
        for start in (0, -800):
            self.post("customers", email="a@b.co", balance=start)

    @rule(pick=PICK, method=st.sampled_from(METHODS))
    def take_a_method(self, pick: int, method: str) -> None:
        owner = self.picked("customers", pick)
        made = self.post(f"payment_methods/{method}/attach", customer=owner)
        if "id" in made:
            self.post(f"customers/{owner}", **{"invoice_settings[default_payment_method]": made["id"]})

    @rule(pick=PICK, amount=AMOUNT)
    def credit(self, pick: int, amount: int) -> None:
        self.post(f"customers/{self.picked('customers', pick)}/balance_transactions", amount=amount, currency="usd")

    @rule(pick=PICK, amounts=st.lists(AMOUNT, max_size=3), advance=st.booleans(), final=st.booleans())
    def bill(self, pick: int, amounts: list[int], advance: bool, final: bool) -> None:
        owner = self.picked("customers", pick)
        for amount in amounts:
            self.post("invoiceitems", customer=owner, amount=amount, currency="usd")
        invoice = self.post(
            "invoices",
            customer=owner,
            pending_invoice_items_behavior="include",
            auto_advance=str(advance).lower(),
        )
        if final:
            self.post(f"invoices/{invoice['id']}/finalize")

    @rule(pick=PICK, act=st.sampled_from(["finalize", "pay", "pay", "pay", "void", "mark_uncollectible", "send"]))
    def act(self, pick: int, act: str) -> None:
        self.post(f"invoices/{self.picked('invoices', pick)}/{act}")

    @rule(pick=PICK)
    def pay_otherwise(self, pick: int) -> None:
        self.post(f"invoices/{self.picked('invoices', pick)}/pay", paid_out_of_band="true")

    @rule(pick=PICK)
    def delete(self, pick: int) -> None:
        headers = {"Authorization": f"Bearer {KEY}"}
        self.sandbox.handle(Request("DELETE", f"/v1/invoices/{self.picked('invoices', pick)}", headers))

    @rule(pick=PICK, part=st.integers(50, 3_000), first=st.booleans())
    def attach(self, pick: int, part: int, first: bool) -> None:
        invoice = self.post(f"invoices/{self.picked('invoices', pick)}")
        params: dict[str, Any] = {"amount": part, "currency": "usd", "customer": invoice.get("customer", "")}
        if first:
            params |= {"payment_method": "pm_card_visa", "confirm": "true"}
        intent = self.post("payment_intents", **params)
        if "id" in intent and "id" in invoice:
            self.post(f"invoices/{invoice['id']}/attach_payment", payment_intent=intent["id"])

    @rule(pick=PICK, method=st.sampled_from(METHODS))
    def confirm(self, pick: int, method: str) -> None:
        self.post(f"payment_intents/{self.picked('payment_intents', pick)}/confirm", payment_method=method)

    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        self.post(f"payment_intents/{self.picked('payment_intents', pick)}/cancel")

    @rule(pick=PICK, outcome=st.sampled_from(["succeed", "fail"]))
    def authenticate(self, pick: int, outcome: str) -> None:
        intent = self.picked("payment_intents", pick)
        body = f'{{"outcome": "{outcome}"}}'.encode()
        self.sandbox.handle(Request("POST", f"/_sandbox/payment_intents/{intent}/authenticate", {}, body))

    @rule(hours=st.integers(1, 150))
    def time_passes(self, hours: int) -> None:
        self.sandbox.advance(hours * 3_600)

    @rule()
    def restart(self) -> None:
        saved = self.sandbox.snapshot()
        self.sandbox = Sandbox(self.clock, SeededIds(1))
        self.sandbox.restore(saved)

    @invariant()
    def an_invoice_adds_up(self) -> None:
        payments = self.all("invoice_payments")
        for invoice in self.all("invoices"):
            own = [one for one in payments if one["invoice"] == invoice["id"]]
            paid = sum(one["amount_paid"] for one in own if one["status"] == "paid")
            assert invoice["amount_due"] == invoice["amount_paid"] + invoice["amount_remaining"]
            assert invoice["amount_paid"] == paid + invoice["amount_paid_off_stripe"]
            assert invoice["total"] == sum(line["amount"] for line in invoice["lines"]["data"])
            assert invoice["amount_remaining"] >= 0
            assert (invoice["status"] == "paid") <= (invoice["amount_remaining"] == 0)
            if invoice["status"] in ("open", "uncollectible"):
                self.expects_the_rest(invoice, own)
            if invoice["status"] in ("paid", "void"):
                waiting = [
                    one["payment"]["payment_intent"] for one in own if one["is_default"] and one["status"] == "open"
                ]
                assert all(self.intent(one)["status"] == "processing" for one in waiting)

    @staticmethod
    def expects_the_rest(invoice: Any, own: list[Any]) -> None:
        assert invoice["amount_remaining"] > 0
        assert sum(one["is_default"] for one in own) == 1
        waiting = [one["amount_requested"] for one in own if one["is_default"] and one["status"] == "open"]
        # While its money is on the way, an expected payment keeps the amount that was asked for.
        assert not waiting or waiting[0] >= invoice["amount_remaining"]

    @invariant()
    def a_customers_balance_is_the_sum_of_its_moves(self) -> None:
        for customer in self.all("customers"):
            rows = self.all(f"customers/{customer['id']}/balance_transactions")
            assert customer["balance"] == sum(row["amount"] for row in rows)
            assert not rows or rows[0]["ending_balance"] == customer["balance"]

    @invariant()
    def what_invoices_moved_on_a_balance_is_what_they_say(self) -> None:
        rows = [row for one in self.all("customers") for row in self.all(f"customers/{one['id']}/balance_transactions")]
        for invoice in self.all("invoices"):
            own = [row for row in rows if row["invoice"] == invoice["id"]]
            applied = sum(row["amount"] for row in own if row["type"] != "invoice_overpaid")
            overpaid = -sum(row["amount"] for row in own if row["type"] == "invoice_overpaid")
            assert invoice["amount_overpaid"] == overpaid
            if invoice["status"] == "draft":
                assert not own
            elif invoice["status"] == "void":
                assert applied == 0
            else:
                # What is due is the total and what was owed before, less what stays on the balance.
                assert applied == invoice["ending_balance"] - invoice["starting_balance"]
                assert invoice["amount_due"] == invoice["total"] - applied

    @invariant()
    def an_attached_payment_gives_what_it_received(self) -> None:
        payments = self.all("invoice_payments")
        overpaid = sum(invoice["amount_overpaid"] for invoice in self.all("invoices"))
        received = 0
        for intent in self.all("payment_intents"):
            own = [one for one in payments if one["payment"]["payment_intent"] == intent["id"]]
            assert sum(one["amount_paid"] or 0 for one in own) <= intent["amount_received"]
            received += intent["amount_received"] if own else 0
        assert received == sum(one["amount_paid"] or 0 for one in payments) + overpaid

    def post(self, path: str, **params: Any) -> Any:
        headers = {"Authorization": f"Bearer {KEY}"}
        reply = self.sandbox.handle(Request("POST", f"/v1/{path}", headers, urlencode(params).encode()))
        assert reply.status in (200, 400, 402, 404), reply.body
        return reply.json()

    def intent(self, identifier: str) -> Any:
        return next(one for one in self.all("payment_intents") if one["id"] == identifier)

    def all(self, kind: str) -> list[Any]:
        reply = self.sandbox.handle(Request("GET", f"/v1/{kind}?limit=100", {"Authorization": f"Bearer {KEY}"}))
        assert reply.status == 200, reply.body
        page: list[Any] = reply.json()["data"]
        return page

    def picked(self, kind: str, pick: int) -> str:
        found = self.all(kind)
        return str(found[pick % len(found)]["id"]) if found else "none_yet"


TestBilling = Billing.TestCase
TestBilling.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
