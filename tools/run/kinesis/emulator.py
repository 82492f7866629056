"""An emulator of AWS on this machine: moto's server in a process of its own.

Run as a module this file is that process. It lives as long as its standard input is open,
so it never outlives the command that started it, however that one ends.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING

from tools.shell import CommandError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_STOP_SECONDS = 5

REGION = "us-east-1"
"""Region used where the user has named none."""

CREDENTIALS: Mapping[str, str] = MappingProxyType(
    {"AWS_ACCESS_KEY_ID": "emulator", "AWS_SECRET_ACCESS_KEY": "emulator"}
)
"""An emulator takes any; the SDKs insist on having some."""

JOB_ENVIRONMENT: Mapping[str, str] = MappingProxyType({"CBOR_ENABLED": "false"})
"""What the job's JVM needs beside an emulator: it has to speak JSON, not CBOR."""


@contextmanager
def emulator(module: str = "tools.run.kinesis.emulator") -> Iterator[str]:
    """Runs an emulator on a free port of the loopback address and gives its URL.

    Args:
        module: What to run: this module, or one of a test that has calls refused.

    Raises:
        CommandError: The package moto is not installed, or its server does not start.
    """
    if importlib.util.find_spec("moto") is None:
        raise CommandError(
            "the emulator (moto) is not installed: run ./build.sh setup, or give --endpoint URL"
        )
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            # Ctrl-C is for the command; it ends the emulator last.
            start_new_session=True,
        )
        try:
            url = process.stdout.readline().strip() if process.stdout else ""
            if not url:
                process.wait()
                errors.seek(0)
                lines = errors.read().strip().splitlines() or ["it said nothing"]
                raise CommandError(f"the emulator did not start: {lines[-1]}")
            yield url
        finally:
            try:
                # Closes its input.
                process.communicate(timeout=_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class _OneAtATime:
    """moto's Kinesis loses records that are put at the same time, so calls take turns."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with self._lock:
            return list(self._application(environ, start_response))


def serve(change: Callable[[], None] = lambda: None) -> None:
    """Serves until standard input ends.

    Args:
        change: Changes moto more than users have it changed.
    """
    # moto takes a while to load, and only this process needs it.
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server  # noqa: PLC0415

    from tools.run.kinesis.moto_changes import change_moto  # noqa: PLC0415

    change_moto()
    change()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server(
        "127.0.0.1",
        0,
        _OneAtATime(DomainDispatcherApplication(create_backend_app)),
        threaded=True,
        request_handler=MotoRequestHandler,
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    serve()
