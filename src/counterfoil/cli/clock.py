"""`counterfoil clock`: business time, in test mode."""

import json
import re
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from counterfoil.cli import paper, premises, tenants
from counterfoil.cli.options import DataDir, Json, entry_of
from counterfoil.cli.troubles import SettingsInvalid

if TYPE_CHECKING:
    from counterfoil.engine.house import House

app = typer.Typer(no_args_is_help=True, help="Business time, which test mode may move forward.")

UNITS: Final = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
PART: Final = re.compile(r"(\d+)([wdhms])")
CALL_MAX_S: Final = 5.0
FOLLOW_TRIES: Final = 10
FOLLOW_PAUSE_S: Final = 0.2


@app.command()
def show(context: typer.Context, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Say what time it is for the books."""
    with premises.house_of(entry_of(context), data_dir=data_dir) as house:
        _say(house, as_json=as_json)


@app.command()
def advance(
    context: typer.Context,
    by: Annotated[str, typer.Argument(help="How far: 2d, 36h, 1w2d, 90m, 30s.")],
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Move business time forward. The sandbox's clock follows. Refused while a live account is connected."""
    ahead = duration(by)
    with premises.house_of(entry_of(context), data_dir=data_dir) as house:
        _move(context, house, ahead)
        _say(house, as_json=as_json)


@app.command(name="set")
def set_(
    context: typer.Context,
    at: Annotated[str, typer.Argument(metavar="TIME", help="When it is to be: 2026-06-14T04:04:00Z.")],
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Move business time forward to a time."""
    wanted = instant(at)
    with premises.house_of(entry_of(context), data_dir=data_dir) as house:
        _move(context, house, wanted - house.clock.now())
        _say(house, as_json=as_json)


def duration(text: str) -> timedelta:
    """Read a duration such as `1d12h`. Raises SettingsInvalid."""
    parts = PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise SettingsInvalid(f"{text!r} is no duration; write for example 2d, 36h or 1w2d")
    return sum((timedelta(**{UNITS[unit]: int(number)}) for number, unit in parts), timedelta())


def instant(text: str) -> datetime:
    """Read a time in ISO 8601; without an offset it is UTC. Raises SettingsInvalid."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsInvalid(f"{text!r} is no time; write for example 2026-06-14T04:04:00Z") from None
    return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)


def _move(context: typer.Context, house: "House", by: timedelta) -> None:
    from counterfoil.engine import setup
    from counterfoil.store import accounts

    held = [(each.id, account) for each in tenants.every(house) for account in _accounts(house, each.id)]
    live = next((tenant for tenant, account in held if account.livemode), None)
    setup.advance_clock(house, live or tenants.named(house, "default").id, by)
    entry_of(context).rooms.refresh_clock(house)
    sandboxes = {account.base_url for _, account in held if isinstance(account, accounts.Account) and account.base_url}
    for url in sorted(sandboxes):
        follow(url, house.clock.now())


def _accounts(house: "House", tenant: str) -> Any:
    from counterfoil.store import accounts

    with house.database.transaction(tenant) as tx:
        return accounts.accounts(tx, house.box)


def follow(url: str, now: datetime) -> None:
    """Move a sandbox's clock forward to ours. One inside `up` follows by itself within a second; any other is told.

    Silent where nothing answers: a sandbox that is started later takes our time then.
    """
    pause = threading.Event()
    for _ in range(FOLLOW_TRIES):
        lag = _lag(url, now)
        if lag is None or lag < 1:
            return
        pause.wait(FOLLOW_PAUSE_S)
    _call(url, {"advance_s": lag})


def _lag(url: str, now: datetime) -> float | None:
    told = _call(url)
    return now.timestamp() - float(told["now"]) if isinstance(told, dict) and "now" in told else None


def _call(url: str, body: dict[str, Any] | None = None) -> Any:
    import urllib.request

    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(f"{url.rstrip('/')}/_sandbox/clock", data)  # noqa: S310 -- our own account's address
    try:
        with urllib.request.urlopen(request, timeout=CALL_MAX_S) as answer:  # noqa: S310
            return json.load(answer)
    except (OSError, ValueError):
        return None


def _say(house: "House", *, as_json: bool) -> None:
    now, wall = house.clock.now(), house.clock.wall()
    ahead_s = round((now - wall).total_seconds())
    if as_json:
        paper.say_json({"now": now, "wall": wall, "ahead_s": ahead_s})
    else:
        typer.echo(f"{now:%Y-%m-%d %H:%M:%S} UTC, {timedelta(seconds=abs(ahead_s))} {_side(ahead_s)} the wall clock")


def _side(ahead_s: int) -> str:
    return "behind" if ahead_s < 0 else "ahead of"
