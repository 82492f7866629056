"""The command's arguments and output."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.deploy import kinesis_groups, write_properties
from tools.bench import report
from tools.cli import run_command
from tools.size.measured import SCHEMA
from tools.size.prices import US_EAST_1
from tools.size.report import number

main = partial(run_command, "size")

BASE = ["--rate", "500", "--micros", "120", "--lambda-micros", "23"]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def rows(document: Any, title: str) -> dict[str, Any]:
    (section,) = [one for one in document["sections"] if title in one["title"]]
    return {row["name"]: row for row in section["rows"]}


def bench(path: Path, *, busy: bool = False, **figures: dict[str, float]) -> str:
    medians = {name.replace("__", "."): {"median": values} for name, values in figures.items()}
    document = {"schema": SCHEMA, "machine": {"busy": busy}, "figures": medians}
    path.write_text(json.dumps(document))
    return str(path)


FULL = {"records_per_s": 9000.0, "jvm_cpu_us": 60.5, "python_cpu_us": 39.5}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1296.0, "1,296"),
        (0.0000166667, "0.0000166667"),
        (585_845.947265625, "585,845.947265625"),
        (2212.1856540084386, "2,212.1857"),
        (0.1 + 0.2, "0.3"),
    ],
)
def test_numbers_as_people_write_them(value: float, shown: str) -> None:
    assert number(value) == shown


def test_per_day_is_the_rate(capsys: pytest.CaptureFixture[str]) -> None:
    given = [*BASE[2:], "--per-day", "43200000"]
    assert run(capsys, *given)["sections"] == run(capsys, *BASE)["sections"]


def test_measured_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = bench(
        tmp_path / "b.json",
        job__full__process=FULL,
        job__enrich__process={**FULL, "jvm_cpu_us": 20.0},
        job__full__thread={**FULL, "jvm_cpu_us": 80.0, "python_cpu_us": 0.0},
        core__whole__made={"records_per_s": 50_000.0},
    )
    document = run(capsys, "--rate", "500", "--bench", file)
    assert "500 records/s x 1 peak x 100 us" in rows(document, "Managed")["KPUs"]["arithmetic"]
    assert "20 us / 1,000" in rows(document, "Lambda")["milliseconds of a record"]["arithmetic"]
    document = run(capsys, "--rate", "500", "--bench", file, "--figure", "job.enrich.process")
    assert "x 59.5 us" in rows(document, "Managed")["KPUs"]["arithmetic"]
    assert not any("busy" in line for line in document["assumptions"])
    # In thread mode Python is part of the JVM.
    document = run(capsys, "--rate", "500", "--bench", file, "--figure", "job.full.thread")
    assert "x 80 us" in rows(document, "Managed")["KPUs"]["arithmetic"]

    alone = bench(tmp_path / "busy.json", busy=True, job__full__process=FULL)
    assumptions = run(capsys, "--rate", "5", "--bench", alone)["assumptions"]
    assert "Lambda    100 us of CPU a record (the job's)" in assumptions
    assert "warning   the benchmark ran on a busy machine" in assumptions


def test_the_idle_stacks_with_their_arithmetic(capsys: pytest.CaptureFixture[str]) -> None:
    document = run(capsys, *BASE)
    assert "6 streams, PROVISIONED" in document["assumptions"][3]
    assert rows(document, "Without a record") == {
        "Managed Flink, idle": {
            "name": "Managed Flink, idle",
            "value": pytest.approx(234.70),
            "unit": "USD",
            "arithmetic": "2 x 720 x 0.11 + 1 x 50 x 0.1 + 6 x 1 x 720 x 0.015 + 1 x 0.5 + "
            "30 x 0.1 + 1 x 3",
        },
        "Lambda, idle": {
            "name": "Lambda, idle",
            "value": pytest.approx(4.20),
            "unit": "USD",
            "arithmetic": "12 x 0.1 + 1 x 3",
        },
    }


def test_streams_on_demand_have_no_shards(capsys: pytest.CaptureFixture[str]) -> None:
    job = rows(run(capsys, *BASE, "--stream-mode", "ON_DEMAND"), "Managed Service")
    assert "streams on demand" in job
    assert not {"streams", "shards of each stream"} & job.keys()


def test_the_streams_are_those_of_the_property_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Existing streams are in somebody else's bill.
    file = write_properties(tmp_path / "job.json", kinesis_groups())
    document = run(capsys, *BASE, "--config", str(file))
    assert "0 streams" in document["assumptions"][3]
    assert "streams" not in rows(document, "Managed Service")
    assert main([*BASE, "--config", str(tmp_path / "none.json")]) == 2


def test_the_form_is_that_of_the_benchmark() -> None:
    assert SCHEMA == report.SCHEMA


def test_other_prices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "prices.json"
    file.write_text(
        '{"region": "eu-west-1", "date": "2030-01-01", "source": "a contract", "kpu_hour": 0.5}'
    )
    document = run(capsys, *BASE, "--prices", str(file))
    compute = rows(document, "Managed")["KPUs, with one for orchestration"]
    assert compute["value"] == 720
    assert document["prices"]["region"] == "eu-west-1"
    assert document["prices"]["shard_hour"] == float(US_EAST_1.shard_hour)


@pytest.mark.parametrize(
    ("arguments", "notes"),
    [
        ("--rate 500 --micros 6000 --shards 2", ["nothing to do"]),
        ("--rate 5000 --micros 60 --shards 4", ["than the 5 that take"]),
        ("--rate 500 --micros 60 --peak 3 --shards 1", ["than the 2 that"]),
        ("--rate 500 --micros 60 --shards 1", []),
    ],
)
def test_too_few_shards_are_noted(
    capsys: pytest.CaptureFixture[str], arguments: str, notes: list[str]
) -> None:
    shown = run(capsys, *arguments.split())["sections"][0]["notes"]
    assert len(shown) == len(notes)
    assert all(text in note for note, text in zip(shown, notes, strict=True))


SOURCE = '"region": "a", "date": "b", "source": "c"'


@pytest.mark.parametrize(
    ("option", "text", "expected"),
    [
        ("--prices", None, "cannot read"),
        ("--prices", "not json", "is not JSON"),
        ("--prices", "[]", "expected one JSON object"),
        ("--prices", '{"kpu_hour": 1}', "region: expected a text"),
        ("--prices", f'{{{SOURCE}, "kpu_hours": 1}}', "unknown name 'kpu_hours'"),
        *(
            ("--prices", f'{{{SOURCE}, "kpu_hour": {price}}}', "kpu_hour: expected a number")
            for price in ("-1", "NaN", "1" + "0" * 400, '"1"', "true", "null")
        ),
        ("--bench", None, "cannot read"),
        ("--bench", "[]", "is no result of ./build.sh bench"),
        ("--bench", "{}", "is no result of ./build.sh bench"),
        ("--bench", f'{{"schema": "{SCHEMA}"}}', "no CPU time of job.full.process or"),
        ("--bench", f'{{"schema": "{SCHEMA}", "figures": []}}', "measure it with ./build.sh bench"),
    ],
)
def test_unusable_files(
    option: str, text: str | None, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.json"
    if text is not None:
        file.write_text(text)
    cost = [] if option == "--bench" else ["--micros", "100"]
    assert main(["--rate", "5", *cost, option, str(file)]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    assert (expected in shown.err, shown.err.count("\n")) == (True, 1)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        *(
            (f"--rate {rate}", f"'{rate}' is not a number above 0")
            for rate in ("0", "-5", "nan", "many", "1e99")
        ),
        ("--rate 5 --load 101", "'101' is not a number above 0 to 100"),
        ("--rate 5 --peak 0.5", "'0.5' is not a number from 1"),
        ("--rate 5 --bytes 0", "'0' is not a whole number from 1"),
        ("--rate 5 --memory 64", "'64' is not a whole number from 128 to 10240"),
        ("--rate 5 --per-day 5", "not allowed with"),
        ("", "is required"),
    ],
)
def test_bad_arguments(arguments: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--micros", "100", *arguments.split()])
    assert ended.value.code == 2
    assert expected in capsys.readouterr().err


def test_what_each_output_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "b.json"
    bench(file, job__full__process=FULL)
    document = json.loads(file.read_text()) | {"output_cpu_us": {"bots": 1.5, "sessions": 12.0}}
    file.write_text(json.dumps(document))

    answer = run(capsys, "--rate", "50000", "--bench", str(file))

    outputs = rows(answer, "What an output takes")
    assert list(outputs) == ["sessions", "bots"]
    assert outputs["sessions"]["value"] == pytest.approx(50_000 * 12e-6 / 0.6)
