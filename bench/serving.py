"""Applications served in processes of their own, on sockets of ours: the product's, and a rival's."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.types import ASGIApp

START_MAX_S: Final = 60.0
BACKLOG: Final = 512


@contextmanager
def served(module: str, *arguments: str) -> Iterator[int]:
    """Start `python -m module arguments… descriptor` on a socket that listens already; give its port."""
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listening:
        port = int(listening.getsockname()[1])
        command = (sys.executable, "-m", module, *arguments, str(listening.fileno()))
        process = subprocess.Popen(command, pass_fds=(listening.fileno(),), stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        with process.stdout:
            try:
                assert process.stdout.readline() == "ready\n", f"{module} did not start"
                yield port
            finally:
                process.terminate()
                process.wait(START_MAX_S)


@contextmanager
def served_by(number: int, module: str, *arguments: str) -> Iterator[list[int]]:
    """Start so many processes; give their ports."""
    with ExitStack() as stack:
        yield [stack.enter_context(served(module, *arguments)) for _ in range(number)]


def serve(application: "ASGIApp", descriptor: int) -> None:
    """Serve an application until told to stop, with the loop and the parser that the product is served with."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            print("ready", flush=True)

    told = uvicorn.Config(application, log_level="warning", access_log=False, loop="uvloop", http="httptools")
    # As a socket and not as a descriptor, which uvicorn takes for a Unix one: its answers would then wait for the
    # sender's acknowledgements, 40 ms each.
    Server(told).run([socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    from bench.quiet import keep_quiet
    from bench.template import build
    from counterfoil.api.app import create_app

    keep_quiet()
    serve(create_app(build(sys.argv[1])), int(sys.argv[2]))
