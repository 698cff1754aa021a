"""`counterfoil reconcile`: look at everything at the provider again, and let the books follow."""

import threading
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from counterfoil.cli import paper, premises, serving, tenants
from counterfoil.cli.options import DataDir, Json, entry_of
from counterfoil.cli.rooms import Entry
from counterfoil.cli.troubles import Exit

if TYPE_CHECKING:
    from counterfoil.engine.house import House
    from counterfoil.store.accounts import Account

TIME_MAX_S: Final = 3600.0
LOOK_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Swept:
    """What came of sweeping one account. `report` None: the provider did not answer."""

    tenant: str
    account: str
    report: dict[str, int] | None


def reconcile(
    context: typer.Context,
    tenant: Annotated[str | None, typer.Option(metavar="T", help="Whose books.", show_default="all")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Sweep every account: read what the provider says happened, look at all that is open, decide what is new.

    Works beside a running server or without one. A second run right after changes nothing.
    """
    entry = entry_of(context)
    with premises.house_of(entry, data_dir=data_dir) as house:
        mark = house.new_id("inbox")
        accounts = [(each.id, held) for each in tenants.chosen(house, tenant) for held in _accounts(house, each.id)]
        began = house.clock.now()
        for whose, account in accounts:
            _make_due(house, whose, account.id, began)
        swept = _work(entry, house, accounts, began)
        changed = _changed(house, {whose for whose, _ in accounts}, mark)
    _tell(swept, changed, as_json=as_json)
    if any(each.report is None for each in swept):
        raise typer.Exit(Exit.PROVIDER)


def _accounts(house: "House", tenant: str) -> "tuple[Account, ...]":
    from counterfoil.store import accounts

    with house.database.transaction(tenant) as tx:
        return accounts.accounts(tx, house.box)


def _make_due(house: "House", tenant: str, account: str, now: datetime) -> None:
    from counterfoil.store import work

    house.transact(tenant, lambda tx: work.enqueue(tx, work.Queue.SWEEP, account, now))


def _work(entry: Entry, house: "House", accounts: "list[tuple[str, Account]]", began: datetime) -> list[Swept]:
    """Work until every account is swept and nothing is due any more."""
    from rich.progress import Progress, SpinnerColumn, TextColumn

    pause = threading.Event()
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with (
        Progress(*columns, console=paper.console(stderr=True), transient=True) as bar,
        serving.in_thread("worker", lambda told: entry.rooms.work_until(house, told, 4)),
    ):
        line = bar.add_task(f"sweeping {len(accounts)} account(s)")
        for _ in range(round(TIME_MAX_S / LOOK_S)):
            swept = [_swept(house, tenant, account.id, began) for tenant, account in accounts]
            left = _due(house)
            bar.update(line, description=f"sweeping {len(accounts)} account(s), {sum(left.values())} thing(s) due")
            if all(swept) and not sum(left.values()):
                break
            pause.wait(LOOK_S)
    return [each for each in swept if each]


def _swept(house: "House", tenant: str, account: str, began: datetime) -> Swept | None:
    """Say what came of a sweep, None while it is not over."""
    from counterfoil.store import sweeps

    with house.database.transaction(tenant) as tx:
        last = sweeps.last(tx, account)
        due = sweeps.due(tx, account)
    if due is None or due <= began:
        return None
    found = last is not None and last["ran_at"] >= began and bool(last["report"])
    return Swept(tenant, account, last["report"] if found and last else None)


def _due(house: "House") -> dict[str, int]:
    from counterfoil.store import work

    with house.database.claims() as tx:
        return work.backlog(tx, house.clock.now())


def _changed(house: "House", whose: set[str], mark: str) -> dict[str, int]:
    """Count the decisions about the news that came since, by outcome."""
    from counterfoil.store import feed

    totals: dict[str, int] = {}
    for tenant in sorted(whose):
        with house.database.transaction(tenant) as tx:
            for outcome, count in feed.outcomes_after(tx, mark).items():
                totals[outcome] = totals.get(outcome, 0) + count
    return totals


def _tell(swept: list[Swept], changed: dict[str, int], *, as_json: bool) -> None:
    rows: list[dict[str, Any]] = [
        {"tenant": each.tenant, "account": each.account, "reached": each.report is not None, **(each.report or {})}
        for each in swept
    ]
    if as_json:
        paper.say_json({"accounts": rows, "decisions": changed, "applied": changed.get("applied", 0)})
        return
    for row in rows:
        said = ", ".join(f"{name.replace('_', ' ')} {row[name]}" for name in (swept[0].report or {}) if name in row)
        typer.echo(f"{row['account']}  {said if row['reached'] else 'the provider did not answer'}")
    decided = ", ".join(f"{count} {paper.words(outcome)}" for outcome, count in sorted(changed.items()))
    typer.echo(f"Decisions: {decided or 'none, the books agree'}.")
