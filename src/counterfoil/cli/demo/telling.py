"""Shows how a story ended: the timeline, the equation, the journal, the provider's side, and where to look further."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from counterfoil.cli import paper
from counterfoil.cli.demo.outcome import Outcome

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from counterfoil.cli.demo.naive import Ending

SIDES: Final = ("debit", "credit")


@dataclass(frozen=True, slots=True)
class Pages:
    """Where the pages of a story will be. `usual` is the directory that `make up` serves when it is told no other."""

    port: int
    data_dir: Path
    usual: Path

    @property
    def command(self) -> str:
        """What serves them."""
        is_usual = self.data_dir.absolute() == self.usual.absolute()
        return "make up" if is_usual else f"make up ARGS={shlex.quote(f'--data-dir {self.data_dir}')}"


def tell(outcome: Outcome, pages: Pages, *, as_json: bool) -> None:
    """Print the ending; for programs one line of JSON, the last one."""
    if as_json:
        typer.echo(outcome.as_json())
        return
    from rich.rule import Rule

    from counterfoil.cli.explain import entries_table, show_timeline

    console, told = paper.console(), outcome.shown["explanation"]
    console.print(Rule("What came in, and what became of it", align="left", style="dim"))
    show_timeline(console, told["timeline"])
    _arrivals(console, outcome)
    console.print(Rule("The journal of this invoice", align="left", style="dim"))
    console.print(entries_table(told["entries"]))
    console.print(Rule("Trial balance of the whole journal", align="left", style="dim"))
    console.print(trial_table(outcome.shown["trial"]))
    console.print(Rule("The ending", align="left", style="dim"))
    _ending(console, outcome)
    _pages(console, outcome, pages)


def _arrivals(console: "Console", outcome: Outcome) -> None:
    """Say in which order the provider made its events, and in which order they came."""
    came = outcome.shown["arrivals"]
    order = " ".join(str(each.made) for each in came)
    console.print(f"\nThe provider made {len(came)} events, 1 to {len(came)}. They came in as {order}:")
    for each in came:
        times = "" if each.deliveries == 1 else f", {each.deliveries} times"
        console.print(f"  {each.made}  {each.kind}{times}")
    console.print()


def _ending(console: "Console", outcome: Outcome) -> None:
    told, tape = outcome.shown["explanation"], outcome.shown["tape"]
    charges = ", ".join(f"{line['object']} over {_money(line['amount'])}" for line in outcome.shown["charges"])
    seen = "exactly one charge" if outcome.provider_charges == 1 else f"{outcome.provider_charges} charges"
    console.print(f"[bold]{equation(told['equation'])}[/]")
    console.print(told["finding"], soft_wrap=True, markup=False)
    console.print(
        f"The worker was killed {tape.kill}, and started again.\n"
        f"The sandbox saw {seen}: {charges}.\n"
        f"{outcome.notices} notices, {outcome.decisions} decisions: {outcome.applied} applied, "
        f"{outcome.no_effect} without effect. The journal {'balances' if outcome.journal_balanced else 'is broken'}.",
        soft_wrap=True,
    )
    for reason in outcome.reasons:
        console.print(f"[red]Not as it has to be:[/] {reason}", soft_wrap=True)


def equation(told: dict[str, Any]) -> str:
    """Write an invoice's equation with what paid it, as explain gives it; terms of nothing are left out."""
    terms = [term for term in told["terms"] if term["amount"]["amount"]]
    parts = [f"{_plain(term)} {term['label']}" for term in terms]
    return f"{_plain(told['result'])} = {' + '.join(parts)}"


def _plain(term: dict[str, Any]) -> str:
    return f"{term['amount']['amount'] / 100:.2f}"


def trial_table(trial: list[dict[str, Any]]) -> "Table":
    """Show every account's debits and credits in whole units of money or service, with what they add up to."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("account")
    table.add_column("unit")
    table.add_column("debit", justify="right")
    table.add_column("credit", justify="right")
    for unit in sorted({row["unit"] for row in trial}):
        rows = [row for row in trial if row["unit"] == unit]
        for row in rows:
            table.add_row(row["account"], unit, *(_amount(row[side], unit) for side in SIDES))
        sums = (_amount(sum(row[side] for row in rows), unit) for side in SIDES)
        table.add_row("", unit, *sums, style="bold")
    return table


def _amount(quantity: Any, unit: str) -> str:
    """Minor units of dollars, or the six decimals of a credit."""
    whole = quantity / (100 if unit.isupper() else 1_000_000)
    return f"{whole:,.2f}" if quantity else ""


def _pages(console: "Console", outcome: Outcome, pages: Pages) -> None:
    """Name the pages that `counterfoil up` shows of this story."""
    cast, url = outcome.shown["cast"], f"http://127.0.0.1:{pages.port}"
    booked = next((step["id"] for step in outcome.shown["notices"] if step["outcome"] == "applied"), "")
    console.print(f"\nTo look at it: [bold]{pages.command}[/] prints a link that signs you in; then", soft_wrap=True)
    for path in (f"/customers/{cast.customer}", f"/invoices/{cast.invoice}", "/events", f"/events/{booked}"):
        console.print(f"  {url}{path}", soft_wrap=True)
    console.print(
        f"or [bold]counterfoil explain {cast.number}[/]. The same seed plays the same tape: --seed {outcome.seed}"
    )


def tell_naive(ending: "Ending", *, as_json: bool) -> None:
    """Print what really happened to the naive handler."""
    if as_json:
        typer.echo(naive_json(ending))
        return
    console = paper.console()
    for kind, did in ending.calls:
        console.print(f"  {kind:<30} {did}")
    taken = " + ".join(_money(each) for each in ending.charged)
    booked = " + ".join(_money(each) for each in ending.bookings) or "nothing"
    spent = ending.credits_before - ending.credits_after
    console.print(
        f"\nThe handler was killed {ending.tape.kill}. It answered {len(ending.calls)} calls; the provider made "
        f"{ending.deliveries} deliveries.\nThe provider took {taken}; the handler booked {booked} and "
        f"{_money(spent)} of credits; its invoice is {'paid' if ending.is_paid else 'open'}.",
        soft_wrap=True,
    )
    for each in ending.damage:
        console.print(f"[red]Wrong:[/] {each}", soft_wrap=True)
    if not ending.damage:
        console.print("This time it went well.")
    console.print(f"\nThe same tape with Counterfoil: counterfoil demo --seed {ending.tape.seed}")


def naive_json(ending: "Ending") -> str:
    """Say what happened to the handler to a machine, in the words of the other JSON line."""
    did = [did for kind, did in ending.calls if kind != "pay"]
    spent = ending.credits_before - ending.credits_after
    credit = [{"kind": "credit", "amount": spent}] if spent else []
    told = {
        "scenario": "either-first",
        "handler": "naive",
        "seed": ending.tape.seed,
        "ok": not ending.damage,
        "provider_charges": len(ending.charged),
        "invoice": {
            "status": "paid" if ending.is_paid else "open",
            "amount_due": 0 if ending.is_paid else ending.total,
        },
        "legs": credit + [{"kind": "provider", "amount": amount} for amount in ending.bookings],
        "notices": len(did),
        "decisions": len(did),
        "applied": did.count("booked"),
        "no_effect": len(did) - did.count("booked"),
        "restarts": ending.restarts,
        "journal_balanced": spent + sum(ending.charged) == ending.total and sum(ending.bookings) == sum(ending.charged),
        "damage": list(ending.damage),
    }
    return json.dumps(told, ensure_ascii=False)


def _money(minor: int) -> str:
    return f"{'−' if minor < 0 else ''}${abs(minor) / 100:,.2f}"
