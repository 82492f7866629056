"""A job running in a mini-cluster: looked at while it runs, and ended with all its processes."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from types import FrameType, TracebackType
from typing import Self

from tools.local import cluster, ports
from tools.local.progress import JobProgress, RestClient
from udfs.errors import WebLogError

_STOP_SECONDS = 10
# A runner that is terminated, or whose terminal goes away, must not leave the JVM behind.
_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_SCRIPT_ENDED = "org.apache.flink.client.program.ProgramAbortException"
# The status of the script as Java tells it: of one that a signal ended, 128 and the signal.
_SCRIPT_STATUS = re.compile(r"Python process exits with code: (\d+)")
_SIGNAL_STATUS = 128
# What Flink says of a worker that has ended without a word: while it starts, and later. By which
# signal, PyFlink's script that starts it keeps to itself.
_WORKER_ENDED = re.compile(r"Process died with exit code|CANCELLED: client cancelled")
_SIGNALS_MEAN = {
    signal.SIGKILL: "which the system sends for want of memory",
    signal.SIGTERM: "which somebody has sent",
    signal.SIGABRT: "a crash",
    signal.SIGSEGV: "a crash",
    signal.SIGBUS: "a crash, mostly on a full disk",
}

# The unindented last line of a traceback: an exception's name without Java's packages. Py4J's
# says only that Java threw one, which follows it.
_PYTHON_ERROR = re.compile(r"(?!java|org|io|com|py4j|Caused)(\w+\.)*\w*(Error|Exception): ")
# Where an exception without a cause was thrown: says nothing of the reason.
_JAVA_FRAME = re.compile(r"\s+(at \S|\.\.\. \d+ more)")


class JobError(WebLogError):
    """The job failed, or its results do not add up."""


class RunningJob:
    """The job from its start to the end of its last process.

    As a context manager it starts the job, and stops what is left of it on the way out,
    also when the runner is interrupted or terminated.

    Args:
        options: What the service would decide.
        properties_file: The job's settings.
        main: The script that builds the job.
    """

    def __init__(
        self,
        options: cluster.ClusterOptions,
        properties_file: Path,
        main: Path = cluster.MAIN,
    ) -> None:
        self._options = options
        self._properties_file = properties_file
        self._main = main
        self._rest: RestClient | None = None
        self._failure: str | None = None

    def __enter__(self) -> Self:
        self._former = {number: signal.getsignal(number) for number in _ENDING_SIGNALS}
        for number, handler in self._former.items():
            # Ignored by whoever started the runner, as nohup does.
            if handler is not signal.SIG_IGN:
                signal.signal(number, _interrupt)
        try:
            self._process = self._start()
        except BaseException:
            self._restore_handlers()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.stop()
        finally:
            self._restore_handlers()

    @property
    def pid(self) -> int:
        """Returns the process id of the JVM, which leads the process group of the whole job."""
        return self._process.pid

    @property
    def log_file(self) -> Path:
        """Returns where the JVM and the Python workers log."""
        return self._options.log_file

    @property
    def running(self) -> bool:
        """Returns whether the job's process lives."""
        return self._process.poll() is None

    @property
    def rest_address(self) -> str | None:
        """Returns where Flink's REST interface is, as `address:port`; None until Flink listens."""
        rest = self._reached()
        return None if rest is None else rest.address

    def progress(self) -> JobProgress | None:
        """Returns the job's state, or None while it is not known."""
        rest = self._reached()
        progress = None if rest is None else rest.job_progress()
        if progress is not None:
            self._failure = progress.failure or self._failure
        return progress

    def wait(self, seconds: float) -> None:
        """Waits for the job's end, but no longer than so many seconds."""
        try:
            self._process.wait(seconds)
        except TimeoutExpired:
            return

    def drain(self) -> bool:
        """Asks Flink to end the job as if its input had ended; returns whether it was asked."""
        rest = self._reached()
        return rest is not None and rest.drain(self._options.work_directory / "savepoints")

    def stop(self) -> None:
        """Ends the job and every process it started; does nothing when they have ended.

        An interrupt meanwhile, of a user who has waited long enough, ends them at once.
        """
        try:
            if self.running and self._rest is not None and self._rest.cancel():
                self.wait(_STOP_SECONDS)
            if self._process.poll() is None:
                self._signal(signal.SIGTERM)
                self.wait(_STOP_SECONDS)
        finally:
            if self._process.poll() is None:
                self._signal(signal.SIGKILL)
                self.wait(_STOP_SECONDS)

    def check(self) -> None:
        """Looks at how the job ended.

        Raises:
            JobError: It failed; the innermost cause that Flink names is the message.
        """
        status = self._process.poll()
        if status != 0:
            raise self._error(status)

    def _signal(self, number: signal.Signals) -> None:
        # The JVM, main.py and the Python workers share a process group of their own.
        os.killpg(self.pid, number)

    def _restore_handlers(self) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _start(self) -> Popen[bytes]:
        return cluster.start(self._options, self._properties_file, self._main)

    def _reached(self) -> RestClient | None:
        if self._rest is None:
            address = ports.rest_address(self._rest_log)
            self._rest = None if address is None else RestClient(address)
        return self._rest

    @property
    def _rest_log(self) -> Path:
        """Returns the log of the JVM that serves Flink's REST interface."""
        return self._options.log_file

    def _error(self, status: int | None) -> JobError:
        return JobError(_explain(self._failure, self._options.log_file, status))


def _interrupt(signal_number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler
    raise KeyboardInterrupt


def _explain(failure: str | None, log_file: Path, status: int | None) -> str:
    if status is not None and status < 0:
        reason = _ended_by("Java process", -status)
    else:
        text = failure
        if text is None:
            printed = log_file.with_name("job.out")
            text = printed.read_text("utf-8", "replace") if printed.exists() else ""
        reason = reason_of(text) or f"exit status {status}"
    return f"the job failed: {reason} (log: {log_file})"


def reason_of(failure: str) -> str:
    """Returns the line that says best why a job failed; an empty text where there is none.

    Args:
        failure: What Flink tells of it, or what the job printed.
    """
    # What follows is Java's account of how the Python script ended, the script's own before it.
    text, _, after = failure.partition(_SCRIPT_ENDED)
    status = _SCRIPT_STATUS.search(after)
    if status is not None and int(status[1]) > _SIGNAL_STATUS:
        return _ended_by("Python process (main.py)", int(status[1]) - _SIGNAL_STATUS)
    lines = [
        line.rstrip()
        for line in (text or failure).splitlines()
        if line.strip() and not _JAVA_FRAME.match(line)
    ]
    # Our own errors say it best, then the last line of a Python traceback, then the last
    # cause of Java's chain.
    own = [line for line in lines if line.startswith(("udfs.errors.", "error: "))]
    python = [line for line in lines if _PYTHON_ERROR.match(line)]
    java = [line for line in lines if line.startswith((": ", "Caused by: "))]
    reason = (own or python or java or lines or [""])[-1].strip()
    if _WORKER_ENDED.search(reason):
        return "a Python worker was ended from outside, as the system does for want of memory"
    for prefix in ("error: ", ": ", "Caused by: "):
        reason = reason.removeprefix(prefix)
    return reason


def _ended_by(process: str, number: int) -> str:
    try:
        name = signal.Signals(number)
    except ValueError:
        return f"its {process} was ended by signal {number}"
    meaning = _SIGNALS_MEAN.get(name)
    return f"its {process} was ended by {name.name}" + (f", {meaning}" if meaning else "")
