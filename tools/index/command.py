"""`./build.sh index`: loads a finished run's results into OpenSearch.

Usage: ./build.sh index [OUT] --to URL [OPTIONS]

Puts an index template for each output, makes the indices, and loads the rows of the run in the
folder OUT. Each output has an alias of its own: weblog-enriched, weblog-errors_per_page ... Loading
the same run again changes nothing. Without OUT only templates and indices are made, as Firehose
needs them.

Basic authentication takes WEBLOG_OPENSEARCH_USER and WEBLOG_OPENSEARCH_PASSWORD from the
environment; --aws signs with the credentials that the AWS command line uses.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from opensearchpy import OpenSearch, RequestsAWSV4SignerAuth, RequestsHttpConnection
from opensearchpy.exceptions import ConnectionError as NoConnection
from opensearchpy.exceptions import OpenSearchException

from flink_app.sql_files import OutputFile, output_files
from tools.index.load import LoadCounts, load, prepare
from tools.local.results import SUMMARY_FILE
from tools.local.text import shown
from tools.options import read_option, url_option
from tools.shell import EXIT_FAILED, CommandError, print_error
from udfs.config.properties import Parser
from udfs.errors import ConfigurationError

USER = "WEBLOG_OPENSEARCH_USER"
PASSWORD = "WEBLOG_OPENSEARCH_PASSWORD"  # noqa: S105 - the name of a variable
_PREFIX = re.compile(r"[a-z][a-z0-9_-]{0,40}")
_TIMEOUT_SECONDS = 60
_RETRIES = 5
_REASONS_SHOWN = 5
_PROGRESS_ROWS = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    names = [output.name for output in output_files()]
    parser.add_argument("out", nargs="?", type=Path, metavar="OUT", help="results of a run")
    parser.add_argument("--to", required=True, metavar="URL", help="where OpenSearch is")
    parser.add_argument(
        "--prefix", metavar="NAME", default="weblog", help="start of the names of indices"
    )
    parser.add_argument(
        "--only", action="append", choices=names, metavar="OUTPUT", help="an output; repeatable"
    )
    parser.add_argument("--aws", metavar="REGION", help="sign requests for a domain of AWS")


def run(options: argparse.Namespace) -> int:
    """Makes the indices and loads the rows.

    Returns:
        0; 1 when a row was refused.

    Raises:
        WebLogError: There is no finished run, an option is wrong, or OpenSearch doesn't answer.
    """
    url = _url(options.to)
    prefix = read_option("--prefix", options.prefix, _prefix())
    rows = {} if options.out is None else _finished(options.out)
    chosen = [output for output in output_files() if output.name in (options.only or [output.name])]
    # A refused request is reported below; the client would log it too.
    logging.getLogger("opensearch").setLevel(logging.CRITICAL)
    client = _client(url, options.aws)
    with _answering(url):
        for output in chosen:
            prepare(client, f"{prefix}-{output.name}", output)
        if options.out is None:
            print(f"templates and indices of {len(chosen)} outputs are there: {prefix}-*")
            return 0
        outputs = [output for output in chosen if output.name in rows]
        return _load(client, prefix, outputs, options.out, rows)


def _load(
    client: OpenSearch, prefix: str, outputs: Sequence[OutputFile], out: Path, rows: dict[str, int]
) -> int:
    complete = True
    for output in outputs:
        alias = f"{prefix}-{output.name}"
        loaded = LoadCounts()
        for loaded in load(client, alias, output, out / output.name):
            _show_progress(loaded, alias)
        _end_progress()
        print(f"{loaded.new + loaded.known:>12,}  {alias}  ({loaded.new:,} new)")
        if loaded.rows != rows[output.name]:
            raise CommandError(
                f"{out / output.name} holds {loaded.rows:,} rows and {SUMMARY_FILE} says "
                f"{rows[output.name]:,}: the run was changed or replaced meanwhile"
            )
        _report_refused(alias, loaded)
        complete = complete and not loaded.refused
        client.indices.refresh(index=alias)
    return 0 if complete else EXIT_FAILED


def _report_refused(alias: str, loaded: LoadCounts) -> None:
    if not loaded.refused:
        return
    total = loaded.refused.total()
    print_error(f"{alias} refused {total:,} rows, the first {shown(loaded.example, 300)}")
    for reason, count in loaded.refused.most_common(_REASONS_SHOWN):
        print_error(f"{count:,} times {shown(reason, 300)}")


def _show_progress(loaded: LoadCounts, alias: str) -> None:
    if sys.stderr.isatty() and loaded.rows % _PROGRESS_ROWS == 0:
        print(f"\r\x1b[K{loaded.rows:>12,}  {alias}", end="", file=sys.stderr, flush=True)


def _end_progress() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _finished(out: Path) -> dict[str, int]:
    """Returns the rows of each output of a finished run.

    Raises:
        CommandError: The folder holds none.
    """
    try:
        outputs: dict[str, int] = json.loads((out / SUMMARY_FILE).read_bytes())["outputs"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(f"{out} holds no finished run: no whole {SUMMARY_FILE}") from error
    return outputs


# --- the client ------------------------------------------------------------------------


def _client(url: str, region: str | None) -> OpenSearch:
    auth: Any = None
    if region is not None:
        credentials = boto3.Session().get_credentials()
        if credentials is None:
            raise CommandError("--aws: there are no AWS credentials")
        auth = RequestsAWSV4SignerAuth(credentials, region)
    elif os.environ.get(USER):
        auth = (os.environ[USER], os.environ.get(PASSWORD, ""))
    return OpenSearch(
        url,
        http_auth=auth,
        # Unlike the default it goes through the environment's proxies, this machine excepted
        # (tools/shell.py).
        connection_class=RequestsHttpConnection,
        timeout=_TIMEOUT_SECONDS,
        max_retries=_RETRIES,
        # Nothing is doubled by it: rows have ids.
        retry_on_timeout=True,
    )


@contextmanager
def _answering(url: str) -> Iterator[None]:
    try:
        yield
    except OpenSearchException as error:
        # That of a connection tells everything twice.
        reason = error.error if isinstance(error, NoConnection) else error
        raise CommandError(f"OpenSearch at {url}: {shown(reason, 300)}") from error


def _url(value: str) -> str:
    expected = f"a URL such as http://localhost:9200, without a password ({PASSWORD})"
    if "@" in value:
        # The message must not show it.
        raise ConfigurationError("--to", None, None, expected)
    return url_option("--to", value, expected)


def _prefix() -> Parser[str]:
    def read(value: str) -> str:
        if not _PREFIX.fullmatch(value):
            raise ValueError
        return value

    return Parser(read, "1 to 41 of the characters a-z 0-9 _ -, a letter first")
