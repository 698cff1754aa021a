"""The house that these tests live in."""

import json

from counterfoil.engine import commands
from houses import house_with_sandbox


def test_a_story_runs_by_hand_from_the_customer_to_the_settled_invoice(database: str) -> None:
    with house_with_sandbox(database) as world:
        dana = world.customer()
        world.credits(dana, 30)
        launched = world.pay(world.invoice(dana), "key-1")

        world.pump()

        result = commands.look_again(world.house, world.tenant.id, launched.inbox)
        legs = [(leg["kind"], leg["amount"]["amount"]) for leg in json.loads(result.answer.body)["legs"]]
        assert (result.final, result.answer.status, legs) == (True, 200, [("credit", 3000), ("provider", 7000)])
        assert world.charges() == [7000]
        assert world.turned_away == []
