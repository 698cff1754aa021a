"""What must not come in: amounts that are none, fields nobody knows, texts that break things, card numbers."""

import json
from typing import Any

import pytest

from doors.api.caller import Caller
from doors.api.test_story import everything_stored
from houses import World

NO_AMOUNTS = ["-1", "1.5", '"100"', "true", "null", "9223372036854775808", "1e30", "1e2", "[]", "{}", '"1e2"', "-0.0"]
VISA = "4242 4242 4242 4242"


def invoice_with(net: str, currency: str = "USD", customer: str = "ext:dana") -> bytes:
    return f'{{"customer":"{customer}","currency":"{currency}","lines":[{{"description":"Pro","net":{net}}}]}}'.encode()


def post(api: Caller, path: str, body: bytes, **headers: str) -> Any:
    sent = {**api.authorization, "Content-Type": "application/json", "Idempotency-Key": "k", **headers}
    return api.client.post(path, content=body, headers=sent)


@pytest.mark.parametrize("net", NO_AMOUNTS)
def test_an_amount_is_a_whole_number_of_minor_units_or_nothing(api: Caller, net: str) -> None:
    api.customer()

    answer = post(api, "/v1/invoices", invoice_with(net))

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["param"] == "lines[0].net"
    assert api.get("/v1/invoices").json()["data"] == []


@pytest.mark.parametrize("net", ["NaN", "Infinity", "-Infinity", "01", "+1", "0x10", "1_000"])
def test_what_is_not_json_is_no_amount_either(still_api: Caller, net: str) -> None:
    answer = post(still_api, "/v1/invoices", invoice_with(net))

    assert (answer.status_code, answer.json()["code"]) == (400, "json_invalid")


def test_a_line_of_zero_is_refused_and_the_largest_amount_is_booked(api: Caller) -> None:
    api.customer()

    zero, largest = post(api, "/v1/invoices", invoice_with("0")), invoice_with(str(2**63 - 1))

    assert (zero.status_code, zero.json()["param"]) == (422, "lines")
    made = post(api, "/v1/invoices", largest, **{"Idempotency-Key": "largest"})
    assert (made.status_code, made.json()["total"]["amount"]) == (201, 2**63 - 1)
    assert made.json()["total"]["formatted"] == "$92,233,720,368,547,758.07"


def test_lines_that_add_up_to_more_than_the_books_hold_are_refused(api: Caller) -> None:
    api.customer()
    line = {"description": "Pro", "net": 2**63 - 1}

    answer = api.post("/v1/invoices", {"customer": "ext:dana", "currency": "USD", "lines": [line, line]})

    assert (answer.status_code, answer.json()["param"]) == (422, "lines")


@pytest.mark.parametrize("currency", ["usd", "Usd", "XTS", "BTC", "US", "USDT", "", "ＵＳＤ"])
def test_a_currency_is_an_upper_case_code_that_the_provider_takes(api: Caller, currency: str) -> None:
    api.customer()

    answer = post(api, "/v1/invoices", invoice_with("100", currency))

    assert (answer.status_code, answer.json()["param"]) == (422, "currency")


def test_each_currency_is_written_with_its_own_exponent(api: Caller) -> None:
    api.customer()
    written = {}
    for currency in ("USD", "JPY", "KWD"):
        answer = post(api, "/v1/invoices", invoice_with("12345", currency), **{"Idempotency-Key": currency})
        written[currency] = answer.json()["total"]["formatted"]

    assert written == {"USD": "$123.45", "JPY": "¥12,345", "KWD": "KWD12.345"}


@pytest.mark.parametrize(
    "amount",
    [
        "-1",
        "1.0000001",
        "1e3",
        "NaN",
        "",
        ".5",
        "1.",
        "９",
        "9223372036855",
        "1.9999999999999999999999999999999",
        30,
        None,
    ],
)
def test_a_quantity_is_a_plain_decimal_that_its_unit_can_hold(api: Caller, amount: Any) -> None:
    wallet = api.wallet(api.customer())

    answer = api.post(f"/v1/wallets/{wallet}/grants", {"amount": amount, "source": "promotional"})

    assert (answer.status_code, answer.json()["param"]) == (422, "amount")
    assert api.get(f"/v1/wallets/{wallet}/grants").json()["data"] == []


def test_an_unknown_field_is_named_and_nothing_is_done(api: Caller) -> None:
    answer = api.post("/v1/customers", {"name": "Dana", "tenant": "tnt_x", "balance": 3})

    errors = {each["param"]: each["message"] for each in answer.json()["errors"]}
    assert (answer.status_code, errors) == (422, dict.fromkeys(("tenant", "balance"), "is not a known field"))
    assert api.get("/v1/customers").json()["data"] == []


def test_nothing_that_is_answered_can_be_sent_back_as_a_wish(api: Caller, world: World) -> None:
    """Mass assignment: status, amounts paid, tenant and the like are never taken from a body."""
    dana = world.customer()
    wallet, invoice = api.credits(dana, "30"), api.invoice(dana)
    payment = api.post("/v1/payments", {"invoices": [invoice]}).json()["id"]
    line = {"description": "x", "net": 1}
    accepted: dict[str, tuple[dict[str, Any], str]] = {
        "/v1/customers": ({}, f"/v1/customers/{dana}"),
        "/v1/wallets": ({"customer": dana, "unit": "usd-credit"}, f"/v1/wallets/{wallet}"),
        f"/v1/wallets/{wallet}/grants": ({"amount": "1", "source": "bonus"}, f"/v1/wallets/{wallet}"),
        "/v1/invoices": ({"customer": dana, "currency": "USD", "lines": [line]}, f"/v1/invoices/{invoice}"),
        f"/v1/invoices/{invoice}/pay": ({}, f"/v1/invoices/{invoice}"),
        f"/v1/invoices/{invoice}/finalize": ({}, f"/v1/invoices/{invoice}"),
        f"/v1/invoices/{invoice}/void": ({}, f"/v1/invoices/{invoice}"),
        "/v1/payments": ({"invoices": [invoice]}, f"/v1/payments/{payment}"),
        f"/v1/payments/{payment}/cancel": ({}, f"/v1/payments/{payment}"),
    }
    writable = {"customer", "currency", "lines", "description", "due_at", "collect_at_due", "unit", "source", "amount"}
    writable |= {
        "name",
        "email",
        "metadata",
        "locale",
        "billing",
        "external_id",
        "provider_ref",
        "provider_account",
        "confirm",
        "overdraft",
        "debt_limit",
        "shortfall",
        "overflow",
        "pool",
        "pools",
        "alert_percents",
        "alert_below",
    }
    tried = 0
    for path, (body, shown) in accepted.items():
        for field, value in api.get(shown).json().items():
            if field in body or field in writable:
                continue
            answer = api.post(path, {**body, field: value})
            assert (answer.status_code, answer.json().get("param")) == (422, field), (path, field, answer.text)
            tried += 1
    assert tried > 60


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"null", 422),
        (b"[]", 422),
        (b'"text"', 422),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"\xef\xbb\xbf{}", 400),
        (b'{"name": "a", "name": "b"}', 400),
        (b'{"name": "\\u0000"}', 400),
        (b'{"name": "\\ud800"}', 400),
        (b'{"\\ud800": 1}', 400),
        (b"[" * 100_000, 400),
        (b'{"metadata":' + b'{"a":' * 50 + b"1" + b"}" * 51, 400),
        (b'{"name": ' + b"9" * 5000 + b"}", 400),
        (b"{" + b",".join(b'"k%d":1' % n for n in range(50_000)) + b"}", 422),
        (b'{"metadata": {' + b",".join(b'"k%d":"1"' % n for n in range(51)) + b"}}", 422),
        (b'{"name": "' + b"x" * 256 + b'"}', 422),
        (b'{"email": "no-address"}', 422),
        (b'{"external_id": "a/b"}', 422),
        (b'{"external_id": "caf\xc3\xa9"}', 422),
    ],
)
def test_a_strange_body_is_refused_in_words(still_api: Caller, body: bytes, status: int) -> None:
    answer = post(still_api, "/v1/customers", body)

    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert len(answer.content) < 5000


def test_text_of_every_script_comes_back_as_it_was_sent(api: Caller) -> None:
    name = "Zoë \u202eabc\u202c 𝔇 שלום\u200f 🧾\u200b"

    made = api.made("/v1/customers", {"name": name, "metadata": {"ключ": "値"}})

    assert (made["name"], made["metadata"]) == (name, {"ключ": "値"})
    assert api.get(f"/v1/customers/{made['id']}").json()["name"] == name


def test_a_body_over_a_mebibyte_is_not_read(still_api: Caller) -> None:
    answer = post(still_api, "/v1/customers", b'{"name": "' + b"x" * 1024 * 1024 + b'"}')

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_a_body_over_a_mebibyte_that_comes_in_parts_is_stopped(still_api: Caller) -> None:
    parts = (b"x" * 65_536 for _ in range(20))

    headers = {**still_api.authorization, "Content-Type": "application/json"}
    answer = still_api.client.post("/v1/customers", content=parts, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"])
def test_a_body_that_does_not_say_that_it_is_json_is_refused(still_api: Caller, kind: str) -> None:
    answer = post(still_api, "/v1/customers", b"{}", **{"Content-Type": kind})

    assert (answer.status_code, answer.json()["code"]) == (415, "content_type_not_json")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "201"),
        ("limit", "ten"),
        ("cursor", "nonsense"),
        ("cursor", "é"),
        ("cursor", "aW52X25vdGhpbmc"),
        ("created_at[gte]", "yesterday"),
        ("created_at[gte]", "1750000000"),
        ("created_at[gte]", "2026-06-14"),
        ("created_at[gte]", "2026-06-14T04:04:00"),
        ("created_at[lt]", "0001-01-01T00:00:00Z"),
        ("status", "opened"),
        ("status", "open,"),
        ("sort", "created_at"),
    ],
)
def test_a_parameter_that_is_not_understood_is_named(still_api: Caller, name: str, value: str) -> None:
    answer = still_api.get("/v1/invoices", **{name: value})

    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (422, 422)
    assert name in (problem.get("param"), *(each["param"] for each in problem.get("errors", ())))


def test_a_parameter_given_twice_is_refused(still_api: Caller) -> None:
    answer = still_api.client.get("/v1/invoices?limit=1&limit=2", headers=still_api.authorization)

    assert (answer.status_code, answer.json()["param"]) == (422, "limit")


@pytest.mark.parametrize(
    "identity",
    [
        *("nothing", "inv_", "inv_00000000000000000000000000x", "cust_01h455vb4pex5vsknk084sn02q"),
        *("inv_01h455vb4pex5vsknk084sn02q", "INV_01H455VB4PEX5VSKNK084SN02Q", "inv_8zzzzzzzzzzzzzzzzzzzzzzzzz"),
        *("%00", "%ff%fe", "inv_%0a", "a" * 250, "ext:dana", "%F0%9F%A7%BE", "'; drop table invoice; --"),
    ],
)
def test_an_id_that_can_be_none_of_ours_is_not_found(still_api: Caller, identity: str) -> None:
    answer = still_api.get(f"/v1/invoices/{identity}")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/customers", {"name": f"Dana {VISA}"}, "name"),
        ("/v1/customers", {"metadata": {"note": "5555-5555-5555-4444"}}, "metadata"),
        ("/v1/customers", {"metadata": {"378282246310005": "amex"}}, "metadata"),
        ("/v1/customers", {"external_id": "6011111111111117"}, "external_id"),
        ("/v1/customers", {"email": "4242424242424242@example.com"}, "email"),
        ("/v1/customers", {"unknown": [{"deep": VISA}]}, "unknown"),
        ("/v1/payment-methods", {"customer": "ext:dana", "token": "4242424242424242"}, "token"),
        ("/v1/invoices", {"description": "４２４２ ４２４２ ４２４２ ４２４２"}, "description"),
    ],
)
def test_a_card_number_is_refused_wherever_it_stands_and_stored_nowhere(
    still_api: Caller,
    still_world: World,
    capfd: pytest.CaptureFixture[str],
    path: str,
    body: dict[str, Any],
    param: str,
) -> None:
    answer = still_api.post(path, body)

    digits = "".join(each for each in json.dumps(body, ensure_ascii=False) if each.isdecimal())
    traces = everything_stored(still_world) + capfd.readouterr().out + answer.text
    assert (answer.status_code, answer.json()["code"], answer.json()["param"]) == (422, "card_number_refused", param)
    for secret in (VISA, digits, "5555-5555-5555-4444", "４２４２"):
        assert secret not in traces


def test_a_card_number_is_refused_in_paths_queries_and_headers_too(still_api: Caller) -> None:
    number = "4242424242424242"
    for answer in (
        still_api.get(f"/v1/customers/ext:{number}"),
        still_api.get("/v1/decisions", subject=number),
        still_api.post("/v1/customers", {}, key=number),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "card_number_refused")
        assert number not in answer.text


def test_errors_never_repeat_what_was_sent(still_api: Caller) -> None:
    """A secret in the wrong field must not end in somebody's log of our answers."""
    secret = "whsec_do_not_repeat_me"
    for answer in (
        still_api.post("/v1/customers", {"email": secret}),
        still_api.post("/v1/invoices", {"currency": secret, "due_at": secret}),
        still_api.get("/v1/invoices", status=secret),
        still_api.get("/v1/invoices", cursor=secret),
    ):
        assert answer.status_code == 422
        assert secret not in answer.text
