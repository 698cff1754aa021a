"""`counterfoil customers`: what a person does about a customer from the command line."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterfoil.cli import paper, premises, tenants
from counterfoil.cli.options import DataDir, Json, Tenant, entry_of
from counterfoil.cli.troubles import NotFound

if TYPE_CHECKING:
    from counterfoil.engine.house import House

app = typer.Typer(no_args_is_help=True, help="What is known of a customer.")

OPERATOR = "operator"
"""Who calls, when a command comes from the command line."""


@app.command()
def erase(
    context: typer.Context,
    identity: Annotated[str, typer.Argument(metavar="ID", help="`cust_…`, or ext: and your own id of the customer.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Names this one intent, so that it is done once.")
    ] = None,
    tenant: Tenant = "default",
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Erase a customer's personal data for ever, here and in the provider's copy. The books keep its id."""
    if not (yes or dry_run or as_json) and sys.stdin.isatty():
        typer.confirm(f"Erase the personal data of {identity} for ever?", abort=True)
    with premises.house_of(entry_of(context), data_dir=data_dir) as house:
        told = _erase(house, tenants.named(house, tenant).id, identity, idempotency_key, dry_run=dry_run)
    if as_json:
        paper.say_json(told)
    elif dry_run:
        typer.echo(told["sentence"])
    else:
        typer.echo(f"Erased the personal data of {told['id']}.")


def _erase(house: "House", tenant: str, identity: str, key: str | None, *, dry_run: bool) -> Any:
    """Run the command and give its answer. Raises NotFound."""
    from counterfoil.core.facts import Source
    from counterfoil.engine import customers
    from counterfoil.engine.commands import Request
    from counterfoil.engine.operations import Asked

    customer = _customer(house, tenant, identity)
    body = paper.json_line({"customer": customer}).encode()
    request = Request("customers erase", OPERATOR, key, body, Source.OPERATOR, dry_run)
    answer = customers.erase_customer(Asked(house, tenant, request), customer).answer
    told = json.loads(answer.body)
    if answer.status >= 400:
        raise NotFound(told["detail"].rstrip("."))
    return told


def _customer(house: "House", tenant: str, identity: str) -> str:
    from counterfoil.engine.looks import look
    from counterfoil.store import pages

    external = identity.removeprefix("ext:")
    if external == identity:
        return identity
    found = look(house, tenant, lambda tx: pages.customer_by_external_id(tx, external))
    if found is None:
        raise NotFound(f"there is no customer {identity}")
    return found
