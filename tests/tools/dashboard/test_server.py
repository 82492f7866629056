"""The server's answers, and the clients that get them."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.dashboard import journal, overview, summary, write_rows
from tools.cli import run_command
from tools.dashboard import assets
from tools.dashboard.server import HEADERS, Server, serving
from tools.shell import CommandError

DAMAGED = [
    b"",
    b"[]",
    b"{",
    json.dumps(summary() | {"filtered": []} | journal("finished") | {"samples": 7}).encode(),
    json.dumps(summary() | {"outputs": 1} | journal("finished") | {"sources": {}}).encode(),
    json.dumps(summary() | {"late": "x"} | journal("finished") | {"samples": [[1]]}).encode(),
]


@pytest.fixture
def server(output: Path) -> Iterator[Server]:
    with serving(output) as started:
        yield started


def ask(
    server: Server, path: str, method: str = "GET", **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.putrequest(method, path, skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def test_the_page_and_its_files(server: Server) -> None:
    answer, page = ask(server, "/")
    assert (answer.status, answer.headers.get_content_type()) == (200, "text/html")
    assert b"dashboard.css" in page
    for name in (*assets.STYLES, *assets.SCRIPTS):
        answer, content = ask(server, f"/{name}")
        assert answer.status == 200
        assert content.decode() == assets.read(name)


@pytest.mark.parametrize("path", ["/", "/snapshot.json", "/app.js", "/nothing"])
def test_every_answer_has_the_policy(server: Server, path: str) -> None:
    answer, _ = ask(server, path)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/../server.py",
        "/%2e%2e/server.py",
        "/static/../../server.py",
        "//etc/passwd",
        "/etc/passwd",
        "/summary.json",
        "/page.html",
        "/app.js/",
        "/app.js%00",
    ],
)
def test_there_is_nothing_beyond_the_files_named(server: Server, path: str) -> None:
    answer, content = ask(server, path)
    assert (answer.status, content) == (404, b"Not Found\n")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "[::1]:1", ""]
)
def test_a_foreign_host_is_turned_away(server: Server, host: str) -> None:
    # A browser sends such a host after DNS rebinding.
    answer, content = ask(server, "/snapshot.json", Host=host.format(port=server.port))
    assert answer.status == 421
    assert b"overview" not in content


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}"])
def test_loopback_names_are_welcome(server: Server, host: str) -> None:
    answer, _ = ask(server, "/snapshot.json", Host=host.format(port=server.port))
    assert answer.status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_other_methods_are_refused(server: Server, method: str) -> None:
    answer, _ = ask(server, "/", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET")


def test_an_unknown_method_is_not_repeated(server: Server) -> None:
    answer, content = ask(server, "/", "HACK")
    assert answer.status == 400
    assert b"HACK" not in content
    assert answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pages_of_other_sites_may_link_but_not_read(server: Server, site: str) -> None:
    assert ask(server, "/snapshot.json", Sec_Fetch_Site=site)[0].status == 403
    assert ask(server, "/app.js", Sec_Fetch_Site=site)[0].status == 403
    assert ask(server, "/", Sec_Fetch_Site=site)[0].status == 200


def test_a_known_snapshot_is_not_sent_again(server: Server) -> None:
    revision = json.loads(ask(server, "/snapshot.json")[1])["revision"]
    answer, content = ask(server, f"/snapshot.json?revision={revision}")
    assert (answer.status, content) == (204, b"")
    assert ask(server, "/snapshot.json?revision=x")[0].status == 200


def test_what_is_new_makes_a_new_revision(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.dashboard.server._SECONDS_BETWEEN_LOOKS", 0.0)
    with serving(output) as server:
        before = json.loads(ask(server, "/snapshot.json")[1])
        write_rows(output, "traffic_overview", [overview(70, requests=1000)])
        after = json.loads(ask(server, "/snapshot.json")[1])
    assert after["revision"] == before["revision"] + 1
    added = after["overview"]["totals"]["requests"] - before["overview"]["totals"]["requests"]
    assert added == 1000


def test_a_port_in_use_is_one_clear_line(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CommandError, match=f"port {server.port} cannot be used"):
        serving(tmp_path, server.port).__enter__()
    port = str(server.port)
    assert run_command("dashboard", ["--out", str(tmp_path), "--port", port]) == 2
    assert capsys.readouterr().err.startswith(f"error: port {port} cannot be used")


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_wrong_port_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("dashboard", ["--port", port]) == 2
    assert "--port" in capsys.readouterr().err


def test_it_listens_only_on_the_loopback_address(server: Server) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.port))


def test_a_tab_that_is_closed_amid_an_answer_is_no_news(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        # Closing resets the connection.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(b"GET / HTTP/1.1\r\n")
    # The server has taken that connection before this one.
    assert ask(server, "/")[0].status == 200
    assert capsys.readouterr().err == ""


def test_other_errors_of_a_request_are_one_line(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: str | None) -> bytes:
        raise ValueError("a fault of ours")

    monkeypatch.setattr(server.snapshots, "latest", broken)
    answer, content = ask(server, "/snapshot.json")
    assert (answer.status, content) == (500, b"Internal Server Error\n")
    assert answer.headers["Content-Security-Policy"]
    told = "error: the dashboard cannot answer: ValueError('a fault of ours')\n"
    assert capsys.readouterr().err == told


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /snapshot.json?revision=" + b"1" * 5000 + b" HTTP/1.1", b"200"),
        (b"GET /snapshot.json?revision=" + b"1" * 50_000 + b" HTTP/1.1", b"400"),
        (b"GET http://[ HTTP/1.1", b"400"),
        (b"GET http://[::1/ HTTP/1.1", b"400"),
        (b"\x16\x03\x01\x02 HTTP/1.1", b"400"),
        (b"GET * HTTP/1.1", b"400"),
        (b"GET /snapshot.json?revision=\xff HTTP/1.1", b"400"),
    ],
)
def test_odd_requests_get_an_answer(
    server: Server, capsys: pytest.CaptureFixture[str], request_line: bytes, status: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        host = f"Host: 127.0.0.1:{server.port}".encode()
        connection.sendall(request_line + b"\r\n" + host + b"\r\nConnection: close\r\n\r\n")
        answer = connection.makefile("rb").read()
    assert answer.split()[1] == status
    assert HEADERS["Content-Security-Policy"].encode() in answer
    assert b"revision=" not in answer
    assert capsys.readouterr().err == ""


def test_connections_that_say_nothing_keep_nobody_out(server: Server) -> None:
    with ExitStack() as stack:
        for _ in range(400):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            slow.sendall(b"GET / HTTP/1.1\r\nHo")
        assert ask(server, "/snapshot.json")[0].status == 200
        assert threading.active_count() < 100


@pytest.mark.parametrize("name", ["summary.json", "run.json"])
@pytest.mark.parametrize("damaged", DAMAGED)
def test_damaged_files_of_a_run_are_as_if_not_there(
    output: Path, capsys: pytest.CaptureFixture[str], name: str, damaged: bytes
) -> None:
    (output / name).write_bytes(damaged)
    with serving(output) as server:
        answer, content = ask(server, "/snapshot.json")
    assert answer.status == 200
    state = json.loads(content)["run"]["state"]
    assert state == ("none" if name == "summary.json" else "finished")
    assert capsys.readouterr().err == ""
