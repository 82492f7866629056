import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.core import grows_linearly
from udfs.enrich.referrer import NO_REFERRER, Referrer, _kept_site, describe_referrer
from udfs.parse.request import (
    NO_PAGE,
    NO_REQUEST,
    Request,
    describe_page,
    page_name,
    split_request,
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("GET /product.php HTTP/1.1", ("GET", "/product.php", "HTTP/1.1")),
        ("GET /a?b=c&d=/e HTTP/2.0", ("GET", "/a?b=c&d=/e", "HTTP/2.0")),
        ("POST /a b c HTTP/1.0", ("POST", "/a b c", "HTTP/1.0")),
        ("OPTIONS * HTTP/1.1", ("OPTIONS", "*", "HTTP/1.1")),
        ("CONNECT example.com:443 HTTP/1.1", ("CONNECT", "example.com:443", "HTTP/1.1")),
        ("GET http://example.com/ HTTP/1.1", ("GET", "http://example.com/", "HTTP/1.1")),
        ("VERSION-CONTROL /x HTTP/1.1", ("VERSION-CONTROL", "/x", "HTTP/1.1")),
        ("PRI * HTTP/2.0", ("PRI", "*", "HTTP/2.0")),
        ("GET /old", ("GET", "/old", None)),
        ("GET /old page", ("GET", "/old page", None)),
    ],
)
def test_request_lines(line: str, expected: tuple[str, str, str | None]) -> None:
    assert split_request(line) == Request(*expected)


@pytest.mark.parametrize(
    "line",
    ["-", "", " ", "GET", "GET ", "GET HTTP/1.1", "quit", "\x16\x03\x01 \x02 HTTP/1.1",
     "POST /old", "hello world", " / HTTP/1.1", "GET  HTTP/1.1"],
)  # fmt: skip
def test_what_is_no_request_line(line: str) -> None:
    assert split_request(line) == NO_REQUEST


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("/", "index"),
        ("", None),
        ("/product.php", "product"),
        ("/product.php?id=3", "product"),
        ("/product.php?next=/other/page.html", "product"),
        ("/product.php#top", "product"),
        ("/product.php;jsessionid=1F.node", "product"),
        ("/shop;jsessionid=1/product.php", "product"),
        ("/shop;a=1/product.php;b=2?c;d#e", "product"),
        ("/a;b/c/", "c"),
        ("/a;b/", "a"),
        ("/a/;b", "a"),
        ("/;jsessionid=1F", "index"),
        ("/a%3Bb/c%3Bd", "c;d"),
        ("http://example.com/a;b/c.html;d", "c"),
        ("/?q=x", "index"),
        ("/a/b/", "b"),
        ("/a/b", "b"),
        ("/a//b///", "b"),
        ("//", "index"),
        ("/a/b.d/", "b.d"),
        ("/caf%C3%A9.html", "café"),
        ("/a%20b", "a b"),
        ("/a%2Fb.html", "a/b"),
        ("/%ff", "\ufffd"),
        ("/100%", "100%"),
        ("/%zz", "%zz"),
        ("/archive.tar.gz", "archive.tar"),
        ("/jquery-1.9.1.min.js", "jquery-1.9.1.min"),
        ("/release-1.5", "release-1.5"),
        ("/song.mp3", "song"),
        ("/.htaccess", ".htaccess"),
        ("/..", "index"),
        ("/a/b/..", "a"),
        ("/a/b/.", "b"),
        ("/a/%2e%2e", "index"),
        ("/item.jsp;jsessionid=A/B", "item"),
        ("/a.", "a."),
        ("/a.b-c", "a.b-c"),
        ("/name.averylongend", "name.averylongend"),
        ("/a+b.html", "a+b"),
        ("http://example.com", "index"),
        ("http://example.com?x=/y", "index"),
        ("http://example.com/a/b.html?x", "b"),
        ("*", None),
        ("example.com:443", None),
    ],
)
def test_page_names(target: str, name: str | None) -> None:
    assert page_name(target) == name


@pytest.mark.parametrize(
    ("target", "depth", "is_static"),
    [
        ("/", 0, False),
        ("/a", 1, False),
        ("/a/b/", 2, False),
        ("/a//b/c.html", 3, False),
        ("/images/logo.PNG", 2, True),
        ("/style.css?v=3", 1, True),
        ("/style.css/", 1, False),
        ("/download?file=x.png", 1, False),
        ("/shop;jsessionid=1/product.php", 2, False),
        ("/x;v=1/app.js", 2, True),
        ("/x/app.js;v=1", 2, True),
        ("/a;b/c/", 2, False),
        ("/;a/b", 1, False),
    ],
)
def test_depth_and_static(target: str, depth: int, is_static: bool) -> None:
    page = describe_page(target)
    assert (page.depth, page.is_static) == (depth, is_static)


def test_no_page_has_no_depth() -> None:
    assert describe_page("*") == NO_PAGE
    assert NO_PAGE.depth is None


INTERNAL = frozenset({"example.com"})


@pytest.mark.parametrize(
    ("referrer", "expected"),
    [
        ("-", NO_REFERRER),
        ("", NO_REFERRER),
        ("http://example.com/search.php", Referrer("internal", "example.com", "search")),
        ("https://WWW.Example.com:8443/a/", Referrer("internal", "www.example.com", "a")),
        ("http://example.com.evil.net/", Referrer("other", "example.com.evil.net", "index")),
        ("http://notexample.com/", Referrer("other", "notexample.com", "index")),
        ("http://user:pass@example.com/x", Referrer("internal", "example.com", "x")),
        ("http://evil.net/@example.com", Referrer("other", "evil.net", "@example")),
        ("http://evil.net\\@example.com/x", Referrer("other", "evil.net", "x")),
        ("http://[2001:db8::1]:80/x", Referrer("other", "2001:db8::1", "x")),
        ("http://example.com.", Referrer("internal", "example.com", "index")),
        ("https://www.google.com/", Referrer("search", "www.google.com", "index")),
        ("https://www.google.co.uk/url?q=x", Referrer("search", "www.google.co.uk", "url")),
        ("http://google.de/search", Referrer("search", "google.de", "search")),
        ("https://mail.google.com/", Referrer("email", "mail.google.com", "index")),
        ("https://www.google.evil.com/", Referrer("other", "www.google.evil.com", "index")),
        ("https://plus.google.com/1", Referrer("social", "plus.google.com", "1")),
        ("https://www.bing.com/search?q=a", Referrer("search", "www.bing.com", "search")),
        ("https://search.yahoo.com/", Referrer("search", "search.yahoo.com", "index")),
        ("https://t.co/abc", Referrer("social", "t.co", "abc")),
        ("https://m.facebook.com/", Referrer("social", "m.facebook.com", "index")),
        ("https://netflix.com/", Referrer("other", "netflix.com", "index")),
        ("android-app://com.example", Referrer("other", "com.example", "index")),
        ("example.com/search.php", Referrer("other", None, None)),
        ("about:blank", Referrer("other", None, None)),
        ("http://", Referrer("other", None, None)),
        ("http:///path", Referrer("other", None, None)),
        ("<script>://x/", Referrer("other", None, None)),
        ("http://" + "x" * 300 + "/", Referrer("other", None, None)),
        ("http://a\x1fb/", Referrer("other", None, None)),
        ("http://<b>/", Referrer("other", None, None)),
        ("http://例え.jp/道", Referrer("other", "例え.jp", "道")),
    ],
)
def test_referrers(referrer: str, expected: Referrer) -> None:
    assert describe_referrer(referrer, INTERNAL) == expected


@pytest.mark.parametrize(
    ("referrer", "site"),
    [
        (f"http://{'x' * 300}/", None),
        (f"http://{'x' * 300}@example.com/", "example.com"),
        (f"{'x' * 300}://example.com/", "example.com"),
    ],
)
def test_what_is_too_long_for_a_site_is_not_kept(referrer: str, site: str | None) -> None:
    kept = _kept_site.cache_info()
    assert describe_referrer(referrer, INTERNAL).site == site
    assert _kept_site.cache_info() == kept
    describe_referrer("http://example.com/", INTERNAL)
    assert _kept_site.cache_info() != kept


@pytest.mark.parametrize(
    ("site", "kind"),
    [
        ("shop.example.co.uk", "internal"),
        ("a.b.shop.example.co.uk", "internal"),
        ("xshop.example.co.uk", "other"),
        ("example.co.uk", "other"),
    ],
)
def test_an_internal_host_may_have_many_labels(site: str, kind: str) -> None:
    internal = frozenset({"shop.example.co.uk"})
    assert describe_referrer(f"http://{site}/", internal).type == kind


def test_without_internal_hosts_nothing_is_internal() -> None:
    assert describe_referrer("http://example.com/", frozenset()).type == "other"


@given(st.text() | st.text("/?#;.%:@[]a \\", max_size=60))
def test_any_text_is_described(text: str) -> None:
    page = describe_page(text)
    assert (page.name is None) == (page.depth is None)
    request = split_request(text)
    assert (request.method is None) == (request.path is None)
    referrer = describe_referrer(text, INTERNAL)
    assert (referrer.site is None) == (referrer.page is None)


@pytest.mark.parametrize(
    "unit", ["/", "//a", ".", "%", "%41", "?", ";", ";/", "/;", ":", "@", "a.", "[", " "]
)
def test_time_grows_with_length(unit: str) -> None:
    def work(text: str) -> None:
        split_request(f"GET /{text} HTTP/1.1")
        describe_page(f"/{text}")
        describe_referrer(f"http://{text}", INTERNAL)
        describe_referrer(text, INTERNAL)

    assert grows_linearly(work, lambda n: unit * (n // len(unit)), 131_072)
