"""Referrers: the site a request came from, its kind, and its page.

The text comes with its log escapes undone (`udfs.parse.access_log.unescape`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple

from udfs.enrich.sites import kind_of_app, kind_of_site
from udfs.parse.request import after_authority, authority_of, page_name

type RefererType = Literal["internal", "search", "social", "email", "ai", "other", "none"]

_APP_SCHEME = "android-app"
"""A link in an app for Android; in place of a host is the app's package."""


class Referrer(NamedTuple):
    """A referrer's kind, site and page."""

    type: RefererType
    site: str | None
    """Host name, lower case, without port."""
    page: str | None


NO_REFERRER = Referrer("none", None, None)

_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]*+")
# Characters of a host, to the longest name that DNS allows.
_HOST = re.compile(r"[^\x00-\x20\x7f\"'<>\\^`{|}]{1,253}+")


def describe_referrer(referrer: str, internal_hosts: frozenset[str]) -> Referrer:
    """Describes a referrer; `-` or nothing is none, text that is no URL is other without a site.

    Args:
        referrer: The field's text.
        internal_hosts: Host names in lower case; names below them count as well.
    """
    if referrer in {"", "-"}:
        return NO_REFERRER
    scheme, mark, rest = referrer.partition("://")
    authority = authority_of(rest)
    site_of = _kept_site if len(scheme) + len(authority) <= _MAX_KEPT_SITE else _site
    kind_and_site = site_of(scheme, authority, internal_hosts) if mark else None
    if kind_and_site is None:
        return Referrer("other", None, None)
    kind, site = kind_and_site
    return Referrer(kind, site, page_name(after_authority(rest, authority)))


def _site(
    scheme: str, authority: str, internal_hosts: frozenset[str]
) -> tuple[RefererType, str] | None:
    """Returns the kind and host name of a URL's site; None when it cannot be one."""
    host = authority.rpartition("@")[2].lower()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    else:
        host = host.partition(":")[0].rstrip(".")
    if _HOST.fullmatch(host) is None or _SCHEME.fullmatch(scheme) is None:
        return None
    if scheme.lower() == _APP_SCHEME:
        return kind_of_app(host) or "other", host
    return referer_type(host, internal_hosts), host


# Sites repeat even where referrers do not (hot path). Host names are short, so that what a
# hostile client sends instead is not kept.
_kept_site = lru_cache(maxsize=4096)(_site)
_MAX_KEPT_SITE = 300


_MAX_LABELS = 6


def referer_type(site: str, internal_hosts: frozenset[str]) -> RefererType:
    """Tells what kind of site a lower-case host name is."""
    labels = site.split(".")[-_MAX_LABELS:]
    names = [site, *(".".join(labels[start:]) for start in range(len(labels)))]
    if not internal_hosts.isdisjoint(names):
        return "internal"
    return kind_of_site(site) or "other"
