"""The tutorial and the example application do what they say, beside a `counterfoil up` with its sandbox."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from counterfoil.client import Billing, Wallet
from doors.cli.commands import data_directory, started

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "tutorials" / "credits-in-a-fastapi-app.md"


@dataclass(frozen=True, slots=True)
class Up:
    """A running installation."""

    url: str
    key: str

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"COUNTERFOIL_URL": self.url, "COUNTERFOIL_KEY": self.key}


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    with data_directory() as home, started(home, "up", "--port", "0", "--sandbox-port", "0", "--json") as process:
        told = json.loads(process.line(""))
        yield Up(process.url, told["api_key"])
        process.stop()


def test_the_code_of_the_tutorial_runs_in_its_order(up: Up) -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    assert code.count("assert ") > 10

    done = subprocess.run(
        [sys.executable, "-c", code], env=up.environment, capture_output=True, text=True, timeout=90, check=False
    )

    assert done.returncode == 0, done.stderr


def test_the_code_about_credits_in_the_readme_runs(up: Up) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (code,) = [each for each in blocks if "counterfoil.client" in each]

    done = subprocess.run(
        [sys.executable, "-c", code + 'assert str(billing.available("ext:user-7012", "credits")) == "9.92"'],
        env=up.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr


# --- the example ---


@contextmanager
def proxy(up: Up) -> Iterator[httpx2.Client]:
    """The example, as a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = ["-m", "uvicorn", "--app-dir", "examples/llm_proxy", "app:app", "--port", str(port)]
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=up.environment, stderr=subprocess.DEVNULL)
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            await_answer(client)
            yield client
    finally:
        process.terminate()
        process.wait(20)


def await_answer(client: httpx2.Client) -> None:
    for _ in range(300):
        try:
            client.get("/")
        except httpx2.ConnectError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the example does not answer")


def test_the_example_holds_streams_settles_and_refuses(up: Up) -> None:
    with proxy(up) as shop, Billing(up.key, up.url) as billing:
        user = {"user": "cleo"}
        signed_up = [shop.post("/sign-up", headers=user).json() for _ in range(2)]
        answer = shop.post("/chat", json={"prompt": "how are you"}, headers=user)
        price = (3 + len(answer.text.split())) * 2
        left = shop.get("/credits", headers=user).json()
        while billing.available("ext:cleo", "credits") > 2:
            shop.post("/chat", json={"prompt": "go on"}, headers=user)
        refused = shop.post("/chat", json={"prompt": "more"}, headers=user)
        page = shop.get("/").text

    assert signed_up[0] == signed_up[1]
    assert answer.status_code == 200
    assert left == {"available": f"{(500 - price) / 100:.2f}", "held": "0.00"}
    assert (refused.status_code, refused.json()["code"]) == (402, "insufficient_credits")
    assert "Top up" in page


def test_the_button_buys_once_however_often_it_is_clicked(up: Up) -> None:
    with proxy(up) as shop, Billing(up.key, up.url) as billing:
        shop.post("/sign-up", headers={"user": "fritz"})
        clicks = [shop.post("/top-up", json={"wish": "wish-0001"}, headers={"user": "fritz"}) for _ in range(3)]
        bought = clicks[0].json()
        for _ in range(100):
            if billing.show_purchase(bought["purchase"]).is_fulfilled:
                break
            time.sleep(0.1)
        left = billing.available("ext:fritz", "credits")

    assert {each.json()["purchase"] for each in clicks} == {bought["purchase"]}
    assert left == 1005


def test_a_refused_card_is_an_answer_and_no_exception(up: Up) -> None:
    with Billing(up.key, up.url) as billing:
        billing.declare_unit("credits", scale=2)
        wallet = billing.sign_up("gina", "credits")
        pack = {"code": "pack-2500", "unit": "credits", "credits": "2500"}
        billing.declare_packs([pack | {"prices": [{"amount": 5000, "currency": "USD"}]}])
        billing.save_method("ext:gina", "pm_card_chargeCustomerFail")
        bought = billing.purchase("ext:gina", "credits", "pack-2500")
        for _ in range(100):
            if bought.status != "pending":
                break
            time.sleep(0.1)
            bought = billing.show_purchase(bought.id)

    assert (bought.status, bought.is_fulfilled, bought.wallet) == ("failed", False, wallet.id)
    assert bought.failure


def test_many_at_once_never_spend_more_than_there_is(up: Up) -> None:
    """Five credits hold two answers at a time; every other caller is told 402, and nothing is left held."""
    with proxy(up) as shop, Billing(up.key, up.url) as billing:
        shop.post("/sign-up", headers={"user": "dora"})
        answers: list[Any] = []

        def ask() -> None:
            answers.append(shop.post("/chat", json={"prompt": "all at once"}, headers={"user": "dora"}))

        threads = [threading.Thread(target=ask) for _ in range(12)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        wallet = billing.wallet("ext:dora", "credits")

    served = [each for each in answers if each.status_code == 200]
    spent = sum((3 + len(each.text.split())) * 2 for each in served)
    assert wallet
    assert {each.status_code for each in answers} == {200, 402}
    assert wallet.available * 100 == 500 - spent
    assert wallet.held == 0


def when_nothing_is_held(billing: Billing, customer: str) -> Wallet:
    for _ in range(100):
        wallet = billing.wallet(customer, "credits")
        if wallet and wallet.held == 0:
            return wallet
        time.sleep(0.1)
    raise AssertionError("something is still held")


def test_a_caller_who_hangs_up_pays_for_what_was_made(up: Up) -> None:
    with proxy(up) as shop, Billing(up.key, up.url) as billing:
        shop.post("/sign-up", headers={"user": "emil"})
        with shop.stream("POST", "/chat", json={"prompt": "tell me everything"}, headers={"user": "emil"}) as answer:
            next(answer.iter_text())
        wallet = when_nothing_is_held(billing, "ext:emil")

    assert 0 < 5 - wallet.available <= 2
