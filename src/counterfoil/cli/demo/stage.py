"""Where a story is played: a real database, a real sandbox and API on sockets, and a worker that can be killed."""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from counterfoil.cli import installation, premises, serving, stand_in
from counterfoil.cli.demo.caller import Caller
from counterfoil.cli.demo.mortal import Mortal
from counterfoil.cli.demo.waiting import until
from counterfoil.cli.rooms import Entry
from counterfoil.cli.troubles import AccountMismatch, DataDirectoryInUse

if TYPE_CHECKING:
    from counterfoil.cli.settings import Settings
    from counterfoil.engine.house import House
    from counterfoil.sandbox.server import SandboxServer

PLACES_MAX: Final = 9
LEASE_S: Final = 3.0
"""After how long the restarted worker takes over what the killed one held. Production waits a minute."""
WORKER_LOG: Final = "demo-worker.log"
RETRIES: Final = {"retry_compression": 600.0}
"""The provider repeats what was not answered ten times faster than usual, so that a story is told in seconds."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything a story needs."""

    house: "House"
    tenant: str
    caller: Caller
    sandbox: "SandboxServer"
    account: str
    worker: Mortal
    data_dir: Path

    def trouble(self, rule: Any) -> str:
        """Set a fault rule, and give its id."""
        with self.sandbox.locked() as core:
            return str(stand_in.ask(core, "POST", "/_sandbox/faults", dict(rule))["id"])

    def relieve(self) -> None:
        """Take every fault rule away."""
        with self.sandbox.locked() as core:
            stand_in.ask(core, "DELETE", "/_sandbox/faults")

    def charges(self, after: int) -> list[dict[str, Any]]:
        """Give the money that the provider took since a line of its journal."""
        return [line for line in self.journal() if line["kind"] == "charge" and line["seq"] > after]

    def journal(self) -> list[dict[str, Any]]:
        """Give the provider's own journal."""
        with self.sandbox.locked() as core:
            return list(core.journal())

    def events_of(self, intent: str) -> dict[str, str]:
        """Give the events that the provider made about a payment, in that order: their ids, and of what kind."""
        with self.sandbox.locked() as core:
            newest_first = stand_in.ask(core, "GET", "/v1/events?limit=100")["data"]
        told = ((event, event["data"]["object"]) for event in reversed(newest_first))
        return {event["id"]: event["type"] for event, of in told if intent in (of["id"], of.get("payment_intent"))}

    def looks(self) -> int:
        """Count the payments that were looked up at the provider and not answered yet."""
        with self.sandbox.locked() as core:
            held = [each for each in core.requests if each["method"] == "GET" and "slow" in each["rules"]]
        return len(held)

    def wait_for_rest(self, mark: str) -> None:
        """Wait until every event is delivered, every piece of news since `mark` decided and every order answered."""
        until(lambda: self._is_at_rest(mark), "everything is delivered and decided")

    def _is_at_rest(self, mark: str) -> bool:
        from counterfoil.store import census, feed

        with self.sandbox.locked() as core:
            waiting = stand_in.ask(core, "GET", "/_sandbox/deliveries")["waiting"]
        with self.house.database.transaction(self.tenant) as tx:
            return not waiting and not feed.undecided_after(tx, mark) and not census.open_orders(tx)


@contextlib.contextmanager
def stage(entry: Entry, settings: "Settings") -> Iterator[Stage]:
    """Set the stage in the installation that `counterfoil up` shows; beside it where that is taken or another's."""
    own = settings.model_copy(update={"database_url": None, "stripe_api_key": None})
    with contextlib.ExitStack() as running:
        yield _first_free(running, entry, own)


def _first_free(running: contextlib.ExitStack, entry: Entry, settings: "Settings") -> Stage:
    for number in range(PLACES_MAX):
        place = settings.data_dir / f"demo-{number}" if number else settings.data_dir
        with contextlib.ExitStack() as attempt, contextlib.suppress(DataDirectoryInUse, AccountMismatch):
            made = _set_up(attempt, entry, settings.model_copy(update={"data_dir": place}))
            running.push(attempt.pop_all())
            return made
    raise DataDirectoryInUse(f"{PLACES_MAX} stories are told in {settings.data_dir} already")


def _set_up(running: contextlib.ExitStack, entry: Entry, settings: "Settings") -> Stage:
    running.enter_context(installation.alone(settings.data_dir))
    serving.progress(f"Starting Postgres in {settings.data_dir} …")
    database = running.enter_context(premises.postgres(settings))
    premises.bring_up_to_date(database)
    premises.master_key(entry, settings)
    worker = _worker(settings, database.dsn)
    worker.launch()
    running.callback(worker.stop)
    house = running.enter_context(premises.house_on(entry, settings, database.dsn, pool_size=16))
    tenant = installation.tenant_of(house, is_live=False)
    if not installation.wants_sandbox(house, tenant.id, settings, no_sandbox=False):
        raise AccountMismatch("this installation has an account of its own")
    listener = serving.listen("127.0.0.1", 0)
    running.callback(listener.close)
    url = serving.url_of(listener)
    serving.progress("Starting the sandbox, the API and a worker …")
    sandbox = running.enter_context(stand_in.sandbox(house, tenant.id, settings.data_dir, 0, url))
    with sandbox.locked() as core:
        stand_in.ask(core, "DELETE", "/_sandbox/faults")
        stand_in.ask(core, "POST", "/_sandbox/settings", RETRIES)
        account = str(stand_in.ask(core, "GET", "/v1/account")["id"])
    key = installation.api_key(house, tenant, settings.data_dir, may_add=True).text
    assert key
    running.enter_context(serving.web(entry.rooms.application(house), listener))
    worker.await_ready()
    return Stage(house, tenant.id, Caller(url, key), sandbox, account, worker, settings.data_dir)


def _worker(settings: "Settings", dsn: str) -> Mortal:
    """The worker as a process of its own, on the same database and with the same master key."""
    command = (sys.executable, "-m", "counterfoil", "worker", "--until-eof", "--lease-s", f"{LEASE_S:g}")
    env = {
        "DATABASE_URL": dsn,
        "COUNTERFOIL_DATA_DIR": str(settings.data_dir.absolute()),
        "COUNTERFOIL_STRIPE_API_KEY": "",
    }
    if settings.master_key:
        env["COUNTERFOIL_MASTER_KEY"] = settings.master_key.get_secret_value()
    return Mortal(command, env, settings.data_dir / WORKER_LOG)
