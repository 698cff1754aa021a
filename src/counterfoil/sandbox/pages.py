"""The frame of every hosted page, and the page on which a customer passes or fails a card's challenge."""

from __future__ import annotations

from html import escape
from string import punctuation
from urllib.parse import parse_qs, quote, urlencode

from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.wire import Request, Response

CHALLENGE = "/_sandbox/challenge/"
STYLE = "/_sandbox/static/sandbox.css"
HTML = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Pages load nothing but what the sandbox itself serves. Forms may lead on to the shop, so `form-action` is free."""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="{style}">
</head>
<body class="sheet">
<main>
<h1>{title}</h1>
<p>{text}</p>
{form}
</main>
<footer>Sandbox: no money moves here.</footer>
</body>
</html>
"""
_FORM = """<form method="post">
<button name="outcome" value="succeed">Complete authentication</button>
<button name="outcome" value="fail">Fail authentication</button>
</form>"""


def challenge_page(intent: Doc) -> Response:
    """Ask the customer; an intent that awaits nothing says so."""
    if intent["status"] != "requires_action":
        return page("Nothing to authenticate", f"This payment is {intent['status'].replace('_', ' ')}.", "")
    return page("3D Secure 2 test page", f"The bank wants to know whether it is you ({intent['id']}).", _FORM)


def outcome_of(request: Request) -> str:
    """What the customer pressed; anything but the first button is a failure."""
    pressed = parse_qs(request.body.decode(errors="replace")).get("outcome", [""])[0]
    return "succeed" if pressed == "succeed" else "fail"


def way_back(intent: Doc, succeeded: bool) -> Response:
    """Send the customer back to the shop, with what Stripe adds to the address; without one, say that it is done."""
    address = intent.get("_return_url")
    if not address:
        return page("Thank you", "You can close this window.", "")
    kind = intent["object"]
    outcome = {
        kind: intent["id"],
        f"{kind}_client_secret": intent["client_secret"],
        "redirect_status": "succeeded" if succeeded else "failed",
    }
    return redirect(address + ("&" if "?" in address else "?") + urlencode(outcome))


def page(title: str, text: str, form: str, status: int = 200) -> Response:
    """A plain page; `form` is HTML, the rest is text."""
    body = _PAGE.format(title=escape(title), text=escape(text), form=form, style=STYLE)
    return Response(status, dict(HTML), body.encode())


def redirect(address: str) -> Response:
    """Send the browser on, with a GET. What can't stand in a header as it is goes encoded."""
    location = quote(address, safe=punctuation)
    return Response(303, {"Location": location, "Content-Type": "text/html; charset=utf-8"}, b"")


def alert(text: str) -> str:
    """What went wrong, as HTML that a screen reader says at once."""
    return f'<p role="alert">{escape(text)}</p>'


def form_of(request: Request) -> dict[str, str]:
    """The fields of a posted form, each as its last value without surrounding blanks."""
    fields = parse_qs(request.body.decode(errors="replace"), keep_blank_values=True)
    return {name: values[-1].strip() for name, values in fields.items()}
