"""The commands of `./build.sh`: `python -m tools.cli COMMAND [ARGUMENTS]`.

The module of a command is imported when the command is started. Its docstring is the help, and
it has `add_arguments(parser)` and `run(options)`, which returns the exit status and lets errors of
this project, errors of the operating system and Ctrl-C through. `tools/help.txt` shows all commands
and the exit statuses.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from tools.shell import (
    EXIT_BAD_INPUT,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_UNHEARD,
    flush_streams,
    print_error,
    provide_streams,
    spare_loopback_proxies,
)
from udfs.errors import ConfigurationError, WebLogError


@dataclass(frozen=True, slots=True)
class Command:
    """Where a command is, and what its end means.

    Attributes:
        module: Dotted name of the module.
        error_status: The exit status after a `WebLogError` that is no `ConfigurationError`.
        interrupted: The message after Ctrl-C.
        default: The sub-command to take where none is named.
    """

    module: str
    error_status: int = EXIT_FAILED
    interrupted: str = "interrupted"
    default: str = ""


COMMANDS = {
    "run": Command("tools.run.command", EXIT_BAD_INPUT, "interrupted: no results were written"),
    "sql": Command("tools.sql.command", EXIT_BAD_INPUT),
    "settings": Command("tools.settings_reference"),
    "geoip": Command("tools.geoip.command", interrupted="interrupted: nothing was changed"),
    "bench": Command("tools.bench.command", EXIT_BAD_INPUT),
    "dashboard": Command("tools.dashboard.command", EXIT_BAD_INPUT),
    "package": Command("tools.package.command"),
    "package-lambda": Command("tools.package.function"),
    "deploy": Command(
        "tools.deploy.command",
        interrupted="interrupted: the service goes on with what it was asked for",
        default="apply",
    ),
    "index": Command(
        "tools.index.command", interrupted="interrupted: load the run again, which doubles nothing"
    ),
    "replay": Command(
        "tools.replay.command", interrupted="interrupted: what was not sent is where it was"
    ),
    "size": Command("tools.size.command"),
}


def run_command(name: str, arguments: Sequence[str]) -> int:
    """Runs one of `COMMANDS`.

    Returns:
        The exit status: the command's own; 130 after Ctrl-C, 141 when nobody read the output.

    Raises:
        SystemExit: The arguments are wrong (status 2), or ask for help (0).
    """
    command = COMMANDS[name]
    try:
        status = _run(name, list(arguments))
    except BrokenPipeError:
        # As after `| head`.
        status = EXIT_UNHEARD
    except (WebLogError, OSError) as error:
        print_error(error)
        status = _status_of(error, command)
    except KeyboardInterrupt:
        print_error(command.interrupted)
        status = EXIT_INTERRUPTED
    except SystemExit as end:
        raise SystemExit(flush_streams(int(end.code or 0))) from None
    return flush_streams(status)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, as all errors are."""

    def error(self, message: str) -> NoReturn:
        """Ends the process with status 2."""
        print_error(f"{message}; see {self.prog} --help")
        self.exit(EXIT_BAD_INPUT)


def parser_of(name: str) -> argparse.ArgumentParser:
    """Returns the parser of the arguments of one of `COMMANDS`."""
    module: Any = importlib.import_module(COMMANDS[name].module)
    parser = _Parser(
        prog=f"./build.sh {name}",
        usage=argparse.SUPPRESS,  # it stands in the description
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    return parser


def parse(name: str, arguments: list[str]) -> argparse.Namespace:
    """Returns the options of one of `COMMANDS`.

    Raises:
        SystemExit: The arguments are wrong (status 2), or ask for help (0).
    """
    default = COMMANDS[name].default
    first = arguments[0] if arguments else "-"
    if default and first.startswith("-") and first not in {"-h", "--help"}:
        arguments = [default, *arguments]
    return parser_of(name).parse_args(arguments)


def _run(name: str, arguments: list[str]) -> int:
    options = parse(name, arguments)
    module: Any = importlib.import_module(COMMANDS[name].module)
    status: int = module.run(options)
    return status


def _status_of(error: Exception, command: Command) -> int:
    if isinstance(error, ConfigurationError):
        return EXIT_BAD_INPUT
    return command.error_status if isinstance(error, WebLogError) else EXIT_FAILED


def main() -> int:
    """Runs the command that this process was started with."""
    provide_streams()
    spare_loopback_proxies()
    name, *arguments = sys.argv[1:] or ("",)
    if name in COMMANDS:
        return run_command(name, arguments)
    print_error(f"unknown command {name!r}: expected {', '.join(COMMANDS)}")
    return EXIT_BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
