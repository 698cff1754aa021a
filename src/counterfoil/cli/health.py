"""What a worker answers: whether it is there, and its figures."""

import contextlib
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from counterfoil.cli.troubles import PortTaken


@contextlib.contextmanager
def served(host: str, port: int) -> Iterator[str]:
    """Answer until the block ends; gives the address. Raises PortTaken."""
    try:
        server = ThreadingHTTPServer((host, port), _Answers)
    except OSError as error:
        raise PortTaken(f"port {port} on {host} can't be used: {error.strerror}") from error
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="health", daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Answers(BaseHTTPRequestHandler):
    """GET /healthz, /readyz and /metrics."""

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/healthz" | "/readyz":
                self._answer(HTTPStatus.OK, b"ok\n", "text/plain; charset=utf-8")
            case "/metrics":
                from prometheus_client import exposition

                self._answer(HTTPStatus.OK, exposition.generate_latest(), exposition.CONTENT_TYPE_LATEST)
            case _:
                self._answer(HTTPStatus.NOT_FOUND, b"not found\n", "text/plain; charset=utf-8")

    def _answer(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Health checks are no news."""
