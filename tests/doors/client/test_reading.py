"""The client reads from a real API, over a line that has troubles."""

import pytest

from counterfoil.client import Billing, CounterfoilUnavailable, NotAllowed, NotFound
from doors.client.serving import BUSY, LOST, NEVER, Line
from houses import World


@pytest.fixture(scope="module")
def dana(world: World) -> str:
    """A customer with 30 usd-credit, known to the application as user-1."""
    customer = world.customer("user-1")
    world.credits(customer, 30)
    return customer


def test_a_wallet_is_found_by_customer_and_unit(billing: Billing, dana: str) -> None:
    wallet = billing.wallet("ext:user-1", "usd-credit")

    assert wallet
    assert (wallet.customer, wallet.status, str(wallet.available)) == (dana, "active", "30.000000")
    assert billing.balance(wallet.id).balance == billing.available(dana, "usd-credit") == 30
    assert billing.wallet(dana, "tokens") is None
    assert billing.available(dana, "tokens") == 0


def test_a_state_holds_wallets_and_restrictions(billing: Billing, dana: str) -> None:
    state = billing.state("ext:user-1")

    assert (state.customer["id"], len(state.wallets), state.restrictions) == (dana, 1, ())
    assert billing.explain(state.wallets[0].id)["subject"]["id"] == state.wallets[0].id


@pytest.mark.parametrize("trouble", [NEVER, LOST, BUSY])
def test_a_read_survives_trouble_on_the_line(billing: Billing, line: Line, dana: str, trouble: str) -> None:
    line.troubles = [trouble, trouble]

    assert billing.available(dana, "usd-credit") == 30
    assert len(line.keys) == 3


def test_a_line_that_stays_down_is_said(billing: Billing, line: Line) -> None:
    line.down = True

    with pytest.raises(CounterfoilUnavailable, match="no connection") as caught:
        billing.state("ext:user-1")

    assert caught.value.tries == 4


def test_refusals_are_typed(billing: Billing, url: str, world: World) -> None:
    with pytest.raises(NotFound) as caught:
        billing.state("ext:nobody")
    stranger = Billing(world.key[:-1] + "!", url)
    with stranger, pytest.raises(NotAllowed):
        stranger.state("ext:user-1")
    with pytest.raises(ValueError, match="cfk_"):
        Billing("sk_test_1", url)

    assert (caught.value.status, caught.value.code) == (404, "not_found")
    assert caught.value.request_id
