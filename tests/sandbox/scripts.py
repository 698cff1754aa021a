"""Runs a script of the Stripe CLI against a sandbox, as the CLI does: no version header, replies kept by name."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from counterfoil.sandbox.sandbox import Sandbox
from counterfoil.sandbox.server import SandboxServer
from counterfoil.sandbox.wire import Request

_REFERENCE = re.compile(r"\$\{([^:}]+):([^|}]+)(?:\|([^}]*))?\}")


def run_script(server: SandboxServer | Sandbox, path: Path, key: str) -> dict[str, Any]:
    """Make every call of a script and give its replies; fails at the first that the script does not expect."""
    script = json.loads(path.read_text())
    replies: dict[str, Any] = {}
    for step in script["fixtures"]:
        reply = _call(server, step, replies, key)
        wanted = step.get("expected_error_type")
        error = reply.get("error", {}).get("type") if isinstance(reply.get("error"), dict) else None
        assert error == wanted, f"{path.name} {step['name']}: {reply}"
        replies[step["name"]] = reply
    return replies


def _call(server: SandboxServer | Sandbox, step: dict[str, Any], replies: dict[str, Any], key: str) -> Any:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-www-form-urlencoded"}
    if step.get("idempotency_key"):
        headers["Idempotency-Key"] = step["idempotency_key"]
    headers |= {name: _filled(value, replies) for name, value in (step.get("headers") or {}).items()}
    form = urlencode(_flat(step.get("params") or {}, replies))
    path, method = _filled(step["path"], replies), step["method"].upper()
    if method == "GET":
        return server.handle(Request("GET", f"{path}?{form}", headers)).json()
    return server.handle(Request(method, path, headers, form.encode())).json()


def _flat(value: Any, replies: dict[str, Any], name: str = "") -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [pair for key, item in value.items() for pair in _flat(item, replies, f"{name}[{key}]" if name else key)]
    if isinstance(value, list):
        return [pair for position, item in enumerate(value) for pair in _flat(item, replies, f"{name}[{position}]")]
    if isinstance(value, bool):
        return [(name, "true" if value else "false")]
    return [(name, _filled(str(value), replies))]


def _filled(text: str, replies: dict[str, Any]) -> str:
    def value(found: re.Match[str]) -> str:
        here: Any = replies.get(found[1])
        for segment in found[2].split("."):
            here = here[int(segment)] if isinstance(here, list) else (here or {}).get(segment)
        return str(found[3] if here is None else here)

    return _REFERENCE.sub(value, text)
