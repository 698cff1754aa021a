"""The program's entry: hands the command line the rooms that it may not import."""

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from counterfoil.cli.rooms import Application, Plan
    from counterfoil.engine.house import House


class RealRooms:
    """The composition root and the doors, each imported when it is first asked for."""

    def build(self, plan: "Plan") -> "House":
        """Build the real house."""
        from counterfoil import wiring

        return wiring.build(
            wiring.Configuration(
                plan.dsn,
                plan.master_key,
                plan.settings,
                plan.pool_size,
                plan.start_at,
                smtp_url=plan.smtp_url,
                mail_from=plan.mail_from,
                mail_operators=plan.mail_operators,
                public_url=plan.public_url,
            )
        )

    def refresh_clock(self, house: "House") -> None:
        """Read how far business time runs ahead."""
        from counterfoil import wiring

        wiring.refresh_clock(house)

    def master_key_for(self, data_dir: Path) -> str:
        """Give the master key of an embedded installation."""
        from counterfoil import wiring

        return wiring.master_key_for(data_dir)

    def work_until(self, house: "House", stop: threading.Event, threads: int) -> None:
        """Work until told to stop."""
        from counterfoil import wiring
        from counterfoil.worker import loop

        loop.work_until(house, stop, loop.Pace(threads), before=lambda: wiring.refresh_clock(house))

    def application(self, house: "House") -> "Application":
        """Give API, webhook door and console as one application."""
        from counterfoil import wiring

        return wiring.application(house)

    def login_url(self, house: "House", url: str) -> str:
        """Make a link to the console that signs its first user in, once."""
        from counterfoil.console.app import login_url

        return login_url(house, url)


def main() -> None:
    """Run the command line; a sandbox that is served alone does not wait for all of it."""
    from counterfoil.cli import alone

    if alone.serve_at_once(sys.argv[1:]):
        return
    from counterfoil.cli.main import run

    run(RealRooms())


if __name__ == "__main__":
    main()
