"""The style sheet and script of the sandbox's pages, from the package itself."""

from __future__ import annotations

from functools import cache
from importlib import resources

from counterfoil.sandbox.wire import Request, Response

STATIC = "/_sandbox/static/"
_KINDS = {"sandbox.css": "text/css; charset=utf-8", "board.js": "text/javascript; charset=utf-8"}


def answer(request: Request) -> Response:
    """Serve one of the known files; there is no way to any other."""
    name = request.route_path.removeprefix(STATIC)
    if name not in _KINDS:
        return Response(404, {"Content-Type": "text/plain"}, b"There is no such file.")
    headers = {"Content-Type": _KINDS[name], "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    return Response(200, headers, _read(name))


@cache
def _read(name: str) -> bytes:
    return resources.files("counterfoil.sandbox").joinpath("static", name).read_bytes()
