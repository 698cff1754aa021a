"""The schedule of dunning that a tenant declares, as data."""

from dataclasses import replace

from counterfoil.core.dunning_terms import DunningPolicy, LastStep, refusal_of_terms
from counterfoil.engine.house import House
from counterfoil.engine.views import View
from counterfoil.store import accounts, dunning_policies
from counterfoil.store.database import Tx


class DunningPolicyRefused(Exception):
    """A schedule can't be followed. Begin with hour 0, let each hour be later than the last, and end in 90 days."""

    code = "dunning_policy_refused"


def declare(house: House, tenant: str, hours: tuple[int, ...], then: LastStep) -> View:
    """Declare the schedule that holds from now on. One that says nothing new stays as it is.

    Raises DunningPolicyRefused.
    """
    refused = refusal_of_terms(hours)
    if refused:
        raise DunningPolicyRefused(refused)

    def work(tx: Tx) -> View:
        accounts.lock_setup(tx)
        held = dunning_policies.policy(tx)
        wanted = replace(held, hours=hours, then=then)
        if wanted != held:
            dunning_policies.put_policy(tx, replace(wanted, version=held.version + 1), house.clock.now())
        return view(dunning_policies.policy(tx))

    return house.transact(tenant, work)


def shown(tx: Tx) -> View:
    """Show the schedule that holds."""
    return view(dunning_policies.policy(tx))


def view(policy: DunningPolicy) -> View:
    """Show a schedule."""
    return {
        "object": "dunning_policy",
        "version": policy.version,
        "hours": list(policy.hours),
        "then": policy.then,
    }
