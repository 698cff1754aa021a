"""The card fields of a hosted page, and what a customer typed into them."""

from __future__ import annotations

from counterfoil.sandbox.errors import StripeError
from counterfoil.sandbox.params import Given

CARD = """<fieldset data-method="card"><legend>Card</legend>
<label>Card number <input name="number" inputmode="numeric" autocomplete="cc-number"
 placeholder="4242 4242 4242 4242"></label>
<label>Expiration (MM / YY) <input name="expiry" autocomplete="cc-exp" placeholder="12 / 34"></label>
<label>CVC <input name="cvc" inputmode="numeric" autocomplete="cc-csc" placeholder="123"></label>
</fieldset>"""


def card_of(form: Given) -> Given:
    """The card as the parameters of a payment method; an expiry that can't be read is refused as a browser would."""
    month, year = _expiry(form.get("expiry", ""))
    return {"number": form.get("number", ""), "exp_month": month, "exp_year": year}


def _expiry(text: str) -> tuple[int, int]:
    month, _, year = text.replace(" ", "").partition("/")
    if not (month.isdigit() and year.isdigit() and 1 <= int(month) <= 12 and len(year) in (2, 4)):
        raise StripeError("Your card's expiration date is incomplete.", status=402, type="card_error")
    return int(month), int(year)
