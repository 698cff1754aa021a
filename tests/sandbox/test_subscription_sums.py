"""Whatever is done to subscriptions, whenever: sums hold, and each period is billed once and follows the last."""

import json
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

import hypothesis.strategies as st
import msgspec
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from counterfoil.sandbox.documents import Tables
from counterfoil.sandbox.ports import SeededIds, SteppingClock
from counterfoil.sandbox.sandbox import Sandbox
from counterfoil.sandbox.versions import ACACIA, NEWEST
from counterfoil.sandbox.wire import Request

KEY = "sk_test_suite"
DAY = 86_400
PICK = st.integers(0, 7)
CARDS = ("pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired", "pm_usBankAccount_success")
BEHAVIORS = ("create_prorations", "always_invoice", "none")
PAYMENTS = ("allow_incomplete", "default_incomplete", "error_if_incomplete")
Json = dict[str, Any]


class Subscribing(RuleBasedStateMachine):
    """One account with a few customers, on a test clock and in business time, in both billing modes."""

    @initialize()
    def open(self) -> None:
        self.clock = SteppingClock()
        self.sandbox = Sandbox(self.clock, SeededIds(1))
        self.customers: list[str] = []
        self.written = Tables()
        self.prices = [self.price(amount, interval) for amount, interval in PRICES]
        self.test_clock = self.post("test_helpers/test_clocks", frozen_time=int(self.clock()))["id"]
        for card in (*CARDS, None):
            for clock in (None, self.test_clock):
                self.customer(card, clock)

    @rule(
        pick=PICK,
        price=PICK,
        quantity=st.integers(0, 3),
        behavior=st.sampled_from(PAYMENTS),
        trial=st.sampled_from([None, None, 5]),
        version=st.sampled_from([ACACIA, NEWEST]),
        sent=st.booleans(),
    )
    def subscribe(
        self, pick: int, price: int, quantity: int, behavior: str, trial: int | None, version: str, sent: bool
    ) -> None:
        params: Json = {
            "customer": self.customers[pick % len(self.customers)],
            "items[0][price]": self.prices[price % len(self.prices)],
            "items[0][quantity]": quantity,
            "payment_behavior": behavior,
        }
        params |= {"trial_period_days": trial} if trial else {}
        params |= {"collection_method": "send_invoice", "days_until_due": 3} if sent else {}
        self.post("subscriptions", version, **params)

    @rule(
        pick=PICK, price=PICK, quantity=st.integers(0, 4), how=st.sampled_from(BEHAVIORS), pay=st.sampled_from(PAYMENTS)
    )
    def change(self, pick: int, price: int, quantity: int, how: str, pay: str) -> None:
        found = self.picked(pick)
        if found:
            params: Json = {
                "items[0][id]": found["items"]["data"][0]["id"],
                "items[0][price]": self.prices[price % len(self.prices)],
                "items[0][quantity]": quantity,
                "proration_behavior": how,
                "payment_behavior": pay,
            }
            self.post(f"subscriptions/{found['id']}", **params)

    @rule(pick=PICK, price=PICK, how=st.sampled_from(BEHAVIORS))
    def add_item(self, pick: int, price: int, how: str) -> None:
        found = self.picked(pick)
        if found:
            plan = self.prices[price % len(self.prices)]
            self.post("subscription_items", subscription=found["id"], price=plan, proration_behavior=how)

    @rule(
        pick=PICK,
        params=st.sampled_from(
            [
                {"cancel_at_period_end": "true"},
                {"cancel_at_period_end": "false"},
                {"trial_end": "now"},
                {"billing_cycle_anchor[type]": "now"},
                {"pause_collection[behavior]": "void"},
                {"pause_collection[behavior]": "keep_as_draft"},
                {"pause_collection": ""},
            ]
        ),
    )
    def update(self, pick: int, params: Json) -> None:
        found = self.picked(pick)
        if found:
            self.post(f"subscriptions/{found['id']}", **params)

    @rule(pick=PICK, days=st.integers(1, 20), name=st.sampled_from(["trial_end", "cancel_at"]))
    def set_a_day(self, pick: int, days: int, name: str) -> None:
        found = self.picked(pick)
        if found:
            start = found["items"]["data"][0]["current_period_start"]
            self.post(f"subscriptions/{found['id']}", **{name: start + days * DAY})

    @rule(pick=PICK, card=st.sampled_from(CARDS))
    def use_another_card(self, pick: int, card: str) -> None:
        found = self.picked(pick)
        if found:
            method = self.post(f"payment_methods/{card}/attach", customer=found["customer"])
            self.post(f"subscriptions/{found['id']}", default_payment_method=method.get("id", ""))

    @rule(pick=PICK, verb=st.sampled_from(["pause", "resume"]))
    def halt(self, pick: int, verb: str) -> None:
        found = self.picked(pick)
        if found:
            self.post(f"subscriptions/{found['id']}/{verb}")

    @rule(pick=PICK, prorate=st.booleans(), invoice_now=st.booleans())
    def cancel(self, pick: int, prorate: bool, invoice_now: bool) -> None:
        found = self.picked(pick)
        if found:
            params = {"prorate": str(prorate).lower(), "invoice_now": str(invoice_now).lower()}
            self.call("DELETE", f"subscriptions/{found['id']}", NEWEST, params)

    @rule(pick=PICK, verb=st.sampled_from(["pay", "void", "mark_uncollectible", "finalize"]))
    def bill(self, pick: int, verb: str) -> None:
        rows = self.all("invoices")
        if rows:
            self.post(f"invoices/{rows[pick % len(rows)]['id']}/{verb}")

    @rule(pick=PICK, outcome=st.sampled_from(["succeed", "fail"]))
    def authenticate(self, pick: int, outcome: str) -> None:
        rows = [one for one in self.all("payment_intents") if one["status"] == "requires_action"]
        if rows:
            path = f"/_sandbox/payment_intents/{rows[pick % len(rows)]['id']}/authenticate"
            self.sandbox.handle(Request("POST", path, {}, json.dumps({"outcome": outcome}).encode()))

    @rule(days=st.integers(1, 35))
    def business_time_passes(self, days: int) -> None:
        self.sandbox.advance(days * DAY)
        clock = self.get(f"test_helpers/test_clocks/{self.test_clock}")
        if "error" in clock:
            # A clock that nobody deletes goes after a month, with its customers.
            self.customers = [one for one in self.customers if "deleted" not in self.get(f"customers/{one}")]
            self.test_clock = self.post("test_helpers/test_clocks", frozen_time=int(self.clock()))["id"]
            self.customer(CARDS[0], self.test_clock)

    @rule(days=st.integers(1, 35))
    def the_test_clock_advances(self, days: int) -> None:
        now = self.get(f"test_helpers/test_clocks/{self.test_clock}")["frozen_time"]
        self.post(f"test_helpers/test_clocks/{self.test_clock}/advance", frozen_time=now + days * DAY)
        self.clock.step(1)
        assert self.get(f"test_helpers/test_clocks/{self.test_clock}")["status"] == "ready"

    @rule()
    def restart(self) -> None:
        saved = self.sandbox.snapshot()
        self.sandbox = Sandbox(self.clock, SeededIds(1))
        self.sandbox.restore(saved)

    @rule(pick=PICK)
    def a_preview_changes_nothing(self, pick: int) -> None:
        found = self.picked(pick)
        if found:
            before = {kind: self.all(kind) for kind in ("subscriptions", "invoices", "invoiceitems", "events")}
            shown = self.post("invoices/create_preview", subscription=found["id"])
            assert before == {kind: self.all(kind) for kind in before}
            if "error" not in shown:
                assert shown["total"] == sum(line["amount"] for line in shown["lines"]["data"])

    @invariant()
    def changes_are_written_out(self) -> None:
        line = msgspec.json.encode(self.sandbox.world.tables.take_changes())
        self.written.apply(msgspec.json.decode(line, type=list[tuple[str, str, msgspec.Raw]]))

    def teardown(self) -> None:
        """A document that was changed and not stored would be lost by a restart from the state file."""
        self.changes_are_written_out()
        assert json.loads(self.written.dump()) == json.loads(self.sandbox.world.tables.dump())

    @invariant()
    def an_invoice_adds_up(self) -> None:
        for invoice in self.all("invoices"):
            assert invoice["total"] == sum(line["amount"] for line in invoice["lines"]["data"])
            assert invoice["amount_due"] == invoice["amount_paid"] + invoice["amount_remaining"]
            assert (invoice["status"] == "paid") <= (invoice["amount_remaining"] == 0)

    @invariant()
    def a_customers_balance_is_the_sum_of_its_moves(self) -> None:
        for identifier in self.customers:
            rows = self.all(f"customers/{identifier}/balance_transactions")
            assert self.get(f"customers/{identifier}")["balance"] == sum(row["amount"] for row in rows)

    @invariant()
    def charges_are_what_invoices_were_paid_by(self) -> None:
        taken = sum(line["amount"] for line in self.sandbox.journal() if line["kind"] == "charge")
        paid = sum(invoice["amount_paid"] for invoice in self.all("invoices"))
        over = sum(invoice["amount_overpaid"] for invoice in self.all("invoices"))
        assert taken == paid + over

    @invariant()
    def each_period_is_billed_once_and_follows_the_last(self) -> None:
        for subscription in self.all("subscriptions"):
            spans = self.billed_periods(subscription["id"])
            starts = [start for start, _, reason in spans if reason != "subscription_update"]
            assert len(set(starts)) == len(starts), f"{subscription['id']} is billed twice for a period: {spans}"
            for (_, end, _), (start, _, reason) in pairwise(spans):
                # A period that a change begins ends the one before it; a renewal begins where that ended.
                assert start <= end if reason == "subscription_update" else start == end

    @invariant()
    def a_status_says_what_is_owed(self) -> None:
        for subscription in self.all("subscriptions"):
            latest = self.get(f"invoices/{subscription['latest_invoice']}")
            if subscription["status"] == "incomplete":
                assert (latest["status"], latest["billing_reason"]) == ("open", "subscription_create")
            if subscription["status"] == "incomplete_expired":
                assert latest["status"] in ("void", "uncollectible")
            if subscription["status"] == "trialing":
                assert subscription["trial_end"] == subscription["items"]["data"][0]["current_period_end"]
            assert (subscription["ended_at"] is not None) == (subscription["status"] in ENDED)

    def billed_periods(self, subscription: str) -> list[tuple[int, int, str]]:
        """The whole periods that invoices of a subscription bill, oldest first. A trial may be moved, so it is none."""
        rows = [one for one in reversed(self.all("invoices")) if one["_subscription"] == subscription]
        spans: dict[str, tuple[int, int, str]] = {}
        for invoice in rows:
            for line in invoice["lines"]["data"]:
                details = (line["parent"] or {}).get("subscription_item_details") or {}
                is_trial = str(line["description"]).startswith("Trial period")
                if details and not details["proration"] and not is_trial:
                    span = line["period"]
                    spans.setdefault(invoice["id"], (span["start"], span["end"], invoice["billing_reason"]))
        return list(spans.values())

    def price(self, amount: int, interval: str) -> str:
        params: Json = {
            "currency": "usd",
            "unit_amount": amount,
            "recurring[interval]": interval,
            "product_data[name]": f"{amount} per {interval}",
        }
        return str(self.post("prices", **params)["id"])

    def customer(self, card: str | None, clock: str | None) -> None:
        owner = self.post("customers", email="ada@example.com", **({"test_clock": clock} if clock else {}))["id"]
        self.customers = [*self.customers, owner]
        if card:
            method = self.post(f"payment_methods/{card}/attach", customer=owner)["id"]
            self.post(f"customers/{owner}", **{"invoice_settings[default_payment_method]": method})

    def picked(self, pick: int) -> Json | None:
        rows = self.all("subscriptions")
        return rows[pick % len(rows)] if rows else None

    def post(self, path: str, version: str = NEWEST, **params: Any) -> Any:
        return self.call("POST", path, version, params)

    def get(self, path: str) -> Any:
        return self.call("GET", path, NEWEST, {})

    def call(self, method: str, path: str, version: str, params: Json) -> Any:
        headers = {"Authorization": f"Bearer {KEY}", "Stripe-Version": version}
        query, body = ("?" + urlencode(params), b"") if method != "POST" else ("", urlencode(params).encode())
        reply = self.sandbox.handle(Request(method, f"/v1/{path}{query}", headers, body))
        assert reply.status in (200, 400, 402, 404), reply.body
        return reply.json()

    def all(self, kind: str) -> list[Any]:
        """All objects of a kind, newest first, those of the test clock too."""
        if kind != "subscriptions":
            return self.pages(kind, {})
        rows = self.pages(kind, {"status": "all"})
        for clock in self.pages("test_helpers/test_clocks", {}):
            rows += self.pages(kind, {"status": "all", "test_clock": clock["id"]})
        return sorted(rows, key=lambda one: (one["created"], one["id"]), reverse=True)

    def pages(self, kind: str, params: Json) -> list[Any]:
        rows: list[Any] = []
        while True:
            cursor = {"starting_after": rows[-1]["id"]} if rows else {}
            page = self.call("GET", kind, NEWEST, {"limit": 100, **params, **cursor})
            rows += page["data"]
            if not page["has_more"]:
                break
        for row in rows if kind == "invoices" else ():
            details = (row["parent"] or {}).get("subscription_details") or {}
            row["_subscription"] = details.get("subscription")
        return rows


PRICES = ((1_000, "month"), (2_999, "month"), (0, "month"), (700, "week"), (9_900, "year"))
ENDED = ("canceled", "incomplete_expired")

TestSubscribing = Subscribing.TestCase
TestSubscribing.settings = settings(
    max_examples=10, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
