"""Whole stories, explained. The texts are what a support person reads."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from inline_snapshot import snapshot

from counterfoil.core.ids import typeid
from counterfoil.engine import explain, operations
from houses import World, body_of, house_with_sandbox
from stories import either_first
from telling import folded, told


@pytest.fixture
def world(database: str) -> Iterator[World]:
    with house_with_sandbox(database) as opened:
        yield opened


def explained(world: World, asked: str) -> dict[str, Any]:
    return explain.explain(world.house, world.tenant.id, asked)


def test_an_invoice_paid_by_credits_and_card_tells_every_notice_also_those_without_effect(world: World) -> None:
    story = either_first(world)

    text = told(explained(world, story.invoice))

    assert text == snapshot("""\
Invoice INV-000001 over 100.00 USD is paid: 30.00 by credits and 70.00 by card.
100.00 billed = 30.00 credits + 70.00 card + 0.00 due (USD)

04:05:00 api POST /v1/invoices -> applied/state: A draft over 100.00 USD was written.
04:05:00 api POST /v1/invoices/{invoice}/finalize -> applied/money billed $100.00: Invoice
    INV-000001 over 100.00 USD is open.
04:06:00 api POST /v1/payments -> applied/state: Credits reserve 30.00 USD of INV-000001; the
    provider is asked for the remaining 70.00 USD.
04:06:00 reply Create the payment: the provider did it -> applied/state: Payment pi#1 exists at the
    provider; it is confirmed now.
04:06:01 reply Confirm the payment: the provider did it -> applied/money settled $100.00: The
    provider collected 70.00 USD for INV-000001.
04:06:04 webhook payment_intent.succeeded x2 -> no_effect/none: Payment pi#1 was settled before;
    this news says nothing new.
04:06:05 webhook charge.updated x2 -> no_effect/none: Payment pi#1 was settled before; this news
    says nothing new.
04:06:06 webhook charge.succeeded x2 -> no_effect/none: Payment pi#1 was settled before; this news
    says nothing new.
04:06:07 webhook payment_intent.created x2 -> no_effect/none: Payment pi#1 was settled before; this
    news says nothing new.

Invoice finalized
  Owed by the customer <- Revenue $100.00
Collected by the provider
  Money at the provider <- Owed by the customer $70.00
Provider's fee
  Provider's fees <- Money at the provider $2.33
Paid by credits
  Credits in the lot <- Credits used 30.00 usd-credit
  Deferred revenue <- Owed by the customer $30.00\
""")


def test_a_payment_and_its_card_leg_tell_what_each_part_brought(world: World) -> None:
    story = either_first(world)

    payment = explained(world, story.payment)
    leg = explained(world, payment["subject"]["legs"][1]["id"])

    assert payment["equation"]["text"] == snapshot("100.00 asked for = 30.00 credits + 70.00 card (USD)")
    assert leg["finding"] == snapshot("This part of the payment: 70.00 USD was collected by card.")
    assert leg["equation"]["text"] == snapshot("70.00 asked for = 70.00 INV-000001 + 0.00 kept for the customer (USD)")
    assert leg["entries"][0]["title"] == snapshot("Collected by the provider")


def test_a_wallet_and_its_lot_tell_where_the_credits_went(world: World) -> None:
    story = either_first(world)

    wallet = explained(world, story.wallet)
    lot = explained(world, wallet["subject"]["grants"][0]["id"])

    assert told(wallet) == snapshot("""\
0.00 usd-credit can be spent: 30.00 granted, 30.00 used.
30.00 granted − 30.00 used − 0.00 held − 0.00 expired = 0.00 available (usd-credit)

04:04:00 api POST /v1/wallets -> applied/state: A wallet in usd-credit is open.
04:04:00 api POST /v1/wallets/{wallet}/grants -> applied/money granted 30.00 usd-credit: A purchase
    lot was issued into the wallet.
04:06:00 api POST /v1/payments -> applied/state: Credits reserve 30.00 USD of INV-000001; the
    provider is asked for the remaining 70.00 USD.
04:06:01 reply Confirm the payment: the provider did it -> applied/money settled $100.00: The
    provider collected 70.00 USD for INV-000001.

Credits granted
  Credits issued <- Credits in the lot 30.00 usd-credit
  Money received outside the provider <- Deferred revenue $30.00
Paid by credits
  Credits in the lot <- Credits used 30.00 usd-credit
  Deferred revenue <- Owed by the customer $30.00\
""")
    assert lot["equation"]["text"] == snapshot(
        "30.00 granted − 30.00 used − 0.00 held − 0.00 expired = 0.00 available (usd-credit)"
    )


def test_a_customer_owes_what_was_billed_less_what_was_paid(world: World) -> None:
    story = either_first(world)
    world.invoice(story.customer, 4_200)

    customer = explained(world, story.customer)

    assert folded(customer["finding"]) == snapshot(
        """\
This customer owes 42.00 USD: 142.00 billed, 70.00 collected, 30.00 paid by credits; 0.00 usd-credit
    can be spent.\
"""
    )
    assert [customer["equation"]["text"], *(each["text"] for each in customer["more_equations"])] == snapshot(
        [
            "142.00 billed − 70.00 collected − 30.00 paid by credits = 42.00 owed (USD)",
            "30.00 granted − 30.00 used − 0.00 held − 0.00 expired = 0.00 available (usd-credit)",
        ]
    )


def test_a_refused_card_leaves_everything_due_and_says_why(world: World) -> None:
    customer = world.customer(token="pm_card_chargeCustomerFail")
    world.credits(customer, 30)
    invoice = world.invoice(customer)
    launched = world.pay(invoice)
    world.pump()

    assert told(explained(world, invoice)) == snapshot("""\
Invoice INV-000001 over 100.00 USD is open: 100.00 USD due; 30.00 USD is reserved from credits; the
    last try by card was refused (generic_decline); nothing was charged.
100.00 billed = 100.00 due (USD)

04:04:00 api invoice -> applied/state: A draft over 100.00 USD was written.
04:04:00 api finalize -> applied/money billed $100.00: Invoice INV-000001 over 100.00 USD is open.
04:04:00 api pay -> applied/state: Credits reserve 30.00 USD of INV-000001; the provider is asked
    for the remaining 70.00 USD.
04:04:00 reply Create the payment: the provider did it -> applied/state: Payment pi#1 exists at the
    provider; it is confirmed now.
04:04:00 webhook payment_intent.created -> no_effect/none: Payment pi#1 is made but not confirmed
    yet.
04:04:00 reply Confirm the payment: the provider refused -> applied/state: The provider refused
    70.00 USD (generic_decline). Nothing was charged. Credits stay reserved for a retry.
04:04:00 timer Time to give reserved credits back -> waiting/none: It wakes at 2026-06-15 04:04 UTC.
04:04:00 timer tell-customer -> applied/state: The customer is told that 70.00 USD was refused
    (generic_decline); it is tried again at 2026-06-17 04:04 UTC.
04:04:00 webhook charge.failed -> no_effect/none: The refusal (generic_decline) is on record
    already.
04:04:00 webhook payment_intent.payment_failed -> no_effect/none: The refusal (generic_decline) is
    on record already.
04:04:00 timer retry-payment -> waiting/none: It wakes at 2026-06-17 04:04 UTC.

Invoice finalized
  Owed by the customer <- Revenue $100.00\
""")
    assert folded(explained(world, launched.awaits or "")["finding"]) == snapshot(
        """\
The payment of 100.00 USD failed: 30.00 USD is reserved from credits; 70.00 USD was refused by card
    (generic_decline).\
"""
    )


def test_a_payment_that_waits_for_the_customer_says_so(world: World) -> None:
    customer = world.customer(token="pm_card_threeDSecure2Required")
    invoice = world.invoice(customer)
    world.pay(invoice)
    world.pump()

    assert folded(explained(world, invoice)["finding"]) == snapshot(
        """\
Invoice INV-000001 over 100.00 USD is open: 100.00 USD due; the last try by card was refused
    (authentication_required); nothing was charged.\
"""
    )


def test_reserved_credits_show_while_the_card_is_still_asked(world: World) -> None:
    customer = world.customer()
    wallet = world.credits(customer, 30)
    invoice = world.invoice(customer)
    world.pay(invoice)

    assert explained(world, invoice)["equation"] == snapshot(
        {
            "label": "Invoice INV-000001",
            "unit": "USD",
            "reads": "result_first",
            "text": "100.00 billed = 100.00 due (USD)",
            "adds_up": True,
            "result": {
                "kind": "total",
                "label": "billed",
                "note": "Invoice INV-000001",
                "sign": "+",
                "amount": {"amount": 10000, "currency": "USD", "formatted": "$100.00"},
                "sources": ["inv_00000000000000000000000012"],
            },
            "terms": [
                {
                    "kind": "due",
                    "label": "due",
                    "note": "30.00 USD is reserved from credits; 70.00 USD is on its way by card",
                    "sign": "+",
                    "amount": {"amount": 10000, "currency": "USD", "formatted": "$100.00"},
                    "sources": ["inv_00000000000000000000000012"],
                }
            ],
        }
    )
    assert explained(world, wallet)["equation"]["text"] == snapshot(
        "30.00 granted − 0.00 used − 30.00 held − 0.00 expired = 0.00 available (usd-credit)"
    )


def test_a_retry_with_another_card_shows_both_tries(world: World) -> None:
    customer = world.customer(token="pm_card_chargeCustomerFail")
    invoice = world.invoice(customer)
    world.pay(invoice)
    world.pump()
    operations.add_method(world.ask("method"), customer, "pm_card_visa", make_default=True)
    world.pump()
    launched = world.pay(invoice)
    world.pump()

    assert explained(world, launched.awaits or "")["equation"]["text"] == snapshot(
        "100.00 asked for = 0.00 card (canceled) + 100.00 card (USD)"
    )
    assert explained(world, invoice)["equation"]["text"] == snapshot("100.00 billed = 100.00 card + 0.00 due (USD)")


def test_a_void_invoice_owes_nothing_and_its_credits_are_back(world: World) -> None:
    customer = world.customer(token=None)
    wallet = world.credits(customer, 30)
    invoice = world.invoice(customer, 3_000)
    open_invoice = world.invoice(customer, 5_000)
    body_of(operations.void_invoice(world.ask("void"), open_invoice))

    assert explained(world, open_invoice)["equation"]["text"] == snapshot("50.00 billed = 50.00 voided (USD)")
    assert explained(world, wallet)["equation"]["text"] == snapshot(
        "30.00 granted − 0.00 used − 0.00 held − 0.00 expired = 30.00 available (usd-credit)"
    )
    assert explained(world, customer)["equation"]["text"] == snapshot("80.00 billed − 50.00 voided = 30.00 owed (USD)")
    assert folded(explained(world, invoice)["finding"]) == snapshot(
        "Invoice INV-000001 over 30.00 USD is open: 30.00 USD due; nobody was asked to pay it yet."
    )


def test_a_draft_is_not_owed(world: World) -> None:
    draft = world.draft(world.customer(token=None))

    assert explained(world, draft)["equation"]["text"] == snapshot("100.00 drafted = 100.00 not finalized (USD)")


def test_money_that_nobody_asked_for_is_explained_by_its_id_at_the_provider(world: World) -> None:
    customer = world.customer()
    held = explained(world, customer)["subject"]
    method = held["payment_methods"][0]["provider_ref"]
    form = f"amount=1234&currency=usd&customer={held['provider_ref']}&payment_method={method}&confirm=true"
    intent = stripe(world, "POST", "/v1/payment_intents", f"{form}&off_session=true")
    world.pump()
    world.clock.step(timedelta(minutes=2))
    world.pump()

    assert told(explained(world, intent["id"])) == snapshot("""\
12.34 USD of pi#1 wait in suspense: nobody told us what for.
12.34 received = 12.34 in suspense (USD)

04:04:00 webhook payment_intent.created -> parked/money in_suspense $12.34: 12.34 USD came by pi#1,
    which no invoice of ours asked for. Claim it, or leave it in suspense.
04:04:00 webhook charge.succeeded -> no_effect/none: The money of pi#1 is in suspense already; a
    person has been asked.
04:04:00 webhook charge.updated -> no_effect/none: The money of pi#1 is in suspense already; a
    person has been asked.
04:04:00 webhook payment_intent.succeeded -> no_effect/none: The money of pi#1 is in suspense
    already; a person has been asked.

Money without a known purpose
  Money at the provider <- Suspense $12.34
Provider's fee
  Provider's fees <- Money at the provider $0.66
? money_unexplained (open): 12.34 USD came by pi#1, which no invoice of ours asked for. Claim it, or
    leave it in suspense.\
""")


def stripe(world: World, method: str, path: str, form: str) -> Any:
    """What the host application asks of the provider behind our back."""
    from counterfoil.sandbox.wire import Request
    from houses import STRIPE_KEY

    request = Request(method, path, {"Authorization": f"Bearer {STRIPE_KEY}"}, form.encode())
    answer = world.sandbox.handle(request)
    assert answer.status == 200, answer
    return answer.json()


def test_a_notice_tells_its_decision_its_inputs_and_that_it_came_twice(world: World) -> None:
    story = either_first(world)
    steps = explained(world, story.invoice)["timeline"]
    late = next(each for each in steps if each["kind"] == "charge.succeeded")

    notice = explained(world, late["id"])
    by_event = explained(world, notice["subject"]["provider_event"])
    decision = explained(world, late["decision"])

    assert notice["finding"] == decision["finding"] == late["sentence"]
    assert by_event["subject"] == notice["subject"]
    assert notice["subject"]["deliveries"] == 2
    made = notice["subject"]["decision"]
    assert (made["rule"], made["reason"], made["inputs"]["received_minor"]) == snapshot(
        ("settle-intent@1", "already_settled", 7000)
    )
    assert decision["subject"]["notice"]["id"] == late["id"]


def test_the_raw_body_of_a_notice_is_what_the_provider_sent(world: World) -> None:
    story = either_first(world)
    step = next(each for each in explained(world, story.invoice)["timeline"] if each["source"] == "webhook")

    body = explain.payload(world.house, world.tenant.id, step["id"])

    assert body is not None
    assert b'"object": "event"' in body or b'"object":"event"' in body


@pytest.mark.parametrize("noun", ["customer", "invoice", "number", "external", "email", "intent", "charge", "method"])
def test_people_find_things_by_whatever_id_they_hold(world: World, noun: str) -> None:
    story = either_first(world)
    leg = explained(world, story.payment)["subject"]["legs"][1]
    held = explained(world, story.customer)["subject"]
    asked = {
        "customer": held["provider_ref"],
        "invoice": story.invoice,
        "number": "INV-000001",
        "external": "ext:dana",
        "email": "Dana@Example.com",
        "intent": leg["provider_ref"],
        "charge": leg["charge_ref"],
        "method": held["payment_methods"][0]["provider_ref"],
    }[noun]
    expected = {"number": story.invoice, "invoice": story.invoice, "intent": leg["id"], "charge": leg["id"]}
    expected["method"] = held["payment_methods"][0]["id"]

    found = explained(world, asked)["subject"]

    assert found["id"] == expected.get(noun, story.customer)


@pytest.mark.parametrize(
    "asked", ["inv_00000000000000000000000099", "pi_nobody", "", "ext:nobody", "nonsense", "pevt_x"]
)
def test_what_is_not_on_the_books_is_not_found(world: World, asked: str) -> None:
    with pytest.raises(explain.NotFound):
        explained(world, asked)


def test_another_tenants_ids_are_not_found(world: World) -> None:
    story = either_first(world)
    other = typeid("tnt", 2)

    for asked in (story.invoice, story.customer, story.wallet, story.payment, "INV-000001", "dana@example.com"):
        with pytest.raises(explain.NotFound):
            explain.explain(world.house, other, asked)


def test_a_long_story_is_told_page_by_page_and_its_number_stays_the_same(world: World) -> None:
    story = either_first(world)
    whole = explained(world, story.invoice)

    pages, before = [], None
    while True:
        page = explain.explain(world.house, world.tenant.id, story.invoice, limit=4, before=before)
        assert page["equation"] == whole["equation"]
        pages.append(page["timeline"])
        before = page["earlier"]
        if before is None:
            break

    assert [each for page in reversed(pages) for each in page] == whole["timeline"]
    assert len(pages) == 3


def test_a_page_that_never_was_is_not_found(world: World) -> None:
    story = either_first(world)

    with pytest.raises(explain.NotFound):
        explain.explain(world.house, world.tenant.id, story.invoice, before="nonsense")


def test_news_that_wait_are_part_of_the_story(world: World) -> None:
    customer = world.customer()
    invoice = world.invoice(customer)
    world.pay(invoice)
    while world.work():
        pass
    for attempt in world.sandbox.due_deliveries():
        world.hand_in(attempt)

    waiting = [each for each in explained(world, invoice)["timeline"] if each["outcome"] == "waiting"]

    assert {each["sentence"] for each in waiting} == {"It is stored and not decided yet."}
    assert len(waiting) == 4
