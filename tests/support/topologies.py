"""The topologies of jobs on the shared cluster, by name: the job's own and changed ones."""

from __future__ import annotations

from dataclasses import replace

from pyflink.table import StatementSet, StreamTableEnvironment

from flink_app.settings import JobSettings
from flink_app.sources.filesystem import FilesystemSource
from flink_app.topology import build

__all__ = ["build", "unbounded_query", "watched_folder"]


def watched_folder(t_env: StreamTableEnvironment, settings: JobSettings) -> StatementSet:
    """The job over a folder that is watched: a source that does not end."""
    assert isinstance(settings.source, FilesystemSource)
    watched = _WatchedFolder(path=settings.source.path)
    return build(t_env, replace(settings, source=watched))


class _WatchedFolder(FilesystemSource):
    def options(self) -> dict[str, str]:
        return super().options() | {"source.monitor-interval": "200 ms"}


def unbounded_query(t_env: StreamTableEnvironment, settings: JobSettings) -> StatementSet:
    """The job with one more query, whose state has no bound."""
    statements = build(t_env, settings)
    t_env.execute_sql(
        "CREATE TEMPORARY TABLE ever_seen (host STRING, requests BIGINT)"
        " WITH ('connector' = 'blackhole')"
    )
    statements.add_insert_sql(
        "INSERT INTO ever_seen SELECT host, COUNT(*) FROM timely_events GROUP BY host"
    )
    return statements
