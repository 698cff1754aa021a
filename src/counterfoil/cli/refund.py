"""`counterfoil refund`: give money of a payment or a purchase back, after showing what that does."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterfoil.cli import paper, premises, tenants
from counterfoil.cli.customers import OPERATOR
from counterfoil.cli.options import DataDir, Json, Tenant, entry_of
from counterfoil.cli.troubles import NotFound, RefundRefused

if TYPE_CHECKING:
    from counterfoil.engine.house import House


def refund(
    context: typer.Context,
    identity: Annotated[str, typer.Argument(metavar="ID", help="`pmt_…` or `prch_…`.")],
    amount: Annotated[int | None, typer.Option(help="Minor units; all that is left when not said.")] = None,
    leg: Annotated[str | None, typer.Option(help="Which part of the payment gives back.")] = None,
    destination: Annotated[str, typer.Option(help="source, balance, wallet or manual.")] = "source",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Names this one intent, so that it is done once.")
    ] = None,
    tenant: Tenant = "default",
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Give money of a payment or a purchase back. Shows first what it would do."""
    part = {"leg": leg, "amount": amount, "destination": destination}
    with premises.house_of(entry_of(context), data_dir=data_dir) as house:
        whose = tenants.named(house, tenant).id
        told = _refund(house, whose, identity, part, None, dry_run=True)
        if not dry_run:
            if not (yes or as_json) and sys.stdin.isatty():
                typer.echo(told["sentence"])
                typer.confirm("Do it?", abort=True)
            told = _refund(house, whose, identity, part, idempotency_key, dry_run=False)
    if as_json:
        paper.say_json(told)
    elif dry_run:
        typer.echo(told["sentence"])
    else:
        for each in told["refunds"]:
            typer.echo(f"{each['id']} {each['amount']['formatted']} {each['status']}")


def _refund(
    house: "House", tenant: str, identity: str, part: dict[str, Any], key: str | None, *, dry_run: bool
) -> dict[str, Any]:
    """Run the command and give its answer. Raises NotFound, and RefundRefused with what refused it."""
    from counterfoil.core.facts import Source
    from counterfoil.core.ids import LegId
    from counterfoil.core.refunded import Destination
    from counterfoil.core.refunding import Part
    from counterfoil.engine import refunds
    from counterfoil.engine.commands import Request
    from counterfoil.engine.operations import Asked

    if part["destination"] not in tuple(Destination):
        raise NotFound(f"there is no destination {part['destination']}")
    body = paper.json_line({"of": identity, **part}).encode()
    asked = Asked(house, tenant, Request("refund", OPERATOR, key, body, Source.OPERATOR, dry_run))
    wanted = Part(LegId(part["leg"]) if part["leg"] else None, part["amount"], Destination(part["destination"]))
    if identity.startswith("prch_"):
        answer = refunds.refund_purchase(asked, identity, wanted, None).answer
    else:
        answer = refunds.refund_payment(asked, identity, (wanted,), None).answer
    told: dict[str, Any] = json.loads(answer.body)
    if "code" in told or told.get("outcome") == "refuse":
        raise RefundRefused(str(told.get("detail") or told.get("sentence")).rstrip("."))
    return told
