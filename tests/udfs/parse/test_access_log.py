import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.core import combined, grows_linearly
from udfs.errors import ValidationError
from udfs.parse.access_log import ApacheFormat, LogLine, parser_for, unescape

FORMATS: tuple[ApacheFormat, ...] = ("combined", "common", "vhost_combined", "combined_xff")
PLAIN = LogLine(
    vhost=None,
    host="203.0.113.42",
    ident="-",
    user="-",
    timestamp="28/Oct/2025:10:15:30 +0000",
    request="GET /product.php HTTP/1.1",
    status="200",
    size="1234",
    referer="http://example.com/search.php",
    agent="Mozilla/5.0",
    forwarded_for=None,
)
START = '203.0.113.42 - - [28/Oct/2025:10:15:30 +0000] "GET /product.php HTTP/1.1" 200 1234'
FULL = f'{START} "http://example.com/search.php" "Mozilla/5.0"'


@pytest.mark.parametrize(
    ("log_format", "line", "expected"),
    [
        ("combined", FULL, PLAIN),
        ("common", START, PLAIN._replace(referer=None, agent=None)),
        (
            "vhost_combined",
            f"www.example.com:443 {FULL}",
            PLAIN._replace(vhost="www.example.com:443"),
        ),
        (
            "combined_xff",
            f'{FULL} "198.51.100.7, 10.0.0.1"',
            PLAIN._replace(forwarded_for="198.51.100.7, 10.0.0.1"),
        ),
        ("combined_xff", f'{FULL} "-"', PLAIN._replace(forwarded_for="-")),
    ],
)
def test_formats(log_format: ApacheFormat, line: str, expected: LogLine) -> None:
    assert parser_for(log_format)(line) == expected


@pytest.mark.parametrize("log_format", FORMATS)
@pytest.mark.parametrize("other", FORMATS)
def test_a_line_of_another_format_is_malformed(
    log_format: ApacheFormat, other: ApacheFormat
) -> None:
    lines = {
        "combined": FULL,
        "common": START,
        "vhost_combined": f"www.example.com:443 {FULL}",
        "combined_xff": f'{FULL} "198.51.100.7"',
    }
    parse = parser_for(log_format)
    if other == log_format:
        assert parse(lines[other]).host == "203.0.113.42"
    else:
        with pytest.raises(ValidationError) as caught:
            parse(lines[other])
        assert (caught.value.stage, caught.value.reason) == ("parse", "malformed_line")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "2001:db8::1",
        "::1",
        "fe80::1%eth0",
        "::ffff:203.0.113.9",
        "crawl-66-249-66-1.googlebot.com",
        "localhost",
        "xn--bcher-kva.example",
        "-",
    ],
)
def test_clients(host: str) -> None:
    assert parser_for("combined")(combined(host=host)).host == host


@pytest.mark.parametrize(
    "user", ["-", "frank", '""', "john doe", "a  b", "o'neill@example.com", "[x", "ünïcode"]
)
def test_users_may_hold_blanks(user: str) -> None:
    line = parser_for("combined")(combined(user=user))
    assert (line.user, line.timestamp) == (user, "28/Oct/2025:10:15:30 +0000")


@pytest.mark.parametrize(
    "field",
    [
        "-",
        "",
        r"\"quoted\"",
        r"ends with a backslash \\",
        r"\"and\" with one \\",
        r"\\\"",
        r"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        r"tab\there",
        "[brackets] and 200 512",
        "ünïcode \u4e2d\u6587 \U0001f600",
        "' -- ; <script>",
        "a\tb",
    ],
)
def test_quoted_fields_keep_what_the_log_says(field: str) -> None:
    line = combined(request=field, referer=field, agent=field)
    parsed = parser_for("combined")(line)
    assert (parsed.request, parsed.referer, parsed.agent) == (field, field, field)


@pytest.mark.parametrize("status", ["100", "200", "304", "404", "599"])
@pytest.mark.parametrize("size", ["-", "0", "9" * 18])
def test_results(status: str, size: str) -> None:
    parsed = parser_for("combined")(combined(status=status, size=size))
    assert (parsed.status, parsed.size) == (status, size)


def test_dashes_everywhere() -> None:
    line = parser_for("combined")('- - - [-] "-" 200 - "-" "-"')
    assert line == LogLine(None, "-", "-", "-", "-", "-", "200", "-", "-", "-", None)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "empty_line"),
        ("  \t ", "empty_line"),
        ("hello", "malformed_line"),
        (FULL[:-1], "unterminated_quote"),
        (FULL[:-1] + '\\"', "unterminated_quote"),
        (FULL.replace(" 200 ", " 099 "), "bad_status"),
        (FULL.replace(" 200 ", " 600 "), "bad_status"),
        (FULL.replace(" 200 ", " 2OO "), "bad_status"),
        (FULL.replace(" 200 ", " - "), "bad_status"),
        (FULL.replace(" 200 ", " \u0662\u0660\u0660 "), "bad_status"),
        (FULL.replace(" 1234 ", " 12x "), "bad_size"),
        (FULL.replace(" 1234 ", " -1 "), "bad_size"),
        (FULL.replace(" 1234 ", f" {'9' * 19} "), "bad_size"),
        (FULL.replace(" 1234 ", f" {'9' * 5000} "), "bad_size"),
        (" " + FULL, "malformed_line"),
        (FULL + "\n", "malformed_line"),
        (FULL.replace("[", ""), "malformed_line"),
        (FULL.replace(" 1234", ""), "malformed_line"),
        (FULL.replace('"Mozilla/5.0"', "Mozilla/5.0"), "malformed_line"),
        (FULL.replace("Mozilla/5.0", 'a "b" c'), "malformed_line"),
        (FULL.replace("42 - -", "42  - -"), "malformed_line"),
        (FULL.replace("42 - -", "42 - - -"), "malformed_line"),
        (FULL.replace("42 - -", "42 - - frank"), "malformed_line"),
        ("\x16\x03\x01\x02", "malformed_line"),
    ],
)
def test_bad_lines_are_refused_with_a_reason(line: str, reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        parser_for("combined")(line)
    assert (caught.value.stage, caught.value.reason) == ("parse", reason)


def test_messages_hold_nothing_of_the_line() -> None:
    with pytest.raises(ValidationError) as caught:
        parser_for("combined")("secret-token-4711 is no log line")
    assert "4711" not in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("plain", "plain"),
        (r"\"", '"'),
        (r"\\", "\\"),
        (r"a\tb\nc\rd\be\ff\vg", "a\tb\nc\rd\be\ff\vg"),
        (r"\x41\x42", "AB"),
        (r"caf\xc3\xa9", "café"),
        (r"\xff\xfe", "\ufffd\ufffd"),
        (r"\xc3 \xa9", "\ufffd \ufffd"),
        (r"\\x41", r"\x41"),
        (r"\x4", r"\x4"),
        (r"\q", r"\q"),
        ("\\", "\\"),
        (r"\x5c\x22", '\\"'),
    ],
)
def test_unescape(raw: str, text: str) -> None:
    assert unescape(raw) == text


def apache_escape(text: str) -> str:
    """Returns a field as Apache writes it, independent of the code under test."""
    named = {
        '"': r"\"", "\\": r"\\", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t",
        "\v": r"\v",
    }  # fmt: skip
    out = []
    for character in text:
        if character in named:
            out.append(named[character])
        elif character.isascii() and character.isprintable():
            out.append(character)
        else:
            out.extend(f"\\x{byte:02x}" for byte in character.encode())
    return "".join(out)


fields = st.text(st.characters(codec="utf-8"), max_size=60)
# A field that ends in an escape could join with a following escape, so fields are whole.
tokens = st.from_regex(re.compile(r'[^\s"\[\]]{1,20}'), fullmatch=True)


@given(fields)
def test_unescaping_undoes_a_servers_escaping(text: str) -> None:
    assert unescape(apache_escape(text)) == text


@given(
    host=tokens,
    ident=tokens,
    user=st.lists(tokens, min_size=1, max_size=3).map(" ".join),
    status=st.integers(100, 599).map(str),
    size=st.one_of(st.just("-"), st.integers(0, 10**18 - 1).map(str)),
    texts=st.tuples(fields, fields, fields, fields),
    log_format=st.sampled_from(FORMATS),
)
def test_generated_lines_come_back_as_they_were(
    *,
    host: str,
    ident: str,
    user: str,
    status: str,
    size: str,
    texts: tuple[str, str, str, str],
    log_format: ApacheFormat,
) -> None:
    request, referer, agent, forwarded = map(apache_escape, texts)
    timestamp = "28/Oct/2025:10:15:30 +0000"
    line = f'{host} {ident} {user} [{timestamp}] "{request}" {status} {size}'
    expected = LogLine(None, host, ident, user, timestamp, request, status, size, None, None, None)
    if log_format != "common":
        line += f' "{referer}" "{agent}"'
        expected = expected._replace(referer=referer, agent=agent)
    if log_format == "combined_xff":
        line += f' "{forwarded}"'
        expected = expected._replace(forwarded_for=forwarded)
    if log_format == "vhost_combined":
        line = f"www.example.com:80 {line}"
        expected = expected._replace(vhost="www.example.com:80")
    assert parser_for(log_format)(line) == expected


@given(st.text() | st.text('" \\[]-x0', max_size=80), st.sampled_from(FORMATS))
def test_any_text_is_parsed_or_refused(text: str, log_format: ApacheFormat) -> None:
    with contextlib.suppress(ValidationError):
        assert 100 <= int(parser_for(log_format)(text).status) <= 599


@given(st.data())
def test_damaged_lines_are_parsed_or_refused(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(FULL)))
    end = data.draw(st.integers(start, len(FULL)))
    damaged = FULL[:start] + data.draw(st.text('" \\[]\t\x00é', max_size=3)) + FULL[end:]
    with contextlib.suppress(ValidationError):
        assert 100 <= int(parser_for("combined")(damaged).status) <= 599


HOSTILE = {
    "quotes": lambda n: '"' * n,
    "backslashes": lambda n: "\\" * n,
    "escaped quotes": lambda n: '"' + '\\"' * (n // 2),
    "blanks": lambda n: " " * n,
    "brackets": lambda n: "[" * n,
    "blank bracket": lambda n: "a b c" + " [" * (n // 2),
    "words": lambda n: "a " * (n // 2),
    "no quote after the timestamp": lambda n: START[: START.index('"')] + "x" * n,
    "open request": lambda n: START[: START.index('"') + 1] + "x" * n,
    "open request of escapes": lambda n: START[: START.index('"') + 1] + "\\x41" * (n // 4),
    "open agent": lambda n: FULL[:-1] + "a\\\\" * (n // 3),
    "digits for a size": lambda n: START.replace("1234", "1" * n),
    "a good line, long": lambda n: combined(agent="x" * n),
    "too many fields": lambda n: FULL + ' "-"' * (n // 4),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_length_whatever_the_line_holds(name: str) -> None:
    parse = parser_for("combined")

    def work(line: str) -> None:
        with contextlib.suppress(ValidationError):
            parse(line)

    # The longer line has 1 MB.
    assert grows_linearly(work, HOSTILE[name], 262_144)


@pytest.mark.parametrize("unit", ["\\", r"\x41", r"\x", r"\"", r"\q"])
def test_unescaping_takes_time_in_proportion(unit: str) -> None:
    assert grows_linearly(unescape, lambda n: unit * (n // len(unit)), 131_072)
