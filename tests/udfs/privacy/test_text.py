import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.core import grows_linearly
from udfs.parse.encodings import decoded
from udfs.privacy.identities import (
    client_identity,
    mentions,
    name_identity,
    searchable,
    without_addresses,
    without_identity,
)
from udfs.privacy.text import MASK, TextMasker

NAMES = ("email", "token", "password", "api_key")
MASKER = TextMasker(NAMES, lambda _: MASK, lambda _: MASK)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("/a?token=abc", "/a?token=***"),
        ("/a?x=1&token=abc&y=2", "/a?x=1&token=***&y=2"),
        ("/a?x=1;token=abc;y=2", "/a?x=1;token=***;y=2"),
        ("/a?TOKEN=abc&Email=x", "/a?TOKEN=***&Email=***"),
        ("/a?%74oken=abc", "/a?%74oken=***"),
        ("/a?%2574oken=abc", "/a?%2574oken=***"),
        (r"/a?\x74oken=abc", r"/a?\x74oken=***"),
        ("/a?token=", "/a?token="),
        ("/a?token", "/a?token"),
        ("/a?tokens=abc&xtoken=abc", "/a?tokens=abc&xtoken=abc"),
        ("/a#token=abc&y=2", "/a#token=***&y=2"),
        ("/a?x=1#/route?token=abc", "/a?x=1#/route?token=***"),
        ("/a;token=abc", "/a;token=***"),
        ("/token=abc/x", "/token=***"),
        ("token=abc", "token=***"),
        # An ampersand that is part of a value does not end it.
        ("/a?password=ab%26cd&y=2", "/a?password=***&y=2"),
        ("/a?password=ab;cd&y=2", "/a?password=***&y=2"),
        ("/a?password=a=b=c&y=2", "/a?password=***&y=2"),
        (r"/a?password=a\"b", "/a?password=***"),
        (r"/a?password=a\x26b&y=2", "/a?password=***&y=2"),
        ("/a?password=two words", "/a?password=***"),
        # A URL inside a value.
        ("/a?next=%2Fb%3Ftoken%3Dabc%26y%3D2&z=3", "/a?next=%2Fb%3Ftoken%3D***%26y%3D2&z=3"),
        (
            "/a?next=%252Fb%253Ftoken%253Dabc%2526y&z=3",
            "/a?next=%252Fb%253Ftoken%253D***%2526y&z=3",
        ),
        # The spellings of names in forms and scripts.
        ("/a?user[email]=x&y=2", "/a?user[email]=***&y=2"),
        ("/a?user%5Bemail%5D=x", "/a?user%5Bemail%5D=***"),
        ("/a?email[]=x&login.password=y", "/a?email[]=***&login.password=***"),
        ("/a?apiKey=x&API-KEY=y&e-mail=z", "/a?apiKey=***&API-KEY=***&e-mail=***"),
        (
            "/a?form:password=x&ctl00$Main$password=y",
            "/a?form:password=***&ctl00$Main$password=***",
        ),
        ("/a?form%3Apassword=x&y=2", "/a?form%3Apassword=***&y=2"),
        ("/a?q=x+token=abc&y=2", "/a?q=x+token=***&y=2"),
        ("/a?%00token=x&\x7ftoken=y", "/a?%00token=***&\x7ftoken=***"),
        ("/a?x=token:abc&token:x=1", "/a?x=token:abc&token:x=1"),
        # Only parameters of a path end at the start of the query.
        ("/a;token=ab/c?x=1&y=2", "/a;token=***?x=1&y=2"),
        ("/a;v=1;token=ab#x?y", "/a;v=1;token=***#x?y"),
        ("/a;token=ab%3Fcd?x=1&y=2", "/a;token=***&y=2"),
        ("/a?x=1;password=a?b&y=2", "/a?x=1;password=***&y=2"),
        ("/token=a?b&y=2", "/token=***&y=2"),
        # A value with an e-mail address in it.
        ("/a?token=x/bob@example.com/secret&y=2", "/a?token=***&y=2"),
        # E-mail addresses.
        ("/u/bob@example.com/x", "/u/***/x"),
        ("/u/bob%40example.com", "/u/***"),
        ("/u/bob%2540example.com?x=1", "/u/***?x=1"),
        ("/u/Bob.O'Neil+tag@mail.example.co.uk", "/u/***"),
        ("/u?x=j%C3%B6rg@example.com&y=2", "/u?x=***&y=2"),
        ("/avatars/bob@example.com.png", "/avatars/***"),
        ("mailto:bob@example.com,ann@example.org", "mailto:***,***"),
        ("/u/bob@10.0.0.1", "/u/***"),
        ("http://bob:secret@example.com/x", "http://***@example.com/x"),
        ("http://bob@localhost/x", "http://***@localhost/x"),
        # Texts that look like an e-mail address.
        ("/images/logo@2x.png", "/images/logo@2x.png"),
        ("/npm/jquery@3.6.0/dist", "/npm/jquery@3.6.0/dist"),
        ("/@bob/status", "/@bob/status"),
        ("/a@b", "/a@b"),
        ("http://example.com/@bob", "http://example.com/@bob"),
        ("/debug?debug=1&page=2", "/debug?debug=1&page=2"),
    ],
)
def test_values_and_addresses(text: str, masked: str) -> None:
    assert MASKER.mask(text) == masked


def test_a_text_with_nothing_to_hide_is_the_very_same() -> None:
    text = "/a%20b?x=%C3%A9"
    assert MASKER.mask(text) is text


def test_what_stands_for_a_value_sees_it_decoded() -> None:
    seen: list[bytes] = []

    def remember(value: bytes) -> str:
        seen.append(value)
        return ""

    masker = TextMasker(NAMES, remember, remember)
    assert masker.mask("/a?token=A%42c&x=bob%40Example.com") == "/a?token=&x="
    assert seen == [b"abc", b"bob@example.com"]


def test_emails_may_be_kept() -> None:
    assert MASKER.without_emails().mask("help@moz.com token=x") == "help@moz.com token=***"


pieces = st.lists(
    st.sampled_from(
        ["token", "email", "x", "=", "&", ";", "#", "?", "/", "%3D", "%26", "%253D", "%40", "@",
         "bob", "a.b", ".com", "%", "%2", "\\x3d", "\\", '\\"', " ", "é", "***", "://", "[", "]"]
    ),
    max_size=14,
).map("".join)  # fmt: skip


@given(pieces)
def test_masking_twice_is_masking_once(text: str) -> None:
    once = MASKER.mask(text)
    assert MASKER.mask(once) == once


SAFE = st.text(string.ascii_letters + string.digits, min_size=1, max_size=6)
SECRET = st.text(string.ascii_uppercase + string.digits, min_size=12, max_size=16)


def encoded(text: str, depth: int) -> str:
    for _ in range(depth):
        text = "".join(f"%{byte:02x}" for byte in text.encode())
    return text


@given(
    names=st.lists(st.sampled_from([*NAMES, "Token", "E-Mail"]), min_size=1, max_size=3),
    secrets=st.lists(SECRET, min_size=3, max_size=3),
    others=st.lists(SAFE, min_size=3, max_size=3),
    separator=st.sampled_from(["&", ";"]),
    start=st.sampled_from(["/x?", "/x#", "/x;", "http://h/?a=1&", "/x?q=1#/r?"]),
    depths=st.tuples(st.integers(0, 2), st.integers(0, 2)),
)
def test_no_named_value_is_left(
    *,
    names: list[str],
    secrets: list[str],
    others: list[str],
    separator: str,
    start: str,
    depths: tuple[int, int],
) -> None:
    pairs = [
        f"{encoded(name, depths[0])}={encoded(secret, depths[1])}{separator}o={other}"
        for name, secret, other in zip(names, secrets, others, strict=False)
    ]
    masked = MASKER.mask(start + separator.join(pairs))
    for secret in secrets:
        assert secret.lower().encode() not in decoded(masked)
    assert masked.count("o=") == len(pairs)


@pytest.mark.parametrize(
    ("host", "text", "hidden"),
    [
        ("203.0.113.9", "/a?ip=203.0.113.9&x", "/a?ip=***&x"),
        ("203.0.113.9", "/a?ip=203%2E0%2e113.9", "/a?ip=***"),
        ("203.0.113.9", "http://dsl-203-0-113-9.example.net/", "http://dsl-***.example.net/"),
        ("203.0.113.9", "9.113.0.203.in-addr.arpa", "***.in-addr.arpa"),
        ("203.0.113.9", "http://9-113-0-203.example.net/", "http://***.example.net/"),
        ("203.0.113.9", "/a/203.0.113.8", "/a/203.0.113.8"),
        ("2001:db8::9", "/a?ip=2001:DB8:0:0::9", "/a?ip=***"),
        ("2001:db8::9", "http://[2001:0db8::9]:80/", "http://[***]:80/"),
        ("2001:db8::9", "/a?ip=2001%3Adb8%3A%3A9", "/a?ip=***"),
        ("2001:db8::9", "/a?ip=2001:0db8::9:80", "/a?ip=***"),
        ("2001:db8::9", "/for:2001:0db8::9", "/for***"),
        ("::ffff:203.0.113.9", "/a?ip=203.0.113.9", "/a?ip=***"),
        ("203.0.113.9", "/a?ip=::ffff:203.0.113.9&b", "/a?ip=***&b"),
        ("203.0.113.9", "/a?ip=::FFFF:CB00:7109", "/a?ip=***"),
        ("203.0.113.9", "/a?ip=0:0:0:0:0:ffff:cb00:7109", "/a?ip=***"),
        ("203.0.113.9", "http://[::ffff:cb00:7109]:8080/", "http://[***]:8080/"),
        ("203.0.113.9", "/a?ip=%3A%3Affff%3Acb00%3A7109", "/a?ip=***"),
        ("203.0.113.9", "/a?for=%22%5B::ffff:cb00:7109%5D%22", "/a?for=%22%5B***%5D%22"),
        ("203.0.113.9", "/a?ip=203.0.113.9:8080", "/a?ip=***:8080"),
        ("203.0.113.9", "/a?ip=203.0.113.9%3A8080", "/a?ip=***%3A8080"),
        ("203.0.113.9", r"/a?ip=203%u002e0\u002e113.9", "/a?ip=***"),
        ("203.0.113.9:443", "/a?ip=203.0.113.9", "/a?ip=***"),
        ("[2001:db8::9]:443", "/a?ip=2001:db8:0::9", "/a?ip=***"),
        ("fe80::1%eth0", "/a?ip=fe80::1", "/a?ip=***"),
        ("Dsl1.Example.net", "/a?h=dsl1.example.NET", "/a?h=***"),
        (r"\203.0.113.9-", "/203.0.113.9", "/***"),
        ("dsl1.example.net", "/a?h=xdsl1.example.net", "/a?h=xdsl1.example.net"),
    ],
)
def test_repetitions_of_a_client(host: str, text: str, hidden: str) -> None:
    identity = client_identity(host)
    assert identity is not None
    assert without_identity(text, identity) == hidden
    if hidden != text:
        assert mentions([searchable(text)], identity)


@pytest.mark.parametrize("host", ["-", "localhost", "GET", ""])
def test_words_identify_no_client(host: str) -> None:
    assert client_identity(host) is None


@pytest.mark.parametrize(
    ("name", "text", "hidden"),
    [
        ("alice", "/~Alice/x?u=alice", "/~***/x?u=***"),
        ("alice", "/malice/alicex", "/malice/alicex"),
        ("alice", "/%61lice", "/***"),
        ("John Doe", "/a?u=John+Doe&v=john%20doe", "/a?u=***&v=***"),
        ("John Doe", "/doe", "/***"),
        ("jörg", "/a?u=j%C3%B6rg", "/a?u=***"),
        ("ÖZGÜR", "/users/ÖZGÜR/özgür/Özgür", "/users/***/***/***"),
        ("Émile", "/u/%C3%89mile", "/u/***"),
        # Users as servers log them.
        (r"\xc3\x96zil", "/users/%C3%96zil", "/users/***"),
        (r"\xd6zil", "/users/%D6zil", "/users/***"),
        (r"al\"ice", "/users/al%22ice", "/users/***"),
        ("alice%20smith", "/u/alice%20smith/Smith", "/u/***/***"),
        ("a-a", "/xa-a-a-a/a-a-a-ax/a-ax", "/xa-***-a/***-a-ax/a-ax"),
        ("n" * 70, f"/x{'n' * 70}x/", "/x***x/"),
    ],
)
def test_repetitions_of_a_user(name: str, text: str, hidden: str) -> None:
    identity = name_identity(name)
    assert identity is not None
    assert without_identity(text, identity) == hidden
    if hidden != text:
        assert mentions([searchable(text)], identity)


def percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def escaped(text: str) -> str:
    """Returns a text as Apache logs it, with escapes for all but ASCII."""
    return "".join(chr(byte) if byte < 0x80 else f"\\x{byte:02x}" for byte in text.encode())


CASES = [str, str.lower, str.upper, str.title]


@given(
    st.text("abXYäÖßéŞİΣжД", min_size=3, max_size=8),
    st.sampled_from([str, escaped, percent]),
    st.sampled_from(CASES),
    st.sampled_from([str, escaped, percent]),
)
def test_a_name_is_found_in_any_case_and_encoding(
    name: str, log: Callable[[str], str], case: Callable[[str], str], sent: Callable[[str], str]
) -> None:
    identity = name_identity(log(name))
    assert identity is not None
    text = f"/users/{sent(case(name))}/x"
    assert without_identity(text, identity) == "/users/***/x"
    assert mentions([searchable(text)], identity)


@pytest.mark.parametrize("name", ["-", "", "ab"])
def test_short_names_identify_nobody(name: str) -> None:
    assert name_identity(name) is None


def test_all_addresses() -> None:
    text = '"GET /a?x=10.0.0.1 HTTP/1.1" 200 12 "http://[2001:db8::1]/" "a 1%2E2.3.4" fe80::1'
    masked = '"GET /a?x=*** HTTP/1.1" 200 12 "http://[***]/" "a ***" ***'
    assert without_addresses(text) == masked


HOSTILE = ["a", "=", "token=", "token=;", "@", "a@", "a@b.", "%25", "%", "\\x", ":", "://", "://a@",
           "1.", "1:", "&", ";", '"', "token=%26", "a.", "é", "%40", "\\u0040", "%u",
           "\\"]  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
def test_time_grows_with_length(unit: str) -> None:
    identities = [client_identity("2001:db8::9"), client_identity("203.0.113.9")]

    def work(text: str) -> None:
        MASKER.mask(text)
        without_addresses(text)
        for identity in identities:
            assert identity is not None
            without_identity(text, identity)

    assert grows_linearly(work, lambda size: unit * (size // len(unit)), 8192)


@pytest.mark.parametrize(
    "name",
    [
        lambda size: "a" * size,
        lambda size: "a-" * (size // 2),
        lambda size: "%61" * (size // 3),
        lambda size: " ".join(f"{number:06}" for number in range(size // 7)),
    ],
)
def test_time_grows_with_the_length_of_a_name(name: Callable[[int], str]) -> None:
    def work(text: str) -> None:
        identity = name_identity(text)
        assert identity is not None
        twice = f"x{text}{text}/{text.replace(' ', '')}"
        mentions([searchable(twice)], identity)
        without_identity(twice, identity)

    assert grows_linearly(work, name, 8192)
