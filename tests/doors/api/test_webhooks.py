"""The webhook door: a body is not trusted before its signature is, and not answered before it is stored."""

import gzip
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from httpx2 import Response
from psycopg.errors import CheckViolation
from starlette.testclient import TestClient

from behaviours import behaviour
from counterfoil.engine import setup
from doors.api.caller import Caller, another_tenant
from houses import SECRET, STRIPE_KEY, World

PATH = "/webhooks/stripe/default"
BODY = json.dumps(
    {
        "id": "evt_1",
        "object": "event",
        "api_version": "2025-02-24.acacia",
        "created": 1_781_409_600,
        "livemode": False,
        "type": "customer.updated",
        "data": {"object": {"id": "cus_unknown", "object": "customer"}},
    }
).encode()


def signature(body: bytes, at: int, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


def now_of(world: World) -> int:
    return int(world.clock.wall().timestamp())


def send(client: TestClient, header: str | None, body: bytes = BODY, path: str = PATH) -> Response:
    headers = [(b"Content-Type", b"application/json")]
    if header is not None:
        headers.append((b"Stripe-Signature", header.encode()))
    return client.post(path, content=body, headers=headers)


def stored(world: World) -> list[Any]:
    with world.house.database.transaction(world.tenant.id) as tx:
        return tx.rows("select * from inbox where tenant = %(tenant)s and source = 'webhook'")


def test_a_signed_event_is_stored_before_it_is_answered(client: TestClient, world: World) -> None:
    at = now_of(world)

    answer = send(client, f"t={at},v1={signature(BODY, at)}")

    assert (answer.status_code, answer.json()["received"]) == (200, True)
    assert [row["id"] for row in stored(world)] == [answer.json()["id"]]


Mutant = Callable[[int, str], str | None]
MUTANTS: dict[str, Mutant] = {
    "no header": lambda t, v: None,
    "empty": lambda t, v: "",
    "blank": lambda t, v: "   ",
    "only a comma": lambda t, v: ",",
    "only the time": lambda t, v: f"t={t}",
    "only the signature": lambda t, v: f"v1={v}",
    "v0 alone": lambda t, v: f"t={t},v0={v}",
    "v2 alone": lambda t, v: f"t={t},v2={v}",
    "empty v1": lambda t, v: f"t={t},v1=",
    "v1 without its equals sign": lambda t, v: f"t={t},v1{v}",
    "upper-case hex": lambda t, v: f"t={t},v1={v.upper()}",
    "upper-case name": lambda t, v: f"t={t},V1={v}",
    "one digit less": lambda t, v: f"t={t},v1={v[:-1]}",
    "one digit more": lambda t, v: f"t={t},v1={v}0",
    "first digit changed": lambda t, v: f"t={t},v1={'0' if v[0] != '0' else '1'}{v[1:]}",
    "last digit changed": lambda t, v: f"t={t},v1={v[:-1]}{'0' if v[-1] != '0' else '1'}",
    "not hex": lambda t, v: f"t={t},v1={'z' * 64}",
    "with 0x": lambda t, v: f"t={t},v1=0x{v}",
    "quoted": lambda t, v: f't={t},v1="{v}"',
    "semicolons": lambda t, v: f"t={t};v1={v}",
    "colons": lambda t, v: f"t:{t},v1:{v}",
    "another time": lambda t, v: f"t={t + 1},v1={v}",
    "time as a fraction": lambda t, v: f"t={t}.0,v1={v}",
    "time in hex": lambda t, v: f"t={t:#x},v1={v}",
    "negative time": lambda t, v: f"t=-{t},v1={v}",
    "time with a plus": lambda t, v: f"t=+{t},v1={v}",
    "time with an underscore": lambda t, v: f"t={t // 1000}_{t % 1000:03d},v1={v}",
    "time with a zero in front": lambda t, v: f"t=0{t},v1={v}",
    "empty time": lambda t, v: f"t=,v1={v}",
    "no number": lambda t, v: f"t=now,v1={v}",
    "time beyond every calendar": lambda t, v: f"t={10**30},v1={v}",
    "two times, the wrong one last": lambda t, v: f"t={t},t={t + 1},v1={v}",
    "two times, the wrong one first": lambda t, v: f"t={t + 1},t={t},v1={v}",
    "full-width digits": lambda t, v: f"t={''.join(chr(0xFF10 + int(d)) for d in str(t))},v1={v}",
    "of another body": lambda t, v: f"t={t},v1={signature(BODY + b' ', t)}",
    "of the body alone": lambda t, v: f"t={t},v1={hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()}",
    "of another secret": lambda t, v: f"t={t},v1={signature(BODY, t, 'whsec_other')}",
    "of no secret": lambda t, v: f"t={t},v1={signature(BODY, t, '')}",
    "of the secret without its prefix": lambda t, v: f"t={t},v1={signature(BODY, t, SECRET.removeprefix('whsec_'))}",
    "plain sha256": lambda t, v: f"t={t},v1={hashlib.sha256(f'{t}.'.encode() + BODY).hexdigest()}",
    "sha1": lambda t, v: f"t={t},v1={hmac.new(SECRET.encode(), f'{t}.'.encode() + BODY, hashlib.sha1).hexdigest()}",
    "301 s old": lambda t, v: f"t={t - 301},v1={signature(BODY, t - 301)}",
    "301 s ahead": lambda t, v: f"t={t + 301},v1={signature(BODY, t + 301)}",
    "a thousand wrong ones": lambda t, v: f"t={t}," + ",".join([f"v1={'0' * 64}"] * 1000),
}


@behaviour("R-LG-12")
@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS.keys())
def test_a_forged_signature_is_refused_and_nothing_is_stored(
    still_client: TestClient, still_world: World, mutant: Mutant
) -> None:
    at = now_of(still_world)
    header = mutant(at, signature(BODY, at))

    answer = send(still_client, header)

    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] in ("webhook_signature_invalid", "webhook_signature_expired")
    assert stored(still_world) == []


def test_either_of_two_signatures_will_do_while_a_secret_is_rolled(client: TestClient, world: World) -> None:
    at = now_of(world)
    right, wrong = signature(BODY, at), signature(BODY, at, "whsec_old")

    answers = [send(client, f"t={at},v1={one},v1={two}") for one, two in ((right, wrong), (wrong, right))]

    assert [each.status_code for each in answers] == [200, 200]
    assert len(stored(world)) == 1


def test_a_secret_that_was_rolled_out_stops_counting_within_a_second(client: TestClient, world: World) -> None:
    at = now_of(world)
    assert send(client, f"t={at},v1={signature(BODY, at)}").status_code == 200
    rolled = setup.Connection(STRIPE_KEY, ("whsec_new",), base_url=world.account.base_url)
    setup.connect(world.house, world.tenant.id, rolled)

    began = time.monotonic()
    while send(client, f"t={at},v1={signature(BODY, at)}").status_code == 200:
        assert time.monotonic() - began < 2.0

    assert send(client, f"t={at},v1={signature(BODY, at, 'whsec_new')}").status_code == 200


@pytest.mark.parametrize("secrets", [(), ("",), ("   ",)])
def test_an_endpoint_without_a_secret_accepts_nothing(
    client: TestClient, world: World, secrets: tuple[str, ...]
) -> None:
    """Whoever signs with the empty string would be anybody."""
    at = now_of(world)
    setup.connect(world.house, world.tenant.id, setup.Connection(STRIPE_KEY, secrets, slug="bare"))

    for secret in {"", *secrets}:
        answer = send(client, f"t={at},v1={signature(BODY, at, secret)}", path="/webhooks/stripe/bare")
        assert answer.status_code == 400


def test_the_secret_of_another_organizations_endpoint_opens_nothing(client: TestClient, world: World) -> None:
    another_tenant(world, client)
    at = now_of(world)

    mine_with_theirs = send(client, f"t={at},v1={signature(BODY, at, 'whsec_other')}")
    theirs_with_mine = send(client, f"t={at},v1={signature(BODY, at)}", path="/webhooks/stripe/other")
    theirs = send(client, f"t={at},v1={signature(BODY, at, 'whsec_other')}", path="/webhooks/stripe/other")

    assert (mine_with_theirs.status_code, theirs_with_mine.status_code, theirs.status_code) == (400, 400, 200)
    assert stored(world) == []


@pytest.mark.parametrize("age", [-299, 0, 299])
def test_a_signature_within_five_minutes_is_accepted(client: TestClient, world: World, age: int) -> None:
    at = now_of(world) - age

    assert send(client, f"t={at},v1={signature(BODY, at)}").status_code == 200


@behaviour("R-LG-14")
def test_a_captured_event_that_is_sent_again_changes_nothing(client: TestClient, world: World) -> None:
    at = now_of(world)
    header = f"t={at},v1={signature(BODY, at)}"
    first = send(client, header)
    world.pump()

    again = [send(client, header) for _ in range(3)]
    world.pump()

    assert {each.json()["id"] for each in again} == {first.json()["id"]}
    assert [(row["deliveries"], row["status"]) for row in stored(world)] == [(4, "decided")]


def test_many_at_once_are_each_stored_once(client: TestClient, world: World) -> None:
    at = now_of(world)
    bodies = [BODY.replace(b"evt_1", f"evt_{n % 20}".encode()) for n in range(60)]

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda body: send(client, f"t={at},v1={signature(body, at)}", body), bodies))

    assert {each.status_code for each in answers} == {200}
    assert len({each.json()["id"] for each in answers}) == 20
    assert sum(row["deliveries"] for row in stored(world)) == 60


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body + b"\n",
        lambda body: body.replace(b": ", b":"),
        lambda body: json.dumps(json.loads(body), sort_keys=True).encode(),
        lambda body: body.replace(b"customer", b"custome\\u0072"),
        lambda body: b"\xef\xbb\xbf" + body,
        gzip.compress,
    ],
)
def test_the_signature_is_over_the_exact_bytes(
    still_client: TestClient, still_world: World, change: Callable[[bytes], bytes]
) -> None:
    at = now_of(still_world)

    answer = send(still_client, f"t={at},v1={signature(BODY, at)}", change(BODY))

    assert (answer.status_code, stored(still_world)) == (400, [])


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{}", b"[]", b"null", b"not json", b"\xff\xfe", b'"event"', b"[" * 100_000),
        *(BODY.replace(b'"id": "evt_1"', b'"id": 7'), BODY.replace(b"evt_1", b"evt_\\u0000")),
        *(BODY.replace(b'"data"', b'"date"'), BODY.replace(b"1781409600", b'"yesterday"')),
    ],
)
def test_what_is_signed_but_is_no_event_is_refused(still_client: TestClient, still_world: World, body: bytes) -> None:
    at = now_of(still_world)

    answer = send(still_client, f"t={at},v1={signature(body, at)}", body)

    assert (answer.status_code, answer.json()["code"], stored(still_world)) == (400, "webhook_not_an_event", [])


def test_an_event_that_comes_in_parts_is_verified_whole(client: TestClient, world: World) -> None:
    at = now_of(world)
    parts = (BODY[start : start + 10] for start in range(0, len(BODY), 10))

    answer = client.post(PATH, content=parts, headers={"Stripe-Signature": f"t={at},v1={signature(BODY, at)}"})

    assert answer.status_code == 200


@pytest.mark.parametrize("in_parts", [True, False])
def test_a_body_over_a_mebibyte_is_refused_without_being_read(
    still_client: TestClient, still_world: World, in_parts: bool
) -> None:
    at = now_of(still_world)
    body = BODY[:-1] + b" " * 1024 * 1024 + b"}"
    content = (body[start : start + 65_536] for start in range(0, len(body), 65_536)) if in_parts else body

    answer = still_client.post(PATH, content=content, headers={"Stripe-Signature": f"t={at},v1={signature(body, at)}"})

    assert (answer.status_code, answer.json()["code"], stored(still_world)) == (413, "webhook_too_large", [])


def test_a_body_of_just_a_mebibyte_is_taken(client: TestClient, world: World) -> None:
    at = now_of(world)
    body = BODY[:-1] + b" " * (1024 * 1024 - len(BODY)) + b"}"

    assert send(client, f"t={at},v1={signature(body, at)}", body).status_code == 200


@pytest.mark.parametrize("slug", ["nobody", "DEFAULT", "default%00", "..%2fdefault", "d" * 300])
def test_an_endpoint_that_is_not_there_is_not_found(still_client: TestClient, still_world: World, slug: str) -> None:
    at = now_of(still_world)

    answer = send(still_client, f"t={at},v1={signature(BODY, at)}", path=f"/webhooks/stripe/{slug}")

    assert (answer.status_code, stored(still_world)) == (404, [])


@behaviour("R-LG-12")
@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.replace(b'"livemode": false', b'"livemode": true'),
        lambda body: body.replace(b'"object": "event"', b'"object": "event", "account": "acct_unknown"'),
    ],
)
def test_an_event_of_the_other_mode_or_of_an_unknown_account_is_kept_apart(
    client: TestClient, api: Caller, world: World, change: Callable[[bytes], bytes]
) -> None:
    at, body = now_of(world), change(BODY)

    answer = send(client, f"t={at},v1={signature(body, at)}", body)
    world.pump()

    assert answer.status_code == 200
    shown = api.get(f"/v1/provider-events/{answer.json()['id']}").json()
    assert shown["status"] == "parked"
    assert shown["decision"]["reason"] in ("wrong_mode", "unknown_account")


@behaviour("R-CW-29")
def test_what_is_forged_is_refused_and_what_could_not_be_worked_on_is_kept(
    client: TestClient, world: World, database: str
) -> None:
    """A 200 is not the end of an event: working on it fails, it stays in the inbox, and it is worked on again."""
    at = now_of(world)
    with psycopg.connect(database) as owner:
        owner.execute("alter table decision add constraint poison check (reason <> 'object_missing')")

    forged = send(client, f"t={at},v1={signature(BODY, at, 'whsec_other')}")
    taken = send(client, f"t={at},v1={signature(BODY, at)}")
    with pytest.raises(CheckViolation):
        world.pump()
    (kept,) = stored(world)
    with psycopg.connect(database) as owner:
        owner.execute("alter table decision drop constraint poison")
    world.clock.step(timedelta(minutes=5))
    world.pump()

    assert (forged.status_code, taken.status_code) == (400, 200)
    assert (kept["id"], kept["status"]) == (taken.json()["id"], "received")
    assert [(row["id"], row["status"]) for row in stored(world)] == [(kept["id"], "decided")]
