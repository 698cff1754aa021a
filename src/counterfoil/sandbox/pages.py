"""The page on which a customer passes or fails a card's challenge, for a person and for a browser test, and the frame
of every page.
"""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qs, urlencode

from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.wire import Request, Response

CHALLENGE = "/_sandbox/challenge/"

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{
  font: 16px/1.5 system-ui, sans-serif; max-width: 26rem; margin: 12vh auto; padding: 0 1rem;
  color: #1d1d1b; background: #faf8f3;
}}
label, fieldset {{ display: block; margin: 0 0 .8rem; }}
input {{ font: inherit; padding: .4rem; width: 100%; box-sizing: border-box; }}
input[type=radio] {{ width: auto; }}
[role=alert] {{ color: #a32; font-weight: 600; }}
button {{
  font: inherit; padding: .6rem 1rem; margin-right: .5rem; cursor: pointer;
  color: inherit; background: transparent; border: 1px solid currentcolor;
}}
@media (prefers-color-scheme: dark) {{ body {{ color: #eee; background: #191919; }} }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{text}</p>
{form}
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
    joined = address + ("&" if "?" in address else "?") + urlencode(outcome)
    return Response(303, {"Location": joined, "Content-Type": "text/html; charset=utf-8"}, b"")


def page(title: str, text: str, form: str, status: int = 200) -> Response:
    """A plain page; `form` is HTML, the rest is text."""
    body = _PAGE.format(title=escape(title), text=escape(text), form=form)
    return Response(status, {"Content-Type": "text/html; charset=utf-8"}, body.encode())
