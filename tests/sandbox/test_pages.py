"""The challenge page: what a browser does with a 3D Secure redirect."""

from urllib.parse import parse_qs, urlsplit

import pytest
import stripe

from counterfoil.sandbox.wire import Request
from sandbox.harness import CheckedServer


def challenged(api: stripe.StripeClient, **more: str) -> stripe.PaymentIntent:
    return api.v1.payment_intents.create(
        {"amount": 900, "currency": "usd", "payment_method": "pm_card_authenticationRequired", "confirm": True, **more}  # type: ignore[typeddict-item]
    )


@pytest.mark.parametrize(("outcome", "status"), [("succeed", "succeeded"), ("fail", "failed")])
def test_the_page_leads_back_to_the_shop_with_the_outcome(
    server: CheckedServer, api: stripe.StripeClient, outcome: str, status: str
) -> None:
    intent = challenged(api, return_url="https://shop.example/back?cart=1")
    assert intent.next_action is not None
    assert intent.next_action.redirect_to_url is not None
    page = urlsplit(str(intent.next_action.redirect_to_url.url)).path

    shown = server.handle(Request("GET", page))
    left = server.handle(Request("POST", page, {}, f"outcome={outcome}".encode()))

    assert shown.headers["Content-Type"].startswith("text/html")
    assert "Complete authentication" in shown.body.decode()
    assert left.status == 303
    back = parse_qs(urlsplit(left.headers["Location"]).query)
    assert back == {
        "cart": ["1"],
        "payment_intent": [intent.id],
        "payment_intent_client_secret": [intent.client_secret],
        "redirect_status": [status],
    }
    assert (api.v1.payment_intents.retrieve(intent.id).status == "succeeded") == (outcome == "succeed")
    assert "Nothing to authenticate" in server.handle(Request("GET", page)).body.decode()


def test_without_a_way_back_the_page_says_that_it_is_done(server: CheckedServer, api: stripe.StripeClient) -> None:
    intent = challenged(api)

    done = server.handle(Request("POST", f"/_sandbox/challenge/{intent.id}", {}, b"outcome=succeed"))

    assert "Thank you" in done.body.decode()
    assert api.v1.payment_intents.retrieve(intent.id).status == "succeeded"


def test_a_page_of_nothing_is_a_404(server: CheckedServer) -> None:
    assert server.handle(Request("GET", "/_sandbox/challenge/pi_none")).status == 404


def test_a_way_back_that_no_header_can_hold_is_encoded(server: CheckedServer, api: stripe.StripeClient) -> None:
    intent = challenged(api, return_url="https://shop.example/zurück?set=\r\nX-Evil:1")

    left = server.handle(Request("POST", f"/_sandbox/challenge/{intent.id}", {}, b"outcome=succeed"))

    assert left.headers["Location"].startswith("https://shop.example/zur%C3%BCck?set=%0D%0AX-Evil:1&")
