"""What the application should be on the service, and how it differs from what it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mypy_boto3_kinesisanalyticsv2.type_defs import (
        ApplicationConfigurationTypeDef,
        ApplicationConfigurationUpdateTypeDef,
        ApplicationDetailTypeDef,
        CreateApplicationRequestTypeDef,
        FlinkApplicationConfigurationUpdateTypeDef,
        PropertyGroupTypeDef,
    )

RUNTIME: Literal["FLINK-2_2"] = "FLINK-2_2"
OWN_KEY = "the service's own"

type LogLevel = Literal["DEBUG", "INFO", "WARN", "ERROR"]
type MetricsLevel = Literal["APPLICATION", "TASK", "OPERATOR", "PARALLELISM"]
type Groups = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Code:
    """Where the zip lies."""

    bucket_arn: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket_arn.rpartition(':')[2]}/{self.key}"


@dataclass(frozen=True, slots=True)
class Application:
    """An application on the service: what it should be, or what it is.

    Attributes:
        runtime: The service's name of the Flink version.
        role: ARN of the role that the application works under.
        code: Its zip.
        properties: Its property groups.
        parallelism: Subtasks of each operator.
        parallelism_per_kpu: Subtasks that share one KPU (1 vCPU, 4 GB).
        auto_scaling: Whether the service may change the parallelism.
        log_level: Least severe level that is logged.
        metrics_level: How finely the metrics are broken down.
        snapshots: Whether the service takes a snapshot when it stops or updates.
        rollback: Whether the service goes back by itself when an update fails.
        log_stream: ARN of the CloudWatch log stream; None is left as it is.
        key: ARN of the KMS key for its state and snapshots; None is the service's own, or
            left as it is.
    """

    runtime: str
    role: str
    code: Code
    properties: Groups
    parallelism: int
    parallelism_per_kpu: int
    auto_scaling: bool
    log_level: LogLevel
    metrics_level: MetricsLevel
    snapshots: bool = True
    rollback: bool = True
    log_stream: str | None = None
    key: str | None = None

    @property
    def kpus(self) -> int:
        """KPUs for the job; the service bills one more for its own work."""
        return -(-self.parallelism // self.parallelism_per_kpu)


@dataclass(frozen=True, slots=True)
class Change:
    """One difference, in words.

    Attributes:
        part: Which part of a request carries it.
        text: One line for the plan.
    """

    part: str
    text: str


_PLAIN_PARTS: Mapping[str, tuple[str, ...]] = {
    "runtime": ("runtime",),
    "role": ("role",),
    "code": ("code",),
    "parallelism": ("parallelism", "parallelism_per_kpu", "auto_scaling"),
    "monitoring": ("log_level", "metrics_level"),
    "snapshots": ("snapshots",),
    "rollback": ("rollback",),
}


def changes(current: Application, wanted: Application) -> tuple[Change, ...]:
    """What has to change to get from one to the other; empty when nothing has."""
    return tuple(_changes(current, wanted))


def _changes(current: Application, wanted: Application) -> Iterator[Change]:
    for part, fields in _PLAIN_PARTS.items():
        for name in fields:
            old, new = getattr(current, name), getattr(wanted, name)
            if old != new:
                yield Change(part, f"{name.replace('_', ' ')}: {old} -> {new}")
    for group in sorted(current.properties.keys() | wanted.properties.keys()):
        old_values = current.properties.get(group, {})
        new_values = wanted.properties.get(group, {})
        for key in sorted(old_values.keys() | new_values.keys()):
            old, new = old_values.get(key), new_values.get(key)
            if old != new:
                yield Change("properties", f"{group}: {key}: {_shown(old)} -> {_shown(new)}")
    if wanted.log_stream is not None and wanted.log_stream != current.log_stream:
        yield Change("logging", f"log stream: {current.log_stream} -> {wanted.log_stream}")
    if wanted.key is not None and wanted.key != current.key:
        yield Change("encryption", f"key: {current.key or OWN_KEY} -> {wanted.key}")


def _shown(value: str | None) -> str:
    return "(absent)" if value is None else repr(value)


def from_detail(detail: ApplicationDetailTypeDef) -> Application:
    """The application that the service describes."""
    configuration = detail.get("ApplicationConfigurationDescription", {})
    flink = configuration.get("FlinkApplicationConfigurationDescription", {})
    parallelism = flink.get("ParallelismConfigurationDescription", {})
    monitoring = flink.get("MonitoringConfigurationDescription", {})
    location = (
        configuration.get("ApplicationCodeConfigurationDescription", {})
        .get("CodeContentDescription", {})
        .get("S3ApplicationCodeLocationDescription", {})
    )
    groups = configuration.get("EnvironmentPropertyDescriptions", {}).get(
        "PropertyGroupDescriptions", []
    )
    logging = detail.get("CloudWatchLoggingOptionDescriptions") or []
    return Application(
        runtime=detail["RuntimeEnvironment"],
        role=detail.get("ServiceExecutionRole", ""),
        code=Code(location.get("BucketARN", ""), location.get("FileKey", "")),
        properties={one["PropertyGroupId"]: dict(one["PropertyMap"]) for one in groups},
        parallelism=parallelism.get("Parallelism", 1),
        parallelism_per_kpu=parallelism.get("ParallelismPerKPU", 1),
        auto_scaling=parallelism.get("AutoScalingEnabled", True),
        log_level=monitoring.get("LogLevel", "INFO"),
        metrics_level=monitoring.get("MetricsLevel", "APPLICATION"),
        snapshots=configuration.get("ApplicationSnapshotConfigurationDescription", {}).get(
            "SnapshotsEnabled", False
        ),
        rollback=configuration.get("ApplicationSystemRollbackConfigurationDescription", {}).get(
            "RollbackEnabled", False
        ),
        log_stream=logging[0]["LogStreamARN"] if logging else None,
        key=configuration.get("ApplicationEncryptionConfigurationDescription", {}).get("KeyId"),
    )


def creation(name: str, wanted: Application) -> CreateApplicationRequestTypeDef:
    """The request that creates it."""
    configuration: ApplicationConfigurationTypeDef = {
        "FlinkApplicationConfiguration": {
            # Every minute, with a pause of at least five seconds.
            "CheckpointConfiguration": {"ConfigurationType": "DEFAULT"},
            "MonitoringConfiguration": {
                "ConfigurationType": "CUSTOM",
                "MetricsLevel": wanted.metrics_level,
                "LogLevel": wanted.log_level,
            },
            "ParallelismConfiguration": {
                "ConfigurationType": "CUSTOM",
                "Parallelism": wanted.parallelism,
                "ParallelismPerKPU": wanted.parallelism_per_kpu,
                "AutoScalingEnabled": wanted.auto_scaling,
            },
        },
        "EnvironmentProperties": {"PropertyGroups": _property_groups(wanted)},
        "ApplicationCodeConfiguration": {
            "CodeContentType": "ZIPFILE",
            "CodeContent": {
                "S3ContentLocation": {
                    "BucketARN": wanted.code.bucket_arn,
                    "FileKey": wanted.code.key,
                }
            },
        },
        "ApplicationSnapshotConfiguration": {"SnapshotsEnabled": wanted.snapshots},
        "ApplicationSystemRollbackConfiguration": {"RollbackEnabled": wanted.rollback},
    }
    if wanted.key is not None:
        configuration["ApplicationEncryptionConfiguration"] = {
            "KeyType": "CUSTOMER_MANAGED_KEY",
            "KeyId": wanted.key,
        }
    request: CreateApplicationRequestTypeDef = {
        "ApplicationName": name,
        "RuntimeEnvironment": RUNTIME,
        "ServiceExecutionRole": wanted.role,
        "ApplicationMode": "STREAMING",
        "ApplicationConfiguration": configuration,
    }
    if wanted.log_stream is not None:
        request["CloudWatchLoggingOptions"] = [{"LogStreamARN": wanted.log_stream}]
    return request


def configuration_update(
    wanted: Application, parts: frozenset[str]
) -> ApplicationConfigurationUpdateTypeDef:
    """The part of an update request that changes the configuration.

    Args:
        wanted: What it should be.
        parts: The parts that differ; the others are left out, so that what somebody
            else set there stays.
    """
    update: ApplicationConfigurationUpdateTypeDef = {}
    if "code" in parts:
        update["ApplicationCodeConfigurationUpdate"] = {
            "CodeContentUpdate": {
                "S3ContentLocationUpdate": {
                    "BucketARNUpdate": wanted.code.bucket_arn,
                    "FileKeyUpdate": wanted.code.key,
                }
            }
        }
    if "properties" in parts:
        update["EnvironmentPropertyUpdates"] = {"PropertyGroups": _property_groups(wanted)}
    flink: FlinkApplicationConfigurationUpdateTypeDef = {}
    if "parallelism" in parts:
        flink["ParallelismConfigurationUpdate"] = {
            "ConfigurationTypeUpdate": "CUSTOM",
            "ParallelismUpdate": wanted.parallelism,
            "ParallelismPerKPUUpdate": wanted.parallelism_per_kpu,
            "AutoScalingEnabledUpdate": wanted.auto_scaling,
        }
    if "monitoring" in parts:
        flink["MonitoringConfigurationUpdate"] = {
            "ConfigurationTypeUpdate": "CUSTOM",
            "MetricsLevelUpdate": wanted.metrics_level,
            "LogLevelUpdate": wanted.log_level,
        }
    if flink:
        update["FlinkApplicationConfigurationUpdate"] = flink
    if "snapshots" in parts:
        update["ApplicationSnapshotConfigurationUpdate"] = {
            "SnapshotsEnabledUpdate": wanted.snapshots
        }
    if "rollback" in parts:
        update["ApplicationSystemRollbackConfigurationUpdate"] = {
            "RollbackEnabledUpdate": wanted.rollback
        }
    if "encryption" in parts and wanted.key is not None:
        update["ApplicationEncryptionConfigurationUpdate"] = {
            "KeyTypeUpdate": "CUSTOMER_MANAGED_KEY",
            "KeyIdUpdate": wanted.key,
        }
    return update


def _property_groups(wanted: Application) -> list[PropertyGroupTypeDef]:
    return [
        {"PropertyGroupId": group, "PropertyMap": dict(values)}
        for group, values in sorted(wanted.properties.items())
    ]
