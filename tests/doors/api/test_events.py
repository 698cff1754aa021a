"""Events to be pulled: each once, in order, none missed, whatever commits when."""

from counterfoil.engine import operations
from counterfoil.store import decisions, inbox
from counterfoil.store.database import Tx
from counterfoil.store.inbox import News
from doors.api.caller import Caller
from houses import World


def kinds(api: Caller, **params: str) -> list[str]:
    return [each["kind"] for each in api.get("/v1/events", **params).json()["data"]]


def test_events_are_read_on_from_the_last_one_that_was_seen(api: Caller, world: World) -> None:
    dana = world.customer()
    world.pay(world.invoice(dana))
    world.pump()
    everything = api.get("/v1/events").json()["data"]

    first = api.get("/v1/events", limit=2).json()
    rest = api.get("/v1/events", after=first["data"][-1]["id"]).json()
    by_cursor = api.get("/v1/events", cursor=first["next_cursor"]).json()

    assert first["data"] + rest["data"] == everything
    assert by_cursor == rest
    assert [each["sequence"] for each in everything] == list(range(1, len(everything) + 1))
    assert "invoice.paid" in [each["kind"] for each in everything]
    assert api.get("/v1/events", after=everything[-1]["id"]).json() == {"data": [], "next_cursor": None}


def test_events_are_narrowed_by_kind_and_customer(api: Caller) -> None:
    dana, fox = api.customer("dana"), api.customer("fox")
    api.invoice(dana)

    assert kinds(api, customer=fox) == ["customer.created"]
    assert kinds(api, kind="invoice.finalized") == ["invoice.finalized"]


def test_an_event_that_commits_late_is_not_skipped(api: Caller, world: World) -> None:
    """Positions are handed out before commits. Whoever had read past an uncommitted one would never see it."""
    dana, fox = api.customer("dana"), api.customer("fox")
    start = api.get("/v1/events").json()["data"][-1]["id"]

    with world.house.database.transaction(world.tenant.id) as slow:
        tell(slow, world, dana, "slow.told")
        with world.house.database.transaction(world.tenant.id) as fast:
            tell(fast, world, fox, "fast.told")
        meanwhile = kinds(api, after=start)
    afterwards = kinds(api, after=start)

    assert meanwhile == []
    assert afterwards == ["slow.told", "fast.told"]


def test_an_event_of_an_earlier_transaction_does_not_hide_one_that_comes_before_it(api: Caller, world: World) -> None:
    """Transactions take their numbers in one order and positions in another: the older one may tell the later event."""
    dana, fox = api.customer("dana"), api.customer("fox")
    start = api.get("/v1/events").json()["data"][-1]["id"]

    with world.house.database.transaction(world.tenant.id) as slow:
        with world.house.database.transaction(world.tenant.id) as fast:
            fast.run("update customer set paused = paused where tenant = %(tenant)s and id = %(id)s", id=fox)
            tell(slow, world, dana, "slow.told")
            tell(fast, world, fox, "fast.told")
        meanwhile = kinds(api, after=start)
    afterwards = kinds(api, after=start)

    assert meanwhile == []
    assert afterwards == ["slow.told", "fast.told"]


def test_what_others_do_for_long_holds_no_event_back(api: Caller, world: World) -> None:
    """A backup or a report that runs for hours takes no positions."""
    with world.house.database.transaction(world.tenant.id) as slow:
        slow.rows("select pg_current_xact_id()")
        api.customer("dana")

        assert kinds(api) == ["customer.created"]


def tell(tx: Tx, world: World, customer: str, kind: str) -> None:
    """An event as a decision tells it."""
    from counterfoil.core.effects import Notify, Outcome, Reason, Why
    from counterfoil.core.facts import Source
    from counterfoil.core.ids import CustomerId

    now, news, decision = world.clock.now(), world.house.new_id("inbox"), world.house.new_id("decision")
    inbox.put(tx, News(news, Source.OPERATOR, "test", f"test:{news}", now, now))
    why = Why("test@1", Reason.ALREADY_KNOWN, "A test.")
    decisions.put(tx, decisions.StoredDecision(decision, news, Outcome.APPLIED, why, customer, (), [], now))
    told = Notify(f"{kind}:{customer}", kind, CustomerId(customer), customer, {})
    decisions.put_event(tx, world.house.new_id("event"), told, decision, now)


def test_a_refused_command_tells_nothing(api: Caller, world: World) -> None:
    api.customer("dana")
    operations.create_customer(world.ask("again"), operations.NewCustomer(external_id="dana"))

    assert kinds(api) == ["customer.created"]
