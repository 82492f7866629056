"""The prices, with their region, their date and where they are published.

Prices change and differ by region: look them up before a decision. `--prices FILE` replaces
them, in whole or in part.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from tools.shell import CommandError


@dataclass(frozen=True, slots=True)
class Prices:
    """USD before tax, without free tiers, volume tiers and savings plans.

    The defaults are list prices as published copies of AWS's pages and examples quote them.
    AWS was not asked.
    """

    region: str = "us-east-1"
    date: str = "2026-11-24"
    source: str = (
        "aws.amazon.com: managed-service-apache-flink/pricing, lambda/pricing, firehose/pricing, "
        "kinesis/data-streams/pricing, cloudwatch/pricing, eventbridge/pricing, sqs/pricing, "
        "s3/pricing"
    )
    kpu_hour: float = 0.11
    running_storage_gb_month: float = 0.10  # each KPU has 50 GB of it
    backup_gb_month: float = 0.023  # snapshots
    lambda_requests_million: float = 0.20
    lambda_gb_second: float = 0.0000166667  # x86
    firehose_gb: float = 0.029  # each record is rounded up to whole 5 KB
    shard_hour: float = 0.015  # of a provisioned stream
    put_units_million: float = 0.014  # payload units of 25 KB, put into a provisioned stream
    stream_hour: float = 0.04  # of a stream on demand
    stream_gb_in: float = 0.08  # into it; each record is rounded up to whole KB
    stream_gb_out: float = 0.04  # out of it, as it is
    pipe_requests_million: float = 0.40  # of 64 KB
    sqs_requests_million: float = 0.40  # of 64 KB, a standard queue
    s3_gb_month: float = 0.023
    s3_puts_thousand: float = 0.005
    log_gb: float = 0.50  # taken in
    alarm_metric: float = 0.10  # a month, for each metric of an alarm
    own_metric: float = 0.30  # a month, for each metric that AWS does not make itself
    dashboard: float = 3.00  # a month


US_EAST_1 = Prices()
_TEXTS = ("region", "date", "source")


def read_prices(path: Path) -> Prices:
    """Returns the prices with what a JSON file replaces.

    Args:
        path: A file with one JSON object: names as in `Prices`, prices as numbers. It must
            hold its region, date and source.

    Raises:
        CommandError: The file cannot be read, or holds something that is no price.
    """
    document = read_json(path)
    if not isinstance(document, dict):
        raise CommandError(f"{path}: expected one JSON object")
    for name in _TEXTS:
        if not isinstance(document.get(name), str):
            raise CommandError(f"{path}: {name}: expected a text (where the prices are from)")
    for name in document.keys() - {field.name for field in fields(Prices)}:
        raise CommandError(f"{path}: unknown name {name!r}")
    for name in document.keys() - set(_TEXTS):
        price = document[name]
        if not isinstance(price, float) or not math.isfinite(price) or price < 0:
            raise CommandError(f"{path}: {name}: expected a number of USD from 0")
    return replace(US_EAST_1, **document)


def read_json(path: Path) -> Any:
    """Returns what a JSON file holds, with every number as a float.

    Raises:
        CommandError: The file cannot be read or is no JSON.
    """
    try:
        return json.loads(path.read_text("utf-8"), parse_int=float)
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise CommandError(f"{path} is not JSON") from error
