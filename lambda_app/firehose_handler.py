"""Entry point of the Firehose transformation: handler `lambda_app.firehose_handler.handle`."""

from __future__ import annotations

from aws.destinations import AwsDestination
from aws.put import Delivery
from lambda_app.firehose import FirehoseTransformation
from lambda_app.function import start
from lambda_app.records import RecordProcessor
from lambda_app.settings import Settings
from udfs.enrichment import Enricher


def _make(settings: Settings, enricher: Enricher) -> FirehoseTransformation:
    function = settings.function
    dead_letters = None
    if function.dead_letter_arn is not None:
        destination = AwsDestination(function.dead_letter_arn)
        dead_letters = Delivery(destination, function.delivery_attempts)
    processor = RecordProcessor(enricher, settings)
    return FirehoseTransformation(processor, dead_letters, function.partition_by)


handle = start(_make)
