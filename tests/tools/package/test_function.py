"""The zip's contents, and its run as in Lambda."""

from __future__ import annotations

import ast
import gzip
import importlib.util
import json
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest

from lambda_app.firehose import RESPONSE_LIMIT
from tests.support.core import DATA, DEMO_DATABASE, combined, enricher, sample_lines
from tests.support.functions import (
    ACCOUNT,
    BAD,
    GOOD,
    REGION,
    data_of,
    firehose_event,
    good,
    kinesis_event,
)
from tests.support.geoip_files import write_asn, write_pair
from tests.support.packages import contents_of
from tests.support.unpacked import Place, link_runtime, running
from tools.cli import run_command
from tools.geoip.sources import IPV4_FILE, IPV6_FILE
from tools.package import function as package_lambda
from tools.package import wheels
from tools.package.contents import name_and_version
from tools.package.function import (
    DIRECT_UPLOAD_BYTES,
    HANDLERS,
    FunctionPackageOptions,
    build,
)
from tools.shell import EXIT_BAD_INPUT, EXIT_FAILED
from udfs.config.core import CoreSettings
from udfs.enrichment import Enricher
from udfs.outcomes import Enriched

main = partial(run_command, "package-lambda")

FIREHOSE = HANDLERS["Firehose transformation"]
KINESIS = HANDLERS["Kinesis consumer"]


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return link_runtime(tmp_path_factory.mktemp("var") / "runtime")


@pytest.fixture
def place(task_root: Path, runtime: Path, tmp_path: Path) -> Iterator[Place]:
    before = contents_of(task_root)
    yield Place(task_root, runtime, tmp_path / "work")
    assert contents_of(task_root) == before


# --- what is in it -------------------------------------------------------------------------------


def names_in(function_zip: Path) -> set[str]:
    with zipfile.ZipFile(function_zip) as opened:
        return set(opened.namelist())


def test_it_is_small_and_without_what_is_not_needed(function_zip: Path) -> None:
    assert function_zip.stat().st_size < DIRECT_UPLOAD_BYTES / 10
    tops = {name.split("/")[0] for name in names_in(function_zip) if ".dist-info" not in name}
    assert tops == {
        "LICENSE",
        "NOTICE",
        "aws",
        "conf",
        "data",
        "geoip2",
        "lambda_app",
        "maxminddb",
        "orjson",
        "ua_parser",
        "ua_parser_builtins",
        "ua_parser_rs",
        "udfs",
        "user_agents",
    }
    assert not any(name.startswith("udfs/flink/") for name in names_in(function_zip))


def test_each_module_has_its_byte_code(function_zip: Path) -> None:
    with zipfile.ZipFile(function_zip) as opened:
        for name in opened.namelist():
            if name.endswith(".py"):
                folder, _, file = name.rpartition("/")
                code = opened.read(f"{folder}/__pycache__/{file[:-3]}.cpython-312.pyc")
                assert code[:4] == importlib.util.MAGIC_NUMBER
                # Python compares such byte code neither with the source's time nor with its hash.
                assert int.from_bytes(code[4:8], "little") == 1


def test_the_same_input_gives_the_same_bytes(function_zip: Path, tmp_path: Path) -> None:
    again = build(FunctionPackageOptions(out=tmp_path, geoip=DEMO_DATABASE))

    assert again.name == function_zip.name
    assert again.read_bytes() == function_zip.read_bytes()


def test_arm64(tmp_path: Path) -> None:
    function_zip = build(FunctionPackageOptions(out=tmp_path, platform=wheels.ARM64))

    assert function_zip.name.endswith("-aarch64.zip")
    with zipfile.ZipFile(function_zip) as opened:
        libraries = [name for name in opened.namelist() if name.endswith(".so")]
        machines = {opened.read(name)[18:20] for name in libraries}
    assert len(libraries) == 3
    assert machines == {b"\xb7\x00"}


# --- the command ---------------------------------------------------------------------------------


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path)]) == 0

    printed = capsys.readouterr().out
    assert "WITHOUT a GeoIP database" in printed
    assert FIREHOSE in printed
    assert "sha256 " in printed


def one_error(
    arguments: list[str], out: Path, capsys: pytest.CaptureFixture[str], status: int = EXIT_FAILED
) -> str:
    assert main(["--out", str(out), *arguments]) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert list(out.glob("*")) == []
    return line


def properties(path: Path, groups: dict[str, dict[str, str]]) -> Path:
    document = [{"PropertyGroupId": name, "PropertyMap": one} for name, one in groups.items()]
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"weblog.parsr": {}}, "weblog.parsr: expected a known group"),
        ({"weblog.parser": {"format": "x"}}, "weblog.parser: format = 'x'"),
        ({"weblog.geoip": {"database.path": "data/x.mmdb"}}, "a database that --geoip adds"),
        ({"weblog.geoip": {"asn.database.path": "data/x.mmdb"}}, "a database that --asn adds"),
        ({"weblog.reference": {"file": "data/x.csv"}}, "a file that --reference adds"),
        ({"weblog.lookups.dns": {"enabled": "true"}}, "false for Lambda: only the job asks"),
    ],
)
def test_wrong_settings_leave_no_zip(
    groups: dict[str, dict[str, str]],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = properties(tmp_path / "x.json", groups)
    out = tmp_path / "dist"
    out.mkdir()
    name, version = name_and_version()
    (out / f"{name}-lambda-{version}-x86_64.zip").write_bytes(b"of an earlier run")

    assert message in one_error(["--properties", str(given)], out, capsys, EXIT_BAD_INPUT)


def test_a_database_of_the_wrong_kind_leaves_no_zip(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    country = DATA / "GeoIP2-Country-Test.mmdb"
    assert "not a City database" in one_error(["--geoip", str(country)], tmp_path, capsys)


def test_both_files_of_a_flat_database_come_along(tmp_path: Path) -> None:
    pair = write_pair(tmp_path)
    asn = write_asn(tmp_path / "asn.mmdb", {"203.0.113.0/24": 64500})
    options = FunctionPackageOptions(out=tmp_path / "dist", geoip=pair / IPV6_FILE, asn=asn)
    with zipfile.ZipFile(build(options)) as opened:
        for name in (IPV4_FILE, IPV6_FILE):
            assert opened.read(f"data/{name}") == (pair / name).read_bytes()
        # The zip has the names of countries beside the flat database.
        assert "udfs/enrich/countries.json" in opened.namelist()
        settings = json.loads(opened.read("conf/application_properties.json"))
    (group,) = (one for one in settings if one["PropertyGroupId"] == "weblog.geoip")
    assert group["PropertyMap"]["database.path"] == f"data/{IPV6_FILE}"
    assert group["PropertyMap"]["asn.database.path"] == "data/asn.mmdb"


def test_what_lambda_cannot_unpack_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_lambda, "MAXIMUM_BYTES", 1_000_000)
    assert "file system (EFS)" in one_error([], tmp_path, capsys)


def test_a_zip_too_large_for_a_direct_upload_is_made_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_lambda, "DIRECT_UPLOAD_BYTES", 1_000_000)
    assert main(["--out", str(tmp_path)]) == 0
    assert "Lambda takes it from S3 only, not by direct upload" in capsys.readouterr().out
    assert len(list(tmp_path.glob("*.zip"))) == 1


def test_the_limits_are_lambdas() -> None:
    assert package_lambda.DIRECT_UPLOAD_BYTES == 52_428_800
    assert package_lambda.MAXIMUM_BYTES == 262_144_000


def test_reference_data_comes_along(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = tmp_path / "pages.csv"
    pages.write_text("webpage,owner\nindex,shop\n")
    assert main(["--out", str(tmp_path / "dist"), "--reference", str(pages)]) == 0
    (function_zip,) = (tmp_path / "dist").glob("*.zip")
    with zipfile.ZipFile(function_zip) as opened:
        assert opened.read("data/pages.csv") == pages.read_bytes()
        assert "data/pages.csv" in opened.read("conf/application_properties.json").decode()

    capsys.readouterr()
    pages.write_text("page,owner\nindex,shop\n")
    given = ["--reference", str(pages)]
    out = tmp_path / "dist"
    assert "an entry without 'webpage'" in one_error(given, out, capsys, EXIT_BAD_INPUT)
    given = ["--reference", str(tmp_path / "absent.csv")]
    assert "absent.csv: no such file" in one_error(given, out, capsys)


def test_an_absolute_path_may_lie_outside(tmp_path: Path) -> None:
    given = properties(tmp_path / "x.json", {"weblog.geoip": {"database.path": "/mnt/geo/x.mmdb"}})

    function_zip = build(FunctionPackageOptions(out=tmp_path / "dist", properties=given))

    with zipfile.ZipFile(function_zip) as opened:
        assert "/mnt/geo/x.mmdb" in opened.read("conf/application_properties.json").decode()


# --- as Lambda runs it ---------------------------------------------------------------------------


def expected_lines(records: list[bytes]) -> list[bytes]:
    """Returns the core's lines for records, with the settings of the package."""
    core = enricher({"weblog.geoip": {"database.path": str(DEMO_DATABASE)}})
    outcomes = [outcome for record in records for outcome in core.process(record)]
    return [one.json.encode() for one in outcomes if isinstance(one, Enriched)]


def test_firehose(place: Place) -> None:
    lines = [line for line in sample_lines()[:1500] if line.endswith(b'"')]
    together = b"\n".join(lines[500:510])
    records = [*lines[:500], gzip.compress(together), b"\n", BAD]

    with running(place, FIREHOSE) as function:
        first = function.invoke(firehose_event(records))
        second = function.invoke(firehose_event([GOOD]))
        log = function.log()

    assert first.error is None
    answers = first.answer["records"]
    assert [one["recordId"] for one in answers] == [
        one["recordId"] for one in firehose_event(records)["records"]
    ]
    # Without a target for dead letters the bad record stays with Firehose.
    assert [one["result"] for one in answers] == ["Ok"] * 501 + ["Dropped", "ProcessingFailed"]
    made = b"".join(data_of(one) for one in answers if one["result"] == "Ok")
    assert made.splitlines() == expected_lines([*lines[:500], together])
    assert second.answer["records"][0]["result"] == "Ok"

    start, *invocations = log
    assert start["event_type"] == "init"
    assert start["geoip"].startswith("DBIP-City-Lite")
    assert start["ignored_groups"] == ""
    assert [one["event_type"] for one in invocations] == ["firehose", "firehose"]
    assert [one["records_processed"] for one in invocations] == [503, 1]
    assert invocations[0]["request_id"] == "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
    assert invocations[1]["duration_ms"] < invocations[0]["duration_ms"]


def test_only_the_package_and_the_standard_library_are_used(place: Place) -> None:
    with running(place, FIREHOSE) as function:
        assert function.invoke(firehose_event([GOOD])).error is None

    modules = place.modules()
    assert "udfs.enrichment" in modules
    assert "boto3" not in modules
    standard = Path(ast.__file__).parent.resolve()
    of_the_loop = {"awslambdaric", "simplejson", "snapshot_restore_py", "runtime_client"}
    for name, file in modules.items():
        top = name.split(".")[0]
        if file and top not in of_the_loop and top != "__main__":
            path = Path(file).resolve()
            assert path.is_relative_to(place.task_root) or path.is_relative_to(standard), name


def test_the_place_really_is_read_only(runtime: Path, tmp_path: Path) -> None:
    """The other tests rely on this."""
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "writer.py").write_text(
        "def handle(event, context):\n    open(event['path'], 'w').close()\n    return 'written'\n"
    )
    place = Place(tmp_path / "task", runtime, tmp_path / "work")

    with running(place, "writer.handle") as function:
        inside = function.invoke({"path": str(tmp_path / "task" / "x")})
        outside = function.invoke({"path": str(tmp_path / "work" / "tmp" / "x")})

    assert inside.error is not None
    assert inside.error["errorType"] == "PermissionError"
    assert outside.answer == "written"


def test_a_response_of_lambdas_largest_size(place: Place) -> None:
    long = [combined(referer=f"http://x/{n}/" + "r" * 60_000).encode() for n in range(60)]

    with running(place, FIREHOSE) as function:
        result = function.invoke(firehose_event(long))

    assert RESPONSE_LIMIT - 200_000 < result.size <= RESPONSE_LIMIT
    said = [one["result"] for one in result.answer["records"]]
    assert set(said) == {"Ok", "ProcessingFailed"}


def test_a_timeout_that_is_all_reserve_is_an_error(place: Place) -> None:
    with running(place, FIREHOSE) as function:
        result = function.invoke(firehose_event([GOOD]), timeout=5)

    assert result.error is not None
    assert result.error["errorMessage"].startswith(
        "weblog.lambda: timeout.reserve = '10 s': expected less than the timeout of the function"
    )


def test_an_outage_is_an_error_of_the_function(place: Place) -> None:
    with running(place, FIREHOSE) as function:
        result = function.invoke(firehose_event([BAD] * 20))
        after = function.invoke(firehose_event([GOOD]))
        printed = function.printed()

    assert result.error is not None
    assert result.error["errorType"] == "OutageError"
    assert after.answer["records"][0]["result"] == "Ok"
    assert BAD.decode() not in printed


def test_privacy_with_a_salt_from_the_environment(place: Place) -> None:
    environ = {"WEBLOG_PRIVACY__PROFILE": "strict", "WEBLOG_PRIVACY_SALT": "0123456789abcdef"}

    with running(place, FIREHOSE, environ) as function:
        result = function.invoke(firehose_event([GOOD]))
        printed = function.printed()

    record = json.loads(data_of(result.answer["records"][0]))
    assert "81.2.69.142" not in json.dumps(record)
    core = Enricher.create(
        CoreSettings.load({"weblog.privacy": {"profile": "strict"}}), salt=b"0123456789abcdef"
    )
    (expected,) = core.process(GOOD)
    assert record["host"] == json.loads(expected.json)["host"]
    assert record["event_id"] == json.loads(expected.json)["event_id"]
    assert environ["WEBLOG_PRIVACY_SALT"] not in printed


@pytest.mark.parametrize(
    ("handler", "environ", "message"),
    [
        (FIREHOSE, {"WEBLOG_PARSER__FORMAT": "x"}, "weblog.parser: format = 'x': expected one of"),
        (FIREHOSE, {"WEBLOG_TYPO": "x"}, "environment: WEBLOG_TYPO: expected the variable of a"),
        (
            FIREHOSE,
            {"WEBLOG_GEOIP__DATABASE_PATH": "data/absent.mmdb"},
            "weblog.geoip: database.path = 'data/absent.mmdb': expected a readable",
        ),
        (KINESIS, {}, "weblog.lambda: output.arn = '': expected a stream"),
        (
            KINESIS,
            {"WEBLOG_LAMBDA__PARTITION_BY": "hour"},
            "weblog.lambda: partition.by = 'hour': expected none for the Kinesis consumer",
        ),
        (
            FIREHOSE,
            {"WEBLOG_PRIVACY__PROFILE": "strict"},
            "weblog.privacy: salt.variable = 'WEBLOG_PRIVACY_SALT': expected the name of an env",
        ),
    ],
)
def test_wrong_settings_end_the_start(
    place: Place, handler: str, environ: dict[str, str], message: str
) -> None:
    with running(place, handler, environ) as function:
        error = function.start_error()
        first = json.loads(function.printed().splitlines()[0])

    assert error["errorType"] == "ConfigurationError"
    assert error["errorMessage"].startswith(message)
    assert first["level"] == "ERROR"
    assert first["error"].startswith(message)


def client(service: str, endpoint: str) -> Any:
    make: Any = boto3.client
    return make(
        service,
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="testing",
    )


def test_kinesis_and_a_dead_letter_queue(place: Place, endpoint: str) -> None:
    kinesis, sqs = client("kinesis", endpoint), client("sqs", endpoint)
    kinesis.create_stream(StreamName="enriched", ShardCount=1)
    url = sqs.create_queue(QueueName="letters")["QueueUrl"]
    environ = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "WEBLOG_LAMBDA__OUTPUT_ARN": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/enriched",
        "WEBLOG_LAMBDA__DEAD_LETTER_ARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:letters",
    }
    records = [*map(good, range(50)), BAD]

    with running(place, KINESIS, environ) as function:
        result = function.invoke(kinesis_event(records))
        kinesis.delete_stream(StreamName="enriched")
        failed = function.invoke(kinesis_event(records))
        log = function.log()

    assert result.answer == {"batchItemFailures": []}
    assert failed.answer == {
        "batchItemFailures": [
            {"itemIdentifier": kinesis_event(records)["Records"][0]["kinesis"]["sequenceNumber"]}
        ]
    }
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert json.loads(message["Body"])["raw"] == BAD.decode()
    assert [one["event_type"] for one in log] == ["init", "kinesis", "kinesis"]
    assert log[2]["delivery_problems"] == {"ResourceNotFoundException": 50}
