"""The formats of load balancers, CloudFront and JSON logs, with documented lines."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.core import dead, enriched, enricher, filtered, grows_linearly
from udfs.config.core import CoreSettings
from udfs.enrichment import Enricher
from udfs.errors import ConfigurationError, ValidationError
from udfs.parse import alb, cloudfront
from udfs.parse.access_log import escape, unescape
from udfs.parse.formats import preset


def using(**parser: str) -> Enricher:
    return enricher(
        {"weblog.parser": {key.replace("_", "."): text for key, text in parser.items()}}
    )


def record(with_format: Enricher, line: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(enriched(with_format, line).json)
    return body


# --- Application Load Balancer -------------------------------------------------------------------

ALB = (
    "https 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 192.168.131.39:2817 "
    "10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "
    '"GET https://www.example.com:443/shop/item.php?id=7 HTTP/1.1" '
    '"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0" '
    "ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 "
    "arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/my-targets/73e2d6bc24d8a067 "
    '"Root=1-58337281-1d84f3d73c47ec4e58577259" "www.example.com" '
    '"arn:aws:acm:us-east-2:123456789012:certificate/12345678-1234-1234-1234-123456789012" 1 '
    '2018-07-02T22:22:48.364000Z "authenticate,forward" "-" "-" "10.0.0.1:80" "200" "-" "-" '
    "TID_dc57cebed65b444ebc8177bb698fe166"
)


def test_alb() -> None:
    body = record(using(format="alb"), ALB)
    assert (body["host"], body["vhost"]) == ("192.168.131.39", "www.example.com")
    assert body["request"] == "GET https://www.example.com:443/shop/item.php?id=7 HTTP/1.1"
    assert (body["webpage"], body["response"], body["bytes"]) == ("item", "200", "57")
    assert (body["browser"], body["referer"]) == ("Firefox", None)
    assert (body["datetime"], body["event_time"]) == (
        "2018-07-02T22:23:00.186641Z",
        "2018-07-02T22:23:00.186Z",
    )
    assert body["request_time_ms"] == 171


def test_alb_without_a_target() -> None:
    line = ALB.replace("0.086 0.048 0.037 200 200", "-1 -1 -1 504 -").replace("10.0.0.1:80", "-")
    body = record(using(format="alb"), line)
    assert (body["response"], body["request_time_ms"]) == ("504", None)


@pytest.mark.parametrize("time", ["-0.5", "inf", "nan", "1e300", "9" * 400])
def test_what_can_be_no_time_is_none(time: str) -> None:
    """Such a text would fail the job, as SQL has no integer for it."""
    line = ALB.replace("0.086 0.048 0.037", f"{time} {time} {time}")
    assert record(using(format="alb"), line)["request_time_ms"] is None
    line = STANDARD.replace("\t0.001\t203", f"\t{time}\t203")
    assert record(using(format="cloudfront"), line)["request_time_ms"] is None


@pytest.mark.parametrize(
    ("parser", "has"),
    [
        ({"format": "combined"}, False),
        ({"format": "combined_xff"}, False),
        ({"format": "alb"}, True),
        ({"format": "cloudfront"}, True),
        ({"format": "cloudfront_realtime"}, True),
        (
            {
                "format": "cloudfront_realtime",
                "fields": "timestamp, c-ip, sc-status, cs-method, cs-uri-stem",
            },
            False,
        ),
        ({"format": "json"}, True),
        ({"format": "json", "json.fields": "client=a, time=b, status=c"}, False),
        ({"format": "json", "json.fields": "client=a, time=b, status=c, duration=d"}, True),
        ({"pattern": '%h %l %u %t "%r" %>s %b'}, False),
        ({"pattern": '%h %l %u %t "%r" %>s %b %D'}, True),
        ({"pattern": '$remote_addr [$time_local] "$request" $status $request_time'}, True),
    ],
)
def test_a_format_knows_whether_it_has_request_times(parser: dict[str, str], has: bool) -> None:
    settings = CoreSettings.load({"weblog.parser": parser})
    assert settings.parser.log_format().has_request_time is has


@pytest.mark.parametrize(
    ("client", "host"),
    [
        ("2001:db8::7:51234", "2001:db8::7"),
        ("[2001:db8::7]:51234", "2001:db8::7"),
        ("203.0.113.7:1", "203.0.113.7"),
    ],
)
def test_clients_of_alb(client: str, host: str) -> None:
    assert record(using(format="alb"), ALB.replace("192.168.131.39:2817", client))["host"] == host


def test_older_and_later_lines_of_alb() -> None:
    parse = alb.parser()
    older = ALB.partition(" ECDHE")[0]
    assert parse(older).agent == parse(ALB).agent == parse(f'{ALB} "new" field').agent
    assert parse(older).vhost is None


def test_extra_fields_of_alb() -> None:
    body = record(using(format="alb", extra_fields="target_status_code, error_reason"), ALB)
    assert body["extra"] == {"target_status_code": "200", "error_reason": None}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (ALB.replace(" 200 200 ", " 000 200 "), "bad_status"),
        (ALB.replace(" 0 57 ", " 0 x "), "bad_size"),
        (ALB.replace('"GET', "GET"), "malformed_line"),
        ("http 2018-07-02", "malformed_line"),
    ],
)
def test_bad_lines_of_alb(line: str, reason: str) -> None:
    assert dead(using(format="alb"), line).letter.reason == reason


# --- CloudFront ----------------------------------------------------------------------------------

HEADER = "#Version: 1.0\n#Fields: " + " ".join(cloudfront.STANDARD_FIELDS)
STANDARD = (
    "2019-12-04\t21:02:31\tLAX1\t392\t192.0.2.100\tGET\td111111abcdef8.cloudfront.net\t/index.html"
    "\t200\t-\tMozilla/5.0%20(Windows%20NT%2010.0;%20Win64;%20x64)%20AppleWebKit/537.36%20(KHTML,"
    "%20like%20Gecko)%20Chrome/78.0.3904.108%20Safari/537.36\ta=1&b=%2520\t-\tHit"
    "\tSOX4xwn4XV6Q4rgb7XiVGOHms_BGlTAC4KyHmureZmBNrjGdRLiNIQ==\twww.example.com\thttps\t23\t0.001"
    "\t203.0.113.7,%2010.1.1.1\tTLSv1.2\tECDHE-RSA-AES128-GCM-SHA256\tHit\tHTTP/2.0\t-\t-\t11040"
    "\t0.001\tHit\ttext/html\t78\t-\t-"
)


def test_cloudfront_standard_logs() -> None:
    body = record(using(format="cloudfront"), STANDARD)
    assert (body["host"], body["vhost"]) == ("192.0.2.100", "www.example.com")
    assert body["request"] == "GET /index.html?a=1&b=%2520 HTTP/2.0"
    assert (body["browser"], body["os"], body["referer"]) == ("Chrome", "Windows", "-")
    assert (body["bytes"], body["request_time_ms"]) == ("392", 1)
    assert (body["datetime"], body["event_time"]) == (
        "2019-12-04 21:02:31",
        "2019-12-04T21:02:31.000Z",
    )


def test_comments_are_no_events() -> None:
    for line in HEADER.split("\n"):
        assert filtered(using(format="cloudfront"), line).reason == "comment_line"
    tabs = "#Fields:\t" + "\t".join(cloudfront.STANDARD_FIELDS)
    assert filtered(using(format="cloudfront"), tabs).reason == "comment_line"


def test_agents_that_are_encoded_twice() -> None:
    agent = record(using(format="cloudfront"), STANDARD.replace("%20", "%2520"))["agent"]
    assert agent.startswith("Mozilla/5.0 (Windows NT 10.0; Win64; x64)")


REALTIME_FIELDS = "timestamp c-ip sc-status cs-method cs-uri-stem cs-user-agent cs-referer sc-bytes"
REALTIME = (
    "1573232346.123\t203.0.113.7\t404\tGET\t/missing.html?x=1\tcurl/8.5.0"
    "\thttps://example.com/a.html\t312"
)


def test_cloudfront_realtime_logs() -> None:
    fields = ", ".join(REALTIME_FIELDS.split())
    body = record(using(format="cloudfront_realtime", fields=fields), REALTIME)
    assert (body["host"], body["response"], body["bytes"]) == ("203.0.113.7", "404", "312")
    assert (body["webpage"], body["refering_page"]) == ("missing", "a")
    assert (body["datetime"], body["event_time"]) == (
        "1573232346.123",
        "2019-11-08T16:59:06.123Z",
    )
    assert (body["protocol"], body["vhost"], body["request_time_ms"]) == (None, None, None)


def test_all_fields_of_realtime_logs() -> None:
    values = dict.fromkeys(cloudfront.REALTIME_FIELDS, "-") | {
        "timestamp": "1573232346.123",
        "c-ip": "203.0.113.7",
        "sc-status": "200",
        "cs-method": "GET",
        "cs-uri-stem": "/a",
        "time-taken": "0.250",
        "asn": "64500",
    }
    body = record(
        using(format="cloudfront_realtime", extra_fields="asn, c-country"),
        "\t".join(values.values()),
    )
    assert body["request_time_ms"] == 250
    assert body["extra"] == {"asn": "64500", "c-country": None}


@pytest.mark.parametrize(
    "line",
    [STANDARD.replace("\t", " "), "a\t" * 40, STANDARD.partition("/index")[0], "2019-12-04"],
)
def test_bad_lines_of_cloudfront(line: str) -> None:
    assert dead(using(format="cloudfront"), line).letter.stage == "parse"


# --- JSON ----------------------------------------------------------------------------------------

NGINX = {
    "time_iso8601": "2025-10-28T12:15:30+02:00",
    "remote_addr": "203.0.113.7",
    "remote_user": "",
    "request": 'GET /a"b.php?q=\\ HTTP/1.1',
    "status": "200",
    "body_bytes_sent": 612,
    "http_referer": "https://www.google.com/",
    "http_user_agent": "curl/8.5.0",
    "request_time": "0.123",
    "host": "shop.example",
}
CADDY = {
    "level": "info",
    "ts": 1646861401.5241024,
    "logger": "http.log.access",
    "msg": "handled request",
    "request": {
        "remote_ip": "203.0.113.7",
        "remote_port": "41342",
        "client_ip": "203.0.113.7",
        "proto": "HTTP/2.0",
        "method": "GET",
        "host": "localhost",
        "uri": "/a.html?x=1",
        "headers": {"User-Agent": ["curl/7.82.0"], "Referer": ["https://example.com/b"]},
    },
    "bytes_read": 0,
    "user_id": "",
    "duration": 0.000929675,
    "size": 10900,
    "status": 200,
}
TRAEFIK = {
    "ClientAddr": "203.0.113.7:56789",
    "ClientHost": "203.0.113.7",
    "ClientUsername": "-",
    "DownstreamContentSize": 19,
    "DownstreamStatus": 404,
    "Duration": 1_250_000,
    "RequestHost": "localhost",
    "RequestMethod": "GET",
    "RequestPath": "/a.html",
    "RequestProtocol": "HTTP/1.1",
    "StartUTC": "2025-10-28T10:15:30.123456789Z",
    "request_User-Agent": "curl/8.5.0",
}
ENVOY = {
    "start_time": "2025-10-28T10:15:30.123Z",
    "method": "GET",
    "path": "/a.html",
    "protocol": "HTTP/1.1",
    "response_code": 200,
    "bytes_sent": 5,
    "duration": 12,
    "user_agent": "curl/8.5.0",
    "authority": "shop.example",
    "downstream_remote_address": "203.0.113.7:41342",
    "x_forwarded_for": "198.51.100.7",
}


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (NGINX, ('GET /a\\"b.php?q=\\\\ HTTP/1.1', "200", "612", 123, "shop.example")),
        (CADDY, ("GET /a.html?x=1 HTTP/2.0", "200", "10900", 1, "localhost")),
        (TRAEFIK, ("GET /a.html HTTP/1.1", "404", "19", 1, "localhost")),
        (ENVOY, ("GET /a.html HTTP/1.1", "200", "5", 12, "shop.example")),
    ],
    ids=["nginx", "caddy", "traefik", "envoy"],
)
def test_json_of_known_servers(shape: dict[str, Any], expected: tuple[object, ...]) -> None:
    body = record(using(format="json"), json.dumps(shape))
    names = ("request", "response", "bytes", "request_time_ms", "vhost")
    assert tuple(body[name] for name in names) == expected
    assert (body["host"], body["browser"]) == ("203.0.113.7", "curl")
    assert body["event_time"].endswith("Z")


def test_json_as_a_shipper_wraps_it() -> None:
    wrapped = json.dumps({"log": json.dumps(NGINX) + "\n", "stream": "stdout"})
    assert record(using(format="json"), wrapped)["host"] == "203.0.113.7"
    prefixed = "<190>Nov 11 00:00:00 web1 nginx: " + json.dumps(NGINX)
    assert record(using(format="json"), prefixed)["host"] == "203.0.113.7"


def test_names_of_one_s_own() -> None:
    shape = {"who": {"ip": "203.0.113.7"}, "at": 1646861401524, "code": 200, "x": {"y": [1, 2]}}
    own = using(
        format="json",
        json_fields="client=who.ip, time=at, status=code",
        extra_fields="x.y, nothing",
    )
    body = record(own, json.dumps(shape))
    assert (body["host"], body["event_time"]) == ("203.0.113.7", "2022-03-09T21:30:01.524Z")
    assert body["extra"] == {"x.y": "1", "nothing": None}
    assert (body["request"], body["agent"], body["referer"]) == ("-", None, None)
    assert dead(own, json.dumps(NGINX)).letter.reason == "unknown_object"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("not json", "malformed_line"),
        ("[1]", "malformed_line"),
        (json.dumps(NGINX)[:-1], "malformed_line"),
        (json.dumps(NGINX | {"status": 99}), "bad_status"),
        (json.dumps(NGINX | {"status": True}), "unknown_object"),
        (json.dumps(NGINX | {"body_bytes_sent": -5}), "bad_size"),
        (json.dumps(NGINX | {"remote_addr": "a b"}), "bad_client"),
        (json.dumps(NGINX | {"time_iso8601": "2025-13-28T12:15:30Z"}), "bad_timestamp"),
    ],
)
def test_bad_lines_of_json(line: str, reason: str) -> None:
    assert dead(using(format="json"), line).letter.reason == reason


# --- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parser", "key"),
    [
        ({"format": "alb", "fields": "timestamp"}, "fields"),
        ({"format": "cloudfront_realtime", "fields": "timestamp, c-ip"}, "fields"),
        ({"json.fields": "client=ip, time=ts, status=code"}, "json.fields"),
        ({"format": "json", "json.fields": "client=ip"}, "json.fields"),
        ({"format": "json", "json.fields": "colour=red"}, "json.fields"),
        ({"format": "alb", "extra.fields": "nonsense"}, "extra.fields"),
        ({"extra.fields": "anything"}, "extra.fields"),
        ({"format": "iis"}, "format"),
        ({"format": "alb", "pattern": "%h"}, "format"),
        ({"pattern": "%h"}, "pattern"),
    ],
)
def test_bad_settings_name_their_key(parser: dict[str, str], key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        CoreSettings.load({"weblog.parser": parser})
    assert (caught.value.group, caught.value.key) == ("weblog.parser", key)


# --- properties ----------------------------------------------------------------------------------


@given(st.text())
def test_escaping_is_undone_by_unescaping(text: str) -> None:
    escaped = escape(text)
    assert unescape(escaped) == text
    assert '"' not in escaped.replace('\\"', "")
    assert not any(ord(char) < 0x20 for char in escaped)


@pytest.mark.parametrize("name", ["alb", "cloudfront", "cloudfront_realtime", "json"])
@given(line=st.text(max_size=80) | st.text('\t "\\-0:.{}[]#aA', max_size=80))
def test_any_line_is_read_or_refused(name: Any, line: str) -> None:
    with contextlib.suppress(ValidationError):
        preset(name).parse(line)


@pytest.mark.parametrize("name", ["alb", "cloudfront", "json"])
@pytest.mark.parametrize("piece", ['"', "\\", '\\"', " ", "\t", "a ", '" "', "{", '{"a":'])
def test_formats_take_time_in_proportion_to_the_line(name: Any, piece: str) -> None:
    parse = preset(name).parse

    def work(text: str) -> None:
        with contextlib.suppress(ValidationError):
            parse(text)

    assert grows_linearly(work, lambda n: ALB[:40] + piece * n, 20_000)
