"""Pages from templates. Everything is escaped, an unknown name is an error, and texts come from the catalogue."""

import json
from collections.abc import Mapping
from functools import cache, partial
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from counterfoil.console import present
from counterfoil.console.texts import text_in
from counterfoil.console.visits import Visitor
from counterfoil.core.story import entry_title
from counterfoil.engine.house import House

THEME_COOKIE: Final = "counterfoil_theme"
THEMES: Final = frozenset({"light", "dark"})
LANGUAGE: Final = "en"
FILTERS: Final = (
    *("when", "day", "iso", "short", "owed", "tone", "words", "owner", "bare", "total", "trimmed", "signed", "change"),
    *("is_id", "is_spend", "units", "linked", "field", "breakable"),
)
"""What templates may ask of `present`."""


@cache
def templates() -> Environment:
    """Give the one environment of all templates."""
    made = Environment(
        loader=PackageLoader("counterfoil.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {
        "t": partial(text_in, LANGUAGE),
        "asset": asset,
        "path_to": present.path_to,
        "postings": present.postings,
        "entry_title": entry_title,
        "language": LANGUAGE,
    }
    made.filters |= {name: getattr(present, name) for name in FILTERS}
    made.filters["json"] = partial(json.dumps, ensure_ascii=False)
    return made


@cache
def asset(name: str) -> str:
    """Give the address of a file of ours. It changes when the file does, so that browsers may keep it for good."""
    if name.endswith(".woff2"):
        return f"/static/{name}"  # the style sheet names fonts as they are, and they never change under one name
    content = (files("counterfoil.console") / "static" / name).read_bytes()
    return f"/static/{name}?v={sha256(content).hexdigest()[:12]}"


def theme_of(request: Request) -> str:
    """Give the colours a visitor chose; an empty text lets the system choose."""
    chosen = request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else ""


def page(
    request: Request, template: str, values: Mapping[str, Any], *, visitor: Visitor | None = None, status: int = 200
) -> Response:
    """Render a page. Requests of htmx for a part of a page get the same page and take their part out of it."""
    house: House = request.app.state.house
    frame = {
        "request": request,
        "path": request.url.path,
        "nonce": request.state.nonce,
        "theme": theme_of(request),
        "visitor": visitor,
        "now": house.clock.now(),
        "query": request.query_params,
        "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
    }
    html = templates().get_template(template).render({**frame, **values})
    return HTMLResponse(html, status)
