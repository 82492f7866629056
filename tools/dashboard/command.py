"""`./build.sh dashboard`: a run in the browser, live while it goes and afterwards.

Usage: ./build.sh dashboard [--out DIR] [--port N] [--open]
"""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

from tools.dashboard.beside import wait_for_interrupt
from tools.dashboard.server import open_browser, serving
from udfs.errors import ConfigurationError


def run(options: argparse.Namespace) -> int:
    """Serves until Ctrl-C.

    Raises:
        ConfigurationError: An argument is wrong.
        CommandError: The port is in use.
    """
    _check(options)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with serving(options.out, options.port) as server:
        print(f"Dashboard of {options.out}: {server.url} (Ctrl-C ends it)", flush=True)
        if options.open:
            open_browser(server.url)
        wait_for_interrupt()
    return 0


def _check(options: argparse.Namespace) -> None:
    if not 0 <= options.port <= 65535:
        raise ConfigurationError("--port", None, str(options.port), "a port from 0 to 65535")
    if options.out.exists() and not options.out.is_dir():
        raise ConfigurationError("--out", None, str(options.out), "a folder")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=Path("out"),
        help="output folder of the run; default out",
    )
    parser.add_argument(
        "--port", metavar="N", type=int, default=0, help="port on 127.0.0.1 (default: a free one)"
    )
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
