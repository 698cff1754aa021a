"""Who gets in, how long they stay, and what a stolen or planted cookie is worth."""

from datetime import timedelta
from urllib.parse import quote

from starlette.testclient import TestClient

from counterfoil.console.app import create_console
from counterfoil.console.visits import COOKIE, LINK_LASTS, VISIT_LASTS, login_url
from counterfoil.engine import setup
from counterfoil.store import accounts
from houses import World

PAGES = "/ /customers /customers/x /invoices /invoices/x /events /events/x /events/x/payload /explain/x /find?q=x"


def test_nobody_sees_a_page_before_signing_in_and_comes_back_to_it_after(stranger: TestClient) -> None:
    answers = {path: stranger.get(path) for path in PAGES.split()}

    assert {each.status_code for each in answers.values()} == {303}
    wanted = {path: f"/sign-in?next={quote(path, safe='')}" for path in answers}
    assert {path: each.headers["Location"] for path, each in answers.items()} == wanted


def test_an_api_key_opens_the_console_and_never_travels_in_the_cookie(stranger: TestClient, world: World) -> None:
    answer = stranger.post("/sign-in", data={"key": f" {world.key}\n", "next": "/events"})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/events")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert world.key not in cookie
    assert stranger.get("/customers").status_code == 200


def test_the_cookie_stays_with_encrypted_connections_when_there_is_one(world: World) -> None:
    with TestClient(create_console(world.house), "https://console.test", follow_redirects=False) as client:
        answer = client.post("/sign-in", data={"key": world.key})

    assert "Secure" in answer.headers["Set-Cookie"]


def test_a_wrong_key_is_refused_with_a_sentence(stranger: TestClient) -> None:
    for key in ("", "cfk_test_nonsense", "\0", "é", "x" * 5000):
        answer = stranger.post("/sign-in", data={"key": key})
        assert answer.status_code == 401
        assert "unknown, revoked or mistyped" in answer.text
    assert COOKIE not in stranger.cookies


def test_a_key_that_may_only_spend_does_not_look(stranger: TestClient, world: World) -> None:
    _, key = setup.create_key(world.house, world.tenant, ("spend",))

    answer = stranger.post("/sign-in", data={"key": key})

    assert answer.status_code == 401
    assert "lacks the scope read" in answer.text


def test_revoking_the_key_ends_its_visits(world: World, stranger: TestClient) -> None:
    key, text = setup.create_key(world.house, world.tenant, ("read",))
    stranger.post("/sign-in", data={"key": text})
    assert stranger.get("/customers").status_code == 200

    with world.house.database.transaction(world.tenant.id) as tx:
        accounts.revoke_key(tx, key.id, world.clock.wall())

    assert stranger.get("/customers").status_code == 303


def test_a_link_signs_in_once(world: World, stranger: TestClient) -> None:
    path = login_url(world.house, "http://console.test/").removeprefix("http://console.test")

    first = stranger.get(path)
    entered = stranger.get("/customers")
    stranger.cookies.clear()
    second = stranger.get(path)

    assert (first.status_code, entered.status_code, second.status_code) == (303, 200, 401)
    assert COOKIE not in stranger.cookies
    assert "used before or has run out" in second.text


def test_a_link_runs_out(world: World, stranger: TestClient) -> None:
    url = login_url(world.house, "http://console.test")
    world.clock.step(LINK_LASTS)

    assert stranger.get(url).status_code == 401


def test_a_made_up_link_opens_nothing(stranger: TestClient) -> None:
    for token in ("nonsense", "a.b", "%00", "W10.x"):
        assert stranger.get(f"/sign-in/{token}").status_code == 401


def test_a_visit_runs_out(world: World, visitor: TestClient) -> None:
    world.clock.step(VISIT_LASTS - timedelta(seconds=1))
    before = visitor.get("/customers")
    world.clock.step(timedelta(seconds=1))
    after = visitor.get("/customers")

    assert (before.status_code, after.status_code) == (200, 303)


def test_signing_out_ends_every_copy_of_the_cookie(world: World, visitor: TestClient) -> None:
    copied = visitor.cookies[COOKIE]

    answer = visitor.post("/sign-out")
    visitor.cookies.set(COOKIE, copied)

    assert answer.headers["Location"] == "/sign-in?out=1"
    assert visitor.get("/customers").status_code == 303


def test_a_cookie_planted_before_signing_in_is_not_the_visit_afterwards(world: World, stranger: TestClient) -> None:
    with TestClient(create_console(world.house), "http://console.test", follow_redirects=False) as attacker:
        attacker.post("/sign-in", data={"key": world.key})
        planted = attacker.cookies[COOKIE]
        attacker.post("/sign-out")

    stranger.cookies.set(COOKIE, planted)
    answer = stranger.post("/sign-in", data={"key": world.key})

    assert planted not in answer.headers["Set-Cookie"]


def test_a_link_is_not_a_cookie_and_a_cookie_is_not_a_link(world: World, visitor: TestClient) -> None:
    token = login_url(world.house, "").removeprefix("/sign-in/")
    cookie = visitor.cookies[COOKIE]

    assert visitor.get(f"/sign-in/{cookie}").status_code == 401
    visitor.cookies.clear()
    visitor.cookies.set(COOKIE, token)
    assert visitor.get("/customers").status_code == 303


def test_a_changed_cookie_opens_nothing(visitor: TestClient) -> None:
    value = visitor.cookies[COOKIE]
    visitor.cookies.clear()
    visitor.cookies.set(COOKIE, value[:-1] + ("a" if value[-1] != "a" else "b"))

    assert visitor.get("/customers").status_code == 303


def test_signing_in_leads_nowhere_but_to_our_own_pages(stranger: TestClient, world: World) -> None:
    for elsewhere in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/sign-out"):
        answer = stranger.post("/sign-in", data={"key": world.key, "next": elsewhere})
        assert answer.headers["Location"] == "/"


def test_other_sites_change_nothing(visitor: TestClient) -> None:
    foreign = (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    )

    assert {visitor.post("/sign-out", headers=headers).status_code for headers in foreign} == {403}
    assert visitor.get("/customers").status_code == 200


def test_our_own_forms_are_let_through(visitor: TestClient) -> None:
    answer = visitor.post(
        "/theme", data={"theme": "dark", "next": "/events?q=a"}, headers={"Origin": "http://console.test"}
    )

    assert (answer.status_code, answer.headers["Location"]) == (303, "/events?q=a")
    assert 'data-theme="dark"' in visitor.get("/customers").text


def test_every_answer_tells_the_browser_to_trust_us_alone(visitor: TestClient) -> None:
    for path in ("/customers", "/sign-in", "/nowhere", "/invoices/x", "/static/console.css", "/"):
        headers = visitor.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Request-Id"].startswith("req_")


def test_a_nonce_is_used_for_one_answer_only(visitor: TestClient) -> None:
    policies = {visitor.get("/customers").headers["Content-Security-Policy"] for _ in range(3)}

    assert len(policies) == 3


def test_pages_are_not_kept_by_anybody_and_files_are(visitor: TestClient) -> None:
    page = visitor.get("/customers")
    style = next(line for line in page.text.splitlines() if "console.css" in line).split('"')[3]

    assert page.headers["Cache-Control"] == "no-store"
    assert "immutable" in visitor.get(style).headers["Cache-Control"]
