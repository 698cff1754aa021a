"""The pages in a real browser: both widths, both colours, by keyboard, without scripts, and with somebody's markup.

Screenshots of every page are left in `.cache/console/`, for people to look at.
"""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urljoin

import httpx2
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, StorageState, expect

from doors.console.serving import SCRIPT, Shown

SCREENSHOTS: Final = Path(__file__).parents[3] / ".cache" / "console"
ROOMS: Final = {
    "sign-in": "/sign-in",
    "customers": "/customers",
    "customer": "/customers/{customer}",
    "invoices": "/invoices",
    "invoice": "/invoices/{invoice}",
    "invoice-refused": "/invoices/{refused}",
    "events": "/events",
    "events-all": "/events?source=all",
    "event": "/events?kind=charge.succeeded",
    "payment": "/explain/{payment}",
    "wallet": "/wallets/{wallet}",
    "wallet-odd": "/wallets/{odd}",
    "purchases": "/purchases",
    "purchase": "/purchases/{bought}",
    "stranger": "/explain/{stranger}",
    "vandal": "/customers/{vandal}",
    "none-found": "/customers?q=nobody",
    "missing": "/invoices/inv_nope",
}
COLOURS: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
EVERY_RULE: Final = {"resultTypes": ["violations"], "preload": False}
CONTRAST: Final = EVERY_RULE | {"runOnly": ["color-contrast"]}
"""Colours change nothing else."""
REPORTS: Final = """
    window.reports = [];
    addEventListener("securitypolicyviolation", (event) => {
        window.reports.push(`${event.violatedDirective} ${event.sample}`);
    });
"""


@pytest.fixture(scope="session")
def signed_in(browser: Browser, shown: Shown) -> StorageState:
    """The cookies of somebody who signed in by hand."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{shown.url}/sign-in")
    page.fill("#key", shown.world.key)
    page.click("button.primary")
    page.wait_for_url("**/customers")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def visitor_page(browser: Browser, signed_in: StorageState) -> Iterator[Page]:
    """A page of somebody who is signed in, with an ear for what the security policy reports."""
    # Without motion, so that no picture is taken on the way from one colour to another.
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, storage_state=signed_in, reduced_motion="reduce"
    )
    context.add_init_script(REPORTS)
    yield context.new_page()
    context.close()


def path_of(shown: Shown, room: str) -> str:
    story = shown.story
    ids = {"customer": story.customer, "invoice": story.invoice, "payment": story.payment, "wallet": story.wallet}
    return ROOMS[room].format(**ids, **shown.ids)


def visit(page: Page, shown: Shown, room: str) -> None:
    page.goto(shown.url + path_of(shown, room))
    if room == "event":
        page.click("a.row >> nth=0")
        page.wait_for_url("**/events/pevt_*")


@pytest.mark.parametrize("room", ROOMS)
def test_a_page_is_readable_by_everybody_at_every_width_in_both_colours(
    visitor_page: Page, shown: Shown, room: str
) -> None:
    visit(visitor_page, shown, room)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for width in (1440, 390):
        visitor_page.set_viewport_size({"width": width, "height": 900})
        for scheme in COLOURS:
            visitor_page.emulate_media(color_scheme=scheme)
            visitor_page.screenshot(path=SCREENSHOTS / f"{room}-{width}-{scheme}.png", full_page=True)
            assert violations(visitor_page, EVERY_RULE if scheme == "light" else CONTRAST) == []
        assert visitor_page.evaluate("document.documentElement.scrollWidth") <= width
    assert visitor_page.evaluate("window.reports") == []


def violations(page: Page, rules: dict[str, Any]) -> list[str]:
    """What axe finds."""
    found = Axe().run(page, options=rules).response["violations"]
    return [f"{each['id']}: {node['target']} {node['failureSummary']}" for each in found for node in each["nodes"]]


def test_every_id_about_credits_leads_to_a_page(shown: Shown) -> None:
    """Spends, holds, lots and purchases, the open and the ended ones."""
    with httpx2.Client(base_url=shown.url, follow_redirects=True) as client:
        client.post("/sign-in", data={"key": shown.world.key})
        html = client.get(path_of(shown, "wallet-odd")).text + client.get(path_of(shown, "purchase")).text
        paths = set(re.findall(r'href="(/(?:wallets|purchases|explain)/[^"?]+)"', html))
        answers = {path: client.get(path).status_code for path in paths}

    assert {"spnd", "hold", "grant"} <= {path.rpartition("/")[2].partition("_")[0] for path in paths}
    assert {path for path, status in answers.items() if status != 200} == set()


def test_markup_in_names_and_descriptions_is_text(visitor_page: Page, shown: Shown) -> None:
    page = visitor_page
    for path in ("/customers", "/invoices", "/events?source=all", f"/customers/{shown.ids['vandal']}"):
        page.goto(shown.url + path)
        assert SCRIPT in page.locator("main").inner_text()
        assert page.locator("img[src=x]").count() == 0
        assert page.title() != "owned"
        assert page.evaluate("window.reports") == []


def test_a_timeline_node_wears_its_effect_as_a_shape_and_in_words(visitor_page: Page, shown: Shown) -> None:
    page = visitor_page
    visit(page, shown, "invoice")

    shapes = page.evaluate(
        """() => Object.fromEntries(["money", "state", "none"].map((effect) => {
            const node = document.querySelector(`.step.${effect} .node`);
            const style = getComputedStyle(node);
            const filled = style.backgroundColor === style.borderTopColor;
            return [effect, [style.borderTopStyle, filled, node.nextElementSibling.textContent]];
        }))"""
    )

    assert shapes == {
        "money": ["solid", True, "moved money"],
        "state": ["solid", False, "changed something, moved no money"],
        "none": ["dashed", False, "changed nothing"],
    }


def test_typing_in_a_filter_narrows_the_list_in_place(visitor_page: Page, shown: Shown) -> None:
    page = visitor_page
    page.goto(f"{shown.url}/customers")
    expect(page.locator("a.row")).to_have_count(4)
    page.evaluate("window.here = 'still'")

    page.locator("#q").press_sequentially("erin")

    expect(page.locator("a.row")).to_have_count(1)
    assert page.url.endswith("/customers?q=erin")
    assert page.evaluate("window.here") == "still"
    assert page.evaluate("window.reports") == []


def test_choosing_an_outcome_narrows_the_events(visitor_page: Page, shown: Shown) -> None:
    page = visitor_page
    visit(page, shown, "events")
    before = page.locator("a.row").count()

    page.select_option("#outcome", "parked")

    expect(page.locator("a.row")).not_to_have_count(before)
    assert set(page.locator("td + th .pill").all_inner_texts()) == {"question"}


def test_everything_is_there_without_scripts(browser: Browser, shown: Shown) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{shown.url}/sign-in")
    page.fill("#key", shown.world.key)
    page.click("button.primary")

    page.fill("#q", "erin")
    page.get_by_role("button", name="Filter").click()
    assert page.locator("a.row").count() == 1
    page.goto(f"{shown.url}/events?kind=charge.succeeded")
    page.locator("a.row").first.click()
    page.get_by_text("data", exact=True).first.click()
    page.get_by_role("button", name="Use dark colours").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.get_by_role("button", name="Sign out").click()
    assert page.get_by_text("You are signed out.").is_visible()
    context.close()


def test_the_keyboard_reaches_the_content_the_search_and_every_row(visitor_page: Page, shown: Shown) -> None:
    page = visitor_page
    page.goto(f"{shown.url}/customers")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("/")
    page.keyboard.type("INV-000001")
    page.keyboard.press("Enter")
    page.wait_for_url("**/invoices/inv_*")

    assert outline == "solid"
    assert page.get_by_role("heading", level=1).inner_text().startswith("Invoice INV-000001")


def test_an_id_is_copied_by_a_click(visitor_page: Page, shown: Shown) -> None:
    permissions = ["clipboard-read", "clipboard-write"]
    visitor_page.context.grant_permissions(permissions, origin=shown.url)
    visit(visitor_page, shown, "invoice")

    visitor_page.locator("button.copy").first.click()

    assert visitor_page.evaluate("navigator.clipboard.readText()") == shown.story.invoice


def test_chosen_colours_win_over_those_of_the_system(browser: Browser, shown: Shown, signed_in: StorageState) -> None:
    context = browser.new_context(color_scheme="dark", storage_state=signed_in)
    page = context.new_page()
    page.goto(f"{shown.url}/customers")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")

    page.get_by_role("button", name="Use light colours").click()

    assert dark == "rgb(20, 20, 19)"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(251, 251, 250)"
    context.close()


def test_nothing_moves_for_those_who_want_no_motion(browser: Browser, shown: Shown, signed_in: StorageState) -> None:
    context = browser.new_context(reduced_motion="reduce", storage_state=signed_in)
    page = context.new_page()
    page.goto(f"{shown.url}/customers")

    assert page.evaluate("getComputedStyle(document.querySelector('button')).transitionDuration") == "0s"
    context.close()


# --- how much a page weighs ---

HTML_MAX: Final = 30 * 1024
FIRST_VISIT_MAX: Final = 120 * 1024
OURS_MAX: Final = 12 * 1024


@pytest.mark.parametrize("room", ["customers", "customer", "invoice", "wallet-odd", "purchase", "events-all", "event"])
def test_a_page_is_light(shown: Shown, room: str) -> None:
    with httpx2.Client(base_url=shown.url, follow_redirects=True) as client:
        client.post("/sign-in", data={"key": shown.world.key})
        html = client.get(path_of(shown, room)).text
        if room == "event":
            html = client.get(re.findall(r'class="row" href="([^"]+)"', html)[0]).text
        files = {urljoin(shown.url, each) for each in re.findall(r'(?:href|src)="(/static/[^"]+)"', html)}
        files.add(f"{shown.url}/static/geist-mono-latin-wght-normal.woff2")
        weights = {each: weight(client.get(each).content) for each in files}

    ours = sum(size for each, size in weights.items() if re.search(r"/static/[a-z]+\.(css|js)", each))
    assert weight(html.encode()) <= HTML_MAX
    assert ours <= OURS_MAX
    assert weight(html.encode()) + sum(weights.values()) <= FIRST_VISIT_MAX


def weight(content: bytes) -> int:
    """What travels: compressed, unless it is compressed already."""
    return min(len(content), len(gzip.compress(content)))
