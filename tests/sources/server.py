"""A web server in a thread whose every answer is scripted by the test."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: Server = self.server  # type: ignore[assignment]
        server.requests.append((self.path, dict(self.headers)))
        self.close_connection = True
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            server.answer(self)

    def log_message(self, *arguments: object) -> None:
        pass

    def send(
        self, code: int, body: bytes = b"", *, length: int | None = None, **headers: str
    ) -> None:
        self.send_response(code)
        self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answer: Callable[[Handler], None]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.requests: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@contextlib.contextmanager
def serving(answer: Callable[[Handler], None]) -> Iterator[Server]:
    server = Server(answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def files(contents: dict[str, bytes]) -> Callable[[Handler], None]:
    """Answers with these files, 404 for others."""

    def answer(handler: Handler) -> None:
        body = contents.get(handler.path)
        if body is None:
            handler.send(404)
        else:
            handler.send(200, body)

    return answer
