"""Each producer's configuration in `examples/producers`, and the outcome of its records."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import boto3
import pytest
import yaml
from aws_kinesis_agg.aggregator import RecordAggregator
from moto import mock_aws

from tests.support.aws import REGION
from tests.support.core import NOW, combined
from udfs.config.core import CoreSettings
from udfs.config.file import load_properties
from udfs.config.root import ROOT
from udfs.enrichment import Enricher
from udfs.outcomes import Enriched

FOLDER = ROOT / "examples" / "producers"
PAGE = ROOT / "docs" / "producers.md"
CLIENT, BALANCER = "203.0.113.7", "172.31.20.1"
LINE = combined(host=CLIENT)


def outcomes_of(producer: str, record: bytes) -> list[Any]:
    settings = CoreSettings.load(load_properties(FOLDER / producer / "properties.json"))
    return Enricher.create(settings, clock=lambda: NOW).process(record)


def json_of(producer: str, name: str) -> Any:
    return json.loads((FOLDER / producer / name).read_text("utf-8"))


def yaml_of(producer: str, name: str) -> Any:
    return yaml.safe_load((FOLDER / producer / name).read_text("utf-8"))


def fields_of(line: str) -> tuple[str, ...]:
    match = re.match(
        r'^(\S+) (\S+) (\S+) \[(.*?)\] "([^"]+)" (\S+) (\S+) "([^"]+)" "([^"]+)".*', line
    )
    assert match is not None
    return match.groups()


def kinesis_agent() -> bytes:
    (flow,) = json_of("kinesis_agent", "agent.json")["flows"]
    assert "dataProcessingOptions" not in flow
    return f"{LINE}\n".encode()


def kinesis_agent_logtojson() -> bytes:
    (flow,) = json_of("kinesis_agent", "agent_logtojson.json")["flows"]
    assert flow["dataProcessingOptions"] == [
        {"optionName": "LOGTOJSON", "logFormat": "COMBINEDAPACHELOG"}
    ]
    # The agent's pattern and names are those of PatternConstants.java and ApacheLogParser.java.
    names = [
        "host",
        "ident",
        "authuser",
        "datetime",
        "request",
        "response",
        "bytes",
        "referer",
        "agent",
    ]
    values = [None if value == "-" else value for value in fields_of(LINE)]
    return json.dumps(dict(zip(names, values, strict=True))).encode() + b"\n"


def fluent_bit() -> bytes:
    (output,) = yaml_of("fluent_bit", "fluent-bit.yaml")["pipeline"]["outputs"]
    assert output["simple_aggregation"] is True
    return json.dumps({"log": LINE}).encode() + b"\n"


def fluent_bit_log_key() -> bytes:
    (output,) = yaml_of("fluent_bit", "fluent-bit-log-key.yaml")["pipeline"]["outputs"]
    assert (output["log_key"], output["compression"]) == ("log", "gzip")
    return gzip.compress(json.dumps(LINE)[1:-1].encode())


def firelens() -> bytes:
    task = json_of("firelens", "task-definition.json")
    options = task["containerDefinitions"][1]["logConfiguration"]["options"]
    assert options["Name"] == "kinesis_streams"
    return json.dumps({"source": "stdout", "log": LINE, "container_name": "/web-nginx"}).encode()


def vector() -> bytes:
    sink = yaml_of("vector", "vector.yaml")["sinks"]["kinesis"]
    assert sink["encoding"] == {"codec": "text"}
    return LINE.encode()


def vector_json() -> bytes:
    return json.dumps({"file": "/var/log/nginx/access.log", "message": LINE}).encode()


def vector_parsed() -> bytes:
    host, _, _, time, request, status, size, referer, agent = fields_of(LINE)
    when = datetime.strptime(time, "%d/%b/%Y:%H:%M:%S %z")
    members = {
        "agent": agent,
        "client": host,
        "referer": referer,
        "request": request,
        "size": int(size),
        "status": int(status),
        "timestamp": f"{when:%Y-%m-%dT%H:%M:%SZ}",
    }
    return json.dumps(members).encode()


@mock_aws
def cloudwatch_logs() -> bytes:
    logs, kinesis = boto3.client("logs", REGION), boto3.client("kinesis", REGION)
    kinesis.create_stream(StreamName="weblog-input", ShardCount=1)
    arn = kinesis.describe_stream(StreamName="weblog-input")["StreamDescription"]["StreamARN"]
    logs.create_log_group(logGroupName="/ecs/nginx")
    logs.create_log_stream(logGroupName="/ecs/nginx", logStreamName="web-1")
    logs.put_subscription_filter(
        logGroupName="/ecs/nginx", filterName="stream", filterPattern="", destinationArn=arn
    )
    logs.put_log_events(
        logGroupName="/ecs/nginx",
        logStreamName="web-1",
        logEvents=[{"timestamp": round(time.time() * 1000), "message": LINE}],
    )
    start = kinesis.get_shard_iterator(
        StreamName="weblog-input",
        ShardId="shardId-000000000000",
        ShardIteratorType="TRIM_HORIZON",
    )
    (record,) = kinesis.get_records(ShardIterator=start["ShardIterator"])["Records"]
    return record["Data"]


def cloudfront_realtime() -> bytes:
    fields = json_of("cloudfront_realtime", "realtime_log_config.json")["Fields"]
    properties = load_properties(FOLDER / "cloudfront_realtime" / "properties.json")
    assert properties["weblog.parser"]["fields"].split(", ") == fields
    values = dict.fromkeys(fields, "-") | {
        "timestamp": "1761646530.123",
        "c-ip": CLIENT,
        "sc-status": "200",
        "sc-bytes": "1234",
        "cs-method": "GET",
        "cs-uri-stem": "/product.php",
        "cs-uri-query": "id=3",
        "cs-protocol-version": "HTTP/1.1",
        "cs-user-agent": "Mozilla/5.0%20(X11;%20Linux%20x86_64;%20rv:128.0)%20Gecko/20100101"
        "%20Firefox/128.0",
        "time-taken": "0.002",
    }
    return "\t".join(values.values()).encode()


def kpl() -> bytes:
    aggregator = RecordAggregator()
    for number in range(3):
        assert aggregator.add_user_record(f"key-{number}", f"{LINE}\n".encode()) is None
    _, _, record = aggregator.clear_and_get().get_contents()
    return bytes(record)


def nginx_behind_alb() -> bytes:
    assert '"$http_x_forwarded_for"' in (FOLDER / "nginx_behind_alb" / "nginx.conf").read_text()
    return f'{combined(host=BALANCER)} "{CLIENT}, 10.0.3.4"'.encode()


def elastic_beanstalk() -> bytes:
    rest = combined().partition(" ")[2]
    return f"{BALANCER} ({CLIENT}, {BALANCER}) {rest}".encode()


RECORDS = {
    "kinesis_agent": (kinesis_agent, kinesis_agent_logtojson),
    "fluent_bit": (fluent_bit, fluent_bit_log_key),
    "firelens": (firelens,),
    "vector": (vector, vector_json),
    "cloudwatch_logs": (cloudwatch_logs,),
    "cloudfront_realtime": (cloudfront_realtime,),
    "kpl": (kpl,),
    "nginx_behind_alb": (nginx_behind_alb,),
    "elastic_beanstalk": (elastic_beanstalk,),
}


@pytest.mark.parametrize(
    ("producer", "put"),
    [(producer, put) for producer, puts in RECORDS.items() for put in puts],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_what_a_producer_puts_is_enriched(producer: str, put: Any) -> None:
    outcomes = outcomes_of(producer, put())
    assert outcomes
    for outcome in outcomes:
        assert isinstance(outcome, Enriched), outcome
        record = json.loads(outcome.json)
        assert (record["host"], record["webpage"]) == (CLIENT, "product")
        assert (record["browser"], record["response"]) == ("Firefox", "200")
        assert record["quality"]["status"] == "ok"


@pytest.mark.parametrize(
    ("program", "put", "read"),
    [
        (".message", vector, str),
        ("encode_json(.)", vector_json, json.loads),
        ('. = parse_nginx_log!(.message, "combined")\nencode_json(.)', vector_parsed, json.loads),
    ],
)
def test_vectors_language_makes_the_same(
    program: str, put: Callable[[], bytes], read: Callable[[str], Any]
) -> None:
    vrl = shutil.which("vrl")
    if vrl is None:
        pytest.skip("no vrl on PATH (cargo install vrl --features cli)")
    event = json.dumps({"file": "/var/log/nginx/access.log", "message": LINE})
    made = subprocess.run(
        [vrl, "--input", "/dev/stdin", program],
        input=event, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert read(json.loads(made)) == read(put().decode())


def test_what_vector_parses_is_read_as_json() -> None:
    settings = CoreSettings.load({"weblog.parser": {"format": "json"}})
    (outcome,) = Enricher.create(settings, clock=lambda: NOW).process(vector_parsed())
    (plain,) = outcomes_of("vector", vector())
    assert isinstance(outcome, Enriched)
    made, expected = json.loads(outcome.json), json.loads(plain.json)
    assert {name for name in expected if made[name] != expected[name]} == {"datetime", "event_id"}


def test_every_folder_is_on_the_page_and_has_settings() -> None:
    page = PAGE.read_text("utf-8")
    for folder in FOLDER.iterdir():
        assert (folder / "properties.json").is_file()
        CoreSettings.load(load_properties(folder / "properties.json"))
        for file in folder.iterdir():
            if file.name != "properties.json":
                assert f"../examples/producers/{folder.name}/{file.name}" in page


def test_settings_shown_on_the_page_are_accepted() -> None:
    blocks = re.findall(r"```json\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        group = json.loads(block)
        CoreSettings.load({group["PropertyGroupId"]: group["PropertyMap"]})
