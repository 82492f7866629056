"""The template of a delivery into OpenSearch: its settings, its rights and its bucket."""

from __future__ import annotations

import pytest
from cfnlint.api import lint_file  # type: ignore[import-untyped]
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]

from tests.support.aws import REGION
from tests.support.stacks import DOMAIN, FUNCTION, KEY, SOURCE, RefusedError, delivery
from tools.deploy.template import FOLDER

LARGEST_INLINE_BYTES = 51_200 // 2


def test_it_is_a_template_as_it_is() -> None:
    path = FOLDER / "delivery" / "opensearch.yaml"
    assert [str(match) for match in lint_file(path, ManualArgs(regions=[REGION]))] == []
    assert path.stat().st_size < LARGEST_INLINE_BYTES


@pytest.mark.parametrize("more", [{}, {"FunctionArn": FUNCTION}])
def test_each_record_is_a_document_and_what_fails_is_kept(more: dict[str, str]) -> None:
    made = delivery(**more).only("KinesisFirehose::DeliveryStream")
    destination = made["AmazonopensearchserviceDestinationConfiguration"]

    assert made["KinesisStreamSourceConfiguration"]["KinesisStreamARN"] == SOURCE
    assert destination["DomainARN"] == DOMAIN
    # The name is an alias of `./build.sh index`; with a date it would be another index.
    assert destination["IndexName"] == "weblog-enriched"
    assert destination["IndexRotationPeriod"] == "NoRotation"
    assert destination["S3BackupMode"] == "FailedDocumentsOnly"
    assert destination["S3Configuration"]["ErrorOutputPrefix"].startswith("failed/")
    if not more:
        assert "ProcessingConfiguration" not in destination
    else:
        # A document is an unchanged record: Firehose adds no line break and splits nothing.
        (processor,) = destination["ProcessingConfiguration"]["Processors"]
        values = {one["ParameterName"]: one["ParameterValue"] for one in processor["Parameters"]}
        assert values["LambdaArn"] == FUNCTION
        assert float(values["BufferSizeInMBs"]) <= 3


@pytest.mark.parametrize("more", [{}, {"FunctionArn": FUNCTION, "KeyArn": KEY}])
def test_it_may_read_write_and_no_more(more: dict[str, str]) -> None:
    made = delivery(**more)
    rights = made.rights("DeliveryRole")
    assert rights[f"{DOMAIN}/*"] == {"es:ESHttpGet", "es:ESHttpPost", "es:ESHttpPut"}
    assert not any("Delete" in action for actions in rights.values() for action in actions)
    assert rights[SOURCE] == {
        f"kinesis:{name}"
        for name in ("DescribeStream", "GetRecords", "GetShardIterator", "ListShards")
    }
    assert (FUNCTION in rights) is (KEY in rights) is bool(more)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"DomainArn": SOURCE}, "DomainArn="),
        ({"IndexName": "Weblog"}, "IndexName="),
        ({"FunctionArn": FUNCTION.removesuffix(":live")}, "FunctionArn="),
    ],
)
def test_wrong_parameters_are_refused(values: dict[str, str], reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        delivery(**values)
