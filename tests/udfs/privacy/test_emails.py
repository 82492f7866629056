import string
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.core import grows_linearly
from udfs.parse.encodings import decoded
from udfs.privacy.text import MASK, TextMasker

MASKER = TextMasker(("token",), lambda _: MASK, lambda _: MASK)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        # Domains without a dot.
        ("/u/alice@localhost", "/u/***"),
        ("/u/alice@localhost/inbox", "/u/***/inbox"),
        ("/a?u=user@intranet&x=1", "/a?u=***&x=1"),
        ("/a?u=user%40intranet&x=1", "/a?u=***&x=1"),
        ("mail alice@corp: hello", "mail ***: hello"),
        ("smtp alice@mailhost:25", "smtp ***:25"),
        # Addresses that the server cut off.
        ("/a?u=alice@mai", "/a?u=***"),
        ("/a?u=alice@m", "/a?u=***"),
        ("/a?u=alice@", "/a?u=***"),
        ("/a?u=alice%40", "/a?u=***"),
        ("/a?u=alice@example.", "/a?u=***"),
        ("to alice@example. And", "to *** And"),
        # Quoted names.
        ('/u?m="alice smith"@example.com&x', "/u?m=***&x"),
        (r"/u?m=\"alice smith\"@example.com&x", "/u?m=***&x"),
        (r"/u?m=\x22alice smith\x22@example.com", "/u?m=***"),
        ("/u?m=%22alice%20smith%22%40example.com&x=1", "/u?m=***&x=1"),
        ("/u?m=%2522alice%2520smith%2522%2540example.com", "/u?m=***"),
        (r"/u?m=\"al \\\"x\\\" smith\"@example.com", "/u?m=***"),
        ('/u?m="alice"@localhost', "/u?m=***"),
        ('/u?n="bob"&m="alice smith"@1.2.3.4', '/u?n="bob"&m=***'),
        # Other forms of the at sign.
        ("/u?m=alice\uff20example.com", "/u?m=***"),
        ("/u?m=alice%EF%BC%A0example.com", "/u?m=***"),
        (r"/u?m=alice\xef\xbc\xa0example.com", "/u?m=***"),
        ("/u?m=alice\ufe6bexample.com", "/u?m=***"),
        ("/u?m=alice%EF%B9%ABexample.com&x", "/u?m=***&x"),
        ("/u?m=alice\uff20example\uff0ecom", "/u?m=***"),
        ("/u?m=alice%u0040example.com&x", "/u?m=***&x"),
        ("/u?m=alice%uFF20example.com", "/u?m=***"),
        ("/u?m=alice%25u0040example.com", "/u?m=***"),
        (r"/u?m=alice\u0040example.com", "/u?m=***"),
        (r"/u?m=alice\\u0040example.com", "/u?m=***"),
        (r"/u?m=alice\\x40example.com", "/u?m=***"),
        ("/u?m=alice%2540example.com", "/u?m=***"),
        ("/u?m=alice%252540example.com", "/u?m=***"),
        ("/u?m=alice&#64;example.com", "/u?m=***"),
        ("/u?m=alice&#x0040;example.com", "/u?m=***"),
        ("/u?m=alice&commat;example.com", "/u?m=***"),
        ("http://bob\uff20example.com/x", "http://***\uff20example.com/x"),
        # Numbers in domains.
        ("bob@163.com", "***"),
        ("bob@163-mail.com", "***"),
        ("bob@1.2.example.com", "***"),
        ("bob@[10.0.0.1]", "***]"),
    ],
)
def test_addresses(text: str, masked: str) -> None:
    assert MASKER.mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "git@github:org/repo", "@media print", "/@scope/pkg", "/@scope%2fpkg", "/@bob", "/@bob/1",
        "/npm/@vue/runtime-core@3.2.1/dist", "/npm/vue@next/dist", "/npm/vue@3/dist", "/vue@3",
        "/gh/user/repo@main/a.js", "/gh/user/repo@v2", "/gh/user/repo@0a1b2c3d/a.js",
        "/logo@2x.png", "/logo@2x", "/logo@3x-dark.png", "/logo@1.5x.webp", "/logo%402x.png",
        "/style@1.2.3.css", "/package@1.0.0", "/package@1.0.0-beta.2", "/package@1.0.0-rc.1.min.js",
        "/package@1.x", "/jquery@3.min.js", "/.pnpm/foo@1.0.0_react@18.2.0/x", "/os@10.0.19041.1",
        "image@sha256:0a1b2c", "/maps/@51.5,-0.1,15z", "/a@b", "/a@b/c", "/@", "/?@", "@@version",
        '" 200 12 "@handle', '"GET / HTTP/1.1" "@handle says"', '"@', '"@"@"@', "\uff20", "&#64;",
    ],
)  # fmt: skip
def test_what_only_looks_like_an_address(text: str) -> None:
    assert MASKER.mask(text) is text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("/u/alice@", "/u/***"),
        ("/u/alice@m", "/u/***"),
        ("/u/a@1", "/u/***"),
        ("/u/alice@next", "/u/***"),
        ("/u/alice@mail.", "/u/***"),
        ("/u/alice@mail.example.c", "/u/***"),
        ("/u/alice%40mail%2", "/u/***"),
        ("/u/alice%40mail%", "/u/***"),
        ("/u/alice%4", "/u/***"),
        ("/u/alice%", "/u/***"),
        ("/u/alice%254", "/u/***"),
        ("/u/alice%u00", "/u/***"),
        ("/u/alice%EF%BC", "/u/***"),
        ("/u/alice%EF%BC%", "/u/***"),
        (r"/u/alice\x4", "/u/***"),
        ("/u/alice\ufffd", "/u/***"),
        ('/u/"alice smith"@', "/u/***"),
        ('/u/"alice smith"@exam', "/u/***"),
        ("/u/alice@ HTTP", "/u/alice@ HTTP"),
        ("/u/alice", "/u/alice"),
        ("/@alice/x", "/@alice/x"),
    ],
)
def test_the_end_of_a_text_that_is_cut_off(text: str, masked: str) -> None:
    assert MASKER.mask(text, is_cut=True) == masked


def percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


SPELLINGS: list[Callable[[str], str]] = [str, str.upper, percent]
NAME = st.text("qxzwkj", min_size=6, max_size=12)
SIGNS = [
    "@", "%40", "%2540", r"\x40", r"\\x40", r"\u0040", "%u0040", "%25u0040", "\uff20", "%EF%BC%A0",
    r"\xef\xbc\xa0", "%uFF20", "\ufe6b", "&#64;", "&#x40;", "&commat;", "%26%2364%3B",
]  # fmt: skip
DOMAINS = [
    "example.com", "mail.example.co.uk", "localhost", "intranet", "10.0.0.1", "163.com", "xn--p1ai",
    "bücher.example", "Example.ORG",
]  # fmt: skip
QUOTES = [("", ""), ('"', '"'), (r"\"", r"\""), ("%22", "%22"), (r"\x22", r"\x22")]


@st.composite
def addresses(draw: st.DrawFn) -> tuple[str, str, str]:
    """Draws an address as logs have it: its name, the part before the at sign, and the rest."""
    name, quotes = draw(NAME), draw(st.sampled_from(QUOTES))
    local = draw(st.sampled_from(SPELLINGS))(name)
    if quotes[0]:
        local = f"{quotes[0]}{local}{draw(st.sampled_from(['', ' ', '%20', '+']))}x{quotes[1]}"
    domain = draw(st.sampled_from(DOMAINS))
    return name, local, draw(st.sampled_from(SIGNS)) + domain


BEFORE = st.sampled_from(
    ["/", "/u/", "/?m=", "/?a=1&m=", "mailto:", "<", "(", "http://h.example/?m=", "x@y.example,"]
)


@given(BEFORE, addresses(), st.sampled_from(["", "/", "&x=1", " HTTP/1.1", ">", ")", "?a@b"]))
def test_no_name_of_an_address_is_left(
    before: str, address: tuple[str, str, str], after: str
) -> None:
    name, local, domain = address
    masked = MASKER.mask(f"{before}{local}{domain}{after}")
    assert name.encode() not in decoded(masked)
    assert masked.endswith(after)


@given(BEFORE, addresses(), st.data())
def test_none_is_left_of_one_that_is_cut_off(
    before: str, address: tuple[str, str, str], data: st.DataObject
) -> None:
    name, local, domain = address
    sign = next(sign for sign in sorted(SIGNS, key=len, reverse=True) if domain.startswith(sign))
    kept = domain[: data.draw(st.integers(len(sign), len(domain)))]
    masked = MASKER.mask(f"{before}{local}{kept}", is_cut=True)
    assert name.encode() not in decoded(masked)


pieces = st.lists(
    st.sampled_from(
        [*SIGNS, *DOMAINS, "bob", "ab", "a", "c:", ":80", ":", "/", "..", ".", '"', '\\"', " ", "=",
         "&", "1.2", "x", "next", "***", "://", "[", "]", "%", "\\", "é", "token="]
    ),
    max_size=12,
).map("".join)  # fmt: skip


@given(pieces)
@example("://example.com&#64;example.com@@")
def test_masking_twice_is_masking_once(text: str) -> None:
    once = MASKER.mask(text)
    assert MASKER.mask(once) == once


@given(st.text(string.printable + "\uff20é", max_size=60), st.booleans())
def test_any_text(text: str, is_cut: bool) -> None:
    masked = MASKER.mask(text, is_cut=is_cut)
    if MASK not in masked:
        assert masked is text


@pytest.mark.parametrize(
    "unit",
    ["@", "%40", "%2540", '"', '"@', '\\"', '\\"@', '"a', '"a"@', '\\\\"', "a@", "a@b.", "a@1.",
     "\uff20", "a\uff20", "é\uff20", "1\uff20 ", "&#64;", "&commat", "a@b:", "a@b:1", "@[", "\\",
     "\\u0040", "%u", "a@a", "a@0a", "a@v1"],
)  # fmt: skip
@pytest.mark.parametrize("end", ["", " ", '"'])
def test_time_grows_with_length(unit: str, end: str) -> None:
    def text(size: int) -> str:
        return unit * (size // len(unit)) + end

    def work(made: str) -> None:
        MASKER.mask(made)
        MASKER.mask(made, is_cut=True)

    assert grows_linearly(work, text, 8192)
