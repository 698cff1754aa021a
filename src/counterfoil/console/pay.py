"""The public page behind a link in a letter: what is owed, why, and the next step. Nobody signs in for it."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from counterfoil.console.render import page
from counterfoil.engine import links, pay_pages
from counterfoil.engine.house import House


def show(request: Request) -> Response:
    """Show what a link leads to. One that we did not sign, or whose invoice is gone, is not found; both look alike."""
    house: House = request.app.state.house
    link = links.read(house, request.path_params["token"])
    found = pay_pages.page_of(house, link) if link else None
    asked = request.query_params.get("asked") == "1"
    return page(request, "pay.html", {"pay": found, "asked": asked}, status=200 if found else 404)


def ask(request: Request) -> Response:
    """Send the customer a fresh link. What is answered says nothing about whether there was one to send."""
    house: House = request.app.state.house
    link = links.read(house, request.path_params["token"])
    if link:
        pay_pages.ask_link(house, link)
    return RedirectResponse(f"/pay/{request.path_params['token']}?asked=1", 303)
