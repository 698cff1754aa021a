"""Whatever a caller sends, the answer is Stripe-shaped: no operation crashes on any form."""

from typing import Any
from urllib.parse import urlencode

from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.sandbox.params import Hash, Items, Kind, Need, Schema
from counterfoil.sandbox.ports import SeededIds, SteppingClock
from counterfoil.sandbox.routing import Route
from counterfoil.sandbox.sandbox import Sandbox
from counterfoil.sandbox.surface import ROUTES
from counterfoil.sandbox.wire import Request
from sandbox.harness import KEY
from sandbox.shapes import problems_of

VALUES = st.one_of(
    st.sampled_from(
        [
            "",
            "0",
            "1",
            "-1",
            "500",
            "2000",
            "99999999999999999999",
            "10.5",
            "true",
            "false",
            "usd",
            "jpy",
            "eur",
            "card",
            "us_bank_account",
        ]
    ),
    st.sampled_from(
        [
            "pm_card_visa",
            "pm_card_chargeDeclined",
            "pm_card_createDispute",
            "pm_usBankAccount_success",
            "tok_visa",
            "manual",
            "any",
        ]
    ),
    st.sampled_from(
        [
            "{customer}",
            "{payment_intent}",
            "{charge}",
            "{payment_method}",
            "{webhook_endpoint}",
            "https://a.example/h",
            "*",
            "a@b.co",
        ]
    ),
    st.text(max_size=8),
)


def names_of(schema: Schema, prefix: str = "") -> list[str]:
    """Every name that a declaration knows, in form encoding, and a few that it does not."""
    names = [f"{prefix}[surprise]" if prefix else "surprise"]
    for name, kind in schema.items():
        full = f"{prefix}[{name}]" if prefix else name
        names += [full, *_below(kind, full)]
    return names


def _below(kind: Kind, full: str) -> list[str]:
    kind = kind.kind if isinstance(kind, Need) else kind
    if isinstance(kind, Hash):
        return names_of(kind.fields, full)
    return [f"{full}[]", f"{full}[0][a]"] if isinstance(kind, Items) else [f"{full}[a]"]


@st.composite
def calls(draw: st.DrawFn) -> tuple[Route, list[tuple[str, str]]]:
    route = draw(st.sampled_from(ROUTES))
    name = st.sampled_from([*names_of(route.params), "expand[]", "expand[0]"])
    form = draw(st.lists(st.tuples(name, VALUES), max_size=6))
    return route, [*_required(route), *form]


def _required(route: Route) -> list[tuple[str, str]]:
    """What an operation needs most, so that many of the calls get past the door."""
    wanted = {
        "amount": "900",
        "currency": "usd",
        "confirm": "true",
        "payment_method": "pm_card_visa",
        "type": "card",
        "card[token]": "tok_visa",
    }
    return [
        (name, value)
        for name, value in wanted.items()
        if name.partition("[")[0] in route.params and route.method == "POST"
    ]


@settings(max_examples=150, deadline=None)
@given(st.lists(calls(), min_size=1, max_size=12))
def test_no_form_crashes_an_operation_or_misshapes_an_answer(story: list[tuple[Route, list[tuple[str, str]]]]) -> None:
    sandbox = Sandbox(SteppingClock(), SeededIds(1))
    seen: dict[str, str] = {}
    for route, form in story:
        kind = route.path.split("/")[2].rstrip("s")
        path = route.path.replace("{id}", seen.get(kind, "id_1")).replace(
            "{method}", seen.get("payment_method", "pm_1")
        )
        body = urlencode([(name, _filled(value, seen)) for name, value in form])
        request = Request(
            route.method, path if route.method == "POST" else f"{path}?{body}", {"Authorization": f"Bearer {KEY}"}
        )
        if route.method == "POST":
            request = Request("POST", path, request.headers, body.encode())

        reply = sandbox.handle(request)

        assert reply.status in (200, 400, 402, 403, 404), (request, reply.body)
        assert problems_of(reply.body, reply.headers["Stripe-Version"]) == []
        _remember(seen, reply.json())


def _filled(value: str, seen: dict[str, str]) -> str:
    """A value, or the id of the last object of the kind that it names in braces."""
    if value.startswith("{") and value.endswith("}"):
        return seen.get(value[1:-1], "id_1")
    return value


def _remember(seen: dict[str, str], reply: Any) -> None:
    if reply.get("id"):
        seen[reply["object"]] = reply["id"]
    if reply.get("latest_charge"):
        seen["charge"] = str(reply["latest_charge"])
