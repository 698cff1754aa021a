"""Taxes over HTTP: given with names and amounts, shown as they were given, owed on from the moment the invoice is."""

from datetime import timedelta
from typing import Any

import pytest

from counterfoil.store import journal
from doors.api.caller import Caller
from houses import World

VAT = {"name": "VAT", "rate": "19 %", "amount": 1900}
CITY = {"name": "City tax", "rate": "one per cent", "amount": 100}


def draft(api: Caller, **line: Any) -> Any:
    body = {"customer": api.customer(), "currency": "EUR", "lines": [{"description": "Pro plan", "net": 10000, **line}]}
    return api.post("/v1/invoices", body)


def owed_on(world: World) -> int:
    with world.house.database.transaction(world.tenant.id) as tx:
        return -journal.balance(tx, "tax_payable", "EUR")


def test_taxes_are_shown_as_they_were_given_and_owed_on_from_finalizing(api: Caller, world: World) -> None:
    invoice = draft(api, taxes=[VAT, CITY]).json()
    assert owed_on(world) == 0

    api.made(f"/v1/invoices/{invoice['id']}/finalize")

    (line,) = api.get(f"/v1/invoices/{invoice['id']}").json()["lines"]
    assert [(tax["name"], tax["rate"], tax["amount"]["amount"]) for tax in line["taxes"]] == [
        ("VAT", "19 %", 1900),
        ("City tax", "one per cent", 100),
    ]
    assert (line["tax"]["amount"], line["gross"]["amount"], owed_on(world)) == (2000, 12_000, 2000)


def test_a_tax_without_a_name_stays_one(api: Caller) -> None:
    (line,) = draft(api, tax=1900).json()["lines"]

    assert (line["tax"]["amount"], line["taxes"]) == (1900, [])


@pytest.mark.parametrize(
    "line",
    [{"tax": 1901, "taxes": [VAT]}, {"taxes": [{**VAT, "amount": -1}]}, {"taxes": [{"rate": "19 %", "amount": 1}]}],
)
def test_taxes_that_do_not_add_up_or_have_no_name_are_refused(api: Caller, line: dict[str, Any]) -> None:
    answer = draft(api, **line)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["param"].startswith("lines[0]")


def test_a_line_that_waits_keeps_its_taxes_until_it_is_billed(api: Caller, world: World) -> None:
    customer = world.customer()
    body = {"customer": customer, "currency": "EUR", "description": "Support", "net": 10000, "taxes": [VAT]}
    line = api.made("/v1/pending-lines", {**body, "invoice_at": "2026-06-14T05:04:00Z"})
    world.clock.step(timedelta(hours=2))
    world.pump()

    waited = api.get(f"/v1/pending-lines/{line['id']}").json()
    (billed,) = api.get(f"/v1/invoices/{waited['invoice']}").json()["lines"]

    assert billed["taxes"] == line["taxes"] != []
