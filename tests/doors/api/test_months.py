"""Month end over HTTP: a closed month stays as it is, and every figure says what it is made of."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg.errors import SerializationFailure

from counterfoil.core.journal import Account, Entry, Posting
from counterfoil.core.months import month_named
from counterfoil.engine import months
from counterfoil.store import journal
from counterfoil.store.database import Tx
from doors.api.caller import Caller
from houses import World

JULY = datetime(2026, 7, 1, tzinfo=UTC)


def bought(api: Caller, customer: str, cents: int, quantity: str) -> str:
    """A wallet with a lot of credits that was paid for."""
    wallet = api.wallet(customer)
    cost = {"amount": cents, "currency": "USD"}
    api.made(f"/v1/wallets/{wallet}/grants", {"amount": quantity, "source": "purchase", "cost": cost})
    api.made(f"/v1/wallets/{wallet}/grants", {"amount": "5", "source": "promotional"})
    return wallet


def rolled(month: Any, kind: str) -> dict[str, Any]:
    found = next(each for each in month["roll_forwards"] if each["kind"] == kind)
    name = "amount" if kind == "deferred_revenue" else "quantity"
    lines = {each["line"]: each["amount"][name] for each in found["lines"]}
    return {"opening": found["opening"][name], **lines, "closing": found["closing"][name], "fits": found["fits"]}


def behind(api: Caller, link: str) -> Any:
    """The postings that a figure leads to."""
    return api.client.get(link, headers=api.authorization).json()["data"]


@pytest.fixture
def june(api: Caller, world: World) -> str:
    """What happened in June, seen on the second of July: credits bought, given and used; nothing is earned yet."""
    wallet = bought(api, world.customer(), 5_000, "100")
    api.made("/v1/spends", {"wallet": wallet, "amount": "25"})
    world.clock.at = JULY + timedelta(days=1)
    api.made("/v1/spends", {"wallet": wallet, "amount": "10"})
    return wallet


def test_closing_a_month_earns_what_was_used_in_it_and_no_more(api: Caller, june: str) -> None:
    preview = api.made("/v1/months/2026-06/close?dry_run=true")
    assert (preview["reason"], api.get("/v1/months").json()["data"]) == ("month_closed", [])

    closed = api.made("/v1/months/2026-06/close")

    deferred, credits = rolled(closed, "deferred_revenue"), rolled(closed, "credits")
    # Free credits are drawn first: 5 of the 25, and 20 of the hundred that cost 50 dollars.
    assert [deferred[each] for each in ("billed", "earned", "closing", "fits")] == [5_000, -1_000, 4_000, True]
    assert {name: each.rstrip("0").rstrip(".") for name, each in credits.items() if name != "fits"} == {
        "opening": "0",
        "sold": "100",
        "granted_free": "5",
        "used": "-25",
        "expired": "0",
        "taken_back": "0",
        "forgiven": "0",
        "closing": "80",
    }
    assert all(each["fits"] for each in closed["totals"])
    assert closed["status"] == "closed"
    assert [each["month"] for each in api.get("/v1/months").json()["data"]] == ["2026-06"]


def test_every_figure_leads_to_its_entries(api: Caller, june: str) -> None:
    month = api.made("/v1/months/2026-06/close")

    for each in month["trial_balance"]:
        rows = behind(api, each["entries"])
        name = "amount" if "amount" in each["debits"] else "quantity"
        debits = [row["amount"][name] for row in rows if row["debit"].split(":")[0] == each["account"]]
        assert sum(map(float, debits)) == float(each["debits"][name])


def test_later_news_posts_to_the_open_month_with_its_own_time(api: Caller, world: World, june: str) -> None:
    api.made("/v1/months/2026-06/close")
    before = api.get("/v1/months/2026-06").json()
    entry = Entry(
        "late:1",
        "late",
        JULY - timedelta(days=3),
        (Posting(Account("receivable", "x"), Account("revenue"), "USD", 700),),
        JULY - timedelta(days=3),
    )

    with world.house.database.transaction(world.tenant.id) as tx:
        journal.post(tx, [entry], "dec", world.clock.now())

    after = api.get("/v1/months/2026-06").json()
    rows = behind(api, "/v1/months/2026-07/entries?account=revenue&unit=USD")
    (late,) = [each for each in rows if each["entry"] == "late:1"]
    assert after == before
    assert late["effective_at"].startswith("2026-07-01T00:00:00")
    assert late["occurred_at"].startswith("2026-06-28")


def insert_into_june(tx: Tx) -> None:
    tx.run(
        """
        insert into posting (tenant, entry, n, of_n, debit, credit, unit, amount, subject, decision,
            occurred_at, effective_at, recorded_at)
        values (%(tenant)s, 'e', 1, 1, 'bank', 'revenue', 'USD', 1, 's', 'd', %(at)s, %(at)s, %(at)s)
        """,
        at=JULY - timedelta(seconds=1),
    )


def insert_draw_into_june(tx: Tx) -> None:
    tx.run(
        """
        insert into draw (tenant, spend, n, of_n, debit, unit, amount, wallet, key, request_hash, rule, flush,
            balance_after, occurred_at, recorded_at)
        values (%(tenant)s, 's', 1, 1, 'grant:x', 'usd-credit', 1, 'w', 'k',
            '00000000-0000-0000-0000-000000000000', 'r', 'f', 0, %(at)s, %(at)s)
        """,
        at=JULY - timedelta(seconds=1),
    )


@pytest.mark.parametrize("insert", [insert_into_june, insert_draw_into_june])
def test_the_database_refuses_an_entry_in_a_closed_month_whatever_program_writes(
    api: Caller, world: World, june: str, insert: Any
) -> None:
    api.made("/v1/months/2026-06/close")

    with (
        pytest.raises(SerializationFailure, match="closed month"),
        world.house.database.transaction(world.tenant.id) as tx,
    ):
        insert(tx)


def test_a_month_is_closed_after_it_is_over_once_and_for_ever(api: Caller, world: World, june: str) -> None:
    early = api.post("/v1/months/2026-07/close")
    first = api.made("/v1/months/2026-06/close")
    again = api.made("/v1/months/2026-06/close")

    assert (early.status_code, early.json()["code"]) == (409, "month_not_over")
    assert first["closed_at"] == again["closed_at"]
    assert api.get("/v1/months/2026-13").status_code == 404
    assert api.get("/v1/months/2026-05").json()["status"] == "closed"


def test_the_accountant_s_rows_are_plain_and_no_cell_is_a_formula(world: World, june: str) -> None:
    with world.house.database.snapshot(world.tenant.id) as tx:
        rows = list(months.accountant_rows(tx, month_named("2026-06")))

    sold = next(row for row in rows if row[5] == "deferred_revenue")
    assert (sold[0], sold[3], sold[7], sold[8]) == ("2026-06-14", "clearing_external", "USD", "50.00")
    assert [months.neutral(each) for each in ("=1+1", "+1", "-1", "@x", "\tx", "INV-1")] == [
        *("'=1+1", "'+1", "'-1", "'@x", "'\tx", "INV-1")
    ]
