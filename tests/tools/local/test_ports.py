"""The ports in Flink's log, which Flink chooses, and `run --metrics-port`, which a user chooses."""

from __future__ import annotations

import errno
import socket
import sys
import threading
from ipaddress import ip_address
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from tools.cli import run_command
from tools.local.cluster import ClusterOptions, cluster_configuration, command
from tools.local.ports import loopback_address, metrics_port, rest_address, rpc_port
from tools.local.progress import RestClient
from tools.shell import EXIT_BAD_INPUT

LOG = """\
2026-11-30 09:11:21,394 INFO  o.a.f.r.r.p.PekkoRpcServiceUtils Actor system started at pekko://flink
2026-11-30 09:11:21,395 INFO  o.a.f.r.r.p.PekkoRpcServiceUtils Actor system started at pekko.tcp://flink@127.0.0.1:6123
2026-11-30 09:11:21,402 INFO  o.a.f.m.p.PrometheusReporter Started PrometheusReporter HTTP server on port 20007.
2026-11-30 09:11:21,517 INFO  o.a.f.r.b.BlobServer Started BLOB server at 127.0.0.1:39569 - max concurrent requests: 50
2026-11-30 09:11:22,054 INFO  o.a.f.r.d.DispatcherRestEndpoint Rest endpoint listening at 127.0.0.1:56217
"""  # noqa: E501 - as Flink writes it


def test_the_log_names_the_ports(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    assert rest_address(log) is None
    log.write_text(LOG[:-5])  # The last line is unfinished, and its port lacks digits.
    assert (rpc_port(log), metrics_port(log), rest_address(log)) == (6123, 20007, None)
    log.write_text(LOG)
    assert rest_address(log) == "127.0.0.1:56217"


def test_another_program_at_flinks_former_port_is_no_flink() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"\x01\x00 not HTTP\r\n")

        other = threading.Thread(target=answer)
        other.start()
        assert RestClient(f"127.0.0.1:{server.getsockname()[1]}").job_progress() is None
        other.join()


def refusal(capsys: pytest.CaptureFixture[str], tmp_path: Path, port: int) -> str:
    status = run_command("run", ["--metrics-port", str(port), "--out", str(tmp_path / "out")])
    assert status == EXIT_BAD_INPUT
    assert not (tmp_path / "out").exists()
    return capsys.readouterr().err


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_no_port(capsys: pytest.CaptureFixture[str], tmp_path: Path, port: int) -> None:
    assert refusal(capsys, tmp_path, port) == (
        f"error: --metrics-port = '{port}': expected a free port from 1 to 65535\n"
    )


def test_a_port_in_use(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert "a free port" in refusal(capsys, tmp_path, server.getsockname()[1])


def test_no_reporter_unless_asked_for(tmp_path: Path) -> None:
    silent = ClusterOptions(tmp_path)
    assert not any("metrics.reporter" in key for key in cluster_configuration(silent))
    assert not any("metrics-prometheus" in part for part in command(silent))


def test_the_reporter_gets_its_port(tmp_path: Path) -> None:
    asked = ClusterOptions(tmp_path, metrics_port=9249)
    assert cluster_configuration(asked)["metrics.reporter.prometheus.port"] == "9249"
    assert any("flink-metrics-prometheus" in part for part in command(asked))


def test_flinks_rest_interface_is_where_no_page_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = [cluster_configuration(ClusterOptions(tmp_path)) for _ in range(2)]
    addresses = [setting["rest.bind-address"] for setting in settings]
    assert all(ip_address(address).is_loopback for address in addresses)
    if sys.platform == "linux":
        assert len({*addresses, "127.0.0.1"}) == 3
    assert {setting["web.access-control-allow-origin"] for setting in settings} == {"none"}

    def refused(*_: object) -> None:
        raise OSError(errno.EADDRNOTAVAIL, "Can't assign requested address")

    # The mock acts as macOS.
    probe = MagicMock()
    probe.__enter__.return_value.bind = refused
    monkeypatch.setattr(socket, "socket", lambda: probe)
    assert loopback_address() == "127.0.0.1"
