"""`run --metrics-port`: what it is given is checked, and what it adds to Flink's settings."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tools.cli import run_command
from tools.local.cluster import ClusterOptions, cluster_configuration, command, free_port
from tools.shell import EXIT_BAD_INPUT


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


def test_the_reporter_is_told_its_port(tmp_path: Path) -> None:
    port = free_port()
    asked = ClusterOptions(tmp_path, metrics_port=port)
    assert cluster_configuration(asked)["metrics.reporter.prometheus.port"] == str(port)
    assert any("flink-metrics-prometheus" in part for part in command(asked))
