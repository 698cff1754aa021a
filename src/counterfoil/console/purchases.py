"""Purchases of credits: the list, and one of them with what it costs, how it was paid, and what it brought."""

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.console.reading import explained, listed, read, sought
from counterfoil.console.render import page
from counterfoil.console.visits import Visitor
from counterfoil.core.lifecycle import PurchaseStatus
from counterfoil.store import accounts, listings


def listing(request: Request, visitor: Visitor) -> Response:
    """Show purchases, newest first, narrowed to a status or a customer."""
    status, customer = request.query_params.get("status"), request.query_params.get("customer")
    wanted = sought(
        request, "purchase", status=status if status in tuple(PurchaseStatus) else None, customer=customer or None
    )
    values = {
        "listed": listed(request, visitor, listings.purchases, wanted, "id"),
        "room": "purchases",
        "statuses": list(PurchaseStatus),
    }
    return page(request, "purchases.html", values, visitor=visitor)


def one(request: Request, visitor: Visitor) -> Response:
    """Show one purchase."""
    told = explained(request, visitor, "purchase")
    person = read(request, visitor, lambda tx: accounts.person(tx, told["subject"]["customer"]))
    customer = (person["name"] or person["email"]) if person else None
    return page(request, "purchase.html", {"told": told, "room": "purchases", "customer": customer}, visitor=visitor)
