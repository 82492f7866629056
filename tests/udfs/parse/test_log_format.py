"""A custom format, as the server's configuration has it."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.core import dead, enriched, enricher, grows_linearly
from udfs.config.core import CoreSettings
from udfs.errors import ConfigurationError, ValidationError
from udfs.parse.log_format import FormatError, compile_format

COMBINED = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"'
NGINX_MAIN = """
    '$remote_addr - $remote_user [$time_local] "$request" '
    '$status $body_bytes_sent "$http_referer" '
    '"$http_user_agent" "$http_x_forwarded_for"'
"""
NGINX_TIMED = """log_format timed escape=default '$remote_addr - $remote_user [$time_iso8601] '
    '"$request" $status $body_bytes_sent $request_time "$http_user_agent"';"""
START = '203.0.113.7 - frank [28/Oct/2025:10:15:30 +0000] "GET /a.php?x=1 HTTP/1.1" 200 1234'
LINE = f'{START} "http://example.com/b.html" "curl/8.5.0"'


def record(pattern: str, line: str, **parser: str) -> dict[str, Any]:
    settings = {key.replace("_", "."): text for key, text in parser.items()} | {"pattern": pattern}
    body: dict[str, Any] = json.loads(enriched(enricher({"weblog.parser": settings}), line).json)
    return body


@pytest.mark.parametrize(
    ("pattern", "line", "expected"),
    [
        (COMBINED, LINE, {"webpage": "a", "refering_page": "b", "request_time_ms": None}),
        (f"{COMBINED} %D", f"{LINE} 1234567", {"request_time_ms": 1235}),
        (f"{COMBINED} %T", f"{LINE} 2", {"request_time_ms": 2000}),
        (f"{COMBINED} %{{ms}}T", f"{LINE} 17", {"request_time_ms": 17}),
        (f"%v:%p {COMBINED}", f"shop.example:443 {LINE}", {"vhost": "shop.example"}),
        (
            r'LogFormat "%h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\"" combined',
            LINE,
            {"bytes": "1234", "browser": "curl"},
        ),
        (NGINX_MAIN, f'{LINE} "-"', {"browser": "curl", "host": "203.0.113.7"}),
        (
            NGINX_TIMED,
            '203.0.113.7 - - [2025-10-28T12:15:30+02:00] "GET / HTTP/2.0" 304 0 0.005 "curl/8"',
            {"event_time": "2025-10-28T10:15:30.000Z", "request_time_ms": 5, "bytes": "0"},
        ),
        (
            '$msec|$remote_addr|$request_method $request_uri|$status|"$http_user_agent"',
            '1761646530.123|203.0.113.7|GET /a b?c|200|"curl/8"',
            {"event_time": "2025-10-28T10:15:30.123Z", "request": "GET /a b?c"},
        ),
        (
            '%{%d/%b/%Y:%T}t.%{msec_frac}t %{%z}t %a %m "%U%q" %H %s',
            '28/Oct/2025:10:15:30.250 +0100 203.0.113.7 POST "/a.php?b=c" HTTP/1.1 201',
            {"event_time": "2025-10-28T09:15:30.250Z", "request": "POST /a.php?b=c HTTP/1.1"},
        ),
        (
            '[%{%Y-%m-%d %H:%M:%S}t] %h "%r" %s',
            '[2025-10-28 10:15:30] 203.0.113.7 "GET / HTTP/1.0" 200',
            {"event_time": "2025-10-28T10:15:30.000Z", "referer": None, "agent": None},
        ),
        (
            '%{usec}t %h "%r" %s',
            '1761646530123456 203.0.113.7 "GET / HTTP/1.0" 200',
            {"event_time": "2025-10-28T10:15:30.123Z"},
        ),
        (
            '%h\t%t\t"%r"\t%s',
            '203.0.113.7\t[28/Oct/2025:10:15:30 +0000]\t"GET / HTTP/1.0"\t200',
            {"path": "/"},
        ),
    ],
)
def test_formats(pattern: str, line: str, expected: dict[str, Any]) -> None:
    body = record(pattern, line)
    assert {name: body[name] for name in expected} == expected


def test_headers_and_variables_by_name() -> None:
    pattern = f'{COMBINED} "%{{X-Request-Id}}i" %{{unique_id}}e "%{{sid}}C"'
    line = f'{LINE} "7f3a" - "a \\"b\\""'
    body = record(pattern, line, extra_fields="X-Request-Id, unique_id, sid")
    assert body["extra"] == {"X-Request-Id": "7f3a", "unique_id": None, "sid": 'a \\"b\\"'}
    body = record(
        '$remote_addr [$time_local] "$request" $status $upstream_addr ${ssl_protocol}',
        f"{START.partition(' - ')[0]} {START.partition('frank ')[2][:-5]} 10.0.0.1:80 TLSv1.3",
        extra_fields="ssl_protocol",
    )
    assert body["extra"] == {"ssl_protocol": "TLSv1.3"}


def test_the_client_behind_a_proxy() -> None:
    settings = {"weblog.parser": {"pattern": NGINX_MAIN}, "weblog.client": {"source": "forwarded"}}
    line = LINE.replace("203.0.113.7", "10.0.0.9") + ' "198.51.100.7"'
    body = json.loads(enriched(enricher(settings), line).json)
    assert (body["host"], body["proxy"]) == ("198.51.100.7", "10.0.0.9")
    first = '$http_x_forwarded_for [$time_local] "$request" $status'
    line = '198.51.100.7, 10.0.0.9 [28/Oct/2025:10:15:30 +0000] "GET / HTTP/1.1" 200'
    settings["weblog.parser"] = {"pattern": first}
    assert json.loads(enriched(enricher(settings), line).json)["host"] == "198.51.100.7"


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ('%h %t "%r" %>s %Z', "%Z at character 16"),
        ('%h %t "%r" %>s %{x}Q', "%{x}Q at character 16"),
        ('%h %{%Q}t "%r" %s', "%Q in %{%Q}t at character 4"),
        ('%h %t "%r" %s %{hours}T', "%{hours}T at character 15"),
        ('%h%t "%r" %s', "a text between %h and %t at character 3"),
        ('%t "%r" %s', "a client"),
        ('%h "%r" %s', "a time"),
        ("%h %t %s", "a request"),
        ('%h %t "%r"', "a status"),
        ("no directive", "a client"),
        ("%", "% at character 1"),
    ],
)
def test_a_bad_format_says_what_and_where(pattern: str, problem: str) -> None:
    with pytest.raises(FormatError) as caught:
        compile_format(pattern)
    assert problem in caught.value.problem
    with pytest.raises(ConfigurationError) as refused:
        CoreSettings.load({"weblog.parser": {"pattern": pattern}})
    assert (refused.value.key, refused.value.value) == ("pattern", pattern)


def test_names_that_the_format_does_not_have() -> None:
    with pytest.raises(ConfigurationError) as caught:
        CoreSettings.load({"weblog.parser": {"pattern": COMBINED, "extra.fields": "X-Nothing"}})
    assert (caught.value.key, caught.value.value) == ("extra.fields", "X-Nothing")
    assert "Referer, User-Agent" in caught.value.expected


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (LINE.replace(" 200 ", " 099 "), "bad_status"),
        (LINE.replace(" 1234 ", " many "), "bad_size"),
        (LINE[:-1], "unterminated_quote"),
        (LINE.replace("[", ""), "malformed_line"),
        (LINE.replace("28/Oct", "32/Oct"), "bad_timestamp"),
        (LINE.replace("203.0.113.7", "<190>Nov"), "bad_client"),
    ],
)
def test_bad_lines(line: str, reason: str) -> None:
    using = enricher({"weblog.parser": {"pattern": COMBINED}})
    assert dead(using, line).letter.reason == reason


def test_it_reads_what_the_preset_reads() -> None:
    own = enricher({"weblog.parser": {"pattern": COMBINED}})
    for line in (LINE, LINE.replace("frank", "a b"), LINE.replace("/a.php", r"/\"\\\x41")):
        assert enriched(own, line).json == enriched(enricher(), line).json


@given(st.text("%$h{}tr>s\"' -[]aRefi\\,", max_size=40))
def test_any_format_compiles_or_is_refused(pattern: str) -> None:
    try:
        compiled = compile_format(pattern)
    except FormatError:
        return
    with contextlib.suppress(ValidationError):
        compiled.parse(LINE)


@pytest.mark.parametrize("piece", ['"', "\\", '\\"', " ", "a ", "[", "] ", '" "'])
@pytest.mark.parametrize("pattern", [f"{COMBINED} %D", NGINX_MAIN, '%{%T}t %h "%U%q" %s'])
def test_formats_take_time_in_proportion_to_the_line(pattern: str, piece: str) -> None:
    parse = compile_format(pattern).parse

    def work(text: str) -> None:
        with contextlib.suppress(ValidationError):
            parse(text)

    assert grows_linearly(work, lambda n: START[:60] + piece * n, 20_000)
