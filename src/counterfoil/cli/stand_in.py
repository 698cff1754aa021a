"""The sandbox inside a process of ours: it keeps its state in the data directory and sends its webhooks to us."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from counterfoil.cli.installation import SANDBOX_KEY, SLUG, secrets_of

if TYPE_CHECKING:
    from counterfoil.engine.house import House
    from counterfoil.sandbox.sandbox import Sandbox
    from counterfoil.sandbox.server import SandboxServer

STATE_FILE: Final = "sandbox.jsonl"
WEBHOOK_PATH: Final = f"/webhooks/stripe/{SLUG}"


@contextlib.contextmanager
def sandbox(house: "House", tenant: str, data_dir: Path, port: int, our_url: str) -> Iterator["SandboxServer"]:
    """Run the sandbox as the provider of the tenant's account `default` until the block ends."""
    from counterfoil.engine import setup

    secret = next(iter(secrets_of(house, tenant)), None) or f"whsec_{house.ids.secret()}"
    with _listening(port, data_dir / STATE_FILE) as server:
        with server.locked() as core:
            core.start_at(house.clock.now().timestamp())
            point_webhooks(core, our_url + WEBHOOK_PATH, secret)
        setup.connect(house, tenant, setup.Connection(SANDBOX_KEY, (secret,), server.url, SLUG))
        yield server


def _listening(port: int, state_file: Path) -> "SandboxServer":
    """Take the usual port so that its address can be remembered, and a free one where that is taken."""
    from counterfoil.sandbox.server import SandboxServer

    state_file.parent.mkdir(parents=True, exist_ok=True)
    try:
        return SandboxServer(port, state_file=state_file)
    except OSError:
        return SandboxServer(0, state_file=state_file)


def point_webhooks(core: "Sandbox", url: str, secret: str) -> None:
    """Have the account's events sent to us, wherever we listen this time; what is still under way follows."""
    held = [each for each in ask(core, "GET", "/v1/webhook_endpoints?limit=100")["data"] if WEBHOOK_PATH in each["url"]]
    if not held:
        core.add_webhook(SANDBOX_KEY, url, secret)
        return
    identifier = held[0]["id"]
    ask(core, "POST", f"/v1/webhook_endpoints/{identifier}", {"url": url})
    ask(core, "POST", f"/_sandbox/webhook_endpoints/{identifier}/roll_secret", {"secret": secret, "expires_in_s": 0})


def ask(core: "Sandbox", method: str, path: str, body: dict[str, Any] | None = None, key: str = SANDBOX_KEY) -> Any:
    """Make one request in process: of the API, or of the control plane in JSON."""
    import json

    from counterfoil.sandbox.wire import Request

    is_control = path.startswith("/_sandbox")
    raw = (json.dumps(body) if is_control else urlencode(body)).encode() if body else b""
    response = core.handle(Request(method, path, {"Authorization": f"Bearer {key}"}, raw))
    assert response.status == 200, response.body
    return response.json()


def follow_clock(house: "House", server: "SandboxServer") -> None:
    """Move the sandbox's business time forward to ours, which a command may have advanced."""
    lag = house.clock.now().timestamp() - server.sandbox.world.now()
    if lag > 1:
        with server.locked() as core:
            core.advance(lag)
