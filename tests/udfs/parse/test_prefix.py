"""The prefixes that shippers put in front of a line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.core import combined, dead, enriched, enricher, grows_linearly
from udfs.parse.prefix import without_prefix

LINE = combined()
PREFIXES = [
    # RFC 3164, as nginx and rsyslog write it, with and without its parts
    "<190>Nov 11 00:00:00 web1 nginx: ",
    "<190>Nov  1 00:00:00 web1 nginx: ",
    "Nov 11 00:00:00 web1 nginx[1234]: ",
    "Nov 11 00:00:00 web1 docker/web[77]: ",
    "2025-11-01T00:00:00.000000+00:00 web1 httpd[1]: ",
    "<134>nginx: ",
    "web1 nginx: ",
    # RFC 5424
    "<190>1 2025-11-01T00:00:00.000Z web1 nginx 1234 - - ",
    '<165>1 2003-10-11T22:14:15.003Z web1 nginx - ID47 [ex@1 iut="3" a="\\"]"][b@2 c="d"] ',
    # Heroku: Logplex's drain, with its count of bytes, and `heroku logs`
    "83 <40>1 2012-11-30T06:45:29+00:00 host app web.3 - ",
    "2012-11-30T06:45:29.123456+00:00 app[web.1]: ",
    # containerd and CRI-O
    "2025-11-01T00:00:00.000Z stdout F ",
    "2016-10-06T00:17:09.669794202+02:00 stderr F ",
    # Docker Compose
    "web_1 | ",
    "web-1      | ",
    # a time in front
    "2025-11-01T00:00:00.123456789Z ",
]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    "fields",
    [{}, {"user": "frank"}, {"host": "crawl-66.example.com"}, {"host": "2001:db8::1"}],
)
def test_the_line_behind_it_is_read(prefix: str, fields: dict[str, str]) -> None:
    line = combined(**fields)
    expected = json.loads(enriched(enricher(), line).json)
    record = json.loads(enriched(enricher(), prefix + line).json)
    del expected["event_id"], record["event_id"]
    assert record == expected


@pytest.mark.parametrize("prefix", PREFIXES)
def test_it_stays_when_the_settings_say_so(prefix: str) -> None:
    letter = dead(enricher({"weblog.parser": {"prefix": "none"}}), prefix + LINE).letter
    assert letter.stage == "parse"
    assert letter.raw == (prefix + LINE).encode()


@pytest.mark.parametrize("prefix", PREFIXES)
def test_what_remains_must_be_a_line(prefix: str) -> None:
    letter = dead(enricher(), f"{prefix}worker process 17 exited").letter
    assert (letter.stage, letter.raw) == ("parse", f"{prefix}worker process 17 exited".encode())


def test_what_is_wrong_with_the_line_behind_it_is_the_reason() -> None:
    late = combined(timestamp="31/Dec/2099:23:59:59 +0000")
    assert dead(enricher(), f"web1 nginx: {late}").letter.reason == "timestamp_in_future"


@given(st.text(max_size=80))
def test_any_text(text: str) -> None:
    inner = without_prefix(text)
    assert inner is None or (text.endswith(inner) and 0 < len(inner) < len(text))


@pytest.mark.parametrize(
    "make",
    [
        lambda n: "<1>1 " + "a " * n,
        lambda n: "<1>1 a a a a a " + "[" * n,
        lambda n: "<1>1 a a a a a " + '[a="' * n,
        lambda n: "<1>1 a a a a a " + "[a]" * n,
        lambda n: "a" * n,
        lambda n: "a " * n,
        lambda n: "a[" * n,
        lambda n: "a" + " " * n + "|",
        lambda n: "2025-11-01T" + "0:" * n,
    ],
)
def test_it_takes_time_in_proportion_to_the_line(make: object) -> None:
    assert callable(make)
    assert grows_linearly(without_prefix, make, 20_000)
