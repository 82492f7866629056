"""The snapshot of made outputs."""

from __future__ import annotations

import json
import os
import random
import re
import string
from pathlib import Path
from typing import Any

import pytest

from tests.support.dashboard import (
    IN_PROGRESS,
    bot,
    country,
    journal,
    letter,
    overview,
    page,
    step,
    summary,
    times,
    window,
    write_json,
    write_rows,
)
from tools.dashboard.assets import read
from tools.dashboard.runs import find_run
from tools.dashboard.snapshot import RunReader, finished_snapshot, throughput
from tools.dashboard.tail import OutputTail, RestartedError
from tools.dashboard.totals import TimeTotals, Totals
from tools.local.text import raw_line, shown
from tools.run.report import render
from udfs.enrich.countries import country_names


def snapshot(output: Path) -> dict[str, Any]:
    return finished_snapshot(find_run(output), output)


class TestFinishedRun:
    def test_accounts_come_from_the_summary(self, output: Path) -> None:
        accounts = snapshot(output)["accounts"]
        assert accounts["final"] is True
        assert (accounts["lines_in"], accounts["enriched"], accounts["late"]) == (100, 97, 3)
        assert (accounts["filtered_count"], accounts["dead_lettered_count"]) == (1, 2)

    def test_pages_with_errors_most_first(self, output: Path) -> None:
        pages = snapshot(output)["pages"]
        assert [
            (row["name"], row["client_errors"], row["server_errors"]) for row in pages["rows"]
        ] == [
            (None, 4, 0),
            ("cart", 2, 1),
        ]
        assert (pages["errors"], pages["errors_of_others"]) == (7, 0)

    def test_countries_have_their_codes(self, output: Path) -> None:
        rows = snapshot(output)["countries"]["rows"]
        assert [(row["name"], row["code"], row["requests"]) for row in rows] == [
            ("France", "FR", 40),
            ("Singapore", "SG", 7),
            (None, None, 3),
        ]

    def test_bots_by_kind_and_by_name(self, output: Path) -> None:
        bots = snapshot(output)["bots"]
        assert [(row["name"], row["requests"]) for row in bots["bot_kind"]["rows"]] == [
            ("search", 8),
            ("tool", 3),
        ]
        assert [(row["name"], row["bytes_sent"]) for row in bots["bot"]["rows"]] == [
            ("Googlebot", 80),
            (None, 30),
        ]

    def test_the_slowest_pages_of_all_windows(self, output: Path) -> None:
        found = snapshot(output)["times"]
        assert found["requests_of_others"] == 0
        assert [tuple(row.values()) for row in found["rows"]] == [
            ("report", 10, 700.0, 2500, 2500),
            ("index", 30, 20.5, 90, 60),
            ("rare", 9, 5000.0, 9000, 9000),
        ]

    def test_steps_from_page_to_page(self, output: Path) -> None:
        found = snapshot(output)["flow"]
        assert (found["requests"], found["requests_of_others"]) == (15, 0)
        assert (found["origins"], found["targets"]) == (["index", "search"], ["search", "cart"])
        assert found["matrix"] == [[12, 0], [0, 3]]
        assert found["rows"][0] == {"origin": "index", "target": "search", "requests": 12}

    def test_the_matrix_has_the_pages_of_the_most_frequent_steps(self, tmp_path: Path) -> None:
        write_json(tmp_path / "summary.json", summary())
        rows = [step(1, f"from{n % 20}", f"to{n // 20}", 1000 - n) for n in range(400)]
        write_rows(tmp_path, "page_flow", rows)
        found = snapshot(tmp_path)["flow"]
        assert found["origins"] == [f"from{n}" for n in range(12)]
        assert found["targets"] == [f"to{n}" for n in range(12)]
        assert found["matrix"][3][2] == 1000 - 43
        shown = sum(map(sum, found["matrix"]))
        assert found["requests_of_others"] == found["requests"] - shown > 0
        assert len(found["rows"]) == 30

    def test_the_series_adds_up(self, output: Path) -> None:
        found = snapshot(output)["overview"]
        assert found["step"] == 60
        assert found["requests"] == [10 + minute for minute in range(60)]
        assert found["totals"]["requests"] == sum(found["requests"])

    def test_dead_letters_with_samples(self, output: Path) -> None:
        (row,) = snapshot(output)["dead_letters"]["rows"]
        assert (row["reason"], row["count"]) == ("parse/malformed_line", 2)
        assert [sample["raw"] for sample in row["samples"]] == ["not a line", "\\xff\\u{0}\\xc3("]

    def test_alerts_the_latest_first_without_empty_columns(self, output: Path) -> None:
        (alerts,) = snapshot(output)["alerts"]
        assert alerts["count"] == 2
        assert [row[alerts["columns"].index("state")] for row in alerts["rows"]] == [
            "ended",
            "started",
        ]
        assert "unused" not in alerts["columns"]

    def test_an_end_written_before_its_start_is_shown_above_it(self, tmp_path: Path) -> None:
        write_json(tmp_path / "summary.json", summary())
        rows = [
            {"state": "ended", "changed_at": "2015-05-20T09:11:00Z"},
            {"state": "started", "changed_at": "2015-05-20T09:06:00Z"},
        ]
        write_rows(tmp_path, "alerts", rows)
        (alerts,) = snapshot(tmp_path)["alerts"]
        assert [row[0] for row in alerts["rows"]] == ["ended", "started"]

    def test_a_run_without_a_journal_is_shown_too(self, output: Path) -> None:
        (output / "run.json").unlink()
        found = snapshot(output)
        assert found["run"]["state"] == "finished"
        assert found["throughput"] == {"seconds": [], "rate": []}

    def test_an_unreadable_row_is_counted_and_left_out(self, output: Path) -> None:
        write_rows(output, "errors_per_page", [{"webpage": "half"}], tail="{broken\n")
        assert snapshot(output)["run"]["unreadable"] == 2


class TestLiveRun:
    @pytest.fixture
    def work(self, tmp_path: Path) -> Path:
        write_json(tmp_path / ".work" / "run-1" / "run.json", journal("running"))
        return tmp_path / ".work" / "run-1" / "results"

    def test_files_in_progress_are_read_as_they_grow(self, tmp_path: Path, work: Path) -> None:
        write_rows(work, "traffic_overview", [overview(1)], IN_PROGRESS, tail='{"window_sta')
        write_rows(work, "enriched", [{"host": "x"}] * 3, IN_PROGRESS)
        run = find_run(tmp_path)
        reader = RunReader(run.id)
        reader.look(run)
        found = reader.document(run, "out")
        assert found["run"]["state"] == "running"
        assert found["overview"]["totals"]["requests"] == 10
        assert found["accounts"]["enriched"] == 3
        assert found["run"]["unreadable"] == 0

        path = work / "traffic_overview" / IN_PROGRESS
        rest = json.dumps(overview(2))[len('{"window_sta') :]
        with path.open("a") as stream:
            stream.write(rest + "\n")
        reader.look(run)
        assert reader.document(run, "out")["overview"]["totals"]["requests"] == 20

    def test_a_file_that_is_renamed_is_not_read_twice(self, tmp_path: Path, work: Path) -> None:
        path = write_rows(work, "traffic_overview", [overview(1)], IN_PROGRESS)
        run = find_run(tmp_path)
        reader = RunReader(run.id)
        reader.look(run)
        # Flink renames the file at its end; then the command moves the finished run.
        path = path.rename(path.with_name("part-1f-0-0"))
        reader.look(run)
        (tmp_path / "traffic_overview").mkdir()
        path.rename(tmp_path / "traffic_overview" / "part-00000.jsonl")
        (tmp_path / ".work" / "run-1" / "run.json").unlink()
        write_json(tmp_path / "run.json", journal("finished"))
        write_json(tmp_path / "summary.json", summary())
        run = find_run(tmp_path)
        assert run.id == reader.run_id
        assert not reader.look(run)
        assert reader.document(run, "out")["overview"]["totals"]["requests"] == 10

    def test_a_file_that_shrinks_starts_the_count_again(self, tmp_path: Path, work: Path) -> None:
        # A job restarted from a checkpoint cuts the rows after it.
        path = write_rows(work, "traffic_overview", [overview(1), overview(2)], IN_PROGRESS)
        run = find_run(tmp_path)
        reader = RunReader(run.id)
        reader.look(run)
        path.write_text(json.dumps(overview(1)) + "\n")
        reader.look(run)
        reader.look(run)
        assert reader.document(run, "out")["overview"]["totals"]["requests"] == 10

    def test_much_is_read_a_part_at_a_time(
        self, tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tools.dashboard.snapshot._BYTES_PER_LOOK", 100_000)
        monkeypatch.setattr("tools.dashboard.tail._CHUNK_BYTES", 50_000)
        write_rows(work, "errors_per_page", [page(1, f"p{n}", 1, 1) for n in range(5000)])
        run = find_run(tmp_path)
        reader = RunReader(run.id)
        reader.look(run)
        assert 0 < reader.document(run, "out")["run"]["reading"] < 1
        while reader.look(run):
            pass
        found = reader.document(run, "out")
        assert (found["run"]["reading"], found["pages"]["errors"]) == (1.0, 5000)

    @pytest.mark.parametrize("phase", ["failed", "interrupted"])
    def test_a_failed_run_says_why(self, tmp_path: Path, phase: str) -> None:
        failed = journal(phase, message="no space\x1b[2J")
        write_json(tmp_path / ".work" / "run-1" / "run.json", failed)
        run = find_run(tmp_path)
        document = RunReader(run.id).document(run, "out")
        assert document["run"]["state"] == phase
        assert document["run"]["message"] == "no space\\u{1b}[2J"

    def test_a_run_whose_process_is_gone_is_lost(self, tmp_path: Path) -> None:
        process = os.fork()
        if process == 0:
            os._exit(0)
        os.waitpid(process, 0)
        write_json(tmp_path / ".work" / "run-1" / "run.json", journal("running", pid=process))
        assert find_run(tmp_path).state == "lost"

    def test_a_silent_run_is_lost(self, tmp_path: Path, work: Path) -> None:
        os.utime(tmp_path / ".work" / "run-1" / "run.json", (1, 1))
        assert find_run(tmp_path).state == "lost"

    def test_a_run_that_goes_hides_the_results_of_the_one_before(self, output: Path) -> None:
        write_json(output / ".work" / "run-1" / "run.json", journal("running", id="run-2"))
        assert (find_run(output).id, find_run(output).live) == ("run-2", True)


def test_no_run(tmp_path: Path) -> None:
    run = find_run(tmp_path / "missing")
    document = RunReader(run.id).document(run, "missing")
    assert document["run"]["state"] == "none"
    assert document["overview"]["starts"] == []


def test_throughput_is_the_lines_between_two_looks() -> None:
    assert throughput([[2.0, 0], [3.0, 500], [5.0, 1500]]) == {
        "seconds": [2.0, 3.0, 5.0],
        "rate": [0.0, 500.0, 500.0],
    }


class TestBounds:
    def test_totals_keep_the_largest_and_the_sum(self) -> None:
        totals = Totals(2, 10, lambda sums: (sums[0],))
        for number in range(1000):
            totals.add(f"small{number}", 1, 2)
            totals.add("large", 5, 1)
        assert len(totals._sums) <= 21
        (largest, *_), rest = totals.largest(1)
        assert largest == ("large", [5000, 1000])
        assert rest == [1000, 2000]
        assert totals.total() == [6000, 3000]

    def test_totals_keep_the_largest_number_where_a_sum_says_nothing(self) -> None:
        totals = Totals(2, 10, lambda sums: (sums[0],), largest=1)
        for number in range(1000):
            totals.add(f"small{number}", 1, number)
            totals.add("large", 5, number % 7)
        (largest, *_), rest = totals.largest(1)
        assert largest == ("large", [5000, 6])
        assert (rest, totals.total()) == ([1000, 999], [6000, 999])

    def test_time_gets_coarser_and_loses_nothing(self) -> None:
        times = TimeTotals(1, keep=50)
        for minute in range(10_000):
            times.add(60 * minute, 60, [1])
        series = times.series(most=40)
        assert len(series.starts) <= 40
        assert sum(series.columns[0]) == 10_000
        assert [b - a for a, b in zip(series.starts, series.starts[1:], strict=False)] == [
            series.step
        ] * (len(series.starts) - 1)

    def test_a_few_wrong_clocks_do_not_squeeze_the_rest(self) -> None:
        times = TimeTotals(1)
        times.add(0, 60, [1])
        times.add(60, 60, [2])
        for minute in range(100):
            times.add(1_700_000_000 // 60 * 60 + 60 * minute, 60, [10])
        times.add(4_000_000_000 // 60 * 60, 60, [1])
        series = times.series(most=120)
        assert (series.step, series.outside, sum(series.columns[0])) == (60, 4, 1000)

    def test_a_gap_between_two_busy_times_stays(self) -> None:
        times = TimeTotals(1)
        times.add(0, 60, [10])
        times.add(86_400 * 300, 60, [10])
        series = times.series(most=120)
        assert (series.outside, sum(series.columns[0])) == (0, 20)

    def test_the_largest_report_is_small(self, tmp_path: Path) -> None:
        chance = random.Random(7)
        hard = "<" * 100 + "\u2028" * 100 + "\U0001f600" * 2000

        def text() -> str:
            return "".join(chance.choices(string.ascii_letters, k=8)) + hard

        output = tmp_path / "out"
        write_json(output / "summary.json", summary(filtered={text(): 1 for _ in range(500)}))
        write_json(output / "run.json", journal("finished", sources=[text()] * 20, message=text()))
        write_rows(output, "traffic_overview", [overview(m) for m in range(1400)])
        write_rows(output, "errors_per_page", [page(1, text(), 1, 1) for _ in range(300)])
        write_rows(output, "traffic_per_country", [country(1, text(), 1) for _ in range(400)])
        write_rows(
            output,
            "traffic_per_client",
            [
                window(1)
                | {"device_type": text(), "os": text(), "browser": text()}
                | {"requests": 1, "bytes_sent": 1}
                for _ in range(300)
            ],
        )
        write_rows(output, "bots", [bot(1, text(), 1, text()) for _ in range(300)])
        slow = [times(1, text(), 1, mean=1.5, longest=2, p95=2.0) for _ in range(300)]
        write_rows(output, "response_times", slow)
        write_rows(output, "page_flow", [step(1, text(), text(), 1) for _ in range(300)])
        write_rows(output, "dead_letters", [letter(text(), text()) for _ in range(300)])
        alert = {f"{name}{hard}": hard for name in string.ascii_letters}
        write_rows(output, "alerts", [alert for _ in range(300)])
        assert len(render(snapshot(output)).encode()) < 2_000_000


class TestTail:
    def test_other_files_are_left_alone(self, tmp_path: Path) -> None:
        for name in (".lock", "_SUCCESS", ".part-crc"):
            (tmp_path / name).write_text("x\n")
        assert list(OutputTail().read(tmp_path, 100)) == []

    def test_partitioned_outputs_are_found(self, tmp_path: Path) -> None:
        write_rows(tmp_path, "event_date=2015-05-17", [{"a": 1}])
        assert list(OutputTail().read(tmp_path, 100)) == [b'{"a": 1}\n']

    def test_a_shorter_file_is_reported(self, tmp_path: Path) -> None:
        path = write_rows(tmp_path, "x", [{"a": 1}, {"a": 2}])
        tail = OutputTail()
        list(tail.read(tmp_path, 100))
        path.write_text("{}\n")
        with pytest.raises(RestartedError):
            list(tail.read(tmp_path, 100))


class TestText:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("plain", "plain"),
            ("größe 東京", "größe 東京"),
            ("a\x00b\x1b", "a\\u{0}b\\u{1b}"),
            ("\u202egnp.exe", "\\u{202e}gnp.exe"),
            ("\u2028", "\\u{2028}"),
            ("\ud800", "\\u{d800}"),
            (7, "7"),
        ],
    )
    def test_hidden_characters_are_shown(self, text: object, expected: str) -> None:
        assert shown(text) == expected

    def test_long_text_is_cut(self) -> None:
        assert shown("x" * 200, 10) == "x" * 10 + "…"

    def test_broken_base64_is_shown_as_it_is(self) -> None:
        assert raw_line({"raw": "%%%", "raw_encoding": "base64"}, 100) == "%%%"

    def test_a_lone_surrogate_does_not_break_the_report(self, output: Path) -> None:
        write_rows(output, "errors_per_page", [page(1, "\ud800", 1, 1)])
        # json.dumps writes the surrogate as an escape; orjson refuses such a row.
        assert "\\\\u{d800}" in render(snapshot(output)) or snapshot(output)["run"]["unreadable"]


def test_every_country_has_a_place_on_the_map() -> None:
    world = read("world.js")
    # Antarctica and two groups of islands without inhabitants.
    missing = {code for code in country_names() if f'"code":"{code}"' not in world}
    assert missing == {"AQ", "BV", "UM"}


def test_no_outline_goes_across_the_map() -> None:
    text = read("world.js")
    world = json.loads(text[text.index('{"width"') :].rstrip(";\n"))
    for shape in world["shapes"]:
        for steps in re.findall(r"l([^zM]+)z", shape["path"]):
            widest = max(abs(float(step.split(",")[0])) for step in steps.split())
            assert widest < 80, shape["code"]
