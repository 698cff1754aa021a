"""Documents over HTTP: stored once with their hash, numbered without a gap, and the same bytes for ever."""

import hashlib
import re
import zlib
from typing import Any

import pytest

from counterfoil.core.papers import Paper, PaperKind, Party, Seller
from counterfoil.engine.pdf import render
from doors.api.caller import Caller
from houses import World

SELLER = {"name": "Acme GmbH", "address": ["Lange Straße 12", "10115 Berlin"], "tax_id": "DE123456788"}
VAT = {"name": "VAT", "rate": "19 %", "amount": 1900}


def put(api: Caller, path: str, body: Any) -> Any:
    return api.client.put(path, json=body, headers=api.authorization)


def invoice(api: Caller, customer: str, **line: Any) -> str:
    lines = [{"description": "Pro plan", "net": 10000, "taxes": [VAT], **line}]
    made: str = api.made("/v1/invoices", {"customer": customer, "currency": "USD", "lines": lines})["id"]
    api.made(f"/v1/invoices/{made}/finalize")
    return made


def words(pdf: bytes) -> str:
    """What a document says: its text in the order it was laid out."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    text = b"".join(zlib.decompress(each) for each in streams if each[:1] == b"x")
    return b" ".join(re.findall(rb"\((.*?)\) Tj", text)).decode("windows-1252")


def test_an_invoice_s_document_is_stored_when_it_is_finalized_and_never_changes(api: Caller, world: World) -> None:
    put(api, "/v1/seller", SELLER)
    dana = world.customer()
    made = invoice(api, dana)
    first = api.get(f"/v1/invoices/{made}/pdf")

    put(api, "/v1/seller", {"name": "Somebody else"})
    api.patch(f"/v1/customers/{dana}", {"name": "Another name"})
    again = api.get(f"/v1/invoices/{made}/pdf")

    (listed,) = api.get("/v1/documents").json()["data"]
    assert first.headers["Content-Type"] == "application/pdf"
    assert again.content == first.content
    assert listed["sha256"] == hashlib.sha256(first.content).hexdigest() == first.headers["ETag"].strip('"')
    assert (listed["kind"], listed["number"], listed["size"]) == ("invoice", "INV-000001", len(first.content))
    said = words(first.content)
    for each in ("Acme GmbH", "INV-000001", "Pro plan", "VAT 19 %", "$119.00", "Lange Straße 12"):
        assert each in said


def test_a_draft_has_no_document_and_a_dry_run_takes_no_number(api: Caller) -> None:
    draft = api.draft(api.customer())
    api.made(f"/v1/invoices/{draft}/finalize?dry_run=true")

    assert api.get(f"/v1/invoices/{draft}/pdf").status_code == 404
    assert [each["last"] for each in api.get("/v1/number-series").json()["data"]] == [0, 0, 0]


def test_a_payment_gets_one_receipt_that_names_what_each_leg_paid(api: Caller, world: World) -> None:
    dana = world.customer()
    api.credits(dana, "30")
    made = invoice(api, dana)
    payment = api.post(f"/v1/invoices/{made}/pay").json()["id"]
    world.pump()

    receipt = api.get(f"/v1/payments/{payment}/receipt.pdf")

    assert receipt.status_code == 200
    said = words(receipt.content)
    for each in (
        "RCT-000001",
        "Invoice INV-000001",
        "$30.00",
        "$89.00",
        "of which VAT 19 %: $4.78",
        "$14.22",
        "$119.00",
    ):
        assert each in said
    kinds = [each["kind"] for each in api.get("/v1/documents", customer=dana).json()["data"]]
    assert sorted(kinds) == ["invoice", "receipt"]


def test_the_customer_s_language_and_billing_details_are_what_a_document_says(api: Caller, world: World) -> None:
    dana = world.customer()
    billing = {"name": "Żółta Sp. z o.o.", "address": ["Rynek 1", "Kraków"], "tax_id": "PL1234567890"}
    changed = api.patch(f"/v1/customers/{dana}", {"locale": "de", "billing": billing}).json()

    made = invoice(api, dana)

    document = api.get("/v1/documents").json()["data"][0]
    assert changed["billing"] == {**billing, "email": None}
    assert document["language"] == "de"
    assert b"DejaVuSans" in api.get(f"/v1/invoices/{made}/pdf").content


def test_erasing_a_customer_s_data_keeps_the_documents_that_the_law_wants_kept(api: Caller, world: World) -> None:
    dana = world.customer()
    api.patch(f"/v1/customers/{dana}", {"name": "Dana Scully", "billing": {"name": "Dana Scully Ltd"}})
    made = invoice(api, dana)
    before = api.get(f"/v1/invoices/{made}/pdf").content

    erased = api.client.delete(f"/v1/customers/{dana}/personal-data", headers=api.authorization).json()

    assert erased["billing"] is None
    assert api.get(f"/v1/invoices/{made}/pdf").content == before
    assert "Dana Scully Ltd" in words(before)


def test_a_prefix_is_data_and_the_series_goes_on(api: Caller, world: World) -> None:
    dana = world.customer()
    invoice(api, dana)

    answer = put(api, "/v1/number-series/invoice", {"prefix": "RE-"}).json()
    second = api.get(f"/v1/invoices/{invoice(api, dana)}").json()

    assert (answer["last"], second["number"]) == (1, "RE-000002")
    assert put(api, "/v1/number-series/invoice", {"prefix": "RE-1"}).status_code == 422


@pytest.mark.parametrize("description", ["漢字 🎉 \u202etxet", "a" * 255, "\u00a0", "−1 €"])
def test_whatever_a_line_is_called_it_can_be_finalized(api: Caller, world: World, description: str) -> None:
    """A document that can't be laid out would keep the debt from being booked."""
    made = invoice(api, world.customer(), description=description)

    assert api.get(f"/v1/invoices/{made}/pdf").content.startswith(b"%PDF-")


def test_a_paper_is_the_same_bytes_whenever_it_is_laid_out(api: Caller, world: World) -> None:
    paper = Paper(
        PaperKind.INVOICE, "en", "INV-1", "Invoice", world.clock.now(), Seller(), "To", Party("Żół"), (), ("a",), (), ()
    )

    assert render(paper) == render(paper)
