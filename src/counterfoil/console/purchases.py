"""One purchase of credits: what it costs, how it was paid, and what it brought."""

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.console.reading import explained, read
from counterfoil.console.render import page
from counterfoil.console.visits import Visitor
from counterfoil.store import accounts


def one(request: Request, visitor: Visitor) -> Response:
    """Show one purchase."""
    told = explained(request, visitor, "purchase")
    person = read(request, visitor, lambda tx: accounts.person(tx, told["subject"]["customer"]))
    customer = (person["name"] or person["email"]) if person else None
    return page(request, "purchase.html", {"told": told, "room": "customers", "customer": customer}, visitor=visitor)
