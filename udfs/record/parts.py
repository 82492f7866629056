"""Makes the parts of records from the fields of lines, and keeps those made before.

What a part says depends only on its field and the settings, so a field seen before costs nothing:
its filter rule, its issues and what privacy leaves of it are kept with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from udfs.check.anomalies import Checks
from udfs.check.filters import FilterRule, Filters
from udfs.check.schema import check_agent, check_location, check_network
from udfs.config.core import CoreSettings
from udfs.enrich.geo import GeoDatabase, is_reserved
from udfs.enrich.geo_schema import AutonomousSystem, GeoLocation
from udfs.enrich.referrer import NO_REFERRER, describe_referrer
from udfs.enrich.user_agent import (
    UNKNOWN,
    UserAgent,
    parse_user_agent,
    without_minor_versions,
)
from udfs.errors import ValidationError
from udfs.parse.access_log import LogLine, unescape
from udfs.parse.client import client_of
from udfs.parse.request import NO_PAGE, Page, Request, describe_page, split_request
from udfs.privacy.identities import (
    NOTHING_SEARCHABLE,
    Identity,
    Searchable,
    searchable,
    without_identities,
)
from udfs.privacy.rules import Privacy
from udfs.quality import PRIVATE_ADDRESS
from udfs.record.encode import (
    AgentPart,
    ClientPart,
    ReferrerPart,
    RequestPart,
    StatusPart,
    agent_part,
    client_part,
    line_members,
    referrer_part,
    request_part,
    status_part,
)

_REQUEST_CACHE_SIZE = 8192
_REFERRER_CACHE_SIZE = 8192


class CacheUse(NamedTuple):
    """How a cache did since the start."""

    hits: int
    misses: int


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the parts of a record come from: new ones, or kept ones."""

    client: Callable[[str], ClientPart]
    request: Callable[[str], RequestPart]
    referrer: Callable[[str | None], ReferrerPart]
    agent: Callable[[str | None], AgentPart]


class PartMaker:
    """Makes parts as the settings want them.

    Attributes:
        filters: The rules in force.
        checks: The checks in force.
        fresh: Makes a new part each time.
        kept: Makes a part once and keeps it, within bounds.
        status: The part of a status.
        no_line_members: What `line_members` gives for a line that has none.
    """

    def __init__(
        self,
        settings: CoreSettings,
        geo: GeoDatabase[GeoLocation] | None,
        asn: GeoDatabase[AutonomousSystem] | None,
        privacy: Privacy,
    ) -> None:
        self.filters = Filters(settings.filters)
        self.checks = Checks(settings.validation)
        self._geo, self._asn = geo, asn
        self._privacy = privacy
        self._internal_hosts = frozenset(settings.site.internal_hosts)
        stage = settings.pipeline.stage
        # The basic stage leaves the location and the families to the advanced one, and with them
        # what hides whole fields. The advanced stage finds the fields filtered and checked.
        self._is_first = stage != "advanced"
        self._is_last = stage != "basic"
        self._hides_identities = privacy.hides_user or privacy.hides_client
        self._masks_emails = privacy.rules.emails != "keep"
        self._parses_agents = self._is_last or self._masks_emails or self.filters.needs_bots
        self.fresh = Parts(
            self._client_part, self._request_part, self._referrer_part, self._agent_part
        )
        # To make a part costs up to a thousand times as much as to find it (docs/performance.md).
        self._client_cache = lru_cache(settings.geoip.cache_size)(self._client_part)
        self._request_cache = lru_cache(_REQUEST_CACHE_SIZE)(self._request_part)
        self._referrer_cache = lru_cache(_REFERRER_CACHE_SIZE)(self._referrer_part)
        self._agent_cache = lru_cache(settings.useragent.cache_size)(self._agent_part)
        self.kept = Parts(
            self._client_cache, self._request_cache, self._referrer_cache, self._agent_cache
        )
        self.status = lru_cache(512)(self._status_part)
        self._has_extra = bool(settings.parser.extra_fields)
        self.no_line_members = line_members(None, None, None, None, has_extra=self._has_extra)

    def take_geo(
        self, geo: GeoDatabase[GeoLocation] | None, asn: GeoDatabase[AutonomousSystem] | None
    ) -> None:
        """Takes other GeoIP databases, and forgets what the former ones said of clients."""
        self._geo, self._asn = geo, asn
        self._client_cache.cache_clear()

    def cache_use(self) -> dict[str, CacheUse]:
        """Returns how well each cache does, by its name."""
        caches = {
            "client": self._client_cache,
            "request": self._request_cache,
            "referrer": self._referrer_cache,
            "agent": self._agent_cache,
        }
        infos = {name: cache.cache_info() for name, cache in caches.items()}
        return {name: CacheUse(info.hits, info.misses) for name, info in infos.items()}

    # --- parts of fields as the log has them ---------------------------------------------------

    def _client_part(self, host: str) -> ClientPart:
        if client_of(host) is None:
            raise _bad_client()
        location = None if self._geo is None else self._geo.lookup(host)
        check_location(location)
        network = None if self._asn is None else self._asn.lookup(host)
        check_network(network)
        issues = self.checks.client(host) if self._is_first else ()
        if location is None and is_reserved(host):
            issues = (PRIVATE_ADDRESS, *issues)
        if location is not None and self._privacy.hides_client:
            # A postal code may stand for a few streets: next to it a hidden address says less.
            location = location._replace(postal_code=None)
        shown = self._privacy.shown_client(host) if self._is_last else host
        return client_part(shown, location, network, issues)

    def _request_part(self, field: str) -> RequestPart:
        if not self._is_first:
            return self.shown_request(field)
        request = split_request(unescape(field))
        page = NO_PAGE if request.path is None else describe_page(request.path)
        rule = self.filters.request_rule(request, page)
        issues = self.checks.request(field, request.path)
        masked = self._privacy.request(field)
        if masked is not field:
            return self.shown_request(masked, rule, issues)
        return self._made_request(field, request, page, rule, issues)

    def _referrer_part(self, field: str | None) -> ReferrerPart:
        if field is None or not self._is_first:
            return self.shown_referrer(field)
        return self.shown_referrer(self._privacy.text(field), self.checks.text(field))

    def _agent_part(self, field: str | None) -> AgentPart:
        if field is None or not self._is_first:
            return self.shown_agent(field)
        text = unescape(field)
        agent = parse_user_agent(text) if self._parses_agents else UNKNOWN
        rule = self.filters.agent_rule(text, is_bot=agent.is_bot)
        issues = self.checks.text(field)
        masked = self._privacy.agent(field, is_bot=agent.is_bot)
        return self.shown_agent(masked, rule, issues, agent if masked is field else None)

    def _status_part(self, status: str) -> StatusPart:
        rule = self.filters.status_rule(status)
        largest = self.checks.largest_body(status) if self._is_first else self.checks.max_bytes
        return status_part(status, rule, largest)

    def line_members(self, line: LogLine, identities: Sequence[Identity] = ()) -> str:
        """Returns the members that few formats have: request time, site, proxy, extra fields.

        Args:
            line: The line.
            identities: What is hidden wherever a text repeats it.
        """

        def shown(text: str | None) -> str | None:
            if text is None:
                return None
            masked = self._privacy.text(text) if self._is_first else text
            return without_identities(masked, identities)

        proxy = line.proxy
        if proxy is not None and self._is_last:
            proxy = self._privacy.shown_client(proxy)
        extra = line.extra
        if extra is not None:
            extra = {name: shown(value) for name, value in extra.items()}
        return line_members(
            line.request_time_ms, shown(line.vhost), proxy, extra, has_extra=self._has_extra
        )

    # --- parts of fields whose text is masked --------------------------------------------------

    def shown_request(
        self, field: str, rule: FilterRule = FilterRule.KEEP, issues: tuple[str, ...] = ()
    ) -> RequestPart:
        """Returns the part of a request line in which nothing more is to be masked."""
        request = split_request(unescape(field))
        page = NO_PAGE if request.path is None else describe_page(request.path)
        return self._made_request(field, request, page, rule, issues)

    def _made_request(
        self, field: str, request: Request, page: Page, rule: FilterRule, issues: tuple[str, ...]
    ) -> RequestPart:
        checks = self.checks
        return request_part(
            field,
            request,
            page,
            rule,
            issues,
            largest_answer=checks.largest_answer(request.method if self._is_first else None),
            searchable=self._searchable(field),
        )

    def shown_referrer(self, field: str | None, issues: tuple[str, ...] = ()) -> ReferrerPart:
        """Returns the part of a referrer in which nothing more is to be masked."""
        if field is None:
            return referrer_part(None, None, NO_REFERRER, issues, searchable=NOTHING_SEARCHABLE)
        shown = self._privacy.shown_referer(field) if self._is_last else field
        referrer = describe_referrer(unescape(field), self._internal_hosts)
        if shown is None:
            # Page and site must not tell what the record leaves out.
            referrer = referrer._replace(site=None, page=None)
        return referrer_part(field, shown, referrer, issues, searchable=self._searchable(field))

    def shown_agent(
        self,
        field: str | None,
        rule: FilterRule = FilterRule.KEEP,
        issues: tuple[str, ...] = (),
        agent: UserAgent | None = None,
    ) -> AgentPart:
        """Returns the part of a user agent in which nothing more is to be masked."""
        if field is None or not self._is_last:
            return agent_part(
                field, field, UNKNOWN, rule, issues, searchable=self._searchable(field)
            )
        if agent is None:
            agent = parse_user_agent(unescape(field))
        check_agent(agent)
        shown = self._privacy.shown_agent(field)
        if self._privacy.rules.agent != "keep":
            # Versions that are gone from the text must be gone from their fields.
            agent = without_minor_versions(agent)
        return agent_part(field, shown, agent, rule, issues, searchable=self._searchable(field))

    def _searchable(self, field: str | None) -> Searchable:
        if field is None or not self._hides_identities:
            return NOTHING_SEARCHABLE
        return searchable(field)


def _bad_client() -> ValidationError:
    return ValidationError("parse", "bad_client", "the client is no address and no host name")
