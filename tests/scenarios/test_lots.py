"""Lots of credits on the real store: they expire by themselves, are voided once, and what comes back to an ended lot
ends as well."""

from datetime import datetime, timedelta

from behaviours import behaviour
from counterfoil.core.lifecycle import WalletStatus
from counterfoil.core.money import USD_CREDIT
from counterfoil.engine import looks
from counterfoil.sim.desk import read
from counterfoil.store.pages import Page
from scenarios.stage import Stage

DAY = timedelta(days=1)


def lot(stage: Stage, customer: str, cents: int, expires_at: datetime | None = None) -> tuple[str, str]:
    """A wallet with one lot. Gives the ids of both."""
    wallet = read(stage.desk.wallet(customer))["id"]
    granted = read(stage.desk.grant(customer, wallet, cents, expires_at=expires_at))
    return wallet, granted["id"]


def tomorrow(stage: Stage) -> datetime:
    now: datetime = stage.site.clock.now()
    return now + DAY


def balance(stage: Stage, account: str) -> int:
    """What an account holds, counted on the side where it grows."""
    sql = """
        select coalesce(sum(amount) filter (where credit = %(account)s), 0)
            - coalesce(sum(amount) filter (where debit = %(account)s), 0) as held
        from posting where tenant = %(tenant)s
    """
    (row,) = stage.rows(sql, account=account)
    return int(row["held"])


def test_what_is_not_used_in_time_expires_by_itself_and_is_breakage_from_that_instant(stage: Stage) -> None:
    """The workers were away for two days: the books count the expiry from its own instant."""
    customer = stage.customer()
    expires_at = tomorrow(stage)
    wallet, granted = lot(stage, customer, 3000, expires_at)

    stage.site.pass_time(3 * DAY)
    stage.run()

    assert balance(stage, "breakage") == 3000
    assert balance(stage, "deferred_revenue") == 0
    (booked,) = stage.rows(
        "select distinct occurred_at, effective_at from posting where tenant = %(tenant)s and credit = 'breakage'"
    )
    assert (booked["occurred_at"], booked["effective_at"]) == (expires_at, expires_at)
    assert stage.events("grant.expired") == 1
    assert stage.sound()
    stage.desk.move_wallet(wallet, WalletStatus.CLOSED)
    assert stage.rows("select status from wallet where tenant = %(tenant)s")[0]["status"] == "closed"
    assert granted


def test_credits_that_pay_in_time_do_not_expire(stage: Stage) -> None:
    customer = stage.customer()
    lot(stage, customer, 3000, tomorrow(stage))
    invoice = stage.bill(customer, 2000)
    stage.pay(invoice)

    stage.site.pass_time(2 * DAY)
    stage.run()

    assert stage.invoice(invoice)["status"] == "paid"
    assert balance(stage, "breakage") == 1000
    assert stage.sound()


def test_a_reserved_share_outlives_its_lot_and_pays(stage: Stage) -> None:
    """The bank takes days; the credits beside it were promised before they expired."""
    customer = stage.customer("pm_usBankAccount_success")
    lot(stage, customer, 3000, tomorrow(stage))
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice)
    stage.run()

    stage.site.pass_time(2 * DAY)
    stage.run()
    assert stage.statuses(payment)[0] == "credit 3000 reserved"
    assert balance(stage, "breakage") == 0
    for _ in range(3):
        stage.site.pass_time(DAY)
        stage.run()

    assert stage.invoice(invoice)["status"] == "paid"
    assert balance(stage, "breakage") == 0
    assert stage.sound()


def test_what_comes_back_to_an_expired_lot_expires(stage: Stage) -> None:
    """The invoice that credits were reserved for is voided after they expired: they are given back, and are over."""
    customer = stage.customer("pm_card_chargeCustomerFail")
    lot(stage, customer, 3000, tomorrow(stage))
    payment = stage.pay(stage.bill(customer, 10000))
    stage.run()
    assert stage.statuses(payment)[0] == "credit 3000 reserved"

    stage.site.pass_time(2 * DAY)
    for _ in range(2):
        stage.run()

    assert stage.statuses(payment)[0] == "credit 3000 released"
    assert balance(stage, "breakage") == 3000
    assert stage.events("grant.expired") == 1
    assert stage.sound()


def test_a_lot_that_is_voided_twice_leaves_the_balance_once(stage: Stage) -> None:
    customer = stage.customer()
    wallet, granted = lot(stage, customer, 3000)

    first = stage.desk.void_grant(granted)
    again = stage.desk.void_grant(granted)

    assert (first.answer.status, again.answer.status) == (200, 200)
    assert balance(stage, "refund_due") == 3000
    assert balance(stage, "issued") == 0
    assert stage.events("grant.voided") == 1
    assert stage.sound()
    assert wallet


def test_a_suspended_wallet_pays_nothing_until_it_is_resumed(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    wallet, _ = lot(stage, customer, 3000)
    stage.desk.move_wallet(wallet, WalletStatus.SUSPENDED)

    first = stage.pay(stage.bill(customer, 3000))
    stage.desk.move_wallet(wallet, WalletStatus.ACTIVE)
    second = stage.pay(stage.bill(customer, 3000))
    stage.rest()

    assert stage.statuses(first) == ["provider 3000 settled"]
    assert stage.statuses(second) == ["credit 3000 settled"]
    assert stage.at_rest()


@behaviour("R-LG-60")
def test_a_statement_says_what_moved_a_wallet_and_what_it_held_after_each(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    wallet, granted = lot(stage, customer, 3000)
    stage.pay(stage.bill(customer, 2000))
    stage.site.pass_time(DAY)
    before_the_end = stage.site.clock.now()
    stage.site.pass_time(DAY)
    stage.desk.void_grant(granted)

    with stage.database.snapshot(stage.site.tenant) as tx:
        rows = looks.statement(tx, wallet, USD_CREDIT, Page())
        paged = looks.statement(tx, wallet, USD_CREDIT, Page(after=rows[0]["id"], limit=1))
        then = looks.balance_at(tx, wallet, USD_CREDIT, before_the_end)
        now = looks.balance_at(tx, wallet, USD_CREDIT, stage.site.clock.now())

    assert [(*row["kinds"], row["change"]["quantity"], row["balance"]["quantity"]) for row in rows] == [
        ("taken_back", "-10.000000", "0.000000"),
        ("credits_used", "-20.000000", "10.000000"),
        ("granted", "30.000000", "30.000000"),
    ]
    assert paged == rows[1:]
    assert (then["balance"]["quantity"], now["balance"]["quantity"]) == ("10.000000", "0.000000")
