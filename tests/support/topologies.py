"""The topologies of jobs on the shared cluster by name: the job's own and changed ones."""

from __future__ import annotations

from dataclasses import replace

from pyflink.table import StatementSet, StreamTableEnvironment

from flink_app.settings import JobSettings
from flink_app.sinks.filesystem import FilesystemSink
from flink_app.sources.filesystem import FilesystemSource
from flink_app.topology import build

__all__ = ["build", "unbounded_query", "watched_folder"]


class _WatchedFolder(FilesystemSource):
    def options(self) -> dict[str, str]:
        return super().options() | {"source.monitor-interval": "100 ms"}


class _QuickFiles(FilesystemSink):
    def options(self, output: str) -> dict[str, str]:
        policy = ("rollover-interval", "check-interval")
        return super().options(output) | {f"sink.rolling-policy.{one}": "100 ms" for one in policy}


def watched_folder(t_env: StreamTableEnvironment, settings: JobSettings) -> StatementSet:
    """Builds the job over a watched folder, a source without an end; it closes files at once."""
    source, sink = settings.source, settings.sinks["files"]
    assert isinstance(source, FilesystemSource)
    assert isinstance(sink, FilesystemSink)
    sinks = {**settings.sinks, "files": _QuickFiles(path=sink.path)}
    source = _WatchedFolder(path=source.path)
    return build(t_env, replace(settings, source=source, sinks=sinks))


def unbounded_query(t_env: StreamTableEnvironment, settings: JobSettings) -> StatementSet:
    """Builds the same job with one more query, whose state has no bound."""
    statements = watched_folder(t_env, settings)
    t_env.execute_sql(
        "CREATE TEMPORARY TABLE ever_seen (host STRING, requests BIGINT)"
        " WITH ('connector' = 'blackhole')"
    )
    statements.add_insert_sql(
        "INSERT INTO ever_seen SELECT host, COUNT(*) FROM timely_events GROUP BY host"
    )
    return statements
