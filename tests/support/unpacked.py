"""Runs an unpacked package as AWS Lambda does.

Lambda's own loop around the handler (awslambdaric) speaks to the Runtime API of this module. The
interpreter knows only the standard library, the package's folder and a folder with the runtime's
packages (boto3 and that loop).
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.packages import link_distributions
from tests.support.waiting import PATIENCE_SECONDS

BARE_PYTHON = Path(sys.base_prefix) / "bin" / "python3.12"
_API = "/2018-06-01/runtime"
_RUNTIME_DISTRIBUTIONS = (
    "awslambdaric",
    "simplejson",
    "snapshot-restore-py",
    "boto3",
    "botocore",
    "jmespath",
    "python-dateutil",
    "s3transfer",
    "six",
    "urllib3",
)

# The launcher takes the place of `python -m awslambdaric`. It notes where modules come from, and
# refuses to write outside the temporary folder, as AWS's file system does. (Rights would not stop
# root, who may run the tests.) A thread waits for the end: a signal handler runs only between two
# steps of the main thread, and so never when the signal comes just before that thread blocks.
_LAUNCHER = """
import os, runpy, signal, sys, threading

task_root, runtime, temporary, modules_file, handler = sys.argv[1:]
sys.path[:] = [task_root, runtime, *sys.path]
writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT
changing = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "os.chmod"}

def allowed(path):
    if not isinstance(path, (str, bytes)):
        return True
    path = os.path.realpath(os.fsdecode(path))
    return path.startswith((temporary + os.sep, "/dev/")) or path == modules_file

def check(event, arguments):
    if event == "open" and arguments[2] & writing or event in changing:
        if not allowed(arguments[0]):
            raise PermissionError(30, "Read-only file system", arguments[0])

def end():
    signal.sigwait({signal.SIGTERM})
    with open(modules_file, "w") as file:
        for name, module in sorted(sys.modules.items()):
            file.write(f"{name}\\t{getattr(module, '__file__', None) or ''}\\n")
    os._exit(0)

sys.addaudithook(check)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
threading.Thread(target=end, daemon=True).start()
sys.argv = ["awslambdaric", handler]
runpy.run_module("awslambdaric", run_name="__main__")
"""


def link_runtime(folder: Path) -> Path:
    """Makes a folder of the packages that Lambda's Python runtime brings."""
    folder.mkdir()
    link_distributions(_RUNTIME_DISTRIBUTIONS, folder)
    return folder


@dataclass(frozen=True, slots=True)
class Result:
    """The end of an invocation: an answer, or the runtime's report of an error."""

    answer: Any
    error: Mapping[str, Any] | None
    size: int


class _RuntimeApi(ThreadingHTTPServer):
    """Hands out one event at a time and takes the answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _RequestHandler)
        self.events: queue.Queue[tuple[bytes, float] | None] = queue.Queue()
        self.results: queue.Queue[Result] = queue.Queue()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _RequestHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _RuntimeApi

    def do_GET(self) -> None:
        assert self.path == f"{_API}/invocation/next"
        event = self.server.events.get()
        if event is None:  # The test is over; the process is about to end.
            self.close_connection = True
            return
        body, timeout = event
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + timeout) * 1000)))
        self.send_header(
            "Lambda-Runtime-Invoked-Function-Arn",
            "arn:aws:lambda:eu-west-1:123456789012:function:weblog-transform",
        )
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.path.rpartition("/")[2]
        content = json.loads(body)
        if kind == "response":
            self.server.results.put(Result(content, None, len(body)))
        else:
            assert kind == "error"
            self.server.results.put(Result(None, content, len(body)))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        pass


class LocalFunction:
    """A running function."""

    def __init__(self, api: _RuntimeApi, output: Path) -> None:
        self._api = api
        self._output = output

    def invoke(self, event: Mapping[str, Any], *, timeout: float = 60) -> Result:
        """Gives the function an event, and `timeout` seconds to answer."""
        self._api.events.put((json.dumps(event).encode(), timeout))
        return self._api.results.get(timeout=PATIENCE_SECONDS)

    def start_error(self) -> Mapping[str, Any]:
        """Returns the error that the function reported at its start."""
        result = self._api.results.get(timeout=PATIENCE_SECONDS)
        assert result.error is not None
        return result.error

    def printed(self) -> str:
        """Returns the function's output so far."""
        return self._output.read_text(encoding="utf-8")

    def log(self) -> list[dict[str, Any]]:
        """Returns the log lines so far; every line of the output must be one."""
        return [json.loads(line) for line in self.printed().splitlines()]


@dataclass(frozen=True, slots=True)
class Place:
    """The folders of a function.

    Attributes:
        task_root: The unpacked package.
        runtime: The folder that `link_runtime()` makes.
        work: The folder for the output of the process; the function may write to `work/tmp`.
    """

    task_root: Path
    runtime: Path
    work: Path

    def modules(self) -> dict[str, str]:
        """Returns the file of each loaded module, after the end of the function."""
        rows = (self.work / "modules.tsv").read_text(encoding="utf-8").splitlines()
        return dict(row.split("\t") for row in rows)


@contextmanager
def running(
    place: Place, handler: str, environ: Mapping[str, str] | None = None
) -> Iterator[LocalFunction]:
    """Starts a function, and ends it with the block."""
    (place.work / "tmp").mkdir(parents=True)
    api = _RuntimeApi()
    server = threading.Thread(target=api.serve_forever, kwargs={"poll_interval": 0.05})
    server.start()
    output = place.work / "output.txt"
    command = [str(BARE_PYTHON), "-S", "-s", "-P", "-c", _LAUNCHER]
    command += [str(place.task_root), str(place.runtime), str((place.work / "tmp").resolve())]
    command += [str((place.work / "modules.tsv").resolve()), handler]
    try:
        with output.open("w") as opened:
            process = subprocess.Popen(
                command,
                cwd=place.task_root,
                env={
                    "PATH": "/usr/bin:/bin",
                    "TMPDIR": str(place.work / "tmp"),
                    "AWS_LAMBDA_RUNTIME_API": api.address,
                    "AWS_LAMBDA_FUNCTION_NAME": "weblog-transform",
                    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
                    "AWS_REGION": "eu-west-1",
                    "AWS_ACCESS_KEY_ID": "testing",
                    "AWS_SECRET_ACCESS_KEY": "testing",
                    "LAMBDA_TASK_ROOT": str(place.task_root),
                    "LANG": "en_US.UTF-8",
                    **(environ or {}),
                },
                stdin=subprocess.DEVNULL,
                stdout=opened,
                stderr=subprocess.STDOUT,
            )
        try:
            yield LocalFunction(api, output)
        finally:
            process.terminate()  # Lambda ends a function so.
            try:
                process.wait(timeout=PATIENCE_SECONDS)
            finally:
                process.kill()
                process.wait()
                api.events.put(None)
    finally:
        api.shutdown()
        api.server_close()
        server.join()
