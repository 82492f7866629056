"""Entry point of the Kinesis consumer: handler `lambda_app.kinesis_handler.handle`."""

from __future__ import annotations

from aws.destinations import AwsDestination, make_client, packed
from aws.put import Delivery
from lambda_app.function import start
from lambda_app.kinesis import KinesisConsumer
from lambda_app.records import RecordProcessor
from lambda_app.settings import FunctionSettings, Settings
from udfs.enrichment import Enricher


def _make(settings: Settings, enricher: Enricher) -> KinesisConsumer:
    function = settings.function
    if (by := function.partition_by) != "none":
        expected = "none for the Kinesis consumer: only the answers to Firehose have keys"
        raise FunctionSettings.error("partition.by", by, expected)
    if function.output_arn is None:
        raise FunctionSettings.error("output.arn", "", "a stream for the enriched records")
    if function.dead_letter_arn is None:
        # Without it a bad record would come again and again: a stream has no other way to
        # leave one out.
        raise FunctionSettings.error("dead.letter.arn", "", "a queue or topic for bad lines")
    arn = function.output_arn
    # Every event needs this client, so the cold start makes it.
    output = AwsDestination(arn, make_client(arn.service, arn.region))
    dead_letters = AwsDestination(function.dead_letter_arn)
    return KinesisConsumer(
        RecordProcessor(enricher, settings),
        Delivery(output, function.delivery_attempts, ordered=True),
        Delivery(dead_letters, function.delivery_attempts),
        pack=packed if arn.service == "firehose" else list,
    )


handle = start(_make)
