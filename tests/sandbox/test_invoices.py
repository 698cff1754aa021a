"""Invoices: drafts, finalizing with the customer's balance, being paid, refused, voided, and both renderings of it."""

from typing import Any

import pytest
import stripe

from counterfoil.sandbox.ports import SteppingClock
from counterfoil.sandbox.versions import ACACIA
from sandbox.covering import covers
from sandbox.harness import CheckedServer, code_of

DAY = 86_400


def customer(api: stripe.StripeClient, method: str | None = "pm_card_visa", **more: Any) -> stripe.Customer:
    """A customer whose default payment method is `method`."""
    params: dict[str, Any] = {"email": "ada@example.com", **more}
    if method:
        params |= {"payment_method": method, "invoice_settings": {"default_payment_method": method}}
    made = api.v1.customers.create(params)  # type: ignore[arg-type]
    if method:
        saved = api.v1.customers.payment_methods.list(made.id).data[0]
        api.v1.customers.update(made.id, {"invoice_settings": {"default_payment_method": saved.id}})
    return made


def draft(api: stripe.StripeClient, owner: str, *amounts: int, **more: Any) -> stripe.Invoice:
    for amount in amounts:
        api.v1.invoice_items.create(
            {"customer": owner, "amount": amount, "currency": "usd", "description": f"a{amount}"}
        )
    params: dict[str, Any] = {"customer": owner, "pending_invoice_items_behavior": "include", **more}
    return api.v1.invoices.create(params)  # type: ignore[arg-type]


def opened(api: stripe.StripeClient, owner: str, *amounts: int, **more: Any) -> stripe.Invoice:
    return api.v1.invoices.finalize_invoice(draft(api, owner, *amounts, **more).id)


def shown(api: stripe.StripeClient, invoice: str, *expand: str) -> Any:
    return api.v1.invoices.retrieve(invoice, {"expand": list(expand)}).to_dict()


def amounts(invoice: Any) -> tuple[int, int, int]:
    """Due, paid, remaining."""
    return invoice["amount_due"], invoice["amount_paid"], invoice["amount_remaining"]


def balance(api: stripe.StripeClient, owner: str) -> int:
    return int(api.v1.customers.retrieve(owner).balance or 0)


def moves(api: stripe.StripeClient, owner: str) -> list[tuple[str, int]]:
    rows = api.v1.customers.balance_transactions.list(owner).data
    return [(row.type, row.amount) for row in reversed(rows)]


def test_a_draft_gathers_pending_items_and_others_do_not(api: stripe.StripeClient) -> None:
    ada, eve = customer(api), customer(api)
    api.v1.invoice_items.create({"customer": eve.id, "amount": 999, "currency": "usd"})
    api.v1.invoice_items.create({"customer": ada.id, "amount": 1, "currency": "usd", "metadata": {"first": "1"}})
    api.v1.invoice_items.create({"customer": ada.id, "amount": 999, "currency": "eur"})

    made = draft(api, ada.id, 2_000, 499)
    bare = api.v1.invoices.create({"customer": eve.id})

    invoice = made.to_dict()
    assert (invoice["status"], invoice["total"], invoice["number"], invoice["auto_advance"]) == (
        "draft",
        2_500,
        None,
        False,
    )
    assert [line["description"] for line in invoice["lines"]["data"]] == ["a499", "a2000", None]
    assert (bare.total, bare.lines.data) == (0, [])
    pending = api.v1.invoice_items.list({"customer": ada.id, "pending": True}).data
    assert [item.currency for item in pending] == ["eur"]


def test_an_invoice_is_finalized_and_paid(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api)
    invoice = opened(api, owner.id, 2_000)
    before = shown(api, invoice.id, "payments.data.payment.payment_intent", "confirmation_secret")
    assert (before["status"], amounts(before), before["attempted"]) == ("open", (2_000, 0, 2_000), False)
    assert before["number"].endswith("-0001")
    expected = before["payments"]["data"][0]
    assert (expected["status"], expected["is_default"], expected["amount_requested"]) == ("open", True, 2_000)
    intent = expected["payment"]["payment_intent"]
    assert (intent["status"], intent["amount"]) == ("requires_confirmation", 2_000)
    assert before["confirmation_secret"] == {"client_secret": intent["client_secret"], "type": "payment_intent"}

    paid = api.v1.invoices.pay(invoice.id)

    assert (paid.status, amounts(paid.to_dict()), paid.attempt_count) == ("paid", (2_000, 2_000, 0), 1)
    rows = api.v1.invoice_payments.list({"payment": {"type": "payment_intent", "payment_intent": intent["id"]}}).data
    assert [(row.invoice, row.status, row.amount_paid) for row in rows] == [(invoice.id, "paid", 2_000)]
    assert server.event_types()[-7:] == [
        "charge.succeeded",
        "charge.updated",
        "payment_intent.succeeded",
        "invoice_payment.paid",
        "invoice.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
    ]
    assert "payments" not in api.v1.events.list({"type": "invoice.paid"}).data[0].data.object
    assert len(server.journal("charge")) == 1


def test_finalizing_tells_what_happens(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api)
    invoice = draft(api, owner.id, 2_000)
    assert server.event_types()[-2:] == ["invoiceitem.created", "invoice.created"]

    api.v1.invoices.finalize_invoice(invoice.id)

    assert server.event_types()[-4:] == [
        "payment_intent.created",
        "customer.updated",
        "invoice.finalized",
        "invoice.updated",
    ]
    with pytest.raises(stripe.InvalidRequestError, match="already finalized"):
        api.v1.invoices.finalize_invoice(invoice.id)


def test_paying_a_draft_finalizes_it_first(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api)

    paid = api.v1.invoices.pay(draft(api, owner.id, 2_000).id)

    assert paid.status == "paid"
    assert server.event_types().count("invoice.finalized") == 1
    with pytest.raises(stripe.InvalidRequestError, match="already paid"):
        api.v1.invoices.pay(paid.id)
    assert len(server.journal("charge")) == 1


@covers("versions.rendering")
def test_versions_before_basil_show_the_invoice_in_their_shape(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api)
    older = server.client(version=ACACIA)
    invoice = opened(api, owner.id, 2_000)
    api.v1.invoices.pay(invoice.id)

    old = older.v1.invoices.retrieve(invoice.id, {"expand": ["payment_intent", "charge"]}).to_dict()
    new = shown(api, invoice.id)

    assert (old["paid"], old["paid_out_of_band"], old["charge"]["paid"]) == (True, False, True)
    assert (old["payment_intent"]["invoice"], old["charge"]["invoice"]) == (invoice.id, invoice.id)
    line = old["lines"]["data"][0]
    assert (line["type"], line["price"]["unit_amount"], line["proration"]) == ("invoiceitem", 2_000, False)
    assert new["lines"]["data"][0]["pricing"]["price_details"]["price"] == line["price"]["id"]
    assert new["lines"]["data"][0]["parent"]["type"] == "invoice_item_details"
    assert new["parent"] is None
    assert not {"paid", "payment_intent", "charge", "subscription", "tax"} & set(new)
    assert "invoice" not in api.v1.payment_intents.retrieve(old["payment_intent"]["id"]).to_dict()
    for client, gone in ((api, "payment_intent"), (older, "payments"), (older, "confirmation_secret")):
        with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
            client.v1.invoices.retrieve(invoice.id, {"expand": [gone]})


@covers("invoices.balance", "invoices.zero")
@pytest.mark.parametrize(
    ("start", "total", "due", "end", "kinds"),
    [
        (-500, 2_000, 1_500, 0, [("adjustment", -500), ("applied_to_invoice", 500)]),
        (-2_000, 2_000, 0, 0, [("adjustment", -2_000), ("applied_to_invoice", 2_000)]),
        (-5_000, 2_000, 0, -3_000, [("adjustment", -5_000), ("applied_to_invoice", 2_000)]),
        (700, 2_000, 2_700, 0, [("adjustment", 700), ("applied_to_invoice", -700)]),
        (0, 2_000, 2_000, 0, []),
        (0, 40, 0, 40, [("invoice_too_small", 40)]),
        (-1_980, 2_000, 0, 20, [("adjustment", -1_980), ("applied_to_invoice", 1_980), ("invoice_too_small", 20)]),
        (0, -300, 0, -300, [("applied_to_invoice", -300)]),
        (0, 0, 0, 0, []),
    ],
)
def test_the_customers_balance_is_applied_when_an_invoice_is_finalized(
    server: CheckedServer,
    api: stripe.StripeClient,
    start: int,
    total: int,
    due: int,
    end: int,
    kinds: list[tuple[str, int]],
) -> None:
    owner = customer(api, balance=start)

    invoice = opened(api, owner.id, *([total] if total else []))

    assert (invoice.total, invoice.amount_due, invoice.amount_remaining) == (total, due, due)
    assert (invoice.starting_balance, invoice.ending_balance) == (start, end)
    assert (balance(api, owner.id), moves(api, owner.id)) == (end, kinds)
    assert invoice.status == ("open" if due else "paid")
    rows = api.v1.invoice_payments.list({"invoice": invoice.id}).data
    assert [row.amount_requested for row in rows] == ([due] if due else [])
    if not due:
        assert server.event_types()[-2:] == ["invoice.paid", "invoice.payment_succeeded"]
        assert (invoice.attempt_count, invoice.amount_paid, server.journal("charge")) == (0, 0, [])


@covers("invoices.balance")
def test_only_the_remainder_is_charged(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api, balance=-500)

    api.v1.invoices.pay(opened(api, owner.id, 2_000).id)

    assert [line["amount"] for line in server.journal("charge")] == [1_500]


def test_voiding_returns_the_balance_and_cancels_the_payment(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api, balance=-500)
    invoice = opened(api, owner.id, 2_000)

    void = api.v1.invoices.void_invoice(invoice.id)

    assert (void.status, amounts(void.to_dict()), balance(api, owner.id)) == ("void", (1_500, 0, 1_500), -500)
    assert moves(api, owner.id)[-1] == ("unapplied_from_invoice", -500)
    (row,) = api.v1.invoice_payments.list({"invoice": invoice.id}).data
    intent = api.v1.payment_intents.retrieve(str(row.payment.payment_intent))
    assert (row.status, intent.status, intent.cancellation_reason) == ("canceled", "canceled", "void_invoice")
    assert server.event_types()[-1] == "invoice.voided"
    for act in (api.v1.invoices.pay, api.v1.invoices.void_invoice, api.v1.invoices.mark_uncollectible):
        with pytest.raises(stripe.InvalidRequestError):
            act(invoice.id)


@covers("invoices.declined")
def test_a_declined_payment_is_a_402_and_leaves_the_invoice_open(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    owner = customer(api, "pm_card_chargeCustomerFail")
    invoice = opened(api, owner.id, 2_000)

    with pytest.raises(stripe.CardError) as refusal:
        api.v1.invoices.pay(invoice.id)

    assert (refusal.value.http_status, refusal.value.code) == (402, "card_declined")
    after = shown(api, invoice.id, "payments.data.payment.payment_intent")
    assert (after["status"], after["attempt_count"], after["attempted"]) == ("open", 1, True)
    assert amounts(after) == (2_000, 0, 2_000)
    intent = after["payments"]["data"][0]["payment"]["payment_intent"]
    assert (intent["status"], intent["last_payment_error"]["code"]) == ("requires_payment_method", "card_declined")
    assert server.event_types()[-4:] == [
        "charge.failed",
        "payment_intent.payment_failed",
        "invoice.updated",
        "invoice.payment_failed",
    ]

    other = api.v1.payment_methods.attach("pm_card_visa", {"customer": owner.id})
    paid = api.v1.invoices.pay(invoice.id, {"payment_method": other.id})
    assert (paid.status, paid.attempt_count, len(server.journal("charge"))) == ("paid", 1, 1)


def test_paying_without_a_method_is_refused_before_any_attempt(api: stripe.StripeClient) -> None:
    owner = customer(api, None)
    invoice = opened(api, owner.id, 2_000)
    other = api.v1.payment_methods.attach("pm_card_visa", {"customer": customer(api, None).id})

    for params, words in (({}, "no attached payment source"), ({"payment_method": other.id}, "must be attached")):
        with pytest.raises(stripe.InvalidRequestError, match=words):
            api.v1.invoices.pay(invoice.id, params)  # type: ignore[arg-type]
    assert shown(api, invoice.id)["attempt_count"] == 0


@pytest.mark.parametrize("outcome", ["succeed", "fail"])
def test_a_challenge_leaves_the_invoice_open_until_the_customer_answers_it(
    server: CheckedServer, api: stripe.StripeClient, outcome: str
) -> None:
    owner = customer(api, "pm_card_authenticationRequired")
    invoice = opened(api, owner.id, 2_000)
    with pytest.raises(stripe.CardError) as refusal:
        api.v1.invoices.pay(invoice.id)
    assert (refusal.value.http_status, refusal.value.code) == (402, "invoice_payment_intent_requires_action")
    assert server.event_types()[-2:] == ["invoice.payment_action_required", "invoice.payment_failed"]
    (row,) = api.v1.invoice_payments.list({"invoice": invoice.id}).data

    server.control("POST", f"payment_intents/{row.payment.payment_intent}/authenticate", {"outcome": outcome})

    after = shown(api, invoice.id)
    assert (after["status"], after["attempt_count"]) == ("paid" if outcome == "succeed" else "open", 1)
    assert len(server.journal("charge")) == (1 if outcome == "succeed" else 0)


def test_a_card_set_up_for_it_is_charged_without_its_customer(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api, None)
    intent = api.v1.setup_intents.create(
        {"customer": owner.id, "payment_method": "pm_card_authenticationRequiredOnSetup", "confirm": True}
    )
    server.control("POST", f"setup_intents/{intent.id}/authenticate", {"outcome": "succeed"})

    paid = api.v1.invoices.pay(opened(api, owner.id, 2_000).id, {"payment_method": str(intent.payment_method)})

    assert paid.status == "paid"


def test_the_customer_pays_through_the_payment_that_the_invoice_expects(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    owner = customer(api, None)
    invoice = opened(api, owner.id, 2_000)
    (row,) = api.v1.invoice_payments.list({"invoice": invoice.id}).data
    intent = str(row.payment.payment_intent)
    with pytest.raises(stripe.InvalidRequestError, match="belongs to the invoice"):
        api.v1.payment_intents.cancel(intent)
    with pytest.raises(stripe.InvalidRequestError, match="belongs to the invoice"):
        api.v1.payment_intents.update(intent, {"amount": 50})

    api.v1.payment_intents.confirm(intent, {"payment_method": "pm_card_visa"})

    assert (shown(api, invoice.id)["status"], server.event_types()[-1]) == ("paid", "invoice.payment_succeeded")


@pytest.mark.parametrize(
    ("account", "status", "told"),
    [
        ("pm_usBankAccount_success", "paid", "invoice.paid"),
        ("pm_usBankAccount_insufficientFunds", "open", "invoice.payment_failed"),
    ],
)
def test_a_bank_debit_pays_days_later_or_comes_back(
    server: CheckedServer, api: stripe.StripeClient, account: str, status: str, told: str
) -> None:
    owner = customer(api, account)
    invoice = opened(api, owner.id, 2_000)
    waiting = api.v1.invoices.pay(invoice.id)
    assert (waiting.status, waiting.attempted, waiting.attempt_count) == ("open", True, 1)
    for act in (api.v1.invoices.void_invoice, api.v1.invoices.mark_uncollectible, api.v1.invoices.pay):
        with pytest.raises(stripe.InvalidRequestError):
            act(invoice.id)

    server.control("POST", "clock", {"advance_s": 5 * DAY})

    after = shown(api, invoice.id)
    assert (after["status"], after["attempt_count"]) == (status, 1)
    assert told in server.event_types()


@covers("invoices.out-of-band")
def test_out_of_band_money_counts_as_paid_but_older_versions_do_not_count_it(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    owner = customer(api)
    invoice = opened(api, owner.id, 2_000)

    paid = api.v1.invoices.pay(invoice.id, {"paid_out_of_band": True})

    assert (paid.status, amounts(paid.to_dict())) == ("paid", (2_000, 2_000, 0))
    assert paid.to_dict()["amount_paid_off_stripe"] == 2_000
    old = server.client(version=ACACIA).v1.invoices.retrieve(invoice.id).to_dict()
    assert (old["paid_out_of_band"], amounts(old)) == (True, (2_000, 0, 2_000))
    assert server.journal("charge") == []
    (row,) = api.v1.invoice_payments.list({"invoice": invoice.id}).data
    assert row.status == "canceled"


@covers("invoices.partial")
def test_several_payments_pay_one_invoice(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api)
    invoice = opened(api, owner.id, 2_000)

    def intent(amount: int, **more: Any) -> str:
        params: Any = {"amount": amount, "currency": "usd", "customer": owner.id, **more}
        return api.v1.payment_intents.create(params).id

    later = intent(700)
    api.v1.invoices.attach_payment(invoice.id, {"payment_intent": later})
    with pytest.raises(stripe.InvalidRequestError, match="is open"):
        api.v1.invoices.void_invoice(invoice.id)
    api.v1.payment_intents.confirm(later, {"payment_method": "pm_card_visa"})
    part = shown(api, invoice.id, "payments.data.payment.payment_intent")
    assert (part["status"], amounts(part)) == ("open", (2_000, 700, 1_300))
    expected = next(row for row in part["payments"]["data"] if row["is_default"])
    assert (expected["amount_requested"], expected["payment"]["payment_intent"]["amount"]) == (1_300, 1_300)

    done = intent(300, payment_method="pm_card_visa", confirm=True)
    attached = api.v1.invoices.attach_payment(invoice.id, {"payment_intent": done})
    assert amounts(attached.to_dict()) == (2_000, 1_000, 1_000)
    with pytest.raises(stripe.InvalidRequestError, match="is paid"):
        api.v1.invoices.void_invoice(invoice.id)

    paid = api.v1.invoices.pay(invoice.id)
    assert (paid.status, amounts(paid.to_dict())) == ("paid", (2_000, 2_000, 0))
    rows = api.v1.invoice_payments.list({"invoice": invoice.id, "status": "paid"}).data
    assert sorted(int(row.amount_paid or 0) for row in rows) == [300, 700, 1_000]
    assert server.event_types().count("invoice_payment.paid") == 3
    assert server.event_types().count("invoice.paid") == 1


def test_an_invoice_paid_by_another_payment_expects_none(api: stripe.StripeClient) -> None:
    owner = customer(api)
    invoice = opened(api, owner.id, 2_000)
    whole = api.v1.payment_intents.create(
        {"amount": 2_000, "currency": "usd", "customer": owner.id, "payment_method": "pm_card_visa", "confirm": True}
    )

    paid = api.v1.invoices.attach_payment(invoice.id, {"payment_intent": whole.id})

    rows = api.v1.invoice_payments.list({"invoice": invoice.id}).data
    assert paid.status == "paid"
    assert {(row.is_default, row.status) for row in rows} == {(True, "canceled"), (False, "paid")}


def test_two_payments_that_both_succeed_leave_the_excess_as_credit(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    owner = customer(api)
    invoice = opened(api, owner.id, 2_000)
    params: Any = {"amount": 1_500, "currency": "usd", "customer": owner.id}
    intents = [api.v1.payment_intents.create(params).id for _ in range(2)]
    for intent in intents:
        api.v1.invoices.attach_payment(invoice.id, {"payment_intent": intent})

    for intent in intents:
        api.v1.payment_intents.confirm(intent, {"payment_method": "pm_card_visa"})

    after = shown(api, invoice.id)
    assert (after["status"], amounts(after), after["amount_overpaid"]) == ("paid", (2_000, 2_000, 0), 1_000)
    assert (balance(api, owner.id), moves(api, owner.id)) == (-1_000, [("invoice_overpaid", -1_000)])
    assert "invoice.overpaid" in server.event_types()


@pytest.mark.parametrize("account", ["pm_usBankAccount_success", "pm_usBankAccount_insufficientFunds"])
def test_a_debit_that_another_payment_overtakes_ends_as_credit_or_as_nothing(
    server: CheckedServer, api: stripe.StripeClient, account: str
) -> None:
    owner = customer(api, account)
    invoice = opened(api, owner.id, 2_000)
    api.v1.invoices.pay(invoice.id)
    card = api.v1.payment_intents.create(
        {"amount": 2_000, "currency": "usd", "customer": owner.id, "payment_method": "pm_card_visa", "confirm": True}
    )
    assert api.v1.invoices.attach_payment(invoice.id, {"payment_intent": card.id}).status == "paid"

    server.control("POST", "clock", {"advance_s": 5 * DAY})

    succeeded = account.endswith("success")
    assert balance(api, owner.id) == (-2_000 if succeeded else 0)
    statuses = {row.status for row in api.v1.invoice_payments.list({"invoice": invoice.id}).data}
    assert statuses == ({"paid"} if succeeded else {"paid", "canceled"})
    assert "invoice.payment_failed" not in server.event_types()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"customer": None}, "same customer"),
        ({"currency": "eur"}, "same currency"),
        ({"amount": 2_001}, "more than what remains"),
    ],
)
def test_a_payment_that_does_not_fit_is_not_attached(
    api: stripe.StripeClient, change: dict[str, Any], words: str
) -> None:
    owner = customer(api)
    invoice = opened(api, owner.id, 2_000)
    params: Any = {"amount": 900, "currency": "usd", "customer": owner.id} | change
    intent = api.v1.payment_intents.create({name: value for name, value in params.items() if value})  # type: ignore[arg-type]

    with pytest.raises(stripe.InvalidRequestError, match=words):
        api.v1.invoices.attach_payment(invoice.id, {"payment_intent": intent.id})


def test_uncollectible_invoices_can_still_be_paid_or_voided(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api)
    first, second = opened(api, owner.id, 2_000), opened(api, owner.id, 900)
    lost = api.v1.invoices.mark_uncollectible(first.id)
    api.v1.invoices.mark_uncollectible(second.id)
    assert (lost.status, amounts(lost.to_dict())) == ("uncollectible", (2_000, 0, 2_000))
    assert lost.to_dict()["status_details"]["uncollectible"]["reason"] == "user_forgiven"
    assert "invoice.marked_uncollectible" in server.event_types()

    assert api.v1.invoices.pay(first.id).status == "paid"
    assert api.v1.invoices.void_invoice(second.id).status == "void"


def test_a_draft_is_deleted_and_its_waiting_items_wait_again(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api)
    invoice = draft(api, owner.id, 2_000)
    own = api.v1.invoice_items.create({"customer": owner.id, "invoice": invoice.id, "amount": 10, "currency": "usd"})

    gone = api.v1.invoices.delete(invoice.id)

    assert gone.to_dict() == {"id": invoice.id, "object": "invoice", "deleted": True}
    assert [item.amount for item in api.v1.invoice_items.list({"pending": True}).data] == [2_000]
    with pytest.raises(stripe.InvalidRequestError):
        api.v1.invoice_items.retrieve(own.id)
    assert server.event_types()[-1] == "invoice.deleted"
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.invoices.delete(opened(api, owner.id, 900).id)
    assert code_of(refusal.value) == "invoice_not_editable"


@covers("invoices.auto-advance")
def test_a_draft_with_auto_advance_is_finalized_and_paid_after_an_hour(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    owner = customer(api)
    invoice = draft(api, owner.id, 2_000, auto_advance=True)
    assert invoice.automatically_finalizes_at == invoice.created + 3_600 == invoice.next_payment_attempt

    server.control("POST", "clock", {"advance_s": 3_599})
    assert shown(api, invoice.id)["status"] == "draft"
    server.control("POST", "clock", {"advance_s": 1})

    after = shown(api, invoice.id)
    assert (after["status"], after["attempt_count"], after["auto_advance"]) == ("paid", 1, False)
    assert len(server.journal("charge")) == 1


def test_without_auto_advance_nothing_happens_by_itself(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api)
    left, stopped = draft(api, owner.id, 2_000), draft(api, owner.id, 900, auto_advance=True)
    api.v1.invoices.update(stopped.id, {"auto_advance": False})

    server.control("POST", "clock", {"advance_s": 10 * DAY})

    assert {shown(api, left.id)["status"], shown(api, stopped.id)["status"]} == {"draft"}
    started = api.v1.invoices.finalize_invoice(left.id, {"auto_advance": True})
    assert started.status == "open"
    server.control("POST", "clock", {"advance_s": 1})
    assert shown(api, left.id)["status"] == "paid"


def test_an_automatic_attempt_that_fails_leaves_the_invoice_open(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    declined, nothing = customer(api, "pm_card_chargeCustomerFail"), customer(api, None)
    first = draft(api, declined.id, 2_000, auto_advance=True)
    second = draft(api, nothing.id, 2_000, auto_advance=True)

    server.control("POST", "clock", {"advance_s": 3_600})

    for invoice in (first, second):
        after = shown(api, invoice.id)
        assert (after["status"], after["attempt_count"], after["next_payment_attempt"]) == ("open", 1, None)
    assert server.event_types().count("invoice.payment_failed") == 2


def test_a_sent_invoice_is_due_in_some_days_and_told(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api)
    invoice = draft(api, owner.id, 2_000, collection_method="send_invoice", days_until_due=7)
    sent = api.v1.invoices.send_invoice(invoice.id)
    by_itself = draft(api, owner.id, 900, collection_method="send_invoice", days_until_due=7, auto_advance=True)

    assert (sent.status, sent.due_date) == ("open", invoice.created + 7 * DAY)
    assert server.event_types().count("invoice.sent") == 1
    server.control("POST", "clock", {"advance_s": 3_600})
    assert (shown(api, by_itself.id)["status"], server.event_types().count("invoice.sent")) == ("open", 2)
    assert server.journal("charge") == []
    with pytest.raises(stripe.InvalidRequestError, match="collection method"):
        api.v1.invoices.send_invoice(opened(api, owner.id, 900).id)


def test_an_invoice_that_can_not_be_finalized_says_why(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api)
    api.v1.invoices.pay(opened(api, owner.id, 900, number="R-1").id)
    asked = draft(api, owner.id, 900, number="R-1")
    by_itself = draft(api, owner.id, 900, number="R-1", auto_advance=True)

    with pytest.raises(stripe.InvalidRequestError, match="already used"):
        api.v1.invoices.finalize_invoice(asked.id)
    server.control("POST", "clock", {"advance_s": 3_600})

    for invoice in (asked, by_itself):
        after = shown(api, invoice.id)
        assert (after["status"], after["last_finalization_error"]["param"]) == ("draft", "number")
    assert server.event_types().count("invoice.finalization_failed") == 2


def test_an_item_is_changed_on_its_draft_and_no_longer_afterwards(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    owner = customer(api)
    invoice = draft(api, owner.id, 2_000)
    item = api.v1.invoice_items.list({"invoice": invoice.id}).data[0]

    api.v1.invoice_items.update(item.id, {"amount": 2_500, "description": "more", "metadata": {"a": "b"}})
    extra = api.v1.invoice_items.create({"customer": owner.id, "invoice": invoice.id, "amount": 100, "currency": "usd"})
    doomed = api.v1.invoice_items.create({"customer": owner.id, "invoice": invoice.id, "amount": 7, "currency": "usd"})
    api.v1.invoice_items.delete(doomed.id)

    after = shown(api, invoice.id)
    lines = [(line["description"], line["amount"], line["metadata"]) for line in after["lines"]["data"]]
    assert (after["total"], lines) == (2_600, [("more", 2_500, {"a": "b"}), (None, 100, {})])
    assert "invoiceitem.deleted" in server.event_types()
    api.v1.invoices.finalize_invoice(invoice.id)
    for act in (
        lambda: api.v1.invoice_items.update(extra.id, {"amount": 1}),
        lambda: api.v1.invoice_items.delete(extra.id),
        lambda: api.v1.invoices.update(invoice.id, {"description": "late"}),
        lambda: api.v1.invoice_items.create({"customer": owner.id, "invoice": invoice.id, "amount": 1}),
    ):
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            act()
        assert code_of(refusal.value) == "invoice_not_editable"
    assert api.v1.invoices.update(invoice.id, {"metadata": {"late": "fine"}}).to_dict()["metadata"] == {"late": "fine"}


def test_an_item_can_be_priced_in_every_way(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api).id
    price = api.v1.prices.create({"currency": "usd", "unit_amount": 250, "product_data": {"name": "tea"}})
    older = server.client(version=ACACIA)
    ways: list[tuple[stripe.StripeClient, dict[str, Any], int]] = [
        (api, {"pricing": {"price": price.id}, "quantity": 3}, 750),
        (api, {"unit_amount_decimal": "0.25", "quantity": 1_000, "currency": "usd"}, 250),
        (api, {"price_data": {"currency": "usd", "unit_amount": 40, "product": price.product}, "quantity": 2}, 80),
        (older, {"price": price.id}, 250),
        (older, {"unit_amount": 120, "quantity": 2, "currency": "usd"}, 240),
        (api, {"amount": -90, "currency": "usd"}, -90),
    ]
    for client, params, amount in ways:
        made = client.v1.invoice_items.create({"customer": owner, **params})  # type: ignore[arg-type]
        assert made.amount == amount

    invoice = draft(api, owner)
    assert invoice.total == sum(amount for _, _, amount in ways)
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.invoice_items.create({"customer": owner, "price": price.id})  # type: ignore[arg-type]
    assert (code_of(refusal.value), refusal.value.param) == ("parameter_unknown", "price")


def test_lines_are_listed_and_added(api: stripe.StripeClient) -> None:
    owner = customer(api)
    invoice = draft(api, owner.id, *range(100, 112))
    waiting = api.v1.invoice_items.create({"customer": owner.id, "amount": 5, "currency": "usd"})

    changed = api.v1.invoices.add_lines(
        invoice.id, {"lines": [{"invoice_item": waiting.id}, {"amount": 6, "description": "new"}]}
    )

    lines = list(api.v1.invoices.line_items.list(invoice.id, {"limit": 5}).auto_paging_iter())
    assert [line.amount for line in lines] == [*range(111, 99, -1), 5, 6]
    assert (len(changed.lines.data), changed.lines.has_more) == (10, True)
    assert changed.total == sum(line.amount for line in lines)


def test_invoices_are_listed_and_searched(api: stripe.StripeClient) -> None:
    ada, eve = customer(api), customer(api)
    open_one = opened(api, ada.id, 2_000, metadata={"order": "7"})
    left = draft(api, eve.id, 900)

    def found(**params: Any) -> list[str]:
        return [one.id for one in api.v1.invoices.list(params).data]  # type: ignore[arg-type]

    assert found() == [left.id, open_one.id]
    assert found(customer=ada.id) == found(status="open") == [open_one.id]
    query = f"customer:'{ada.id}' AND metadata['order']:'7' AND total>1999"
    assert [one.id for one in api.v1.invoices.search({"query": query}).data] == [open_one.id]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"customer": "cus_none"}, "customer"),
        ({"days_until_due": 7}, "days_until_due"),
        ({"collection_method": "send_invoice"}, "days_until_due"),
        ({"subscription": "sub_1"}, "subscription"),
        ({"discounts": [{"coupon": "x"}]}, "discounts"),
        ({"automatic_tax": {"enabled": True}}, "automatic_tax[enabled]"),
        ({"default_payment_method": "pm_none"}, "default_payment_method"),
    ],
)
def test_what_can_not_be_or_is_not_covered_is_refused_by_name(
    api: stripe.StripeClient, more: dict[str, Any], param: str
) -> None:
    owner = customer(api)
    params: Any = {"customer": owner.id, **more}

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.invoices.create(params)

    assert str(refusal.value.param).startswith(param)


def test_a_key_pays_an_invoice_once(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api)
    invoice = opened(api, owner.id, 2_000)

    first = api.v1.invoices.pay(invoice.id, {}, {"idempotency_key": "k"})
    second = api.v1.invoices.pay(invoice.id, {}, {"idempotency_key": "k"})

    assert (first.status, first.id, len(server.journal("charge"))) == ("paid", second.id, 1)


def test_numbers_count_up_per_customer(api: stripe.StripeClient, clock: SteppingClock) -> None:
    owner = customer(api, invoice_prefix="ADA")

    numbers = [opened(api, owner.id, 900).number for _ in range(2)]

    assert numbers == ["ADA-0001", "ADA-0002"]
    assert api.v1.customers.retrieve(owner.id).next_invoice_sequence == 3


def test_a_payment_of_an_invoice_is_told_from_one_that_stands_alone(api: stripe.StripeClient) -> None:
    owner = customer(api)
    opened(api, owner.id, 900)
    alone = api.v1.payment_intents.create({"amount": 900, "currency": "usd", "customer": owner.id})

    rows = api.v1.invoice_payments.list({"payment": {"type": "payment_intent", "payment_intent": alone.id}}).data

    assert rows == []


def test_a_sent_invoice_is_told_before_its_day_and_after_it(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    owner = customer(api, None)
    terms = {"collection_method": "send_invoice", "days_until_due": 10}
    late, timely = opened(api, owner.id, 1_000, **terms), opened(api, owner.id, 2_000, **terms)

    clock.step(7 * DAY + 1)
    assert [event.data.object["id"] for event in api.v1.events.list({"type": "invoice.will_be_due"}).data] == [
        timely.id,
        late.id,
    ]
    api.v1.invoices.pay(timely.id, {"paid_out_of_band": True})
    clock.step(3 * DAY)

    assert [event.data.object["id"] for event in api.v1.events.list({"type": "invoice.overdue"}).data] == [late.id]


def test_a_method_that_others_process_is_asked_for_and_paid_elsewhere(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    owner = customer(api, None)
    made: Any = {"type": "custom", "custom": {"type": "cpmt_1"}}
    method = api.v1.payment_methods.create(made)
    api.v1.payment_methods.attach(method.id, {"customer": owner.id})
    api.v1.customers.update(owner.id, {"invoice_settings": {"default_payment_method": method.id}})
    invoice = draft(api, owner.id, 2_000, auto_advance=True)

    clock.step(3_601)

    after = shown(api, invoice.id)
    assert (after["status"], after["attempt_count"], after["attempted"]) == ("open", 1, True)
    assert server.event_types()[-1] == "invoice.payment_attempt_required"
    assert server.journal("charge", "charge_failed") == []
    with pytest.raises(stripe.InvalidRequestError, match="can't be processed by Stripe"):
        api.v1.payment_intents.create(
            {"amount": 500, "currency": "usd", "customer": owner.id, "payment_method": method.id, "confirm": True}
        )
    assert api.v1.invoices.pay(invoice.id, {"paid_out_of_band": True}).status == "paid"
