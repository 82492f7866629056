"""What the command takes and shows."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tools.bench import report
from tools.cli import run_command
from tools.size.measured import SCHEMA
from tools.size.prices import US_EAST_1

main = partial(run_command, "size")

BASE = ["--rate", "500", "--micros", "120", "--lambda-micros", "23"]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def rows(document: Any, title: str) -> dict[str, Any]:
    (section,) = [one for one in document["sections"] if title in one["title"]]
    return {row["name"]: row for row in section["rows"]}


def bench(path: Path, *, busy: bool = False, **figures: dict[str, float]) -> str:
    document = {
        "schema": SCHEMA,
        "machine": {"busy": busy},
        "figures": {
            name.replace("__", "."): {"title": name, "rounds": [values], "median": values}
            for name, values in figures.items()
        },
    }
    path.write_text(json.dumps(document))
    return str(path)


FULL = {"records_per_s": 9000.0, "jvm_cpu_us": 60.5, "python_cpu_us": 39.5}


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(BASE) == 0
    shown = capsys.readouterr().out
    assert f"{US_EAST_1.region}, {US_EAST_1.date}: verify before use" in shown
    assert "2 KPUs x 720 h x 0.11 USD" in shown
    assert re.search(r"KPUs, with one for orchestration +158\.40 USD", shown)
    assert "At 500 records/s Lambda is cheaper." in shown
    assert "Windows, sessions and alerts" in shown
    assert max(map(len, shown.splitlines())) <= 150


def test_every_product_shown_is_the_number_shown(capsys: pytest.CaptureFixture[str]) -> None:
    document = run(capsys, *BASE)
    checked = 0
    for section in document["sections"]:
        for row in section["rows"]:
            if row["unit"] == "USD" and " x " in row["arithmetic"]:
                factors = [
                    float(part.split()[0].replace(",", ""))
                    for part in row["arithmetic"].split(" x ")
                ]
                # Factors are shown rounded.
                assert math.prod(factors) == pytest.approx(row["value"], rel=1e-3)
                checked += 1
    assert checked == 10


def test_per_day_is_the_rate(capsys: pytest.CaptureFixture[str]) -> None:
    given = [*BASE[2:], "--per-day", "43200000"]
    assert run(capsys, *given)["sections"] == run(capsys, *BASE)["sections"]


def test_all_examples(capsys: pytest.CaptureFixture[str]) -> None:
    document = run(capsys, "--examples", *BASE[2:])
    first = rows(document, "Example 1: 1,000,000 invocations a day, 512 MB, 200 ms")
    assert first["requests"]["value"] == 6
    assert first["GB-seconds"]["value"] == 50.0001
    assert first["total a month"]["value"] == 56.0001
    second = rows(document, "Example 2: 500 records/s with GeoIP: Managed")
    assert second["total a month"]["value"] == 235.544
    third = rows(document, "Example 3: 1,000 records in 30 s")
    assert third["time allowed for a record"]["value"] == 30
    assert third["time needed at 512 MB"]["value"] == pytest.approx(5 + 23 * 1769 / 512)
    assert third["requests"]["value"] == pytest.approx(86_400 * 0.2 / 1e6)


def test_measured_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = bench(
        tmp_path / "b.json",
        job__full__process=FULL,
        job__enrich__process={**FULL, "jvm_cpu_us": 20.0},
        core__whole__made={"records_per_s": 50_000.0},
    )
    document = run(capsys, "--rate", "500", "--bench", file)
    assert "500 records/s x 1 peak x 100 us" in rows(document, "Managed")["KPUs"]["arithmetic"]
    assert "20 us / 1,000" in rows(document, "Lambda")["milliseconds of a record"]["arithmetic"]
    document = run(capsys, "--rate", "500", "--bench", file, "--figure", "job.enrich.process")
    assert "x 59.5 us" in rows(document, "Managed")["KPUs"]["arithmetic"]
    assert not any("busy" in line for line in document["assumptions"])
    assert any("provisioned shards" in line for line in document["assumptions"])


def test_the_form_is_that_of_the_benchmark() -> None:
    assert SCHEMA == report.SCHEMA


def test_the_command_needs_none_of_the_packages_for_development() -> None:
    script = "import sys, tools.size.command; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    ).stdout.split()
    assert not {"pyflink", "mmdb_writer", "tools.bench"} & set(loaded)


def test_a_busy_machine_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = bench(tmp_path / "b.json", busy=True, job__full__process=FULL)
    assert main(["--rate", "5", "--bench", file]) == 0
    shown = capsys.readouterr().out
    assert "warning   the benchmark ran on a busy machine" in shown
    assert "(the job's)" in shown


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
    ("arguments", "told"),
    [
        (["--rate", "500", "--micros", "6000", "--shards", "2"], ["nothing to do"]),
        (["--rate", "5000", "--micros", "60", "--shards", "4"], ["than the 5 that take"]),
        (["--rate", "500", "--micros", "60", "--peak", "3", "--shards", "1"], ["than the 2 that"]),
        (["--rate", "500", "--micros", "60", "--shards", "1"], []),
    ],
)
def test_too_few_shards_are_told(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: list[str]
) -> None:
    notes = run(capsys, *arguments)["sections"][0]["notes"]
    assert len(notes) == len(told)
    for note, text in zip(notes, told, strict=True):
        assert text in note


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "cannot read"),
        ("not json", "is not JSON"),
        ("[]", "expected one JSON object"),
        ('{"kpu_hour": 1}', "region: expected a text"),
        ('{"region":"a","date":"b","source":"c","kpu_hours":1}', "unknown name 'kpu_hours'"),
        ('{"region":"a","date":"b","source":"c","kpu_hour":-1}', "kpu_hour: expected a number"),
        ('{"region":"a","date":"b","source":"c","kpu_hour":NaN}', "kpu_hour: expected a number"),
        ('{"region":"a","date":"b","source":"c","kpu_hour":"1"}', "kpu_hour: expected a number"),
    ],
)
def test_bad_prices(
    text: str | None, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "prices.json"
    if text is not None:
        file.write_text(text)
    assert main([*BASE, "--prices", str(file)]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert expected in shown.err
    assert shown.err.startswith("error: ")
    assert shown.err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", "is no result of ./build.sh bench"),
        (json.dumps({"schema": SCHEMA, "figures": {}}), "no CPU time of job.full.process or"),
        (json.dumps({"schema": SCHEMA, "figures": []}), "no CPU time of"),
        (
            json.dumps({"schema": SCHEMA, "figures": {"job.full.process": {"median": {}}}}),
            "measure it with ./build.sh bench",
        ),
    ],
)
def test_bad_benchmarks(
    text: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "b.json"
    file.write_text(text)
    assert main(["--rate", "5", "--bench", str(file)]) == 1
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--rate", "0"], "'0' is not a number above 0"),
        (["--rate", "-5"], "'-5' is not a number above 0"),
        (["--rate", "nan"], "'nan' is not a number above 0"),
        (["--rate", "many"], "'many' is not a number above 0"),
        (["--per-day", "1e99"], "is not a number above 0"),
        (["--rate", "5", "--load", "101"], "'101' is not a number above 0 to 100"),
        (["--rate", "5", "--peak", "0.5"], "'0.5' is not a number from 1"),
        (["--rate", "5", "--bytes", "0"], "'0' is not a whole number from 1"),
        (["--rate", "5", "--memory", "64"], "'64' is not a whole number from 128 to 10240"),
        (["--rate", "5", "--per-day", "5"], "not allowed with"),
        ([], "is required"),
    ],
)
def test_bad_arguments(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--micros", "100", *arguments])
    assert ended.value.code == 2
    assert expected in capsys.readouterr().err
