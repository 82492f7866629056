"""The page and the report in a real browser."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.support.cluster import SharedCluster
from tests.support.dashboard import (
    IN_PROGRESS,
    MARKUP,
    bot,
    country,
    finished_run,
    hostile_log,
    journal,
    letter,
    network,
    overview,
    page,
    step,
    summary,
    times,
    window,
    write_json,
    write_rows,
)
from tests.support.jobs import RECORDS, run_job
from tests.tools.dashboard.conftest import Watched
from tools.dashboard.runs import find_run
from tools.dashboard.server import Server, serving
from tools.dashboard.snapshot import finished_snapshot
from tools.local.summary import summarise
from tools.run.report import render
from udfs.enrich.countries import country_names

# The outputs that the page shows beside the records.
AGGREGATES = (
    "alerts",
    "bots",
    "errors_per_page",
    "page_flow",
    "traffic_overview",
    "traffic_per_client",
    "traffic_per_country",
)

SECTIONS = (
    "pages", "countries", "clients", "bots", "times", "flow", "networks", "letters", "alerts",
)  # fmt: skip

pytestmark = pytest.mark.browser


@pytest.fixture
def server(output: Path) -> Iterator[Server]:
    with serving(output) as started:
        yield started


def report_of(output: Path) -> Path:
    report = output / "report.html"
    report.write_text(render(finished_snapshot(find_run(output), output)), encoding="utf-8")
    return report


def ready(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_selector("html[data-ready]")


def open_all(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")


def has_no_violations(page: Page) -> None:
    results: dict[str, Any] = Axe().run(page).response
    found = [
        f"{violation['id']}: {node['html'][:200]} {node['failureSummary']}"
        for violation in results["violations"]
        for node in violation["nodes"]
    ]
    assert found == []


@pytest.fixture(params=["served", "report"])
def shown(request: pytest.FixtureRequest, output: Path, server: Server, watched: Watched) -> Page:
    """Opens the finished run, from the server and as a report."""
    ready(watched.page, server.url if request.param == "served" else report_of(output).as_uri())
    return watched.page


def test_every_view_shows_its_numbers(shown: Page, watched: Watched) -> None:
    expect(shown.locator("#state")).to_have_text("finished")
    expect(shown.locator("#figures")).to_contain_text(re.compile("Lines in100.*Enriched973 late"))
    expect(shown.locator("#balance")).to_contain_text("97 enriched + 1 filtered + 2 dead")
    expect(shown.locator("#pages tbody tr").first).to_have_text(
        re.compile(r"\(no page\)404100.0 %")
    )
    expect(shown.locator("#countries tbody tr").first).to_have_text("France40400 B")
    expect(shown.locator("#clients")).to_contain_text("Chrome")
    expect(shown.locator("#bots tbody tr").first).to_have_text("search880 B")
    expect(shown.locator("#bots")).to_contain_text("Googlebot")
    expect(shown.locator("#times tbody tr").first).to_have_text("report700 ms2.5 s2.5 s10")
    expect(shown.locator("#networks tbody tr")).to_have_text(
        [re.compile("Example HostingAS64500700"), re.compile(r"\(not known\).050")]
    )
    expect(shown.locator("#letters summary")).to_have_text("parse/malformed_line2 lines")
    expect(shown.locator("#alerts tbody tr").first).to_contain_text("ended")
    expect(shown.locator("#requests .readout")).to_have_text(
        "17 May 2015 00:59 UTC: requests 69, 4xx and 5xx 3, 5xx 1"
    )
    expect(shown.locator("footer")).to_contain_text("IP Geolocation by DB-IP")
    assert watched.problems == []


def test_the_files_of_the_npm_package_are_attributed_too(output: Path, watched: Watched) -> None:
    files = "dbip-city-ipv4, dbip-city-ipv6"
    write_json(output / "run.json", journal("finished", geoip=files))
    ready(watched.page, report_of(output).as_uri())
    footer = f"IP Geolocation by DB-IP ({files}), CC BY 4.0."
    expect(watched.page.locator("footer")).to_contain_text(footer)


def test_the_map_shows_large_and_small_countries(shown: Page) -> None:
    expect(shown.locator('.world [data-code="FR"]')).to_have_attribute("data-shade", "5")
    expect(shown.locator('.world circle[data-code="SG"] title')).to_have_text(
        "Singapore: 7 requests"
    )
    expect(shown.locator('.world [data-code="DE"]')).to_have_attribute("data-shade", "0")
    assert "France (40 requests)" in str(shown.locator(".world").get_attribute("aria-label"))


def test_steps_are_a_heat_map_that_is_a_table(shown: Page) -> None:
    heat = shown.get_by_role("table", name="Requests from page to page")
    expect(heat.get_by_role("columnheader")).to_have_text(["search", "cart"])
    expect(heat.get_by_role("rowheader")).to_have_text(["index", "search"])
    expect(heat.locator("tbody td")).to_have_text(["12", "", "", "3"])
    shades = [cell.get_attribute("data-shade") for cell in heat.locator("tbody td").all()]
    assert shades == ["3", None, None, "2"]
    shown.locator("#flow summary").focus()
    shown.keyboard.press("Enter")
    expect(shown.locator("#flow details tbody tr")).to_have_text(["indexsearch12", "searchcart3"])


def test_only_the_server_is_asked(server: Server, watched: Watched) -> None:
    ready(watched.page, server.url)
    assert all(url.startswith((server.url, "data:")) for url in watched.requests)


def test_the_report_asks_nobody(output: Path, watched: Watched) -> None:
    report = report_of(output)
    ready(watched.page, report.as_uri())
    assert [url for url in watched.requests if not url.startswith("data:")] == [report.as_uri()]
    assert watched.problems == []
    policy = watched.page.locator("meta[http-equiv]").get_attribute("content") or ""
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


class TestReadWithTheKeyboard:
    def test_everything_is_reached_in_order(self, shown: Page) -> None:
        shown.keyboard.press("Tab")
        expect(shown.locator(".skip")).to_be_focused()
        reached = set()
        for _ in range(60):
            shown.keyboard.press("Tab")
            reached.add(
                shown.evaluate(
                    "document.activeElement.closest('section')?.id"
                    " + ' ' + document.activeElement.tagName"
                )
            )
        assert {
            "requests DIV",
            "requests SUMMARY",
            "error-rate DIV",
            "countries INPUT",
            "countries DIV",
            "pages DIV",
            "times DIV",
            "flow DIV",
            "flow SUMMARY",
            "clients DIV",
            "bots DIV",
            "networks DIV",
            "letters SUMMARY",
            "throughput DIV",
        } <= reached

    def test_the_arrow_keys_read_a_chart(self, shown: Page) -> None:
        chart = shown.locator("#requests .chart")
        chart.focus()
        shown.keyboard.press("Home")
        expect(chart).to_have_attribute(
            "aria-valuetext", "17 May 2015 00:00 UTC: requests 10, 4xx and 5xx 0, 5xx 0"
        )
        shown.keyboard.press("ArrowRight")
        expect(shown.locator("#requests .readout")).to_contain_text("00:01 UTC: requests 11")

    def test_the_measure_is_chosen(self, shown: Page) -> None:
        shown.locator("input[value=requests]").focus()
        shown.keyboard.press("ArrowRight")
        expect(shown.locator('.world [data-code="FR"] title')).to_have_text("France: 400 B")

    def test_a_chart_is_a_table_too(self, shown: Page) -> None:
        shown.locator("#error-rate summary").focus()
        shown.keyboard.press("Enter")
        expect(shown.locator("#error-rate tbody tr")).to_have_count(60)
        expect(shown.locator("#error-rate tbody tr").nth(1)).to_have_text(
            "17 May 2015 00:01 UTC18.2 %"
        )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_accessibility_rules(server: Server, watched: Watched, scheme: str, width: int) -> None:
    shown = watched.page
    shown.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    shown.set_viewport_size({"width": width, "height": 800})
    ready(shown, server.url)
    open_all(shown)
    has_no_violations(shown)
    # Nothing sticks out at the side.
    assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_no_motion_where_it_is_not_wanted(server: Server, watched: Watched) -> None:
    motion = "getComputedStyle(document.querySelector('.progress span')).transitionDuration"
    ready(watched.page, server.url)
    watched.page.emulate_media(reduced_motion="no-preference")
    assert watched.page.evaluate(motion) == "0.6s"
    watched.page.emulate_media(reduced_motion="reduce")
    assert watched.page.evaluate(motion) == "0s"


class TestNothingToShow:
    def test_a_run_without_errors(self, tmp_path: Path, watched: Watched) -> None:
        write_json(tmp_path / "summary.json", summary(dead_lettered={}))
        write_json(tmp_path / "run.json", journal("finished", samples=[]))
        write_rows(tmp_path, "traffic_overview", [overview(1)])
        write_rows(tmp_path, "errors_per_page", [page(1, "index", 10)])
        ready(watched.page, report_of(tmp_path).as_uri())
        shown = watched.page
        expect(shown.locator("#pages")).to_contain_text("No errors in this run.")
        expect(shown.locator("#letters")).to_contain_text("No dead letters in this run")
        expect(shown.locator("#alerts")).to_contain_text("No alerts in this run.")
        expect(shown.locator("#countries")).to_contain_text("No traffic in this run.")
        expect(shown.locator("#bots")).to_contain_text("No bots in this run.")
        expect(shown.locator("#flow")).to_contain_text("weblog.site: internal.hosts")
        expect(shown.locator("#times")).to_be_hidden()
        has_no_violations(shown)
        assert watched.problems == []

    def test_an_output_that_is_off(self, tmp_path: Path, watched: Watched) -> None:
        write_json(tmp_path / "summary.json", summary())
        write_json(tmp_path / "run.json", journal("finished", outputs=["enriched"]))
        ready(watched.page, report_of(tmp_path).as_uri())
        expect(watched.page.locator("#pages")).to_contain_text("errors_per_page is switched off")

    @pytest.mark.parametrize(
        ("asn", "counted", "text"),
        [
            (None, [network(None, client=3)], "weblog.geoip: asn.database.path"),
            ("GeoLite2-ASN", [], "No probes and no errors in this run."),
            ("GeoLite2-ASN", None, "Counted when a run has ended."),
        ],
    )
    def test_no_networks(
        self, tmp_path: Path, watched: Watched, asn: str | None, counted: object, text: str
    ) -> None:
        accounts = summary(networks=counted)
        if counted is None:  # an older version did not count them
            del accounts["networks"]
        write_json(tmp_path / "summary.json", accounts)
        write_json(tmp_path / "run.json", journal("finished", asn=asn))
        ready(watched.page, report_of(tmp_path).as_uri())
        expect(watched.page.locator("#networks")).to_contain_text(text)

    def test_no_run(self, tmp_path: Path, watched: Watched) -> None:
        with serving(tmp_path / "missing") as server:
            ready(watched.page, server.url)
            expect(watched.page.locator("#notices")).to_contain_text("./build.sh run")
            has_no_violations(watched.page)


class TestLive:
    @pytest.fixture
    def results(self, tmp_path: Path) -> Path:
        results = tmp_path / "out" / ".work" / "run-1" / "results"
        write_rows(results, "traffic_overview", [overview(1)], IN_PROGRESS)
        write_rows(results, "dead_letters", [letter("a"), letter("b")], IN_PROGRESS)
        write_json(results.parent / "run.json", journal("running"))
        return results

    @pytest.fixture
    def live(self, results: Path, watched: Watched) -> Iterator[Page]:
        with serving(results.parents[2]) as server:
            ready(watched.page, server.url)
            yield watched.page

    def test_what_comes_is_shown_without_reloading(self, results: Path, live: Page) -> None:
        expect(live.locator("#requests .readout")).to_contain_text("requests 10,")
        write_rows(results, "traffic_overview", [overview(2, requests=33)], IN_PROGRESS)
        expect(live.locator("#requests .readout")).to_contain_text("requests 33,")
        write_rows(results, "traffic_per_country", [country(1, "France", 5)], IN_PROGRESS)
        expect(live.locator("#countries tbody th")).to_have_text("France")

    def test_what_the_reader_opened_stays_open_and_focused(self, results: Path, live: Page) -> None:
        opened = live.locator('details[data-reason="parse/b"]')
        opened.locator("summary").focus()
        live.keyboard.press("Enter")
        live.locator('details[data-reason="parse/a"] summary').click()
        opened.locator("summary").focus()
        write_rows(results, "dead_letters", [letter("b"), letter("c")], IN_PROGRESS)
        expect(opened.locator("summary")).to_contain_text("2 lines")
        expect(opened).to_have_attribute("open", "")
        expect(live.locator('details[data-reason="parse/a"]')).not_to_have_attribute("open", "")
        expect(opened.locator("summary")).to_be_focused()

    def test_a_table_stays_focused_and_where_it_was_scrolled(
        self, results: Path, live: Page
    ) -> None:
        names = sorted(country_names().values())[:60]
        rows = [country(1, name, 5) for name in names]
        write_rows(results, "traffic_per_country", rows, IN_PROGRESS)
        table = live.locator("#countries .scroll")
        expect(table.locator("tbody tr")).to_have_count(60)
        table.focus()
        table.evaluate("(box) => { box.scrollTop = 300 }")
        # The last row becomes the first, and a row is added.
        more = [country(2, names[-1], 7), country(2, None, 1)]
        write_rows(results, "traffic_per_country", more, IN_PROGRESS)
        expect(table.locator("tbody tr")).to_have_count(61)
        expect(table.locator("tbody tr").first).to_have_text(f"{names[-1]}12120 B")
        expect(table).to_be_focused()
        assert table.evaluate("(box) => box.scrollTop") == 300

    def test_reasons_that_change_places_keep_what_the_reader_opened(
        self, results: Path, live: Page
    ) -> None:
        opened = live.locator('details[data-reason="parse/b"]')
        opened.locator("summary").focus()
        live.keyboard.press("Enter")
        write_rows(results, "dead_letters", [letter("b"), letter("0")], IN_PROGRESS)
        expect(live.locator("#letters summary")).to_have_count(3)
        expect(live.locator("#letters details").first).to_have_attribute("data-reason", "parse/b")
        expect(opened).to_have_attribute("open", "")
        expect(opened.locator("summary")).to_be_focused()

    def test_updates_can_be_paused(self, results: Path, live: Page) -> None:
        live.get_by_role("button", name="Pause updates").click()
        write_rows(results, "traffic_overview", [overview(2, requests=33)], IN_PROGRESS)
        live.wait_for_timeout(1500)  # longer than the page's interval
        expect(live.locator("#requests .readout")).to_contain_text("requests 10,")
        live.get_by_role("button", name="Go on").click()
        expect(live.locator("#requests .readout")).to_contain_text("requests 33,")

    def test_the_end_is_shown(self, results: Path, live: Page, watched: Watched) -> None:
        expect(live.locator("#state")).to_have_text("starting Flink")
        output = results.parents[2]
        write_json(output / "run.json", journal("finished"))
        write_json(output / "summary.json", summary())
        (results.parent / "run.json").unlink()
        expect(live.locator("#state")).to_have_text("finished")
        expect(live.locator("#balance")).to_contain_text("Every line is accounted for")
        assert watched.problems == []

    def test_a_failure_is_shown(self, results: Path, live: Page) -> None:
        write_json(results.parent / "run.json", journal("failed", message="no space left"))
        expect(live.locator("#state")).to_have_text("failed")
        expect(live.locator("#notices p")).to_have_text(
            ["no space left", "What is shown is what it had written until then."]
        )
        has_no_violations(live)


def test_a_server_that_is_gone_is_reported(output: Path, watched: Watched) -> None:
    with serving(output) as server:
        ready(watched.page, server.url)
    expect(watched.page.locator("#state")).to_have_text("no connection to the dashboard")


class TestHostileOutputs:
    @pytest.fixture
    def output(self, tmp_path: Path) -> Path:
        output = tmp_path / "out"
        owners = [network(markup, probes=1) for markup in MARKUP]
        accounts = summary(filtered=dict.fromkeys(MARKUP, 1), networks=owners)
        write_json(output / "summary.json", accounts)
        hostile = journal("finished", sources=[MARKUP[0]], geoip=MARKUP[3], outputs=[])
        write_json(output / "run.json", hostile)
        write_rows(output, "traffic_overview", [overview(1)])
        write_rows(output, "errors_per_page", [page(1, markup, 9, 5) for markup in MARKUP])
        write_rows(output, "traffic_per_country", [country(1, markup, 5) for markup in MARKUP])
        write_rows(
            output,
            "traffic_per_client",
            [
                window(1)
                | dict.fromkeys(("device_type", "os", "browser"), markup)
                | {"requests": 1, "bytes_sent": 1}
                for markup in MARKUP
            ],
        )
        write_rows(output, "bots", [bot(1, markup, 1, markup) for markup in MARKUP])
        slow = [times(1, markup, 1, mean=1.5, longest=2, p95=2.0) for markup in MARKUP]
        write_rows(output, "response_times", slow)
        write_rows(output, "page_flow", [step(1, markup, markup, 1) for markup in MARKUP])
        write_rows(
            output,
            "dead_letters",
            [letter(markup, markup) | {"message": markup} for markup in MARKUP],
        )
        write_rows(
            output, "alerts", [{markup: markup, "state": markup, "at_at": 1} for markup in MARKUP]
        )
        return output

    def test_markup_is_text(self, shown: Page, watched: Watched) -> None:
        open_all(shown)
        is_harmless(shown, watched)
        for section in SECTIONS:
            text = shown.locator(f"#{section}").inner_text()
            assert "</script><script>hacked=1</script>" in text, section
            assert "\\u{202e}gnp.exe" in text, section


class TestSearch:
    """The search box of long tables finds rows by a part of their text."""

    NAMES = tuple(f"page-{number:02}" for number in range(20))

    @pytest.fixture
    def output(self, tmp_path: Path) -> Path:
        output = finished_run(tmp_path / "out")
        names = (*self.NAMES, "Cart<b>")
        write_rows(output, "errors_per_page", [page(3, one, 9, client=9) for one in names])
        return output

    def test_rows_are_found_with_the_keyboard(self, shown: Page, watched: Watched) -> None:
        search = shown.get_by_role("searchbox", name="Search pages with errors")
        rows = shown.locator("#pages tbody tr")
        shown.locator("#countries .scroll").focus()
        shown.keyboard.press("Tab")
        expect(search).to_be_focused()
        shown.keyboard.type("PAGE-1")
        expect(rows.locator("visible=true")).to_have_count(10)
        expect(shown.locator("#pages output")).to_have_text("10 of 23 rows")
        has_no_violations(shown)
        search.fill("t<b>")
        expect(rows.locator("visible=true")).to_have_text([re.compile(r"Cart<b>909100.0 %")])
        shown.keyboard.press("Escape")
        expect(rows.locator("visible=true")).to_have_count(23)
        expect(shown.locator("#pages output")).to_be_empty()
        assert watched.problems == []

    def test_a_short_table_has_none(self, shown: Page) -> None:
        expect(shown.get_by_role("searchbox")).to_have_count(1)

    def test_what_was_typed_stays_when_rows_come(
        self, output: Path, server: Server, watched: Watched
    ) -> None:
        ready(watched.page, server.url)
        search = watched.page.get_by_role("searchbox", name="Search pages with errors")
        search.focus()
        watched.page.keyboard.type("new")
        expect(watched.page.locator("#pages output")).to_have_text("0 of 23 rows")
        write_rows(output, "errors_per_page", [page(4, "new", 9, client=9)], "part-0-1")
        expect(watched.page.locator("#pages output")).to_have_text("1 of 24 rows")
        expect(search).to_be_focused()
        expect(search).to_have_value("new")


@pytest.mark.parametrize("width", [400, 800])
def test_alerts_need_no_sideways_scrolling(
    server: Server, output: Path, watched: Watched, width: int
) -> None:
    alert = {
        "alert": "error_rate_of_a_page", "state": "started", "metric": "error_rate",
        "subject_type": "page", "subject": "a-page-with-a-name-that-has-no-spaces-" * 3,
        "metric_value": 0.333333, "threshold": 0.1, "changed_at": "2015-05-17T00:12:00Z",
        "lines": 123456, "dead_letters": 0, "requests": 123456, "errors": 41152,
        "server_errors": 3, "probes": 0, **window(11),
    }  # fmt: skip
    write_rows(output, "alerts", [alert], "part-0-1")
    shown = watched.page
    shown.set_viewport_size({"width": width, "height": 900})
    ready(shown, server.url)
    table = shown.locator("#alerts .scroll")
    expect(table.locator("tbody tr")).to_have_count(3)
    assert table.evaluate("(box) => box.scrollWidth <= box.clientWidth")
    # Each value has its name, as there are no column heads.
    label = "getComputedStyle(document.querySelector('#alerts td'), '::before').content"
    assert shown.evaluate(label) == '"state"'
    has_no_violations(shown)
    if folder := os.environ.get("SCREENSHOTS"):
        shown.screenshot(path=Path(folder) / f"alerts-{width}.png", full_page=True)


def is_harmless(page: Page, watched: Watched) -> None:
    """Checks that no data became part of the page's code, and that the page had no problems."""
    assert page.evaluate("typeof hacked") == "undefined"
    assert page.evaluate("Object.prototype.hacked === undefined")
    foreign = (
        "img, iframe, object, embed, base, form, body style, main svg script, [onerror], [onload]"
    )
    assert page.locator(foreign).count() == 0
    assert page.locator("a[href^='javascript' i]").count() == 0
    assert page.locator("main script").count() == 0
    expect(page.locator("#state")).to_be_visible()
    assert watched.problems == []
    assert [url for url in watched.requests if "evil" in url] == []


@pytest.mark.minicluster
@pytest.mark.slow
def test_a_hostile_log_through_the_job(
    cluster: SharedCluster, tmp_path: Path, watched: Watched
) -> None:
    results = run_job(cluster, tmp_path, hostile_log(), *AGGREGATES).folder
    account = summarise(results, [*RECORDS, *AGGREGATES], 4 * len(MARKUP), 1.0)
    assert account.balanced
    (results / "summary.json").write_text(account.to_json(), encoding="utf-8")
    write_json(results / "run.json", journal("finished"))
    report = report_of(results)
    assert report.stat().st_size < 1_000_000
    with serving(results) as server:
        for url in (report.as_uri(), server.url):
            ready(watched.page, url)
            open_all(watched.page)
            is_harmless(watched.page, watched)
            assert "hacked=1" in watched.page.locator("#letters").inner_text()
            assert "hacked=1" in watched.page.locator("#pages").inner_text()
    if folder := os.environ.get("SCREENSHOTS"):
        watched.page.screenshot(path=Path(folder) / "hostile.png", full_page=True)


def test_a_single_window_has_its_own_time_on_the_axis(tmp_path: Path, watched: Watched) -> None:
    write_json(tmp_path / "summary.json", summary())
    write_rows(tmp_path, "traffic_overview", [overview(5)])
    ready(watched.page, report_of(tmp_path).as_uri())
    span = "[uPlot.name, document.querySelector('#requests .body').weblog.span()]"
    assert watched.page.evaluate(span)[1] == [1431821100, 1431821160]
    assert watched.problems == []
