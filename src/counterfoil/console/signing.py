"""In and out: the sign-in page, links that work once, signing out, and the choice of colours."""

from urllib.parse import parse_qs, quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from counterfoil.console import visits
from counterfoil.console.render import THEME_COOKIE, THEMES, page
from counterfoil.console.visits import SignInRefused, Visitor

BODY_MAX = 4096
YEAR_S = 365 * 24 * 3600


def form(request: Request) -> Response:
    """Show the sign-in page."""
    told = "sign_in.signed_out" if request.query_params.get("out") else None
    return _form(request, told=told)


def _form(request: Request, told: str | None = None, refused: str | None = None, status: int = 200) -> Response:
    values = {"told": told, "refused": refused, "next": _own_path(request.query_params.get("next", "/"))}
    return page(request, "sign_in.html", values, status=status)


def asked(request: Request) -> Response:
    """Ask somebody who is not signed in to do so first; they come back to where they wanted to go."""
    wanted = _own_path(request.url.path + (f"?{request.url.query}" if request.url.query else ""))
    response = RedirectResponse(f"/sign-in?next={quote(wanted, safe='')}", 303)
    if visits.COOKIE in request.cookies:
        visits.forget(response)
    return response


async def enter(request: Request) -> Response:
    """Sign in with an API key."""
    fields = await _fields(request)
    wanted = _own_path(fields.get("next", "/"))
    return await run_in_threadpool(_enter, request, fields.get("key", ""), wanted)


def _enter(request: Request, key: str, wanted: str) -> Response:
    try:
        value = visits.with_key(request.app.state.house, key)
    except SignInRefused as refused:
        return _form(request, refused=refused.text, status=401)
    return _welcome(request, value, wanted)


def by_link(request: Request) -> Response:
    """Sign in with a link that works once."""
    try:
        value = visits.with_link(request.app.state.house, request.path_params["token"])
    except SignInRefused as refused:
        return _form(request, refused=refused.text, status=401)
    return _welcome(request, value, "/")


def _welcome(request: Request, value: str, wanted: str) -> Response:
    response = RedirectResponse(wanted, 303)
    visits.remember(response, request, value)
    return response


def leave(request: Request, visitor: Visitor) -> Response:
    """Sign out: the visit ends for every copy of its cookie."""
    visits.sign_out(request.app.state.house, visitor)
    response = RedirectResponse("/sign-in?out=1", 303)
    visits.forget(response)
    return response


async def theme(request: Request) -> Response:
    """Remember which colours a visitor wants, and go back to where they were."""
    fields = await _fields(request)
    response = RedirectResponse(_own_path(fields.get("next", "/")), 303)
    if fields.get("theme") in THEMES:
        secure = request.url.scheme == "https"
        response.set_cookie(
            THEME_COOKIE, fields["theme"], max_age=YEAR_S, path="/", secure=secure, httponly=True, samesite="lax"
        )
    return response


async def _fields(request: Request) -> dict[str, str]:
    """Read a small form. What is larger than any of ours, or not text, reads as an empty one."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > BODY_MAX:
            return {}
    try:
        read = parse_qs(body.decode("ascii"), max_num_fields=10)
    except ValueError:
        return {}
    return {name: values[0] for name, values in read.items()}


def _own_path(wanted: str) -> str:
    """Let nobody be sent to another site: only a path of ours is followed, anything else leads home."""
    parts = urlsplit(wanted)
    is_ours = not parts.scheme and not parts.netloc and wanted.startswith("/") and "\\" not in wanted
    return wanted if is_ours and not wanted.startswith(("//", "/sign-")) else "/"
