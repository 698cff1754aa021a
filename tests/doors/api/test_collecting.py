"""Collecting over HTTP: credits, cards and bank debits from beginning to end, and payments recorded by hand."""

from datetime import timedelta
from typing import Any

from behaviours import behaviour
from doors.api.caller import Caller
from houses import World

DAYS = timedelta(days=5)


def save_method(api: Caller, world: World, token: str) -> str:
    identity: str = api.made("/v1/payment-methods", {"customer": "ext:dana", "token": token, "default": True})["id"]
    world.pump()
    return identity


def gift(api: Caller, dana: str, amount: str) -> str:
    """A second wallet, in a unit of its own."""
    api.post("/v1/units", {"code": "gift-credit", "scale": 2, "face": {"amount": 100, "currency": "USD"}})
    wallet: str = api.made("/v1/wallets", {"customer": dana, "unit": "gift-credit"})["id"]
    api.made(f"/v1/wallets/{wallet}/grants", {"amount": amount, "source": "promotional"})
    return wallet


def pay(api: Caller, world: World, invoice: str, **how: Any) -> dict[str, Any]:
    """Pay an invoice, and give the payment once it rests or as far as it came."""
    begun = api.post(f"/v1/invoices/{invoice}/pay", how or None)
    world.pump()
    paid: dict[str, Any] = api.get(f"/v1/payments/{begun.json()['id']}").json() if "id" in begun.json() else {}
    return paid or begun.json()


def parts(payment: dict[str, Any]) -> list[tuple[str, int, str]]:
    return sorted((each["kind"], each["amount"]["amount"], each["status"]) for each in payment["legs"])


def available(api: Caller, wallet: str) -> str:
    shown: str = api.get(f"/v1/wallets/{wallet}").json()["available"]["quantity"]
    return shown


def days_pass(world: World) -> None:
    world.clock.step(DAYS)
    world.pump()


@behaviour("R-SU-13", "R-SU-25")
def test_credits_that_are_short_are_topped_up_and_the_retry_pays(api: Caller, world: World) -> None:
    dana = api.customer()
    world.pump()
    wallet, invoice = api.credits(dana, "60"), api.invoice(dana)

    short = api.post(f"/v1/invoices/{invoice}/pay")
    assert (short.status_code, short.json()["code"]) == (402, "no_payment_method")
    assert available(api, wallet) == "60.000000", "nothing is deducted when nothing can be paid"
    api.made(f"/v1/wallets/{wallet}/grants", {"amount": "50", "source": "promotional"})
    paid = pay(api, world, invoice)

    assert (paid["status"], parts(paid)) == ("succeeded", [("credit", 10000, "settled")])
    assert available(api, wallet) == "10.000000"
    assert world.charges() == []


@behaviour("R-SU-13", "R-SU-25")
def test_several_credits_and_a_refused_card_then_a_new_card_pays_the_rest(api: Caller, world: World) -> None:
    dana = api.customer()
    save_method(api, world, "pm_card_chargeCustomerFail")
    wallet, other, invoice = api.credits(dana, "30"), gift(api, dana, "20"), api.invoice(dana)

    refused = pay(api, world, invoice)
    assert (refused["status"], available(api, wallet), available(api, other)) == ("failed", "0.000000", "0.00")
    paid = pay(api, world, invoice, payment_method=save_method(api, world, "pm_card_visa"))

    assert paid["status"] == "succeeded"
    assert parts(paid) == [
        ("credit", 2000, "settled"),
        ("credit", 3000, "settled"),
        ("provider", 5000, "canceled"),
        ("provider", 5000, "settled"),
    ]
    assert api.get(f"/v1/invoices/{invoice}").json()["status"] == "paid"
    assert world.charges() == [5000]


@behaviour("R-SU-25")
def test_several_credits_and_a_debit_that_fails_give_everything_back_in_time(api: Caller, world: World) -> None:
    dana = api.customer()
    save_method(api, world, "pm_usBankAccount_insufficientFunds")
    wallet, other, invoice = api.credits(dana, "30"), gift(api, dana, "20"), api.invoice(dana)

    begun = pay(api, world, invoice)
    assert begun["status"] == "processing"
    days_pass(world)
    failed = api.get(f"/v1/payments/{begun['id']}").json()
    assert parts(failed) == [("credit", 2000, "reserved"), ("credit", 3000, "reserved"), ("provider", 5000, "refused")]
    world.clock.step(timedelta(hours=25))
    world.pump(timedelta(0))

    assert (available(api, wallet), available(api, other)) == ("30.000000", "20.00")
    assert api.get(f"/v1/invoices/{invoice}").json()["amount_due"]["amount"] == 10000
    assert world.charges() == []


# --- and refunded ---


def refund(api: Caller, world: World, payment: dict[str, Any]) -> dict[str, Any]:
    """Give everything back, each part by its own leg, and give the payment as it stands then."""
    settled = [each for each in payment["legs"] if each["status"] == "settled"]
    chosen = [{"leg": each["id"], "amount": each["amount"]["amount"]} for each in settled]
    api.made(f"/v1/payments/{payment['id']}/refunds", {"parts": chosen})
    world.pump()
    days_pass(world)
    refunds = api.get(f"/v1/refunds?payment={payment['id']}").json()["data"]
    assert sorted(each["amount"]["amount"] for each in refunds) == sorted(each["amount"] for each in chosen)
    assert {each["status"] for each in refunds} == {"succeeded"}
    again = api.post(f"/v1/payments/{payment['id']}/refunds", {"parts": chosen[:1]})
    assert again.status_code in (409, 422), "nothing goes back twice"
    shown: dict[str, Any] = api.get(f"/v1/payments/{payment['id']}").json()
    return shown


@behaviour("R-SU-25")
def test_credits_pay_and_are_refunded(api: Caller, world: World) -> None:
    dana = api.customer()
    world.pump()
    wallet, invoice = api.credits(dana, "120"), api.invoice(dana)
    paid = pay(api, world, invoice)
    assert (paid["status"], available(api, wallet)) == ("succeeded", "20.000000")

    refund(api, world, paid)

    assert available(api, wallet) == "120.000000"
    assert world.charges() == []


@behaviour("R-SU-25")
def test_several_credits_and_a_card_pay_and_are_refunded(api: Caller, world: World) -> None:
    dana = api.customer()
    save_method(api, world, "pm_card_visa")
    wallet, other, invoice = api.credits(dana, "30"), gift(api, dana, "20"), api.invoice(dana)
    paid = pay(api, world, invoice)
    assert (paid["status"], world.charges()) == ("succeeded", [5000])

    refund(api, world, paid)

    assert (available(api, wallet), available(api, other)) == ("30.000000", "20.00")


@behaviour("R-SU-25")
def test_several_credits_and_a_debit_pay_and_are_refunded(api: Caller, world: World) -> None:
    dana = api.customer()
    save_method(api, world, "pm_usBankAccount_success")
    wallet, other, invoice = api.credits(dana, "30"), gift(api, dana, "20"), api.invoice(dana)
    begun = pay(api, world, invoice)
    assert begun["status"] == "processing"
    days_pass(world)
    paid = api.get(f"/v1/payments/{begun['id']}").json()
    assert (paid["status"], world.charges()) == ("succeeded", [5000])

    refund(api, world, paid)

    assert (available(api, wallet), available(api, other)) == ("30.000000", "20.00")


# --- payments recorded by hand ---


def test_a_payment_is_recorded_by_hand_once_and_may_be_tried_dry(api: Caller, world: World) -> None:
    dana = api.customer()
    world.pump()
    path = f"/v1/invoices/{api.invoice(dana)}/external-payments"
    body = {
        "amount": {"amount": 12500, "currency": "USD"},
        "reference": "statement 7/3",
        "method": "bank transfer",
        "received_at": "2026-06-14T04:00:00Z",
    }

    preview = api.post(f"{path}?dry_run=true", body)
    recorded = api.post(path, body)
    again = api.post(path, body)
    late = api.post(path, body | {"reference": "later", "received_at": "2999-01-01T00:00:00Z"})
    euros = api.post(path, body | {"reference": "euros", "amount": {"amount": 1, "currency": "EUR"}})

    assert (preview.status_code, preview.json()["reason"]) == (200, "overpaid")
    assert (recorded.status_code, recorded.json()["status"]) == (201, "succeeded")
    (leg,) = recorded.json()["legs"]
    assert (leg["kind"], leg["means"], leg["reference"]) == ("external", "bank transfer", "statement 7/3")
    assert (again.status_code, again.json()["code"], again.json()["param"]) == (409, "reference_taken", "reference")
    assert (late.status_code, late.json()["param"]) == (422, "received_at")
    assert (euros.status_code, euros.json()["code"]) == (422, "currencies_differ")
    state = api.get(f"/v1/customers/{dana}/state").json()
    assert [each["available"]["amount"] for each in state["balances"]] == [2500]
    assert [each["question"] for each in state["open_cases"]] == ["overpaid"]


def test_a_draft_takes_no_money_and_a_debt_is_given_up_once(api: Caller, world: World) -> None:
    dana = api.customer()
    world.pump()
    draft, invoice = api.draft(dana), api.invoice(dana)
    body = {
        "amount": {"amount": 1, "currency": "USD"},
        "reference": "a",
        "method": "cash",
        "received_at": "2026-06-14T04:00:00Z",
    }

    early = api.post(f"/v1/invoices/{draft}/external-payments", body)
    first = api.post(f"/v1/invoices/{invoice}/mark-uncollectible")
    second = api.post(f"/v1/invoices/{invoice}/mark-uncollectible")

    assert (early.status_code, early.json()["code"]) == (422, "invoice_not_open")
    assert [(each.status_code, each.json()["status"]) for each in (first, second)] == [(200, "uncollectible")] * 2
    assert api.get(f"/v1/explain/{invoice}").json()["equation"]["adds_up"]


def test_the_policy_is_versioned_data(api: Caller) -> None:
    before = api.get("/v1/collection-policy").json()

    wanted = {"overpayment": "refund", "use_balance": False, "credits_kept_for_s": 3600}
    answers = [api.client.put("/v1/collection-policy", json=wanted, headers=api.authorization) for _ in range(2)]

    assert (before["version"], before["overpayment"], before["double_payment"]) == (0, "balance", "refund")
    assert [each.json()["version"] for each in answers] == [1, 1]
    assert api.get("/v1/collection-policy").json()["overpayment"] == "refund"
