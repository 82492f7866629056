"""The dashboard's server: a handful of fixed answers on the loopback address.

It reads the output folder and changes nothing. Requests name one of a fixed set of paths,
so there is no path to escape from. A page of another site cannot read from it: no CORS
headers, and the Host header must be a loopback name with this port, which defeats DNS
rebinding.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
import webbrowser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType

import orjson
from aiohttp import web

from tools.dashboard import assets
from tools.dashboard.flink import FlinkView
from tools.dashboard.runs import find_run
from tools.dashboard.snapshot import RunReader
from tools.shell import CommandError, print_error

ADDRESS = "127.0.0.1"
_SECONDS_BETWEEN_LOOKS = 0.5
_STOP_SECONDS = 1
# A browser opens six. Whoever opens many and sends nothing only loses the oldest of them.
_MOST_CONNECTIONS = 100

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
        "Server": "weblog",
    }
)
"""Sent with every answer."""


class Snapshots:
    """The latest snapshot, made again at most twice a second however many ask.

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

    def latest(self, known: str | None) -> bytes | None:
        """Returns the snapshot as JSON, or None when it is the one that the caller knows.

        Args:
            known: `revision` of the snapshot that the caller has.
        """
        with self._lock:
            if time.monotonic() - self._looked >= _SECONDS_BETWEEN_LOOKS:
                self._renew()
                self._looked = time.monotonic()
            if known == str(self._revision):
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


class _Connection(web.RequestHandler):
    """One connection, on which bytes may come that are not HTTP."""

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002 - the base class's
        status: int = HTTPStatus.BAD_REQUEST,
        exc: BaseException | None = None,  # noqa: ARG002
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        """Refuses what is no request; aiohttp would repeat it, and log it on the terminal."""
        return _refusal(HTTPStatus(status))


class Server:
    """Serves the dashboard of one output folder.

    Args:
        output: The output folder; it need not exist yet.
        port: Port on the loopback address; 0 for a free one.

    Raises:
        OSError: The port cannot be used.
    """

    def __init__(self, output: Path, port: int) -> None:
        self.snapshots = Snapshots(output)
        self._page = assets.linked_page().encode()
        self._files: Mapping[str, tuple[str, bytes]] = {
            f"/{name}": (assets.TYPES[Path(name).suffix], assets.read(name).encode())
            for name in (*assets.STYLES, *assets.SCRIPTS)
        }
        self._socket = socket.create_server((ADDRESS, port))
        self.port: int = self._socket.getsockname()[1]
        """Returns the port on the loopback address."""
        self._hosts = frozenset(f"{name}:{self.port}" for name in (ADDRESS, "localhost")) | (
            frozenset({ADDRESS, "localhost"}) if self.port == 80 else frozenset()
        )
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()

    @property
    def url(self) -> str:
        """Returns where the page is."""
        return f"http://{ADDRESS}:{self.port}/"

    def run(self) -> None:
        """Serves until `stop` is called in another thread."""
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    def stop(self) -> None:
        """Ends `run`."""
        self._loop.call_soon_threadsafe(self._ended.set)

    async def _serve(self) -> None:
        self._web = web.Server(self._answer)
        listening = await self._loop.create_server(self._connection, sock=self._socket)
        await self._ended.wait()
        listening.close()
        await self._web.shutdown(_STOP_SECONDS)
        await self._loop.shutdown_default_executor()

    def _connection(self) -> asyncio.Protocol:
        for oldest in self._web.connections[: 1 - _MOST_CONNECTIONS]:
            oldest.force_close()
        return _Connection(self._web, loop=self._loop)

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        try:
            response = self._refused(request) or await self._found(request)
        except Exception as error:  # noqa: BLE001 - a fault of ours, whatever it is
            print_error(f"the dashboard cannot answer: {error!r}")
            return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR)
        response.headers.update(HEADERS)
        return response

    def _refused(self, request: web.BaseRequest) -> web.Response | None:
        hosts = request.headers.getall("Host", [])
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return _refusal(HTTPStatus.MISDIRECTED_REQUEST)
        # Browsers say where a request comes from; a page of another site has no business here,
        # except to link to the page.
        site = request.headers.get("Sec-Fetch-Site", "none")
        if site not in {"none", "same-origin"} and request.path != "/":
            return _refusal(HTTPStatus.FORBIDDEN)
        if request.method != "GET":
            response = _refusal(HTTPStatus.METHOD_NOT_ALLOWED)
            response.headers["Allow"] = "GET"
            return response
        return None

    async def _found(self, request: web.BaseRequest) -> web.Response:
        if request.path == "/":
            return _content("text/html; charset=utf-8", self._page)
        if request.path == "/snapshot.json":
            known = request.query.get("revision")
            # It reads files, and asks Flink.
            content = await asyncio.to_thread(self.snapshots.latest, known)
            if content is None:
                return web.Response(status=HTTPStatus.NO_CONTENT)
            return _content("application/json", content)
        if request.path in self._files:
            return _content(*self._files[request.path])
        return _refusal(HTTPStatus.NOT_FOUND)


def _content(content_type: str, content: bytes) -> web.Response:
    return web.Response(body=content, headers={"Content-Type": content_type})


def _refusal(status: HTTPStatus) -> web.Response:
    response = web.Response(status=status, text=f"{status.phrase}\n", headers=HEADERS)
    # What the client will send as a body is not read.
    response.force_close()
    return response


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
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
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
