from __future__ import annotations

import re

import pytest

from aws.arn import arn, arn_for, name_of, read_arn, region_of, stream_arn

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:weblog-dead-letters"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:weblog-dead-letters"
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/weblog-enriched"
DELIVERY = "arn:aws-cn:firehose:cn-north-1:123456789012:deliverystream/weblog"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (QUEUE, "weblog-dead-letters"),
        (TOPIC, "weblog-dead-letters"),
        (STREAM, "weblog-enriched"),
        (DELIVERY, "weblog"),
    ],
)
def test_the_parts(text: str, name: str) -> None:
    read = read_arn(text)
    assert (read.text, read.name, read.account) == (text, name, "123456789012")
    assert read.region == region_of(text)
    assert read.region in {"eu-west-1", "cn-north-1"}
    assert name_of(STREAM) == "weblog-enriched"


@pytest.mark.parametrize(
    ("text", "services"),
    [
        (STREAM, ("sqs", "sns")),
        (f"{QUEUE}.fifo", ()),
        (f"{QUEUE} x", ()),
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/x", ()),
        ("arn:aws:sqs:eu-west-1:123:x", ()),
        (STREAM.replace("stream/", "deliverystream/"), ()),
        (DELIVERY.replace("deliverystream/", ""), ()),
        (f"{DELIVERY}{'x' * 64}", ()),
        ("arn:aws:s3:::bucket", ()),
    ],
)
def test_what_is_no_such_arn(text: str, services: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        read_arn(text, *services)


def test_settings() -> None:
    assert arn("sqs").read("") is None
    assert arn("sqs").read(QUEUE) == read_arn(QUEUE)
    assert arn("sqs", "sns").expectation == (
        "the ARN of a standard SQS queue or a standard SNS topic"
    )
    assert stream_arn("kinesis").read("") == ""
    assert stream_arn("kinesis").read(STREAM) == STREAM


def test_a_stream_for_each_output() -> None:
    text = f"{STREAM}-{{output}}"
    assert stream_arn("kinesis", per_output=True).read(text) == text
    with pytest.raises(ValueError, match="output"):
        stream_arn("kinesis").read(text)
    assert arn_for(text, "dead_letters") == f"{STREAM}-dead-letters"
