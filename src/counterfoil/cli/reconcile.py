"""`counterfoil reconcile`: look at everything at the provider again, and let the books follow."""

import re
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from counterfoil.cli import paper, premises, serving, tenants
from counterfoil.cli.options import DataDir, Json, entry_of
from counterfoil.cli.rooms import Entry
from counterfoil.cli.troubles import Exit, SettingsInvalid

if TYPE_CHECKING:
    from counterfoil.engine.house import House

TIME_MAX_S: Final = 3600.0
LOOK_S: Final = 0.1
SPAN: Final = re.compile(r"([0-9]{1,5})([hdw])")
SPANS: Final = {"h": "hours", "d": "days", "w": "weeks"}
COUNTS: Final = ("compared", "visited", "changed", "late", "anomalies", "asked", "undecided")
Runs = dict[str, dict[str, Any]]
"""The runs that were asked for, as they are shown, by tenant."""


def reconcile(
    context: typer.Context,
    since: Annotated[
        str | None,
        typer.Option(metavar="7d", help="Compare what the provider made since then with the books, too."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Compare all that the provider has.")] = False,
    tenant: Annotated[str | None, typer.Option(metavar="T", help="Whose books.", show_default="all")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Visit all that is open at the provider, however old, and let the books follow; report what was found.

    Works beside a running server or without one. A second run right after changes nothing. Ends with 1 when a person
    is needed, and with 4 when a provider did not answer.
    """
    entry = entry_of(context)
    span = read_span(since)
    if span and everything:
        raise SettingsInvalid("--all compares everything; leave --since out")
    with premises.house_of(entry, data_dir=data_dir) as house:
        mark = house.new_id("inbox")
        asked = {each.id: _ask(house, each.id, span, everything=everything) for each in tenants.chosen(house, tenant)}
        found = _work(entry, house, asked)
        changed = _changed(house, set(asked), mark)
        accounts = _accounts(house, found)
    _tell(found, accounts, changed, as_json=as_json)
    if any(not each["reached"] for each in accounts):
        raise typer.Exit(Exit.PROVIDER)
    if any(_needs_a_person(run) for run in found.values()):
        raise typer.Exit(Exit.FINDINGS)


def read_span(text: str | None) -> timedelta | None:
    """Read `12h`, `7d` or `4w`. Raises SettingsInvalid."""
    if text is None:
        return None
    found = SPAN.fullmatch(text)
    if found is None or not int(found[1]):
        raise SettingsInvalid(f"--since takes a span such as 12h, 7d or 4w, not {text!r}")
    return timedelta(**{SPANS[found[2]]: int(found[1])})


def _needs_a_person(run: dict[str, Any]) -> bool:
    return bool(run["asked"] or run["anomalies"] or run["undecided"])


def _ask(house: "House", tenant: str, span: timedelta | None, *, everything: bool) -> str:
    from counterfoil.engine import runs

    wanted = runs.Wanted(house.clock.now() - span if span else None, everything=everything)
    return house.transact(tenant, lambda tx: runs.ask(tx, house, wanted))


def _work(entry: Entry, house: "House", asked: dict[str, str]) -> Runs:
    """Work until every run is over, and give them with their reports."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    pause = threading.Event()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with (
        Progress(*columns, console=paper.console(stderr=True), transient=True) as bar,
        serving.in_thread("worker", lambda stop: entry.rooms.work_until(house, stop, 4)),
    ):
        line = bar.add_task("reconciling")
        for _ in range(round(TIME_MAX_S / LOOK_S)):
            found = {tenant: _shown(house, tenant, run) for tenant, run in asked.items()}
            visited = sum(run["visited"] for run in found.values())
            left = sum(_undecided(house, tenant, run) for tenant, run in asked.items())
            compared = sum(run["compared"] for run in found.values())
            told = f"{compared} compared, looking"
            bar.update(line, description=told, total=visited or None, completed=visited - left)
            if all(run["ended_at"] for run in found.values()):
                break
            pause.wait(LOOK_S)
    return found


def _shown(house: "House", tenant: str, run: str) -> dict[str, Any]:
    from counterfoil.engine import run_views

    with house.database.transaction(tenant) as tx:
        shown = run_views.run(tx, run)
    assert shown is not None, "a run that is gone"
    return shown


def _undecided(house: "House", tenant: str, run: str) -> int:
    from counterfoil.store import runs

    with house.database.transaction(tenant) as tx:
        return runs.undecided(tx, run)


def _accounts(house: "House", found: Runs) -> list[dict[str, Any]]:
    from counterfoil.store import accounts

    rows = []
    for tenant, run in found.items():
        with house.database.transaction(tenant) as tx:
            ids = accounts.all_ids(tx)
        rows += [{"tenant": tenant, "account": each, "reached": each not in run["unreached"]} for each in ids]
    return rows


def _changed(house: "House", whose: set[str], mark: str) -> dict[str, int]:
    """Count the decisions about the news that came since, by outcome."""
    from counterfoil.store import feed

    totals: dict[str, int] = {}
    for tenant in sorted(whose):
        with house.database.transaction(tenant) as tx:
            for outcome, count in feed.outcomes_after(tx, mark).items():
                totals[outcome] = totals.get(outcome, 0) + count
    return totals


def _tell(found: Runs, accounts: list[dict[str, Any]], changed: dict[str, int], *, as_json: bool) -> None:
    if as_json:
        sums = {name: sum(run[name] for run in found.values()) for name in COUNTS}
        told = {"runs": [{"tenant": tenant, **run} for tenant, run in found.items()], "accounts": accounts}
        paper.say_json(told | sums | {"decisions": changed, "applied": changed.get("applied", 0)})
        return
    for run in found.values():
        typer.echo(f"{run['id']}  {', '.join(f'{run[name]} {name}' for name in COUNTS)}")
        for each in run["report"]:
            if each["outcome"] != "no_effect":
                typer.echo(f"  {paper.words(each['outcome'] or 'waiting'):9} {each['ref']}  {each['sentence'] or ''}")
    for each in accounts:
        if not each["reached"]:
            typer.echo(f"{each['account']}  the provider did not answer")
    decided = ", ".join(f"{count} {paper.words(outcome)}" for outcome, count in sorted(changed.items()))
    typer.echo(f"Decisions: {decided or 'none, the books agree'}.")
