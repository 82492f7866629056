"""The error of a failed job."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.local.job import _explain, reason_of

PY4J = """Traceback (most recent call last):
  File "main.py", line 1, in <module>
py4j.protocol.Py4JJavaError: An error occurred while calling o523.await.
: java.util.concurrent.ExecutionException: Failed to wait job finish
\tat java.base/java.util.concurrent.CompletableFuture.get(CompletableFuture.java:2005)
"""
CAUSES = """Caused by: java.lang.RuntimeException: Failed to create stage bundle factory!
\t... 16 more
Caused by: java.lang.IllegalStateException: of Java
\t... 23 more
"""
ABORTED = "org.apache.flink.client.program.ProgramAbortException: Python process exits with code: 1"


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        (PY4J + CAUSES, "java.lang.IllegalStateException: of Java"),
        (PY4J, "java.util.concurrent.ExecutionException: Failed to wait job finish"),
        (PY4J + "ValueError: of our own\n", "ValueError: of our own"),
    ],
)
def test_the_reason_is_not_that_java_had_one(tmp_path: Path, printed: str, reason: str) -> None:
    (tmp_path / "job.out").write_text(printed + ABORTED)
    log = tmp_path / "job.log"
    assert str(_explain(None, log, 1)) == f"the job failed: {reason} (log: {log})"


@pytest.mark.parametrize(
    ("status", "ended"),
    [
        (-9, "SIGKILL, which the system sends for want of memory"),
        (-6, "SIGABRT, a crash"),
        (-1, "SIGHUP"),
        (-40, "signal 40"),
    ],
)
def test_a_jvm_that_a_signal_has_ended(tmp_path: Path, status: int, ended: str) -> None:
    (tmp_path / "job.out").write_text("Job has been submitted with JobID 4c975a22\n")
    log = tmp_path / "job.log"
    reason = f"its Java process was ended by {ended}"
    assert str(_explain(None, log, status)) == f"the job failed: {reason} (log: {log})"


@pytest.mark.parametrize(
    ("failure", "part"),
    [
        (ABORTED.replace("1", "137"), "Python process (main.py) was ended by SIGKILL"),
        ("Caused by: java.lang.IllegalStateException: Process died with exit code 0", "worker was"),
        ("Caused by: x.StatusRuntimeException: CANCELLED: client cancelled", "worker was"),
    ],
)
def test_a_python_process_that_was_ended(failure: str, part: str) -> None:
    assert part in reason_of(f"Job has been submitted with JobID 4c975a22\n{failure}")


def test_the_reason_of_an_exception_without_a_cause_is_its_message() -> None:
    frames = "\tat java.base/sun.nio.ch.FileDispatcherImpl.write0(Native Method)\n\t... 12 more\n"
    failure = f"java.io.IOException: No space left on device\n{frames}"
    assert reason_of(failure) == "java.io.IOException: No space left on device"
