"""The search in the top bar: straight to what an exact id, number or address names, else to customers that match."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from counterfoil.console.present import path_to
from counterfoil.console.reading import TEXT_MAX, read
from counterfoil.console.visits import Visitor
from counterfoil.engine.explain import NotFound, resolve


def find(request: Request, visitor: Visitor) -> Response:
    """Go to what a text names."""
    text = request.query_params.get("q", "").replace("\0", "").strip()[:TEXT_MAX]
    if not text:
        return RedirectResponse("/customers", 303)
    try:
        _, identity = read(request, visitor, lambda tx: resolve(tx, text))
    except NotFound:
        return RedirectResponse(f"/customers?q={quote(text, safe='')}", 303)
    return RedirectResponse(path_to(identity), 303)
