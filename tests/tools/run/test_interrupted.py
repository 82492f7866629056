"""A run ended early, also with a job that ignores signals: no process is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.interrupts import hearing_interrupts
from tests.support.running import only
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tools.local.results import reserved
from tools.shell import EXIT_INTERRUPTED, CommandError
from udfs.config.root import ROOT

# A job that reports its start and, with "stubborn", ignores SIGTERM.
JOB = """
import os, signal, sys, time
from pathlib import Path
def ended(*_):
    Path("asked").touch()
    if sys.argv[1] != "stubborn":
        sys.exit()
signal.signal(signal.SIGTERM, ended)
Path("job").write_text(str(os.getpid()))
while True:
    time.sleep(0.1)
"""

# The runner waits longer for the job's end than the test waits for the runner's end.
RUNNER = f"""
import sys, time
from pathlib import Path
from subprocess import DEVNULL, Popen
from tools.local import cluster
from tools.local import job
job._STOP_SECONDS = {2 * PATIENCE_SECONDS}
class Job(job.RunningJob):
    def _start(self):
        command = [sys.executable, "job.py", sys.argv[1]]
        return Popen(command, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True)
with Job(cluster.ClusterOptions(Path()), Path("x.json")):
    while True:
        time.sleep(0.1)
"""

# The code of a run, with a program of the test as Java. On systems that can't end the JVM with the
# runner, the JVM goes on.
RUN = """
import sys, time
from pathlib import Path
from tools.local import cluster, results
from tools.local.job import RunningJob
if sys.argv[1] == "cannot":
    cluster._ending_with_this_process = list
with results.reserved(Path("out")) as reservation:
    options = cluster.ClusterOptions(reservation.work.resolve(), held=(reservation.lock,))
    with RunningJob(options, Path("x.json")):
        while True:
            time.sleep(0.1)
"""


def group_lives(leader: int) -> bool:
    with suppress(ProcessLookupError):
        os.killpg(leader, 0)
        return True
    return False


def wait_for_end(runner: subprocess.Popen[bytes], leader: int) -> bytes:
    """Waits for the end of the runner and its job's group, and returns the runner's output."""
    printed, _ = runner.communicate(timeout=PATIENCE_SECONDS)
    # Processes that were just killed get a moment.
    wait_until(lambda: not group_lives(leader), "the end of the job's processes")
    return printed


@dataclass(slots=True)
class Started:
    """Runners and their jobs' groups, which end with the test at the latest."""

    folder: Path
    runners: list[subprocess.Popen[bytes]] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)

    def runner(self, *command: str, by: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        with hearing_interrupts():
            process = subprocess.Popen(
                [*by, sys.executable, *command],
                cwd=self.folder,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        self.runners.append(process)
        return process

    def made_up_job(
        self, manner: str, *, by: Sequence[str] = ()
    ) -> tuple[subprocess.Popen[bytes], int]:
        return self.job_of(self.runner("-c", RUNNER, manner, by=by))

    def job_of(self, runner: subprocess.Popen[bytes]) -> tuple[subprocess.Popen[bytes], int]:
        job = self.folder / "job"
        wait_until(
            lambda: job.exists() and job.read_text(), "the job", lambda: runner.poll() is None
        )
        self.groups.append(int(job.read_text()))
        return runner, self.groups[-1]

    def end(self) -> None:
        for group in self.groups:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        for runner in self.runners:
            runner.kill()
            runner.communicate()


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    (tmp_path / "job.py").write_text(JOB)
    processes = Started(tmp_path)
    yield processes
    processes.end()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_job_that_flink_does_not_know_yet_is_ended_at_once(
    started: Started, tmp_path: Path, number: signal.Signals
) -> None:
    runner, job = started.made_up_job("obedient")
    runner.send_signal(number)
    # Without a job to cancel, the runner sends the job a signal at once.
    wait_for_end(runner, job)
    assert (tmp_path / "asked").exists()


@pytest.mark.parametrize("again", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_interrupt_ends_a_job_that_does_not_obey(
    started: Started, tmp_path: Path, again: signal.Signals
) -> None:
    runner, job = started.made_up_job("stubborn")
    runner.send_signal(signal.SIGINT)
    wait_until((tmp_path / "asked").exists, "the first request")
    runner.send_signal(again)
    wait_for_end(runner, job)


def test_nohup_is_respected(started: Started) -> None:
    runner, job = started.made_up_job("obedient", by=["nohup"])
    runner.send_signal(signal.SIGHUP)
    assert group_lives(job)
    # The runner hears SIGINT, which comes after an ignored signal.
    runner.send_signal(signal.SIGINT)
    printed = wait_for_end(runner, job)
    assert printed.rstrip().endswith(b"KeyboardInterrupt")


@pytest.fixture
def made_up_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = tmp_path / "jdk" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\ncd {tmp_path}\nexec {sys.executable} job.py stubborn\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(java.parents[1]))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends it")
@pytest.mark.usefixtures("made_up_java")
def test_a_jvm_ends_with_a_runner_that_is_killed(started: Started, tmp_path: Path) -> None:
    runner, job = started.job_of(started.runner("-c", RUN, "can"))
    left = list((tmp_path / "out" / ".work").iterdir())
    runner.kill()
    wait_for_end(runner, job)
    with reserved(tmp_path / "out") as reservation:
        assert list((tmp_path / "out" / ".work").iterdir()) == [reservation.work]
    assert reservation.work not in left


@pytest.mark.usefixtures("made_up_java")
def test_a_jvm_that_outlives_its_runner_keeps_the_folder(started: Started, tmp_path: Path) -> None:
    runner, job = started.job_of(started.runner("-c", RUN, "cannot"))
    runner.kill()
    runner.wait()
    with pytest.raises(CommandError, match="the Java process of one that was killed"):
        reserved(tmp_path / "out").__enter__()
    os.killpg(job, signal.SIGKILL)
    wait_for_end(runner, job)
    with reserved(tmp_path / "out"):
        pass


needs_proc = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")


@pytest.mark.minicluster
@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize(
    "signals",
    [[signal.SIGINT], [signal.SIGINT, signal.SIGINT], [signal.SIGHUP]],
    ids=["ctrl-c", "twice", "hang-up"],
)
def test_a_run_in_its_start_up_leaves_no_process(
    started: Started, tmp_path: Path, signals: list[signal.Signals]
) -> None:
    output = tmp_path / "out"
    runner = started.runner("-m", "tools.cli", "run", "--out", str(output))
    wait_until(lambda: jvms_of(output), "the JVM", lambda: runner.poll() is None)
    (jvm,) = jvms_of(output)
    started.groups.append(jvm)
    for number in signals:
        runner.send_signal(number)
    # The JVM led a group of all its processes.
    printed = wait_for_end(runner, jvm)
    assert runner.returncode == EXIT_INTERRUPTED
    assert printed.endswith(b"error: interrupted: no results were written\n")


@pytest.mark.minicluster
@pytest.mark.slow
@needs_proc
def test_a_run_goes_on_once_when_its_worker_is_killed(started: Started, tmp_path: Path) -> None:
    output = tmp_path / "out"
    runner = started.runner("-m", "tools.cli", "run", "--out", str(output), *only())
    wait_until(lambda: workers_of(output), "a Python worker", lambda: runner.poll() is None)
    (jvm,) = jvms_of(output)
    started.groups.append(jvm)
    for worker in workers_of(output):
        os.kill(worker, signal.SIGKILL)
    printed = wait_for_end(runner, jvm)
    assert runner.returncode == 0, printed
    summary = json.loads((output / "summary.json").read_text())
    assert (summary["balanced"], summary["enriched"]) == (True, 9999)


def workers_of(output: Path) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (process / "cmdline").read_bytes().split(b"\0")
            is_worker = command[1:3] == [b"-m", b"pyflink.fn_execution.beam.beam_boot"]
            if is_worker and os.getpgid(int(process.name)) in jvms_of(output):
                found.append(int(process.name))
    return found


def jvms_of(output: Path) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            program, *options = (process / "cmdline").read_bytes().split(b"\0")
            logs = f"-Dlog.file={output}/.work/".encode()
            if program.endswith(b"java") and any(option.startswith(logs) for option in options):
                found.append(int(process.name))
    return found
