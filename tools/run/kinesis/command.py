"""`./build.sh run --kinesis`: the job between Kinesis streams, watched while it runs.

The streams are an emulator's on this machine, or those of an endpoint that the user names.
A log is put into the input stream at a steady rate, as an agent would, and what the job
writes is read back from its output streams.
"""

from __future__ import annotations

import argparse
import gzip
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from flink_app.connector import SINK_GROUP_PREFIX, SOURCE_GROUP
from flink_app.settings import JobSettings
from tools.local import cluster, staging
from tools.local.class_archive import archive_options
from tools.local.job import JobError, RunningJob
from tools.local.temporary import temporary_folder
from tools.options import endpoint_option
from tools.package.connectors import check_jar
from tools.package.layout import JAR
from tools.run.kinesis.emulator import CREDENTIALS, JOB_ENVIRONMENT, REGION, emulator
from tools.run.kinesis.feeder import Feeder
from tools.run.kinesis.tail import StreamTail
from tools.run.kinesis.view import SHOWN_OUTPUTS, StreamView
from udfs.config.file import PropertyGroups, dump_properties
from udfs.config.root import ROOT
from udfs.errors import ConfigurationError, WebLogError

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

PREFIX = "weblog-"
INPUT_STREAM = PREFIX + "input"
_POLL_SECONDS = 0.5
# How long nothing may come out of the job although something is missing.
_SILENCE_SECONDS = 60
_ACTIVE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The endpoint of Kinesis that has the streams.

    Attributes:
        url: Its URL.
        region: AWS region.
        credentials: Environment variables with credentials; empty for the SDK's own search.
        private: An emulator that this command has started.
    """

    url: str
    region: str
    credentials: Mapping[str, str]
    private: bool

    @property
    def creates_streams(self) -> bool:
        """Returns whether missing streams are made: in an emulator, never for money."""
        return self.url.startswith("http://")

    @property
    def environment(self) -> dict[str, str]:
        """Returns environment variables of a job that works with it."""
        return {
            "AWS_REGION": self.region,
            **self.credentials,
            **(JOB_ENVIRONMENT if self.creates_streams else {}),
        }

    def client(self, *, attempts: int = 5) -> KinesisClient:
        """Returns a client of Kinesis that makes a call that fails so often."""
        return boto3.client(
            "kinesis",
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id=self.credentials.get("AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=self.credentials.get("AWS_SECRET_ACCESS_KEY"),
            config=Config(
                connect_timeout=3,
                read_timeout=30,
                retries={"mode": "standard", "total_max_attempts": attempts},
            ),
        )


def run(
    options: argparse.Namespace, properties: PropertyGroups, inputs: Sequence[str], view: StreamView
) -> None:
    """Runs the job until all lines have come out again, or until Ctrl-C with `--follow`.

    Args:
        options: `jar`, `endpoint`, `rate`, `shards` and `follow`, as given by the user.
        properties: The job's settings with one sink; it and the source become this command's
            streams.
        inputs: Log files or folders to feed.
        view: Where to show what happens.

    Raises:
        WebLogError: Anything that the user should hear of in one line.
    """
    url = endpoint_option(options.endpoint)
    jar = find_jar(options.jar)
    with ExitStack() as stack:
        work = stack.enter_context(temporary_folder("kinesis", keep_after=JobError))
        staged = staging.stage(inputs, work / "input")
        endpoint = stack.enter_context(open_endpoint(url))
        view.endpoint(endpoint.url, options.shards, private=endpoint.private)
        settings = JobSettings.load(properties)
        outputs = list(settings.outputs)
        (sink,) = settings.sinks
        since = datetime.now(UTC)
        input_arn = provide_streams(endpoint, outputs, options.shards)
        properties = with_streams(properties, endpoint, input_arn, since, sink)
        JobSettings.load(properties)
        properties_file = work / "application_properties.json"
        dump_properties(properties, properties_file)
        cluster_options = cluster.ClusterOptions(
            work_directory=work,
            # A subtask that reads several shards takes some lines of one, then some of the
            # other. Where days of a log pass in seconds, all the other's lines are late then.
            parallelism=options.parallelism or options.shards,
            metrics_port=options.metrics_port,
            jar=jar,
            java_options=archive_options(),
            environment=endpoint.environment,
        )
        view.starting(staged.lines, options.rate)
        feed = _Feed(Feeder(endpoint.client(attempts=1), input_arn, options.rate), staged.path)
        stack.callback(feed.stop)
        tails = {
            name: StreamTail(endpoint.client(), _output_stream(name), since) for name in outputs
        }
        with RunningJob(cluster_options, properties_file) as job:
            _watch(job, feed, tails, view, staged.lines, follow=options.follow)


def find_jar(named: Path | None) -> Path:
    """Returns the jar with the connectors.

    Raises:
        WebLogError: There is none, or it is not the right one.
    """
    jar = named or ROOT / JAR
    if named is None and not jar.exists():
        raise ConfigurationError(
            "--jar",
            None,
            None,
            f"the AWS connectors, which are not part of Flink: {JAR} is not there. "
            "./build.sh package makes it (with Maven, from conf/pom.xml); or name one with --jar",
        )
    check_jar(jar)
    return jar.resolve()


@contextmanager
def open_endpoint(url: str | None) -> Iterator[Endpoint]:
    """Yields a user's endpoint, or that of an emulator that runs meanwhile."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or REGION
    if url is None:
        with emulator() as own_url:
            yield Endpoint(own_url, region, CREDENTIALS, private=True)
    else:
        yield Endpoint(url, region, {}, private=False)


def provide_streams(endpoint: Endpoint, outputs: Sequence[str], shards: int) -> str:
    """Finds or makes the streams; returns the input stream's ARN."""
    client = endpoint.client()
    names = [INPUT_STREAM, *map(_output_stream, outputs)]
    try:
        arns = [_provide_stream(endpoint, client, name, shards) for name in names]
    except ClientError as error:
        answer = error.response["Error"]
        raise ConfigurationError(
            "--endpoint",
            None,
            endpoint.url,
            f"access to Kinesis ({answer['Code']}: {answer['Message']})",
        ) from error
    except BotoCoreError as error:
        raise ConfigurationError(
            "--endpoint", None, endpoint.url, f"an endpoint of Kinesis that answers ({error})"
        ) from error
    return arns[0]


def _provide_stream(endpoint: Endpoint, client: KinesisClient, name: str, shards: int) -> str:
    deadline = time.monotonic() + _ACTIVE_SECONDS
    while True:
        try:
            summary = client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        except client.exceptions.ResourceNotFoundException:
            if not endpoint.creates_streams:
                raise ConfigurationError(
                    "--endpoint",
                    None,
                    endpoint.url,
                    f"a stream {name} in {endpoint.region}; streams are created in emulators only",
                ) from None
            client.create_stream(StreamName=name, ShardCount=shards)
            continue
        if summary["StreamStatus"] in {"ACTIVE", "UPDATING"}:
            return summary["StreamARN"]
        if time.monotonic() > deadline:
            raise JobError(f"stream {name} is still {summary['StreamStatus']}")
        time.sleep(_POLL_SECONDS)


def with_streams(
    properties: PropertyGroups, endpoint: Endpoint, input_arn: str, since: datetime, sink: str
) -> PropertyGroups:
    """Returns the settings with the input stream as source and the output streams as one sink."""
    prefix, _, _ = input_arn.rpartition("/")
    position = {"initial.position": "TRIM_HORIZON"}
    if not endpoint.private:
        # What others have put there before is not this run's.
        position = {
            "initial.position": "AT_TIMESTAMP",
            "initial.timestamp": since.isoformat(timespec="milliseconds"),
        }
    return properties | {
        SOURCE_GROUP: {
            "type": "kinesis",
            "stream.arn": input_arn,
            "endpoint": endpoint.url,
            # The connector fails when it looks for new shards before all subtasks have come up.
            "shard.discovery.interval": "1 min",
            **position,
        },
        SINK_GROUP_PREFIX + sink: {
            "type": "kinesis",
            "stream.arn": f"{prefix}/{PREFIX}{{output}}",
            "endpoint": endpoint.url,
        },
    }


def _output_stream(output: str) -> str:
    return PREFIX + output.replace("_", "-")


class _Feed:
    """Feeds a file from a thread of its own."""

    def __init__(self, feeder: Feeder, path: Path) -> None:
        self._feeder = feeder
        self._path = path
        self._thread = threading.Thread(target=self._run, name="feeder")
        self._error: WebLogError | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._feeder.stop()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def started(self) -> bool:
        return self._thread.ident is not None

    @property
    def done(self) -> bool:
        return self.started and not self._thread.is_alive()

    @property
    def fed(self) -> int:
        return self._feeder.fed

    @property
    def throttled(self) -> int:
        return self._feeder.throttled

    def check(self) -> None:
        """Raises what ended the feeding early."""
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            with gzip.open(self._path) as lines:
                self._feeder.feed(line.removesuffix(b"\n") for line in lines)
        except WebLogError as error:
            self._error = error


class _Silence:
    """How long nothing new has come out.

    Args:
        clock: Seconds of a clock that never goes back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._count = -1
        self._since = 0.0

    def check(self, count: int, job: RunningJob, missing: str) -> None:
        """Looks at how much has come out by now.

        Raises:
            JobError: No more than some time ago; it says what is missing.
        """
        now = self._clock()
        if count != self._count:
            self._count, self._since = count, now
        elif now - self._since > _SILENCE_SECONDS:
            raise JobError(
                f"{missing}, and nothing more came for {_SILENCE_SECONDS} s "
                f"(log: {job.log_file}; the run's folder is left: {job.log_file.parent.parent})"
            )


def _watch(
    job: RunningJob,
    feed: _Feed,
    tails: Mapping[str, StreamTail],
    view: StreamView,
    lines: int,
    *,
    follow: bool,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    silence = _Silence(clock)
    try:
        while job.running:
            progress = job.progress()
            view.state(progress)
            if progress is not None and progress.state == "RUNNING" and not feed.started:
                feed.start()
            feed.check()
            _read(tails, SHOWN_OUTPUTS, view)
            view.tick(feed.fed)
            if feed.done and not follow:
                out = view.accounted_for
                if out >= lines:
                    _drain(job, tails, view, silence)
                    view.summary(feed.fed, feed.throttled, whole=True)
                    return
                silence.check(out, job, f"{lines} lines fed, but only {out} came out")
            job.wait(_POLL_SECONDS)
    except KeyboardInterrupt:
        _read(tails, tails, view)
        view.summary(feed.fed, feed.throttled, whole=False)
        if follow:
            return
        raise
    job.check()
    raise JobError(f"the job ended by itself (log: {job.log_file})")


def _drain(
    job: RunningJob, tails: Mapping[str, StreamTail], view: StreamView, silence: _Silence
) -> None:
    """Ends the job as if the stream had ended with the log: all windows close and come out."""
    draining = False
    while job.running:
        draining = draining or job.drain()
        _read(tails, tails, view)
        silence.check(view.rows, job, "the last windows have not all come out")
        job.wait(_POLL_SECONDS)
    job.check()
    _read(tails, tails, view)


def _read(tails: Mapping[str, StreamTail], outputs: Iterable[str], view: StreamView) -> None:
    try:
        for name in outputs:
            if name in tails:
                view.records(name, [record["Data"] for record in tails[name].read()])
    except (ClientError, BotoCoreError) as error:
        raise JobError(f"reading the output streams failed: {error}") from error
