"""Settings of the job: its groups beside those of the core (`udfs/config/core.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, Self

from flink_app.alerts import Alerting, AlertSettings, rule_settings
from flink_app.connector import SINK_GROUP_PREFIX, SOURCE_GROUP, Connector, Resource, Sink, Source
from flink_app.sinks import load_sinks
from flink_app.sources import SOURCE_TYPES, load_source
from flink_app.sources.filesystem import FilesystemSource
from flink_app.sql_files import OutputFile, milliseconds, output_files
from udfs.config.core import CoreSettings, PipelineStage, core_settings
from udfs.config.properties import (
    Group,
    Properties,
    Setting,
    check_groups,
    choice,
    duration,
    integer,
    setting,
    text,
)
from udfs.errors import ConfigurationError
from udfs.lookups.settings import LookupSettings, lookup_settings

OUTPUTS_GROUP = "weblog.outputs"
DEFAULT_SINK_KEY = "default"
OFF = "off"
# Groups of the service itself (entry point, jar, ...), which it reads, not the job.
_SERVICE_GROUP_PREFIX = "kinesis.analytics."
# The group of the Lambda functions, which may share the file.
_LAMBDA_GROUP = "weblog.lambda"


@dataclass(frozen=True, slots=True)
class RunSettings(Group, name="weblog.job"):
    """How the job runs."""

    name: str = setting(text(minimum_length=1), "weblog-stream-processor", "Job name.")
    execution_mode: Literal["process", "thread"] = choice(
        "process", "Python functions run in worker processes, or in threads of the JVM."
    )


@dataclass(frozen=True, slots=True)
class WindowSettings(Group, name="weblog.windows"):
    """Windows and event time."""

    size: timedelta = setting(duration("1 s", "1 d"), "1 min", "Length of the tumbling windows.")
    sliding_size: timedelta = setting(
        duration("1 s", "7 d"),
        "5 min",
        "Length of the sliding windows; a multiple of size and of sliding.slide.",
    )
    sliding_slide: timedelta = setting(
        duration("1 s", "1 d"), "1 min", "Time between two sliding windows; a multiple of size."
    )
    session_gap: timedelta = setting(
        duration("1 s", "1 d"), "30 min", "Pause of a host that ends its session; at least size."
    )
    top_n: int = setting(integer(1, 1000), "10", "Pages in the ranking of each window.")
    out_of_orderness: timedelta = setting(
        duration("0 s", "1 d"),
        "60 s",
        "How far behind the latest event time a line may come without being late.",
    )
    idle_timeout: timedelta = setting(
        duration("1 s", "1 h"),
        # Longer than a throttled shard is retried (35 s): lines of a subtask that comes back
        # from silence may be behind the windows.
        "1 min",
        "Silence after which a subtask no longer holds back the windows.",
    )

    def check(self) -> None:
        """Checks what spans several settings.

        Raises:
            ConfigurationError: Fractions of a second, or lengths that do not fit together.
        """
        for length in self.settings():
            value = getattr(self, length.field)
            if isinstance(value, timedelta) and value.microseconds:
                raise self.error(length.key, _written(value), "whole seconds")
        size, slide = _written(self.size), _written(self.sliding_slide)
        if self.sliding_size % self.sliding_slide:
            raise self.error("sliding.slide", slide, "a divisor of sliding.size")
        # An event counts as late when its tumbling window has closed. These keep a window
        # of another kind from closing earlier and so dropping an event unseen.
        if self.sliding_size < self.size or self.sliding_size % self.size:
            sliding = _written(self.sliding_size)
            raise self.error("sliding.size", sliding, f"a multiple of size ({size})")
        if self.sliding_slide % self.size:
            raise self.error("sliding.slide", slide, f"a multiple of size ({size})")
        if self.session_gap < self.size:
            raise self.error("session.gap", _written(self.session_gap), f"at least size ({size})")


def _written(duration: timedelta) -> str:
    """Returns a duration as settings have it; a checked value may be a default."""
    ms = milliseconds(duration)
    return f"{ms} ms" if ms % 1000 else f"{ms // 1000} s"


@dataclass(frozen=True, slots=True)
class JobSettings:
    """All settings of the job.

    Attributes:
        core: Settings of the enrichment.
        job: How the job runs.
        source: Where lines come from.
        lookups: What records are looked up in.
        windows: Windows and event time.
        alerts: Alert rules.
        sinks: Places to write to, by name.
        outputs: The name of its sink for each output that is switched on.
    """

    core: CoreSettings = field(default_factory=CoreSettings)
    job: RunSettings = field(default_factory=RunSettings)
    source: Source = field(default_factory=FilesystemSource)
    lookups: LookupSettings = field(default_factory=LookupSettings)
    windows: WindowSettings = field(default_factory=WindowSettings)
    alerts: Alerting = field(default_factory=Alerting)
    sinks: dict[str, Sink] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, properties: Properties) -> Self:
        """Reads and checks all property groups.

        Raises:
            ConfigurationError: An unknown group or key, a value of the wrong type or out
                of range, or settings that do not fit together.
        """
        known = {OUTPUTS_GROUP, *(setting.group for setting in job_settings())}
        others = (_SERVICE_GROUP_PREFIX, _LAMBDA_GROUP, SINK_GROUP_PREFIX)
        check_groups(properties, known, ignored_prefixes=others)
        windows = WindowSettings.load(properties)
        windows.check()
        sinks = load_sinks(properties)
        core = CoreSettings.load(properties)
        loaded = cls(
            core=core,
            lookups=LookupSettings.load(properties, core),
            job=RunSettings.load(properties),
            source=load_source(properties),
            windows=windows,
            alerts=Alerting.load(properties, windows.size),
            sinks=sinks,
            outputs=_load_outputs(properties, sinks, core),
        )
        _refuse_loop(loaded, properties)
        return loaded

    def connectors(self) -> dict[str, Connector]:
        """Returns the source and the sinks by their property groups."""
        sinks = {SINK_GROUP_PREFIX + name: sink for name, sink in self.sinks.items()}
        return {SOURCE_GROUP: self.source, **sinks}

    def written(self) -> Iterator[tuple[str, str, Resource]]:
        """Yields what the outputs need of AWS: output, property group of the sink, resource."""
        for output, sink in self.outputs.items():
            for resource in self.sinks[sink].resources(output):
                yield output, SINK_GROUP_PREFIX + sink, resource


def job_settings() -> tuple[Setting, ...]:
    """Returns every setting with a fixed name, of core and job, for documentation and checks."""
    groups: tuple[type[Group], ...] = (
        RunSettings,
        *SOURCE_TYPES.values(),
        WindowSettings,
        AlertSettings,
    )
    of_job = (setting for group in groups for setting in group.settings())
    return (*core_settings(), *lookup_settings(), *of_job, *rule_settings())


def _load_outputs(
    properties: Properties, sinks: dict[str, Sink], core: CoreSettings
) -> dict[str, str]:
    configured = properties.get(OUTPUTS_GROUP, {})
    files = output_files()
    names = [output.name for output in files]
    for key, sink in configured.items():
        if key not in names and key != DEFAULT_SINK_KEY:
            expected = f"a known output: {DEFAULT_SINK_KEY}, {', '.join(names)}"
            # A local run has put its own sink in the place of the value that was given.
            raise ConfigurationError(OUTPUTS_GROUP, key, None, expected)
        if sink not in {*sinks, OFF}:
            known = ", ".join(sorted(sinks)) or "there is none"
            expected = f"{OFF} or the name of a group {SINK_GROUP_PREFIX}<name>: {known}"
            raise ConfigurationError(OUTPUTS_GROUP, key, sink, expected)
    default = configured.get(DEFAULT_SINK_KEY, OFF)
    # The default stands for what the job's stage writes and the log format has; an output that is
    # named is always written.
    has_times = core.parser.log_format().has_request_time
    of_job = {
        file.name
        for file in files
        if _is_part_of(core.pipeline.stage, file) and (has_times or not file.needs_request_times)
    }
    chosen = {
        name: sink
        for name in names
        if (sink := configured.get(name, default if name in of_job else OFF)) != OFF
    }
    if not chosen:
        expected = "at least one output with a sink"
        raise ConfigurationError(OUTPUTS_GROUP, DEFAULT_SINK_KEY, default, expected)
    return chosen


# The job that makes the aggregates writes the late records: its windows decide.
_LATE = "late"


def _is_part_of(stage: PipelineStage, output: OutputFile) -> bool:
    """Returns whether a job of this stage writes an output unless `weblog.outputs` says otherwise.

        all                            one job writes everything (fan-out)
        records, aggregates, alerts    the same as three jobs, each reading the stream
        basic -> advanced              two jobs, with a stream of basic records between them

    Jobs that share a stream share no output, so together they write what one job would.
    """
    match stage:
        case "all" | "advanced":
            return True
        case "basic" | "records":
            return output.is_record and output.name != _LATE
        case "aggregates":
            return output.kind == "aggregates" or output.name == _LATE
        case "alerts":
            return output.kind == "alerts"


def _refuse_loop(settings: JobSettings, properties: Properties) -> None:
    """Refuses an output in the stream that the job reads: each record would come back for ever."""
    read = {resource.name for resource in settings.source.resources()}
    for output, group, resource in settings.written():
        if resource.name in read:
            expected = f"another {resource.kind} for {output} than the one that the job reads"
            raise ConfigurationError(group, resource.key, properties[group][resource.key], expected)
