"""Snapshots, start and stop, which moto lacks.

Botocore's Stubber answers instead. It checks parameters and answers against AWS's model of the
service, and the order of the calls.
"""

from __future__ import annotations

import pytest
from botocore.stub import ANY

from aws.errors import AwsError, NotFoundError
from tests.support.deploy import Act, Script, detail, run_deploy, snapshot
from tools.deploy import command
from tools.deploy.service import Service
from tools.shell import CommandError

DOWNTIME = "Failed to take snapshot for the application weblog at this moment."


def act_snapshot(service: Service) -> None:
    service.snapshot("now", "; nothing was changed")


# --- snapshots -------------------------------------------------------------------------


def test_a_snapshot_is_waited_for(script: Script) -> None:
    script.describes(detail("AUTOSCALING", 7), detail("RUNNING", 7))
    script.expect("create_application_snapshot", SnapshotName="now")
    for status in ("CREATING", "READY"):
        script.expect(
            "describe_application_snapshot",
            {"SnapshotDetails": snapshot("now", status)},
            SnapshotName="now",
        )

    act_snapshot(script.service)

    assert script.said[1] == "taking snapshot now"
    assert script.slept == [10, 10]


def test_a_failed_snapshot_says_what_that_means(script: Script) -> None:
    script.describes(detail("RUNNING", 7))
    script.expect("create_application_snapshot", SnapshotName="now")
    script.expect(
        "describe_application_snapshot",
        {"SnapshotDetails": snapshot("now", "FAILED")},
        SnapshotName="now",
    )

    with pytest.raises(CommandError, match=r"failed; nothing was changed; .*stop --force"):
        act_snapshot(script.service)


@pytest.mark.parametrize(
    ("act", "call"),
    [(act_snapshot, "create_application_snapshot"), (Service.stop, "stop_application")],
)
def test_the_error_of_a_job_that_keeps_failing_shows_the_way_out(
    script: Script, act: Act, call: str
) -> None:
    script.describes(detail("RUNNING", 7))
    script.refuses(call, "InvalidApplicationConfigurationException", DOWNTIME)

    with pytest.raises(AwsError, match=r"at this moment.*`deploy stop --force`.*runbook\.md$"):
        act(script.service)


def test_other_refusals_of_a_snapshot_are_not_that(script: Script) -> None:
    script.describes(detail("RUNNING", 7))
    script.refuses("create_application_snapshot", "LimitExceededException", "1000 snapshots")

    with pytest.raises(AwsError, match=r"a limit of the account is reached \(1000 snapshots\)$"):
        script.service.snapshot("now")


def test_waiting_ends(script: Script) -> None:
    script.describes(*[detail("UPDATING", 7)] * 91)

    with pytest.raises(CommandError, match="waited 900 s for application 'weblog' to come to rest"):
        act_snapshot(script.service)

    # There is a line at the start and one each minute.
    assert script.said[1] == "waiting for application 'weblog' to come to rest (60 s)"
    assert len(script.said) == 15


def test_a_former_rollback_is_no_failure_of_this_update(script: Script) -> None:
    script.describes(detail("RUNNING", 8, ApplicationVersionRolledBackFrom=5))

    script.service.check_update(detail("RUNNING", 7))  # type: ignore[arg-type]


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


@pytest.mark.parametrize(
    ("status", "act", "message"),
    [
        ("RUNNING", Service.start, "is running already"),
        ("READY", Service.stop, "is not running"),
        ("READY", act_snapshot, "is READY: only a running one gives a snapshot"),
    ],
)
def test_the_wrong_status_is_an_error(script: Script, status: str, act: Act, message: str) -> None:
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


def test_no_such_application(script: Script) -> None:
    script.refuses("describe_application", "ResourceNotFoundException", "not there")

    with pytest.raises(NotFoundError, match="there is none of that name"):
        script.service.describe()


# --- the commands ----------------------------------------------------------------------


def run(script: Script, name: str, *arguments: str) -> int:
    return run_deploy([name, "--stack", "weblog", *arguments], script.patience, script.client)


def test_snapshot_command(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "snapshot_name", lambda purpose: f"{purpose}-1")
    script.describes(detail("RUNNING"))
    script.expect("create_application_snapshot", SnapshotName="manual-1")
    script.expect(
        "describe_application_snapshot",
        {"SnapshotDetails": snapshot("manual-1")},
        SnapshotName="manual-1",
    )

    assert run(script, "snapshot") == 0

    assert script.said[-1] == "taken"


def test_start_and_stop_commands(script: Script) -> None:
    script.describes(detail("READY"))
    script.expect("start_application", RunConfiguration=ANY)
    script.describes(detail("RUNNING"))
    assert run(script, "start", "--skip-restore") == 0

    script.describes(detail("RUNNING"))
    script.expect("stop_application", Force=True)
    script.describes(detail("READY"))
    assert run(script, "stop", "--force") == 0

    assert script.said == ["running", "stopped"]
