"""CONTRIBUTING's changes fit the code, and its names exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from tools.package.contents import name_and_version
from udfs.config.root import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")


class Change(NamedTuple):
    path: Path
    hunks: list[tuple[str, str]]
    """The old and the new text of each place."""


def changes() -> Iterator[Change]:
    for block in re.findall(r"```diff\n(.*?)```", TEXT, re.DOTALL):
        for old, new, body in re.findall(
            r"^--- (\S+)\n\+\+\+ b/(\S+)\n(.*?)(?=^--- |\Z)", block, re.MULTILINE | re.DOTALL
        ):
            assert old in ("/dev/null", f"a/{new}")
            hunks = []
            for hunk in body.removeprefix("@@\n").split("\n@@\n"):
                lines = hunk.strip("\n").split("\n")
                before = "".join(f"{line[1:]}\n" for line in lines if line[:1] != "+")
                after = "".join(f"{line[1:]}\n" for line in lines if line[:1] != "-")
                hunks.append((before, after))
            yield Change(ROOT / new, hunks)


CHANGES = [*changes()]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.path.name)
def test_a_change_shown_fits_the_code(change: Change) -> None:
    is_new = not change.hunks[0][0]
    assert change.path.exists() is not is_new
    text = "" if is_new else change.path.read_text("utf-8")
    for before, after in change.hunks:
        assert is_new or text.count(before) == 1, before
        text = after if is_new else text.replace(before, after)
    if change.path.suffix == ".py":
        compile(text, str(change.path), "exec")


def test_each_kind_of_change_is_shown() -> None:
    assert len(CHANGES) > 8
    titles = re.findall(r"^### (.*)", TEXT, re.MULTILINE)
    assert titles == [
        "A field of the record", "A log format", "A filter", "An aggregate",
        "A sink, or a source", "A look-up", "A command",
    ]  # fmt: skip


def test_public_ci_runs_the_tests_of_a_clean_machine() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))
    (job,) = workflow["jobs"].values()
    steps = job["steps"]
    versions = [version for step in steps for version in step.get("with", {}).values()]
    assert {"3.12", "17"} <= {*versions}
    assert steps[-1] == {"run": "./build.sh test"}
    assert any("playwright install" in step.get("run", "") for step in steps[:-1])


def test_the_changelog_has_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    released = re.findall(r"^## \[([\d.]+)\] - \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)
    assert released[0] == name_and_version()[1]
