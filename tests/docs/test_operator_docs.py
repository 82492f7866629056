"""The operator's pages: links and commands work, and the output shown is the real output."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from flink_app.connector import SINK_GROUP_PREFIX
from flink_app.settings import OUTPUTS_GROUP, job_settings
from flink_app.sql_files import SQL_DIRECTORY
from lambda_app.settings import FunctionSettings
from tools.cli import COMMANDS, run_command
from tools.deploy.deployment import Deployment, plan
from tools.deploy.stack import ChangeSet, DeployedStack
from tools.settings_reference import tables
from udfs import enrichment
from udfs.config.root import ROOT
from udfs.quality import LOOKUP_FAILED

README = ROOT / "README.md"
INDEX = ROOT / "docs" / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
OTHERS = ("CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md")
PAGES = [README, *(ROOT / name for name in OTHERS), *DOCS]
IDS = [str(page.relative_to(ROOT)) for page in PAGES]
_FENCED = re.compile(r"```.*?```", re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Returns the fragments that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", _FENCED.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


@cache
def offered_commands() -> frozenset[str]:
    helped = subprocess.run(
        [str(ROOT / "build.sh"), "help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return frozenset(re.findall(r"^  ([a-z-]+) ", helped.stdout, re.MULTILINE))


def commands(text: str) -> Iterator[str]:
    """Yields the commands that follow `./build.sh`."""
    yield from re.findall(r"\./build\.sh ([a-z][a-z-]*)", text)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", _FENCED.sub("", page.read_text("utf-8"))):
        if re.match(r"[a-z]+://", target):
            continue
        path, _, fragment = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.is_relative_to(ROOT), target
        assert linked.exists(), target
        if fragment:
            assert fragment in anchors(linked), target


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_commands_exist(page: Path) -> None:
    named = set(commands(page.read_text("utf-8")))
    assert named <= offered_commands()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command in offered_commands()
    with pytest.raises(SystemExit) as ended:
        run_command(command, ["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert f"./build.sh {command}" in shown
    assert "None" not in shown


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_named_settings_exist(page: Path) -> None:
    keys = set(re.findall(r"^\| `([a-z.]+)` \|", "\n".join(tables()), re.MULTILINE))
    assert "out.of.orderness" in keys
    keys |= {one.key for one in FunctionSettings.settings()}
    in_a_group = r"`weblog\.(?!outputs)[a-z.<>*]+: ([a-z.]+)[ `]"
    named = set(re.findall(in_a_group, page.read_text("utf-8")))
    assert named <= keys


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_named_groups_exist(page: Path) -> None:
    known = {one.group for one in job_settings()} | {OUTPUTS_GROUP, FunctionSettings.group}
    named = re.findall(r"`(weblog\.[a-z.]+[a-z])[`:]", page.read_text("utf-8"))
    assert {one for one in named if not one.startswith(SINK_GROUP_PREFIX)} <= known


def reasons() -> set[str]:
    """Returns the reasons of dead letters in the code, as `stage/reason`."""
    files = [*(ROOT / "udfs").rglob("*.py"), ROOT / "lambda_app" / "payload.py"]
    raised = re.compile(r'ValidationError\(\s*"([a-z]+)", (?:"(\w+)"|([A-Z_]+)),')
    found = {
        f"{stage}/{reason or getattr(enrichment, constant)}"
        for file in files
        for stage, reason, constant in raised.findall(file.read_text("utf-8"))
    }
    unwrapping = (ROOT / "udfs" / "parse" / "unwrap.py").read_text("utf-8")
    found |= {f"decode/{reason}" for reason in re.findall(r'_problem\(\s*"(\w+)"', unwrapping)}
    return found | {f"enrich/{LOOKUP_FAILED}"}


FILTERED = {"parse/empty_line", "parse/comment_line"}
"""Reasons of lines that are filtered, not dead-lettered."""


def test_every_reason_of_dead_letters_is_explained() -> None:
    table = (ROOT / "docs" / "runbook.md").read_text("utf-8").partition("| reason | what")[2]
    explained = set(re.findall(r"`([a-z<>]+/\w+)`", table.partition("\n\n")[0]))
    # A record with too many attempts may have failed in any stage.
    exhausted = f"decode/{enrichment.EXHAUSTED}"
    assert FILTERED | {exhausted} <= reasons()
    assert explained == reasons() - FILTERED - {exhausted} | {f"<stage>/{enrichment.EXHAUSTED}"}


def test_the_index_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\(([\w-]+\.md)", INDEX.read_text("utf-8")))
    assert linked | {INDEX.name} == {page.name for page in DOCS}
    assert "](docs/README.md)" in README.read_text("utf-8")


def test_the_readme_stays_short() -> None:
    text = README.read_text("utf-8")
    assert len(text.splitlines()) <= 200
    assert len(text.split()) <= 1500


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_named_files_exist(page: Path) -> None:
    paths = re.findall(
        r"`((?:aws(?!/lambda)|conf|docs|examples|flink_app|lambda_app|sql|tests|tools|udfs)/[\w./-]*)[`*]",
        page.read_text("utf-8"),
    )
    for path in paths:
        assert (ROOT / path).exists(), path


def test_sizes_shown_are_what_the_command_shows(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs" / "sizing.md").read_text("utf-8")
    # The command is in a paragraph, and its output in the block behind the paragraph.
    shown = re.findall(
        r"`\./build\.sh size ([^`\n]+)`(?:(?!\n\n).)*\n\n```text\n(.*?)```", text, re.DOTALL
    )
    assert shown
    for arguments, output in shown:
        assert run_command("size", shlex.split(arguments)) == 0
        lines = capsys.readouterr().out.splitlines()
        wanted = output.splitlines()
        # The page may leave lines out, but keeps their order.
        remaining = iter(lines)
        assert all(any(line == one for one in remaining) for line in wanted), arguments


def test_the_plan_shown_is_what_the_command_shows() -> None:
    text = (ROOT / "docs" / "upgrade.md").read_text("utf-8")
    (shown,) = re.findall(
        r"^   ```text\n(   change (?:(?!```).)*)   ```", text, re.DOTALL | re.MULTILINE
    )
    lines = [line.removeprefix("   ") for line in shown.splitlines()]
    old, new = re.findall(r"'(weblog/\S+\.zip)'", shown)
    deployed = DeployedStack("id", "UPDATE_COMPLETE", {"CodeKey": old}, {}, {"Resources": {}})
    change: Any = {
        "Action": "Modify",
        "LogicalResourceId": "Application",
        "ResourceType": "AWS::KinesisAnalyticsV2::Application",
        "Replacement": "False",
    }
    wanted = Deployment(
        {"Resources": {}},
        {"CodeKey": new},
        (Path("dist", f"{Path(new).name.rpartition('-')[0]}.zip"), new),
    )
    change_set = ChangeSet("id", creates=False, changes=({"ResourceChange": change},))
    assert lines[0] == "change 'weblog' in eu-west-1:"
    assert lines[1:-1] == [*plan(wanted, deployed, change_set, running=True)]
    assert lines[-1] == "dry run: nothing was changed"


def test_options_of_deploy_that_are_shown_exist(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_command("deploy", ["apply", "--help"])
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    text = "\n".join(
        (ROOT / "docs" / f"{page}.md").read_text("utf-8")
        for page in ("deploy", "lambda", "runbook")
    )
    named = set(re.findall(r"`(?:deploy )?(--[a-z-]+)", text))
    others = {"--asn", "--geoip", "--reference", "--properties", "--jar", "--json"}
    replay = {"--only", "--limit", "--send"}
    started = {"--snapshot", "--skip-restore", "--force"}
    assert named - others - replay - started <= known


FOLDERS = {
    "aws", "conf", "docs", "examples", "flink_app", "lambda_app", "sql", "tests", "tools", "udfs",
}  # fmt: skip


def test_the_drawings_are_of_the_code() -> None:
    architecture = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    folders, _, way, drawing = re.findall(r"```\n(.*?)```", architecture, re.DOTALL)
    modules = re.findall(r"\b\w+\.py\b", way)
    assert len(modules) > 5
    for module in modules:
        assert any((ROOT / "udfs").rglob(module)), module
    declared = {
        name
        for file in SQL_DIRECTORY.rglob("*.sql")
        for name in re.findall(r"CREATE TEMPORARY (?:VIEW|TABLE) (\w+)", file.read_text("utf-8"))
    } | {"timed_outcomes"}  # declared in flink_app/topology.py
    drawn = set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", drawing))
    assert drawn <= declared, drawn - declared
    assert {"raw_log", "outcomes", "timed_outcomes", "timely_events", "late_events"} <= {
        *re.findall(r"\w+", drawing)
    }
    tracked = {
        one.name for one in ROOT.iterdir() if one.is_dir() and not one.name.startswith(".")
    } & FOLDERS
    for tree in (folders, README.read_text("utf-8").partition("## Where to change what")[2]):
        assert {*re.findall(r"^([a-z_]+)/ ", tree, re.MULTILINE)} == tracked
