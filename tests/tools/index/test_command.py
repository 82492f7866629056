"""`./build.sh index` without a node: ids, credentials, and early refusals."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from flink_app.sql_files import output_files
from tests.support.rows import Row
from tools.cli import run_command
from tools.index.command import PASSWORD, USER, _client
from tools.index.load import DocumentIds, prepare
from tools.shell import EXIT_BAD_INPUT, EXIT_FAILED

OUTPUTS = {output.name: output for output in output_files()}
URL = "http://127.0.0.1:9200"


def ids(output: str, rows: list[Row]) -> list[str]:
    given_ids = DocumentIds(OUTPUTS[output])
    return [given_ids.of(row) for row in rows]


@given(st.lists(st.sampled_from("abc")))
def test_each_record_has_an_id_that_begins_with_its_event_id(event_ids: list[str]) -> None:
    made = ids("enriched", [{"event_id": one} for one in event_ids])
    assert len({*made}) == len(event_ids)
    assert [one.partition("-")[0] for one in made] == event_ids
    assert made == ids("enriched", [{"event_id": one, "host": "x"} for one in event_ids])
    assert {*made} >= {*event_ids}
    assert Counter(event_ids).total() == len(made)


def test_a_row_of_an_aggregate_is_known_by_window_and_names() -> None:
    window = {"window_start": "2015-05-17T10:05:00Z", "window_end": "2015-05-17T10:06:00Z"}
    page = {**window, "page_rank": 1, "webpage": "index", "requests": 6}
    (first,) = ids("top_pages", [page])
    assert ids("top_pages", [page | {"requests": 7, "page_rank": 2}]) == [first]
    for other in ({"webpage": None}, {"webpage": "home"}, {"window_start": "2015-05-17T10:04:00Z"}):
        assert ids("top_pages", [page | other]) != [first]
    alert = {**window, "alert": "probes", "subject": "x", "state": "started"}
    assert len({*ids("alerts", [alert, alert | {"state": "ended"}])}) == 2


def test_two_letters_are_one_only_if_they_are_equal() -> None:
    letter = {"stage": "parse", "reason": "x", "raw": None, "attempts": 1, "failed_at": "now"}
    (first,) = ids("dead_letters", [letter])
    assert ids("dead_letters", [letter, letter]) == [first, f"{first}-2"]
    for other in ({"attempts": 2}, {"failed_at": "then"}, {"raw": "y"}):
        assert ids("dead_letters", [letter | other]) != [first]


@pytest.mark.parametrize("plugin", ["opensearch-index-management", "another"])
def test_the_alias_to_roll_over_is_named_where_the_plugin_is(plugin: str) -> None:
    put: list[Any] = []
    client: Any = SimpleNamespace(
        cat=SimpleNamespace(plugins=lambda format: [{"component": plugin}]),  # noqa: A006
        indices=SimpleNamespace(
            put_index_template=lambda name, body: put.append(body),
            exists_alias=lambda name: True,
        ),
    )
    prepare(client, "weblog-alerts", OUTPUTS["alerts"])
    setting = put[0]["template"]["settings"].get("plugins.index_state_management.rollover_alias")
    assert setting == ("weblog-alerts" if plugin != "another" else None)


def authorization(region: str | None) -> str:
    """Returns the `Authorization` of a request of the client."""
    (connection,) = _client(URL, region).transport.connection_pool.connections
    request = requests.Request("GET", f"{URL}/_cat/plugins", data=b"")
    return str(connection.session.prepare_request(request).headers.get("Authorization", ""))


def test_requests_are_signed_for_aws(credentials: None) -> None:
    signed = authorization("eu-west-1")
    assert signed.startswith("AWS4-HMAC-SHA256 Credential=test/")
    assert "/eu-west-1/es/aws4_request" in signed


def test_a_user_and_a_password_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETRC", "/nonexistent")
    monkeypatch.delenv(USER, raising=False)
    assert authorization(None) == ""
    monkeypatch.setenv(USER, "someone")
    monkeypatch.setenv(PASSWORD, "s:cret")
    assert authorization(None) == requests.auth._basic_auth_str("someone", "s:cret")


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        (["--to", "http://user:password@127.0.0.1:9200"], EXIT_BAD_INPUT, "without a password"),
        (["--to", ""], EXIT_BAD_INPUT, "a URL such as"),
        (["--to", "localhost:9200"], EXIT_BAD_INPUT, "a URL such as http://localhost:9200"),
        (["--to", ""], EXIT_BAD_INPUT, "a URL such as http://localhost:9200"),
        (["--to", URL, "--prefix", "Weblog*"], EXIT_BAD_INPUT, "a letter first"),
        (["out", "--to", URL], EXIT_FAILED, "holds no finished run"),
    ],
)
def test_mistakes_are_reported_at_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    arguments: list[str],
    status: int,
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    assert run_command("index", arguments) == status
    told = capsys.readouterr().err
    assert reason in told
    assert "user:password" not in told


def test_nobody_answers(nobody: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("index", ["--to", nobody]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: OpenSearch at {nobody}: ")
    assert error.count("\n") == 1
