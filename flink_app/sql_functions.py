"""The core's functions for SQL: what `CREATE FUNCTION ... LANGUAGE PYTHON` names.

`enrich` is the job's own function; the others answer one question each about one value
and give NULL where there is no answer. Settings come from the application properties in
force for the session (the variable that `udfs.config.file` reads).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import cast

from pyflink.table.udf import ScalarFunction, udf

from aws.objects import S3Objects
from aws.salt import resolve_salt
from flink_app.settings import JobSettings
from udfs.config.core import CoreSettings
from udfs.config.file import load_properties, properties_file
from udfs.enrich import user_agent
from udfs.enrich.geo_schema import GeoLocation
from udfs.enrichment import Enricher
from udfs.flink.function import enrich_function
from udfs.parse import request


def _text_function(function: Callable[[str], str | None]) -> ScalarFunction:
    def null_in_null_out(value: str | None) -> str | None:
        return None if value is None else function(value)

    return cast("ScalarFunction", udf(null_in_null_out, result_type="STRING"))


def _core_settings() -> CoreSettings:
    return JobSettings.load(load_properties(properties_file())).core


@lru_cache(maxsize=1)
def _enricher() -> Enricher:
    # Opened in the worker, at the first address.
    settings = _core_settings()
    return Enricher.create(settings, salt=resolve_salt(settings), store=S3Objects())


@lru_cache(maxsize=65_536)
def _locate(address: str) -> GeoLocation | None:
    geo = _enricher().geo
    return None if geo is None else geo.lookup(address)


@lru_cache(maxsize=16_384)
def _agent(agent: str) -> user_agent.UserAgent:
    return user_agent.parse_user_agent(agent)


def _country(address: str) -> str | None:
    location = _locate(address)
    return None if location is None else location.country


def _city(address: str) -> str | None:
    location = _locate(address)
    return None if location is None else location.city


enrich = enrich_function(_core_settings(), resolve_salt, S3Objects())
page_name = _text_function(request.page_name)
country = _text_function(_country)
city = _text_function(_city)
browser = _text_function(lambda agent: _agent(agent).browser)
os = _text_function(lambda agent: _agent(agent).os)
device_type = _text_function(lambda agent: _agent(agent).device_type)
