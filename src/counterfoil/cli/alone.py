"""The sandbox served alone, and at once: the usual way of calling it needs none of the command line's machinery, whose
import takes longer than the sandbox's own start.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from counterfoil.cli import serving
from counterfoil.cli.troubles import SettingsInvalid, Trouble, explained

if TYPE_CHECKING:
    from counterfoil.sandbox.server import SandboxServer

PORT: Final = 12111
PORT_MAX: Final = 65535
HOST: Final = "127.0.0.1"
_NAMES: Final = ("port", "host", "webhook-url", "webhook-secret", "api-key", "state-file")


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen about a sandbox that is served alone."""

    port: int = PORT
    host: str = HOST
    webhook_url: str | None = None
    webhook_secret: str | None = None
    api_key: str | None = None
    state_file: Path | None = None


def serve_at_once(arguments: list[str]) -> bool:
    """Serve when these are the arguments of a sandbox and there is nothing to explain; else leave it to the command
    line, which explains, and return False.
    """
    options = _options_of(arguments[1:]) if arguments[:1] == ["sandbox"] else None
    if options is None:
        return False
    try:
        _check(options)
    except Trouble:
        return False
    _serve(options)
    return True


def serve(options: Options) -> None:
    """Serve until told to stop. Raises what is wrong with the options before anything is started."""
    _check(options)
    _serve(options)


def _check(options: Options) -> None:
    if options.webhook_secret and not options.webhook_url:
        raise SettingsInvalid("--webhook-secret needs --webhook-url")
    serving.listen(options.host, options.port).close()
    if options.state_file:
        with explained(options.state_file):
            options.state_file.parent.mkdir(parents=True, exist_ok=True)
            options.state_file.open("ab").close()


def _serve(options: Options) -> None:
    stop = serving.stop_on_signals()
    from counterfoil.sandbox import server

    url = options.webhook_url
    webhook = (options.api_key, url, options.webhook_secret) if url else None
    server.serve(
        options.port, options.host, state_file=options.state_file, webhook=webhook, ready=_tell_ready, stop=stop
    )


def _options_of(arguments: list[str]) -> Options | None:
    """Read the options, None where one is not as expected."""
    given: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if not equals and rest:
            value = rest.pop(0)
        if name.removeprefix("--") not in _NAMES or not name.startswith("--") or not value or value.startswith("--"):
            return None
        given[name.removeprefix("--")] = value
    port = given.get("port", str(PORT))
    if not (port.isascii() and port.isdecimal() and int(port) <= PORT_MAX):
        return None
    return Options(
        int(port),
        given.get("host", HOST),
        given.get("webhook-url"),
        given.get("webhook-secret"),
        given.get("api-key"),
        Path(given["state-file"]) if "state-file" in given else None,
    )


def _tell_ready(server: "SandboxServer") -> None:
    serving.ready(server.url)
