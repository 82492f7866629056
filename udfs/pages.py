"""Request lines and referrers: method, path, page name, referring site and its kind.

Everything here takes text whose log escapes are already undone (:func:`udfs.access_log.unescape`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple
from urllib.parse import unquote

type RefererType = Literal["internal", "search", "social", "other", "none"]


class Request(NamedTuple):
    """A request line in parts; all None when it is no HTTP request line."""

    method: str | None
    path: str | None
    """The target as it was sent, query included."""
    protocol: str | None


class Page(NamedTuple):
    """What a path says about the page behind it."""

    name: str | None
    depth: int | None
    """Number of path segments: 0 for ``/``, 2 for ``/a/b``."""
    is_static: bool
    """The extension is one of images, styles, scripts, fonts, audio or video."""


class Referrer(NamedTuple):
    """What a referrer says."""

    type: RefererType
    site: str | None
    """Host name, lower case, without port."""
    page: str | None


NO_REQUEST = Request(None, None, None)
NO_PAGE = Page(None, None, is_static=False)
NO_REFERRER = Referrer("none", None, None)

_METHODS = frozenset({"GET", "HEAD", "POST"})
_METHOD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*+")
_STATIC_EXTENSIONS = """
    avif bmp css eot gif ico jpeg jpg js map mjs mp3 mp4 ogg otf png svg tif tiff ttf wav webm webp
    woff woff2
"""
_STATIC = frozenset(_STATIC_EXTENSIONS.split())
_MAX_EXTENSION = 8
_SLASHES = re.compile("/{2,}")
_PARAMETERS = re.compile(";[^/]*+")


def split_request(request: str) -> Request:
    """Split a request line into method, path and protocol.

    The path may hold blanks, as servers log what clients send. ``GET /path`` without a protocol is
    HTTP/0.9. For ``-``, nothing and garbage (a TLS hello, say) every part is None.
    """
    method, _, rest = request.partition(" ")
    path, _, protocol = rest.rpartition(" ")
    if path and protocol.startswith("HTTP/") and (method in _METHODS or _METHOD.fullmatch(method)):
        return Request(method, path, protocol)
    if method == "GET" and rest.startswith("/"):
        return Request(method, rest, None)
    return NO_REQUEST


def describe_page(target: str) -> Page:
    """Describe the page of a path or an absolute URL.

    The name is the last path segment, percent-decoded and without extension; ``/`` is ``index``
    and a directory ``/a/b/`` is ``b``. Query, fragment and parameters of segments (``;...``) don't
    count. An extension is what follows a last dot: up to 8 letters and digits, not digits alone, so
    that ``/release-1.5`` keeps its name. A target without a path (``*``, ``host:443``) has no page.
    """
    path = path_of(target)
    if not path:
        return NO_PAGE
    if ";" in path:
        path = _PARAMETERS.sub("", path)
    if "//" in path:
        path = _SLASHES.sub("/", path)
    trimmed = path.strip("/")
    if not trimmed:
        return Page("index", 0, is_static=False)
    depth = trimmed.count("/") + 1
    name = trimmed.rpartition("/")[2]
    if "%" in name:
        name = unquote(name)
    if "." not in name or path.endswith("/"):
        return Page(name, depth, is_static=False)
    stem, _, extension = name.rpartition(".")
    if not stem or not _is_extension(extension):
        return Page(name, depth, is_static=False)
    return Page(stem, depth, extension.lower() in _STATIC)


def path_of(target: str) -> str:
    """Path of a request's target or of a URL, without query and fragment; nothing without one."""
    if not target.startswith("/"):
        _, mark, rest = target.partition("://")
        if not mark:
            return ""
        target = _after_authority(rest, _authority_of(rest))
    return target.partition("?")[0].partition("#")[0]


def _after_authority(url_rest: str, authority: str) -> str:
    """Path of an absolute URL with all that follows it."""
    path = url_rest[len(authority) :]
    return path if path.startswith("/") else f"/{path}"


def _is_extension(text: str) -> bool:
    return len(text) <= _MAX_EXTENSION and text.isalnum() and not text.isdecimal()


def page_name(target: str) -> str | None:
    """Name of the page a path or URL leads to; see :func:`describe_page`."""
    return describe_page(target).name


_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]*+")
# What a host may be made of, to the longest name DNS allows.
_HOST = re.compile(r"[^\x00-\x20\x7f\"'<>\\^`{|}]{1,253}+")
_AUTHORITY = re.compile(r"[^/?#\\]*+")


def _authority_of(url_rest: str) -> str:
    """``user@host:port`` at the start of what follows a URL's ``://``."""
    match = _AUTHORITY.match(url_rest)
    return "" if match is None else match[0]


def describe_referrer(referrer: str, internal_hosts: frozenset[str]) -> Referrer:
    """Describe a referrer; ``-`` or nothing is none, text that is no URL is other without a site.

    Args:
        referrer: the field's text.
        internal_hosts: host names in lower case; names below them count as well.
    """
    if referrer in {"", "-"}:
        return NO_REFERRER
    scheme, mark, rest = referrer.partition("://")
    authority = _authority_of(rest)
    site_of = _kept_site if len(scheme) + len(authority) <= _MAX_KEPT_SITE else _site
    found = site_of(scheme, authority, internal_hosts) if mark else None
    if found is None:
        return Referrer("other", None, None)
    kind, site = found
    return Referrer(kind, site, page_name(_after_authority(rest, authority)))


def _site(
    scheme: str, authority: str, internal_hosts: frozenset[str]
) -> tuple[RefererType, str] | None:
    """Kind and host name of a URL's site; None when it cannot be one."""
    host = authority.rpartition("@")[2].lower()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    else:
        host = host.partition(":")[0].rstrip(".")
    if _HOST.fullmatch(host) is None or _SCHEME.fullmatch(scheme) is None:
        return None
    return referer_type(host, internal_hosts), host


# Sites repeat even where referrers do not: 0.8 us less. Host names are short, so that what a
# hostile client sends instead is not kept.
_kept_site = lru_cache(maxsize=4096)(_site)
_MAX_KEPT_SITE = 300


_SEARCH_ENGINES = """
    aol.com ask.com baidu.com bing.com brave.com daum.net dogpile.com duckduckgo.com ecosia.org
    kagi.com mojeek.com naver.com qwant.com seznam.cz so.com sogou.com startpage.com swisscows.com
    ya.ru yahoo.com yandex.com yandex.ru
"""
_SOCIAL_NETWORKS = """
    bsky.app delicious.com digg.com facebook.com fb.com instagram.com linkedin.com lnkd.in
    mastodon.social news.ycombinator.com ok.ru pinterest.com plus.google.com plus.url.google.com
    quora.com reddit.com stumbleupon.com t.co threads.net tiktok.com tumblr.com twitter.com vk.com
    weibo.com x.com xing.com youtube.com
"""
_SEARCH = frozenset(_SEARCH_ENGINES.split())
_SOCIAL = frozenset(_SOCIAL_NETWORKS.split())
# Google has a domain in every country, and many services that are no search.
_GOOGLE_SEARCH = re.compile(r"(?:(?:www|images|encrypted|m|cse)\.)?google\.(?:com?\.)?[a-z]{2,3}")
_MAX_LABELS = 6


def referer_type(site: str, internal_hosts: frozenset[str]) -> RefererType:
    """Tell what kind of site a lower-case host name is."""
    # The name and the domains above it. Listed names are short: long ones need no more labels.
    labels = site.split(".")[-_MAX_LABELS:]
    names = [site, *(".".join(labels[start:]) for start in range(len(labels)))]
    if not internal_hosts.isdisjoint(names):
        return "internal"
    if not _SOCIAL.isdisjoint(names):
        return "social"
    if _GOOGLE_SEARCH.fullmatch(site) or not _SEARCH.isdisjoint(names):
        return "search"
    return "other"
