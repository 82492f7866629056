"""Request lines: method, path and page name.

The text comes with its log escapes undone (`udfs.parse.access_log.unescape`).
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote


class Request(NamedTuple):
    """A request line in parts; all None when it is no HTTP request line."""

    method: str | None
    path: str | None
    """The target as it was sent, query included."""
    protocol: str | None


class Page(NamedTuple):
    """The page behind a path, as the path tells it."""

    name: str | None
    depth: int | None
    """Number of path segments: 0 for `/`, 2 for `/a/b`."""
    is_static: bool
    """The extension is one of images, styles, scripts, fonts, audio or video."""


NO_REQUEST = Request(None, None, None)
NO_PAGE = Page(None, None, is_static=False)

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
# Behind a page's extension a session id ends the path, and may hold slashes.
_SESSION = re.compile(
    r"(\.[a-z0-9]{1,8});(?:jsessionid|phpsessid|sid)=.*", re.IGNORECASE | re.DOTALL
)


def split_request(request: str) -> Request:
    """Splits a request line into method, path and protocol.

    The path may hold blanks, as servers log what clients send. `GET /path` without a protocol is
    HTTP/0.9. For `-`, nothing and garbage (a TLS hello, say) every part is None.
    """
    method, _, rest = request.strip(" ").partition(" ")
    rest = rest.lstrip(" ")
    path, _, protocol = rest.rpartition(" ")
    if path and protocol.startswith("HTTP/") and (method in _METHODS or _METHOD.fullmatch(method)):
        return Request(method, path, protocol)
    if method == "GET" and rest.startswith("/"):
        return Request(method, rest, None)
    return NO_REQUEST


def describe_page(target: str) -> Page:
    """Describes the page of a path or an absolute URL.

    The name is the last path segment, percent-decoded and without extension; `/` is `index`
    and a directory `/a/b/` is `b`. Query, fragment and parameters of segments (`;...`) don't
    count. An extension is what follows a last dot: up to 8 letters and digits, not only digits, so
    that `/release-1.5` keeps its name. A target without a path (`*`, `host:443`) has no page.
    """
    path = path_of(target)
    if not path:
        return NO_PAGE
    if ";" in path:
        path = _PARAMETERS.sub("", _SESSION.sub(r"\1", path))
    if "//" in path:
        path = _SLASHES.sub("/", path)
    trimmed = path.strip("/")
    if not trimmed:
        return Page("index", 0, is_static=False)
    depth = trimmed.count("/") + 1
    name = trimmed.rpartition("/")[2]
    if "%" in name:
        name = unquote(name)
    if name in {".", ".."}:
        return describe_page(f"/{_without_dots(trimmed)}")
    if "." not in name or path.endswith("/"):
        return Page(name, depth, is_static=False)
    stem, _, extension = name.rpartition(".")
    if not stem or not _is_extension(extension):
        return Page(name, depth, is_static=False)
    return Page(stem, depth, extension.lower() in _STATIC)


def _without_dots(path: str) -> str:
    """Returns a path with its segments `.` and `..` carried out, as a server does."""
    segments: list[str] = []
    for segment in map(unquote, path.split("/")):
        if segment == "..":
            del segments[-1:]
        elif segment != ".":
            segments.append(segment)
    return "/".join(segments).replace("?", "%3F").replace("#", "%23").replace(";", "%3B")


def path_of(target: str) -> str:
    """Returns the path of a target or URL, without query and fragment; else nothing."""
    if not target.startswith("/"):
        _, mark, rest = target.partition("://")
        if not mark:
            return ""
        target = after_authority(rest, authority_of(rest))
    return target.partition("?")[0].partition("#")[0]


def after_authority(url_rest: str, authority: str) -> str:
    """Returns the path of an absolute URL with all that follows it."""
    path = url_rest[len(authority) :]
    return path if path.startswith("/") else f"/{path}"


def _is_extension(text: str) -> bool:
    return len(text) <= _MAX_EXTENSION and text.isalnum() and not text.isdecimal()


def page_name(target: str) -> str | None:
    """Returns the name of the page a path or URL leads to; see `describe_page`."""
    return describe_page(target).name


_AUTHORITY = re.compile(r"[^/?#\\]*+")


def authority_of(url_rest: str) -> str:
    """Returns `user@host:port` at the start of what follows a URL's `://`."""
    match = _AUTHORITY.match(url_rest)
    return "" if match is None else match[0]
