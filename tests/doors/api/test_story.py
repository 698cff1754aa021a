"""The main road over HTTP: a customer's invoice, paid by credits and card."""

import json
import threading
from urllib.parse import urlencode

from psycopg.sql import SQL, Identifier
from pydantic import BaseModel

from behaviours import behaviour
from counterfoil.api import schemas
from counterfoil.api.schemas_collecting import CustomerState
from counterfoil.sandbox.wire import Request
from counterfoil.store.database import Tx
from counterfoil.worker import loop
from doors.api.caller import Caller
from houses import STRIPE_KEY, World


@behaviour("R-SU-6")
def test_an_invoice_is_paid_by_credits_first_and_the_card_for_the_rest(api: Caller, world: World) -> None:
    dana = api.customer()
    api.made("/v1/payment-methods", {"customer": "ext:dana", "token": "pm_card_visa"})
    world.pump()
    api.credits(dana, "30")
    invoice = api.invoice(dana)

    launched = api.post(f"/v1/invoices/{invoice}/pay", key="pay-1")
    world.pump()

    paid = api.post(f"/v1/invoices/{invoice}/pay", key="pay-1")
    assert (launched.status_code, launched.json()["status"]) == (202, "processing")
    assert launched.headers["Location"] == f"/v1/payments/{launched.json()['id']}"
    assert (paid.status_code, paid.json()["status"]) == (200, "succeeded")
    assert [(leg["kind"], leg["amount"]["amount"]) for leg in paid.json()["legs"]] == [
        ("credit", 3000),
        ("provider", 7000),
    ]
    assert api.get(f"/v1/invoices/{invoice}").json()["status"] == "paid"
    assert world.charges() == [7000]


def test_a_refused_card_is_answered_402_with_the_payment_and_the_reason(api: Caller, world: World) -> None:
    dana = world.customer(token="pm_card_chargeCustomerFail")
    invoice = api.invoice(dana)
    api.post("/v1/payments", {"invoices": [invoice]}, key="pay-1")

    world.pump()

    refused = api.post("/v1/payments", {"invoices": [invoice]}, key="pay-1")
    assert (refused.status_code, refused.headers["Content-Type"]) == (402, "application/json")
    assert refused.json()["status"] == "failed"
    assert refused.json()["legs"][0]["refusal"]["code"] == "generic_decline"


@behaviour("R-SU-11")
def test_without_a_card_or_credits_the_payment_is_refused_and_says_what_to_do(api: Caller) -> None:
    dana = api.customer()
    invoice = api.invoice(dana)

    refused = api.post(f"/v1/invoices/{invoice}/pay")

    problem = refused.json()
    assert (refused.status_code, refused.headers["Content-Type"]) == (402, "application/problem+json")
    assert (problem["code"], problem["param"], problem["retryable"]) == ("no_payment_method", "payment_method", False)
    assert problem["type"] == "/docs/errors#no_payment_method"
    assert api.get(problem["explain"]).json()["outcome"] == "refused"


@behaviour("R-SU-5")
def test_credits_alone_answer_at_once_and_the_provider_hears_nothing(api: Caller, world: World) -> None:
    dana = api.customer()
    api.credits(dana, "100")

    paid = api.post(f"/v1/invoices/{api.invoice(dana)}/pay")

    assert (paid.status_code, paid.json()["status"]) == (200, "succeeded")
    world.pump()
    assert world.charges() == []


def test_a_card_that_wants_its_customer_is_refused_while_the_customer_is_away(api: Caller, world: World) -> None:
    dana = world.customer(token="pm_card_threeDSecure2Required")
    invoice = api.invoice(dana)
    api.post(f"/v1/invoices/{invoice}/pay", key="pay-1")

    world.pump()

    refused = api.post(f"/v1/invoices/{invoice}/pay", key="pay-1")
    assert (refused.status_code, refused.json()["status"]) == (402, "failed")
    assert refused.json()["legs"][0]["refusal"]["code"] == "authentication_required"


def test_a_browser_confirms_with_the_secret_that_is_read_from_the_provider_and_never_stored(
    api: Caller, world: World
) -> None:
    dana = world.customer(token=None)
    invoice = api.invoice(dana)
    api.post("/v1/payments", {"invoices": [invoice], "confirm": "client"}, key="pay-1")

    world.pump()

    asked = {"invoices": [invoice], "confirm": "client"}
    waiting = api.post("/v1/payments", asked, key="pay-1", Prefer="wait=30")
    body = waiting.json()
    secret = body["client_secret"]
    assert waiting.status_code == 202
    assert secret.startswith(body["legs"][0]["provider_ref"] + "_secret_")
    assert "client_secret" not in api.get(f"/v1/payments/{body['id']}").json()
    assert secret not in everything_stored(world)


def test_a_payment_that_the_application_made_itself_is_claimed_by_its_reference(api: Caller, world: World) -> None:
    dana = world.customer()
    invoice = api.invoice(dana)
    ref = made_by_the_application(world, dana)

    claimed = api.post("/v1/payments", {"invoices": [invoice], "provider_ref": ref}, key="claim-1")
    world.pump()

    assert (claimed.status_code, claimed.json()["confirm"]) == (202, "host")
    assert api.get(f"/v1/invoices/{invoice}").json()["status"] == "paid"
    again = api.post("/v1/payments", {"invoices": [api.invoice(dana)], "provider_ref": ref})
    assert (again.status_code, again.json()["code"]) == (409, "provider_ref_taken")


def test_a_payment_is_given_up_and_its_credits_return(api: Caller, world: World) -> None:
    dana = world.customer(token="pm_card_threeDSecure2Required")
    wallet = api.credits(dana, "30")
    invoice = api.invoice(dana)
    payment = api.post(f"/v1/invoices/{invoice}/pay").json()["id"]
    world.pump()

    asked = api.post(f"/v1/payments/{payment}/cancel", key="cancel-1")
    world.pump()

    canceled = api.post(f"/v1/payments/{payment}/cancel", key="cancel-1")
    assert (asked.status_code, canceled.status_code, canceled.json()["status"]) == (202, 200, "canceled")
    assert api.get(f"/v1/wallets/{wallet}").json()["available"]["quantity"] == "30.000000"


def test_every_answer_of_the_story_has_the_shape_that_is_documented(api: Caller, world: World) -> None:
    dana = world.customer()
    wallet = api.credits(dana, "30")
    invoice = api.invoice(dana)
    payment = api.post(f"/v1/invoices/{invoice}/pay").json()["id"]
    world.pump()

    shown: dict[type[BaseModel], str] = {
        schemas.Customer: f"/v1/customers/{dana}",
        CustomerState: f"/v1/customers/{dana}/state",
        schemas.Wallet: f"/v1/wallets/{wallet}",
        schemas.List[schemas.Grant]: f"/v1/wallets/{wallet}/grants",
        schemas.Invoice: f"/v1/invoices/{invoice}",
        schemas.Payment: f"/v1/payments/{payment}",
        schemas.List[schemas.PaymentMethod]: "/v1/payment-methods",
        schemas.List[schemas.Decision]: f"/v1/customers/{dana}/timeline",
        schemas.List[schemas.ProviderEvent]: "/v1/provider-events",
        schemas.List[schemas.Event]: "/v1/events",
        schemas.List[schemas.Case]: "/v1/cases",
        schemas.List[schemas.Unit]: "/v1/units",
        schemas.Explanation: f"/v1/explain/{invoice}",
    }
    for schema, path in shown.items():
        schema.model_validate(api.get(path).json(), strict=True)


def made_by_the_application(world: World, customer: str) -> str:
    """A payment of 100.00 USD that the host application makes with its own key, without us."""
    with world.house.database.transaction(world.tenant.id) as tx:
        row = tx.one("select provider_ref from customer where tenant = %(tenant)s and id = %(id)s", id=customer)
    assert row
    form = {"amount": "10000", "currency": "usd", "customer": row["provider_ref"], "confirm": "true"}
    form |= {"payment_method": "pm_card_visa", "return_url": "https://app.test/back"}
    headers = {"Authorization": f"Bearer {STRIPE_KEY}"}
    answer = world.sandbox.handle(Request("POST", "/v1/payment_intents", headers, urlencode(form).encode()))
    assert answer.status == 200, answer
    ref: str = json.loads(answer.body)["id"]
    return ref


def everything_stored(world: World, *, tenant_only: bool = False) -> str:
    """Every row of every table as text; with `tenant_only` those of the first organization."""
    with world.house.database.owner(world.tenant.id) as tx:
        tables = tx.rows(
            """
            select table_name as name, bool_or(column_name = 'tenant') as owned
            from information_schema.columns
            where table_schema = 'public'
            group by table_name
            order by table_name
            """
        )
        dumps = [_dump(tx, each["name"], only=tenant_only and each["owned"]) for each in tables]
    return "".join(dumps)


def _dump(tx: Tx, table: str, *, only: bool) -> str:
    rows = SQL("select coalesce(json_agg(t order by t::text)::text, '') as rows from {} as t").format(Identifier(table))
    row = tx.first(rows + SQL(" where tenant = %(tenant)s") if only else rows, {})
    assert row
    return f"{table}: {row['rows']}"


def test_the_answer_waits_until_the_payment_rests_when_a_worker_is_there(api: Caller, world: World) -> None:
    """Everybody's usual case: the first answer is the final one."""
    dana = world.customer()
    invoice = api.invoice(dana)
    stop = threading.Event()
    worker = threading.Thread(target=loop.work_until, args=(world.house, stop, loop.Pace(2, idle_s=0.01)))
    worker.start()
    try:
        paid = api.post(f"/v1/invoices/{invoice}/pay", Prefer="wait=20")
    finally:
        stop.set()
        worker.join()

    assert (paid.status_code, paid.json()["status"]) == (200, "succeeded")
    assert paid.headers["Preference-Applied"] == "wait=20"


def test_a_lot_is_voided_once_and_an_empty_wallet_can_be_closed(api: Caller) -> None:
    dana = api.customer()
    wallet = api.wallet(dana)
    granted = api.made(f"/v1/wallets/{wallet}/grants", {"amount": "30", "source": "promotional"})["id"]

    refused = api.post(f"/v1/wallets/{wallet}/close")
    voided = api.post(f"/v1/grants/{granted}/void")
    again = api.post(f"/v1/grants/{granted}/void")
    closed = api.post(f"/v1/wallets/{wallet}/close")

    assert (refused.status_code, refused.json()["code"]) == (409, "wallet_not_empty")
    assert voided.json()["remaining"] == {"quantity": "0.000000", "unit": "usd-credit"}
    assert voided.json()["gone"] == {"quantity": "30.000000", "unit": "usd-credit"}
    assert again.json() == voided.json()
    assert (closed.status_code, closed.json()["status"]) == (200, "closed")
    assert api.get(f"/v1/grants/{granted}").json() == voided.json()


def test_a_suspended_wallet_says_that_nothing_is_spent_from_it(api: Caller) -> None:
    wallet = api.wallet(api.customer())

    suspended = api.post(f"/v1/wallets/{wallet}/suspend")
    told = api.get(f"/v1/explain/{wallet}").json()["finding"]
    resumed = api.post(f"/v1/wallets/{wallet}/resume")

    assert suspended.json()["status"] == "suspended"
    assert "nothing is spent from it" in told
    assert resumed.json()["status"] == "active"


def test_a_wallet_s_statement_pages_and_its_balance_has_a_past(api: Caller, world: World) -> None:
    wallet = api.credits(api.customer(), "30")
    before = api.get(f"/v1/wallets/{wallet}/balance", at="2020-01-01T00:00:00Z").json()["balance"]["quantity"]
    api.made(f"/v1/wallets/{wallet}/grants", {"amount": "12.5", "source": "promotional"})

    first = api.get(f"/v1/wallets/{wallet}/statement", limit=1).json()
    second = api.get(f"/v1/wallets/{wallet}/statement", limit=1, cursor=first["next_cursor"]).json()

    assert before == "0.000000"
    assert [row["balance"]["quantity"] for row in first["data"] + second["data"]] == ["42.500000", "30.000000"]
    assert second["next_cursor"] is None
    assert api.get(f"/v1/wallets/{wallet}/balance").json()["balance"]["quantity"] == "42.500000"
