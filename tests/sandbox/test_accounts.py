"""Accounts: isolated by key, the same account in two modes, connected accounts."""

import pytest
import stripe

from counterfoil.sandbox.versions import ACACIA
from sandbox.covering import covers
from sandbox.harness import CheckedServer, code_of


def account_of(server: CheckedServer, key: str) -> str:
    return server.client(key).v1.accounts.retrieve_current().id


def test_the_text_of_a_key_names_its_account(server: CheckedServer) -> None:
    assert account_of(server, "sk_test_shop") == account_of(server, "sk_test_shop")
    assert account_of(server, "sk_test_shop") == account_of(server, "sk_test_shop_acct_second")
    assert account_of(server, "sk_test_shop") == account_of(server, "rk_test_shop")
    assert account_of(server, "sk_test_shop") != account_of(server, "sk_test_other")


@covers("accounts.isolated")
def test_accounts_never_see_each_others_objects(server: CheckedServer) -> None:
    mine, yours = server.client("sk_test_mine"), server.client("sk_test_yours")
    customer = mine.v1.customers.create({})

    assert yours.v1.customers.list().data == []
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        yours.v1.customers.retrieve(customer.id)
    assert refusal.value.code == "resource_missing"


@covers("accounts.isolated")
def test_a_live_key_opens_the_same_account_in_live_mode_with_objects_of_its_own(server: CheckedServer) -> None:
    test, live = server.client("sk_test_shop"), server.client("sk_live_shop")
    in_test, in_live = test.v1.customers.create({}), live.v1.customers.create({})

    assert account_of(server, "sk_test_shop") == account_of(server, "sk_live_shop")
    assert (in_test.livemode, in_live.livemode) == (False, True)
    assert [customer.id for customer in live.v1.customers.list().data] == [in_live.id]


def test_test_cards_do_not_exist_in_live_mode(server: CheckedServer) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        server.client("sk_live_shop").v1.payment_intents.create(
            {"amount": 900, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
        )

    assert refusal.value.code == "resource_missing"


@covers("accounts.isolated")
def test_a_connected_account_is_apart_and_its_platforms_alone(server: CheckedServer) -> None:
    platform = server.client("sk_test_platform")
    seller = server.client("sk_test_platform", account="acct_seller")
    customer = seller.v1.customers.create({})

    assert platform.v1.customers.list().data == []
    assert seller.v1.customers.retrieve(customer.id).id == customer.id
    assert seller.v1.accounts.retrieve_current().id == "acct_seller"
    assert platform.v1.accounts.retrieve("acct_seller").id == "acct_seller"
    with pytest.raises(stripe.PermissionError) as refusal:
        server.client("sk_test_stranger", account="acct_seller").v1.customers.list()
    assert (refusal.value.http_status, code_of(refusal.value)) == (403, "account_invalid")
    with pytest.raises(stripe.PermissionError):
        server.client("sk_test_stranger").v1.accounts.retrieve("acct_seller")


@pytest.mark.parametrize("name", ["seller", "acct_", "acct_a b"])
def test_a_malformed_account_is_refused(server: CheckedServer, name: str) -> None:
    with pytest.raises(stripe.PermissionError):
        server.client(account=name).v1.customers.list()


@covers("versions.default")
def test_each_account_has_its_own_default_version(server: CheckedServer) -> None:
    made = server.control("POST", "accounts", {"api_key": "sk_test_old", "default_api_version": ACACIA})
    server.control("POST", "accounts", {"api_key": "sk_test_old", "account": "acct_new"})

    server.client("sk_test_old").v1.customers.create({})
    server.client("sk_test_old", account="acct_new").v1.customers.create({})

    old = server.client("sk_test_old").v1.events.list().data[0]
    new = server.client("sk_test_old", account="acct_new").v1.events.list().data[0]
    assert made["default_api_version"] == ACACIA
    assert old.api_version == ACACIA
    assert new.api_version == "2026-10-28.endive"


def test_a_browser_confirms_with_its_key_and_the_client_secret_and_can_do_no_more(server: CheckedServer) -> None:
    merchant, browser = server.client("sk_test_shop"), server.client("pk_test_shop")
    intent = merchant.v1.payment_intents.create({"amount": 900, "currency": "usd"})
    method = browser.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}})
    secret = {"client_secret": str(intent.client_secret)}

    paid = browser.v1.payment_intents.confirm(intent.id, {"payment_method": method.id, **secret})  # type: ignore[arg-type]

    assert paid.status == "succeeded"
    assert browser.v1.payment_intents.retrieve(intent.id, {"client_secret": str(intent.client_secret)}).id == intent.id
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        browser.v1.payment_intents.retrieve(intent.id, {"client_secret": "guessed"})
    assert refusal.value.param == "client_secret"
    with pytest.raises(stripe.PermissionError) as forbidden:
        browser.v1.customers.list()
    assert code_of(forbidden.value) == "secret_key_required"
