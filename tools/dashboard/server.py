"""The dashboard's server: a handful of fixed answers on the loopback address.

It reads the output folder and changes nothing. Requests name one of a fixed set of paths,
so there is no path to escape from. A page of another site cannot read from it: no CORS
headers, and the Host header must be a loopback name with this port, which defeats DNS
rebinding.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import orjson

from tools.dashboard import assets
from tools.dashboard.flink import FlinkView
from tools.dashboard.runs import find_run
from tools.dashboard.snapshot import RunReader
from tools.shell import CommandError

ADDRESS = "127.0.0.1"
_SECONDS_BETWEEN_LOOKS = 0.5
_REQUEST_SECONDS = 10

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)

HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
)
"""Sent with every answer."""


class Snapshots:
    """The latest snapshot, made anew at most twice a second however many ask.

    Args:
        output: The output folder.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._reader: RunReader | None = None
        self._flink = FlinkView()
        self._looked = float("-inf")
        self._content = b""
        self._revision = 0

    def latest(self, known: int | None) -> bytes | None:
        """The snapshot as JSON, or None when it is the one that the caller knows.

        Args:
            known: `revision` of the snapshot that the caller has.
        """
        with self._lock:
            if time.monotonic() - self._looked >= _SECONDS_BETWEEN_LOOKS:
                self._renew()
                self._looked = time.monotonic()
            if known == self._revision:
                return None
            return orjson.dumps({"revision": self._revision})[:-1] + b"," + self._content[1:]

    def _renew(self) -> None:
        run = find_run(self._output)
        if self._reader is None or self._reader.run_id != run.id:
            self._reader = RunReader(run.id)
        self._reader.look(run)
        document = self._reader.document(run, str(self._output))
        document["flink"] = self._flink.look(run)
        content = orjson.dumps(document)
        if content != self._content:
            self._content = content
            self._revision += 1


class Server(ThreadingHTTPServer):
    """Serves the dashboard of one output folder.

    Args:
        output: The output folder; it need not exist yet.
        port: Port on the loopback address; 0 for a free one.
    """

    daemon_threads = True
    # Two dashboards on one port would each get some of the requests.
    allow_reuse_port = False

    def __init__(self, output: Path, port: int) -> None:
        self.snapshots = Snapshots(output)
        self.page = assets.linked_page().encode()
        self.files: Mapping[str, tuple[str, bytes]] = {
            f"/{name}": (assets.TYPES[Path(name).suffix], assets.read(name).encode())
            for name in (*assets.STYLES, *assets.SCRIPTS)
        }
        super().__init__((ADDRESS, port), Handler)
        self.hosts = frozenset(f"{name}:{self.server_port}" for name in (ADDRESS, "localhost")) | (
            frozenset({ADDRESS, "localhost"}) if self.server_port == 80 else frozenset()
        )

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """Says nothing of a tab that was closed amid an answer: the terminal belongs to the run."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{ADDRESS}:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Server
    server_version = "weblog"
    sys_version = ""
    timeout = _REQUEST_SECONDS

    def do_GET(self) -> None:
        """The page, one of its files, or the snapshot."""
        if not self._is_local():
            return
        address = urlsplit(self.path)
        if address.path == "/":
            self._answer(HTTPStatus.OK, "text/html; charset=utf-8", self.server.page)
        elif address.path == "/snapshot.json":
            content = self.server.snapshots.latest(_known_revision(address.query))
            if content is None:
                self._answer(HTTPStatus.NO_CONTENT)
            else:
                self._answer(HTTPStatus.OK, "application/json", content)
        elif address.path in self.server.files:
            self._answer(HTTPStatus.OK, *self.server.files[address.path])
        else:
            self._refuse(HTTPStatus.NOT_FOUND)

    def _not_allowed(self) -> None:
        if self._is_local():
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _not_allowed  # noqa: N815

    def _is_local(self) -> bool:
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1 or hosts[0].lower() not in self.server.hosts:
            self._refuse(HTTPStatus.MISDIRECTED_REQUEST)
            return False
        # Browsers say where a request comes from; a page of another site has no business here,
        # except to link to the page.
        site = self.headers.get("Sec-Fetch-Site", "none")
        if site not in {"none", "same-origin"} and urlsplit(self.path).path != "/":
            self._refuse(HTTPStatus.FORBIDDEN)
            return False
        return True

    def _refuse(self, status: HTTPStatus) -> None:
        # What the client will send as a body is not read, so the connection ends.
        self.close_connection = True
        headers = {"Allow": "GET"} if status is HTTPStatus.METHOD_NOT_ALLOWED else {}
        self._answer(status, "text/plain; charset=utf-8", f"{status.phrase}\n".encode(), headers)

    def _answer(
        self,
        status: HTTPStatus,
        content_type: str | None = None,
        content: bytes = b"",
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, **headers}.items():
            self.send_header(name, value)
        if content_type is not None:
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """For requests that are not HTTP; the text of the base class repeats what was sent."""
        del message, explain
        self.command = self.command or ""
        self._refuse(HTTPStatus(code))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Says nothing: the terminal belongs to the run."""


def _known_revision(query: str) -> int | None:
    name, _, value = query.partition("=")
    return int(value) if name == "revision" and value.isascii() and value.isdigit() else None


@contextmanager
def serving(output: Path, port: int = 0) -> Iterator[Server]:
    """Serves in the background while the block runs.

    Args:
        output: The output folder.
        port: Port on the loopback address; 0 for a free one.

    Raises:
        CommandError: The port cannot be used.
    """
    try:
        server = Server(output, port)
    except OSError as error:
        raise CommandError(f"port {port} cannot be used: {error.strerror or error}") from error
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def open_browser(url: str) -> bool:
    """Opens a page in the user's browser, unless that would be one in this terminal.

    Returns:
        Whether a browser was started.
    """
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    in_terminal = isinstance(browser, webbrowser.GenericBrowser) and not isinstance(
        browser, webbrowser.BackgroundBrowser
    )
    if in_terminal and "BROWSER" not in os.environ:
        return False
    return browser.open(url)
