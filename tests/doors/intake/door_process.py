"""A door in a process of its own: takes webhooks in from many threads and names each one once it is answered."""

import sys
from itertools import count
from threading import Thread

from counterfoil import wiring
from counterfoil.engine.intake import Accepted, IntakeLane
from doors.intake.webhooks import event, signed

THREADS = 16


def main(dsn: str, master_key: str) -> None:
    """Run until killed."""
    house = wiring.build(wiring.Configuration(dsn, master_key))
    lane = IntakeLane(house)
    numbers = count(1)

    def send() -> None:
        while True:
            body = event(next(numbers))
            answer = lane.accept("default", signed(body, at=house.clock.wall()), body)
            assert isinstance(answer, Accepted)
            sys.stdout.write(f"{answer.inbox}\n")
            sys.stdout.flush()

    senders = [Thread(target=send) for _ in range(THREADS)]
    for each in senders:
        each.start()
    for each in senders:
        each.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
