"""Somebody is told when a wallet runs low: once for each threshold in a cycle, whatever was crossed how often."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from core.factories import NOW, ONE, books, grant, wallet
from core.world import World
from counterfoil.core.alerts import armed, decide_alert, thresholds, topped_up
from counterfoil.core.books import GrantSource, Wallet
from counterfoil.core.effects import Skip

PACK = grant(1, 100, 10_000)


def filled(**terms: object) -> Wallet:
    return topped_up(replace(wallet(), **terms), PACK, (), NOW)  # type: ignore[arg-type]


def test_the_highest_threshold_is_watched_first() -> None:
    held = filled(alert_levels=(ONE,))

    assert [name for _, name in thresholds(held)] == ["20%", "5%", "1.000000"]
    assert (held.alert_at, held.last_topup, held.topups) == (20 * ONE, 100 * ONE, 1)


def test_a_gift_is_no_top_up() -> None:
    gift = grant(1, 100, source=GrantSource.BONUS)

    assert topped_up(wallet(), gift, (), NOW) == wallet()


def test_what_is_crossed_at_once_is_told_at_once() -> None:
    world = World(books(wallets=(filled(),), grants=(replace(PACK, remaining=ONE),)))

    world.decide(lambda held: decide_alert(held, wallet().id, NOW))
    again = world.decide(lambda held: decide_alert(held, wallet().id, NOW))

    assert [each.data["below"] for each in world.told.values()] == ["20%", "5%"]
    assert world.books.wallets[0].alert_at is None
    assert isinstance(again, Skip)


def test_nothing_is_told_at_the_threshold_itself() -> None:
    world = World(books(wallets=(filled(),), grants=(replace(PACK, remaining=20 * ONE),)))

    decision = world.decide(lambda held: decide_alert(held, wallet().id, NOW))

    assert isinstance(decision, Skip)


@given(st.lists(st.integers(0, 100), min_size=1, max_size=20))
def test_no_threshold_tells_twice_in_a_cycle(balances: list[int]) -> None:
    world = World(books(wallets=(filled(),), grants=(PACK,)))
    told: list[str] = []
    for left in balances:
        world.books = replace(world.books, grants=(replace(PACK, remaining=left * ONE),))
        before = set(world.told)
        world.decide(lambda held: decide_alert(held, wallet().id, NOW))
        told += [str(world.told[key].data["below"]) for key in world.told if key not in before]

    assert sorted(told) == sorted(set(told))
    assert ("20%" in told) == (min(balances) < 20)
    assert ("5%" in told) == (min(balances) < 5)


def test_a_wallet_without_a_top_up_watches_its_levels_alone() -> None:
    assert armed(replace(wallet(), alert_levels=(ONE,)), 5 * ONE).alert_at == ONE
