"""Clients of emulated services."""

from __future__ import annotations

from typing import Any

import boto3

REGION = "eu-west-1"


class Aws:
    """Emulated services, empty at first."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    def client(self, service: str) -> Any:
        make: Any = boto3.client
        return make(service, region_name=REGION, endpoint_url=self.endpoint)
