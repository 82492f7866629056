"""Deployed streams: which there are, and how they are read."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from aws.arn import name_of, stream_arn
from flink_app.settings import JobSettings
from flink_app.sources.kinesis import KinesisSource
from flink_app.sql_files import output_files
from tools.deploy.command import Cloud
from tools.deploy.deployment import groups_of
from tools.deploy.waiting import Patience
from tools.options import endpoint_option, read_option
from tools.shell import CommandError
from tools.sql.session import INPUT
from udfs.config.file import PropertyGroups
from udfs.config.properties import Parser
from udfs.errors import ConfigurationError

# Names of streams that hold several outputs.
_AGGREGATES = "aggregates"


def groups_of_stack(name: str, region: str | None) -> PropertyGroups:
    """Returns the property groups of a job's stack, with its ARNs.

    Raises:
        WebLogError: There is none, it is of a function, or a call failed.
    """
    deployed = Cloud.connect(name, region, Patience()).stack.deployed()
    if deployed.kind != "job":
        raise CommandError(f"stack {name!r} is of a function, which has no streams of its own")
    return groups_of(deployed.template)


def streams_of_job(settings: JobSettings) -> dict[str, str]:
    """Returns the ARN of the stream of each output that has one, and of the input."""
    arns = {
        output: resource.name
        for output, _, resource in settings.written()
        if resource.kind == "stream"
    }
    if isinstance(settings.source, KinesisSource):
        arns[INPUT] = settings.source.stream_arn
    return _told_apart(arns)


def named_streams(texts: Sequence[str]) -> dict[str, str]:
    """Returns the ARNs that were given as `ARN` or `OUTPUT=ARN`, by output.

    Raises:
        ConfigurationError: One is no ARN of a stream, or its name does not tell what it holds.
    """
    holds = {INPUT: [INPUT]} | {output.name: [output.name] for output in output_files()}
    holds[_AGGREGATES] = [output.name for output in output_files() if output.kind == _AGGREGATES]
    streams = [_named_stream(text, list(holds)) for text in texts]
    # A stream of one output goes before one of many.
    streams.sort(key=lambda stream: len(holds[stream[0]]), reverse=True)
    return _told_apart({output: arn for name, arn in streams for output in holds[name]})


def _named_stream(text: str, names: Sequence[str]) -> tuple[str, str]:
    name, _, arn = text.rpartition("=")
    parser = stream_arn("kinesis")
    expected = f"{parser.expectation} with a name that ends with, or OUTPUT= before it, where "
    expected += f"OUTPUT is one of {', '.join(names)}"
    arn = read_option("--kinesis", arn, Parser(parser.read, expected))
    if not name:
        ending = f"-{name_of(arn)}".replace("_", "-")
        fitting = [output for output in names if ending.endswith("-" + output.replace("_", "-"))]
        name = max(fitting, key=len, default="")
    if not arn or name not in names:
        raise ConfigurationError("--kinesis", None, text, expected)
    return name, arn


def _told_apart(arns: dict[str, str]) -> dict[str, str]:
    # Late records are enriched ones: in one stream nothing tells which were late.
    if arns.get("late") == arns.get("enriched"):
        arns.pop("late", None)
    return arns


def reading_of(options: argparse.Namespace) -> KinesisSource:
    """Returns how streams are read, for the options `--from` and `--endpoint`.

    Raises:
        ConfigurationError: One of them is wrong.
    """
    start = "" if options.start is None else read_option("--from", options.start, _time())
    return KinesisSource(
        endpoint=endpoint_option(options.endpoint) or "",
        initial_position="AT_TIMESTAMP" if start else "LATEST",
        initial_timestamp=start,
        # The connector fails when it looks for new shards before all subtasks have come up.
        shard_discovery_interval=timedelta(minutes=1),
        # The job reads the input too, and a shard takes 5 calls a second.
        empty_fetch_interval=timedelta(seconds=1),
    )


def _time() -> Parser[str]:
    def read(text: str) -> str:
        time = datetime.fromisoformat(text)
        # As everywhere here, a time without a zone is UTC.
        time = time if time.tzinfo else time.replace(tzinfo=UTC)
        return time.isoformat(timespec="milliseconds")

    return Parser(read, "a time such as 2025-10-28T10:15:30Z")
