"""The price table, with its region, its date and where it is from.

Prices change and differ by region: look them up before a decision. `--prices FILE` takes the
place of this table, in whole or in part.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Any

from tools.shell import CommandError


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices in USD before tax, without free tiers, volume tiers and savings plans.

    Attributes:
        region: The region they are for.
        date: The day they were written down.
        source: Where they are published.
        kpu_hour: One KPU of Managed Flink for one hour.
        running_storage_gb_month: Running application storage; each KPU has 50 GB of it.
        backup_gb_month: Durable application backups (snapshots).
        lambda_requests_million: A million invocations.
        lambda_gb_second: Memory times duration, x86.
        firehose_gb: Ingestion; every record is rounded up to whole 5 KB.
        shard_hour: One shard of a provisioned stream for one hour.
        put_units_million: A million payload units of 25 KB put into a provisioned stream.
    """

    region: str
    date: str
    source: str
    kpu_hour: Fraction
    running_storage_gb_month: Fraction
    backup_gb_month: Fraction
    lambda_requests_million: Fraction
    lambda_gb_second: Fraction
    firehose_gb: Fraction
    shard_hour: Fraction
    put_units_million: Fraction


def _usd(text: str) -> Fraction:
    return Fraction(Decimal(text))


# List prices as published copies of AWS's pages and examples quote them; AWS was not asked.
US_EAST_1 = Prices(
    region="us-east-1",
    date="2026-11-24",
    source=(
        "aws.amazon.com: managed-service-apache-flink/pricing, lambda/pricing, firehose/pricing, "
        "kinesis/data-streams/pricing"
    ),
    kpu_hour=_usd("0.11"),
    running_storage_gb_month=_usd("0.10"),
    backup_gb_month=_usd("0.023"),
    lambda_requests_million=_usd("0.20"),
    lambda_gb_second=_usd("0.0000166667"),
    firehose_gb=_usd("0.029"),
    shard_hour=_usd("0.015"),
    put_units_million=_usd("0.014"),
)

_TEXTS = ("region", "date", "source")


def read_prices(path: Path) -> Prices:
    """The table with what a JSON file says otherwise.

    Args:
        path: A file with one JSON object: names as in `Prices`, prices as numbers. It must
            say its region, date and source.

    Raises:
        CommandError: The file cannot be read, or says something that is no price.
    """
    document = read_json(path)
    if not isinstance(document, dict):
        raise CommandError(f"{path}: expected one JSON object")
    missing = [name for name in _TEXTS if not isinstance(document.get(name), str)]
    if missing:
        raise CommandError(f"{path}: {missing[0]}: expected a text (where the prices are from)")
    changes: dict[str, Any] = {}
    known = {one.name for one in fields(Prices)}
    for name, value in document.items():
        if name not in known:
            raise CommandError(f"{path}: unknown name {name!r}")
        changes[name] = value if name in _TEXTS else _price(path, name, value)
    return replace(US_EAST_1, **changes)


def read_json(path: Path) -> Any:
    """A JSON file, with its numbers as decimals.

    Raises:
        CommandError: It cannot be read or is no JSON.
    """
    try:
        return json.loads(path.read_text("utf-8"), parse_float=Decimal, parse_int=Decimal)
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, InvalidOperation) as error:
        raise CommandError(f"{path} is not JSON") from error


def _price(path: Path, name: str, value: object) -> Fraction:
    # NaN and Infinity are numbers to Python's JSON, and a bool is none to us.
    if not isinstance(value, Decimal) or not value.is_finite() or value < 0:
        raise CommandError(f"{path}: {name}: expected a number of USD from 0")
    return Fraction(value)


def as_document(prices: Prices) -> Mapping[str, str | float]:
    """The table for JSON."""
    return {
        name: value if isinstance(value, str) else float(value)
        for name, value in asdict(prices).items()
    }
