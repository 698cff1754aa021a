"""Customers: the list, and one of them with what it owes, what it can spend and everything that happened."""

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.console.reading import explained, listed, read, sought
from counterfoil.console.render import page
from counterfoil.console.visits import Visitor
from counterfoil.store import listings
from counterfoil.store.listings import Sought

INVOICES_SHOWN = 10


def listing(request: Request, visitor: Visitor) -> Response:
    """Show customers, newest first, found by a few letters."""
    found = listed(request, visitor, listings.customers, sought(request, "customer"), "id")
    return page(request, "customers.html", {"listed": found, "room": "customers"}, visitor=visitor)


def one(request: Request, visitor: Visitor) -> Response:
    """Show one customer."""
    told = explained(request, visitor, "customer")
    wanted = Sought(customer=told["subject"]["id"])
    invoices = read(request, visitor, lambda tx: listings.invoices(tx, wanted))
    values = {
        "told": told,
        "room": "customers",
        "invoices": invoices[:INVOICES_SHOWN],
        "has_more_invoices": len(invoices) > INVOICES_SHOWN,
    }
    return page(request, "customer.html", values, visitor=visitor)
