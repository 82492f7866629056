"""`./build.sh settings`: every setting, as the tables of docs/configuration.md.

Usage: ./build.sh settings [GROUP]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter

from flink_app.connector import TYPE_KEY
from flink_app.settings import DEFAULT_SINK_KEY, OFF, OUTPUTS_GROUP, job_settings
from flink_app.sinks import SINK_TYPES
from flink_app.sources import SOURCE_TYPES
from flink_app.sql_files import output_files
from tools.shell import EXIT_BAD_INPUT, print_error
from udfs.config.input import EnvelopeSettings
from udfs.config.properties import Setting

_HEADER = "| key | default | accepted | meaning |\n|---|---|---|---|"


def tables() -> list[str]:
    """Returns a Markdown table for each property group, in the order in which they are declared."""
    fixed = [setting for setting in job_settings() if not setting.group.startswith("weblog.source")]
    parts = [table("`weblog.source`, whatever its `type`", EnvelopeSettings.settings())]
    parts += [table(f"`{name}`", group) for name, group in groupby(fixed, attrgetter("group"))]
    parts += [
        table(f"`weblog.source` with `type` = `{name}`", kind.settings())
        for name, kind in SOURCE_TYPES.items()
    ]
    parts += [
        table(f"`weblog.sink.<name>` with `type` = `{name}`", kind.settings())
        for name, kind in SINK_TYPES.items()
    ]
    parts.append(_outputs())
    return parts


def table(title: str, settings: Iterable[Setting]) -> str:
    """Returns a Markdown table of settings below a title."""
    rows = "\n".join(
        f"| `{setting.key}` | {_code(setting.default)} | {_cell(setting.expectation)} "
        f"| {_cell(setting.description)} |"
        for setting in settings
        if setting.key != TYPE_KEY
    )
    return f"**{title}**\n\n{_HEADER}\n{rows}" if rows else f"**{title}**: nothing else."


def _outputs() -> str:
    files = output_files()
    names = ", ".join(f"`{output.name}`" for output in files)
    timed = ", ".join(f"`{output.name}`" for output in files if output.needs_request_times)
    return (
        f"**`{OUTPUTS_GROUP}`**: for each output the name of its sink or `{OFF}`; "
        f"`{DEFAULT_SINK_KEY}` stands for those of the stage that are not named, and for {timed} "
        f"where the log format has request times. Outputs: {names}."
    )


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument(
        "group", nargs="?", default="", metavar="GROUP", help="a group, or a part of its name"
    )


def run(options: argparse.Namespace) -> int:
    """Prints the tables, or those whose title names the group."""
    parts = [part for part in tables() if options.group in part.partition("\n")[0]]
    if not parts:
        print_error(f"no group {options.group!r}; without a name all are printed")
        return EXIT_BAD_INPUT
    print("\n\n".join(parts))
    return 0
