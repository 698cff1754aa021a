"""What the command line needs of rooms that it may not import: the entry of the program hands it in."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from counterfoil.engine.house import House, Settings

Application: TypeAlias = Callable[..., Any]
"""An ASGI application."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a house is to be built from."""

    dsn: str = field(repr=False)
    master_key: str = field(repr=False)
    settings: "Settings"
    pool_size: int = 10
    start_at: datetime | None = None
    smtp_url: str | None = field(default=None, repr=False)
    mail_from: str | None = None
    mail_operators: str | None = None
    public_url: str | None = None


class Rooms(Protocol):
    """The composition root and the other doors, as the command line knows them. Each imports what it needs when it
    is called."""

    def build(self, plan: Plan) -> "House":
        """Build the real house. Close its database at the end."""

    def refresh_clock(self, house: "House") -> None:
        """Read how far business time runs ahead, which another process may have moved."""

    def master_key_for(self, data_dir: Path) -> str:
        """Give the master key of an embedded installation, made once."""

    def work_until(self, house: "House", stop: threading.Event, threads: int) -> None:
        """Work until told to stop; what is under way is finished first."""

    def application(self, house: "House") -> Application:
        """Give API, webhook door and console as one application."""

    def login_url(self, house: "House", url: str) -> str:
        """Make a link to the console that signs its first user in, once and soon."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What every command is given: the rooms, and the options that stood before its name."""

    rooms: Rooms
    options: dict[str, Any] = field(default_factory=dict)
    config: Path | None = None
