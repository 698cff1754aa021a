"""Calls the HTTP API as an application would."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from counterfoil.cli.troubles import Exit, Trouble

CALL_MAX_S: Final = 30.0


class CallRefused(Trouble):
    """The API refused a call of the story. `problem` is its problem document, where it gave one."""

    code = "demo_call_refused"
    remedy = "Please report it with the seed"
    exit_code = Exit.FINDINGS
    problem: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Caller:
    """An application with an API key."""

    url: str
    key: str = field(repr=False)

    def get(self, path: str) -> Any:
        """Read. Raises CallRefused."""
        return self._call("GET", path, None, {})

    def post(self, path: str, body: dict[str, Any] | None = None, *, key: str | None = None, wait_s: int = 0) -> Any:
        """Command, under an Idempotency-Key where there is one. Raises CallRefused."""
        headers = {"Prefer": f"wait={wait_s}"} | ({"Idempotency-Key": key} if key else {})
        return self._call("POST", path, body or {}, headers)

    def _call(self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = headers | {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method)  # noqa: S310 -- our own API
        try:
            with urllib.request.urlopen(request, timeout=CALL_MAX_S) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
            refused = CallRefused(f"{method} {path} was answered {error.code}: {said}")
            refused.problem = _problem(said)
            raise refused from None
        except OSError as error:
            raise CallRefused(f"{method} {path} was not answered: {error}") from None


def _problem(said: str) -> Mapping[str, Any]:
    try:
        found = json.loads(said)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
