"""What moto does not have: updates, snapshots, start, stop, rollback, delete.

Botocore's Stubber answers instead; it checks parameters and answers against AWS's model
of the service, and the order of the calls.
"""

from __future__ import annotations

import pytest
from botocore.stub import ANY

from aws.errors import AwsError, NotFoundError
from tests.support.deploy import (
    CREATED,
    KEY,
    LOG_STREAM,
    NAME,
    Act,
    Script,
    application,
    detail,
    run_deploy,
    snapshot,
)
from tools.deploy import command as deploy
from tools.deploy.application import Application, Code, changes, from_detail
from tools.deploy.service import Service
from tools.shell import CommandError

NEW_CODE = application(code=Code("arn:aws:s3:::code-bucket", "weblog-2.zip"))


def update(service: Service, wanted: Application, current: Application | None = None) -> None:
    service.update(wanted, changes(current or application(), wanted), snapshot="before")


# --- update ----------------------------------------------------------------------------


def test_an_update_of_a_running_application_takes_a_snapshot_and_restores(script: Script) -> None:
    script.describes(detail("RUNNING", 7))
    script.expect("create_application_snapshot", SnapshotName="before")
    for status in ("CREATING", "READY"):
        script.expect(
            "describe_application_snapshot",
            {"SnapshotDetails": snapshot("before", status)},
            SnapshotName="before",
        )
    script.expect(
        "update_application",
        {"ApplicationDetail": detail("UPDATING", 8)},
        CurrentApplicationVersionId=7,
        ApplicationConfigurationUpdate={
            "ApplicationCodeConfigurationUpdate": {
                "CodeContentUpdate": {
                    "S3ContentLocationUpdate": {
                        "BucketARNUpdate": "arn:aws:s3:::code-bucket",
                        "FileKeyUpdate": "weblog-2.zip",
                    }
                }
            }
        },
        RunConfigurationUpdate={
            "ApplicationRestoreConfiguration": {
                "ApplicationRestoreType": "RESTORE_FROM_LATEST_SNAPSHOT"
            },
            "FlinkRunConfiguration": {"AllowNonRestoredState": False},
        },
    )
    script.describes(detail("UPDATING", 8), detail("RUNNING", 8, NEW_CODE))

    update(script.service, NEW_CODE)

    assert script.said[0] == "taking snapshot before"
    assert script.slept == [10, 10]


def test_an_update_of_a_stopped_application_starts_nothing(script: Script) -> None:
    wanted = application(
        parallelism=4, log_level="WARN", properties={"weblog.windows": {"size": "5 min"}}
    )
    script.describes(detail("READY", 3))
    script.expect(
        "update_application",
        {"ApplicationDetail": detail("UPDATING", 4)},
        CurrentApplicationVersionId=3,
        ApplicationConfigurationUpdate={
            "EnvironmentPropertyUpdates": {
                "PropertyGroups": [
                    {"PropertyGroupId": "weblog.windows", "PropertyMap": {"size": "5 min"}}
                ]
            },
            "FlinkApplicationConfigurationUpdate": {
                "ParallelismConfigurationUpdate": {
                    "ConfigurationTypeUpdate": "CUSTOM",
                    "ParallelismUpdate": 4,
                    "ParallelismPerKPUUpdate": 1,
                    "AutoScalingEnabledUpdate": False,
                },
                "MonitoringConfigurationUpdate": {
                    "ConfigurationTypeUpdate": "CUSTOM",
                    "MetricsLevelUpdate": "TASK",
                    "LogLevelUpdate": "WARN",
                },
            },
        },
    )
    script.describes(detail("READY", 4, wanted))

    update(script.service, wanted)


def test_an_update_brings_an_older_application_in_line(script: Script) -> None:
    current = application(
        runtime="FLINK-1_20",
        role="arn:aws:iam::123456789012:role/old",
        snapshots=False,
        rollback=False,
        log_stream="arn:aws:logs:eu-west-1:123456789012:log-group:old:log-stream:old",
    )
    script.describes(detail("READY", 3, current))
    script.expect(
        "update_application",
        {"ApplicationDetail": detail("READY", 4)},
        CurrentApplicationVersionId=3,
        RuntimeEnvironmentUpdate="FLINK-2_2",
        ServiceExecutionRoleUpdate=application().role,
        ApplicationConfigurationUpdate={
            "ApplicationSnapshotConfigurationUpdate": {"SnapshotsEnabledUpdate": True},
            "ApplicationSystemRollbackConfigurationUpdate": {"RollbackEnabledUpdate": True},
        },
        CloudWatchLoggingOptionUpdates=[
            {"CloudWatchLoggingOptionId": "1.1", "LogStreamARNUpdate": LOG_STREAM}
        ],
    )
    script.describes(detail("READY", 4))

    update(script.service, application(), current)


def test_a_key_is_put_in_force(script: Script) -> None:
    script.describes(detail("READY", 3))
    script.expect(
        "update_application",
        {"ApplicationDetail": detail("READY", 4)},
        CurrentApplicationVersionId=3,
        ApplicationConfigurationUpdate={
            "ApplicationEncryptionConfigurationUpdate": {
                "KeyTypeUpdate": "CUSTOMER_MANAGED_KEY",
                "KeyIdUpdate": KEY,
            }
        },
    )
    script.describes(detail("READY", 4))

    update(script.service, application(key=KEY))


def test_missing_logging_is_added_by_a_call_of_its_own(script: Script) -> None:
    current = application(log_stream=None)
    script.describes(detail("READY", 3, current))
    script.expect(
        "add_application_cloud_watch_logging_option",
        {"ApplicationVersionId": 4},
        CurrentApplicationVersionId=3,
        CloudWatchLoggingOption={"LogStreamARN": LOG_STREAM},
    )
    script.describes(detail("READY", 4))

    update(script.service, application(), current)


def test_it_waits_for_an_application_that_is_on_the_move(script: Script) -> None:
    script.describes(detail("AUTOSCALING", 7), detail("AUTOSCALING", 7), detail("READY", 7))
    script.expect(
        "update_application",
        {"ApplicationDetail": detail("READY", 8)},
        CurrentApplicationVersionId=7,
        ApplicationConfigurationUpdate=ANY,
    )
    script.describes(detail("READY", 8))

    update(script.service, NEW_CODE)


def test_a_failed_snapshot_leaves_the_application_alone(script: Script) -> None:
    script.describes(detail("RUNNING", 7))
    script.expect("create_application_snapshot", SnapshotName="before")
    script.expect(
        "describe_application_snapshot",
        {"SnapshotDetails": snapshot("before", "FAILED")},
        SnapshotName="before",
    )

    with pytest.raises(CommandError, match=r"failed; the application is unchanged; .*stop --force"):
        update(script.service, NEW_CODE)


DOWNTIME = "Failed to take snapshot for the application weblog at this moment."


def act_update(service: Service) -> None:
    update(service, NEW_CODE)


def act_update_without_snapshot(service: Service) -> None:
    service.update(NEW_CODE, changes(application(), NEW_CODE), snapshot=None)


def act_snapshot(service: Service) -> None:
    service.snapshot("now")


@pytest.mark.parametrize(
    ("act", "call"),
    [
        (act_update, "create_application_snapshot"),
        (act_update_without_snapshot, "update_application"),
        (act_snapshot, "create_application_snapshot"),
        (Service.stop, "stop_application"),
    ],
)
def test_a_job_that_keeps_failing_is_told_the_way_out(script: Script, act: Act, call: str) -> None:
    script.describes(detail("RUNNING", 7))
    script.refuses(call, "InvalidApplicationConfigurationException", DOWNTIME)

    with pytest.raises(AwsError, match=r"at this moment.*`deploy stop --force`.*runbook\.md$"):
        act(script.service)


def test_other_refusals_of_a_snapshot_are_not_that(script: Script) -> None:
    script.describes(detail("RUNNING", 7))
    script.refuses("create_application_snapshot", "LimitExceededException", "1000 snapshots")

    with pytest.raises(AwsError, match=r"a limit of the account is reached \(1000 snapshots\)$"):
        script.service.snapshot("now")


def running_update(script: Script, ended: dict[str, object]) -> None:
    script.describes(detail("RUNNING", 7))
    script.expect("create_application_snapshot", SnapshotName="before")
    script.expect(
        "describe_application_snapshot",
        {"SnapshotDetails": snapshot("before")},
        SnapshotName="before",
    )
    script.expect(
        "update_application",
        {"ApplicationDetail": detail("UPDATING", 8)},
        CurrentApplicationVersionId=7,
        ApplicationConfigurationUpdate=ANY,
        RunConfigurationUpdate=ANY,
    )
    script.describes(ended)


def test_an_update_that_the_service_took_back_is_a_failure(script: Script) -> None:
    running_update(
        script,
        detail("RUNNING", 9, ApplicationVersionRolledBackFrom=8, ApplicationVersionRolledBackTo=7),
    )

    with pytest.raises(CommandError, match="rolled it back to version 7; its log tells why"):
        update(script.service, NEW_CODE)


def test_an_update_after_which_it_does_not_run_is_a_failure(script: Script) -> None:
    running_update(script, detail("READY", 8))

    with pytest.raises(CommandError, match="'weblog' is READY after the update"):
        update(script.service, NEW_CODE)


def test_a_former_rollback_is_no_failure_of_this_update(script: Script) -> None:
    running_update(script, detail("RUNNING", 8, ApplicationVersionRolledBackFrom=5))

    update(script.service, NEW_CODE)


def test_waiting_ends(script: Script) -> None:
    script.describes(*[detail("UPDATING", 7)] * 92)

    with pytest.raises(CommandError, match="waited 900 s to come to rest, in vain"):
        update(script.service, NEW_CODE)

    # One line at the start and one each minute.
    assert script.said[:2] == ["waiting to come to rest (0 s)", "waiting to come to rest (60 s)"]
    assert len(script.said) == 15


# --- differences -----------------------------------------------------------------------


def test_what_the_service_answers_is_what_was_wanted() -> None:
    for one in (application(), NEW_CODE, application(auto_scaling=True, parallelism=9, key=KEY)):
        assert from_detail(detail(one=one)) == one  # type: ignore[arg-type]
        assert changes(one, one) == ()


def test_properties_that_come_and_go_are_told() -> None:
    old = application(properties={"weblog.windows": {"size": "1 min"}, "weblog.job": {"name": "a"}})
    new = application(properties={"weblog.windows": {"top.n": "5"}})

    assert [one.text for one in changes(old, new)] == [
        "weblog.job: name: 'a' -> (absent)",
        "weblog.windows: size: '1 min' -> (absent)",
        "weblog.windows: top.n: (absent) -> '5'",
    ]


def test_a_log_stream_that_is_not_ours_is_left() -> None:
    assert changes(application(), application(log_stream=None)) == ()


def test_a_key_that_is_not_named_is_left() -> None:
    assert changes(application(key=KEY), application()) == ()
    (change,) = changes(application(), application(key=KEY))
    assert change.text == f"key: the service's own -> {KEY}"


# --- start and stop --------------------------------------------------------------------


def start_configuration(kind: str, **more: str) -> dict[str, object]:
    return {
        "FlinkRunConfiguration": {"AllowNonRestoredState": False},
        "ApplicationRestoreConfiguration": {"ApplicationRestoreType": kind, **more},
    }


def test_the_first_start_has_nothing_to_restore(script: Script) -> None:
    script.describes(detail("READY"))
    script.expect("list_application_snapshots", {"SnapshotSummaries": []})
    script.expect(
        "start_application", RunConfiguration=start_configuration("SKIP_RESTORE_FROM_SNAPSHOT")
    )
    script.describes(detail("STARTING"), detail("RUNNING"))

    script.service.start()


def test_a_later_start_goes_on_from_the_latest_snapshot(script: Script) -> None:
    script.describes(detail("READY"))
    script.expect(
        "list_application_snapshots",
        {"SnapshotSummaries": [snapshot("broken", "FAILED")], "NextToken": "more"},
    )
    script.expect(
        "list_application_snapshots",
        {"SnapshotSummaries": [snapshot("good")]},
        NextToken="more",
    )
    script.expect(
        "start_application", RunConfiguration=start_configuration("RESTORE_FROM_LATEST_SNAPSHOT")
    )
    script.describes(detail("RUNNING"))

    script.service.start()


def test_a_start_from_a_named_snapshot(script: Script) -> None:
    script.describes(detail("READY"))
    script.expect(
        "start_application",
        RunConfiguration=start_configuration("RESTORE_FROM_CUSTOM_SNAPSHOT", SnapshotName="monday"),
    )
    script.describes(detail("RUNNING"))

    script.service.start(snapshot="monday")


def test_a_start_that_fails(script: Script) -> None:
    script.describes(detail("READY"))
    script.expect("start_application", RunConfiguration=ANY)
    script.describes(detail("STARTING"), detail("READY"))

    with pytest.raises(CommandError, match="'weblog' is READY: it did not start"):
        script.service.start(skip_restore=True)


def test_stop(script: Script) -> None:
    script.describes(detail("RUNNING"))
    script.expect("stop_application", Force=False)
    script.describes(detail("STOPPING"), detail("READY"))

    script.service.stop()


def test_a_forced_stop_does_not_wait_for_rest_first(script: Script) -> None:
    script.describes(detail("STARTING"))
    script.expect("stop_application", Force=True)
    script.describes(detail("FORCE_STOPPING"), detail("READY"))

    script.service.stop(force=True)


# --- rollback and delete ---------------------------------------------------------------


def test_rollback(script: Script) -> None:
    script.describes(detail("RUNNING", 8))
    script.expect(
        "rollback_application",
        {"ApplicationDetail": detail("ROLLING_BACK", 9)},
        CurrentApplicationVersionId=8,
    )
    script.describes(detail("ROLLING_BACK", 9), detail("RUNNING", 9))

    script.service.rollback()


def test_delete_waits_until_it_is_gone(script: Script) -> None:
    script.describes(detail("READY"))
    script.expect("delete_application", CreateTimestamp=CREATED)
    script.describes(detail("DELETING"))
    script.refuses("describe_application", "ResourceNotFoundException")

    script.service.delete()


@pytest.mark.parametrize(
    ("status", "act", "message"),
    [
        ("RUNNING", Service.start, "is running already"),
        ("READY", Service.stop, "is not running"),
        ("READY", act_snapshot, "is READY: only a running one gives a snapshot"),
        ("READY", Service.rollback, "is READY: only one that is AUTOSCALING, RUNNING, UPDATING"),
    ],
)
def test_the_wrong_status_is_told(script: Script, status: str, act: Act, message: str) -> None:
    script.describes(detail(status))

    with pytest.raises(CommandError, match=f"^application 'weblog' {message}"):
        act(script.service)


# --- errors of the calls ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        (
            "AccessDeniedException",
            "User: x is not\nauthorized",
            "application 'weblog': access denied (User: x is not authorized)",
        ),
        ("ExpiredTokenException", "", "application 'weblog': the AWS credentials have expired"),
        ("InvalidArgumentException", "bad role", "'weblog': bad role (InvalidArgumentException)"),
        ("Throttling", "", "application 'weblog': Throttling"),
    ],
)
def test_errors_are_one_line(script: Script, code: str, message: str, expected: str) -> None:
    script.refuses("describe_application", code, message)

    with pytest.raises(AwsError) as raised:
        script.service.describe()

    assert str(raised.value).endswith(expected)
    assert "\n" not in str(raised.value)


def test_a_conflict_is_told(script: Script) -> None:
    script.describes(detail("READY", 3))
    script.refuses("update_application", "ConcurrentModificationException", "version 4")

    with pytest.raises(AwsError, match="updating application 'weblog': somebody else changed"):
        update(script.service, NEW_CODE)


def test_no_such_application(script: Script) -> None:
    script.refuses("describe_application", "ResourceNotFoundException", "not there")

    with pytest.raises(NotFoundError, match="there is none of that name"):
        script.service.describe()


# --- the commands ----------------------------------------------------------------------


def run(script: Script, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(deploy, "_service", lambda session, options, patience: script.service)
    command, *rest = arguments
    return run_deploy([command, "--name", NAME, *rest], script.patience)


def test_status_command(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    script.describes(detail("RUNNING", 7, application(parallelism=5, parallelism_per_kpu=2)))
    script.expect(
        "list_application_snapshots",
        {"SnapshotSummaries": [snapshot("new", minute=9), snapshot("old")]},
    )

    assert run(script, monkeypatch, "status") == 0

    assert "status           RUNNING" in script.said
    assert "version          7" in script.said
    assert "kpus             3" in script.said
    assert "code             s3://code-bucket/weblog-1.zip" in script.said
    assert "latest snapshot  new" in script.said


def test_snapshot_command(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy, "snapshot_name", lambda purpose: f"{purpose}-1")
    script.describes(detail("RUNNING"))
    script.expect("create_application_snapshot", SnapshotName="manual-1")
    script.expect(
        "describe_application_snapshot",
        {"SnapshotDetails": snapshot("manual-1")},
        SnapshotName="manual-1",
    )

    assert run(script, monkeypatch, "snapshot") == 0

    assert script.said[-1] == "taken"


def test_the_other_commands(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    script.describes(detail("READY"))
    script.expect("start_application", RunConfiguration=ANY)
    script.describes(detail("RUNNING"))
    assert run(script, monkeypatch, "start", "--skip-restore") == 0

    script.describes(detail("RUNNING"))
    script.expect("stop_application", Force=True)
    script.describes(detail("READY"))
    assert run(script, monkeypatch, "stop", "--force") == 0

    script.describes(detail("RUNNING"))
    script.expect(
        "rollback_application",
        {"ApplicationDetail": detail("RUNNING")},
        CurrentApplicationVersionId=1,
    )
    script.describes(detail("RUNNING"))
    assert run(script, monkeypatch, "rollback") == 0

    script.describes(detail("READY"))
    script.expect("delete_application", CreateTimestamp=CREATED)
    script.refuses("describe_application", "ResourceNotFoundException")
    assert run(script, monkeypatch, "delete", "--yes") == 0

    assert script.said == [
        "running",
        "stopped",
        "rolled back and running",
        "deleted; its zip in S3 and its logs are left",
    ]
