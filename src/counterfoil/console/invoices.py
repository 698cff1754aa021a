"""Invoices: the list, and one of them with what paid it."""

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.console.reading import explained, listed, read, sought
from counterfoil.console.render import page
from counterfoil.console.visits import Visitor
from counterfoil.core.lifecycle import InvoiceStatus
from counterfoil.store import accounts, listings


def listing(request: Request, visitor: Visitor) -> Response:
    """Show invoices, newest first, narrowed to a status or a customer."""
    status, customer = request.query_params.get("status"), request.query_params.get("customer")
    wanted = sought(
        request, "invoice", status=status if status in tuple(InvoiceStatus) else None, customer=customer or None
    )
    values = {
        "listed": listed(request, visitor, listings.invoices, wanted, "id"),
        "room": "invoices",
        "statuses": list(InvoiceStatus),
    }
    return page(request, "invoices.html", values, visitor=visitor)


def one(request: Request, visitor: Visitor) -> Response:
    """Show one invoice."""
    told = explained(request, visitor, "invoice")
    person = read(request, visitor, lambda tx: accounts.person(tx, told["subject"]["customer"]))
    customer = (person["name"] or person["email"]) if person else None
    return page(request, "invoice.html", {"told": told, "room": "invoices", "customer": customer}, visitor=visitor)
