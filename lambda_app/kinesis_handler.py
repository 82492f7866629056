"""Entry point of the Kinesis consumer: handler `lambda_app.kinesis_handler.handle`."""

from __future__ import annotations

from lambda_app.delivery import Delivery
from lambda_app.function import start
from lambda_app.kinesis import KinesisConsumer
from lambda_app.records import RecordProcessor
from lambda_app.settings import FunctionSettings, Settings
from lambda_app.targets import dead_letter_target, output_target
from udfs.enrichment import Enricher


def _make(settings: Settings, enricher: Enricher) -> KinesisConsumer:
    function = settings.function
    if function.output_arn is None:
        raise FunctionSettings.error("output.arn", "", "a stream for the enriched records")
    if function.dead_letter_arn is None:
        # Without it a bad record would come again and again: a stream has no other way to
        # leave one out.
        raise FunctionSettings.error("dead.letter.arn", "", "a queue or topic for bad lines")
    output = output_target(function.output_arn)
    # Every event needs it, so the cold start makes it.
    output.connect()
    dead_letters = dead_letter_target(function.dead_letter_arn)
    return KinesisConsumer(
        RecordProcessor(enricher, settings),
        output,
        Delivery(output, function.delivery_attempts, ordered=True),
        Delivery(dead_letters, function.delivery_attempts),
        function,
    )


handle = start(_make)
