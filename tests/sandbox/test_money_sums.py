"""Whatever is discounted, taxed, billed, paid, credited, given back, disputed and paid out: every sum holds."""

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
    "pm_card_bypassPending",
    "pm_card_createDispute",
    "pm_card_refundFail",
    "pm_card_chargeCustomerFail",
    "pm_usBankAccount_success",
)
PICK = st.integers(0, 30)
AMOUNT = st.one_of(st.integers(-500, 500), st.integers(1, 6_000))


class Trade(RuleBasedStateMachine):
    """A shop with coupons and taxes that takes money, gives it back in every way, and carries it to its bank."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = SteppingClock()
        self.sandbox = Sandbox(self.clock, SeededIds(1))

    @initialize(method=st.sampled_from(METHODS), percent=st.integers(1, 100), tax=st.integers(0, 25))
    def open_shop(self, method: str, percent: int, tax: int) -> None:
        for inclusive in ("true", "false"):
            self.post("tax_rates", display_name="VAT", percentage=tax, inclusive=inclusive)
        self.post("coupons", percent_off=percent, max_redemptions=4)
        self.post("coupons", amount_off=percent * 7, currency="usd")
        for start in (0, -700):
            owner = self.post("customers", email="a@b.co", balance=start)["id"]
            saved = self.post(f"payment_methods/{method}/attach", customer=owner)["id"]
            self.post(f"customers/{owner}", **{"invoice_settings[default_payment_method]": saved})

    @rule(
        who=PICK,
        amounts=st.lists(AMOUNT, min_size=1, max_size=3),
        coupons=st.lists(PICK, max_size=2),
        taxed=PICK,
        then=st.sampled_from(["finalize", "pay", "pay", "wait"]),
    )
    def bill(self, who: int, amounts: list[int], coupons: list[int], taxed: int, then: str) -> None:
        owner = self.picked("customers", who)
        given = {f"discounts[{n}][coupon]": self.picked("coupons", pick) for n, pick in enumerate(coupons)}
        if taxed % 3:
            given["default_tax_rates[0]"] = self.picked("tax_rates", taxed)
        invoice = self.post("invoices", customer=owner, **given)
        for amount in amounts if "id" in invoice else ():
            self.post("invoiceitems", customer=owner, invoice=invoice["id"], amount=amount, currency="usd")
        if "id" in invoice and then != "wait":
            self.post(f"invoices/{invoice['id']}/{then}")

    @rule(pick=PICK, act=st.sampled_from(["finalize", "finalize", "pay", "pay", "pay", "void", "mark_uncollectible"]))
    def act(self, pick: int, act: str) -> None:
        self.post(f"invoices/{self.picked('invoices', pick)}/{act}")

    @rule(pick=PICK, amount=st.integers(1, 2_500))
    def credit_what_is_open(self, pick: int, amount: int) -> None:
        self.post("credit_notes", invoice=self.picked("invoices", pick, "open"), amount=amount)

    @rule(pick=PICK, shares=st.tuples(*[st.integers(0, 500)] * 3), way=st.sampled_from(["amount", "line"]))
    def credit_what_was_paid(self, pick: int, shares: tuple[int, int, int], way: str) -> None:
        back, credit, outside = shares
        what = {"amount": sum(shares)} if way == "amount" else self.own_line(sum(shares))
        self.post(
            "credit_notes",
            invoice=self.picked("invoices", pick, "paid"),
            refund_amount=back,
            credit_amount=credit,
            out_of_band_amount=outside,
            **what,
        )

    @rule(pick=PICK)
    def void_a_note(self, pick: int) -> None:
        self.post(f"credit_notes/{self.picked('credit_notes', pick)}/void")

    @rule(pick=PICK, part=st.integers(1, 4_000))
    def refund(self, pick: int, part: int) -> None:
        self.post("refunds", charge=self.picked("charges", pick), amount=part)

    @rule(pick=PICK, text=st.sampled_from(["winning_evidence", "losing_evidence"]))
    def defend(self, pick: int, text: str) -> None:
        self.post(f"disputes/{self.picked('disputes', pick)}", **{"evidence[uncategorized_text]": text})

    @rule(amount=st.integers(1, 400))
    def pay_out(self, amount: int) -> None:
        self.post("payouts", amount=amount, currency="usd")

    @rule(pick=PICK, act=st.sampled_from(["cancel", "reverse", "fail"]))
    def call_a_payout_back(self, pick: int, act: str) -> None:
        payout = self.picked("payouts", pick)
        if act == "fail":
            self.sandbox.handle(Request("POST", f"/_sandbox/payouts/{payout}/fail", {}, b"{}"))
        else:
            self.post(f"payouts/{payout}/{act}")

    @rule(hours=st.integers(1, 150))
    def time_passes(self, hours: int) -> None:
        self.sandbox.advance(hours * 3_600)

    @rule()
    def restart(self) -> None:
        saved = self.sandbox.snapshot()
        self.sandbox = Sandbox(self.clock, SeededIds(1))
        self.sandbox.restore(saved)

    @invariant()
    def the_balance_is_the_sum_of_its_transactions(self) -> None:
        balance, transactions = self.get("balance"), self.all("balance_transactions")
        for state in ("pending", "available"):
            shown = sum(part["amount"] for part in balance[state])
            assert shown == sum(one["net"] for one in transactions if one["status"] == state)
        moved = sum(one["net"] for one in transactions if one["type"].startswith("payout"))
        gone = [one["amount"] for one in self.all("payouts") if one["status"] not in ("failed", "canceled")]
        assert moved == -sum(gone)

    @invariant()
    def a_charge_gives_back_no_more_than_itself(self) -> None:
        refunds = self.all("refunds")
        for charge in self.all("charges"):
            own = [one["amount"] for one in refunds if one["charge"] == charge["id"] and one["status"] != "failed"]
            assert charge["amount_refunded"] == sum(own) <= charge["amount"]
            assert charge["refunded"] == (sum(own) == charge["amount"])

    @invariant()
    def an_invoice_is_its_lines_with_discounts_and_taxes(self) -> None:
        for invoice in self.all("invoices"):
            lines = invoice["lines"]["data"]
            off = sum(part["amount"] for line in lines for part in line["discount_amounts"])
            added = sum(tax["amount"] for line in lines for tax in line["taxes"] if tax["tax_behavior"] == "exclusive")
            tax = sum(one["amount"] for one in invoice["total_taxes"])
            assert invoice["total"] == sum(line["amount"] for line in lines) - off + added
            assert invoice["total"] == invoice["total_excluding_tax"] + tax
            assert off == sum(part["amount"] for part in invoice["total_discount_amounts"])
            assert all(
                0 <= part["amount"] <= max(line["amount"], 0) for line in lines for part in line["discount_amounts"]
            )

    @invariant()
    def an_invoice_is_paid_credited_or_still_owed(self) -> None:
        payments, notes = self.all("invoice_payments"), self.all("credit_notes")
        moves = self.moves()
        for invoice in self.all("invoices"):
            own = [one for one in notes if one["invoice"] == invoice["id"] and one["status"] == "issued"]
            before = sum(one["pre_payment_amount"] for one in own)
            after = sum(one["post_payment_amount"] for one in own)
            assert (invoice["pre_payment_credit_notes_amount"], invoice["post_payment_credit_notes_amount"]) == (
                before,
                after,
            )
            assert sum(one["total"] for one in own) <= max(invoice["total"], 0)
            assert invoice["amount_due"] == invoice["amount_paid"] + invoice["amount_remaining"]
            assert invoice["amount_remaining"] >= 0
            assert (invoice["status"] == "paid") <= (invoice["amount_remaining"] == 0)
            if invoice["status"] in ("open", "paid", "uncollectible"):
                kinds = ("applied_to_invoice", "invoice_too_small", "unapplied_from_invoice")
                applied = sum(
                    one["amount"] for one in moves if one["invoice"] == invoice["id"] and one["type"] in kinds
                )
                assert invoice["amount_due"] == invoice["total"] - applied - before
            waiting = [
                one["amount_requested"]
                for one in payments
                if one["invoice"] == invoice["id"] and one["is_default"] and one["status"] == "open"
            ]
            assert invoice["status"] != "open" or not waiting or waiting[0] >= invoice["amount_remaining"]

    @invariant()
    def a_note_says_where_its_money_went(self) -> None:
        moves = {one["id"]: one["amount"] for one in self.moves()}
        for note in self.all("credit_notes"):
            back = sum(one["amount_refunded"] for one in note["refunds"])
            credit = -moves.get(note["customer_balance_transaction"], 0)
            assert note["post_payment_amount"] == back + credit + (note["out_of_band_amount"] or 0)
            assert note["total"] == note["pre_payment_amount"] + note["post_payment_amount"]

    @invariant()
    def a_customers_balance_is_the_sum_of_its_moves(self) -> None:
        for owner in self.all("customers"):
            rows = self.all(f"customers/{owner['id']}/balance_transactions")
            assert owner["balance"] == sum(row["amount"] for row in rows)

    @invariant()
    def a_coupon_is_not_given_more_often_than_allowed(self) -> None:
        for coupon in self.all("coupons"):
            most = coupon["max_redemptions"]
            assert most is None or (
                coupon["times_redeemed"] <= most and coupon["valid"] == (coupon["times_redeemed"] < most)
            )

    def own_line(self, amount: int) -> dict[str, Any]:
        return {"lines[0][type]": "custom_line_item", "lines[0][unit_amount]": amount, "lines[0][quantity]": 1}

    def moves(self) -> list[Any]:
        owners = self.all("customers")
        return [row for one in owners for row in self.all(f"customers/{one['id']}/balance_transactions")]

    def post(self, path: str, **params: Any) -> Any:
        headers = {"Authorization": f"Bearer {KEY}"}
        reply = self.sandbox.handle(Request("POST", f"/v1/{path}", headers, urlencode(params).encode()))
        assert reply.status in (200, 400, 402, 404), reply.body
        return reply.json()

    def get(self, path: str) -> Any:
        reply = self.sandbox.handle(Request("GET", f"/v1/{path}", {"Authorization": f"Bearer {KEY}"}))
        assert reply.status == 200, reply.body
        return reply.json()

    def all(self, kind: str) -> list[Any]:
        page: list[Any] = self.get(f"{kind}?limit=100")["data"]
        return page

    def picked(self, kind: str, pick: int, status: str | None = None) -> str:
        found = [one for one in self.all(kind) if status in (None, one.get("status"))]
        return str(found[pick % len(found)]["id"]) if found else "none_yet"


TestTrade = Trade.TestCase
TestTrade.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
