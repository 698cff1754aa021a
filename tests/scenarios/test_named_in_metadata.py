"""Payments that the host application makes itself and writes our invoices into: a plain id, a JSON list, garbage."""

import json

import pytest

from behaviours import behaviour
from counterfoil.core.mapping import MetadataMapping
from counterfoil.engine import mappings
from counterfoil.sim.desk import Terms
from scenarios.stage import BROWSER, Stage

INTENT, CHARGE = "payment_intent.succeeded", "charge.succeeded"


def declared(stage: Stage) -> None:
    wanted = MetadataMapping(key="invoice_id", forms=("id", "list"))
    mappings.declare(stage.site.house, stage.site.tenant, wanted)


def paid(stage: Stage, customer: str | None, minor: int, text: str, currency: str = "usd") -> str:
    """The host application makes a payment with this text in its metadata, and collects it."""
    form = {"amount": minor, "currency": currency, "metadata[invoice_id]": text}
    form |= {"customer": stage.customer_ref(customer)} if customer else {}
    made: str = stage.site.provider.ask("POST", "/v1/payment_intents", **form)["id"]
    assert stage.confirm(made, "pm_card_visa") == "succeeded"
    return made


def statuses(stage: Stage, *invoices: str) -> list[tuple[str, int]]:
    return [(held["status"], held["paid_minor"]) for held in map(stage.invoice, invoices)]


def in_suspense(stage: Stage, intent: str) -> int:
    rows = stage.rows(
        """
        select coalesce(sum(case when credit = %(account)s then amount else -amount end), 0) as kept from posting
        where tenant = %(tenant)s and %(account)s in (debit, credit)
        """,
        account=f"suspense:{intent}",
    )
    return int(rows[0]["kept"])


@behaviour("R-CO-3")
@pytest.mark.parametrize("news", [(INTENT, CHARGE), (CHARGE, INTENT), (INTENT,), (CHARGE,), ()], ids=" then ".join)
def test_a_list_settles_every_invoice_that_it_names(stage: Stage, news: tuple[str, ...]) -> None:
    """Incident: a JSON list of two invoices was read as one id, and neither was paid."""
    customer = stage.customer()
    declared(stage)
    first, second = stage.bill(customer, 4000), stage.bill(customer, 6000)
    paid(stage, customer, 10000, json.dumps([first, second]))

    for each in news:
        stage.bring(each)
        stage.worker.work()
    stage.lose_post()
    stage.rest()

    assert statuses(stage, first, second) == [("paid", 4000), ("paid", 6000)]
    assert stage.questions() == []
    assert stage.events("invoice.paid") == 2
    assert stage.rows("select count(*) as n from payment where tenant = %(tenant)s")[0]["n"] == 1
    assert stage.at_rest()


@behaviour("R-CO-4")
@pytest.mark.parametrize("as_list", [True, False], ids=["list of one", "plain id"])
def test_one_invoice_is_named_plainly_or_in_a_list(stage: Stage, as_list: bool) -> None:
    customer = stage.customer()
    declared(stage)
    invoice = stage.bill(customer, 5000)

    paid(stage, customer, 5000, json.dumps([invoice]) if as_list else invoice)
    stage.run()

    assert statuses(stage, invoice) == [("paid", 5000)]
    assert stage.questions() == []
    assert stage.at_rest()


@behaviour("R-CO-4")
@pytest.mark.parametrize(
    "text",
    ["[", "[]", "nonsense", '{"invoice": 1}', "[1, 2]", '["inv_1"]', "inv_01h455vb4pex5vsknk084sn02q,inv_2"],
)
def test_garbage_is_parked_with_an_alarm_and_claimed_with_one_click(stage: Stage, text: str) -> None:
    """Incident: what did not begin with `[` was skipped in silence, with the money of it."""
    customer = stage.customer()
    declared(stage)
    invoice = stage.bill(customer, 5000)

    intent = paid(stage, customer, 5000, text)
    stage.run()

    assert statuses(stage, invoice) == [("open", 0)]
    assert stage.questions() == ["metadata_unreadable"]
    assert in_suspense(stage, intent) == 5000
    stage.pay(invoice, terms=Terms(provider_ref=intent))
    stage.run()
    assert statuses(stage, invoice) == [("paid", 5000)]
    assert in_suspense(stage, intent) == 0
    (case,) = stage.rows("select status, resolution from review_case where tenant = %(tenant)s")
    assert (case["status"], case["resolution"]) == ("resolved", "claimed")
    assert stage.at_rest()


@behaviour("R-CO-3", "R-LG-16")
@pytest.mark.parametrize("what", ["amount", "currency", "customer", "no customer", "not there", "under way", "paid"])
def test_metadata_that_do_not_fit_route_no_money(stage: Stage, what: str) -> None:
    """Metadata can be copied. What they name is compared, and what differs is held."""
    customer, other = stage.customer("pm_card_visa"), stage.customer()
    declared(stage)
    invoice = stage.bill(customer, 5000)
    named = json.dumps([invoice, "inv_01h455vb4pex5vsknk084sn02q"] if what == "not there" else [invoice])
    payer = {"customer": other, "no customer": None}.get(what, customer)
    if what in ("under way", "paid"):
        stage.pay(invoice, terms=BROWSER if what == "under way" else Terms())
        stage.run()
    before = statuses(stage, invoice)

    intent = paid(stage, payer, 4999 if what == "amount" else 5000, named, "eur" if what == "currency" else "usd")
    stage.run()

    assert statuses(stage, invoice) == before
    assert stage.questions() == ["metadata_mismatch"]
    assert in_suspense(stage, intent) in (4999, 5000)
    stage.rest()
    assert statuses(stage, invoice) == before
    assert stage.at_rest()


@behaviour("R-CO-4")
def test_without_a_mapping_metadata_are_not_read(stage: Stage) -> None:
    customer = stage.customer()
    invoice = stage.bill(customer, 5000)

    paid(stage, customer, 5000, invoice)
    stage.run()

    assert statuses(stage, invoice) == [("open", 0)]
    assert stage.questions() == ["money_unexplained"]


@behaviour("R-CO-3", "R-CO-5")
@pytest.mark.parametrize("first", ["checkout.session.completed", INTENT])
def test_a_checkout_that_names_them_settles_them(stage: Stage, first: str) -> None:
    """The host writes them on its session alone; its payment may be told of first, and says nothing."""
    customer = stage.customer()
    declared(stage)
    one, two = stage.bill(customer, 4000), stage.bill(customer, 6000)
    form = {
        "mode": "payment",
        "customer": stage.customer_ref(customer),
        "success_url": "https://host.test/paid",
        "line_items[0][quantity]": 1,
        "line_items[0][price_data][currency]": "usd",
        "line_items[0][price_data][unit_amount]": 10000,
        "line_items[0][price_data][product_data][name]": "Pro",
        "metadata[invoice_id]": json.dumps([one, two]),
    }
    session: str = stage.site.provider.ask("POST", "/v1/checkout/sessions", **form)["id"]
    card = stage.site.provider.ask("POST", "/v1/payment_methods", **{"type": "card", "card[token]": "tok_visa"})["id"]
    stage.site.provider.ask("POST", f"/v1/payment_pages/{session}/confirm", payment_method=card, expected_amount=10000)

    stage.bring(first)
    stage.worker.work()
    stage.run()
    stage.rest()

    assert statuses(stage, one, two) == [("paid", 4000), ("paid", 6000)]
    assert [each for each in stage.questions() if each != "money_unexplained"] == []
    assert stage.at_rest()
