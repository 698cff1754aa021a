"""The wire as Stripe's SDKs see it: forms, keys, errors and headers."""

import base64
import json
from typing import Any
from urllib.parse import urlencode

import pytest
import stripe

from counterfoil.sandbox.versions import ACACIA, NEWEST
from counterfoil.sandbox.wire import Request, Response, decode_form
from sandbox.covering import covers
from sandbox.harness import KEY, CheckedServer

AUTHORIZED = {"Authorization": f"Bearer {KEY}"}


def post(server: CheckedServer, path: str, form: str, **headers: str) -> Response:
    return server.handle(Request("POST", path, AUTHORIZED | headers, form.encode()))


def get(server: CheckedServer, path: str, **headers: str) -> Response:
    return server.handle(Request("GET", path, AUTHORIZED | headers))


def error_of(response: Response) -> dict[str, Any]:
    error: dict[str, Any] = response.json()["error"]
    return error


@covers("wire.forms")
@pytest.mark.parametrize(
    ("form", "nested"),
    [
        ("a[b]=1&a[c][d]=2", {"a": {"b": "1", "c": {"d": "2"}}}),
        ("a[]=x&a[]=y", {"a": {"0": "x", "1": "y"}}),
        ("a[0]=x&a[1]=y", {"a": {"0": "x", "1": "y"}}),
        ("a[0][b]=1&a[0][c]=2&a[1][b]=3", {"a": {"0": {"b": "1", "c": "2"}, "1": {"b": "3"}}}),
        ("a[][b]=1&a[][c]=2&a[][b]=3", {"a": {"0": {"b": "1", "c": "2"}, "1": {"b": "3"}}}),
        ("a%5Bb%5D=1+2%26", {"a": {"b": "1 2&"}}),
        ("a=", {"a": ""}),
    ],
)
def test_forms_nest_in_every_dialect(form: str, nested: dict[str, Any]) -> None:
    assert decode_form(form) == nested


@covers("wire.forms")
@pytest.mark.parametrize("name", ["expand[]", "expand[0]"])
def test_arrays_are_read_in_the_dialects_of_all_sdks(server: CheckedServer, name: str) -> None:
    form = urlencode(
        {"amount": 500, "currency": "usd", "confirm": "true", "payment_method": "pm_card_visa", name: "latest_charge"}
    )

    reply = post(server, "/v1/payment_intents", form)

    assert reply.json()["latest_charge"]["object"] == "charge"


@covers("wire.keys")
def test_a_key_is_taken_as_bearer_or_as_basic_user(server: CheckedServer) -> None:
    basic = "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()

    by_bearer = get(server, "/v1/account").json()
    by_basic = server.handle(Request("GET", "/v1/account", {"Authorization": basic})).json()

    assert by_bearer["id"] == by_basic["id"]


@covers("wire.keys")
@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Bearer "}, {"Authorization": "Basic !"}]
)
def test_a_wrong_or_missing_key_is_a_401(server: CheckedServer, headers: dict[str, str]) -> None:
    reply = server.handle(Request("GET", "/v1/customers", headers))

    assert reply.status == 401
    assert error_of(reply)["type"] == "invalid_request_error"


@covers("wire.keys")
def test_an_invalid_key_is_masked_in_the_message(server: CheckedServer) -> None:
    with pytest.raises(stripe.AuthenticationError, match=r"Invalid API Key provided: sk_prod_\*+3456"):
        server.client("sk_prod_abcdef123456").v1.customers.list()


@covers("wire.unknown-parameter", "wire.envelope")
def test_an_unknown_parameter_is_named_down_to_its_key(server: CheckedServer) -> None:
    reply = post(server, "/v1/customers", "fancy[thing]=1")

    assert reply.status == 400
    assert error_of(reply)["code"] == "parameter_unknown"
    assert error_of(reply)["param"] == "fancy[thing]"
    assert error_of(reply)["message"] == "Received unknown parameter: fancy[thing]"
    assert error_of(reply)["doc_url"] == "https://stripe.com/docs/error-codes/parameter-unknown"
    assert error_of(reply)["request_log_url"].startswith("https://dashboard.stripe.com/")


@covers("wire.unknown-parameter")
def test_an_unknown_key_of_a_known_hash_is_named(server: CheckedServer) -> None:
    reply = post(server, "/v1/customers", "address[planet]=mars")

    assert error_of(reply)["code"] == "parameter_unknown"
    assert error_of(reply)["param"] == "address[planet]"


@covers("wire.uncovered")
def test_a_parameter_that_is_not_covered_is_refused_and_says_so(server: CheckedServer) -> None:
    reply = post(server, "/v1/payment_intents", "amount=500&currency=usd&transfer_data[destination]=acct_1")

    assert error_of(reply)["code"] == "parameter_unknown"
    assert "does not cover" in error_of(reply)["message"]


@covers("wire.missing-parameter")
@pytest.mark.parametrize("form", ["currency=usd", "amount=500"])
def test_a_missing_parameter_is_named(server: CheckedServer, form: str) -> None:
    reply = post(server, "/v1/payment_intents", form)

    assert error_of(reply)["code"] == "parameter_missing"
    assert error_of(reply)["param"] == ("amount" if form == "currency=usd" else "currency")


@covers("wire.invalid-integer")
@pytest.mark.parametrize("amount", ["ten", "10.5", "1e3", "", "99999999999999999999999"])
def test_an_amount_that_is_no_integer_is_refused(server: CheckedServer, amount: str) -> None:
    reply = post(server, "/v1/payment_intents", f"amount={amount}&currency=usd")

    assert reply.status == 400
    assert error_of(reply)["code"] == ("parameter_invalid_integer" if amount else "parameter_invalid_empty")
    assert error_of(reply)["param"] == "amount"


@covers("wire.invalid-integer")
@pytest.mark.parametrize(
    ("form", "param"),
    [
        ("confirm=maybe", "confirm"),
        ("capture_method=later", "capture_method"),
        ("shipping=here", "shipping"),
        ("excluded_payment_method_types=card", "excluded_payment_method_types"),
    ],
)
def test_values_of_the_wrong_kind_are_refused_by_name(server: CheckedServer, form: str, param: str) -> None:
    reply = post(server, "/v1/payment_intents", f"amount=500&currency=usd&{form}")

    assert reply.status == 400
    assert error_of(reply)["param"] == param


@covers("wire.unknown-path")
def test_an_unknown_path_is_a_404_that_names_it(server: CheckedServer) -> None:
    reply = get(server, "/v1/unicorns")

    assert reply.status == 404
    assert "Unrecognized request URL (GET: /v1/unicorns)" in error_of(reply)["message"]


@covers("wire.resource-missing")
@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("/v1/customers/cus_nobody", "id"),
        ("/v1/charges/ch_none", "id"),
        ("/v1/payment_intents/pi_none", "intent"),
        ("/v1/setup_intents/seti_none", "intent"),
        ("/v1/refunds/re_none", "id"),
        ("/v1/events/evt_none", "id"),
    ],
)
def test_a_missing_object_is_resource_missing(server: CheckedServer, path: str, param: str) -> None:
    reply = get(server, path)

    assert reply.status == 404
    assert (error_of(reply)["code"], error_of(reply)["param"]) == ("resource_missing", param)
    assert path.rpartition("/")[2] in error_of(reply)["message"]


@covers("wire.resource-missing")
def test_an_object_named_by_a_parameter_that_does_not_exist_is_a_400(server: CheckedServer) -> None:
    reply = post(server, "/v1/payment_intents", "amount=500&currency=usd&customer=cus_nobody")

    assert reply.status == 400
    assert (error_of(reply)["code"], error_of(reply)["param"]) == ("resource_missing", "customer")


@covers("wire.bodies-that-are-no-form")
def test_a_json_body_is_refused_as_stripe_does(server: CheckedServer) -> None:
    reply = post(
        server, "/v1/customers", json.dumps({"email": "a@example.com"}), **{"Content-Type": "application/json"}
    )

    assert reply.status == 400
    assert "application/x-www-form-urlencoded" in error_of(reply)["message"]


@covers("wire.headers")
def test_every_answer_carries_its_request_id_and_version(server: CheckedServer, api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({})

    assert customer.last_response is not None
    headers = customer.last_response.headers
    assert headers["request-id"].startswith("req_")
    assert headers["stripe-version"] == NEWEST
    assert headers["idempotency-key"]
    assert headers["original-request"] == headers["request-id"]


@covers("versions.default")
def test_a_request_without_a_version_gets_the_accounts(server: CheckedServer) -> None:
    with server.locked() as sandbox:
        sandbox.set_default_version(KEY, ACACIA)

    assert get(server, "/v1/customers").headers["Stripe-Version"] == ACACIA
    assert get(server, "/v1/customers", **{"Stripe-Version": NEWEST}).headers["Stripe-Version"] == NEWEST


@covers("wire.invalid-version")
@pytest.mark.parametrize(
    "version", ["2019", "tomorrow", "2026-10-28", "2026-10-28.acacia", "2031-01-01.zebra", "2026-13-01.endive"]
)
def test_an_invalid_version_is_refused(server: CheckedServer, version: str) -> None:
    reply = get(server, "/v1/customers", **{"Stripe-Version": version})

    assert reply.status == 400
    assert error_of(reply)["message"] == f"Invalid Stripe API version: {version}"
    assert reply.headers["Stripe-Version"] == NEWEST


def test_a_version_older_than_those_covered_is_refused_and_says_so(server: CheckedServer) -> None:
    reply = get(server, "/v1/customers", **{"Stripe-Version": "2020-08-27"})

    assert reply.status == 400
    assert "Invalid Stripe API version: 2020-08-27" in error_of(reply)["message"]
    assert "covers 2022-11-15 and newer" in error_of(reply)["message"]


@covers("metadata.merge")
def test_metadata_merges_and_an_empty_value_deletes(api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({"metadata": {"a": "1", "b": "2"}})

    updated = api.v1.customers.update(customer.id, {"metadata": {"b": "", "c": "3"}})
    cleared = api.v1.customers.update(customer.id, {"metadata": ""})

    assert updated.to_dict()["metadata"] == {"a": "1", "c": "3"}
    assert cleared.to_dict()["metadata"] == {}


@covers("metadata.merge")
@pytest.mark.parametrize(
    "metadata",
    [{f"key{n}": "x" for n in range(51)}, {"k" * 41: "x"}, {"k": "x" * 501}],
    ids=["too many", "long key", "long value"],
)
def test_metadata_beyond_its_limits_is_refused(api: stripe.StripeClient, metadata: dict[str, str]) -> None:
    with pytest.raises(stripe.InvalidRequestError, match=r"[Mm]etadata"):
        api.v1.customers.create({"metadata": metadata})


@covers("expand.four-levels")
def test_expand_goes_four_levels_deep_and_no_further(api: stripe.StripeClient) -> None:
    api.v1.payment_intents.create({"amount": 700, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True})

    deep = api.v1.charges.list({"expand": ["data.payment_intent.latest_charge.balance_transaction"]}).data[0]

    assert deep.to_dict()["payment_intent"]["latest_charge"]["balance_transaction"]["net"] == 650
    with pytest.raises(stripe.InvalidRequestError, match="more than 4 levels"):
        api.v1.charges.list({"expand": ["data.payment_intent.latest_charge.payment_intent.latest_charge"]})


@covers("expand.not-expandable")
def test_a_property_that_is_no_reference_can_not_be_expanded(api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({})

    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded") as refusal:
        api.v1.customers.retrieve(customer.id, {"expand": ["email"]})

    assert refusal.value.param == "expand"


@covers("expand.includables")
def test_lists_within_objects_are_absent_unless_asked_for(api: stripe.StripeClient) -> None:
    paid = api.v1.payment_intents.create(
        {"amount": 700, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    )
    api.v1.refunds.create({"payment_intent": paid.id, "amount": 300})
    charge_id = str(paid.latest_charge)

    assert "refunds" not in api.v1.charges.retrieve(charge_id).to_dict()
    with pytest.raises(stripe.InvalidRequestError, match=r"cannot be expanded \(data\)"):
        api.v1.charges.list({"expand": ["data"]})
    shown = api.v1.charges.retrieve(charge_id, {"expand": ["refunds"]}).to_dict()
    assert [refund["amount"] for refund in shown["refunds"]["data"]] == [300]


@covers("expand.includables")
def test_what_a_customer_shows_only_on_request(api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({})
    api.v1.customers.balance_transactions.create(customer.id, {"amount": -500, "currency": "usd"})
    names = ["cash_balance", "invoice_credit_balance", "sources", "subscriptions", "tax", "tax_ids"]

    plain = api.v1.customers.retrieve(customer.id).to_dict()
    whole = api.v1.customers.retrieve(customer.id, {"expand": names}).to_dict()

    assert [name for name in names if name in plain] == []
    assert whole["invoice_credit_balance"] == {"usd": -500}
    assert whole["tax"]["automatic_tax"] == "unrecognized_location"
    assert (whole["cash_balance"], whole["sources"]["data"], whole["subscriptions"]["data"]) == (None, [], [])
