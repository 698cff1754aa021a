"""When credits expire is one fact: the lot's. Whoever shows it, counts by it or wakes for it reads the same instant."""

from datetime import datetime, timedelta
from typing import Any

from behaviours import behaviour
from doors.api.caller import Caller
from houses import World

HOUR = timedelta(hours=1)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


@behaviour("R-CW-20")
def test_the_expiry_of_bought_credits_is_one_fact(api: Caller, world: World) -> None:
    """Origin: the provider's grant lasted six months, the local one for ever. Here the provider has no copy at all."""
    wallet = api.wallet(api.customer())
    expires_at = world.clock.now() + HOUR
    body: dict[str, Any] = {
        "amount": "30",
        "source": "purchase",
        "cost": {"amount": 3000, "currency": "USD"},
        "expires_at": expires_at.isoformat(),
    }
    lot = api.made(f"/v1/wallets/{wallet}/grants", body)["id"]

    shown = api.get(f"/v1/grants/{lot}").json()
    listed = api.get(f"/v1/wallets/{wallet}/grants").json()["data"][0]
    assert {instant(shown["expires_at"]), instant(listed["expires_at"])} == {expires_at}
    just_before = api.get(f"/v1/wallets/{wallet}/balance", at=(expires_at - timedelta(seconds=1)).isoformat()).json()
    world.pump(patience=2 * HOUR)
    at_the_instant = api.get(f"/v1/wallets/{wallet}/balance", at=expires_at.isoformat()).json()

    assert (just_before["balance"]["quantity"], at_the_instant["balance"]["quantity"]) == ("30.000000", "0.000000")
    with world.house.database.snapshot(world.tenant.id) as tx:
        rows = tx.rows("select distinct effective_at from posting where tenant = %(tenant)s and credit = 'breakage'")
    assert [row["effective_at"] for row in rows] == [expires_at]
    refused = api.client.post(
        "/v1/spends",
        json={"key": "late", "wallet": wallet, "amount": "1"},
        headers=api.authorization,
    )
    assert refused.status_code == 402
    assert not [each for each in world.sandbox.requests if "credit_grants" in each["path"]]
